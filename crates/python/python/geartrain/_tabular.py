"""Models for tables of numbers, texts, truth values and gaps."""

from __future__ import annotations

import datetime
import os
import tempfile
from pathlib import Path

import numpy as np

from . import _core
from ._base import Estimator
from ._labels import check_targets
from ._mlp import accuracy, score_numbers
from ._validation import check_is_fitted, check_random_state, check_sample_weight, has_sklearn

DAY = np.timedelta64(1, "D")


def _cells(values):
    """A column as numbers (`float64`, NaN for missing) or texts (`None` for missing)."""
    values = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if values.dtype.kind in "fiu":
        return values.astype(np.float64)
    if values.dtype.kind == "b":
        return ["yes" if value else "no" for value in values.tolist()]
    if values.dtype.kind == "M":
        return (values - np.datetime64(0, "D")) / DAY
    if values.dtype.kind == "m":
        return values / DAY
    cells = [None if _is_missing(value) else value for value in values.tolist()]
    present = [cell for cell in cells if cell is not None]
    if present and all(isinstance(cell, (bool, np.bool_)) for cell in present):
        return [None if cell is None else "yes" if cell else "no" for cell in cells]
    for number in (float, _days):
        if present and not any(isinstance(cell, (str, bytes)) for cell in present):
            try:
                return np.array([np.nan if cell is None else number(cell) for cell in cells])
            except (TypeError, ValueError, AttributeError):
                pass
    for cell in present:
        if isinstance(cell, (list, tuple, dict, set, np.ndarray)):
            raise TypeError(f"expected numbers, texts, dates or truth values as cells, got a {type(cell).__name__}")
    return [None if cell is None else str(cell) for cell in cells]


def _column(name, values):
    """A column by name, with its cells."""
    try:
        return name, _cells(values)
    except TypeError as error:
        raise TypeError(f"column {name!r}: {error}") from None


def _is_missing(value):
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _days(value):
    """Days since 1970 of a date, with or without a time."""
    if not hasattr(value, "timestamp"):
        return value.toordinal() - 719163
    if value.tzinfo is None:
        # Otherwise the time zone of the computer counts.
        value = value.replace(tzinfo=datetime.timezone.utc)
    return value.timestamp() / 86400


def _is_frame(X):
    # One of SciPy's sparse formats is a dict.
    return (isinstance(X, dict) or hasattr(X, "columns")) and not hasattr(X, "toarray")


def _checked(X, y, **options):
    """A matrix `X` and `y`, checked by scikit-learn if it is installed."""
    if not has_sklearn() or _is_frame(X):
        return X, y
    from sklearn.utils import check_X_y

    return check_X_y(X, y, dtype=None, ensure_all_finite="allow-nan", **options)


