"""The tab "Gradient flow": its numbers are those of `geartrain gradients`, and its answers are fast."""

import json
import math
import re
import shlex
import subprocess
import threading

import pytest
from conftest import PROGRAM
from playwright.sync_api import expect

START = "#flow?n=12_32_tanh_lecun_1.3_0.2_no_none"


def settled(page, seeds=8):
    """Waits for the chosen network's last measurement and its diagnosis."""
    expect(page.locator("#flow .sums").locator("..")).to_have_attribute("data-seeds", str(seeds), timeout=20_000)
    expect(page.locator("#flow .diagnosis")).to_have_attribute("data-stale", "false", timeout=20_000)


def rows(page):
    return page.locator("#flow .sums tbody tr")


def decades(page, row=0):
    return float(rows(page).nth(row).locator("[data-value]").get_attribute("data-value"))


def by_command(page):
    """Runs the command that the page shows; its network."""
    command = page.locator("#flow .command code").text_content()
    options = shlex.split(command.removeprefix("geartrain "))
    run = subprocess.run([PROGRAM, *options, "--json"], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)["networks"][0]


@pytest.mark.parametrize(
    "net",
    ["12_32_tanh_lecun_1.3_0.2_no_none", "10_24_relu_auto_1_0_0.5_layer", "9_16_leaky_relu_orthogonal_1.2_0_no_batch"],
)
def test_the_numbers_are_the_library_s(open_page, net):
    page = open_page(f"#flow?n={net}")
    settled(page)
    expected = by_command(page)
    assert decades(page) == pytest.approx(expected["decades"], abs=1e-12)
    assert page.locator("#flow .diagnosis").get_attribute("data-text") == expected["diagnosis"]
    # the table behind the plot: every layer's gradient relative to the last
    page.get_by_text("The numbers as a table").first.click()
    cells = page.locator("#flow .behind table").first.locator("tbody tr")
    seeds = [[layer for layer in seed["layers"] if layer["nesting"] == 0] for seed in expected["seeds"]]
    stations = [i for i, layer in enumerate(seeds[0]) if re.match(r"Linear|Residual|x \+", layer["layer"]) and layer["outputs"] > 1]
    expect(cells).to_have_count(len(stations))
    for row, station in enumerate(stations):
        logs = [math.log10(seed[station]["gradient"] / seed[stations[-1]]["gradient"]) for seed in seeds]
        shown = cells.nth(row).locator("td").nth(2).inner_text().replace("−", "-")
        assert float(shown) == pytest.approx(10 ** (sum(logs) / len(logs)), rel=1e-3)
        predicted = seeds[0][station]["predicted_gradient"]
        shown = cells.nth(row).locator("td").nth(4).inner_text().replace("−", "-")
        if predicted is not None:
            assert float(shown) == pytest.approx(predicted / seeds[0][stations[-1]]["predicted_gradient"], rel=1e-3)


def test_four_networks_side_by_side(open_page):
    page = open_page(START)
    settled(page)
    add = page.get_by_role("button", name="Add a copy to compare")
    for activation in ("relu", "sigmoid", "selu"):
        add.click()
        page.get_by_label("Activation").first.select_option(activation)
        settled(page)
    expect(rows(page)).to_have_count(4)
    expect(add).to_be_disabled()
    assert len({decades(page, row) for row in range(4)}) == 4
    # a colour and a mark for each, the same in the legend and in the plot
    marks = page.locator("#flow .sums .sample path:last-child").evaluate_all("all => all.map(one => [one.getAttribute('class'), one.getAttribute('d')])")
    assert len({tuple(mark) for mark in marks}) == 4 and len({colour for colour, _ in marks}) == 4
    drawn = page.locator("#flow .seen .plot path[transform]").evaluate_all("all => all.map(one => one.getAttribute('d'))")
    assert set(drawn) == {shape for _, shape in marks}
    assert len(drawn) == 4 * 12
    # a lone curve is left, of the network that was not removed
    kept = decades(page, 1)
    for _ in range(2):
        page.get_by_role("button", name=re.compile("^Remove")).last.click()
    page.get_by_role("button", name=re.compile("^Remove tanh")).click()
    expect(rows(page)).to_have_count(1)
    assert decades(page) == kept
    expect(page.get_by_role("button", name=re.compile("^Remove"))).to_have_count(0)


