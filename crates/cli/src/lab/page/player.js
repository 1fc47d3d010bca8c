// Draws the graph of one run, animates its passes, and writes the hand calculation beside it.
//
// The server computes the run; nodes and edges are numbered; nothing is differentiated here. A run is a list of steps:
// a value (→), a local derivative on an edge, a gradient that flows back along an edge (←) and is added to the sum.

import { announce, brief, element, svg, toNumber } from "./common.js";

const MARGIN = 14;
/** Milliseconds for a step at speed 1. */
const PACE = 1100;
const SPEEDS = [0.5, 1, 2, 4];
/** Characters of a number in the picture at most; see the library's `Drawing`. */
const LONGEST = 7;
/** The smallest scale at which text is readable: below it, the picture scrolls. */
const SMALLEST = 0.8;

// The icons of the buttons, in a box of 16 × 16: few fonts have all of them.
const PLAY = "M4 2v12l10-6z";
const PAUSE = "M3 2h4v12H3zM9 2h4v12H9z";
const START = "M2 2h2v12H2zM14 2v12L5 8z";
const BACK = "M12 2v12L3 8z";
const FORWARD = "M4 2v12l9-6z";
const END = "M12 2h2v12h-2zM2 2v12l9-6z";

const icon = (sign) => svg("svg", { class: "sign", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: sign }));

/** A number with up to four digits, as many as fit in the picture. */
function fit(x) {
  for (let digits = 4; digits > 1; digits--) {
    const text = brief(x, digits);
    if (text.length <= LONGEST) return text;
  }
  return brief(x, 1);
}

/** The typographic minus sign. */
const minus = (text) => text.replaceAll("-", "−");

const factor = (x) => (brief(x).startsWith("−") ? `(${brief(x)})` : brief(x));

/** An edge and its rows in the table. */
const ofEdge = (index) => ({ edges: [index], rows: [`s${index}`, `b${index}`] });

/** Names can have any length. */
const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** The run in one line: f = (w*x+b)^2 = 49. */
export function summary(run) {
  const inputs = run.inputs.map(({ name, value }) => `${name} = ${brief(value, 6)}`).join(", ");
  return element(
    "p",
    { class: "summary" },
    element("span", { class: "formula" }, `f = ${run.formula}`),
    inputs ? ` at ${inputs} ` : " ",
    element("span", { class: "value" }, `= ${brief(run.value, 6)}`),
  );
}

export class Player {
  /** `onstep` is called when the reader goes to another step or changes the speed. */
  constructor({ onstep = () => {} } = {}) {
    this.onstep = onstep;
    this.run = null;
    this.at = 0;
    this.timer = null;
    this.figure = element("div", { class: "figure" });
    this.caption = element("p", { class: "caption" });
    this.table = element("div", { class: "card trace" });
    this.ways = element("div", { class: "card ways" });
    this.node = element(
      "div",
      { class: "player", hidden: true },
      element("div", { class: "left" }, element("div", { class: "card stage" }, this.figure, this.caption, this.controls()), this.ways),
      this.table,
    );
  }

  controls() {
    const button = (label, sign, onclick) =>
      element("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick }, icon(sign));
    this.playButton = element("button", { type: "button", class: "primary play", onclick: () => this.toggle() });
    this.position = element("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 1,
      "aria-label": "Step",
      oninput: () => this.visit(Number(this.position.value)),
    });
    this.counter = element("span", { class: "counter faint small" });
    this.speedChoice = element(
      "select",
      { onchange: () => this.onstep() },
      SPEEDS.map((speed) => element("option", { value: speed, selected: speed === 1 }, `${speed}×`)),
    );
    return element(
      "div",
      { class: "steps", role: "group", "aria-label": "Animation" },
      element(
        "div",
        { class: "buttons" },
        this.playButton,
        button("To the start", START, () => this.visit(0)),
        button("Step back", BACK, () => this.visit(this.at - 1)),
        button("Step forward", FORWARD, () => this.visit(this.at + 1)),
        button("To the end", END, () => this.visit(this.run.steps.length)),
      ),
      element("div", { class: "position" }, this.position, this.counter),
      element("label", { class: "speed small" }, "Speed", this.speedChoice),
    );
  }

