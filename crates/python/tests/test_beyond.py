"""What goes beyond scikit-learn: losses, layers, callbacks, gradients, files, threads, Ctrl-C."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import geartrain
from geartrain import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


def wave(rows=200, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.uniform(-2, 2, (rows, 3))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] ** 2 + 0.1 * rng.normal(size=rows)


def classes(rows=300):
    X, y = wave(rows)
    return X, np.array(["low", "middle", "high"])[np.digitize(y, [0.5, 1.5])]


OPTIONS = {"random_state": 0, "learning_rate_init": 0.01, "max_iter": 150, "hidden_layer_sizes": (32, 32)}


def test_import_is_fast_and_light():
    code = "import sys, time; start = time.perf_counter(); import geartrain; end = time.perf_counter();"
    code += "print(end - start, 'sklearn' in sys.modules, 'scipy' in sys.modules, 'pandas' in sys.modules)"
    seconds, *heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert heavy == ["False"] * 3, f"{seconds} s"


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_losses(loss):
    X, y = wave()
    assert MLPRegressor(loss, **OPTIONS).fit(X, y).score(X, y) > 0.9


def test_quantiles_cover_their_share():
    X, y = wave(1000)
    model = MLPRegressor("quantile", quantile=[0.1, 0.5, 0.9], **OPTIONS).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (1000, 3)
    shares = (y[:, None] < predicted).mean(axis=0)
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.05)
    assert model.score(X, y) > 0.9
    with pytest.raises(ValueError, match="quantile"):
        MLPRegressor("quantile", quantile=[0.1, 1.5]).fit(X, y)


def test_several_quantiles_equal_single_ones_in_their_loss():
    X, y = wave(60)
    both = MLPRegressor("quantile", quantile=[0.3, 0.3], max_iter=1, random_state=0).fit(X, y)
    one = MLPRegressor("quantile", quantile=0.3, max_iter=1, random_state=0).fit(X, y)
    assert both.loss_ == pytest.approx(one.loss_, rel=0.5)


def test_class_weight():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(400, 2))
    y = np.where(X[:, 0] + 0.8 * rng.normal(size=400) > 1.5, "rare", "common")
    plain = MLPClassifier(**OPTIONS).fit(X, y)
    balanced = MLPClassifier(class_weight="balanced", **OPTIONS).fit(X, y)
    rare = y == "rare"
    assert (balanced.predict(X[rare]) == "rare").mean() > (plain.predict(X[rare]) == "rare").mean()
    weights = np.where(rare, 5.0, 1.0)
    by_class = MLPClassifier(class_weight={"rare": 5.0}, **OPTIONS).fit(X, y)
    by_row = MLPClassifier(**OPTIONS).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(by_class.coefs_[0], by_row.coefs_[0])


@pytest.mark.parametrize("normalization", [None, "batch", "layer", "rms"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("residual", [False, True])
def test_layers(normalization, dropout, residual):
    X, y = wave()
    options = OPTIONS | {"activation": ["tanh", "gelu"]}
    model = MLPRegressor(normalization=normalization, dropout=dropout, residual=residual, **options).fit(X, y)
    assert model.score(X, y) > 0.7
    # The gradient of the prediction, against central differences of it.
    gradient = model.input_gradient(X[:5])
    step = 1e-5
    for feature in range(3):
        moved = np.eye(3)[feature] * step
        numeric = (model.predict(X[:5] + moved) - model.predict(X[:5] - moved)) / (2 * step)
        np.testing.assert_allclose(gradient[:, feature], numeric, rtol=1e-5, atol=1e-7)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_input_gradient_of_probabilities():
    X, y = classes()
    for target in (y, y == "low"):
        model = MLPClassifier(**OPTIONS).fit(X, target)
        gradient = model.input_gradient(X[:4]).reshape(4, -1, 3)
        step = 1e-5
        numeric = (model.predict_proba(X[:4] + [step, 0, 0]) - model.predict_proba(X[:4] - [step, 0, 0])) / (2 * step)
        numeric = numeric if gradient.shape[1] == 3 else numeric[:, 1:]
        np.testing.assert_allclose(gradient[:, :, 0], numeric, rtol=1e-5, atol=1e-7)


def test_early_stopping_on_the_loss_restores_the_best_weights():
    X, y = wave(80)
    model = MLPRegressor(early_stopping=True, monitor="loss", n_iter_no_change=5, **OPTIONS | {"max_iter": 500}).fit(X, y)
    assert len(model.validation_loss_curve_) == model.n_iter_ < 500
    assert model.best_loss_ == min(model.validation_loss_curve_)


def test_callbacks_see_the_weights_and_stop():
    X, y = wave()
    seen = []

    def callback(model):
        seen.append((model.n_iter_, model.loss_, model.score(X, y)))
        return model.n_iter_ == 4

    for solver in ("adam", "lbfgs"):
        seen.clear()
        model = MLPRegressor(solver=solver, callbacks=[callback], random_state=0).fit(X, y)
        assert [n for n, _, _ in seen] == [1, 2, 3, 4] and model.n_iter_ == 4
        assert seen[-1][2] == model.score(X, y) > seen[0][2]


def test_an_error_in_a_callback_reaches_the_caller():
    X, y = wave()

    def fail(model):
        raise KeyError("mine")

    for solver in ("adam", "lbfgs"):
        with pytest.raises(KeyError, match="mine"):
            MLPRegressor(solver=solver, callbacks=[fail]).fit(X, y)


def test_bar(capsys):
    X, y = wave(50)
    MLPRegressor(verbose="bar", max_iter=5).fit(X, y)
    assert "5/5" in capsys.readouterr().err


def test_threads_do_not_change_the_result():
    X, y = wave(3000)
    options = {"hidden_layer_sizes": (256, 128), "max_iter": 3, "batch_size": 1000, "random_state": 0}
    models = [MLPRegressor(n_threads=threads, **options).fit(X, y) for threads in (1, 2, None)]
    for model in models[1:]:
        for a, b in zip(models[0].coefs_, model.coefs_):
            np.testing.assert_array_equal(a, b)


def test_fits_in_threads_at_once():
    X, y = wave(500)
    expected = MLPRegressor(**OPTIONS).fit(X, y).coefs_[0]
    results = [None] * 4

    def work(i):
        results[i] = MLPRegressor(**OPTIONS).fit(X, y).coefs_[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_other_threads_run_during_a_fit():
    X, y = wave(20000)
    done = threading.Event()
    ticks = []

    def tick():
        while not done.wait(0.001):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    MLPRegressor(hidden_layer_sizes=(256, 256), max_iter=1, batch_size=20000).fit(X, y)
    done.set(), thread.join()
    assert len(ticks) > 3


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_ctrl_c_ends_a_fit_with_a_usable_model(solver):
    X, y = wave(20000)
    # A shell starts background jobs with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = threading.Event()

    def interrupt():
        started.wait()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    options = {"max_iter": 100000, "max_fun": 100000, "n_iter_no_change": 100000, "tol": 0.0}
    try:
        with pytest.warns(UserWarning, match="interrupted"):
            model = MLPRegressor(solver=solver, callbacks=[lambda _: started.set()], **options).fit(X, y)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert model.n_iter_ < 100000 and np.isfinite(model.predict(X)).all()


def test_a_panic_is_an_exception():
    network = geartrain.Network([("linear", 2, 1)])
    with pytest.raises(Exception):
        network.loss_and_gradients("mse", np.zeros((3, 5)), np.zeros((3, 1)))
    with pytest.raises(TypeError, match="expected a NumPy array"):
        network._core.predict([[1.0]], network.params)


def test_bad_arguments_are_named():
    X, y = wave(20)
    for options, text in [
        ({"alpha": -1}, "'alpha' parameter of MLPRegressor must be a number in"),
        ({"solver": "newton"}, "must be one of 'lbfgs', 'sgd', 'adam'"),
        ({"activation": ["relu"]}, "hidden layers"),
        ({"dropout": 1.0}, "dropout"),
        ({"normalization": "group"}, "normalization"),
        ({"loss": "log"}, "loss"),
    ]:
        with pytest.raises(ValueError, match=text):
            MLPRegressor(hidden_layer_sizes=(4, 4), **options).fit(X, y)
    with pytest.raises(ValueError, match="poisson"):
        MLPRegressor("poisson").fit(X, -np.ones(20))


def test_a_network_too_large_for_the_memory_is_refused():
    X, y = wave(20)
    for units in (10**12, 10**18):
        with pytest.raises(MemoryError, match="GB to train"):
            MLPRegressor(hidden_layer_sizes=(units,)).fit(X, y)


def test_a_class_weight_for_an_unknown_class_is_refused():
    X, y = classes()
    with pytest.raises(ValueError, match="names .*'lo'"):
        MLPClassifier(class_weight={"lo": 2.0}).fit(X, y)
    weights = dict.fromkeys([*np.unique(y), "absent"], 2.0)
    MLPClassifier(class_weight=weights, max_iter=2).fit(X, y)


def test_files(tmp_path):
    X, y = wave()
    model = MLPRegressor(normalization="batch", **OPTIONS | {"max_iter": 20}).fit(X, y)
    model.save(tmp_path / "r.safetensors")
    again = MLPRegressor.load(tmp_path / "r.safetensors")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.get_params() | {"random_state": 0} == model.get_params() | {"hidden_layer_sizes": [32, 32]}
    X, y = classes()
    for labels, weighted in ((y, "low"), (np.digitize(X[:, 0], [0, 1]), 1), (X[:, 0] > 0, True)):
        model = MLPClassifier(class_weight={weighted: 2.0}, max_iter=20).fit(X.astype(np.float32), labels)
        model.save(tmp_path / "c.safetensors")
        again = MLPClassifier.load(tmp_path / "c.safetensors")
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert again.classes_.dtype == model.classes_.dtype
    with pytest.raises(ValueError, match="expected a MLPRegressor, got a MLPClassifier"):
        MLPRegressor.load(tmp_path / "c.safetensors")
    with pytest.raises(FileNotFoundError, match="none.safetensors"):
        MLPRegressor.load(tmp_path / "none.safetensors")
    for write in (model.save, model.to_onnx):
        with pytest.raises(FileNotFoundError, match="none"):
            write(tmp_path / "none" / "model")
        with pytest.raises(ValueError, match="not a file"):
            write(tmp_path)
    assert len(model.to_onnx(tmp_path / "c.onnx")) == (tmp_path / "c.onnx").stat().st_size > 0


def test_copies():
    X, y = wave()
    model = MLPRegressor(**OPTIONS | {"max_iter": 5}).fit(X, y)
    for again in (copy.deepcopy(model), copy.copy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        again.partial_fit(X, y)
    before = model.predict(X)
    other = copy.deepcopy(model)
    other.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict(X), before)
    restored = pickle.loads(pickle.dumps(model))
    model.partial_fit(X, y), restored.partial_fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], restored.coefs_[0])


def test_gradient_report():
    X, y = wave()
    model = MLPRegressor("squared_error", (16,) * 6, "logistic", max_iter=1).fit(X, y)
    report = model.gradient_report(X)
    assert "vanish" in str(report).lower()
    assert report._repr_html_().startswith("<div><svg") and report.html.startswith("<!doctype html>")


def test_without_sklearn():
    code = """