def test_a_drag_ends_with_the_answer_to_the_last_question(open_page):
    page = open_page("#flow?n=12_32_relu_auto_1_0_no_none")
    settled(page)
    asked = []
    page.on("request", lambda request: asked.append(request.post_data) if "/api/flow" in request.url else None)
    # as a hand moves it, faster than answers come
    page.get_by_label("Depth", exact=True).evaluate(
        """async (slider) => {
            for (let depth = 13; depth <= 50; depth++) {
                slider.value = depth;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                await new Promise((after) => setTimeout(after, 4));
            }
        }"""
    )
    settled(page)
    expect(rows(page).first).to_contain_text("50\u00a0×\u00a032")
    assert json.loads(asked[-1])["depth"] == 50
    assert 2 <= len(asked) < 38, f"{len(asked)} questions for 38 movements"
    page.get_by_text("The numbers as a table").first.click()
    expect(page.locator("#flow .behind table").first.locator("tbody tr")).to_have_count(50)
    assert decades(page) == pytest.approx(by_command(page)["decades"], abs=1e-12)


def test_the_first_answer_comes_at_once(open_page):
    page = open_page("#flow?n=30_64_tanh_auto_1_0_no_none")
    settled(page)
    times = []
    for width in (60, 64, 60):
        page.get_by_role("spinbutton", name="Width, as a number").fill(str(width))
        expect(rows(page).first).to_contain_text(f"30 × {width}")
        settled(page)
        times.append(float(page.locator("#flow .sums").locator("..").get_attribute("data-milliseconds")))
    assert min(times) < 500, times


def test_what_is_too_large_is_said_at_its_field(open_page, watch):
    watch.expect("status of 413")
    page = open_page("#flow?n=200_32_relu_auto_1_0_no_none")
    width = page.get_by_role("spinbutton", name="Width, as a number")
    width.fill("256")
    message = page.get_by_text("at depth 200 the limit is 128")
    expect(message).to_be_visible()
    expect(width).to_have_attribute("aria-invalid", "true")
    assert message.get_attribute("id") == width.get_attribute("aria-describedby")
    width.fill("16")
    expect(message).to_be_hidden()
    settled(page)


def test_the_phase_diagram_is_dragged_and_the_address_keeps_it(open_page):
    page = open_page(START)
    settled(page)
    plot = page.locator("#flow .draggable")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    before = decades(page)
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.3, steps=5)
    page.mouse.up()
    sigma_w = float(page.get_by_role("spinbutton", name="Gain, as a number").input_value())
    sigma_b = float(page.get_by_role("spinbutton", name="σb, as a number").input_value())
    assert 2.5 < sigma_w < 3.5 and 0.9 < sigma_b < 1.7
    settled(page)
    after = decades(page)
    assert after > before + 0.5, "chaos: gradients explode"
    expect(page).to_have_url(re.compile(f"lecun_{sigma_w:g}_{sigma_b:g}_"))
    again = open_page(page.url.split("/", 3)[3])
    settled(again)
    assert decades(again) == after


def test_other_quantities(open_page):
    page = open_page("#flow?n=20_64_sigmoid_auto_1_0_no_none&n=20_64_relu_auto_1_0_no_none&show=signal")
    settled(page)
    expect(page.get_by_role("heading", name="Signal by layer")).to_be_visible()
    page.get_by_label("Quantity in the plot").select_option("weight")
    expect(page.get_by_role("heading", name="Gradient of the weights by layer")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Gradient of the weights"))).to_be_visible()


def test_many_pages_at_once(server, open_page):
    """50 questions at the same time: each is answered, and others are not kept waiting."""
    net = {"depth": 6, "width": 16, "activation": "relu", "init": "auto", "gain": 1, "sigma_b": 0, "skip": None, "norm": "none"}
    answers = []

    def ask():
        status, text = server.post("/api/flow", net)
        answers.append((status, [json.loads(line)["kind"] for line in text.strip().split("\n")]))

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    assert server.post("/api/chain", {"formula": "x", "inputs": {"x": 1}, "drawing": False})[0] == 200
    for thread in threads:
        thread.join(timeout=60)
    assert len(answers) == 50
    assert all(status == 200 and kinds[-1] == "diagnosis" for status, kinds in answers)
