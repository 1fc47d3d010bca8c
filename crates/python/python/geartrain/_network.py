"""Networks of layers by name, with their gradients."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

import numpy as np

from . import _core
from ._mlp import ACTIVATIONS

LAYERS = {
    "linear": lambda inputs, outputs, bias=True: {"Linear": {"inputs": inputs, "outputs": outputs, "bias": bias}},
    "batch_norm": lambda n, eps=1e-5, momentum=0.1: {"BatchNorm": {"features": n, "eps": eps, "momentum": momentum}},
    "layer_norm": lambda n, eps=1e-5: {"LayerNorm": {"features": n, "eps": eps}},
    "rms_norm": lambda n, eps=None: {"RMSNorm": {"features": n, "eps": eps}},
    "dropout": lambda p: {"Dropout": {"p": p}},
    "residual": lambda layers, scale=1.0: {"Residual": {"scale": scale, "body": [layer(part) for part in layers]}},
    "softmax": lambda: "Softmax",
    **{name: (lambda spec=spec: spec) for name, spec in ACTIVATIONS.items()},
}
ALIASES = {"mse": "squared_error", "mae": "absolute_error", "cross_entropy": "log_loss", "bce": "binary_log_loss"}


def layer(description):
    """A layer as data: of a name, or of a name with arguments."""
    name, *arguments = (description,) if isinstance(description, str) else description
    if name not in LAYERS:
        raise ValueError(f"no layer is called {name!r}; there are: {', '.join(LAYERS)}")
    return LAYERS[name](*arguments)


def loss_options(loss):
    """The name and options of a loss, given as a name or as a name with options."""
    name, *options = (loss,) if isinstance(loss, str) else loss
    if name in ("huber", "quantile") and not options:
        options = [1.0 if name == "huber" else 0.5]
    return ALIASES.get(name, name), [float(option) for option in options]


class Pass(NamedTuple):
    """One forward and one backward pass."""

    loss: float
    """The loss, a mean over rows and outputs."""
    grads: np.ndarray
    """The gradient in all parameters, as one vector."""
    grad_input: np.ndarray
    """The gradient in the input, `(rows, inputs)`."""


class Network:
    """Layers in order, with their parameters in one flat vector.

    Parameters
    ----------
    layers : list
        Names of layers, or tuples of a name and its arguments: `("linear", inputs, outputs)`,
        `("batch_norm", features)`, `("layer_norm", features)`, `("rms_norm", features)`, `("dropout", p)`,
        `("residual", [layers])`, `"softmax"`, and the activations `"tanh"`, `"relu"`, `"logistic"`, `"gelu"`, …
    inputs : int, default=None
        Features per row, if the first layer does not fix them.
    seed : int, default=0
        Seed of the initial weights.
    dtype : {"float64", "float32"}, default="float64"

    Examples
    --------
    >>> import numpy as np, geartrain
    >>> network = geartrain.Network([("linear", 2, 8), "tanh", ("linear", 8, 1)])
    >>> network.predict(np.zeros((3, 2))).shape
    (3, 1)
    """

    def __init__(self, layers, *, inputs=None, seed=0, dtype="float64"):
        specs = [layer(description) for description in layers]
        if inputs is None:
            inputs = next((s["Linear"]["inputs"] for s in specs if isinstance(s, dict) and "Linear" in s), None)
            if inputs is None:
                raise ValueError("inputs: the layers do not fix the number of features, so it must be given")
        spec = json.dumps({"Sequential": {"layers": specs}})
        self._core = _core.Network(spec, int(inputs), str(np.dtype(dtype)), seed)

    @property
    def dtype(self):
        """The number type."""
        return np.dtype(self._core.dtype)

    @property
    def params(self):
        """A copy of the flat vector of all parameters."""
        return self._core.params()

    @params.setter
    def params(self, values):
        self._core.set_params(np.ascontiguousarray(values, self.dtype))

    def named(self, flat=None):
        """The tensors of a flat vector (by default of the parameters) by name, as views. A weight is `inputs ×
        outputs`, as scikit-learn's `coefs_`."""
        flat = self.params if flat is None else flat
        return {name: flat[start:end].reshape(shape) for name, shape, start, end, _ in self._core.layout()}

    def _matrix(self, values):
        values = np.asarray(values, self.dtype)
        return values.reshape(-1, 1) if values.ndim == 1 else values

    def predict(self, X, threads=None):
        """The output for `X`, `(rows, outputs)`, in prediction mode."""
        output = self._core.predict(self._matrix(X), self.params, "identity", threads)
        if output is None:
            raise ValueError("X contains NaN or infinity")
        return output

    def loss_and_gradients(self, loss, X, y):
        """The loss and its gradients, as a :class:`Pass`.

        `loss` is a name ("squared_error", "absolute_error", "huber", "quantile", "poisson", "log_loss",
        "binary_log_loss"), or a tuple of a name and its option.
        """
        return Pass(*self._core.loss_and_gradients(loss_options(loss), self._matrix(X), self._matrix(y)))

    def step(self, optimizer, grads):
        """Updates the parameters by one step of `optimizer`."""
        optimizer.step(self._core, np.ascontiguousarray(grads, self.dtype))

    def summary(self):
        """A table of the layers."""
        return self._core.summary()

    def save(self, path):
        """Writes a safetensors file."""
        self._core.save(os.fspath(path))

    @classmethod
    def load(cls, path, dtype="float64"):
        """Reads a safetensors file of geartrain, written in Python, Rust or by the program."""
        network = cls.__new__(cls)
        network._core, _ = _core.Network.load(os.fspath(path), str(np.dtype(dtype)))
        return network

    def to_onnx(self, path=None):
        """The network as an ONNX model: bytes, also written to `path` if given."""
        model = self._core.to_onnx()
        if path is not None:
            _core.write(os.fspath(path), model)
        return model

    def __repr__(self):
        return self.summary()

    def __reduce__(self):
        return _restore, (self._core.spec, self._core.inputs, self._core.dtype, self.params)


def _restore(spec, inputs, dtype, params):
    network = Network.__new__(Network)
    network._core = _core.Network(spec, inputs, dtype, 0)
    network.params = params
    return network


class Gradcheck(NamedTuple):
    """Whether all gradients agree with central differences, and the report."""

    passed: bool
    report: str

    def __bool__(self):
        return self.passed

    def __str__(self):
        return self.report


def gradcheck(network, loss, X, y):
    """Compares all gradients of a `float64` network with central differences."""
    return Gradcheck(*_core.gradcheck(network._core, loss_options(loss), network._matrix(X), network._matrix(y)))
