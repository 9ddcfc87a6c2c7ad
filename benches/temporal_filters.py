"""Compares ways from P(closed) of each frame to blinks, on recordings with confirmed blinks.

    python3 benches/temporal_filters.py BLINKS.csv LOG.jsonl...

Each log is one of `parseye replay --log`; benches/temporal_filters.sh makes them. Needs only
Python itself, and shares no code with Parseye, whose own events are the last row: the row above must
agree with it. A method's constants are tuned on all clips but the one they are evaluated on (leave one
clip out) by F1, then by fewer spurious events in the neutral intervals; the last column shows the
constants chosen most.
"""

import collections
import csv
import itertools
import json
import math
import sys

LONG_CLOSURE_S = 1.0  # temporal.long_closure_s
HIDDEN_ABOVE = 0.5  # temporal.not_visible_above
STATES = ("open", "partially_open", "closed", "not_visible")

OPEN_ABOVE = 0.75  # temporal.open_above
SURELY_OPEN_ABOVE = 0.85  # temporal.surely_open_above
REOPENING_S = 0.1  # temporal.longest_reopening_s

Clip = collections.namedtuple("Clip", "name times frames eyes own")
Event = collections.namedtuple("Event", "first last start end")


def read_logs(paths):
    clips = {}
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                if "clip" not in event:
                    continue
                clip = clips.setdefault(event["clip"], Clip(event["clip"], [], [], [], []))
                if event["event"] in ("blink", "long_closure") and event["eye"] == "both":
                    keys = ("first_frame", "last_frame", "start", "end")
                    clip.own.append(Event(*(event[key] for key in keys)))
                if event["event"] != "eyes":
                    continue
                clip.times.append(event["time"])
                clip.frames.append(event["frame"])
                clip.eyes.append(tuple(
                    probabilities and tuple(probabilities[state] for state in STATES)
                    for probabilities in (event[eye]["probabilities"] for eye in ("left", "right"))
                ))
    return list(clips.values())


def read_truth(path):
    truth = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            interval = (int(row["start_frame"]), int(row["end_frame"]))
            truth[row["clip"]][row["kind"]].append(interval)
    return truth


# ---- from both eyes to one stream


def mean_closed(eyes):
    """Mean P(closed); None where neither eye was measured and visible."""
    left, right = eyes
    if left is None or right is None or (left[3] > HIDDEN_ABOVE and right[3] > HIDDEN_ABOVE):
        return None
    return (left[2] + right[2]) / 2


def visible(eyes):
    """(P(closed), openness) of both eyes, given that they are visible and weighted by that."""
    seen = [eye for eye in eyes if eye is not None]
    if all(eye[3] > HIDDEN_ABOVE for eye in seen):
        return None
    weight = sum(1 - eye[3] for eye in seen)
    return sum(eye[2] for eye in seen) / weight, sum(eye[0] + eye[1] / 2 for eye in seen) / weight


def unless_one_is_open(eyes):
    """The same, but while one eye is surely open, both are as open as that one."""
    own = [((eye[0] + eye[1] / 2) / (1 - eye[3]), eye[2] / (1 - eye[3]))
           for eye in eyes if eye is not None and eye[3] <= HIDDEN_ABOVE]
    openness, closed = max(own, default=(0, 0))
    return (closed, openness) if openness > SURELY_OPEN_ABOVE else visible(eyes)


def closed_of(combine):
    return lambda eyes: None if combine(eyes) is None else combine(eyes)[0]


# ---- filters: a list of P(closed) or None with its times, to one of the same length


def as_it_is(times, values):
    return values


def low_pass(seconds):
    def run(times, values):
        out, state, last = [], None, None
        for time, value in zip(times, values):
            if value is None:
                state = None
            elif state is None:
                state = value
            else:
                step = time - last
                state += (value - state) * step / (seconds + step)
            last = time
            out.append(state)
        return out

    return run