  get speed() {
    return Number(this.speedChoice.value);
  }

  set speed(speed) {
    if (SPEEDS.includes(speed)) this.speedChoice.value = speed;
  }

  /** Shows a run. With a `drawing` it may be of another formula and starts at its end; without, it has new numbers. */
  show(run) {
    this.node.hidden = false;
    const sameGraph = !run.drawing;
    if (sameGraph) run.drawing = this.run.drawing;
    this.run = run;
    this.order();
    if (!sameGraph) {
      this.stop();
      this.draw();
      this.at = run.steps.length;
      this.position.max = run.steps.length;
    }
    this.writeTable(sameGraph);
    this.writeWays();
    this.refresh();
  }

  /** The step at which each number is known, and the partial sums of each gradient. */
  order() {
    const { nodes, edges, steps } = this.run;
    this.valueStep = new Array(nodes.length).fill(-1);
    this.slopeStep = new Array(edges.length).fill(-1);
    this.backStep = new Array(edges.length).fill(-1);
    this.sums = nodes.map(() => []);
    steps.forEach((step, index) => {
      if (step.kind === "value") this.valueStep[step.node] = index;
      else if (step.kind === "slope") this.slopeStep[step.edge] = index;
      else if (step.kind === "seed") this.sums[step.node].push({ index, sum: 1 });
      else {
        this.backStep[step.edge] = index;
        this.sums[edges[step.edge].from].push({ index, sum: step.sum });
      }
    });
  }

  // The picture

  draw() {
    const { nodes, edges, drawing } = this.run;
    const [width, height] = [drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN];
    const tip = svg(
      "marker",
      { id: "tip", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 9, markerHeight: 9, orient: "auto", markerUnits: "userSpaceOnUse" },
      svg("path", { class: "tip", d: "M0 0.5L8 4L0 7.5z" }),
    );
    this.dots = svg("g", { "aria-hidden": "true" });
    this.edgeParts = edges.map((edge, index) => this.drawEdge(edge, drawing.edges[index], index));
    this.nodeParts = nodes.map((node, index) => this.drawNode(node, drawing.nodes[index], index));
    this.picture = svg(
      "svg",
      { class: "graph", viewBox: `${drawing.left - MARGIN} ${drawing.top - MARGIN} ${width} ${height}`, role: "img", "aria-label": `Graph of ${cut(this.run.formula, 200)}; the table has its numbers` },
      svg("defs", {}, tip),
      this.edgeParts.map((part) => part.group),
      this.nodeParts.map((part) => part.group),
      this.dots,
    );
    // As large as fits, up to slightly more than its natural size.
    this.picture.style.minWidth = `${Math.round(SMALLEST * width)}px`;
    this.picture.style.maxWidth = `${Math.round(1.15 * width)}px`;
    this.figure.replaceChildren(this.picture);
  }

  drawNode(node, { title, x, y, width, height }, index) {
    const line = (name, dy) => svg("text", { class: name, x, y: y + dy });
    const heading = svg("text", { class: "heading", x, y: node.kind === "constant" ? y + 5 : y - height / 2 + 23 });
    const [name, definition] = title.split(" = ");
    heading.append(svg("tspan", { class: "name" }, minus(name)));
    if (definition) heading.append(` = ${minus(definition)}`);
    const value = line("value", 8);
    const gradient = line("gradient", 28);
    const box = svg("rect", { class: "box", x: x - width / 2, y: y - height / 2, width, height, rx: 9 });
    const group = svg(
      "g",
      {
        class: `node ${node.kind}`,
        "data-node": index,
        onmouseenter: () => this.light({ nodes: [index], rows: [`v${index}`, `g${index}`] }),
        onmouseleave: () => this.unlight(),
        onclick: () => this.valueStep[index] >= 0 && this.visit(this.valueStep[index] + 1),
      },
      svg("title", {}, node.kind === "constant" ? `constant ${title}` : `${cut(node.name, 100)} = ${cut(node.expression, 200)}`),
      box,
      heading,
      node.kind === "constant" ? null : [value, gradient],
    );
    return { group, value, gradient };
  }

