"""Multilayer perceptrons with scikit-learn's interface."""

from __future__ import annotations

import json
import os
import warnings
from itertools import chain
from math import inf
from numbers import Integral, Real
from operator import is_
from typing import NamedTuple

import numpy as np

from . import _core
from ._base import Estimator
from ._labels import Labels
from ._progress import Progress
from ._solver import Solver
from ._validation import (
    check_is_fitted,
    check_random_state,
    check_sample_weight,
    check_x,
    check_x_y,
    convergence_warning,
    invalid_parameter,
    split,
)

ACTIVATIONS = {
    "identity": "Identity",
    "logistic": "Sigmoid",
    "tanh": "Tanh",
    "relu": "ReLU",
    "leaky_relu": {"LeakyReLU": {"negative_slope": 0.01}},
    "elu": {"ELU": {"alpha": 1.0}},
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "softplus": "Softplus",
}
NORMALIZATIONS = {
    "batch": lambda width: {"BatchNorm": {"features": width, "eps": 1e-5, "momentum": 0.1}},
    "layer": lambda width: {"LayerNorm": {"features": width, "eps": 1e-5}},
    "rms": lambda width: {"RMSNorm": {"features": width, "eps": None}},
}
LOSSES = ("squared_error", "absolute_error", "huber", "quantile", "poisson")


def _number(low, high, closed="left"):
    """A test for a real number between two bounds, and its description."""
    left, right = closed in ("left", "both"), closed in ("right", "both")

    def holds(value):
        real = isinstance(value, Real) and not isinstance(value, bool)
        return real and (value > low or left and value == low) and (value < high or right and value == high)

    return holds, f"a number in {'[' if left else '('}{low}, {high}{']' if right else ')'}"


def _integer(low):
    return lambda value: isinstance(value, Integral) and value >= low, f"an integer of at least {low}"


def _one_of(*options):
    text = ", ".join(map(repr, options))
    return lambda value: any(value is o or isinstance(value, str) and value == o for o in options), f"one of {text}"


def _boolean(value):
    return isinstance(value, (bool, np.bool_))


FLAG = (_boolean, "a bool")
CONSTRAINTS = {
    "loss": _one_of(*LOSSES),
    "solver": _one_of("lbfgs", "sgd", "adam"),
    "alpha": _number(0, inf),
    "batch_size": (lambda value: value == "auto" or _integer(1)[0](value), "'auto' or an integer of at least 1"),
    "learning_rate": _one_of("constant", "invscaling", "adaptive"),
    "learning_rate_init": _number(0, inf, "neither"),
    "power_t": _number(0, inf),
    "max_iter": _integer(1),
    "shuffle": FLAG,
    "tol": _number(0, inf),
    "warm_start": FLAG,
    "momentum": _number(0, 1),
    "nesterovs_momentum": FLAG,
    "early_stopping": FLAG,
    "validation_fraction": _number(0, 1),
    "beta_1": _number(0, 1),
    "beta_2": _number(0, 1),
    "epsilon": _number(0, inf, "neither"),
    "n_iter_no_change": (lambda value: value == inf or _integer(1)[0](value), "an integer of at least 1 or inf"),
    "max_fun": _integer(1),
    "delta": _number(0, inf, "neither"),
    "dropout": _number(0, 1),
    "normalization": _one_of(None, *NORMALIZATIONS),
    "residual": FLAG,
    "monitor": _one_of("score", "loss"),
    "n_threads": (lambda value: value is None or _integer(1)[0](value), "None or an integer of at least 1"),
    "dtype": (lambda value: value is None or str(np.dtype(value)) in ("float32", "float64"), "None, 'float32' or 'float64'"),
}


class _of_stochastic_solvers:
    """A method that only the stochastic solvers have."""

    def __init__(self, function):
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, estimator, owner=None):
        if estimator is None:
            return self.function
        if estimator.solver not in ("sgd", "adam"):
            raise AttributeError(
                f"{self.function.__name__} is only available for stochastic optimizers. {estimator.solver} is not stochastic."
            )
        return self.function.__get__(estimator, owner)


