"""Reads event logs of any schema under the names of the newest, and finds their first difference.

Shares no code with Parseye, so that a fault of its reader cannot hide one of its writer.
"""

import hashlib
import itertools
import json
import re

NEWEST_SCHEMA = 2

# What each schema renamed, by the schema that still has the old names. A key is given with the event that it
# is renamed in; a value with the key that it belongs to. Both hold at any depth of the event.
RENAMED_KEYS = {
    1: {
        ("camera", "words"): "message",
        ("check", "natural_agreement"): "corruption_agreement",
        ("end", "hand_over"): "dropped",
    },
}
RENAMED_VALUES = {
    1: {
        ("trust", "thin"): "low",
        ("trust", "none"): "exhausted",
    },
}

# What tells two versions apart by design.
VERSION_FIELDS = ("schema", "version")

LETTERS = {
    "open": "o",
    "partially_open": "p",
    "closed": "c",
    "not_visible": "n",
    "no_face": "f",
    "profile": "t",
    "too_small": "s",
}

# Fields of events that are numbers of the network, rounded otherwise by another processor.
NETWORK_FIELDS = {"baseline": ("openness", "reference", "closed_above")}


class ComparisonError(Exception):
    """Why nothing can be compared."""


class Number(str):
    """A number as written: 0.1 and 0.10 are not the same."""

    __slots__ = ()

    def __repr__(self):
        return str(self)


def as_written(text):
    """Parses JSON, numbers as `Number`."""
    return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=Number)


def read_log(path, parse=as_written):
    """Returns the events of a log in order, under the newest schema's names and without the fields that
    tell versions apart."""
    events = []
    schema = None
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                event = parse(line)
                kind = event["event"]
            except (ValueError, TypeError, KeyError) as error:
                raise ComparisonError(f"{path}, line {number}: not an event ({error})") from error
            if kind == "start":
                schema = schema_of(event, f"{path}, line {number}")
                for field in VERSION_FIELDS:
                    event.pop(field, None)
            if schema is None:
                raise ComparisonError(f"{path}, line {number}: a log begins with a `start` event")
            events.append(renamed(event, kind, schema))
    return events


def schema_of(start, place):
    try:
        schema = int(start["schema"])
    except (KeyError, ValueError, TypeError) as error:
        raise ComparisonError(f"{place}: the `start` event has no number as its `schema`") from error
    if not 1 <= schema <= NEWEST_SCHEMA:
        raise ComparisonError(
            f"{place}: schema {schema} is not known, the newest here is {NEWEST_SCHEMA}; "
            "add what it renamed to benches/event_logs.py"
        )
    return schema


def renamed(value, kind, schema):
    """Returns part of an event of this kind as the newest schema names it."""
    for older in range(schema, NEWEST_SCHEMA):
        keys, values = RENAMED_KEYS.get(older, {}), RENAMED_VALUES.get(older, {})
        value = renamed_once(value, kind, keys, values)
    return value


def renamed_once(value, kind, keys, values):
    if isinstance(value, list):
        return [renamed_once(item, kind, keys, values) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        if isinstance(item, str):
            item = values.get((key, item), item)
        else:
            item = renamed_once(item, kind, keys, values)
        result[keys.get((kind, key), key)] = item
    return result


def difference(old, new, place=""):
    """Returns where two JSON values differ first and how, or None. The order of keys does not count."""
    at = place or "value"
    if isinstance(old, dict) and isinstance(new, dict):
        inner = f"{place}." if place else ""
        for key in itertools.chain(old, (key for key in new if key not in old)):
            if key not in new:
                return f"{inner}{key}: only in the old, {short(old[key])}"
            if key not in old:
                return f"{inner}{key}: only in the new, {short(new[key])}"
            found = difference(old[key], new[key], f"{inner}{key}")
            if found:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list):
        for index, (one, other) in enumerate(zip(old, new)):
            found = difference(one, other, f"{place}[{index}]")
            if found:
                return found
        return None if len(old) == len(new) else f"{at}: {len(old)} items, now {len(new)}"
    if type(old) is not type(new) or old != new:
        return f"{at}: {short(old)}, now {short(new)}"
    return None


def first_difference(old, new):
    """Returns the first line in which two logs differ and how, or None."""
    for number, (one, other) in enumerate(itertools.zip_longest(old, new), 1):
        if one is None:
            return f"line {number} is only in the new: {short(other)}"
        if other is None:
            return f"line {number} is only in the old: {short(one)}"
        found = difference(one, other)
        if found:
            return f"line {number} ({described(one)}): {found}"
    return None


def described(event):
    frame = f", frame {event['frame']}" if "frame" in event else ""
    time = event.get("time", event.get("start"))
    return event["event"] + frame + (f", {time} s" if time is not None else "")


def short(value):
    text = str(value) if isinstance(value, Number) else json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def compact(events):
    """Returns what of one recording's log does not depend on the processor's rounding: the states of each eye
    as run lengths, a hash of the frames' numbers and times, and the other events. `digits_sha256` is a hash of
    all numbers."""
    frames = [event for event in events if event["event"] == "eyes"]
    times = "".join(f"{frame['frame']} {frame['time']}\n" for frame in frames)
    return {
        "frames": len(frames),
        "times_sha256": sha256(times),
        "left": run_lengths(map(letter, (frame["left"] for frame in frames))),
        "right": run_lengths(map(letter, (frame["right"] for frame in frames))),
        "events": [without_network_fields(event) for event in events if event["event"] not in ("start", "eyes")],
        "digits_sha256": sha256(json.dumps(frames, sort_keys=True)),
    }


def letter(eye):
    name = eye.get("reason") or eye["state"]
    if name not in LETTERS:
        raise ComparisonError(f"an eye's state or reason '{name}' has no letter in benches/event_logs.py")
    return LETTERS[name]


def without_network_fields(event):
    left_out = NETWORK_FIELDS.get(event["event"], ())
    return {key: value for key, value in event.items() if key not in left_out}


def compact_difference(old, new):
    """Returns how two results of `compact` differ first, `digits_sha256` aside, or None."""
    for eye in ("left", "right"):
        found = sequence_difference(old[eye], new[eye])
        if found:
            index, before, now = found
            return f"frame {index} of the log: {eye} {before}, now {now}"
    if old["times_sha256"] != new["times_sha256"]:
        return "the frames' numbers or times differ"
    for number, (one, other) in enumerate(itertools.zip_longest(old["events"], new["events"]), 1):
        found = difference(one, other)
        if found:
            return f"event {number} beside the frames' ({described(one or other)}): {found}"
    return None


def run_lengths(letters):
    """Writes a sequence of letters by its runs: `ooop` as `3o1p`."""
    return "".join(f"{sum(1 for _ in run)}{name}" for name, run in itertools.groupby(letters))


def expanded(runs):
    return "".join(name * int(count) for count, name in re.findall(r"(\d+)(\D)", runs))


def sequence_difference(old, new):
    """Returns the index from 0 at which two run-length sequences differ first, and the name that each has
    there; or None."""
    names = {letter: name for name, letter in LETTERS.items()}
    pairs = itertools.zip_longest(expanded(old), expanded(new))
    for index, (one, other) in enumerate(pairs):
        if one != other:
            return index, names.get(one, "missing"), names.get(other, "missing")
    return None


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()