import sys
sys.modules["sklearn"] = None
import importlib.util as u
find = u.find_spec
u.find_spec = lambda name, *a: None if name == "sklearn" else find(name, *a)
import numpy as np, geartrain
X = np.random.RandomState(0).normal(size=(60, 3)); y = X[:, 0] * X[:, 1]
r = geartrain.MLPRegressor(max_iter=20, early_stopping=True, random_state=0).fit(X, y)
c = geartrain.MLPClassifier(max_iter=20, random_state=0).fit(X, y > 0)
print(r.predict(X[:2]).shape, c.predict_proba(X).shape, r)
for bad in (lambda: r.predict(X[:, :2]), lambda: c.fit(X, y), lambda: r.fit(X * np.nan, y), lambda: geartrain.MLPRegressor().predict(X)):
    try: bad(); print("no error")
    except ValueError as error: pass
"""
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n")[0].startswith("(2,) (60, 2) MLPRegressor(") and "no error" not in result.stdout


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_onnx_predicts_the_same(normalization):
    runtime = pytest.importorskip("onnxruntime")
    X, y = wave()
    options = {"normalization": normalization, "dropout": 0.1, "activation": "tanh", "max_iter": 10, "dtype": "float32"}
    for model in (MLPRegressor(**options).fit(X, y), MLPClassifier(**options).fit(*classes())):
        session = runtime.InferenceSession(model.to_onnx())
        (output,) = session.run(None, {session.get_inputs()[0].name: X.astype(np.float32)})
        expected = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)[:, None]
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
