#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets: small whole inputs of each kind, none of which shows anybody.

Usage: fuzz/make-seeds.py; needs ffmpeg for the Motion JPEG. Inputs that made a target fail are kept as
tests of the program, not here.
"""
import json
import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
SEEDS = HERE / "seeds"


def save(target, name, content):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)


# Tables -------------------------------------------------------------------------------------------
HEADER = "path,label,source,subject,eye,split,label_kind,openness,note\n"
save("manifest", "whole.csv", HEADER + "a.png,open,s,p,left,train,human,0.3,x\nb.png,closed,s,q,,test,pseudo,,\n")
save("manifest", "quoted.csv", HEADER + '"a,b.png",partially_open,"s ""t""",p,right,val,geometric,-1e-3,"two\nlines"\n\n')
save("manifest", "two-splits.csv", HEADER + "a.png,not_visible,s,p,,train,human,,\nd/b.png,open,s,p,,val,human,,\n")
save("manifest", "bare.csv", "path,label,source,subject,split,label_kind\na/b.jpg,open,s,p,train,human\n")
COLUMNS = "clip,start_frame,end_frame,kind\n"
save("truth", "whole.csv", COLUMNS + "a,1,2,blink\na,9,12,blink\na,3,5,partial\nb,0,40,long_closure\nb,50,50,uncertain\n")
save("truth", "overlap.csv", COLUMNS + "a,10,20,blink\n a , 15 , 16 , blink \n")
save("truth", "other-order.csv", 'kind,clip,end_frame,start_frame\nblink,"a,b",18446744073709551615,7\n')

# Settings -----------------------------------------------------------------------------------------
documented = (HERE.parent / "configs/monitor.toml").read_text()
lines = [line.removeprefix("#: ") for line in documented.splitlines()]
lines = [line for line in lines if line and not line.startswith("#")]
save("config", "all.toml", "\n".join(lines) + "\n")
# Secrets are not written again, so that the rest is seen only without them.
lines = [line for line in lines if not line.startswith(("token", "password", "username"))]
save("config", "no-secrets.toml", "\n".join(lines) + "\n")
save("config", "small.toml", '[camera]\nid = 2\nwidth = 320\n[temporal]\nlong_closure_s = 0.5\n[model]\nfile = "m.onnx"\n')
save("config", "inline.toml", 'camera = { id = "/dev/video0", frame_rate = 29.97 }\nreport.log = "a.jsonl"\n')

# Event logs ---------------------------------------------------------------------------------------
def eye(closed):
    state = "closed" if closed > 0.5 else "open"
    probabilities = {"open": 1 - closed, "partially_open": 0.0, "closed": closed, "not_visible": 0.0}
    return {"state": state, "probabilities": probabilities, "confidence": max(closed, 1 - closed), "box": None}


UNSEEN = {"state": "not_visible", "probabilities": None, "confidence": None, "box": None, "reason": "no_face"}
START = {
    "event": "start", "schema": 2, "version": "0.1.0", "mode": "replay",
    "model": {"name": "m", "sha256": "0"}, "clips": ["a"],
}
CLOSURE = {"clip": "a", "eye": "both", "start": 0.2, "end": 0.3, "duration": 0.1, "first_frame": 2, "last_frame": 3}
ALERT = {"event": "alert", "clip": "a", "kind": "long_closure_alarm", "time": 2.0, "since": 0.5}
log = [START]
for frame in range(12):
    left, right = eye(0.9 if frame in (2, 3) else 0.1), eye(0.1) if frame < 8 else UNSEEN
    log.append({"event": "eyes", "clip": "a", "time": frame / 10, "frame": frame, "face": None, "left": left, "right": right})
