"""Networks, optimizers, gradient checks, the laboratory, graphs."""

import pickle

import numpy as np
import pytest

import geartrain
from geartrain import Graph, Network, gradcheck, lab, optim


def network(dtype="float64"):
    return Network([("linear", 3, 8), "tanh", ("residual", [("linear", 8, 8), "gelu"]), ("linear", 8, 2)], dtype=dtype)


def data(dtype="float64"):
    rng = np.random.RandomState(0)
    return rng.normal(size=(20, 3)).astype(dtype), rng.normal(size=(20, 2)).astype(dtype)


@pytest.mark.parametrize("loss", ["mse", "mae", ("huber", 0.5), ("quantile", 0.2), "binary_log_loss"])
def test_gradients_are_central_differences(loss):
    net, (X, y) = network(), data()
    y = (y > 0).astype(float) if loss == "binary_log_loss" else y
    report = gradcheck(net, loss, X, y)
    assert report, str(report)
    loss_value, grads, grad_input = net.loss_and_gradients(loss, X, y)
    start, step = net.params, 1e-6
    direction = np.random.RandomState(1).normal(size=start.size)
    values = []
    for sign in (1, -1):
        net.params = start + sign * step * direction
        values.append(net.loss_and_gradients(loss, X, y).loss)
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(grads @ direction, rel=1e-5)
    assert grad_input.shape == X.shape


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "rule", [optim.SGD(0.1, momentum=0.9), optim.Adam(0.01), optim.AdamW(0.01), optim.RMSprop(0.01)]
)
def test_optimizers(rule, dtype):
    net, (X, y) = network(dtype), data(dtype)
    first = net.loss_and_gradients("mse", X, y).loss
    for _ in range(50):
        net.step(rule, net.loss_and_gradients("mse", X, y).grads)
    assert net.loss_and_gradients("mse", X, y).loss < 0.8 * first


def test_optimizer_options():
    with pytest.raises(TypeError, match="momentum"):
        geartrain._core.Optimizer("adam", 0.1, momentum=0.9)
    with pytest.raises(ValueError, match="learning rate"):
        optim.Adam(-1.0)
    rule = optim.SGD(0.1, momentum=0.5)
    net, (X, y) = network(), data()
    net.step(rule, net.loss_and_gradients("mse", X, y).grads)
    steps, vectors = rule.state()
    assert list(vectors) == ["velocity"] and vectors["velocity"].size == net.params.size


def test_named_parameters_and_files(tmp_path):
    net, (X, _) = network(), data()
    assert net.named()["0.weight"].shape == (3, 8)
    net.save(tmp_path / "net.safetensors")
    for again in (Network.load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert "Linear(3, 8)" in net.summary() and len(net.to_onnx()) > 100
    with pytest.raises(ValueError, match="no layer is called"):
        Network([("convolution", 3)])
    with pytest.raises(ValueError, match="NaN"):
        net.predict(X * np.nan)


def test_laboratory():
    deep = Network([part for _ in range(10) for part in (("linear", 16, 16), "logistic")], seed=1)
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(32, 16)), rng.normal(size=(32, 16))
    measured, predicted = lab.measure(deep, "mse", X, y), lab.predict(deep, X)
    assert len(measured) == len(predicted) == 20
    assert measured[0]["gradient"] < 1e-3 * measured[-1]["gradient"]
    assert predicted[0]["gradient"] < 1e-3 * predicted[-1]["gradient"]
    assert "vanish" in str(lab.diagnose(deep, X)).lower()


def test_graph():
    graph = Graph("(w*x + b)**2")
    assert sorted(graph.inputs) == ["b", "w", "x"]
    value, gradients = graph.run(w=2, x=3, b=1)
    assert value == 49.0 and gradients == {"w": 42.0, "x": 28.0, "b": 14.0}
    assert graph.value("u") == 6.0 and graph.gradient("v") == 14.0
    assert "Forward" in graph.trace() and graph._repr_svg_().startswith("<svg")
    with pytest.raises(ValueError, match="y"):
        graph.run(y=1.0)
    with pytest.raises(ValueError):
        Graph("(w*x")
