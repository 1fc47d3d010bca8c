"""The layout of every tab at the widths of a laptop, a tablet and a phone: the boxes of the page are compared."""

import re

import pytest
from playwright.sync_api import expect

WIDTHS = [1280, 768, 390]
TABS = ["chain", "flow", "training"]

# What stands on one line at every width.
LINES = [
    ".top .tabs",
    "#chain .steps .buttons",
    "#chain .steps .position",
    "#chain .steps .speed",
    ".slider",
    "#flow .net",
    "#flow .net label",
    "#training .bar .actions",
    "#training .bar .downloads",
    ".check",
]
# On one line where there is space for it.
WIDE_LINES = ["#chain .steps", "#training .bar > .row:first-child", "#flow .apart"]

BOXES = """
const visible = (node) => {
  const box = node.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && node.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true }) && !node.closest(".spoken");
};
const name = (node) => `${node.tagName.toLowerCase()}${node.id ? "#" + node.id : ""}.${[...node.classList].join(".")} "${(node.textContent || node.value || "").trim().slice(0, 30)}"`;
"""

ON_ONE_LINE = f"""(selectors) => {{
  {BOXES}
  const wrong = [];
  for (const selector of selectors) {{
    for (const line of document.querySelectorAll(selector)) {{
      const parts = [...line.children].filter(visible).map((node) => [node, node.getBoundingClientRect()]);
      for (let i = 1; i < parts.length; i++) {{
        const [[a, left], [b, right]] = [parts[i - 1], parts[i]];
        const middles = Math.abs((left.top + left.bottom) / 2 - (right.top + right.bottom) / 2);
        if (middles > 6 || right.left < left.right - 1) wrong.push(`${{selector}}: ${{name(a)}} and ${{name(b)}}`);
      }}
    }}
  }}
  return wrong;
}}"""

# Children of one element must not overlap. Inline text may wrap around, and what is pinned lies above on purpose.
OVERLAPS = f"""() => {{
  {BOXES}
  const inline = (node) => ["inline", "contents"].includes(getComputedStyle(node).display) && !["BUTTON", "INPUT", "SELECT"].includes(node.tagName);
  const pinned = (node) => ["sticky", "absolute", "fixed"].includes(getComputedStyle(node).position);
  const wrong = [];
  for (const parent of document.querySelectorAll("body, body *:not(svg, svg *)")) {{
    const parts = [...parent.children].filter((node) => visible(node) && !inline(node) && !pinned(node));
    for (let i = 0; i < parts.length; i++) {{
      for (let j = i + 1; j < parts.length; j++) {{
        const [a, b] = [parts[i].getBoundingClientRect(), parts[j].getBoundingClientRect()];
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 1 && tall > 1) wrong.push(`${{name(parts[i])}} and ${{name(parts[j])}}`);
      }}
    }}
  }}
  return wrong;
}}"""

# Nothing leaves its card, but for what scrolls in a frame of its own.
ESCAPES = f"""() => {{
  {BOXES}
  const wrong = [];
  for (const card of document.querySelectorAll(".card, .top")) {{
    if (!visible(card)) continue;
    const frame = card.getBoundingClientRect();
    for (const node of card.querySelectorAll("*:not(svg *)")) {{
      if (!visible(node)) continue;
      let scrolls = false;
      for (let up = node.parentElement; up !== card && !scrolls; up = up.parentElement) {{
        scrolls = getComputedStyle(up).overflowX !== "visible";
      }}
      const box = node.getBoundingClientRect();
      if (!scrolls && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1)) wrong.push(name(node));
    }}
  }}
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is ${{document.documentElement.scrollWidth}} wide`);
  return wrong;
}}"""

# Labels of a plot must not overlap.
LABELS = f"""() => {{
  {BOXES}
  const wrong = [];
  for (const plot of document.querySelectorAll(".plot svg")) {{
    const texts = [...plot.querySelectorAll("text")].filter(visible);
    texts.forEach((one, i) => texts.slice(i + 1).forEach((other) => {{
      const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 && tall > 4) wrong.push(`${{name(one)}} and ${{name(other)}}`);
    }}));
  }}
  return wrong;
}}"""


def settle(page, tab):
    """Waits until the tab shows its results."""
    if tab == "chain":
        expect(page.locator("#chain .graph")).to_be_visible()
    elif tab == "flow":
        expect(page.locator("#flow .diagnosis p").nth(1)).to_be_visible()
    else:
        expect(page.locator("#training .predictions td").first).to_be_visible()


