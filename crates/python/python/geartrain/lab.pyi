from os import PathLike
from typing import Any

from numpy.typing import ArrayLike

from . import Network

def measure(
    network: Network, loss: str | tuple[str, float], X: ArrayLike, y: ArrayLike
) -> list[dict[str, Any]]: ...
def predict(network: Network, X: ArrayLike) -> list[dict[str, float | None]]: ...
def diagnose(network: Network, X: ArrayLike, title: str = "network") -> Report: ...

class Report:
    title: str
    diagnosis: str
    svg: str
    html: str
    json: str

    def save(self, path: str | PathLike[str]) -> None: ...
    def _repr_html_(self) -> str: ...
