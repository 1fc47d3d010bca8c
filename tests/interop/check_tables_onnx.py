"""onnxruntime predicts from the columns of tables as geartrain-tables does. Usage: check_tables_onnx.py FOLDER"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime

LIMIT = 1e-5

models = sorted(pathlib.Path(sys.argv[1], "tables").glob("*.onnx"))
assert models
worst = (0.0, "")
for path in models:
    onnx.checker.check_model(str(path), full_check=True)
    case = json.loads(path.with_suffix(".json").read_text())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = {}
    for node in session.get_inputs():
        cells = case["columns"][node.name]
        if node.type == "tensor(string)":
            cells = numpy.array(cells, dtype=object)
        else:
            cells = numpy.array([numpy.nan if cell is None else cell for cell in cells])
        inputs[node.name] = cells.reshape(-1, 1)
    expected = numpy.array(case["predictions"])
    for rows in (1, 7, len(expected)):
        outputs = dict(zip(
            [node.name for node in session.get_outputs()],
            session.run(None, {name: cells[:rows] for name, cells in inputs.items()}),
        ))  # fmt: skip
        got = outputs["y"] if case["classes"] is None else outputs["probabilities"]
        assert got.shape == expected[:rows].shape, (path.stem, got.shape)
        # Relative to the largest output of the row, because rounding is.
        scale = numpy.maximum(1.0, numpy.abs(expected[:rows]).max(axis=1, keepdims=True))
        error = float((numpy.abs(got - expected[:rows]) / scale).max())
        worst = max(worst, (error, path.stem))
        assert error <= LIMIT, (path.stem, rows, error)
        if case["classes"] is not None:
            assert outputs["class"].ravel().tolist() == case["classes"][:rows], path.stem
print(f"tables in onnxruntime {onnxruntime.__version__}: {len(models)} models, worst difference {worst[0]:.1e} ({worst[1]})")
