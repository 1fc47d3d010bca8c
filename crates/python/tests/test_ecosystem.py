"""The estimators inside scikit-learn's tools."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
import joblib  # noqa: E402
import pandas as pd  # noqa: E402
from sklearn.base import clone, is_classifier, is_regressor  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.inspection import permutation_importance  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

from geartrain import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = load_iris(return_X_y=True)


def classifier(**options):
    return MLPClassifier(**{"random_state": 0, "max_iter": 60, "learning_rate_init": 0.02} | options)


def test_kinds():
    assert is_classifier(classifier()) and is_regressor(MLPRegressor())
    assert clone(classifier(alpha=0.5)).alpha == 0.5


def test_pipeline_and_cross_validation():
    model = make_pipeline(StandardScaler(), classifier())
    assert cross_val_score(model, X, y, cv=3).mean() > 0.9
    assert "MLPClassifier" in model._repr_html_() and "MLPClassifier" in classifier()._repr_html_()


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search(backend):
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(5,), (20, 10)]}
    with joblib.parallel_backend(backend, n_jobs=2):
        search = GridSearchCV(classifier(), grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.9


def test_grid_search_on_several_machines():
    # Two workers of Dask, each a process with its own memory, as on two machines.
    distributed = pytest.importorskip("distributed")
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(5,), (20, 10)]}
    here = GridSearchCV(classifier(), grid, cv=2).fit(X, y)
    with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None):
        with joblib.parallel_backend("dask"):
            there = GridSearchCV(classifier(), grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])


def test_calibration_and_importance():
    calibrated = CalibratedClassifierCV(classifier(), cv=2).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)
    importance = permutation_importance(classifier().fit(X, y), X, y, n_repeats=2, random_state=0)
    assert importance.importances_mean[2:].max() > 0.1


def test_column_transformer_with_frames():
    frame = pd.DataFrame({"size": X[:, 0], "width": X[:, 1], "kind": np.where(X[:, 2] > 3, "large", "small")})
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["size", "width"]), ("text", OneHotEncoder(sparse_output=False), ["kind"])]
    )
    model = make_pipeline(columns.set_output(transform="pandas"), classifier()).fit(frame, y)
    assert list(model[-1].feature_names_in_) == list(model[0].get_feature_names_out())
    assert model.score(frame, y) > 0.7


def test_target_transformer_and_metadata():
    model = TransformedTargetRegressor(MLPRegressor(random_state=0, max_iter=50), transformer=StandardScaler())
    assert model.fit(X, X[:, 0] * 100).predict(X).shape == (150,)
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        routed = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        assert routed.get_metadata_routing().fit.requests["sample_weight"] is True
        search = GridSearchCV(routed, {"alpha": [0.1]}, cv=2)
        search.fit(X, y, sample_weight=np.ones(150))


def test_joblib_files(tmp_path):
    model = classifier().fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(X), model.predict(X))