log += [
    {"event": "blink", **CLOSURE},
    {"event": "partial_blink", **CLOSURE, "eye": "left"},
    {"event": "long_closure", **CLOSURE, "end": 2.2, "duration": 2.0},
    {**ALERT, "phase": "raised"},
    {**ALERT, "time": 2.5, "phase": "cleared"},
    {"event": "baseline", "clip": "a", "eye": "left", "time": 0.3, "openness": 0.9, "reference": 0.9, "closed_above": 0.5},
    {"event": "check", "clip": "a", "time": 0.4, "frame": 4, "left": {"camera_snr_db": 31.5, "trust": "low"}, "right": {}},
    {
        "event": "drift", "clip": "a", "eye": "left", "quantity": "camera_snr", "detector": "page_hinkley", "phase": "raised",
        "shift": "down", "time": 0.6, "since": 0.5, "reference": 31.5, "now": 12.0, "psi": None, "advice": "give more light",
    },
    {"event": "camera", "clip": "a", "time": 0.7, "kind": "lost", "reason": "unplugged", "message": "plug it in again"},
    {"event": "log_gap", "lost": 2, "from": 0.8, "to": 0.9, "reason": "unwritable"},
    {"event": "of_a_later_program", "time": 0.8, "what": "new"},
    {"event": "end", "clip": "a", "frames": 12, "outcome": "complete"},
]
text = "".join(json.dumps(line) + "\n" for line in log)
save("event_log", "replay.jsonl", text)
monitor = {**START, "mode": "monitor", "unix_time": 1.7e9, "part": 2}
save("event_log", "two-runs.jsonl", json.dumps(monitor) + "\n" + text[-900:] + text[:1500])
save("event_log", "later.jsonl", json.dumps({**START, "schema": 99}) + "\n")

# Pictures -----------------------------------------------------------------------------------------
def motion_jpeg(size, frames, *options):
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}", "-frames:v", str(frames)]
    return subprocess.run([*command, *options, "-f", "mjpeg", "-"], check=True, capture_output=True).stdout


save("mjpeg_frame", "three.mjpeg", motion_jpeg("16x16", 3, "-pix_fmt", "yuvj420p"))
save("mjpeg_frame", "gray.mjpeg", motion_jpeg("24x8", 1, "-pix_fmt", "gray"))
one = motion_jpeg("16x8", 1, "-pix_fmt", "yuvj422p")
save("mjpeg_frame", "broken-off.mjpeg", one[:-40] + b"\0\0" + one)
# Webcams leave the Huffman tables out.
at, bare = 2, one[:2]
while one[at + 1] != 0xDA:
    end = at + 2 + int.from_bytes(one[at + 2 : at + 4], "big")
    bare += b"" if one[at + 1] == 0xC4 else one[at:end]
    at = end
save("mjpeg_frame", "no-tables.mjpeg", bare + one[at:])
ramp = bytes(range(64))
save("pixels", "mjpeg", bytes([0, 16, 8, 0]) + one)
save("pixels", "yuyv", bytes([1, 4, 4, 4]) + ramp)
save("pixels", "nv12", bytes([2, 6, 4, 4]) + ramp)
save("pixels", "grey", bytes([3, 8, 8, 4]) + ramp)

SHOW = "[Parsed_showinfo_1 @ 0x1] [info] "
WORDS = (
    f"[info]   Duration: 00:00:05.25, start: 0.100000, bitrate: 571 kb/s\n"
    f"{SHOW}config in time_base: 1/12800, frame_rate: 25/1\n"
    f"{SHOW}n:   0 pts:    512 pts_time:0.04 pos:17 fmt:rgb24 sar:1/1 s:2x2 i:P iskey:1 type:I \n"
    f"{SHOW}n:   1 pts:  NOPTS pts_time:NOPTS pos:90 fmt:rgb24 sar:1/1 s:3x1 i:P iskey:0 type:P \n"
    f"[h264 @ 0x2] [error] Invalid NAL unit size (4046 > 2231).\n"
)
save("raw_video", "two", WORDS.encode() + bytes([0]) + ramp)
TROUBLE = (
    "[info] Input #0, tty, from 'file:notes.txt':\n"
    "[mpegvideo @ 0x1] [warning] Estimating duration from bitrate, this may be inaccurate\n"
    "[png @ 0x1] [IMGUTILS @ 0x7f] [error] Picture size 9000x9001 exceeds specified max pixel count 33554432\n"
    "[error] Error while decoding stream #0:0: Invalid data found\n"
)
save("raw_video", "trouble", TROUBLE)

# Faces --------------------------------------------------------------------------------------------
FACE = [3.0, 0, 0, 32, 32, -8, -4, 8, -4, 0, 4, 0, 8, -12, 0, 12, 0]
floats = lambda *rows: b"".join(struct.pack("<17f", *row) for row in rows)
save("face_detector_output", "two-faces", bytes([127]) + floats(FACE, [2.5] + FACE[1:], [-20] + FACE[1:], [4, 60] + FACE[2:]))
save("face_detector_output", "no-numbers", bytes([10]) + floats([float("inf")] * 17, [float("nan")] * 17, [3] + [1e30] * 16))