def assert_tidy(page, width):
    lines = LINES + (WIDE_LINES if width >= 768 else [])
    assert page.evaluate(ON_ONE_LINE, lines) == []
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(ESCAPES) == []
    assert page.evaluate(LABELS) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_tidy(open_page, tab, width):
    page = open_page(f"#{tab}", viewport={"width": width, "height": 900})
    settle(page, tab)
    assert_tidy(page, width)
    # The selectors above name something: a test of nothing would pass as well.
    named = {"chain": "#chain .steps .buttons", "flow": "#flow .net label", "training": "#training .bar .actions"}[tab]
    assert page.locator(f"{named} > *").count() >= 3


def test_the_checks_notice_a_fault(open_page):
    page = open_page("#chain", viewport={"width": 1280, "height": 900})
    settle(page, "chain")
    for check, part, style in [
        (lambda: page.evaluate(ON_ONE_LINE, LINES), "#chain .steps .buttons", {"display": "grid"}),
        (lambda: page.evaluate(OVERLAPS), "#chain .steps .position", {"marginLeft": "-60px"}),
        (lambda: page.evaluate(ESCAPES), "#chain .steps .buttons", {"marginLeft": "-60px"}),
    ]:
        apply = "(node, style) => Object.assign(node.style, style)"
        assert check() == []
        page.locator(part).evaluate(apply, style)
        assert check() != []
        page.locator(part).evaluate(apply, {key: "" for key in style})


@pytest.mark.parametrize("width", WIDTHS)
def test_the_buttons_of_the_player_are_one_row(open_page, width):
    page = open_page("#chain", viewport={"width": width, "height": 900})
    buttons = page.locator("#chain .steps button")
    expect(buttons).to_have_count(5)
    boxes = [button.bounding_box() for button in buttons.all()]
    middles = [box["y"] + box["height"] / 2 for box in boxes]
    assert max(middles) - min(middles) < 2
    assert all(left["x"] + left["width"] <= right["x"] for left, right in zip(boxes, boxes[1:]))
    rows = page.locator("#chain .steps").bounding_box()["height"] / boxes[0]["height"]
    assert rows < (1.5 if width >= 768 else 2.8)


@pytest.mark.parametrize("width", WIDTHS)
def test_tabs_stay_tidy_in_use(open_page, watch, width):
    watch.expect("400 (Bad Request)")
    size = {"width": width, "height": 900}
    long = open_page("#chain?formula=sigmoid(sigmoid(weight_of_the_first*input_of_the_network%2Bbias)%2Bvery_long_name_of_an_input)-tanh(z)", viewport=size)
    settle(long, "chain")
    assert_tidy(long, width)
    wrong = open_page("#chain?formula=x*(2%2B", viewport=size)
    expect(wrong.locator("#chain .error")).to_be_visible()
    assert_tidy(wrong, width)
    flow = open_page("#flow?n=200_64_leaky_relu_orthogonal_1.25_0.5_0.3333_batch&n=9_16_gelu_lecun_1.5_0.25_no_layer&show=weight", viewport=size)
    settle(flow, "flow")
    flow.locator("#flow summary").evaluate_all("all => all.forEach(one => one.click())")
    assert_tidy(flow, width)
    for address in ("#training?data=friedman&epochs=5&speed=0", "#training?data=spirals&epochs=5&speed=0", "#training?data=table"):
        training = open_page(address, viewport=size)
        if "table" not in address:
            settle(training, "training")
            training.get_by_role("button", name="Run", exact=True).click()
            expect(training.locator("#training")).to_have_attribute("data-state", "ended")
            training.locator("#training summary").evaluate_all("all => all.forEach(one => one.click())")
        assert_tidy(training, width)


def test_a_confusion_matrix_is_tidy(open_page, watch):
    watch.expect("400 (Bad Request)")  # until the option below is set, the labels are not numbers
    for width in WIDTHS:
        page = open_page("#training?data=table", viewport={"width": width, "height": 900})
        rows = "".join(f"{i},{i % 7},{i % 5},{'a kind with a long name' if i % 3 else 'b'}\n" for i in range(60))
        page.get_by_label("Table, with column names in the first line").fill(f"length,width,height,kind\n{rows}")
        page.get_by_label("The target holds classes").check()
        expect(page.locator("#training .confusion")).to_be_visible()
        assert_tidy(page, width)


def test_styles_of_a_tab_apply_to_no_other(page):
    """Every rule of a tab's stylesheet is nested in the ids of its tabs."""
    owners = page.evaluate("""() => Object.fromEntries([...document.styleSheets].map((sheet) => [
        new URL(sheet.href).pathname,
        [...sheet.cssRules].map((rule) => rule.selectorText ?? rule.cssText.slice(0, 40)),
    ]))""")
    assert owners["/chain.css"] == ["#chain"]
    assert owners["/flow.css"] == ["#flow"]
    assert owners["/training.css"] == ["#training"]
    assert owners["/panels.css"] == [":is(#flow, #training)"]
    assert not any(re.search("#(chain|flow|training)", selector) for selector in owners["/style.css"])
