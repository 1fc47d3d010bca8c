from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import lab as lab
from . import optim as optim
from .optim import Optimizer

_Self = TypeVar("_Self", bound="_MLP")
_Tabular = TypeVar("_Tabular", bound="_BaseTabular")
_Path: TypeAlias = str | PathLike[str]
_Floats: TypeAlias = NDArray[np.floating[Any]]
_Activation: TypeAlias = Literal[
    "identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus"
]
_Normalization: TypeAlias = Literal["batch", "layer", "rms"]
_Schedule: TypeAlias = Literal["constant", "invscaling", "adaptive"]
_RandomState: TypeAlias = int | np.random.RandomState | None
_Loss: TypeAlias = str | tuple[str, float]

class _Estimator:
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def set_params(self: _Self, **params: Any) -> _Self: ...

class _MLP(_Estimator):
    coefs_: list[_Floats]
    intercepts_: list[_Floats]
    norm_params_: list[_Floats]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    n_iter_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None

    def fit(self: _Self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> _Self: ...
    def predict(self, X: ArrayLike) -> NDArray[Any]: ...
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def input_gradient(self, X: ArrayLike) -> _Floats: ...
    def gradient_report(self, X: ArrayLike) -> lab.Report: ...
    def save(self, path: _Path) -> None: ...
    @classmethod
    def load(cls: type[_Self], path: _Path) -> _Self: ...
    def to_onnx(self, path: _Path | None = None) -> bytes: ...

class MLPRegressor(_MLP):
    def __init__(
        self,
        loss: Literal["squared_error", "absolute_error", "huber", "quantile", "poisson"] = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: _Activation | Sequence[_Activation] = "relu",
        *,
        solver: Literal["adam", "sgd", "lbfgs"] = "adam",
        alpha: float = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: _Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: _RandomState = None,
        tol: float = 1e-4,
        verbose: bool | int | Literal["bar"] = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        quantile: float | Sequence[float] = 0.5,
        delta: float = 1.0,
        dropout: float = 0.0,
        normalization: _Normalization | None = None,
        residual: bool = False,
        monitor: Literal["score", "loss"] = "score",
        callbacks: Sequence[Callable[[MLPRegressor], bool | None]] | None = None,
        n_threads: int | None = None,
        dtype: Literal["float32", "float64"] | None = None,
    ) -> None: ...
    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> MLPRegressor: ...

class MLPClassifier(_MLP):
    classes_: NDArray[Any]

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: _Activation | Sequence[_Activation] = "relu",
        *,
        solver: Literal["adam", "sgd", "lbfgs"] = "adam",
        alpha: float = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: _Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: _RandomState = None,
        tol: float = 1e-4,
        verbose: bool | int | Literal["bar"] = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        dropout: float = 0.0,
        normalization: _Normalization | None = None,
        residual: bool = False,
        monitor: Literal["score", "loss"] = "score",
        callbacks: Sequence[Callable[[MLPClassifier], bool | None]] | None = None,
        n_threads: int | None = None,
        dtype: Literal["float32", "float64"] | None = None,
    ) -> None: ...
    def predict_proba(self, X: ArrayLike) -> _Floats: ...
    def predict_log_proba(self, X: ArrayLike) -> _Floats: ...
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, classes: ArrayLike | None = None
    ) -> MLPClassifier: ...

class _BaseTabular(_Estimator):
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def fit(self: _Tabular, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> _Tabular: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def importance(
        self, X: Any, y: ArrayLike, repeats: int = 5, seed: int = 0
    ) -> list[tuple[str, float, float]]: ...
    def report(self) -> str: ...
    def save(self, path: _Path) -> None: ...
    @classmethod
    def load(cls: type[_Tabular], path: _Path) -> _Tabular: ...

class TabularRegressor(_BaseTabular):
    def __init__(
        self,
        *,
        loss: Literal["squared_error", "absolute_error", "huber", "quantile", "poisson"] = "squared_error",
        quantile: float | Sequence[float] = 0.5,
        delta: float = 1.0,
        ensemble: int = 1,
        hidden_layer_sizes: Sequence[int] | None = None,
        dropout: float | None = None,
        learning_rate_init: float | None = None,
        weight_decay: float | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        validation_fraction: float | None = None,
        extrapolate: bool = False,
        weight_column: str | None = None,
        random_state: _RandomState = 0,
        n_threads: int | None = None,
    ) -> None: ...

class TabularClassifier(_BaseTabular):
    classes_: NDArray[Any]

    def __init__(
        self,
        *,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        ensemble: int = 1,
        hidden_layer_sizes: Sequence[int] | None = None,
        dropout: float | None = None,
        learning_rate_init: float | None = None,
        weight_decay: float | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        validation_fraction: float | None = None,
        weight_column: str | None = None,
        random_state: _RandomState = 0,
        n_threads: int | None = None,
    ) -> None: ...
    def predict_proba(self, X: Any) -> _Floats: ...

class Pass(NamedTuple):
    loss: float
    grads: _Floats
    grad_input: _Floats

class Network:
    params: _Floats

    def __init__(
        self,
        layers: Sequence[Any],
        *,
        inputs: int | None = None,
        seed: int = 0,
        dtype: Literal["float32", "float64"] = "float64",
    ) -> None: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def named(self, flat: _Floats | None = None) -> dict[str, _Floats]: ...
    def predict(self, X: ArrayLike, threads: int | None = None) -> _Floats: ...
    def loss_and_gradients(self, loss: _Loss, X: ArrayLike, y: ArrayLike) -> Pass: ...
    def step(self, optimizer: Optimizer, grads: ArrayLike) -> None: ...
    def summary(self) -> str: ...
    def save(self, path: _Path) -> None: ...
    @classmethod
    def load(cls, path: _Path, dtype: Literal["float32", "float64"] = "float64") -> Network: ...
    def to_onnx(self, path: _Path | None = None) -> bytes: ...

class Gradcheck(NamedTuple):
    passed: bool
    report: str

def gradcheck(network: Network, loss: _Loss, X: ArrayLike, y: ArrayLike) -> Gradcheck: ...

class Graph:
    def __init__(self, formula: str) -> None: ...
    @property
    def inputs(self) -> list[str]: ...
    def run(self, **inputs: float) -> tuple[float, dict[str, float]]: ...
    def value(self, name: str) -> float: ...
    def gradient(self, name: str) -> float: ...
    def trace(self) -> str: ...
    def to_svg(self) -> str: ...
    def _repr_svg_(self) -> str: ...