  drawEdge(edge, { path, prefix, x, y }, index) {
    const line = svg("path", { class: "line", d: path, "marker-end": "url(#tip)" });
    const slope = svg("text", { class: "slope", x, y: y - 5 });
    const back = svg("text", { class: "gradient", x, y: y + 14 });
    const group = svg(
      "g",
      {
        class: "edge",
        "data-edge": index,
        onmouseenter: () => this.light(ofEdge(index)),
        onmouseleave: () => this.unlight(),
        onclick: () => this.slopeStep[index] >= 0 && this.visit(this.slopeStep[index] + 1),
      },
      svg("path", { class: "grip", d: path }),
      line,
      slope,
      back,
    );
    if (edge.symbol) group.prepend(svg("title", {}, cut(`${edge.symbol} = ${edge.formula}`, 200)));
    return { group, line, slope, back, prefix };
  }

  /** Brings picture, table, caption and controls to the current step. */
  refresh() {
    const { nodes, edges, steps } = this.run;
    const step = steps[this.at - 1];
    const atEnd = this.at === steps.length;
    nodes.forEach((node, index) => {
      const part = this.nodeParts[index];
      const known = node.kind === "constant" || this.valueStep[index] < this.at;
      const sum = this.sumAt(index);
      part.value.textContent = known ? fit(node.value) : "";
      part.gradient.textContent = sum === null ? "" : `← ${fit(sum)}`;
      part.group.classList.toggle("waiting", !known);
      part.group.classList.toggle("now", !atEnd && (step?.node === index || this.target(step) === index));
    });
    edges.forEach((edge, index) => {
      const part = this.edgeParts[index];
      const slopeKnown = edge.symbol !== null && this.slopeStep[index] < this.at;
      const backKnown = this.backStep[index] >= 0 && this.backStep[index] < this.at;
      part.slope.textContent = slopeKnown ? part.prefix + fit(edge.slope) : "";
      part.back.textContent = backKnown ? `← ${fit(edge.back)}` : "";
      const isNow = !atEnd && (step?.edge === index || (step?.kind === "value" && edge.to === step.node));
      part.group.classList.toggle("now", isNow);
      // During the animation an edge has the colour of its latest number.
      part.group.classList.toggle("local", !atEnd && slopeKnown && !backKnown);
      part.group.classList.toggle("backward", !atEnd && backKnown);
    });
    for (const [key, row] of this.rows) {
      const known = this.knownAt(key) <= this.at;
      row.classList.toggle("waiting", !known);
    }
    const now = atEnd ? [] : this.rowsOf(step);
    for (const row of this.lit ?? []) row.classList.remove("now");
    this.lit = now.map((key) => this.rows.get(key) ?? this.terms.get(key)).filter(Boolean);
    for (const row of this.lit) row.classList.add("now");
    this.position.value = this.at;
    this.position.setAttribute("aria-valuetext", `Step ${this.at} of ${steps.length}`);
    this.counter.textContent = `${this.at} / ${steps.length}`;
    this.tell(step, atEnd);
  }

  /** The gradient of a node so far; null before its first contribution. */
  sumAt(node) {
    return this.sums[node].findLast(({ index }) => index < this.at)?.sum ?? null;
  }

  /** The node that receives a contribution in a backward step. */
  target(step) {
    return step?.kind === "back" ? this.run.edges[step.edge].from : null;
  }

  // The caption

