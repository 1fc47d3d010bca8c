"""Results equal scikit-learn's: predictions with copied weights, and training from equal weights."""

import warnings

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")
from sklearn import neural_network as peer  # noqa: E402
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression  # noqa: E402

import geartrain  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def data(kind, rows=130):
    if kind == "regression":
        X, y = make_regression(rows, 6, noise=3.0, random_state=1)
        return X, y / y.std()
    if kind == "outputs":
        X, y = make_regression(rows, 6, n_targets=3, noise=3.0, random_state=1)
        return X, y / y.std()
    if kind == "counts":
        X, y = make_regression(rows, 6, noise=3.0, random_state=1)
        return X, np.random.RandomState(0).poisson(np.exp(y / y.std()))
    if kind == "labels":
        return make_multilabel_classification(rows, 6, n_classes=4, random_state=1)
    classes = {"binary": 2, "classes": 3}[kind]
    return make_classification(rows, 6, n_informative=4, n_redundant=0, n_classes=classes, random_state=1)


def pair(kind, **options):
    """The estimator of geartrain and that of scikit-learn."""
    if kind == "counts":
        options["loss"] = "poisson"
    name = "MLPRegressor" if kind in ("regression", "outputs", "counts") else "MLPClassifier"
    return getattr(geartrain, name)(**options), getattr(peer, name)(**options)


def probabilities(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def assert_same_weights(ours, theirs, tolerance):
    for a, b in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.abs(b).max()))


KINDS = ["regression", "outputs", "counts", "binary", "classes", "labels"]
SOLVERS = {
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "plain": {"solver": "sgd", "learning_rate_init": 0.01, "momentum": 0.0},
    "heavy": {"solver": "sgd", "learning_rate_init": 0.01, "nesterovs_momentum": False},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1, "power_t": 0.3},
    "adam": {"solver": "adam"},
    "eps": {"solver": "adam", "epsilon": 0.1, "beta_1": 0.8, "beta_2": 0.9},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_epochs_are_those_of_sklearn(kind, solver):
    X, y = data(kind)
    for epochs, tolerance in [(1, 1e-8), (5, 1e-7)]:
        options = {"random_state": 3, "max_iter": epochs, "batch_size": 32, "hidden_layer_sizes": (9, 5), "alpha": 0.01}
        ours, theirs = pair(kind, **options, **SOLVERS[solver])
        ours.fit(X, y), theirs.fit(X, y)
        assert_same_weights(ours, theirs, tolerance)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
        assert ours.t_ == theirs.t_ and ours.n_iter_ == theirs.n_iter_


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_with_copied_weights(kind, activation):
    X, y = data(kind)
    ours, theirs = pair(kind, random_state=1, max_iter=3, activation=activation, hidden_layer_sizes=(20, 10))
    ours.fit(X, y), theirs.fit(X, y)
    rng = np.random.RandomState(5)
    theirs.coefs_ = [rng.normal(size=coef.shape) for coef in theirs.coefs_]
    ours.coefs_ = [coef.copy() for coef in theirs.coefs_]
    for i, intercept in enumerate(theirs.intercepts_):
        ours.intercepts_[i] = intercept.copy()
    np.testing.assert_allclose(probabilities(ours, X), probabilities(theirs, X), rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X)) if kind in ("binary", "classes", "labels") else None
    ours.coefs_[0][:] *= 2.0
    theirs.coefs_[0][:] *= 2.0
    np.testing.assert_allclose(probabilities(ours, X), probabilities(theirs, X), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_sample_weights(kind):
    X, y = data(kind)
    weights = np.random.RandomState(2).uniform(0.1, 3.0, len(X))
    for solver in ("sgd", "adam", "lbfgs"):
        options = {"random_state": 3, "max_iter": 3, "batch_size": 40, "solver": solver, "hidden_layer_sizes": 7}
        ours, theirs = pair(kind, **options)
        ours.fit(X, y, sample_weight=weights), theirs.fit(X, y, sample_weight=weights)
        assert_same_weights(ours, theirs, 1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping(kind):
    X, y = data(kind)
    options = {"random_state": 3, "early_stopping": True, "validation_fraction": 0.2, "n_iter_no_change": 3, "tol": 0.001}
    ours, theirs = pair(kind, max_iter=40, learning_rate_init=0.01, **options)
    ours.fit(X, y), theirs.fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-6)
    assert_same_weights(ours, theirs, 1e-6)
    assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
    assert len(ours.validation_loss_curve_) == ours.n_iter_


@pytest.mark.parametrize("kind", KINDS)
def test_lbfgs(kind):
    X, y = data(kind)
    ours, theirs = pair(kind, random_state=3, solver="lbfgs", max_iter=15, hidden_layer_sizes=8, activation="tanh")
    ours.fit(X, y), theirs.fit(X, y)
    assert_same_weights(ours, theirs, 1e-5)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    assert ours.n_iter_ == theirs.n_iter_ == len(ours.loss_curve_)


@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_in_several_passes(weighted):
    # With so many weights, a pass takes 512 rows.
    X, y = data("regression", rows=1100)
    weights = np.random.RandomState(2).uniform(0.1, 3.0, len(X)) if weighted else None
    options = {"solver": "lbfgs", "max_iter": 2, "hidden_layer_sizes": (730, 730), "activation": "tanh"}
    ours, theirs = pair("regression", random_state=3, **options)
    ours.fit(X, y, sample_weight=weights), theirs.fit(X, y, sample_weight=weights)
    assert_same_weights(ours, theirs, 1e-8)


def test_adaptive_learning_rate_and_warm_start():
    X, y = data("regression")
    options = {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.05, "n_iter_no_change": 2}
    ours, theirs = pair("regression", random_state=3, max_iter=30, tol=0.01, warm_start=True, **options)
    for _ in range(2):
        ours.fit(X, y), theirs.fit(X, y)
        assert ours.n_iter_ == theirs.n_iter_
        assert ours._optimizer.learning_rate == pytest.approx(theirs._optimizer.learning_rate)
        assert_same_weights(ours, theirs, 1e-6)


def test_no_hidden_layer():
    X, y = data("regression")
    ours, theirs = pair("regression", random_state=3, hidden_layer_sizes=(), max_iter=3)
    assert_same_weights(ours.fit(X, y), theirs.fit(X, y), 1e-8)


def test_partial_fit():
    X, y = data("classes")
    ours, theirs = pair("classes", random_state=3, hidden_layer_sizes=6)
    for _ in range(4):
        for model in (ours, theirs):
            model.partial_fit(X, y, classes=np.unique(y))
    assert_same_weights(ours, theirs, 1e-8)


def test_float32_stays_float32():
    X, y = data("regression")
    model = geartrain.MLPRegressor(max_iter=5, random_state=0).fit(X.astype(np.float32), y)
    assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype("float32")}
    assert model.predict(X.astype(np.float32)).dtype == np.float32
    model.set_params(dtype="float64").fit(X.astype(np.float32), y)
    assert model.coefs_[0].dtype == np.float64


def test_parameters_have_sklearns_names_and_defaults():
    for name in ("MLPRegressor", "MLPClassifier"):
        ours, theirs = getattr(geartrain, name)().get_params(), getattr(peer, name)().get_params()
        assert {key: ours[key] for key in theirs} == theirs


def test_score():
    for kind in KINDS:
        X, y = data(kind)
        ours, theirs = pair(kind, random_state=3, max_iter=30)
        weights = np.arange(1.0, len(X) + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours.fit(X, y), theirs.fit(X, y)
        assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-6)
        assert ours.score(X, y, weights) == pytest.approx(theirs.score(X, y, weights), rel=1e-6)
