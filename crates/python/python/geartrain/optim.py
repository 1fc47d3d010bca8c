"""Optimizers for :meth:`geartrain.Network.step`, as those of PyTorch.

The learning rate is the attribute `learning_rate`; `state()` and `set_state()` save and restore the rest.
"""

from ._core import Optimizer

__all__ = ["Adam", "AdamW", "Optimizer", "RMSprop", "SGD"]


def SGD(learning_rate, *, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0):
    """Stochastic gradient descent."""
    return Optimizer("sgd", learning_rate, **_options(locals()))


def Adam(learning_rate=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False):
    """Adam, with weight decay as L2 regularisation."""
    return Optimizer("adam", learning_rate, **_options(locals()))


def AdamW(learning_rate=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, amsgrad=False):
    """Adam with decoupled weight decay."""
    return Optimizer("adamw", learning_rate, **_options(locals()))


def RMSprop(learning_rate=1e-2, *, alpha=0.99, eps=1e-8, momentum=0.0, centered=False, weight_decay=0.0):
    """RMSprop."""
    return Optimizer("rmsprop", learning_rate, **_options(locals()))


def _options(arguments):
    return {name: value for name, value in arguments.items() if name != "learning_rate"}