  tell(step, atEnd) {
    const { nodes, edges } = this.run;
    const words = [];
    const strong = (name, text) => element("b", { class: name }, text);
    if (this.run.not_finite) words.push(strong("bad", `Not finite: ${cut(this.run.not_finite, 300)}. `));
    if (!step) {
      words.push("Forward first: each node's value from its operands, left to right.");
    } else if (atEnd) {
      words.push("All numbers of the run: ", strong("value", "→ values"), ", ", strong("slope", "local derivatives"), " and ", strong("gradient", "← gradients"), ". Press play to see each step.");
    } else if (step.kind === "value") {
      const { name, expression, kind, value } = nodes[step.node];
      const from = kind === "input" ? "is an input:" : `= ${minus(cut(expression, 80))} =`;
      words.push(strong("name", cut(name, 40)), ` ${from} `, strong("value", brief(value)));
    } else if (step.kind === "slope") {
      const { symbol, formula, slope } = edges[step.edge];
      words.push("Local derivative: ", cut(symbol, 80), minus(formula) === brief(slope) ? " = " : ` = ${minus(cut(formula, 80))} = `, strong("slope", brief(slope)));
    } else if (step.kind === "seed") {
      words.push("Backward: start with ", nodes[step.node].symbol, " = ", strong("gradient", "1"), ", and go back along the arrows.");
    } else {
      const { from, to, symbol, slope, back } = edges[step.edge];
      const [source, target] = [nodes[from], nodes[to]];
      words.push(`${cut(target.symbol, 40)} · ${cut(symbol, 60)} = `, strong("gradient", factor(target.gradient)), " · ", strong("slope", factor(slope)), " = ", strong("gradient", brief(back)));
      const before = this.sums[from].findLast(({ index }) => index < this.at - 1);
      if (before) {
        words.push(`; paths meet in ${cut(source.name, 40)}, so their gradients add: `, strong("gradient", `${factor(before.sum)} + ${factor(back)} = ${brief(step.sum)}`));
      } else {
        words.push(` goes to ${cut(source.name, 40)}`);
      }
    }
    this.caption.replaceChildren(...words);
  }

  // The table

  /** The step at which a row of the table is known. Its key is v (value), s (slope) or g (gradient) with a number. */
  knownAt(key) {
    const number = Number(key.slice(1));
    if (key[0] === "v") return this.valueStep[number] + 1;
    if (key[0] === "s") return this.slopeStep[number] + 1;
    const sums = this.sums[number];
    return sums.length ? sums[0].index + 1 : this.run.steps.length;
  }

  rowsOf(step) {
    if (!step) return [];
    if (step.kind === "value") return [`v${step.node}`];
    if (step.kind === "slope") return [`s${step.edge}`];
    if (step.kind === "seed") return [`g${step.node}`];
    return [`g${this.run.edges[step.edge].from}`, `b${step.edge}`];
  }

