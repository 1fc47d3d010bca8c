"""The gradient laboratory: measures how gradients flow through a network, predicts it, and explains it."""

from __future__ import annotations

import os

from . import _core
from ._network import loss_options

__all__ = ["Report", "diagnose", "measure", "predict"]


def measure(network, loss, X, y):
    """One forward and one backward pass: a dict per layer, with the norms of its output and of the gradient there.

    The lists are ready for `pandas.DataFrame`.
    """
    return _core.measure(network._core, loss_options(loss), network._matrix(X), network._matrix(y))


def predict(network, X):
    """What theory predicts for `network` on the batch `X`: a dict per layer. Numbers outside the theory are `None`."""
    return _core.predict(network._core, network._matrix(X))


def diagnose(network, X, title="network"):
    """Measurement, prediction and diagnosis of a network on the batch `X`, as a :class:`Report`."""
    return Report(title, *_core.report(network._core, network._matrix(X), title))


class Report:
    """Measured and predicted gradient flow with the diagnosis. Shows its picture and text in notebooks.

    Attributes
    ----------
    diagnosis : str
        The diagnosis in words.
    svg : str
        The gradient at each layer, measured and predicted.
    json : str
        All numbers.
    """

    def __init__(self, title, diagnosis, svg, html, json):
        self.title, self.diagnosis, self.svg, self.html, self.json = title, diagnosis, svg, html, json

    def save(self, path):
        """Writes the report as an HTML page."""
        _core.write(os.fspath(path), self.html.encode())

    def __str__(self):
        return self.diagnosis

    def __repr__(self):
        return f"Report({self.title!r})\n{self.diagnosis}"

    def _repr_html_(self):
        text = self.diagnosis.replace("&", "&amp;").replace("<", "&lt;")
        picture = self.svg[self.svg.index("<svg") :]
        return f"<div>{picture}<pre style='white-space: pre-wrap'>{text}</pre></div>"