def hidden_markov(open_s, closed_s, weight, lag):
    """Of one eye: open, partially open, closed, with mean stays of open_s, closed_s/2 and closed_s;
    `weight` is the exponent of the network's probabilities, whose errors repeat over frames."""

    def run(times, eyes):
        stays = (open_s, closed_s / 2, closed_s)
        leaves = ((0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))
        forward, matrices, likelihoods, last = [], [], [], None
        for time, eye in zip(times, eyes):
            if eye is None or eye[3] > HIDDEN_ABOVE:
                forward.append(None)
                matrices.append(None)
                likelihoods.append(None)
                last = None
                continue
            like = [max(p, 1e-4) ** weight for p in eye[:3]]
            if last is None:
                matrix, belief = None, [1 / 3] * 3
            else:
                stay = [math.exp(-(time - last) / s) for s in stays]
                matrix = [[stay[i] if i == j else (1 - stay[i]) * leaves[i][j] for j in range(3)]
                          for i in range(3)]
                belief = [sum(forward[-1][i] * matrix[i][j] for i in range(3)) for j in range(3)]
            belief = [b * x for b, x in zip(belief, like)]
            total = sum(belief)
            forward.append([b / total for b in belief])
            matrices.append(matrix)
            likelihoods.append(like)
            last = time
        out = []
        for now, belief in enumerate(forward):
            if belief is None:
                out.append(None)
                continue
            end = now
            while end < now + lag and end + 1 < len(forward) and matrices[end + 1] is not None:
                end += 1
            back = [1.0] * 3
            for later in range(end, now, -1):
                matrix, like = matrices[later], likelihoods[later]
                back = [sum(matrix[i][j] * like[j] * back[j] for j in range(3)) for i in range(3)]
            belief = [b * x for b, x in zip(belief, back)]
            out.append(belief[2] / sum(belief))
        return out

    return run


# ---- from a stream to events


def closures(times, frames, values, above, until, bridge=lambda start, end: False):
    """Whole closures. Two are one where `bridge` says so of the known frames between them."""
    found, running, before = [], None, None
    for i, value in enumerate(values):
        if value is None:
            running = before = None
            continue
        closed = value > (until if running else above)
        if closed and running is None:
            running = [i, i, before is False]
        elif closed:
            running[1] = i
        elif running is not None:
            if running[2]:
                found.append([running[0], running[1], i])
            running = None
        before = closed
    merged = []
    for event in found:
        gap = (merged[-1][1] + 1, event[0]) if merged else (0, 0)
        known = all(values[i] is not None for i in range(*gap))
        if merged and known and bridge(*gap):
            merged[-1][1:] = event[1:]
        else:
            merged.append(event)
    return [Event(frames[a], frames[b], times[a], times[end]) for a, b, end in merged]


# ---- scores


def overlaps(event, interval):
    return event.first <= interval[1] and interval[0] <= event.last


def score(events, truth):
    blinks = [e for e in events if e.end - e.start < LONG_CLOSURE_S]
    wanted = truth["blink"]
    partner = {}

    def place(b, tried):
        for p, event in enumerate(blinks):
            if p in tried or not overlaps(event, wanted[b]):
                continue
            tried.add(p)
            if p not in partner or place(partner[p], tried):
                partner[p] = b
                return True
        return False

    hits = sum(place(b, set()) for b in range(len(wanted)))
    neutral = truth["partial"] + truth["long_closure"] + truth["uncertain"]
    meets = lambda e, intervals: any(overlaps(e, i) for i in intervals)
    ignored = [e for e in blinks if not meets(e, wanted) and meets(e, neutral)]
    in_long = sum(meets(e, truth["long_closure"]) for e in ignored)
    long = sum(1 for i in truth["long_closure"]
               if any(overlaps(e, i) and e.end - e.start >= LONG_CLOSURE_S for e in events))
    return collections.Counter(
        hits=hits, missed=len(wanted) - hits, false=len(blinks) - len(ignored) - hits,
        spurious=len(ignored), in_long=in_long, long=long)


def f1(c):
    whole = 2 * c["hits"] + c["false"] + c["missed"]
    return 2 * c["hits"] / whole if whole else 1.0


# ---- methods


def streams(combine, run):
    return lambda clip: run(clip.times, [combine(eyes) for eyes in clip.eyes])


def markov_stream(*constants):
    run = hidden_markov(*constants)

    def of(clip):
        sides = [run(clip.times, [eyes[side] for eyes in clip.eyes]) for side in (0, 1)]
        both = lambda l, r: None if l is None and r is None else ((r if l is None else l if r is None else (l + r) / 2))
        return [both(l, r) for l, r in zip(*sides)]

    return of


def detector(stream, above, until, bridge=lambda clip: lambda start, end: False):
    cache = {}

    def of(clip):
        if clip.name not in cache:
            cache[clip.name] = closures(
                clip.times, clip.frames, stream(clip), above, until, bridge(clip))
        return cache[clip.name]

    return of


def short(seconds):
    """Bridges what is shorter than a time."""
    return lambda clip: lambda start, end: clip.times[end] - clip.times[start] <= seconds


def short_and_not_open(seconds, open_above=OPEN_ABOVE):
    """Bridges what is shorter than a time if the eyes never open in it."""
    return lambda clip: lambda start, end: (
        clip.times[end] - clip.times[start] <= seconds
        and all(unless_one_is_open(clip.eyes[i])[1] <= open_above for i in range(start, end)))