class BaseTabular(Estimator):
    """What the regressor and the classifier for tables have in common."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.target_tags.multi_output = False
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        return tags

    def _columns(self, X, reset):
        """The columns of a frame, a dict of columns or a matrix, as names and cells."""
        if not _is_frame(X):
            X = self._matrix(X, reset)
            return [_column(f"x{i}", X[:, i]) for i in range(X.shape[1])]
        names = [str(name) for name in (X if isinstance(X, dict) else X.columns)]
        if reset:
            self.n_features_in_ = len(names)
            self.feature_names_in_ = np.asarray(names, dtype=object)
        columns = [_column(name, X[key]) for name, key in zip(names, X if isinstance(X, dict) else X.columns)]
        lengths = {len(cells) for _, cells in columns}
        if len(lengths) != 1:
            raise ValueError(f"X: expected columns of one length, got lengths {sorted(lengths)}")
        return columns

    def _matrix(self, X, reset):
        if has_sklearn():
            from sklearn.utils.validation import validate_data

            return validate_data(self, X, dtype=None, ensure_all_finite="allow-nan", reset=reset)
        X = np.asarray(X)
        if X.ndim != 2 or not reset and X.shape[1] != self.n_features_in_:
            expected = "a matrix" if reset else f"{self.n_features_in_} columns"
            raise ValueError(f"X: expected {expected}, got shape {X.shape}")
        if reset:
            self.n_features_in_ = X.shape[1]
        return X

    def _options(self):
        names = (
            "ensemble", "hidden_layer_sizes", "dropout", "learning_rate_init", "weight_decay", "batch_size", "epochs",
            "validation_fraction", "n_threads", "weight_column",
        )  # fmt: skip
        options = {name: getattr(self, name) for name in names}
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31)
        return options | {"seed": int(seed)}

    def _fit(self, classifier, X, targets, sample_weight, options):
        columns = self._columns(X, reset=True)
        rows = len(columns[0][1])
        if rows < 2:
            raise ValueError(f"X: expected at least 2 rows to learn from, got n_samples = {rows}")
        options = self._options() | options
        weights = check_sample_weight(sample_weight, columns[0][1])
        if weights is not None:
            if self.weight_column is not None:
                raise ValueError("sample_weight: the weights are already those of weight_column")
            targets = [*targets, ("weight", weights)]
        used = {name for name, _ in columns}
        named = []
        for name, cells in targets:
            while name in used:
                name += "_"
            used.add(name)
            if len(cells) != rows:
                raise ValueError(f"y: expected {rows} rows as in X, got {len(cells)}")
            named.append((name, cells))
        names = [name for name, _ in named]
        if weights is not None:
            options["weight_column"] = names.pop()
        self._model = _core.TableModel.fit(classifier, columns + named, names, options)
        return self

    def _predict(self, X):
        check_is_fitted(self, "_model")
        return self._model.predict(self._columns(X, reset=False))

    def __sklearn_is_fitted__(self):
        return "_model" in self.__dict__

    def report(self):
        """Every choice of the recipe, and the reason, as text."""
        check_is_fitted(self, "_model")
        return self._model.report()

    def importance(self, X, y, repeats=5, seed=0):
        """How much the error rises when a column is shuffled: tuples of column, mean and standard error."""
        check_is_fitted(self, "_model")
        columns = [*self._columns(X, reset=False), ("y", self._target_cells(y))]
        return self._model.importance(columns, repeats, seed)

    @classmethod
    def load(cls, path):
        """Reads a model that `save`, the program or the Rust crate wrote."""
        estimator = cls()
        estimator._model = model = _core.TableModel.load(os.fspath(path), cls._estimator_type == "classifier")
        estimator.feature_names_in_ = np.asarray(model.inputs, dtype=object)
        estimator.n_features_in_ = len(model.inputs)
        return estimator

    def save(self, path):
        """Writes the model to a safetensors file, which `geartrain predict` and the Rust crate read as well."""
        check_is_fitted(self, "_model")
        self._model.save(os.fspath(path))

    def __getstate__(self):
        state = self.__dict__.copy()
        if "_model" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.safetensors")
                state.pop("_model").save(str(path))
                state["_bytes"] = path.read_bytes()
        return state

    def __setstate__(self, state):
        state = state.copy()
        model = state.pop("_bytes", None)
        self.__dict__.update(state)
        if model is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.safetensors")
                path.write_bytes(model)
                self._model = _core.TableModel.load(str(path), self._estimator_type == "classifier")


class TabularRegressor(BaseTabular):
    """Regression on tables with numbers, texts, truth values, dates and gaps, as they are.

    `X` is a pandas or polars frame, a dict of columns, or a matrix. Columns are encoded by rules that `report()`
    explains; options that are `None` are chosen by the recipe of the Rust crate `geartrain-tables`.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson"}
    quantile : float or list of float, default=0.5
        The quantiles of the loss "quantile": one column each.
    delta : float, default=1.0
        Standard deviations of the target beyond which the loss "huber" is linear.
    ensemble : int, default=1
        Networks whose predictions are averaged.
    extrapolate : bool, default=False
        Whether predictions may lie outside the range of the training targets.
    weight_column : str, default=None
        The column of `X` with the weights of the rows.
    """

    _estimator_type = "regressor"

    def __init__(
        self, *, loss="squared_error", quantile=0.5, delta=1.0, ensemble=1, hidden_layer_sizes=None, dropout=None,
        learning_rate_init=None, weight_decay=None, batch_size=None, epochs=None, validation_fraction=None,
        extrapolate=False, weight_column=None, random_state=0, n_threads=None,
    ):  # fmt: skip
        self._set(locals())

    def fit(self, X, y, sample_weight=None):
        """Trains on the rows of `X` and the numbers `y`, of which each counts as its `sample_weight`, at least 0."""
        X, y = _checked(X, y, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
        if not np.isfinite(y).all():
            raise ValueError("Input y contains NaN or infinity.")
        targets = [("y", y)] if y.ndim == 1 else [(f"y{i}", column.copy()) for i, column in enumerate(y.T)]
        levels = np.atleast_1d(self.quantile).astype(float).tolist()
        numbers = {"huber": [float(self.delta)], "quantile": levels}.get(self.loss, [])
        chosen = {"loss": (self.loss, numbers), "extrapolate": bool(self.extrapolate)}
        return self._fit(False, X, targets, sample_weight, chosen)

    def predict(self, X):
        """The predicted values: one per row, or one per row and target or quantile."""
        y = self._predict(X)
        return y.ravel() if y.shape[1] == 1 else y

    def score(self, X, y, sample_weight=None):
        """R². With several quantiles, that of the one closest to the median."""
        return score_numbers(y, self._predict(X), np.atleast_1d(self.quantile), sample_weight)

    def _target_cells(self, y):
        return np.asarray(y, dtype=np.float64)


class TabularClassifier(BaseTabular):
    """Classification on tables with numbers, texts, truth values, dates and gaps, as they are.

    See :class:`TabularRegressor`.

    Parameters
    ----------
    class_weight : {None, "balanced"} or dict, default=None
        Weights of the classes.
    """

    _estimator_type = "classifier"

    def __init__(
        self, *, class_weight=None, ensemble=1, hidden_layer_sizes=None, dropout=None, learning_rate_init=None,
        weight_decay=None, batch_size=None, epochs=None, validation_fraction=None, weight_column=None, random_state=0,
        n_threads=None,
    ):  # fmt: skip
        self._set(locals())

    def fit(self, X, y, sample_weight=None):
        """Trains on the rows of `X` and the classes `y`, of which each counts as its `sample_weight`, at least 0."""
        X, y = _checked(X, y)
        y = np.asarray(y).ravel()
        check_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least 2 classes, got one class: {self.classes_.tolist()}")
        weights = self.class_weight
        if isinstance(weights, dict):
            weights = {str(label): float(weight) for label, weight in weights.items()}
        targets = [("y", self._target_cells(y))]
        return self._fit(True, X, targets, sample_weight, {"class_weight": weights})

    def predict_proba(self, X):
        """The probabilities of the classes in `classes_`."""
        probabilities = self._predict(X)
        place = {name: i for i, name in enumerate(self._model.classes)}
        return probabilities[:, [place[str(label)] for label in self.classes_.tolist()]]

    def predict(self, X):
        """The most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)] if self.__sklearn_is_fitted__() else self._predict(X)

    def score(self, X, y, sample_weight=None):
        """The accuracy."""
        weights = None if sample_weight is None else np.asarray(sample_weight)
        return accuracy(np.asarray(y).ravel(), self.predict(X), weights)

    def _target_cells(self, y):
        return [str(label) for label in np.asarray(y).ravel().tolist()]

    @classmethod
    def load(cls, path):
        """Reads a model that `save`, the program or the Rust crate wrote."""
        estimator = super().load(path)
        estimator.classes_ = np.array(sorted(estimator._model.classes))
        return estimator
