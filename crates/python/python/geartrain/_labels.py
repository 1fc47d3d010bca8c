"""Class labels as numbers, and back."""

from __future__ import annotations

import numpy as np

from ._validation import has_sklearn


class Labels:
    """The classes of a target, as scikit-learn's `LabelBinarizer` learns them.

    `kind` is "binary" (one column of 0 and 1), "multiclass" (one column of class indices) or
    "multilabel" (one column of 0 and 1 per label).
    """

    def __init__(self, y):
        if y.ndim == 2 and y.shape[1] > 1:
            values = np.unique(y)
            if len(values) > 2 or not np.isin(values, [0, 1]).all():
                raise ValueError("Multioutput target data is not supported with label binarization")
            self.kind, self.classes = "multilabel", np.arange(y.shape[1])
            return
        check_targets(y)
        self.classes = np.unique(y)
        self.kind = "binary" if len(self.classes) <= 2 else "multiclass"

    @classmethod
    def of_kind(cls, kind, classes):
        """The labels of a file."""
        labels = cls.__new__(cls)
        labels.kind, labels.classes = kind, classes
        return labels

    @property
    def outputs(self):
        """Outputs of the network."""
        return 1 if self.kind == "binary" else len(self.classes)

    def encode(self, y):
        """One column per label, or one column of class indices."""
        if self.kind == "multilabel":
            return np.asarray(y, dtype=np.float64)
        index = np.searchsorted(self.classes, y).clip(0, len(self.classes) - 1)
        return index.astype(np.float64).reshape(-1, 1)

    def decode(self, output):
        """Labels of predicted probabilities, or of indices."""
        if self.kind == "multilabel":
            return (output > 0.5).astype(np.int64)
        if self.kind == "multiclass":
            return self.classes[output.argmax(axis=1)]
        index = (output.ravel() > 0.5).astype(np.intp)
        return self.classes[index if len(self.classes) == 2 else 0 * index]


def check_targets(y):
    """Fails for numbers that are not classes."""
    if has_sklearn():
        from sklearn.utils.multiclass import check_classification_targets

        check_classification_targets(y)
    elif y.dtype.kind == "f" and (y != np.floor(y)).any():
        raise ValueError("Unknown label type: continuous. The target of a classifier must be classes.")
