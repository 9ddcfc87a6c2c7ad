// Shows the messages of the server: a "history" when the page connects, then the "status" ten times a
// second, each new "slice" and "mark" of the charts, and the "session" once a second.
"use strict";

const STATES = [
  ["open", "Open", "open"],
  ["partially_open", "Partly open", "partly open"],
  ["closed", "Closed", "closed"],
  ["not_visible", "Not visible", "not visible"],
];
const REASONS = {
  no_face: "no face in the frame",
  profile: "the head is turned too far",
  too_small: "the face is too small: come nearer",
};
// The server sends something every second.
const SILENCE_MS = 4000;
const RETRY_MS = 2000;
const PREVIEW_MS = 400;

const byId = (id) => document.getElementById(id);
const canvases = {
  closed: byId("chart-closed"),
  perclos: byId("chart-perclos"),
  confidence: byId("chart-confidence"),
};
const past = { slices: [], marks: [], span: 600 };
let status = null;
let session = null;
let problem = null;
// When the last message of the server came; at first, when the page began to listen.
let lastMessage = Date.now();
let connected = false;
let ended = false;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

const known = (value, format) => (value === null || value === undefined ? "–" : format(value));

function metric(id, text, unit) {
  const place = byId(id);
  place.textContent = text;
  if (unit && text !== "–") place.append(element("span", "unit", unit));
}

// Lids that meet at `openness` 0 and are wide open at 1; both are arcs between the eye's corners.
function drawEye(svg, openness) {
  const almond = `M6 32 Q60 ${62 - 78 * openness} 114 32 Q60 ${62 + 18 * openness} 6 32 Z`;
  svg.querySelector(".white").setAttribute("d", almond);
  svg.querySelector(".lids").setAttribute("d", `M0 -40 H120 V112 H0 Z ${almond}`);
  svg.querySelector(".rim").setAttribute("d", almond);
  svg.querySelector(".lashes").style.opacity = Math.max(0, 1 - 3 * openness);
}

function makeBars(card) {
  const list = card.querySelector(".bars");
  for (const [state, , label] of STATES) {
    const track = element("dd", "track");
    track.append(element("div", state));
    const bar = element("div", "bar");
    bar.append(element("dt", "", label), track, element("dd", "value", "–"));
    list.append(bar);
  }
}

// What the model says of the lids beside the state, where it has an output for them.
function lidsText(eye, uncertain) {
  if (eye.openness === undefined) return "";
  if (uncertain) return "\nclosed, or looking down";
  const gaze = eye.gaze === "down" ? ", looking down" : "";
  return `\nopenness ${(100 * eye.openness).toFixed(0)} %${gaze}`;
}

function showEye(side, eye, uncertain) {
  const card = byId(side);
  const probabilities = eye && eye.probabilities;
  const state = eye ? eye.state : "not_visible";
  const name = STATES.find(([key]) => key === state)[1];
  card.dataset.state = state;
  card.classList.toggle("unseen", !probabilities || state === "not_visible");
  card.querySelector(".state").textContent = eye ? name : "No reading";
  card.querySelector(".confidence").textContent = !eye
    ? "\u00a0"
    : probabilities
      ? `confidence ${(100 * eye.confidence).toFixed(0)} %${lidsText(eye, uncertain)}`
      : REASONS[eye.reason] || "not measured";
  const tracks = card.querySelectorAll(".track div");
  const values = card.querySelectorAll(".value");
  STATES.forEach(([key], at) => {
    const share = probabilities?.[key];
    tracks[at].style.transform = `scaleX(${share ?? 0})`;
    values[at].textContent = share === undefined ? "–" : share.toFixed(2);
  });
  const ofStates = probabilities ? probabilities.open + 0.45 * (probabilities.partially_open ?? 0) : 0.5;
  const seen = probabilities ? 1 - (probabilities.not_visible ?? 0) : 0;
  const openness = eye?.openness ?? ofStates / seen;
  drawEye(card.querySelector("svg"), seen > 0.05 ? Math.min(1, openness) : 0.5);
}

function isLost() {
  return Date.now() - lastMessage > SILENCE_MS;
}

