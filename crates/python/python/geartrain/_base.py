"""Parameters, representation and scikit-learn's protocol, without importing scikit-learn."""

from __future__ import annotations

import inspect
import sys
from functools import lru_cache


@lru_cache(maxsize=None)
def _defaults(cls):
    """The parameters of `cls.__init__` with their defaults."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return {parameter.name: parameter.default for parameter in parameters}


@lru_cache(maxsize=None)
def _adapter(cls):
    """A subclass of `cls` and of scikit-learn's BaseEstimator, to borrow methods from."""
    from sklearn.base import BaseEstimator

    return type(cls.__name__, (cls, BaseEstimator), {})


class Estimator:
    """An estimator by scikit-learn's conventions.

    The methods of `sklearn.base.BaseEstimator` that are not defined here, such as those of metadata
    routing and the HTML representation, are borrowed from it once it has been imported.
    """

    _estimator_type: str

    def _set(self, arguments):
        """Stores the arguments of `__init__`, its `locals()`, as attributes."""
        for name, value in arguments.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def get_params(self, deep=True):
        """The parameters of this estimator by name."""
        return {name: getattr(self, name) for name in _defaults(type(self))}

    def set_params(self, **params):
        """Sets parameters by name, and returns this estimator."""
        known = _defaults(type(self))
        for name, value in params.items():
            if name not in known:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self}. Valid parameters are: {sorted(known)!r}."
                )
            setattr(self, name, value)
        return self

    def __repr__(self):
        defaults = _defaults(type(self))
        changed = (
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if not (value is defaults[name] or repr(value) == repr(defaults[name]))
        )
        return f"{type(self).__name__}({', '.join(changed)})"

    def __getattr__(self, name):
        # Called for names that normal lookup does not find.
        borrowed = "sklearn" in sys.modules and not hasattr(type(self), name)
        if borrowed and not (name.endswith("_") and name != "_repr_html_" and name != "__sklearn_clone__"):
            adapter = _adapter(type(self))
            try:
                attribute = inspect.getattr_static(adapter, name)
            except AttributeError:
                pass
            else:
                if not hasattr(attribute, "__get__"):
                    return attribute
                bound = not isinstance(attribute, (classmethod, staticmethod))
                return attribute.__get__(self if bound else None, adapter)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        classifier = self._estimator_type == "classifier"
        return Tags(
            estimator_type=self._estimator_type,
            target_tags=TargetTags(required=True, multi_output=True, single_output=True),
            classifier_tags=ClassifierTags(multi_label=True) if classifier else None,
            regressor_tags=None if classifier else RegressorTags(),
            input_tags=InputTags(sparse=True),
        )