  writeTable(keepRows) {
    const { nodes, edges, steps } = this.run;
    const inTable = document.activeElement && this.table.contains(document.activeElement);
    const focused = inTable ? document.activeElement.dataset.row : null;
    this.rows = new Map();
    this.terms = new Map();
    const section = (title) => element("tr", { class: "section" }, element("th", { colspan: 3, scope: "colgroup" }, title));
    const number = (kind, x) => element("td", { class: `number ${kind}`, title: String(toNumber(x)) }, brief(x, 6));
    const equals = (formula) => element("td", {}, `= ${minus(formula)}`);
    const row = (key, lit, ...cells) => {
      const about = element(
        "tr",
        {
          tabindex: -1,
          "data-row": key,
          onmouseenter: () => this.light(lit),
          onmouseleave: () => this.unlight(),
          onfocus: () => this.light(lit),
          onblur: () => this.unlight(),
          onclick: () => this.visit(this.knownAt(key)),
        },
        cells,
      );
      this.rows.set(key, about);
      return about;
    };
    const values = steps
      .filter(({ kind }) => kind === "value")
      .map(({ node }) => {
        const { name, expression, value } = nodes[node];
        return row(`v${node}`, { nodes: [node], rows: [`v${node}`] }, element("th", { scope: "row" }, name), equals(expression), number("value", value));
      });
    const slopes = edges.flatMap(({ symbol, formula, slope }, index) =>
      symbol ? [row(`s${index}`, ofEdge(index), element("th", { scope: "row" }, symbol), equals(formula), number("slope", slope))] : [],
    );
    // In the order of their completion.
    const complete = (node) => this.sums[node].at(-1).index;
    const reached = [...nodes.keys()].filter((node) => this.sums[node].length);
    const gradients = reached.sort((a, b) => complete(a) - complete(b)).map((node) => {
      const coming = steps.filter(({ kind, edge }) => kind === "back" && edges[edge].from === node).map(({ edge }) => edge);
      const words = coming.flatMap((index, place) => {
        const edge = edges[index];
        const target = nodes[edge.to];
        const term = element(
          "span",
          { class: "term", "data-edge": index, onmouseenter: () => this.light(ofEdge(index)), onmouseleave: () => this.light({ nodes: [node], edges: coming, rows: [`g${node}`] }) },
          `${target.symbol} · ${edge.symbol}`,
          element("small", {}, ` (${factor(target.gradient)} · ${factor(edge.slope)})`),
        );
        this.terms.set(`b${index}`, term);
        return [place ? " + " : "= ", term];
      });
      return row(`g${node}`, { nodes: [node], edges: coming, rows: [`g${node}`] }, element("th", { scope: "row" }, nodes[node].symbol), element("td", {}, coming.length ? words : "= 1, the start"), number("gradient", nodes[node].gradient));
    });
    const scroll = this.table.querySelector(".scroll");
    const [top, left] = keepRows && scroll ? [scroll.scrollTop, scroll.scrollLeft] : [0, 0];
    const body = element(
      "div",
      { class: "scroll" },
      element(
        "table",
        { onkeydown: (event) => this.walk(event) },
        element("caption", { class: "spoken" }, "The calculation, step by step; arrow keys move between its rows"),
        element("tbody", {}, section("Forward: values"), values),
        slopes.length ? element("tbody", {}, section("Local derivatives"), slopes) : null,
        gradients.length ? element("tbody", {}, section("Backward: gradients"), gradients) : null,
      ),
    );
    this.table.replaceChildren(element("h2", {}, "By hand"), body);
    body.scrollTop = top;
    body.scrollLeft = left;
    const first = this.rows.get(focused) ?? this.rows.values().next().value;
    if (first) first.tabIndex = 0;
    if (focused && this.rows.has(focused)) this.rows.get(focused).focus({ preventScroll: true });
  }

  /** Arrow keys move from row to row: the table is one stop of the tab key. */
  walk(event) {
    const rows = [...this.rows.values()];
    const here = rows.indexOf(event.target.closest("tr"));
    const there = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (event.key === "Enter" && here >= 0) rows[here].click();
    if (here < 0 || there === undefined || !rows[there]) return;
    event.preventDefault();
    rows[here].tabIndex = -1;
    rows[there].tabIndex = 0;
    rows[there].focus();
  }

  // Highlighting

  /** Highlights nodes and edges of the picture and their rows in the table. */
  light({ nodes = [], edges = [], rows = [] }) {
    this.unlight();
    this.lighted = [
      ...nodes.map((index) => this.nodeParts[index].group),
      ...edges.map((index) => this.edgeParts[index].group),
      ...rows.map((key) => this.rows.get(key) ?? this.terms.get(key)).filter(Boolean),
    ];
    for (const part of this.lighted) part.classList.add("lit");
  }

  unlight() {
    for (const part of this.lighted ?? []) part.classList.remove("lit");
    this.lighted = [];
  }

  // Gradients three ways

