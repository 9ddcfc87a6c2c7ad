"""The comparison of versions finds what differs and nothing else.

    python3 tests/compare_versions_test.py

Programs are scripts that write what a test gives them; no recording, model or build is needed.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = ROOT / "benches/compare_versions.sh"
# No folder of compiled scripts beside the sources.
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "benches"))

import event_logs  # noqa: E402


def eye(state, trust=None):
    probabilities = {"open": 0.91, "partially_open": 0.05, "closed": 0.03, "not_visible": 0.01}
    box = {"x": 310.256, "y": 258.486, "side": 89.487, "angle": 3.508}
    result = {"state": state, "probabilities": probabilities, "confidence": 0.91, "box": box}
    return result | ({"trust": trust} if trust else {})


def log_lines(schema=1, version="0.1.0"):
    old = schema == 1
    model = {"name": "default", "sha256": "5e4f"}
    start = {"event": "start", "schema": schema, "version": version, "mode": "replay", "model": model, "clips": ["a"]}
    lines = [start]
    for frame, state in enumerate(("open", "closed", "closed", "open")):
        here = {"clip": "a", "time": frame / 25, "frame": frame}
        trust = "thin" if old else "low"
        lines.append({"event": "eyes", **here, "left": eye(state, trust), "right": eye(state)})
    last = {"event": "blink", "clip": "a", "eye": "both", "start": 0.04, "end": 0.12, "duration": 0.08,
            "first_frame": 1, "last_frame": 2}
    lost = {"event": "camera", "clip": "a", "time": 0.2, "kind": "lost", "reason": "unplugged"}
    check = {"event": "check", "clip": "a", "time": 0.2, "frame": 3}
    check |= {side: {"state": "open"} for side in ("left", "right")}
    lost["words" if old else "message"] = "plug it in"
    check["left"]["natural_agreement" if old else "corruption_agreement"] = 0.875
    check["right"]["trust"] = "none" if old else "exhausted"
    return [*lines, last, lost, check, {"event": "end", "clip": "a", "frames": 4, "outcome": "complete"}]


def written(lines):
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def evaluation(predicted=0, ece=0.09):
    """What `evaluate` writes of one crop that is open."""
    confusion = [[int(column == predicted) for column in range(4)], *([0] * 4 for _ in range(3))]
    figures = {"n": 1, "subjects": 1, "accuracy": float(predicted == 0), "ece": ece, "confusion": confusion}
    return {"split": "test", "model": "m", "model_sha256": "5e4f", **figures,
            "by_source": {"s": figures, "00000000": figures}}


# Takes the place of `parseye`. Knows one name of the face detector's setting, as the versions do.
PROGRAM = """\
    #!{python}
    import os, sys
    if any(name not in ("{setting}",) for name in os.environ if name.startswith("PARSEYE_")):
        sys.exit("unknown setting")
    command, given = sys.argv[1], sys.argv[1:]
    if command == "replay":
        open(given[given.index("--log") + 1], "w").write({log!r})
        open(given[given.index("--summary") + 1], "w").write({summary!r})
    elif command == "evaluate":
        open(given[given.index("--json") + 1], "w").write({evaluation!r})
