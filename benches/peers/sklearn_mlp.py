"""Whole fits, predictions of one row, import and size of the package, beside scikit-learn in one run.

    python -m venv venv && venv/bin/pip install maturin scikit-learn ./crates/python
    venv/bin/python benches/peers/sklearn_mlp.py [--rounds 5] [--threads 1]

Every round fits both, one after the other, with the same options and random state, so that both do the same steps from the
same weights to the same loss. Printed are medians over the rounds and the median of their ratios. The first fit of each
is not counted.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=1, help="of both")
arguments = parser.parse_args()
# Before the libraries read it.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)

import numpy as np  # noqa: E402
from sklearn import neural_network as peer  # noqa: E402

import geartrain  # noqa: E402

warnings.simplefilter("ignore")

# Rows, hidden layers, batch, epochs, number type.
FITS = {
    "400 rows, 32-32, batches of 32": (400, (32, 32), 32, 50, "float64"),
    "400 rows, 32-32, batches of 32, float32": (400, (32, 32), 32, 50, "float32"),
    "400 rows, the defaults": (400, (100,), "auto", 200, "float64"),
    "50,000 rows, 32-32, batches of 32": (50_000, (32, 32), 32, 1, "float64"),
    "50,000 rows, 64-64, the default batches": (50_000, (64, 64), "auto", 3, "float64"),
    "50,000 rows, 64-64, the default batches, float32": (50_000, (64, 64), "auto", 3, "float32"),
}


def seconds(work, repeats=1):
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def compare(name, ours, theirs, repeats=1, unit=(1e3, "ms")):
    ours(), theirs()
    times = [(seconds(ours, repeats), seconds(theirs, repeats)) for _ in range(arguments.rounds)]
    a, b = (statistics.median(column) for column in zip(*times))
    ratio = statistics.median(theirs / ours for ours, theirs in times)
    print(f"{name:<52} {a * unit[0]:>10.2f} {b * unit[0]:>10.2f} {unit[1]} {ratio:>7.1f}×", flush=True)


def main():
    print(f"{'':<52} {'geartrain':>10} {'sklearn':>10}")
    for name, (rows, hidden, batch, epochs, dtype) in FITS.items():
        rng = np.random.RandomState(0)
        X = rng.normal(size=(rows, 8)).astype(dtype)
        y = (np.sin(X[:, 0]) + X[:, 1] * X[:, 2]).astype(dtype)
        options = {"hidden_layer_sizes": hidden, "batch_size": batch, "max_iter": epochs, "random_state": 0, "tol": 0.0}
        ours = geartrain.MLPRegressor(n_threads=arguments.threads, **options)
        theirs = peer.MLPRegressor(**options)
        compare(name, lambda: ours.fit(X, y), lambda: theirs.fit(X, y))
        assert abs(ours.loss_ / theirs.loss_ - 1) < (1e-6 if dtype == "float64" else 1e-2), (ours.loss_, theirs.loss_)
    row = X[:1].copy()
    compare("predict of one row", lambda: ours.predict(row), lambda: theirs.predict(row), 1000, (1e6, "µs"))
    code = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    for module in ("numpy", "geartrain", "sklearn.neural_network"):
        run = [sys.executable, "-c", code.format(module)]
        times = [float(subprocess.run(run, capture_output=True, text=True).stdout) for _ in range(arguments.rounds)]
        print(f"import {module:<45} {statistics.median(times):>10.3f} s")
    library = Path(geartrain._core.__file__)
    print(f"native library {library.stat().st_size / 1e6:.1f} MB")


main()
