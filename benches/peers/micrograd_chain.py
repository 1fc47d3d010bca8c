"""Time per operation of micrograd and of geartrain on the same chain of scalars, in one run.

    python -m venv venv && venv/bin/pip install micrograd
    venv/bin/python benches/peers/micrograd_chain.py

The chain is x <- 1.0000001 * x and x <- x + 1e-9 in turn. geartrain's side is the criterion bench `chain_1e6` of
benches/graph.rs (the mean of its samples), run from here on 1,000,000 operations.

micrograd has no graph to run again: building it is its forward pass. So its whole step is compared twice, with
geartrain building the graph anew and with geartrain running a graph it has. micrograd's backward pass recurses, so its
chain is shorter (10,000 operations; the best of 20 repetitions), on a thread with a large stack. Each also has a node
for each constant in use, which costs micrograd more; its time is still divided by the operations only.
"""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from micrograd.engine import Value

OPERATIONS, REPETITIONS = 10_000, 20
ROOT = Path(__file__).resolve().parents[2]


def step():
    start = time.perf_counter()
    x = node = Value(1.0)
    for number in range(OPERATIONS):
        node = node * 1.0000001 if number % 2 == 0 else node + 1e-9
    node.backward()
    seconds = time.perf_counter() - start
    assert abs(x.grad - 1.0000001 ** (OPERATIONS / 2)) < 1e-9
    return seconds


def micrograd_nanoseconds(result):
    result.append(min(step() for _ in range(REPETITIONS)) / OPERATIONS * 1e9)


def geartrain_nanoseconds(name):
    estimates = ROOT / "target/criterion/chain_1e6" / name / "new/estimates.json"
    return json.loads(estimates.read_text())["mean"]["point_estimate"] / 1e6


def main():
    sys.setrecursionlimit(10 * OPERATIONS)
    threading.stack_size(512 * 1024 * 1024)
    result = []
    thread = threading.Thread(target=micrograd_nanoseconds, args=(result,))
    thread.start()
    thread.join()
    (peer,) = result
    print(f"micrograd, build + backward:             {peer:9.2f} ns per operation")

    command = ["cargo", "bench", "--bench", "graph", "--", "chain_1e6"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for name in ("build_forward_backward", "forward_backward"):
        ours = geartrain_nanoseconds(name)
        label = "geartrain, " + name.replace("_", " + ") + ":"
        print(f"{label:<40} {ours:9.2f} ns per operation, {peer / ours:.0f} times faster")


if __name__ == "__main__":
    main()