class BaseMLP(Estimator):
    """What the regressor and the classifier have in common."""

    # ---------------------------------------------------------------- parameters

    def _check_parameters(self):
        for name, value in self.get_params().items():
            holds, text = CONSTRAINTS.get(name, (None, None))
            if holds and not holds(value):
                raise invalid_parameter(
                    f"The {name!r} parameter of {type(self).__name__} must be {text}. Got {value!r} instead."
                )
        widths = self._hidden()
        if any(not isinstance(width, Integral) or width <= 0 for width in widths):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {widths}.")
        names = self._activations(len(widths))
        if len(names) != len(widths) or any(name not in ACTIVATIONS for name in names):
            raise invalid_parameter(
                f"The 'activation' parameter of {type(self).__name__} must be one of {list(ACTIVATIONS)}, or one of them"
                f" for each of the {len(widths)} hidden layers. Got {self.activation!r} instead."
            )

    def _hidden(self):
        sizes = self.hidden_layer_sizes
        return list(sizes) if hasattr(sizes, "__iter__") else [sizes]

    def _activations(self, layers):
        """One activation for each hidden layer."""
        one = not isinstance(self.activation, (list, tuple))
        return [self.activation] * layers if one else list(self.activation)

    def _threads(self):
        """The number of threads: by default that of the environment, which joblib sets in its workers."""
        if self.n_threads is None and os.environ.get("OMP_NUM_THREADS", "").isdigit():
            return max(1, int(os.environ["OMP_NUM_THREADS"]))
        return self.n_threads

    # ---------------------------------------------------------------- the network

    def _layers(self, units, training=True):
        """The layers as data."""
        layers = []
        hidden = units[1:-1]
        for inputs, outputs, activation in zip(units[:-2], hidden, self._activations(len(hidden)), strict=True):
            block = [{"Linear": {"inputs": int(inputs), "outputs": int(outputs), "bias": True}}]
            if self.normalization is not None and training:
                block.append(NORMALIZATIONS[self.normalization](int(outputs)))
            if activation != "identity":
                block.append(ACTIVATIONS[activation])
            if self.dropout > 0 and training:
                block.append({"Dropout": {"p": float(self.dropout)}})
            residual = self.residual and inputs == outputs
            layers += [{"Residual": {"scale": 1.0, "body": block}}] if residual else block
        layers.append({"Linear": {"inputs": int(units[-2]), "outputs": int(units[-1]), "bias": True}})
        return {"Sequential": {"layers": layers}}

    def _initialize(self, units, dtype):
        """Draws all weights, in scikit-learn's order."""
        check_memory(units, np.dtype(dtype))
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(units)
        activations = self._activations(len(units) - 2)
        coefs, intercepts = [], []
        # The output layer is initialised for the last activation; without hidden layers, for that of the parameter.
        names = [*activations, activations[-1] if activations else self.activation]
        for inputs, outputs, name in zip(units[:-1], units[1:], names, strict=True):
            bound = np.sqrt((2.0 if name == "logistic" else 6.0) / (inputs + outputs))
            coefs.append(self._random_state.uniform(-bound, bound, (inputs, outputs)).astype(dtype))
            intercepts.append(self._random_state.uniform(-bound, bound, outputs).astype(dtype))
        self.coefs_, self.intercepts_ = coefs, intercepts
        self.__dict__.pop("norm_params_", None)
        if self.solver != "lbfgs":
            self.loss_curve_ = []
            self._no_improvement_count = 0
            self.validation_scores_ = [] if self.early_stopping else None
            self.validation_loss_curve_ = [] if self.early_stopping else None
            self.best_validation_score_ = -inf if self.early_stopping else None
            self.best_loss_ = None if self.early_stopping and self.monitor == "score" else inf

    def _synced(self):
        """The native network, and its flat vector with the weights of `coefs_` and `intercepts_`.

        The arrays of both lists are views of the flat vector, until they are assigned.
        """
        views = self.__dict__.get("_views", ())
        if len(views) == 2 * len(self.coefs_) and all(map(is_, chain(self.coefs_, self.intercepts_), views)):
            return self._network, self._flat
        units = [len(self.coefs_[0]), *(coef.shape[1] for coef in self.coefs_)]
        dtype = self.coefs_[0].dtype
        spec = json.dumps(self._layers(units))
        network = self.__dict__.get("_network")
        if network is None or (network.layers, network.dtype) != (spec, str(dtype)):
            network = _Network(spec, units[0], str(dtype))
        flat = network.params()
        weights = zip(self.coefs_, self.intercepts_)
        extras = iter(self.__dict__.get("norm_params_") or [])
        for place in network.places:
            if place.kind == "coef":
                coef, intercept = next(weights)
                flat[place.range] = np.asarray(coef, dtype).ravel()
            elif place.kind == "intercept":
                flat[place.range] = intercept
            else:
                flat[place.range] = next(extras, flat[place.range])
        self._network = network
        self._publish(flat)
        return network, flat

    def _publish(self, flat):
        """Makes `coefs_`, `intercepts_` and `norm_params_` views of `flat`."""
        arrays = {"coef": [], "intercept": [], "norm": []}
        for place in self._network.places:
            arrays[place.kind].append(flat[place.range].reshape(place.shape))
        self._flat = flat
        self.coefs_, self.intercepts_ = arrays["coef"], arrays["intercept"]
        if arrays["norm"]:
            self.norm_params_ = arrays["norm"]
        self._views = (*self.coefs_, *self.intercepts_)

    def __getstate__(self):
        dropped = ("_views", "_flat", "_network")
        return {name: value for name, value in self.__dict__.items() if name not in dropped}

    def _output(self, X):
        """The predictions of the network for `X`, one column per output."""
        check_is_fitted(self, "coefs_")
        (network, flat), link = self._synced(), self._link
        names = "feature_names_in_" in self.__dict__
        if type(X) is np.ndarray and X.dtype == flat.dtype and X.ndim == 2 and len(X) and not names:
            if X.shape[1] == self.n_features_in_:
                output = network.predict(X, flat, link, self._threads())
                if output is not None:
                    return output
        X = check_x(self, X, reset=False).astype(flat.dtype, copy=False)
        return network.predict(X, flat, link, self._threads())

    # ---------------------------------------------------------------- training

    def fit(self, X, y, sample_weight=None):
        """Fits the network to `X` (rows × features) and `y`, and returns this estimator."""
        return self._fit(X, y, sample_weight, incremental=False)

    def _fit(self, X, y, sample_weight, incremental, classes=None):
        self._check_parameters()
        first = "coefs_" not in self.__dict__ or (not self.warm_start and not incremental)
        X, y = self._checked(X, y, incremental, first)
        weights = self._weights(check_sample_weight(sample_weight, X), y)
        target = self._target(y)
        dtype = np.dtype(self.dtype) if self.dtype is not None else X.dtype
        X = np.ascontiguousarray(X, dtype)
        target = np.ascontiguousarray(target, dtype)
        self._random_state = check_random_state(self.random_state)
        if first:
            self._initialize([X.shape[1], *self._hidden(), self.n_outputs_], dtype)
        elif self.coefs_[0].dtype != dtype:
            X, target = X.astype(self.coefs_[0].dtype), target.astype(self.coefs_[0].dtype)
        network, flat = self._synced()
        network.set_params(flat)
        seed = int(self._random_state.randint(2**31)) if self.dropout > 0 else 0
        trainer = _core.Trainer(network, self._objective(), float(self.alpha), seed, self._threads())
        if self.solver == "lbfgs":
            self._fit_lbfgs(network, trainer, X, target, weights)
        else:
            self._fit_stochastic(network, trainer, X, target, weights, incremental)
        if not np.isfinite(self._flat).all() or self._diverged:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to"
                " be preprocessed."
            )
        return self

    def _fit_lbfgs(self, network, trainer, X, y, weights):
        if self.normalization == "batch" or self.dropout > 0:
            raise ValueError("solver='lbfgs' needs the same loss in every evaluation: no dropout, no batch normalization")
        self.loss_curve_ = []
        self._diverged = False
        progress = Progress(self.verbose, self.max_iter)
        # Callbacks predict with the network of this estimator while this copy is trained.
        trained = _with_params(_Network(network.layers, X.shape[1], network.dtype), network.params())
        def after_iteration(iteration, loss, params):
            self.loss_curve_.append(loss)
            self.n_iter_, self.loss_ = iteration, loss
            progress.epoch(iteration, loss)
            return self._call_back(params)

        try:
            self.loss_, self.n_iter_, reason = trainer.lbfgs(
                trained, X, y, self.max_iter, self.max_fun, float(self.tol), weights, after_iteration
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
            reason = "interrupted"
        progress.close()
        self._publish(trained.params())
        if reason not in ("converged", "callback", "interrupted"):
            convergence_warning(
                f"lbfgs failed to converge after {self.n_iter_} iteration(s): the end was the {reason}.\nYou might also"
                " want to scale the data, or to increase max_iter or max_fun."
            )

    def _fit_stochastic(self, network, trainer, X, y, weights, incremental):
        if not incremental or "_optimizer" not in self.__dict__:
            self._optimizer = Solver(self)
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        held_out = None
        if self.early_stopping:
            X, y, weights, held_out = self._hold_out(X, y, weights)
        rows = len(X)
        batch_size = min(200, rows) if self.batch_size == "auto" else self.batch_size
        if batch_size > rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=4
            )
        best = None
        order = np.arange(rows)
        self.n_iter_, self._diverged = 0, False
        progress = Progress(self.verbose, self.max_iter)
        try:
            for _ in range(self.max_iter):
                if self.shuffle:
                    permutation = np.arange(rows)
                    self._random_state.shuffle(permutation)
                    order = order[permutation]
                loss = trainer.epoch(
                    network, self._optimizer.optimizer, X, y, int(min(batch_size, rows)),
                    order if self.shuffle else None, weights,
                )
                self.n_iter_ += 1
                self.t_ += rows
                self.loss_ = loss
                self.loss_curve_.append(loss)
                self._diverged = not np.isfinite(loss)
                improved = self._watch(network, trainer, held_out)
                progress.epoch(self.n_iter_, loss, self.validation_scores_ if held_out is not None else None)
                if improved and held_out is not None:
                    best = network.params()
                if self._diverged:
                    break
                self._optimizer.end_epoch(self.t_)
                if self.callbacks and self._call_back(network.params()):
                    break
                if self._no_improvement_count > self.n_iter_no_change:
                    what = "Validation score" if self.early_stopping else "Training loss"
                    message = (
                        f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} consecutive"
                        " epochs."
                    )
                    if self._optimizer.stops(message, self.verbose):
                        break
                    self._no_improvement_count = 0
                if incremental:
                    break
                if self.n_iter_ == self.max_iter:
                    convergence_warning(
                        f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't"
                        " converged yet."
                    )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        progress.close()
        if held_out is not None:
            self._diverged = False
        self._publish(network.params() if best is None else best)

    def _hold_out(self, X, y, weights):
        """Splits off the validation rows."""
        stratify = self._stratify(y)
        arrays = [X, y] if weights is None else [X, y, weights]
        parts = split(arrays, self.validation_fraction, self._random_state, stratify)
        (X, X_val, y, y_val), rest = parts[:4], parts[4:]
        if len(X_val) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        weights, val_weights = rest or (None, None)
        X, y, X_val, y_val = map(np.ascontiguousarray, (X, y, X_val, y_val))
        return X, y, weights, (X_val, y_val, val_weights)

    def _watch(self, network, trainer, held_out):
        """Counts epochs without an improvement. Returns whether this epoch is the best so far."""
        if held_out is None:
            value, best, tol = self.loss_, self.best_loss_, self.tol
            self._no_improvement_count = self._no_improvement_count + 1 if value > best - tol else 0
            self.best_loss_ = min(best, value)
            return value < best
        X, y, weights = held_out
        score, loss = np.nan, np.nan
        if not self._diverged:
            output = network.predict(X, network.params(), self._link, self._threads())
            score = float(self._score_output(y, output, weights)) if np.isfinite(output).all() else np.nan
            loss = trainer.loss(network, X, y, weights)
        self.validation_scores_.append(score)
        self.validation_loss_curve_.append(loss)
        if self.monitor == "loss":
            best = self.best_loss_
            self._no_improvement_count = 0 if loss < best - self.tol else self._no_improvement_count + 1
            improved = loss < best
            self.best_loss_ = loss if improved else best
            self.best_validation_score_ = np.nanmax([self.best_validation_score_, score])
            return improved
        best = self.best_validation_score_
        self._no_improvement_count = self._no_improvement_count + 1 if score < best + self.tol else 0
        self.best_validation_score_ = score if score > best else best
        return score > best

    def _call_back(self, params):
        """Calls all callbacks with this estimator. Returns whether one of them stops training."""
        if not self.callbacks:
            return False
        self._publish(params)
        return any([bool(callback(self)) for callback in self.callbacks])

    # ---------------------------------------------------------------- gradients

    def input_gradient(self, X):
        """The gradient of each prediction in the features, `(rows, features)`.

        With several outputs (classes, targets, quantiles), `(rows, outputs, features)`. The predictions of a
        classifier are probabilities; for two classes, that of the second.
        """
        check_is_fitted(self, "coefs_")
        network, flat = self._prediction_network()
        X = np.ascontiguousarray(check_x(self, X, reset=False), flat.dtype)
        output = network.predict(X, flat, self._link, self._threads())
        columns = []
        for column in range(output.shape[1]):
            slope = np.zeros_like(output)
            p = output[:, column]
            if self._link == "softmax":
                slope = -output * p[:, None]
                slope[:, column] += p
            else:
                slope[:, column] = {"identity": np.ones_like(p), "exp": p, "logistic": p * (1 - p)}[self._link]
            columns.append(network.input_gradient(X, slope))
        return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)

    def _prediction_network(self):
        """The network without dropout, with batch normalization folded into the layers before it."""
        network, flat = self._synced()
        if self.normalization != "batch":
            if self.dropout == 0:
                return _with_params(network, flat), flat
            units = [len(self.coefs_[0]), *(coef.shape[1] for coef in self.coefs_)]
            spec = json.dumps(self._layers(units)).replace(f'{{"Dropout": {{"p": {float(self.dropout)}}}}}', '"Identity"')
            return _with_params(_Network(spec, units[0], str(flat.dtype)), flat), flat
        coefs, intercepts = list(self.coefs_), list(self.intercepts_)
        norms = iter(self.norm_params_)
        for layer in range(len(coefs) - 1):
            gamma, beta, mean, variance = (next(norms) for _ in range(4))
            factor = gamma / np.sqrt(variance + 1e-5)
            coefs[layer] = coefs[layer] * factor
            intercepts[layer] = (intercepts[layer] - mean) * factor + beta
        units = [len(coefs[0]), *(coef.shape[1] for coef in coefs)]
        plain = _Network(json.dumps(self._layers(units, training=False)), units[0], str(flat.dtype))
        flat = np.concatenate([part.ravel() for pair in zip(coefs, intercepts) for part in pair])
        return _with_params(plain, flat), flat

    def gradient_report(self, X):
        """Measured and predicted gradient flow through the network at the rows `X`, with the diagnosis: a
        :class:`geartrain.lab.Report`, which shows its picture in notebooks."""
        from . import lab

        check_is_fitted(self, "coefs_")
        network, flat = self._synced()
        network.set_params(flat)
        X = np.ascontiguousarray(check_x(self, X, reset=False), flat.dtype)
        return lab.Report(type(self).__name__, *_core.report(network, X, type(self).__name__))

    # ---------------------------------------------------------------- files

    def save(self, path):
        """Writes this estimator to a safetensors file, which `load` reads and other programs can open."""
        from ._files import save

        save(self, path)

    @classmethod
    def load(cls, path):
        """Reads an estimator that `save` wrote."""
        from ._files import load

        return load(cls, path)

    def to_onnx(self, path=None):
        """The network as an ONNX model: bytes, also written to `path` if given.

        Its output are the predictions or probabilities; with `loss="poisson"`, their logarithm.
        """
        network, flat = self._prediction_network()
        activation = {"softmax": "Softmax", "logistic": "Sigmoid"}.get(self._link)
        if activation is not None:
            spec = json.loads(network.layers)
            spec["Sequential"]["layers"].append(activation)
            network = _with_params(_Network(json.dumps(spec), self.n_features_in_, str(flat.dtype)), flat)
        model = network.to_onnx()
        if path is not None:
            _core.write(os.fspath(path), model)
        return model


