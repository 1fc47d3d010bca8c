from typing import Any

from numpy.typing import NDArray

class Optimizer:
    learning_rate: float
    def __init__(self, name: str, learning_rate: float, **options: Any) -> None: ...
    def state(self) -> tuple[int, dict[str, NDArray[Any]]]: ...
    def set_state(self, steps: int, vectors: dict[str, NDArray[Any]]) -> None: ...

def SGD(
    learning_rate: float,
    *,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> Optimizer: ...
def Adam(
    learning_rate: float = 1e-3,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
) -> Optimizer: ...
def AdamW(
    learning_rate: float = 1e-3,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    amsgrad: bool = False,
) -> Optimizer: ...
def RMSprop(
    learning_rate: float = 1e-2,
    *,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> Optimizer: ...
