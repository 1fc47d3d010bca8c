"""scikit-learn's own checks of estimators."""

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

import geartrain  # noqa: E402

ESTIMATORS = [
    geartrain.MLPRegressor(max_iter=100),
    geartrain.MLPClassifier(max_iter=100),
    geartrain.TabularRegressor(epochs=40),
    geartrain.TabularClassifier(epochs=40),
]


@parametrize_with_checks(ESTIMATORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_check(estimator, check):
    check(estimator)