def check_memory(units, dtype):
    """Refuses sizes for which training would run out of memory."""
    weights = sum((inputs + 1) * outputs for inputs, outputs in zip(units[:-1], units[1:], strict=True))
    # Weights in native memory and in `coefs_`, their gradient, two moments, and the best weights.
    size = 6 * weights * dtype.itemsize
    try:
        np.empty(size, np.uint8)
    except (MemoryError, OverflowError, ValueError):
        raise MemoryError(
            f"a network of {weights} weights needs about {size / 1e9:.0f} GB to train, more than this computer has; "
            "choose smaller hidden_layer_sizes"
        ) from None


class _Network(_core.Network):
    """A native network with the places of its parameters."""

    def __new__(cls, spec, inputs, dtype):
        self = super().__new__(cls, spec, inputs, dtype, 0)
        self.layers = spec
        self.places = []
        for _, shape, start, end, _ in self.layout():
            after_weight = bool(self.places) and self.places[-1].kind == "coef"
            kind = "coef" if len(shape) == 2 else "intercept" if after_weight else "norm"
            self.places.append(_Place(kind, shape, slice(start, end)))
        return self


class _Place(NamedTuple):
    """A tensor in the flat vector."""

    kind: str  # "coef", "intercept" or "norm"
    shape: list
    range: slice