"""


class Logs(unittest.TestCase):
    """Two logs on the command line."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def compared(self, old, new):
        paths = []
        for name, text in (("old", old), ("new", new)):
            paths.append(self.folder / f"{name}.jsonl")
            paths[-1].write_text(text, encoding="utf-8")
        return subprocess.run([COMMAND, "--logs", *paths], capture_output=True, text=True, check=False)

    def assert_equal(self, old, new):
        result = self.compared(old, new)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def assert_different(self, old, new, *words):
        result = self.compared(old, new)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for word in words:
            self.assertIn(word, result.stdout)

    def test_a_log_equals_itself_under_another_version_and_schema(self):
        self.assert_equal(written(log_lines()), written(log_lines()))
        self.assert_equal(written(log_lines()), written(log_lines(schema=2, version="0.2.0")))

    def test_new_names_do_not_hide_other_values(self):
        lines = log_lines(schema=2)
        lines[1]["left"]["trust"] = "ok"
        self.assert_different(written(log_lines()), written(lines), "line 2", "left.trust")
        lines = log_lines(schema=2)
        lines[-3]["message"] = "something else"
        self.assert_different(written(log_lines()), written(lines), "line 7", "message")

    def test_old_names_are_not_taken_from_a_log_of_the_new_schema(self):
        lines = log_lines()
        lines[0]["schema"] = 2
        self.assert_different(written(log_lines()), written(lines), "line 2", "left.trust")

    def test_every_kind_of_change_is_found_in_its_line(self):
        def change(index, *path, value):
            lines = log_lines()
            inner = lines[index]
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            return written(lines)

        old = written(log_lines())
        self.assert_different(old, change(3, "left", "state", value="open"), "line 4 (eyes, frame 2", "left.state")
        self.assert_different(old, change(1, "time", value=0.000001), "line 2", "time")
        self.assert_different(old, change(2, "right", "box", "side", value=89.488), "line 3", "right.box.side")
        self.assert_different(old, change(5, "last_frame", value=3), "line 6 (blink", "last_frame")
        self.assert_different(old, change(0, "model", "sha256", value="5e50"), "line 1", "model.sha256")
        self.assert_different(old, change(-1, "outcome", value=None), "line 9", "outcome")
        self.assert_different(old, change(4, "left", "more", value=1), "line 5", "left.more", "only in the new")

    def test_a_number_must_be_written_alike(self):
        old = written(log_lines())
        new = old.replace("0.91", "0.910", 1)
        self.assert_different(old, new, "line 2", "left.probabilities.open: 0.91, now 0.910")

    def test_a_line_too_few_or_too_many_is_found(self):
        lines = log_lines()
        self.assert_different(written(lines), written(lines[:-1]), "line 9 is only in the old")
        self.assert_different(written(lines[:-1]), written(lines), "line 9 is only in the new")
        self.assert_different(written(lines), written(lines[:5] + lines[6:]), "line 6")

    def test_what_is_no_log_is_not_called_equal(self):
        for text in ("{", "[]\n", written(log_lines()[1:]), written([{"event": "start", "schema": 3}])):
            result = self.compared(text, text)
            self.assertEqual(result.returncode, 1)
            self.assertIn("old.jsonl, line 1", result.stderr)