// Returns what is wrong, how long it has lasted, and whether it is severe.
function currentAlert() {
  if (ended) return ["The monitor has ended.", "", false];
  if (isLost()) return [connected ? "Connection lost. The values shown are old." : "No connection.", "", false];
  if (status && status.source.down) return [`No frames: ${status.source.down}`, "", true];
  if (problem && problem !== "no frame yet") return [`No frames: ${problem}`, "", true];
  const alert = status && status.alerts[0];
  if (!alert) return [status && status.untold, "", false];
  const lasted = Math.max(0, status.time - alert.since);
  switch (alert.kind) {
    case "long_closure_alarm":
      return ["Alarm: eyes closed", `for ${lasted.toFixed(1)} s`, true];
    case "long_closure_warning":
      return ["Warning: eyes closed", `for ${lasted.toFixed(1)} s`, false];
    case "face_lost_asleep":
      return ["Alarm: asleep and out of sight", `for ${clock(lasted)}`, true];
    case "low_blink_rate":
      return ["Reminder: blink now and then", `for ${clock(lasted)}`, false];
    case "screen_time":
      return ["Reminder: take a break", `after ${clock(lasted)}`, false];
    default:
      return ["Drowsy", `for ${clock(lasted)}`, false];
  }
}

// The text changes only when something else is wrong: screen readers read each change.
function showAlert() {
  const [text, lasted, severe] = currentAlert();
  const place = byId("alert");
  place.hidden = text === null;
  place.classList.toggle("alarm", severe);
  const shown = text === null ? "" : `${severe ? "\u26a0 " : ""}${text}`;
  if (byId("alert-text").textContent !== shown) {
    byId("alert-text").textContent = shown;
    document.title = text === null ? "Parseye" : `${text} – Parseye`;
  }
  byId("alert-duration").textContent = lasted;
}

function showStatus() {
  byId("source").textContent = `${status.source.name}${status.source.format ? ` · ${status.source.format}` : ""}`;
  byId("elapsed").textContent = clock(status.time);
  // Without frames nothing is known of the eyes now.
  const blind = status.source.down || problem;
  showEye("left", blind ? null : status.left, status?.uncertain);
  showEye("right", blind ? null : status.right, status?.uncertain);
  metric("rate", known(status.blinks_per_minute, (rate) => rate.toFixed(1)));
  byId("blinks").textContent =
    `${status.blinks.both} in all (left ${status.blinks.left}, right ${status.blinks.right})`;
  metric("perclos", known(status.perclos, (share) => (100 * share).toFixed(1)), "%");
  metric("fps", status.fps.toFixed(1));
  byId("frames").textContent = `${status.frames} processed`;
  const age = status.frame_age_ms;
  metric("age", known(age, (all) => all.p50.toFixed(0)), "ms");
  byId("ages").textContent = age ? `p95 ${age.p95.toFixed(0)} ms, p99 ${age.p99.toFixed(0)} ms` : "";
}

function list(id, rows) {
  const place = byId(id);
  place.replaceChildren();
  for (const [name, value, missing] of rows) {
    place.append(element("dt", "", name), element("dd", missing ? "none" : "", value));
  }
}

// Rows of the self-check's results, both eyes in each; what was not measured is named so.
function checkRows(checks) {
  const eyes = [["left", checks.left], ["right", checks.right]];
  const row = (name, digits, unit, get) => {
    const values = eyes.map(([side, eye]) => [side, eye ? get(eye) : null]);
    if (values.every(([, value]) => value === null)) return [name, "not measured", true];
    const text = values.map(([side, value]) => `${side} ${value === null ? "–" : value.toFixed(digits)}`);
    return [name, `${text.join(", ")}${unit}`];
  };
  const levels = eyes.map(([side, eye]) => `${side} ${(eye && eye.trust) || "unknown"}`);
  const drifts = checks.drifts.map((drift) => `${drift.quantity.replaceAll("_", " ")} (${drift.eye} eye, ${drift.shift}): ${drift.advice}`);
  return [
    row("Camera SNR", 1, " dB", (eye) => eye.camera_snr_db),
    row("Headroom, median of the last minute", 1, " dB", (eye) => eye.headroom_median_db),
    row("Headroom, lowest of the last minute", 1, " dB", (eye) => eye.headroom_worst_db),
    row("Adversarial margin", 1, " dB", (eye) => eye.adversarial_margin_db),
    row("Flip probability", 4, "", (eye) => eye.flip_probability),
    ["Headroom level", levels.join(", "), checks.time === null],
    ["Drift", drifts.length ? drifts.join("; ") : "none found", !drifts.length],
  ];
}

