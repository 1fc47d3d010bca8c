"""The safetensors package reads the files of this crate and writes some for it. Usage: check_safetensors.py FOLDER"""

import json
import pathlib
import sys

import numpy
import safetensors
from safetensors.numpy import load_file, save_file

folder = pathlib.Path(sys.argv[1])
models = sorted(folder.glob("*.json"))
assert models
for path in models:
    weights = json.loads(path.read_text())["weights"]
    file = path.with_suffix(".safetensors")
    loaded = load_file(file)
    assert sorted(loaded) == sorted(weights), sorted(loaded)
    for name, weight in weights.items():
        expected = numpy.array(weight["values"], "f4").reshape(weight["shape"])
        assert loaded[name].dtype == "f4" and numpy.array_equal(loaded[name], expected), name
    with safetensors.safe_open(file, "numpy") as opened:
        description = json.loads(opened.metadata()["geartrain"])
        assert description["version"] == 2 and description["inputs"] == 3, description
    save_file(loaded, folder / f"theirs_{path.stem}.safetensors")
print(f"safetensors {safetensors.__version__}: read and wrote {len(models)} models")
