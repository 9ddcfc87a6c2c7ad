"""Compares what two versions of Parseye report, or one version with the committed reference.

benches/compare_versions.sh says how to call it. Clips are replayed and their event logs compared line by line
under the newest schema's names (event_logs.py), then their summaries without timings; the test split is
evaluated by the built-in model and by each in models/, and compared metric by metric and crop by crop. Two
programs must agree to the last digit. With the reference, states and times must agree, but not probabilities,
which each processor rounds in its own way. Needs only Python itself.
"""

import argparse
import contextlib
import csv
import hashlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

from event_logs import (
    LETTERS,
    NEWEST_SCHEMA,
    ComparisonError,
    as_written,
    compact,
    compact_difference,
    difference,
    first_difference,
    read_log,
    renamed,
    run_lengths,
    sequence_difference,
    sha256,
)

ROOT = pathlib.Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "tests/reference/clips.json"
DETECTOR = "face_detection_front_128x128.onnx"
DETECTOR_FOLDERS = ("models/face-detector", "models/locator")
# Newest first; a program that does not know the setting refuses it.
DETECTOR_SETTINGS = ("PARSEYE_DETECTOR__FILE", "PARSEYE_LOCATOR__FILE")
BUILT_IN = "built in"
STATES = ("open", "partially_open", "closed", "not_visible")
# What the calibration error of the whole split may differ by on another processor: it depends on every
# confidence, and a crop that rounding moves to the next bin counts for 1/8115 of it.
ECE_TOLERANCE = 1e-3


class Program:
    """A `parseye` program, run with its default settings and one face detector."""

    def __init__(self, path, detector, scratch):
        self.path = pathlib.Path(path).resolve()
        self.scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        # A file of its own, so that no parseye.toml of this machine is read.
        self.settings = scratch / "settings.toml"
        self.settings.write_text("", encoding="utf-8")
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PARSEYE_")}
        for setting in DETECTOR_SETTINGS:
            self.environment = {**clean, setting: str(detector)}
            tried = self.started(["config", "--print"])
            if tried.returncode == 0:
                return
        raise ComparisonError(f"{self.path}: {tried.stderr.strip()}")

    def started(self, arguments):
        command = [self.path, arguments[0], "--config", self.settings, *arguments[1:]]
        try:
            return subprocess.run(
                command, env=self.environment, cwd=self.scratch, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False,
            )
        except OSError as error:
            raise ComparisonError(f"{self.path} cannot be started: {error.strerror}") from error

    def run(self, *arguments):
        result = self.started([str(argument) for argument in arguments])
        if result.returncode != 0:
            raise ComparisonError(
                f"{self.path} {arguments[0]} failed with status {result.returncode}: {result.stderr.strip()}"
            )

    def replay(self, clip, truth):
        """Returns the paths of a clip's event log and summary."""
        log, summary = (self.scratch / f"{clip.stem}.{ending}" for ending in ("jsonl", "summary.json"))
        self.run("replay", clip, "--truth", truth, "--log", log, "--summary", summary)
        return log, summary

    def evaluate(self, manifest, model, name):
        """Returns the text of the evaluation of the manifest's test split."""
        out = self.scratch / f"{name}.json"
        chosen = [] if model is None else ["--model", model]
        self.run("evaluate", "--manifest", manifest, "--split", "test", "--json", out, *chosen)
        return out.read_text(encoding="utf-8")