  writeWays() {
    const { inputs, operations, disagreement, step, warnings } = this.run;
    const digits = (x) => element("td", { class: "number gradient", title: String(toNumber(x)) }, brief(x, 9));
    const agrees = (x) => {
      const worst = toNumber(x);
      if (Number.isNaN(worst)) return "not comparable";
      return worst === 0 ? "the same" : `within ${brief(worst, 1)}`;
    };
    const head = ["", "Reverse mode", "Forward mode", "Central difference"];
    const f = this.run.nodes[this.run.steps.find(({ kind }) => kind === "seed")?.node]?.name ?? "f";
    this.ways.replaceChildren(
      element("h2", {}, "Gradients three ways"),
      element(
        "div",
        { class: "scroll" },
        element(
          "table",
          {},
          element("caption", { class: "spoken" }, "The gradient of each input, in three ways"),
          element("thead", {}, element("tr", {}, head.map((cell, place) => (place ? element("th", { scope: "col", class: "number" }, cell) : element("td"))))),
          element(
            "tbody",
            {},
            inputs.map(({ name, reverse, forward, central }) =>
              element("tr", { "data-input": name }, element("th", { scope: "row" }, `d${f}/d${cut(name, 40)}`), digits(reverse), digits(forward), digits(central)),
            ),
          ),
          element(
            "tfoot",
            {},
            element("tr", {}, element("th", { scope: "row" }, "Operations"), [operations.reverse, operations.forward, operations.central].map((count) => element("td", { class: "number" }, String(count)))),
            element("tr", { class: "agreement" }, element("th", { scope: "row" }, "Agreement"), element("td"), element("td", { class: "number" }, agrees(disagreement.forward)), element("td", { class: "number" }, agrees(disagreement.central))),
          ),
        ),
      ),
      element("p", { class: "faint small" }, `Reverse mode needs one pass back for all inputs, forward mode needs one pass per input, central differences (h = ${brief(step, 1)}) need two evaluations of f per input.`),
      ...warnings.map((warning) => element("p", { class: "faint small" }, `Central differences: ${warning}.`)),
    );
  }

  // Playing

  /** Goes to a step that the reader chose. */
  visit(at) {
    this.stop();
    this.goTo(at);
    this.follow();
    announce(this.caption.textContent);
    this.onstep();
  }

  goTo(at) {
    this.at = Math.min(Math.max(Math.trunc(at) || 0, 0), this.run.steps.length);
    this.dots.replaceChildren();
    this.refresh();
  }

  toggle() {
    if (this.timer) {
      this.visit(this.at);
    } else {
      if (this.at === this.run.steps.length) this.goTo(0);
      this.playButton.replaceChildren(icon(PAUSE), "Pause");
      this.advance();
    }
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.playButton.replaceChildren(icon(PLAY), "Play");
  }

  advance() {
    const pause = PACE / this.speed;
    this.goTo(this.at + 1);
    this.follow();
    if (this.at > 0) this.travel(this.run.steps[this.at - 1], 0.7 * pause);
    if (this.at >= this.run.steps.length) {
      this.stop();
      this.onstep();
    } else {
      this.timer = setTimeout(() => this.advance(), pause);
    }
  }

  /** Scrolls to the current step in the picture and in the table. */
  follow() {
    const inFigure = this.figure.querySelector(".now");
    if (inFigure) centre(this.figure, inFigure);
    const inTable = this.table.querySelector("tr.now");
    if (inTable) centre(this.table.querySelector(".scroll"), inTable);
  }

  /** Animates values along the edges into a node, or a gradient back along an edge. */
  travel(step, duration) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const { edges } = this.run;
    const moving =
      step.kind === "back" ? [step.edge]
      : step.kind === "value" ? edges.flatMap(({ to }, index) => (to === step.node ? [index] : []))
      : [];
    const dots = moving.map((index) => {
      const line = this.edgeParts[index].line;
      const dot = svg("circle", { class: `dot ${step.kind}`, r: 6 });
      this.dots.append(dot);
      return { dot, line, length: line.getTotalLength() };
    });
    if (!dots.length) return;
    const start = performance.now();
    const frame = (now) => {
      const part = Math.min((now - start) / duration, 1);
      const way = step.kind === "back" ? 1 - part : part;
      for (const { dot, line, length } of dots) {
        const { x, y } = line.getPointAtLength(way * length);
        dot.setAttribute("cx", x);
        dot.setAttribute("cy", y);
      }
      if (part < 1 && dots[0].dot.isConnected) requestAnimationFrame(frame);
      else for (const { dot } of dots) dot.remove();
    };
    frame(start);
  }
}

/** Scrolls a part into the middle of its frame, but not the page. */
function centre(frame, part) {
  const [outer, inner] = [frame.getBoundingClientRect(), part.getBoundingClientRect()];
  if (inner.left < outer.left || inner.right > outer.right) frame.scrollLeft += (inner.left + inner.right - outer.left - outer.right) / 2;
  if (inner.top < outer.top || inner.bottom > outer.bottom) frame.scrollTop += (inner.top + inner.bottom - outer.top - outer.bottom) / 2;
}