HIGH = (0.3, 0.4, 0.5, 0.6, 0.63, 0.7)
LOW = (0.05, 0.1, 0.2, 0.3, 0.37, 0.4, 0.5, 0.6)
PAIRS = [(h, l) for h, l in itertools.product(HIGH, LOW) if l <= h]

BRIDGES = (0.04, 0.07, 0.1, 0.15, 0.2)


def methods():
    plain = streams(mean_closed, as_it_is)
    careful = streams(closed_of(unless_one_is_open), as_it_is)
    yield "threshold 0.5 on the mean", {"": detector(plain, 0.5, 0.5)}
    yield "weighted by visibility", {
        "": detector(streams(closed_of(visible), as_it_is), 0.5, 0.5)}
    yield "unless one eye is open", {"": detector(careful, 0.5, 0.5)}
    yield "threshold, tuned", {f"{h}": detector(plain, h, h) for h in HIGH + LOW[:3]}
    yield "hysteresis 0.63/0.37", {"": detector(plain, 0.63, 0.37)}
    yield "hysteresis, tuned", {f"{h}/{l}": detector(plain, h, l) for h, l in PAIRS}
    yield "bridging short gaps, tuned", {
        f"{b} s": detector(plain, 0.5, 0.5, short(b)) for b in BRIDGES}
    yield "bridging gaps not open, tuned", {
        f"{b} s, {o}": detector(plain, 0.5, 0.5, short_and_not_open(b, o))
        for b in BRIDGES for o in (0.6, 0.75, 0.9)}
    yield "the same, with hysteresis, tuned", {
        f"{h}/{l}, {b} s": detector(plain, h, l, short_and_not_open(b))
        for h, l in PAIRS for b in BRIDGES}
    yield "low-pass, hysteresis, tuned", {
        f"{s} s, {h}/{l}": detector(streams(mean_closed, low_pass(s)), h, l)
        for s in (0.02, 0.05, 0.1, 0.2) for h, l in PAIRS}
    grid = list(itertools.product((1.0, 3.0, 10.0), (0.1, 0.3, 1.0), (0.3, 0.6, 1.0)))
    for lag in (0, 1, 3):
        name = f"hidden Markov, {'filtered' if not lag else f'{lag} frames later'}"
        yield name, {
            f"{o}/{c} s, w {w}, {h}/{l}": detector(stream, h, l)
            for o, c, w in grid
            for stream in [markov_stream(o, c, w, lag)]
            for h, l in ((0.5, 0.5), (0.5, 0.2), (0.5, 0.05), (0.3, 0.1))}
    yield "unless one is open, bridging", {
        "": detector(careful, 0.5, 0.5, short_and_not_open(REOPENING_S))}
    yield "Parseye's own events", {"": lambda clip: clip.own}


def scored_out_of_sample(clips, truth, variants):
    table = {key: {clip.name: score(find(clip), truth[clip.name]) for clip in clips}
             for key, find in variants.items()}
    total, chosen = collections.Counter(), collections.Counter()
    for clip in clips:
        def merit(key):
            rest = sum((c for name, c in table[key].items() if name != clip.name),
                       collections.Counter())
            return round(f1(rest), 9), -rest["spurious"]
        best = max(table, key=merit)
        chosen[best] += 1
        total += table[best][clip.name]
    inside = max((sum(table[key].values(), collections.Counter()) for key in table),
                 key=lambda c: (round(f1(c), 9), -c["spurious"]))
    return total, inside, chosen.most_common(1)[0][0]


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: temporal_filters.py BLINKS.csv LOG.jsonl...")
    truth, clips = read_truth(sys.argv[1]), read_logs(sys.argv[2:])
    print(f"{len(clips)} clips, {sum(len(clip.times) for clip in clips)} frames; spurious: blinks in "
          "intervals that are no blinks; split: those within long closures; whole: long closures found")
    print(f"{'method':34} {'F1':>5} {'hit':>4} {'miss':>4} {'false':>5} {'spurious':>8} {'split':>5} "
          f"{'whole':>5} {'tuned on all: F1, spurious':>27}  constants")
    for name, variants in methods():
        c, inside, constants = scored_out_of_sample(clips, truth, variants)
        tuned = f"{f1(inside):.3f}, {inside['spurious']}" if len(variants) > 1 else ""
        print(f"{name:34} {f1(c):5.3f} {c['hits']:4} {c['missed']:4} {c['false']:5} "
              f"{c['spurious']:8} {c['in_long']:5} {c['long']:5} {tuned:>27}  {constants}")


if __name__ == "__main__":
    main()