function showSession() {
  if (session) {
    const share = (counts, at) => {
      const all = counts.reduce((sum, count) => sum + count, 0);
      return all ? `${((100 * counts[at]) / all).toFixed(1)} %` : "–";
    };
    const { left, right } = session.states;
    const minutes = session.seconds / 60;
    list("session", [
      ["Duration", clock(session.seconds)],
      ["Face found", session.frames ? `${((100 * session.frames_with_face) / session.frames).toFixed(1)} % of ${session.frames} frames` : "–"],
      ...STATES.map(([, name], at) => [name, `left ${share(left, at)}, right ${share(right, at)}`]),
      ["Blinks", `${session.blinks}${minutes >= 1 ? `, ${(session.blinks / minutes).toFixed(1)}/min` : ""}${session.blink_mean_s === null ? "" : `, ${(1000 * session.blink_mean_s).toFixed(0)} ms on average`}`],
      ["Long closures", `${session.long_closures}${session.longest_closure_s === null ? "" : `, longest closure ${session.longest_closure_s.toFixed(2)} s`}`],
      ["Alerts", `${session.alerts.long_closure_warning} warnings, ${session.alerts.long_closure_alarm} alarms, ${session.alerts.face_lost_asleep} of a lost face, ${session.alerts.drowsiness} of drowsiness`],
    ]);
  }
  if (status) {
    const { driver, dropped, decode, corrupt } = status.lost;
    const all = driver + dropped + decode + corrupt;
    list("camera", [
      ["Camera", status.source.name],
      ["State", status.source.down || problem || "delivering"],
      ["Format", status.source.format || "unknown", !status.source.format],
      ["Frames lost", `${all}: driver ${driver}, dropped ${dropped}, decoding ${decode}, corrupt ${corrupt}`],
      ["Watches", status.watching],
      ["Model", status.model],
      ...checkRows(status.checks),
    ]);
  }
}

function drawCharts() {
  const newest = past.slices.length ? past.slices[past.slices.length - 1].time : 0;
  const now = Math.max(newest, status ? status.time : 0);
  past.slices = past.slices.filter((one) => one.time >= now - past.span);
  past.marks = past.marks.filter((one) => one.start + one.duration >= now - past.span);
  byId("span").textContent = Charts.draw(canvases, past, now);
}

function showConnection() {
  const lost = isLost();
  const pill = byId("connection");
  const [text, kind] = ended
    ? ["ended", ""]
    : lost
      ? ["no connection, trying again", "lost"]
      : !connected
        ? ["connecting", ""]
        : problem
          ? ["no frames", "lost"]
          : ["live", "live"];
  pill.textContent = text;
  pill.className = `pill ${kind}`;
  document.body.classList.toggle("stale", ended || lost);
  if (lost) showAlert();
}

// Each frame is shown once it is loaded; when none comes, the last one fades.
let previewing = false;
function startPreview() {
  if (previewing) return;
  previewing = true;
  const place = byId("preview");
  place.hidden = false;
  document.querySelector(".eyes").classList.add("with-preview");
  const next = () => {
    if (document.hidden || ended) {
      setTimeout(next, RETRY_MS);
      return;
    }
    const shown = place.querySelector("img");
    const image = new Image();
    image.alt = shown.alt;
    image.addEventListener("load", () => {
      shown.replaceWith(image);
      setTimeout(next, PREVIEW_MS);
    });
    image.addEventListener("error", () => {
      shown.classList.add("old");
      setTimeout(next, RETRY_MS);
    });
    image.src = `picture.jpg?${Date.now()}`;
  };
  next();
}

function connect() {
  const stream = new EventSource("events");
  const on = (name, take) =>
    stream.addEventListener(name, (event) => {
      lastMessage = Date.now();
      connected = true;
      take(JSON.parse(event.data));
    });
  on("history", (all) => {
    ended = false;
    past.slices = all.slices.map(Charts.slice);
    past.marks = all.marks;
    past.span = all.span_s;
    byId("version").textContent = all.version;
    if (all.preview) startPreview();
    drawCharts();
  });
  on("status", (now) => {
    status = now;
    showStatus();
    showAlert();
  });
  on("slice", (row) => {
    past.slices.push(Charts.slice(row));
    drawCharts();
  });
  on("mark", (mark) => past.marks.push(mark));
  on("session", (message) => {
    session = message.session;
    problem = message.problem;
    showSession();
    showAlert();
    showConnection();
  });
  on("end", () => {
    ended = true;
    showAlert();
    showConnection();
  });
  stream.addEventListener("error", () => {
    // The browser tries again by itself, unless the server refused.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  });
}

// A token belongs into no history and no bookmark; the cookie is enough from here on.
if (location.search) history.replaceState(null, "", location.pathname);
for (const side of ["left", "right"]) {
  makeBars(byId(side));
  drawEye(byId(side).querySelector("svg"), 0.5);
}
setInterval(showConnection, 1000);
window.addEventListener("resize", drawCharts);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
drawCharts();
connect();
