"""Time per training step of geartrain, PyTorch and JAX on the same networks, side by side in one run.

    python -m venv venv && venv/bin/pip install "jax[cpu]" torch
    cargo build --release --package geartrain-cli
    venv/bin/python benches/peers/train_steps.py [--workloads T1,D1] [--rounds 5] [--peers jax,torch]

Every round runs each program at each number of threads for a second or two, one after the other, so that a slow minute of
the machine slows all of them. Printed are medians over the rounds, in microseconds per step, and ratios: the median over the rounds of
(peer / geartrain), each with its better number of threads in that round.

All run the networks of crates/cli/src/bench/workloads.rs in f32: standard normal data, forward, mean squared error or
cross-entropy, backward, SGD with a learning rate of 0.01 (A1, B1: Adam, 0.001), PyTorch's initialisation of Linear; I1,
I1b1 and P1 predict only. JAX compiles the whole step with `jit` and gives its old weights back to the step (`donate_argnums`);
PyTorch runs eagerly, as most people do. To hold JAX to one thread it is pinned to one core. Each waits for its results after every
chunk of steps, not after every step.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/geartrain"

# widths, activation, batch, residual, classify, optimizer, predict
WORKLOADS = {
    "T1": ([1, 32, 32, 1], "tanh", 32, False, False, "sgd", False),
    "T2": ([8, 64, 64, 1], "relu", 64, False, False, "sgd", False),
    "D1": ([128] * 65 + [1], "relu", 64, False, False, "sgd", False),
    "D2": ([128] * 65 + [1], "sigmoid", 64, False, False, "sgd", False),
    "D3": ([128] * 33 + [1], "relu", 64, True, False, "sgd", False),
    "N1": ([16] * 101 + [1], "sigmoid", 16, False, False, "sgd", False),
    "M1": ([784, 128, 64, 10], "relu", 128, False, True, "sgd", False),
    "A1": ([784, 128, 64, 10], "relu", 128, False, True, "adam", False),
    "W1": ([1024] * 4 + [10], "relu", 256, False, True, "sgd", False),
    "B1": ([4, 32, 16, 4], "tanh", 10_000, False, False, "adam", False),
    "I1": ([128] * 65 + [1], "relu", 64, False, False, "sgd", True),
    "I1b1": ([128] * 65 + [1], "relu", 1, False, False, "sgd", True),
    "P1": ([6, 64, 8, 4], "relu", 1, False, False, "sgd", True),
}

CHUNKS, CHUNK_SECONDS = 10, 0.05


def data(name):
    import numpy as np

    widths, _, batch, _, classify, _, _ = WORKLOADS[name]
    normal = np.random.default_rng(1).standard_normal
    x = normal((batch, widths[0])).astype(np.float32)
    target = np.arange(batch) % widths[-1] if classify else normal((batch, widths[-1])).astype(np.float32)
    return x, target


def jax_step(name):
    import jax
    import jax.numpy as jnp
    import numpy as np

    widths, activation, _, residual, classify, optimizer, predict = WORKLOADS[name]
    x, target = map(jnp.asarray, data(name))
    activate = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}[activation]
    uniform = np.random.default_rng(2).uniform
    params = []
    for inputs, outputs in zip(widths, widths[1:]):
        bound = inputs**-0.5
        shapes = [(inputs, outputs), (outputs,)]
        params.append([jnp.asarray(uniform(-bound, bound, shape), jnp.float32) for shape in shapes])

    def forward(params, x):
        for weight, bias in params[:-1]:
            h = activate(x @ weight + bias)
            x = x + h if residual else h
        weight, bias = params[-1]
        return x @ weight + bias

    def loss(params):
        y = forward(params, x)
        if not classify:
            return jnp.mean((y - target) ** 2)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(y), target[:, None], 1))

    def sgd(state):
        params, grads = state, jax.grad(loss)(state)
        return jax.tree.map(lambda w, g: w - 0.01 * g, params, grads)

    def adam(state):
        params, m, v, t = state
        grads, t = jax.grad(loss)(params), t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        rate, correction = 0.001 / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        move = lambda w, m, v: w - rate * m / (jnp.sqrt(v) / correction + 1e-8)
        return jax.tree.map(move, params, m, v), m, v, t

    if predict:
        run = jax.jit(forward)
        return lambda: run(params, x), jax.block_until_ready
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = (params, zeros, jax.tree.map(jnp.copy, zeros), jnp.float32(0)) if optimizer == "adam" else params
    run = jax.jit(adam if optimizer == "adam" else sgd, donate_argnums=0)

    def step():
        nonlocal state
        state = run(state)
        return state

    return step, jax.block_until_ready


def torch_step(name):
    import torch
    from torch import nn

    widths, activation, _, residual, classify, optimizer, predict = WORKLOADS[name]
    x, target = map(torch.from_numpy, data(name))
    activate = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[activation]

    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    block = Residual if residual else nn.Sequential
    hidden = [block(nn.Linear(i, o), activate()) for i, o in zip(widths[:-2], widths[1:-1])]
    network = nn.Sequential(*hidden, nn.Linear(*widths[-2:]))
    if predict:
        network.eval()

        def step():
            with torch.inference_mode():
                return network(x)

        return step, lambda result: None
    loss = nn.CrossEntropyLoss() if classify else nn.MSELoss()
    if optimizer == "adam":
        optimizer = torch.optim.Adam(network.parameters(), 0.001)
    else:
        optimizer = torch.optim.SGD(network.parameters(), 0.01)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(network(x), target).backward()
        optimizer.step()

    return step, lambda result: None


def serve(peer, threads):
    """Times a workload whenever its name comes in."""
    if peer == "jax" and threads == 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if peer == "torch":
        import torch

        torch.set_num_threads(threads)
    steps = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in steps:
            steps[name] = {"jax": jax_step, "torch": torch_step}[peer](name)
        step, wait = steps[name]
        wait(step())
        start, count = time.perf_counter(), 0
        while count < 3 or time.perf_counter() - start < CHUNK_SECONDS:
            result = step()
            count += 1
        wait(result)
        times = []
        for _ in range(CHUNKS):
            start = time.perf_counter()
            for _ in range(count):
                result = step()
            wait(result)
            times.append((time.perf_counter() - start) / count)
        print(statistics.median(times) * 1e6, flush=True)


class Server:
    def __init__(self, peer, threads):
        command = [sys.executable, __file__, "--serve", peer, "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, name):
        print(name, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


class Geartrain:
    def __init__(self, threads):
        self.command = [PROGRAM, "bench", "--threads", str(threads), "--json", "--workload"]

    def time(self, name):
        text = subprocess.run([*self.command, name], check=True, capture_output=True, text=True).stdout
        return json.loads(text)[0]["us_per_step"]


def processor():
    """What Linux calls it, or whatever Python knows."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def version(peer):
    return f"{peer} {importlib.metadata.version(peer)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default="jax,torch")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--threads", default="1,2", help="numbers of threads to try")
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.serve, int(arguments.threads))

    peers = [peer for peer in arguments.peers.split(",") if peer]
    threads = [int(n) for n in arguments.threads.split(",")]
    programs = {("geartrain", n): Geartrain(n) for n in threads}
    programs |= {(peer, n): Server(peer, n) for peer in peers for n in threads}
    print(f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}", *map(version, peers))
    print(f"us per step at {' / '.join(map(str, threads))} threads, then how many times as fast geartrain is")
    print("| network |", " | ".join(["geartrain", *peers, *(f"to {peer}" for peer in peers)]), "|")
    print("|---" * (2 + 2 * len(peers)) + "|")
    for name in arguments.workloads.split(","):
        rounds = []
        for (side, _), program in programs.items():
            if side != "geartrain":
                program.time(name)  # compiles, warms up
        for _ in range(arguments.rounds):
            rounds.append({key: program.time(name) for key, program in programs.items()})
        best = lambda round, side: min(us for (program, _), us in round.items() if program == side)
        cells = []
        for side in ["geartrain", *peers]:
            medians = [statistics.median(round[side, n] for round in rounds) for n in threads]
            cells.append(" / ".join(f"{float(f'{us:.4g}'):g}" for us in medians))
        for peer in peers:
            ratio = statistics.median(best(round, peer) / best(round, "geartrain") for round in rounds)
            cells.append(f"{ratio:.2f}")
        print("|", name, "|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
