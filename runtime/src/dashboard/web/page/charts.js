// Charts of up to the last ten minutes on canvases: time runs to the right and ends now. Where nothing
// was measured there is no line.
"use strict";

const Charts = (() => {
  // A line joins slices that are at most this many seconds apart.
  const GAP_S = 3;
  const MARGIN = { left: 38, right: 8, top: 8, bottom: 18 };
  // Time ranges; the shortest that holds the whole session is shown: length, ticks, their labels, title.
  const SPANS = [
    { seconds: 60, step: 10, label: (ago) => `-${ago} s`, title: "The last minute" },
    { seconds: 120, step: 30, label: (ago) => `-${ago} s`, title: "The last two minutes" },
    { seconds: 300, step: 60, label: (ago) => `-${ago / 60} min`, title: "The last five minutes" },
    { seconds: 600, step: 60, label: (ago) => `-${ago / 60} min`, title: "The last ten minutes" },
  ];
  // Space in pixels above a chart's values for marks.
  const MARKS = 16;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Slices as the server sends them, named.
  const slice = (row) => ({
    time: row[0],
    left: { low: row[1][0], high: row[1][1], confidence: row[1][2] },
    right: { low: row[2][0], high: row[2][1], confidence: row[2][2] },
    perclos: row[3],
  });

  function prepare(canvas) {
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "11px system-ui, sans-serif";
    pen.lineJoin = "round";
    return { pen, width, height };
  }

  // The frame of a chart: `now` in seconds, `span` of SPANS, `low` to `high` the values' range.
  function axes(canvas, now, span, low, high, label, marks = 0) {
    const { pen, width, height } = prepare(canvas);
    const right = width - MARGIN.right;
    const bottom = height - MARGIN.bottom;
    const top = MARGIN.top + marks;
    const x = (time) => right - ((now - time) / span.seconds) * (right - MARGIN.left);
    const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
    pen.strokeStyle = css("--rule");
    pen.fillStyle = css("--soft");
    pen.lineWidth = 1;
    pen.setLineDash([]);
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const part of [0, 0.5, 1]) {
      const value = low + part * (high - low);
      const at = Math.round(y(value)) + 0.5;
      pen.beginPath();
      pen.moveTo(MARGIN.left, at);
      pen.lineTo(right, at);
      pen.stroke();
      pen.fillText(label(value), MARGIN.left - 5, at);
    }
    pen.textBaseline = "alphabetic";
    const step = width < 500 ? 2 * span.step : span.step;
    for (let ago = 0; ago <= span.seconds; ago += step) {
      const at = Math.round(x(now - ago)) + 0.5;
      pen.beginPath();
      pen.moveTo(at, bottom);
      pen.lineTo(at, bottom + 3);
      pen.stroke();
      pen.textAlign = ago === 0 ? "right" : "center";
      pen.fillText(ago === 0 ? "now" : span.label(ago), ago === 0 ? right : at, height - 4);
    }
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN.left, 0, right - MARGIN.left, height);
    pen.clip();
    return { pen, x, y, end: () => pen.restore() };
  }

  // Runs of slices without a gap in which `of` gives a value.
  function runs(slices, of) {
    const all = [];
    let run = [];
    let last = -Infinity;
    for (const one of slices) {
      const value = of(one);
      if (value === null || value === undefined || one.time - last > GAP_S) {
        if (run.length) all.push(run);
        run = [];
      }
      if (value !== null && value !== undefined) {
        run.push([one, value]);
        last = one.time;
      }
    }
    if (run.length) all.push(run);
    return all;
  }

  function line(chart, slices, of, colour, dash, width = 1.6) {
    const { pen, x, y } = chart;
    pen.strokeStyle = colour;
    pen.fillStyle = colour;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    for (const run of runs(slices, of)) {
      if (run.length === 1) {
        pen.fillRect(x(run[0][0].time) - 1, y(run[0][1]) - 1, 2, 2);
        continue;
      }
      pen.beginPath();
      run.forEach(([one, value], at) => (at ? pen.lineTo(x(one.time), y(value)) : pen.moveTo(x(one.time), y(value))));
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  function band(chart, slices, eye, colour) {
    const { pen, x, y } = chart;
    pen.fillStyle = colour;
    pen.globalAlpha = 0.28;
    for (const run of runs(slices, (one) => one[eye].high)) {
      pen.beginPath();
      run.forEach(([one, high], at) => (at ? pen.lineTo(x(one.time), y(high)) : pen.moveTo(x(one.time), y(high))));
      for (const [one] of [...run].reverse()) pen.lineTo(x(one.time), y(one[eye].low));
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  // Blinks of both eyes as ticks above the lines, long closures as bars.
  function marks(chart, all) {
    const { pen, x } = chart;
    for (const mark of all.filter((one) => one.eye === "both")) {
      pen.fillStyle = css(mark.long ? "--closed" : "--ink");
      const from = x(mark.start);
      const width = mark.long ? Math.max(3, x(mark.start + mark.duration) - from) : 1.5;
      pen.fillRect(from, mark.long ? 5 : 3, width, mark.long ? 7 : 11);
    }
  }

  const eyes = [
    ["left", "--left", []],
    ["right", "--right", [5, 3]],
  ];
  const share = (value) => value.toFixed(value === Math.round(value) ? 0 : 2);
  const percent = (value) => `${Math.round(100 * value)} %`;

  // Draws all charts and returns the title of the time range shown.
  function draw(canvases, past, now) {
    const { slices, marks: all } = past;
    const length = slices.length ? now - slices[0].time : 0;
    const span = SPANS.find((one) => one.seconds >= length) || SPANS[SPANS.length - 1];
    let chart = axes(canvases.closed, now, span, 0, 1, share, MARKS);
    for (const [eye, colour, dash] of eyes) {
      band(chart, slices, eye, css(colour));
      line(chart, slices, (one) => one[eye].high, css(colour), dash, 1);
    }
    marks(chart, all);
    chart.end();

    const highest = Math.max(0.2, ...slices.map((one) => one.perclos ?? 0));
    chart = axes(canvases.perclos, now, span, 0, Math.min(1, Math.ceil(highest * 10) / 10), percent);
    line(chart, slices, (one) => one.perclos, css("--ink"), [], 2);
    chart.end();

    chart = axes(canvases.confidence, now, span, 0.25, 1, (value) => value.toFixed(2));
    for (const [eye, colour, dash] of eyes) {
      line(chart, slices, (one) => one[eye].confidence, css(colour), dash);
    }
    chart.end();
    return span.title;
  }

  return { draw, slice };
})();