class Crops:
    """The labelled crops of the test split.

    `single` is a manifest in which each crop is a source of its own: `parseye evaluate` reports by source, so
    it then reports each crop's prediction and confidence."""

    def __init__(self, folder, scratch):
        self.folder = folder
        self.manifest = folder / "manifest.csv"
        with open(self.manifest, newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            self.rows = [row for row in rows if row["split"] == "test"]
        scratch.mkdir(parents=True, exist_ok=True)
        for name in {pathlib.Path(row["path"]).parts[0] for row in self.rows}:
            if not os.path.lexists(scratch / name):
                (scratch / name).symlink_to((folder / name).resolve())
        self.single = scratch / "manifest.csv"
        with open(self.single, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows({**row, "source": self.key(index)} for index, row in enumerate(self.rows))

    def key(self, index):
        return f"{index:08}"

    def sha256(self):
        """Hashes rows and images."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update("\t".join(row.values()).encode())
            digest.update((self.folder / row["path"]).read_bytes())
        return digest.hexdigest()

    def of(self, evaluation):
        """Returns the crops' own metrics, in order, from an evaluation of `single`."""
        return [evaluation["by_source"][self.key(index)] for index in range(len(self.rows))]

    def evaluations(self, program, model, parse):
        """Returns a model's metrics, and those of each crop."""
        name = model.stem if model else "built-in"
        metrics = parse(program.evaluate(self.manifest, model, name))
        single = parse(program.evaluate(self.single, model, f"{name}.crops"))
        return metrics, self.of(single)


def predicted(crop):
    """Returns the letter of the state that was predicted for a crop."""
    columns = [column for row in crop["confusion"] for column, count in enumerate(row) if int(count)]
    if len(columns) != 1:
        raise ComparisonError("the evaluation of a single crop holds more than one prediction, or none")
    return LETTERS[STATES[columns[0]]]


def predictions(crops):
    return run_lengths(map(predicted, crops))


def models():
    """Returns the models to evaluate: None is the one built in."""
    files = sorted((ROOT / "models").glob("*.onnx"))
    return [None, *(file for file in files if not file.name.endswith(".gradient.onnx"))]


def model_name(model):
    return model.stem if model else BUILT_IN


def detector_file():
    named = [os.environ[name] for name in DETECTOR_SETTINGS if os.environ.get(name)]
    usual = [ROOT / folder / DETECTOR for folder in DETECTOR_FOLDERS]
    for path in map(pathlib.Path, named or usual):
        if path.is_file():
            return path.resolve()
    wanted = named[0] if named else usual[0]
    raise ComparisonError(f"{wanted} is missing; `make models` fetches the face detector")


def read_summary(path, parse=as_written):
    return without_timing(parse(path.read_text(encoding="utf-8")))


def without_timing(value):
    if not isinstance(value, dict):
        return value
    return {key: without_timing(item) for key, item in value.items() if key != "timing"}


class Table:
    """Prints a table row by row and counts what differs."""

    def __init__(self):
        self.differing = 0

    def head(self, *columns):
        print(f"\n{columns[0]:45} {columns[1]:>6} {columns[2]:>9}  {columns[3]}", flush=True)

    def row(self, name, count, other, found, note="equal"):
        self.differing += found is not None
        print(f"{name:45} {count:>6} {other:>9}  {found or note}", flush=True)


def clips_in(data):
    clips = sorted((data / "clips").glob("*.mp4"))
    if not clips:
        raise ComparisonError(f"{data / 'clips'} holds no clip (*.mp4)")
    return clips


def counts(events):
    """Returns the number of frames, and of events beside those of frames and the start of the log."""
    frames = sum(event["event"] == "eyes" for event in events)
    return frames, sum(event["event"] not in ("start", "eyes") for event in events)


def compare_programs(old, new, data, scratch, table):
    truth = data / "clips/blinks.csv"
    table.head("clip", "frames", "events", "event log and summary")
    for clip in clips_in(data):
        (old_log, old_summary), (new_log, new_summary) = (program.replay(clip, truth) for program in (old, new))
        events = read_log(old_log)
        found = first_difference(events, read_log(new_log))
        if found is None:
            found = difference(read_summary(old_summary), read_summary(new_summary), "summary")
        table.row(clip.stem, *counts(events), found)

    crops = Crops(data / "eyes", scratch / "crops")
    table.head("model", "crops", "accuracy", "metrics of the test split, prediction and confidence of each crop")
    for model in models():
        (before, before_each), (now, now_each) = (
            crops.evaluations(program, model, as_written) for program in (old, new)
        )
        found = difference(before, now) or crop_difference(crops, before_each, now_each)
        table.row(model_name(model), before["n"], f"{float(before['accuracy']):.6f}", found)


def crop_difference(crops, old, new):
    for row, before, now in zip(crops.rows, old, new):
        found = difference(before, now, row["path"])
        if found:
            return found
    return None


def write_reference(program, commit, data, scratch):
    """Writes REFERENCE: numbers and names alone, an event or a model a line."""
    truth = data / "clips/blinks.csv"
    clips = {}
    for clip in clips_in(data):
        log, _ = program.replay(clip, truth)
        clips[clip.stem] = {"sha256": file_sha256(clip), **compact(read_log(log, json.loads))}
    crops = Crops(data / "eyes", scratch / "crops")
    evaluated = {}
    for model in models():
        evaluated[model_name(model)] = split_reference(*crops.evaluations(program, model, json.loads))
    reference = {
        "made": {
            "commit": commit,
            "command": f"benches/compare_versions.sh --write-reference PROGRAM --commit {commit}",
            "machine": platform.machine(),
        },
        "schema": NEWEST_SCHEMA,
        "letters": LETTERS,
        "clips": clips,
        "test_split": {"sha256": crops.sha256(), "models": evaluated},
    }
    REFERENCE.parent.mkdir(parents=True, exist_ok=True)
    REFERENCE.write_text(laid_out(reference) + "\n", encoding="utf-8")
    print(f"wrote {REFERENCE.relative_to(ROOT)}, {REFERENCE.stat().st_size} bytes")


def split_reference(metrics, crops):
    """Returns what of a model's evaluation is kept. Calibration errors depend on the processor's rounding: that
    of the whole split is kept to compare it roughly, those of sources are not."""
    sources = {
        name: {key: value for key, value in source.items() if key != "ece"}
        for name, source in metrics["by_source"].items()
    }
    confidences = "".join(f"{crop['ece']!r}\n" for crop in crops)
    return {
        **metrics,
        "by_source": sources,
        "predictions": predictions(crops),
        "digits_sha256": sha256(confidences),
    }


def laid_out(value, depth=0):
    """Writes JSON with the inner objects on one line each, so that a change of one shows as one."""
    line = json.dumps(value)
    if depth >= 3 and isinstance(value, dict) or not isinstance(value, (dict, list)) or len(line) <= 100:
        return line
    indent = "\n" + " " * (depth + 1)
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {laid_out(item, depth + 1)}" for key, item in value.items()]
        brackets = "{}"
    else:
        items = [laid_out(item, depth + 1) for item in value]
        brackets = "[]"
    return brackets[0] + indent + f",{indent}".join(items) + "\n" + " " * depth + brackets[1]


def compare_reference(program, data, scratch, table):
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    truth = data / "clips/blinks.csv"
    made = reference["made"]
    print(f"reference of commit {made['commit']}, {made['machine']}; this machine is {platform.machine()}")
    table.head("clip", "frames", "events", "states, times and events")
    for name, kept in reference["clips"].items():
        kept["events"] = [renamed(event, event["event"], reference["schema"]) for event in kept["events"]]
        clip = data / "clips" / f"{name}.mp4"
        if not clip.is_file() or file_sha256(clip) != kept["sha256"]:
            found, digits = "the clip is missing or is not the one of the reference", None
        else:
            now = compact(read_log(program.replay(clip, truth)[0], json.loads))
            found, digits = compact_difference(kept, now), now["digits_sha256"]
        table.row(name, kept["frames"], len(kept["events"]), found, note(kept, digits))

    split = reference["test_split"]
    crops = Crops(data / "eyes", scratch / "crops")
    same_crops = crops.sha256() == split["sha256"]
    shipped = {model_name(model): model for model in models()}
    table.head("model", "crops", "accuracy", "metrics of the test split, prediction for each crop")
    for name, kept in split["models"].items():
        digits = None
        if not same_crops:
            found = "the test split's crops or labels are not those of the reference"
        elif name not in shipped:
            found = f"models/{name}.onnx is missing"
        else:
            now = split_reference(*crops.evaluations(program, shipped[name], json.loads))
            found, digits = split_difference(crops, kept, now), now["digits_sha256"]
        table.row(name, kept["n"], f"{kept['accuracy']:.6f}", found, note(kept, digits))


def note(kept, digits):
    return "equal to the last digit" if digits == kept["digits_sha256"] else "equal; other digits differ"


def split_difference(crops, old, new):
    found = sequence_difference(old["predictions"], new["predictions"])
    if found:
        index, before, now = found
        return f"{crops.rows[index]['path']}: {before}, now {now}"
    if abs(old["ece"] - new["ece"]) > ECE_TOLERANCE:
        return f"ece: {old['ece']}, now {new['ece']}"
    rounded = ("ece", "digits_sha256")
    exact = ({key: value for key, value in metrics.items() if key not in rounded} for metrics in (old, new))
    return difference(*exact)


def file_sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compare_logs(paths, table):
    old, new = map(read_log, paths)
    table.head("log", "frames", "events", "event log")
    table.row(pathlib.Path(paths[0]).stem, *counts(old), first_difference(old, new))


@contextlib.contextmanager
def scratch_folder(kept):
    if kept:
        yield pathlib.Path(kept).resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder).resolve()


def arguments():
    parser = argparse.ArgumentParser(
        prog="compare_versions", description=__doc__.partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="the old and the new program")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--reference", action="store_true", help=f"compare with {REFERENCE.relative_to(ROOT)}")
    way.add_argument("--write-reference", action="store_true", help="write the reference anew")
    way.add_argument("--logs", action="store_true", help="PROGRAM are event logs instead")
    parser.add_argument("--commit", help="of the program that the reference is made with")
    parser.add_argument("--data", type=pathlib.Path, help="folder with clips/ and eyes/")
    parser.add_argument("--keep", metavar="FOLDER", help="leave logs, summaries and evaluations here")
    given = parser.parse_args()
    wanted = 1 if given.reference or given.write_reference else 2
    if len(given.programs) != wanted:
        parser.error(f"give {wanted} file{'s' * (wanted > 1)}, not {len(given.programs)}")
    if given.write_reference and not given.commit:
        parser.error("--write-reference needs --commit")
    if not given.logs and not given.data:
        parser.error("--data is missing")
    return given


def compare(given):
    """Returns the number of rows that differ."""
    table = Table()
    if given.logs:
        compare_logs(given.programs, table)
        return table.differing
    data = given.data.resolve()
    detector = detector_file()
    with scratch_folder(given.keep) as scratch:
        names = ("old", "new") if len(given.programs) == 2 else ("new",)
        programs = [Program(path, detector, scratch / name) for path, name in zip(given.programs, names)]
        if given.write_reference:
            write_reference(programs[0], given.commit, data, scratch)
        elif given.reference:
            compare_reference(programs[0], data, scratch, table)
        else:
            compare_programs(*programs, data, scratch, table)
    return table.differing


def main():
    given = arguments()
    try:
        differing = compare(given)
    except (ComparisonError, OSError) as error:
        sys.exit(f"compare_versions: {error}")
    if differing:
        sys.exit(f"compare_versions: {differing} of the rows above differ")
    if not given.write_reference:
        print("\nno difference")


if __name__ == "__main__":
    main()
