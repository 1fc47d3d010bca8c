"""Estimators in safetensors files: the network as other programs read it, and a JSON description."""

from __future__ import annotations

import json
import os

import numpy as np

from . import _core
from ._labels import Labels
from ._mlp import _Network as Network
from ._validation import check_is_fitted

FITTED = ("n_features_in_", "n_outputs_", "n_layers_", "n_iter_", "t_", "out_activation_", "loss_", "loss_curve_")


def save(estimator, path):
    """Writes `estimator`: its weights, parameters and what it learnt about the data."""
    check_is_fitted(estimator, "coefs_")
    network, flat = estimator._synced()
    network.set_params(flat)
    parameters = {
        name: value for name, value in estimator.get_params().items() if name not in ("callbacks", "random_state")
    }
    description = {
        "class": type(estimator).__name__,
        "parameters": parameters,
        "fitted": {name: estimator.__dict__[name] for name in FITTED if name in estimator.__dict__},
        "dtype": str(flat.dtype),
    }
    if "feature_names_in_" in estimator.__dict__:
        description["feature_names"] = list(estimator.feature_names_in_)
    if "classes_" in estimator.__dict__:
        classes = estimator.classes_
        kind = "object" if classes.dtype.kind == "O" else classes.dtype.str
        description["classes"] = {"kind": estimator._labels.kind, "dtype": kind, "values": classes.tolist()}
    network.save(os.fspath(path), json.dumps(description, default=_plain))


def _plain(value):
    """NumPy's numbers and arrays for JSON."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be written to a file")


def load(cls, path):
    """Reads an estimator of class `cls`."""
    path = os.fspath(path)
    network, text = _core.Network.load(path, "float64")
    description = json.loads(text) if text else {}
    if description.get("class") != cls.__name__:
        what = f"a {description['class']}" if "class" in description else "no estimator of this package"
        raise ValueError(f"{path}: expected a {cls.__name__}, got {what}")
    parameters = description["parameters"]
    if isinstance(parameters.get("class_weight"), dict):
        # JSON has texts as keys only.
        labels = {str(label): label for label in description["classes"]["values"]}
        weights = parameters["class_weight"].items()
        parameters["class_weight"] = {labels.get(label, label): weight for label, weight in weights}
    estimator = cls(**parameters)
    estimator.__dict__.update(description["fitted"])
    if "feature_names" in description:
        estimator.feature_names_in_ = np.asarray(description["feature_names"], dtype=object)
    if "classes" in description:
        classes = description["classes"]
        values = np.asarray(classes["values"], dtype=classes["dtype"])
        estimator._labels = Labels.of_kind(classes["kind"], values)
        estimator.classes_ = values
    dtype = description["dtype"]
    estimator._network = Network(network.spec, network.inputs, dtype)
    estimator._publish(network.params().astype(dtype))
    return estimator
