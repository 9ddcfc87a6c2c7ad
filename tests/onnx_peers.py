"""Checks model files of `train` with others' tools: onnx.checker accepts the model and its gradient
graph, onnxruntime runs both for one picture and for several at once, and the gradient is the slope of
the cross-entropy by central differences.

    python3 onnx_peers.py MODEL.onnx...     (MODEL.gradient.onnx is taken from beside it)
"""

import sys

import numpy as np
import onnx
import onnxruntime

PICTURES = 5
# A step on one pixel: small enough to stay on one side of most rectifiers' kinks, large enough for f32.
STEP = 1e-2


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def check(path):
    gradient_path = path.removesuffix(".onnx") + ".gradient.onnx"
    for file in (path, gradient_path):
        onnx.checker.check_model(onnx.load(file), full_check=True)
    model = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    gradient = onnxruntime.InferenceSession(gradient_path, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    images = random.standard_normal((PICTURES, 1, 32, 32)).astype(np.float32)
    target = np.eye(4, dtype=np.float32)[random.integers(0, 4, PICTURES)]
    logits = model.run(None, {"image": images})[0]
    slope, same_logits = gradient.run(["gradient", "logits"], {"image": images, "target": target})
    assert slope.shape == images.shape and same_logits.shape == (PICTURES, 4)
    assert np.abs(logits - same_logits).max() < 1e-4, "the two graphs answer differently"
    one, _ = gradient.run(["gradient", "logits"], {"image": images[:1], "target": target[:1]})
    scale = np.abs(slope).max()
    assert np.abs(one - slope[:1]).max() < 1e-3 * scale, "one picture and several differ"

    def loss(x):
        return -(log_softmax(model.run(None, {"image": x})[0].astype(np.float64)) * target).sum(axis=1)

    near, count = 0, 64
    for _ in range(count):
        row, column = random.integers(0, 32, 2)
        step = np.zeros_like(images)
        step[:, :, row, column] = STEP
        numeric = (loss(images + step) - loss(images - step)) / (2 * STEP)
        near += (np.abs(numeric - slope[:, 0, row, column]) < 0.05 * scale).sum()
    share = near / (count * PICTURES)
    assert share > 0.95, f"only {share:.3f} of the slopes agree with central differences"
    print(f"{path}: accepted by onnx {onnx.__version__} and onnxruntime {onnxruntime.__version__}; "
          f"{100 * share:.1f} % of {count * PICTURES} slopes within 5 % of the steepest of central differences")


for path in sys.argv[1:]:
    check(path)