def _with_params(network, flat):
    network.set_params(flat)
    return network


class MLPRegressor(BaseMLP):
    """Regression with a multilayer perceptron.

    Parameters, attributes and results are those of `sklearn.neural_network.MLPRegressor`: with the same random state,
    the weights agree to rounding errors. Beyond those:

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson"}
        "poisson" predicts the exponential of the network's output.
    activation : str or list of str
        One activation for all hidden layers, or one for each. Also "leaky_relu", "elu", "selu", "gelu", "silu" and
        "softplus".
    quantile : float or list of float, default=0.5
        The quantile of the loss "quantile", or several for one target: one column each.
    delta : float, default=1.0
        The error beyond which the loss "huber" is linear.
    dropout : float, default=0.0
        The share of hidden units that are dropped in training.
    normalization : {None, "batch", "layer", "rms"}, default=None
        The normalization before each activation.
    residual : bool, default=False
        Whether hidden layers of equal width have skip connections.
    monitor : {"score", "loss"}, default="score"
        What early stopping monitors on the validation rows. The best weights are restored.
    callbacks : list of callables, default=None
        Called after each epoch with this estimator; training stops if one returns a true value.
    verbose : bool, int or "bar", default=False
        "bar" shows a progress bar, in terminals and notebooks.
    n_threads : int, default=None
        Threads. By default the environment variable OMP_NUM_THREADS, else one per core. The results do not depend on
        it.
    dtype : {None, "float32", "float64"}, default=None
        The number type; that of `X` by default.

    Attributes
    ----------
    validation_loss_curve_ : list of float
        The loss on the validation rows after each epoch, with early stopping.
    norm_params_ : list of arrays
        The parameters of the normalizations, layer by layer.
    """

    _estimator_type = "regressor"

    def __init__(
        self, loss="squared_error", hidden_layer_sizes=(100,), activation="relu", *, solver="adam", alpha=0.0001,
        batch_size="auto", learning_rate="constant", learning_rate_init=0.001, power_t=0.5, max_iter=200, shuffle=True,
        random_state=None, tol=1e-4, verbose=False, warm_start=False, momentum=0.9, nesterovs_momentum=True,
        early_stopping=False, validation_fraction=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-8, n_iter_no_change=10,
        max_fun=15000, quantile=0.5, delta=1.0, dropout=0.0, normalization=None, residual=False, monitor="score",
        callbacks=None, n_threads=None, dtype=None,
    ):
        self._set(locals())

    @property
    def _link(self):
        return "exp" if self.loss == "poisson" else "identity"

    def _quantiles(self):
        levels = self.quantile if isinstance(self.quantile, (list, tuple, np.ndarray)) else [self.quantile]
        return [float(level) for level in levels]

    def _objective(self):
        options = {"huber": [float(self.delta)], "quantile": self._quantiles()}
        return self.loss, options.get(self.loss, [])

    def _checked(self, X, y, incremental, reset):
        X, y = check_x_y(self, X, y, reset, numeric=True)
        if self.loss == "quantile":
            levels = self._quantiles()
            if not levels or not all(0 < level < 1 for level in levels):
                raise invalid_parameter(f"quantile must be between 0 and 1, or a list of such. Got {self.quantile!r}.")
            if len(levels) > 1 and y.ndim == 2:
                raise ValueError(f"several quantiles need one target: expected y with one column, got {y.shape[1]}")
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(f"loss='poisson' needs y >= 0, got {y.min()}")
        return X, y

    def _target(self, y):
        y = y.reshape(len(y), -1)
        if self.loss == "quantile" and y.shape[1] == 1:
            y = np.repeat(y, len(self._quantiles()), axis=1)
        self.n_outputs_ = y.shape[1]
        self.out_activation_ = self._link
        return y

    def _weights(self, weights, y):
        return weights

    def _stratify(self, y):
        return None

    def _score_output(self, y, output, weights):
        return r2(y, output, weights)

    def predict(self, X):
        """The predicted values: one per row, or one per row and output."""
        y = self._output(X)
        return y.ravel() if y.shape[1] == 1 else y

    def score(self, X, y, sample_weight=None):
        """The coefficient of determination R², averaged over outputs. With several quantiles, that of the one closest
        to the median."""
        return score_numbers(y, self._output(X), self._quantiles(), sample_weight)

    @_of_stochastic_solvers
    def partial_fit(self, X, y, sample_weight=None):
        """One epoch on `X` and `y`, from the present weights."""
        return self._fit(X, y, sample_weight, incremental=True)


