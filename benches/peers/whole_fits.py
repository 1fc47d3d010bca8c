"""Processor time of whole fits: geartrain's program, scikit-learn's MLPRegressor, and a PyTorch loop.

    python -m venv venv && venv/bin/pip install scikit-learn torch
    cargo build --release --package geartrain-cli
    venv/bin/python benches/peers/whole_fits.py [--rounds 3] [--peers sklearn,torch]

All train the same network on the same standardised rows for the same number of epochs: two hidden layers, ReLU, mean
squared error, Adam with a learning rate of 0.001, shuffled batches, one thread on one core. Printed is user plus system time
in seconds, the median over the rounds, which take turns. For the peers it is that of the fit alone, without imports and
reading; for geartrain that of the whole program, which also reads the file, scales, splits, measures after every epoch
and fits a linear baseline.
"""

import argparse
import importlib.metadata
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/geartrain"

# Columns of features, hidden layers, batch, epochs.
FITS = {
    "auto-mpg, 392 rows": (7, (64, 64), 16, 200),
    "friedman1, 20,000 rows": (10, (64, 64), 32, 10),
}


def table(name, folder):
    """The file of a data set, with the target `y` in the last column, and its numbers."""
    path = Path(folder) / f"{name.split(',')[0]}.csv"
    if name.startswith("auto-mpg"):
        lines = (ROOT / "data/auto-mpg.csv").read_text().splitlines()[1:]
        cells = np.array([line.split(",")[:8] for line in lines if '"' not in line], dtype=float)
        rows = np.column_stack([cells[:, 1:], cells[:, 0]])
    else:
        random = np.random.default_rng(1)
        x = random.random((20_000, 10))
        y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
        rows = np.column_stack([x, y + random.standard_normal(len(x))])
    header = ",".join([*(f"x{i}" for i in range(rows.shape[1] - 1)), "y"])
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.9g")
    return path, rows


def geartrain(name, path):
    _, hidden, batch, epochs = FITS[name]
    command = [PROGRAM, "train", path, "--target", "y", "--recipe", "network", "--quiet"]
    command += ["--hidden", ",".join(map(str, hidden)), "--activation", "relu", "--optimizer", "adam"]
    command += ["--learning-rate", "0.001", "--batch-size", str(batch), "--epochs", str(epochs)]
    one_core = {max(os.sched_getaffinity(0))}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = lambda: os.sched_setaffinity(0, one_core)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, preexec_fn=run)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def training_rows(rows):
    """Four fifths of the rows, as geartrain trains on, standardised."""
    rows = rows[np.random.default_rng(2).permutation(len(rows))[: len(rows) * 4 // 5]]
    rows = ((rows - rows.mean(0)) / rows.std(0)).astype(np.float32)
    return rows[:, :-1], rows[:, -1]


def sklearn(name, rows):
    from sklearn.neural_network import MLPRegressor

    _, hidden, batch, epochs = FITS[name]
    x, y = training_rows(rows)
    never = {"tol": 0, "n_iter_no_change": epochs + 1}  # stop early
    model = MLPRegressor(hidden_layer_sizes=hidden, batch_size=batch, max_iter=epochs, alpha=0, **never)
    start = time.process_time()
    model.fit(x, y)
    return time.process_time() - start


def torch(name, rows):
    import torch
    from torch import nn

    torch.set_num_threads(1)
    inputs, hidden, batch, epochs = FITS[name]
    x, y = map(torch.from_numpy, training_rows(rows))
    y = y[:, None]
    widths = [inputs, *hidden]
    layers = [layer for pair in zip(widths, hidden) for layer in (nn.Linear(*pair), nn.ReLU())]
    network = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))
    loss, optimizer = nn.MSELoss(), torch.optim.Adam(network.parameters(), 0.001)
    start = time.process_time()
    for _ in range(epochs):
        for batch_rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad(set_to_none=True)
            loss(network(x[batch_rows]), y[batch_rows]).backward()
            optimizer.step()
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="sklearn,torch")
    arguments = parser.parse_args()
    import warnings

    warnings.filterwarnings("ignore")  # the iterations end before they converge, as asked for
    peers = [peer for peer in arguments.peers.split(",") if peer]
    package = {"sklearn": "scikit-learn", "torch": "torch"}
    versions = [f"{package[peer]} {importlib.metadata.version(package[peer])}" for peer in peers]
    print("seconds of processor time;", ", ".join(versions))
    print("| fit |", " | ".join(["geartrain", *peers, *(f"to {peer}" for peer in peers)]), "|")
    print("|---" * (2 + 2 * len(peers)) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name in FITS:
            path, rows = table(name, folder)
            rounds = []
            for _ in range(arguments.rounds):
                fits = ({"sklearn": sklearn, "torch": torch}[peer](name, rows) for peer in peers)
                rounds.append([geartrain(name, path), *fits])
            medians = [f"{statistics.median(column):.3g}" for column in zip(*rounds)]
            ratios = [statistics.median(r[i + 1] / r[0] for r in rounds) for i in range(len(peers))]
            print("|", name, "|", " | ".join([*medians, *(f"{ratio:.1f}" for ratio in ratios)]), "|", flush=True)


if __name__ == "__main__":
    sys.exit(main())
