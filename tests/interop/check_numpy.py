"""numpy reads the .npy and .npz files of this crate and writes some for it. Usage: check_numpy.py FOLDER"""

import json
import pathlib
import sys

import numpy

folder = pathlib.Path(sys.argv[1])


def inputs():
    rows, columns = numpy.indices((17, 3))
    return ((rows * 7 + columns * 3) % 17).astype("f4") * numpy.float32(0.9) - numpy.float32(7) + columns.astype("f4")


ours = numpy.load(folder / "ours.npy", allow_pickle=False)
assert ours.dtype == "<f4" and numpy.array_equal(ours, inputs().T), ours

models = sorted(folder.glob("*.json"))
for path in models:
    weights = json.loads(path.read_text())["weights"]
    with numpy.load(path.with_suffix(".npz"), allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted(weights), archive.files
        for name, weight in weights.items():
            expected = numpy.array(weight["values"], "f4").reshape(weight["shape"])
            assert archive[name].dtype == "<f4" and numpy.array_equal(archive[name], expected), name

counts = (numpy.arange(24) - 5).reshape(2, 3, 4)
arrays = {
    "f2": counts.astype("f2") / 2,
    "f4": counts.astype("f4") / 2,
    "f8": counts / 2,
    "big_endian": (counts / 2).astype(">f8"),
    "fortran": numpy.asfortranarray(counts / 2),
    "fortran_big_endian": numpy.asfortranarray((counts / 2).astype(">f4")),
    "objects": numpy.array([None, 1]),
}
arrays |= {f"i{size}": counts.astype(f"i{size}") for size in (1, 2, 4, 8)}
for name, array in arrays.items():
    numpy.save(folder / f"theirs_{name}.npy", array)
with open(folder / "theirs_version_3.npy", "wb") as file:
    numpy.lib.format.write_array(file, counts / 2, version=(3, 0))

labels = numpy.arange(17) % 3
numpy.savez(folder / "theirs.npz", x=inputs(), y=labels)
numpy.savez_compressed(folder / "theirs_compressed.npz", x=numpy.asfortranarray(inputs()), y=labels[:, None].astype("u1"))
print(f"numpy {numpy.__version__}: read {len(models)} archives and 1 array, wrote {len(arrays) + 3} files")
