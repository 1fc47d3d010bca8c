"""The tab "Training": it learns, its results can be downloaded and recomputed, and it stops when the page is closed."""

import csv
import io
import json
import math
import re
import time

import numpy as np
import pytest
from conftest import Server
from playwright.sync_api import expect
from safetensors import safe_open

FAST = "speed=0"
SLOW = "epochs=10000&speed=20"
TABLE = "length,height,kind\n" + "".join(
    f"{i % 10 + (5 if i % 3 == 0 else 0)},{(i * 7) % 11},{'pike' if i % 3 == 0 else '<b>eel</b>'}\n" for i in range(60)
)
# one cell of it is empty
GAP = TABLE.replace("\n3,3,", "\n3,,", 1)


def state(page, name, timeout=30_000):
    expect(page.locator("#training")).to_have_attribute("data-state", name, timeout=timeout)


def run(page, name="Run"):
    page.get_by_role("button", name=name, exact=True).click()


def numbers(page):
    """Step, epoch and last losses, with all their digits."""
    node = page.locator("#training .state").first
    return {name: node.get_attribute(f"data-{name}") for name in ("step", "epoch", "train", "validation")}


def score(page):
    return float(page.locator("#training .score").get_attribute("data-value"))


def trained(open_page, choices):
    page = open_page(f"#training?{choices}")
    run(page)
    state(page, "ended")
    return page


