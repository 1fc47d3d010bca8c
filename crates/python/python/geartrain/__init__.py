"""Small neural networks for tables: scikit-learn's interface, a Rust core.

`MLPRegressor` and `MLPClassifier` replace those of `sklearn.neural_network`; `TabularRegressor` and
`TabularClassifier` take frames as they are. `Network`, `optim` and `gradcheck` are for training loops of your own,
`lab` shows how gradients flow through a network, and `Graph` shows each step of the chain rule.
"""

from . import lab, optim
from ._core import Graph
from ._mlp import MLPClassifier, MLPRegressor
from ._network import Network, Pass, gradcheck
from ._tabular import TabularClassifier, TabularRegressor

__all__ = [
    "Graph",
    "MLPClassifier",
    "MLPRegressor",
    "Network",
    "Pass",
    "TabularClassifier",
    "TabularRegressor",
    "gradcheck",
    "lab",
    "optim",
]
