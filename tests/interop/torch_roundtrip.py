"""PyTorch loads the models of this crate and predicts the same. Not part of the automatic checks, because PyTorch is large.

    INTEROP_DIR=FOLDER cargo test --features npy,onnx --test files -- --ignored --exact interop::write_models
    python tests/interop/torch_roundtrip.py FOLDER        # with torch, numpy and safetensors installed
"""

import json
import pathlib
import sys

import safetensors
import torch
from safetensors.torch import load_file
from torch import nn

LIMIT = 1e-5


class Residual(nn.Module):
    def __init__(self, scale, body):
        super().__init__()
        self.scale, self.body = scale, body

    def forward(self, x):
        return x + self.scale * self.body(x)


def build(spec):
    """The module of a layer as the file describes it: a name, or a name with options."""
    kind, options = (spec, {}) if isinstance(spec, str) else next(iter(spec.items()))
    match kind:
        case "Linear":
            return nn.Linear(options["inputs"], options["outputs"], bias=options["bias"])
        case "Sequential":
            return nn.Sequential(*map(build, options["layers"]))
        case "Residual":
            return Residual(options["scale"], nn.Sequential(*map(build, options["body"])))
        case "LayerNorm":
            return nn.LayerNorm(options["features"], options["eps"])
        case "RMSNorm":
            return nn.RMSNorm(options["features"], options["eps"])
        case "BatchNorm":
            return nn.BatchNorm1d(options["features"], options["eps"], options["momentum"])
        case "GELUTanh":
            return nn.GELU(approximate="tanh")
        case "Softmax":
            return nn.Softmax(dim=1)
        case _:
            return getattr(nn, kind)(**options)


def main(folder):
    worst, models = (0.0, ""), sorted(folder.glob("*.onnx"))
    assert models
    for path in (model.with_suffix(".safetensors") for model in models):
        with safetensors.safe_open(path, "pt") as file:
            description = json.loads(file.metadata()["geartrain"])
        module = build(description["architecture"])
        module.load_state_dict(load_file(path))
        module.eval()
        case = json.loads(path.with_suffix(".json").read_text())
        x = torch.tensor(case["x"], dtype=torch.float64)
        if scale := description["x_scale"]:
            x = (x - torch.tensor(scale["mean"], dtype=x.dtype)) / torch.tensor(scale["std"], dtype=x.dtype)
        with torch.no_grad():
            y = module(x.float()).double()
        if scale := description["y_scale"]:
            y = y * torch.tensor(scale["std"], dtype=y.dtype) + torch.tensor(scale["mean"], dtype=y.dtype)
        expected = torch.tensor(case["y"], dtype=y.dtype)
        error = float((y - expected).abs().max() / expected.abs().max().clamp(min=1))
        worst = max(worst, (error, path.stem))
        assert error <= LIMIT, (path.stem, error)
    print(f"torch {torch.__version__}: {len(models)} models, worst difference {worst[0]:.1e} ({worst[1]})")


main(pathlib.Path(sys.argv[1]))