class Programs(unittest.TestCase):
    """Two programs on one clip and one crop."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        crop = "path,label,source,subject,eye,split,label_kind,openness,note\ns/a.png,open,s,p,,test,human,,\n"
        for name, text in (("clips/a.mp4", ""), ("clips/blinks.csv", ""), ("eyes/manifest.csv", crop),
                           ("eyes/s/a.png", ""), ("detector.onnx", "")):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def program(self, name, setting, log, summary=None, evaluated=None):
        summary = summary or {"blinks": 1, "timing": {"fps": 30.0}}
        path = self.folder / name
        path.write_text(textwrap.dedent(PROGRAM).format(
            python=sys.executable, setting=setting, log=written(log), summary=json.dumps(summary),
            evaluation=json.dumps(evaluated or evaluation()),
        ), encoding="utf-8")
        path.chmod(0o755)
        return path

    def old(self):
        return self.program("old", "PARSEYE_LOCATOR__FILE", log_lines())

    def new(self, log=None, **what):
        return self.program("new", "PARSEYE_DETECTOR__FILE", log or log_lines(schema=2), **what)

    def compared(self, *arguments):
        environment = {**os.environ, "PARSEYE_DATA": str(self.folder),
                       "PARSEYE_LOCATOR__FILE": str(self.folder / "detector.onnx")}
        environment.pop("PARSEYE_DETECTOR__FILE", None)
        return subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False)

    def assert_different(self, old, new, *words):
        result = self.compared(old, new)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("1 of the rows above differ", result.stderr)
        for word in words:
            self.assertIn(word, result.stdout)

    def test_versions_that_name_settings_and_keys_otherwise_are_equal(self):
        new = self.new(summary={"blinks": 1, "timing": {"fps": 31.0}})
        result = self.compared(self.old(), new)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_another_log_or_summary_is_found(self):
        lines = log_lines(schema=2)
        lines[1]["right"]["confidence"] = 0.92
        self.assert_different(self.old(), self.new(lines), "line 2 (eyes, frame 0", "right.confidence: 0.91, now 0.92")
        self.assert_different(self.old(), self.new(summary={"blinks": 2}), "summary.blinks: 1, now 2")

    def test_another_prediction_or_confidence_is_found(self):
        for evaluated in (evaluation(predicted=2), evaluation(ece=0.0900001)):
            result = self.compared(self.old(), self.new(evaluated=evaluated))
            self.assertEqual(result.returncode, 1)
            self.assertIn("now", result.stdout)

    def test_a_program_that_fails_is_not_called_equal(self):
        result = self.compared(self.old(), "/bin/false")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/bin/false", result.stderr)
        self.assertEqual(self.compared(self.old(), self.folder / "none").returncode, 1)


class Compact(unittest.TestCase):
    """What the reference keeps of a log."""

    def test_states_are_run_lengths(self):
        self.assertEqual(event_logs.run_lengths("ooopcc"), "3o1p2c")
        self.assertEqual(event_logs.expanded("3o1p12c"), "ooop" + 12 * "c")
        self.assertIsNone(event_logs.sequence_difference("3o", "3o"))
        self.assertEqual(event_logs.sequence_difference("3o1c", "4o"), (3, "closed", "open"))
        self.assertEqual(event_logs.sequence_difference("3o1c", "3o"), (3, "closed", "missing"))

    def test_rounding_is_let_pass_and_states_times_and_events_are_not(self):
        kept = event_logs.compact(log_lines(schema=2))

        def found(change):
            lines = log_lines(schema=2)
            change(lines)
            now = event_logs.compact(lines)
            return event_logs.compact_difference(kept, now), now["digits_sha256"] == kept["digits_sha256"]

        self.assertEqual(found(lambda lines: None), (None, True))
        self.assertEqual(found(lambda lines: lines[1]["left"].update(confidence=0.911)), (None, False))
        for change, words in (
            (lambda lines: lines[2]["left"].update(state="open"), "frame 1 of the log: left closed, now open"),
            (lambda lines: lines[2].update(time=0.0401), "times"),
            (lambda lines: lines[5].update(end=0.16), "end: 0.12, now 0.16"),
            (lambda lines: lines.pop(5), "event 1"),
            (lambda lines: lines.pop(1), "frame 0"),
        ):
            self.assertIn(words, found(change)[0])

    def test_a_turned_head_is_not_an_eye_that_the_model_finds_hidden(self):
        self.assertEqual(event_logs.letter({"state": "not_visible"}), "n")
        self.assertEqual(event_logs.letter({"state": "not_visible", "reason": "profile"}), "t")
        with self.assertRaises(event_logs.ComparisonError):
            event_logs.letter({"state": "winking"})

    def test_the_committed_reference_is_whole_and_small(self):
        path = ROOT / "tests/reference/clips.json"
        reference = json.loads(path.read_text(encoding="utf-8"))
        self.assertLess(path.stat().st_size, 200_000)
        self.assertEqual(len(reference["clips"]), 12)
        for clip in reference["clips"].values():
            for side in ("left", "right"):
                self.assertEqual(len(event_logs.expanded(clip[side])), clip["frames"])
        for name in ("built in", "default", "tiny"):
            model = reference["test_split"]["models"][name]
            self.assertEqual(sum(map(sum, model["confusion"])), model["n"])
            self.assertEqual(len(event_logs.expanded(model["predictions"])), model["n"])


if __name__ == "__main__":
    unittest.main()
