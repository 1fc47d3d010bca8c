"""Checks of data: those of scikit-learn if it is installed, otherwise their essence."""

from __future__ import annotations

import importlib.util
import warnings
from functools import lru_cache
from numbers import Integral

import numpy as np


@lru_cache(maxsize=None)
def has_sklearn():
    """Whether scikit-learn is installed."""
    return importlib.util.find_spec("sklearn") is not None


class NotFittedError(ValueError, AttributeError):
    """An estimator is used before it is fitted, where scikit-learn is not installed."""


class ConvergenceWarning(UserWarning):
    """Training ended before it converged, where scikit-learn is not installed."""


def convergence_warning(message):
    """Warns in scikit-learn's category."""
    category = ConvergenceWarning
    if has_sklearn():
        from sklearn.exceptions import ConvergenceWarning as category
    warnings.warn(message, category, stacklevel=4)


def check_is_fitted(estimator, attribute):
    """Fails with `NotFittedError` unless `estimator` has `attribute`."""
    if attribute in estimator.__dict__:
        return
    error = NotFittedError
    if has_sklearn():
        from sklearn.exceptions import NotFittedError as error
    name = type(estimator).__name__
    raise error(
        f"This {name} instance is not fitted yet. Call 'fit' with appropriate arguments before using this estimator."
    )


def invalid_parameter(message):
    """The exception for a parameter outside its domain."""
    if has_sklearn():
        from sklearn.utils._param_validation import InvalidParameterError

        return InvalidParameterError(message)
    return ValueError(message)


def check_random_state(seed):
    """A `numpy.random.RandomState`, as scikit-learn makes it of `seed`."""
    if seed is None:
        return np.random.mtrand._rand
    if isinstance(seed, np.random.RandomState):
        return seed
    if isinstance(seed, Integral):
        return np.random.RandomState(seed)
    raise ValueError(f"{seed!r} cannot be used to seed a numpy.random.RandomState instance")


def check_x(estimator, X, reset):
    """`X` as a dense matrix of floats; records or checks the features."""
    return _dense(_checked(estimator, X, "no_validation", reset))


def check_x_y(estimator, X, y, reset, numeric):
    """`X` as a dense matrix of floats, and `y` as a vector or matrix."""
    X, y = _checked(estimator, X, y, reset, numeric)
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape of y to"
            " (n_samples,), for example using ravel().",
            _conversion_warning(),
            stacklevel=4,
        )
        y = y.ravel()
    return _dense(X), y


def _conversion_warning():
    if has_sklearn():
        from sklearn.exceptions import DataConversionWarning

        return DataConversionWarning
    return UserWarning


def _checked(estimator, X, y, reset, numeric=False):
    predicts = isinstance(y, str) and y == "no_validation"
    if has_sklearn():
        from sklearn.utils.validation import validate_data

        options = {"accept_sparse": ["csr", "csc"], "dtype": (np.float64, np.float32), "reset": reset}
        if predicts:
            return validate_data(estimator, X, **options)
        return validate_data(estimator, X, y, multi_output=True, y_numeric=numeric, **options)
    names = getattr(X, "columns", None)
    X = _finite("X", X)
    if X.ndim != 2:
        raise ValueError(f"X: expected a matrix (rows × features), got {X.ndim} dimension(s)")
    if not reset and X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting"
            f" {estimator.n_features_in_} features as input."
        )
    if reset:
        estimator.n_features_in_ = X.shape[1]
        if names is not None and all(isinstance(name, str) for name in names):
            estimator.feature_names_in_ = np.asarray(list(names), dtype=object)
    if predicts:
        return X
    y = _finite("y", y) if numeric else np.asarray(y)
    if y.ndim not in (1, 2) or len(y) != len(X):
        raise ValueError(f"y: expected {len(X)} rows as in X, got shape {y.shape}")
    return X, y


def _finite(name, values):
    values = np.asarray(values)
    if values.dtype not in (np.float64, np.float32):
        values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"Input {name} contains NaN or infinity.")
    return values


def _dense(X):
    return X.toarray() if hasattr(X, "toarray") else X


def check_sample_weight(sample_weight, X):
    """One weight ≥ 0 for each row of `X`, or `None`."""
    if sample_weight is None:
        return None
    if has_sklearn():
        from sklearn.utils.validation import _check_sample_weight

        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    elif np.isscalar(sample_weight):
        weights = np.full(len(X), sample_weight, dtype=np.float64)
    else:
        weights = _finite("sample_weight", sample_weight).astype(np.float64)
        if weights.shape != (len(X),) or (weights < 0).any():
            raise ValueError(f"sample_weight: expected {len(X)} numbers ≥ 0, got shape {weights.shape}")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def split(arrays, fraction, random_state, stratify):
    """Training and validation rows of each array, in the order of `train_test_split`."""
    if has_sklearn():
        from sklearn.model_selection import train_test_split

        return train_test_split(*arrays, random_state=random_state, test_size=fraction, stratify=stratify)
    rows = len(arrays[0])
    size = int(np.ceil(fraction * rows))
    order = random_state.permutation(rows)
    return [part for array in arrays for part in (array[order[size:]], array[order[:size]])]
