"""Models for tables, with frames of pandas and polars, dicts of columns and matrices."""

import copy
import datetime
import os
import pickle
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import geartrain._tabular
from geartrain import TabularClassifier, TabularRegressor

ROWS = 300
rng = np.random.RandomState(0)
size = rng.uniform(0, 10, ROWS)
kind = rng.choice(["red", "green", "blue"], ROWS)
new = rng.rand(ROWS) < 0.5
price = 3 * size + 5 * (kind == "red") - 4 * new + rng.normal(size=ROWS)
size[::17] = np.nan
text = [None if i % 23 == 0 else value for i, value in enumerate(kind.tolist())]
COLUMNS = {"size": size, "kind": text, "new": new}


def frames():
    yield "dict", COLUMNS
    pandas = pytest.importorskip("pandas")
    yield "pandas", pandas.DataFrame(COLUMNS)
    yield "nullable", pandas.DataFrame(COLUMNS).convert_dtypes()
    yield "category", pandas.DataFrame(COLUMNS).astype({"kind": "category"})
    polars = pytest.importorskip("polars")
    yield "polars", polars.DataFrame({**COLUMNS, "kind": text}, nan_to_null=True)


def test_frames_give_the_same_model():
    predictions = {}
    for name, frame in frames():
        model = TabularRegressor(epochs=30).fit(frame, price)
        predictions[name] = model.predict(frame)
        assert model.score(frame, price) > 0.8
        assert list(model.feature_names_in_) == ["size", "kind", "new"]
    for name, predicted in predictions.items():
        np.testing.assert_array_equal(predicted, predictions["dict"], err_msg=name)


def test_columns_by_name_and_new_texts():
    model = TabularRegressor(epochs=30).fit(COLUMNS, price)
    other = {"new": [True, None], "kind": ["violet", "red"], "size": [1.0, np.nan]}
    assert np.isfinite(model.predict(other)).all()
    with pytest.raises(ValueError, match="kind"):
        model.predict({"new": [True], "size": [1.0]})


def test_classifier():
    labels = np.where(price > np.median(price), 7, 3)
    model = TabularClassifier(epochs=30).fit(COLUMNS, labels)
    assert model.classes_.tolist() == [3, 7] and model.score(COLUMNS, labels) > 0.8
    np.testing.assert_allclose(model.predict_proba(COLUMNS).sum(axis=1), 1.0)
    importance = model.importance(COLUMNS, labels)
    assert importance[0][0] == "size" and len(importance) == 3
    assert "size" in model.report()


def test_quantiles_and_several_targets():
    model = TabularRegressor(loss="quantile", quantile=[0.1, 0.9]).fit(COLUMNS, price)
    low, high = model.predict(COLUMNS).T
    assert (low <= high).all()
    assert (price < low).mean() < 0.2 and (price > high).mean() < 0.2 and (high - low).mean() < price.std()
    both = TabularRegressor(epochs=30).fit(COLUMNS, np.column_stack([price, -price]))
    assert both.predict(COLUMNS).shape == (ROWS, 2)


def test_sample_weights():
    counted = np.arange(ROWS) % 3 > 0
    kept = {name: [cell for cell, keep in zip(cells, counted) if keep] for name, cells in COLUMNS.items()}
    model = TabularRegressor(epochs=5).fit(COLUMNS, price, sample_weight=counted)
    alone = TabularRegressor(epochs=5).fit(kept, price[counted], sample_weight=np.ones(counted.sum()))
    np.testing.assert_array_equal(model.predict(COLUMNS), alone.predict(COLUMNS))
    # Contradicting rows: the heavier ones win, for several targets and for classes.
    rows = {"x": np.arange(200) % 10}
    high = np.arange(200) >= 100
    weights = np.where(high, 9.0, 1.0)
    both = TabularRegressor(epochs=60).fit(rows, np.column_stack([high, ~high]).astype(float), weights)
    assert both.predict(rows).shape == (200, 2)
    np.testing.assert_allclose(both.predict(rows).mean(axis=0), [0.9, 0.1], atol=0.05)
    classifier = TabularClassifier(epochs=60).fit(rows, high, sample_weight=weights)
    assert abs(classifier.predict_proba(rows)[:, 1].mean() - 0.9) < 0.05
    assert "weight" not in classifier._model.inputs


def test_wrong_sample_weights():
    for weights in (np.ones(ROWS - 1), -np.ones(ROWS), np.full(ROWS, np.nan), np.zeros(ROWS)):
        with pytest.raises(ValueError):
            TabularRegressor(epochs=2).fit(COLUMNS, price, sample_weight=weights)
    with pytest.raises(ValueError, match="weight_column"):
        TabularRegressor(weight_column="size").fit(COLUMNS, price, sample_weight=np.ones(ROWS))


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("targets", [1, 2])
def test_ctrl_c_ends_a_fit_with_a_usable_model(targets, monkeypatch):
    started = threading.Event()
    core = geartrain._tabular._core

    def fit(*arguments):
        started.set()
        return core.TableModel.fit(*arguments)

    def interrupt():
        started.wait()
        time.sleep(1)  # within the training, which takes hours
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(geartrain._tabular, "_core", SimpleNamespace(TableModel=SimpleNamespace(fit=fit)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        model = TabularRegressor(epochs=10_000_000).fit(COLUMNS, np.column_stack([price] * targets))
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert np.isfinite(model.predict(COLUMNS)).all()


def test_copies_and_files(tmp_path):
    for model, y in ((TabularRegressor(epochs=5), price), (TabularClassifier(epochs=5), price > 10)):
        model.fit(COLUMNS, y)
        model.save(tmp_path / "model.safetensors")
        copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
        for again in copies:
            np.testing.assert_array_equal(again.predict(COLUMNS), model.predict(COLUMNS))
        loaded = type(model).load(tmp_path / "model.safetensors")
        assert loaded.predict(COLUMNS).shape == (ROWS,)


def test_dates_and_numbers_as_objects():
    days = np.datetime64("2020-01-01") + np.arange(ROWS)
    columns = {"day": days, "mixed": np.array([None, *range(1, ROWS)], dtype=object)}
    model = TabularRegressor(epochs=30).fit(columns, np.arange(ROWS) / 10.0)
    assert model.score(columns, np.arange(ROWS) / 10.0) > 0.9


@pytest.mark.skipif(os.name != "posix", reason="sets the time zone of the process")
def test_times_do_not_depend_on_the_time_zone(monkeypatch):
    times = [datetime.datetime(2020, 1, 1, hour) for hour in range(24)]
    expected = np.datetime64("2020-01-01T00", "h") + np.arange(24)
    for zone in ("UTC", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        np.testing.assert_array_equal(geartrain._tabular._cells(np.array(times)), geartrain._tabular._cells(expected))
    monkeypatch.undo()
    time.tzset()


def test_cells_that_are_no_values_are_refused():
    with pytest.raises(TypeError, match="column 'nested': expected numbers, texts, .* got a list"):
        TabularRegressor().fit({"nested": np.array([[1], "a"] * 150, dtype=object)}, price)


def test_errors_are_told():
    with pytest.raises(ValueError, match="rows as in X"):
        TabularRegressor().fit(COLUMNS, price[:-1])
    with pytest.raises(ValueError, match="NaN"):
        TabularRegressor().fit(COLUMNS, price * np.nan)
    with pytest.raises(ValueError, match="class"):
        TabularClassifier().fit(COLUMNS, np.ones(ROWS))
    with pytest.raises(ValueError, match="not fitted"):
        TabularRegressor().predict(COLUMNS)
