"""onnx accepts the models of this crate, and onnxruntime computes the same. Usage: check_onnx.py FOLDER"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime

LIMIT = 1e-5

folder = pathlib.Path(sys.argv[1])
models = sorted(folder.glob("*.onnx"))
assert models
worst = (0.0, "")
for path in models:
    onnx.checker.check_model(str(path), full_check=True)
    case = json.loads(path.with_suffix(".json").read_text())
    x, y = (numpy.array(case[name], "f4") for name in "xy")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for rows in (1, 5, len(x)):
        (got,) = session.run(["y"], {"x": x[:rows]})
        assert got.dtype == "f4" and got.shape == y[:rows].shape, (path.stem, got.shape)
        # Relative to the largest output, because rounding is.
        error = float(numpy.max(numpy.abs(got - y[:rows])) / max(1.0, numpy.max(numpy.abs(y[:rows]))))
        worst = max(worst, (error, path.stem))
        assert error <= LIMIT, (path.stem, rows, error)
print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}: {len(models)} models, worst difference {worst[0]:.1e} ({worst[1]})")