# Models -------------------------------------------------------------------------------------------
def varint(value):
    value &= (1 << 64) - 1
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number, content):
    """A field of a message: a whole number, or bytes, text or a message."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def constant(name, dims, values, kind="f"):
    raw = struct.pack(f"<{len(values)}{kind}", *values)
    sides = b"".join(field(1, side) for side in dims)
    return field(5, sides + field(2, 1 if kind == "f" else 7) + field(8, name) + field(9, raw))


def node(operator, inputs, output, **attributes):
    content = b"".join(field(1, name) for name in inputs) + field(2, output) + field(3, output) + field(4, operator)
    for name, value in attributes.items():
        listed = isinstance(value, list)
        values = b"".join(field(8, v) for v in value) if listed else field(3, value)
        content += field(5, field(1, name) + values + field(20, 7 if listed else 2))
    return field(1, content)


def value(number, name, *sides):
    shape = b"".join(field(1, field(1, side)) for side in sides)
    return field(number, field(1, name) + field(2, field(1, field(1, 1) + field(2, shape))))


def model(graph, **metadata):
    entries = b"".join(field(14, field(1, key) + field(2, text)) for key, text in metadata.items())
    return field(1, 8) + field(8, field(2, 17)) + field(7, graph) + entries


CARD = {
    "format": 1, "name": "seed", "architecture": "none", "parameters": 4,
    "labels": ["open", "partially_open", "closed", "not_visible"],
    "input": {"name": "image", "shape": [1, 1, 32, 32], "preprocessing": "as usual", "contrast_floor": 1.0},
    "temperature": 1.0,
    "training": {
        "command": "none", "seed": 0, "commit": "none", "data_sha256": "", "crops_by_source": {}, "data_credit": "",
        "epochs": 0, "chosen_epoch": 0, "precision": "f32", "device": "cpu", "threads": 1,
    },
    "validation": {"n": 0, "accuracy": 0.0, "macro_accuracy": 0.0, "recall": {}, "ece": 0.0, "ece_uncalibrated": 0.0},
    "robustness": [], "reference_confidence": {"counts": []},
}
IMAGE = value(11, "image", 1, 1, 32, 32)
LOGITS = value(12, "logits", 1, 4)
WINDOW = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
weights = [round((i * 37 % 19 - 9) / 9, 3) for i in range(18)]
# Forward: convolution, rectifier, average, dense.
FORWARD = (
    constant("w", [2, 1, 3, 3], weights) + constant("b", [2], weights[:2])
    + constant("d", [4, 2], weights[:8]) + constant("e", [4], weights[:4])
    + node("Conv", ["image", "w", "b"], "c", **WINDOW) + node("Relu", ["c"], "r")
    + node("GlobalAveragePool", ["r"], "g") + node("Flatten", ["g"], "f", axis=1)
    + node("Gemm", ["f", "d", "e"], "logits", transB=1)
)
save("model_card", "flat.onnx", model(IMAGE + FORWARD + LOGITS, **{"parseye.card": json.dumps(CARD)}))
save("model_card", "bare.onnx", model(IMAGE + FORWARD + LOGITS))
POOLED = (
    constant("s", [1, 1, 1, 1], [0.5]) + constant("d", [4, 1], weights[:4])
    + node("MaxPool", ["image"], "m", kernel_shape=[2, 2], strides=[2, 2]) + node("Mul", ["m", "s"], "x")
    + node("Add", ["x", "m"], "y") + node("GlobalAveragePool", ["y"], "g") + node("Flatten", ["g"], "f")
    + node("Gemm", ["f", "d"], "logits", transB=1)
)
save("model_card", "pooled.onnx", model(IMAGE + POOLED + LOGITS))
GRADIENT = (
    FORWARD + constant("share", [1, 1, 16, 16], [1 / 256] * 256)
    + constant("to", [4], [0, 2, 1, 1], "q")
    + node("Softmax", ["logits"], "p", axis=1) + node("Sub", ["p", "target"], "dl")
    + node("MatMul", ["dl", "d"], "df") + node("Reshape", ["df", "to"], "dg") + node("Mul", ["dg", "share"], "dr")
    + node("Sign", ["r"], "s") + node("Mul", ["dr", "s"], "dc")
    + node("ConvTranspose", ["dc", "w"], "di", **WINDOW, output_padding=[1, 1]) + node("Identity", ["di"], "gradient")
)
save(
    "model_card", "gradient.onnx",
    model(IMAGE + value(11, "target", 1, 4) + GRADIENT + value(12, "gradient", 1, 1, 32, 32) + LOGITS),
)