def r2(y, output, weights=None):
    """R² of each output, averaged. A constant target scores 1 if it is predicted exactly, else 0."""
    mean = np.average(y, axis=0, weights=weights)
    total = np.average((y - mean) ** 2, axis=0, weights=weights)
    rest = np.average((y - output) ** 2, axis=0, weights=weights)
    scores = np.where(rest == 0, 1.0, 0.0)
    varies = total != 0
    scores[varies] = 1.0 - rest[varies] / total[varies]
    return float(scores.mean())


def score_numbers(y, output, quantiles, weights):
    """R² of predictions. With several quantiles, that of the one closest to the median."""
    y = np.asarray(y, dtype=np.float64).reshape(len(output), -1)
    if y.shape[1] == 1 < output.shape[1]:
        middle = int(np.argmin(np.abs(np.array(quantiles) - 0.5)))
        output = output[:, middle : middle + 1]
    return r2(y, output, None if weights is None else np.asarray(weights))


class MLPClassifier(BaseMLP):
    """Classification with a multilayer perceptron.

    Parameters, attributes and results are those of `sklearn.neural_network.MLPClassifier`: with the same random state,
    the weights agree to rounding errors. Beyond those, the options of :class:`MLPRegressor` for the network and its
    training, and:

    Parameters
    ----------
    class_weight : {None, "balanced"} or dict, default=None
        Weights of the classes; "balanced" gives all classes the same total weight.
    """

    _estimator_type = "classifier"

    def __init__(
        self, hidden_layer_sizes=(100,), activation="relu", *, solver="adam", alpha=0.0001, batch_size="auto",
        learning_rate="constant", learning_rate_init=0.001, power_t=0.5, max_iter=200, shuffle=True,
        random_state=None, tol=1e-4, verbose=False, warm_start=False, momentum=0.9, nesterovs_momentum=True,
        early_stopping=False, validation_fraction=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-8, n_iter_no_change=10,
        max_fun=15000, class_weight=None, dropout=0.0, normalization=None, residual=False, monitor="score",
        callbacks=None, n_threads=None, dtype=None,
    ):
        self._set(locals())

    @property
    def _link(self):
        return self.out_activation_

    def _objective(self):
        return ("log_loss" if self._labels.kind == "multiclass" else "binary_log_loss"), []

    def _checked(self, X, y, incremental, reset):
        if hasattr(y, "toarray"):
            y = y.toarray()
        X, y = check_x_y(self, X, y, reset, numeric=False)
        if "classes_" not in self.__dict__ or (not self.warm_start and not incremental):
            self._labels = Labels(y)
            self.classes_ = self._labels.classes
            return X, y
        classes = Labels(y).classes
        if self.warm_start and not incremental:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit."
                    f" Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )
        return X, y

    def _target(self, y):
        self.n_outputs_ = self._labels.outputs
        self.out_activation_ = "softmax" if self._labels.kind == "multiclass" else "logistic"
        return self._labels.encode(y)

    def _weights(self, weights, y):
        """The row weights times those of the rows' classes."""
        if self.class_weight is None:
            return weights
        if self._labels.kind == "multilabel":
            raise ValueError("class_weight is for one label per row")
        classes, index, counts = np.unique(y, return_inverse=True, return_counts=True)
        if isinstance(self.class_weight, str):
            if self.class_weight != "balanced":
                raise invalid_parameter(f"class_weight must be None, 'balanced' or a dict. Got {self.class_weight!r}.")
            of_class = len(y) / (len(classes) * counts)
        else:
            known = set(self.classes_.tolist())
            unknown = self.class_weight.keys() - known
            # A fold may lack a class: then all others have a weight.
            if unknown and known - self.class_weight.keys():
                raise ValueError(
                    f"class_weight names {sorted(map(repr, unknown))}, but the classes are {self.classes_.tolist()}"
                )
            of_class = np.array([float(self.class_weight.get(label, 1.0)) for label in classes.tolist()])
        return of_class[index] if weights is None else weights * of_class[index]

    def _stratify(self, y):
        # As labels, so that an error names them as scikit-learn does.
        return y.astype(bool) if self.n_outputs_ == 1 else None

    def _score_output(self, y, output, weights):
        labels, predicted = self._labels, self._labels.decode(output)
        truth = y if labels.kind == "multilabel" else self.classes_[y.ravel().astype(np.intp)]
        return accuracy(truth, predicted, weights)

    def predict(self, X):
        """The predicted class of each row, or the predicted labels."""
        output = self._output(X)
        return self._labels.decode(output)

    def predict_proba(self, X):
        """The probabilities of the classes in `classes_`, or of each label."""
        output = self._output(X)
        if self.n_outputs_ == 1:
            return np.hstack([1 - output, output])
        return output

    def predict_log_proba(self, X):
        """The logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def score(self, X, y, sample_weight=None):
        """The accuracy; with several labels per row, the share of rows whose labels are all right."""
        y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        if self.__dict__.get("_labels") is None or self._labels.kind != "multilabel":
            y = y.ravel()
        return accuracy(y, self.predict(X), None if sample_weight is None else np.asarray(sample_weight))

    @_of_stochastic_solvers
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """One epoch on `X` and `y`, from the present weights. The first call needs all `classes`."""
        if classes is not None:
            classes = np.unique(np.asarray(classes))
            if "classes_" in self.__dict__:
                if not np.array_equal(self.classes_, classes):
                    raise ValueError(
                        f"`classes={classes}` is not the same as on last call to partial_fit, was: {self.classes_}"
                    )
            else:
                target = np.asarray(y)
                self._labels = Labels(target if target.ndim == 2 and target.shape[1] > 1 else classes)
                self.classes_ = self._labels.classes
        elif "classes_" not in self.__dict__:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._fit(X, y, sample_weight, incremental=True)


def accuracy(y, predicted, weights=None):
    """The share of rows that are right."""
    right = y == predicted
    if right.ndim == 2:
        right = right.all(axis=1)
    return float(np.average(right, weights=weights))