def running(server):
    connection = server.connect()
    connection.request("GET", "/api/training")
    return json.loads(connection.getresponse().read())["running"]


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "choices, least",
    [
        (f"data=sine&{FAST}", 0.97),
        (f"data=moons&learning_rate=0.05&{FAST}", 0.95),
        (f"data=spirals&rows=400&noise=0.1&hidden=64,64&activation=relu&optimizer=adam&learning_rate=0.005&epochs=400&{FAST}", 0.95),
        (f"data=friedman&noise=1&hidden=32x4&skip=0.5&norm=layer&optimizer=adamw&learning_rate=0.005&epochs=80&{FAST}", 0.8),
    ],
)
def test_it_learns(open_page, choices, least):
    page = trained(open_page, choices)
    assert score(page) > least
    expect(page.locator("#training .state").first).to_contain_text("finished")
    expect(page.get_by_role("img", name=re.compile("^Loss after"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Gradient by layer and time"))).to_be_visible()


def download(page, name, tmp_path):
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name).click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_the_weights_predict_what_the_page_shows(open_page, tmp_path):
    page = trained(open_page, f"data=friedman&noise=1&hidden=16,8&activation=tanh&epochs=30&{FAST}")
    path = download(page, "Weights", tmp_path)
    assert path.name == "model.safetensors"
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        about = json.loads(file.metadata()["geartrain"])
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    assert shapes == {
        **{"0.weight": (16, 10), "0.bias": (16,), "2.weight": (8, 16), "2.bias": (8,), "4.weight": (1, 8), "4.bias": (1,)}
    }
    rows = page.locator("#training .predictions tbody tr").all()
    assert len(rows) == 12
    cells = [[float(cell.get_attribute("data-value")) for cell in row.locator("[data-value]").all()] for row in rows]
    shown, x = np.array([row[1] for row in cells]), np.array([row[2:] for row in cells])
    scale = lambda name, values: (values - np.array(about[name]["mean"])) / np.array(about[name]["std"])
    h = scale("x_scale", x)
    for layer in ("0", "2"):
        h = np.tanh(h @ tensors[f"{layer}.weight"].T + tensors[f"{layer}.bias"])
    z = h @ tensors["4.weight"].T + tensors["4.bias"]
    y = z[:, 0] * about["y_scale"]["std"][0] + about["y_scale"]["mean"][0]
    assert np.ptp(y) > 3, "it has learnt something"
    np.testing.assert_allclose(y, shown, rtol=1e-9)

    history = list(csv.DictReader(io.StringIO(download(page, "History", tmp_path).read_text())))
    assert [row["epoch"] for row in history] == [str(epoch) for epoch in range(1, 31)]
    assert float(history[-1]["train_loss"]) == float(numbers(page)["train"])
    assert float(history[-1]["validation_loss"]) == float(numbers(page)["validation"])


def test_pause_step_and_reset(open_page):
    page = open_page(f"#training?data=moons&{SLOW}")
    weights = page.get_by_role("link", name="Weights")
    expect(weights).to_have_attribute("aria-disabled", "true")
    run(page)
    expect(page.get_by_role("button", name="Step", exact=True)).to_be_disabled()
    until(lambda: int(numbers(page)["step"] or 0) > 13)
    run(page, "Pause")
    state(page, "paused")
    expect(weights).to_have_attribute("href", re.compile(r"^/api/training/\d+/model.safetensors$"))
    # a step may have been under way
    time.sleep(0.3)
    at = int(numbers(page)["step"])
    time.sleep(0.3)
    assert int(numbers(page)["step"]) == at, "it goes on while it pauses"
    for more in (1, 2, 3):
        run(page, "Step")
        expect(page.locator("#training .state").first).to_have_attribute("data-step", str(at + more))
        state(page, "paused")
    run(page, "Resume")
    until(lambda: int(numbers(page)["step"]) > at + 20)
    run(page, "Reset")
    state(page, "idle")
    expect(page.locator("#training .state").first).to_contain_text("untrained")
    expect(page.locator("#training .state").first).to_have_attribute("data-step", "0")
    # from the start, one step at a time
    run(page, "Step")
    state(page, "paused")
    assert numbers(page)["step"] == "1"


def test_steps_and_pauses_change_nothing(open_page):
    """However often it was held, a training ends with the same bits, and so does one from its link."""
    choices = f"data=sine&rows=100&hidden=16&epochs=40&seed=3&{FAST}"
    page = trained(open_page, choices)
    final = numbers(page)
    assert math.isfinite(float(final["train"]))
    run(page, "Reset")
    state(page, "idle")
    for step in range(1, 6):
        run(page, "Step")
        expect(page.locator("#training .state").first).to_have_attribute("data-step", str(step))
    run(page, "Resume")
    state(page, "ended")
    assert numbers(page) == final
    again = open_page(page.url.split("/", 3)[3])
    run(again)
    state(again, "ended")
    assert numbers(again) == final
    again.get_by_label("Seed").fill("4")
    state(again, "idle")
    expect(again).to_have_url(re.compile("seed=4"))
    run(again)
    state(again, "ended")
    assert numbers(again)["train"] != final["train"]


def test_a_table_of_one_s_own(open_page, watch):
    watch.expect("status of 400")
    page = open_page(f"#training?{FAST}&epochs=60&optimizer=adam&learning_rate=0.02")
    page.get_by_label("Data", exact=True).select_option("table")
    box = page.get_by_label("Table, with column names in the first line")
    box.fill("a,b\n1,2\n3,four\n5,6\n")
    message = page.get_by_text("line 3, column 2 (`b`): `four` is not a number")
    expect(message).to_be_visible()
    assert message.get_attribute("id") == box.get_attribute("aria-describedby")
    box.fill(GAP)
    page.get_by_label("The target holds classes").check()
    expect(page.get_by_text(re.compile(r"the cell is empty.*choose a rule for missing values"))).to_be_visible()
    page.get_by_label("Missing values").select_option("drop")
    expect(page.get_by_text("the cell is empty")).to_be_hidden()
    page.get_by_label("Column to predict").fill("kinder")
    expect(page.get_by_text(re.compile("there is no column `kinder`"))).to_be_visible()
    page.get_by_label("Column to predict").fill("kind")
    expect(page.get_by_text(re.compile("there is no column"))).to_be_hidden()
    run(page)
    state(page, "ended")
    assert score(page) > 0.6
    # a label is text, whatever it says
    expect(page.locator("#training .predictions td", has_text="<b>eel</b>").first).to_be_visible()
    assert page.locator("#training b").count() == 0
    # the table is part of the link
    final = numbers(page)
    again = open_page(page.url.split("/", 3)[3])
    expect(again.get_by_label("Table, with column names in the first line")).to_have_value(GAP)
    run(again)
    state(again, "ended")
    assert numbers(again) == final


def test_a_file(open_page, tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text("a;b;c;d\n" + "".join(f"{i};{i * i % 17};{i % 5};{i % 2}\n" for i in range(50)))
    page = open_page(f"#training?data=table&{FAST}&epochs=5")
    page.get_by_label("… or a file").set_input_files(path)
    expect(page.get_by_label("Delimiter")).to_have_value("semicolon")
    expect(page.get_by_label("Column to predict")).to_have_value("d")
    run(page)
    state(page, "ended")
    expect(page.get_by_role("heading", name="Predicted and true")).to_be_visible()


def test_what_cannot_be_is_said_at_its_field(open_page, watch):
    watch.expect("status of 400")
    watch.expect("status of 413")
    page = open_page("#training?")
    for label, wrong, words in [
        ("Units of the hidden layers", "32,x", "whole numbers"),
        ("Units of the hidden layers", "512x9", "at most 500000 weights"),
        ("Learning rate", "-1", "must be from 0 to 100"),
        ("Epochs", "99999999", "must be from 0 to 10000"),
        ("Rows", "3", "must be from 10 to 5000"),
    ]:
        box = page.get_by_label(label, exact=True)
        right = box.input_value()
        box.fill(wrong)
        message = page.locator("#training .error", has_text=words)
        expect(message).to_be_visible()
        expect(box).to_have_attribute("aria-describedby", message.get_attribute("id"))
        box.fill(right)
        expect(message).to_be_hidden()
    # what diverges is a matter of the learning rate
    page.get_by_label("Learning rate").fill("90")
    run(page)
    state(page, "ended")
    expect(page.get_by_text(re.compile("training diverged in epoch"))).to_be_visible()


def test_closing_the_page_stops_its_training(open_page, server):
    for held in (False, True):
        page = open_page(f"#training?data=sine&{SLOW}")
        run(page)
        until(lambda: int(numbers(page)["step"] or 0) > 0)
        assert running(server) == 1
        if held:
            run(page, "Pause")
            state(page, "paused")
        page.close()
        until(lambda: running(server) == 0, seconds=5)


def test_another_tab_pauses_it(open_page):
    page = open_page(f"#training?data=sine&{SLOW}")
    run(page)
    until(lambda: int(numbers(page)["step"] or 0) > 0)
    page.get_by_role("tab", name="Gradient flow").click()
    page.get_by_role("tab", name="Training").click()
    state(page, "paused")


def test_too_many_trainings_are_refused(open_page, watch):
    """A server of its own, because its places are taken."""
    watch.expect("status of 503")
    server = Server()
    try:
        pages = [open_page() for _ in range(5)]
        for page in pages:
            page.goto(f"{server.url}/#training?data=sine&{SLOW}")
            run(page)
        expect(pages[4].get_by_text("4 trainings are open already")).to_be_visible()
        assert running(server) == 4
        pages[0].close()
        until(lambda: running(server) == 3)
        run(pages[4])
        until(lambda: running(server) == 4)
        assert server.post("/api/training/999999", {"order": "pause"})[0] == 410
        for page in pages[1:]:
            page.close()
        until(lambda: running(server) == 0)
    finally:
        server.stop()


def test_a_large_table_is_refused(server):
    settings = {
        **{"data": "table", "rows": 10, "noise": 0, "hidden": [4], "activation": "tanh", "init": "auto", "gain": 1},
        **{"skip": None, "norm": "none", "optimizer": "sgd", "learning_rate": 0.1, "batch": 8, "epochs": 1, "seed": 0, "speed": 0},
    }
    table = {"csv": "a,b\n" + "1,2\n" * 300_000, "target": "b", "classes": False, "drop": [], "delimiter": "comma", "missing": "error"}
    status, answer = server.post("/api/training", {"settings": {**settings, "table": table}, "order": "run"})
    assert status == 413 and answer["field"] == "csv"
    assert running(server) == 0


def edge(page):
    """The last sharpness and the largest stable one."""
    plot = page.locator("#training [data-threshold]")
    return [float(plot.get_attribute(f"data-{name}")) for name in ("sharpness", "threshold")]


def test_the_limit_of_stability_follows_the_rate_and_the_momentum(open_page):
    page = open_page("#training?data=sine&rows=100&optimizer=sgd&batch=80&learning_rate=0.1&epochs=10000&speed=100")
    until(lambda: page.locator("#training [data-threshold]").count() and edge(page)[1] == pytest.approx(20))
    momentum = page.get_by_label("Momentum β, as a number")
    expect(momentum).to_be_disabled()
    run(page)
    # the sharpness rises to the limit
    until(lambda: edge(page)[0] > 18, 60)
    # (twice the rate would diverge)
    page.get_by_label("Rate η, as a number").fill("0.05")
    until(lambda: edge(page)[1] == pytest.approx(40))
    momentum.fill("0.5")
    until(lambda: edge(page)[1] == pytest.approx(60))
    run(page, "Pause")
    state(page, "paused")
    expect(page.get_by_role("img", name=re.compile("^Density of the eigenvalues"))).to_be_visible()
    # a setting of the next run, before it begins
    run(page, "Reset")
    page.get_by_label("Rate η, as a number").fill("0.2")
    until(lambda: edge(page)[1] == pytest.approx(10))


def test_the_way_through_the_phase_diagram_has_an_axis_of_time(open_page):
    page = open_page("#training?data=sine&rows=100&optimizer=sgd&batch=80&learning_rate=0.1&epochs=300&speed=0")
    run(page)
    state(page, "ended")
    diagram = page.get_by_role("img", name=re.compile("^Phase diagram. Step "))
    # the end of training is measured
    expect(diagram).to_have_attribute("aria-label", re.compile("Step 300: "))
    end = diagram.get_attribute("aria-label")
    page.get_by_label("Step, as a number").fill("0")
    expect(diagram).to_have_attribute("aria-label", re.compile("Step 0: "))
    assert diagram.get_attribute("aria-label").split(": ")[1] != end.split(": ")[1]
    # normalisation changes the maps: no diagram
    page.get_by_label("Normalisation").select_option("layer")
    expect(page.get_by_role("img", name=re.compile("^Phase diagram"))).to_have_count(0)


def test_a_rate_out_of_range_is_refused(server):
    assert server.post("/api/training/1", {"learning_rate": -1})[0] in (400, 410)
    assert server.post("/api/training/1", {"momentum": 1.5})[0] in (400, 410)
