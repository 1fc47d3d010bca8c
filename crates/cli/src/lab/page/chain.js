// The tab "Chain rule": type a formula, drag its inputs, watch every number of the chain rule.

import { address, announce, brief, element, freshId, latest, slider } from "./common.js";
import { Player } from "./player.js";

const EXAMPLES = [
  ["The lesson: (wx + b)²", "(w*x + b)^2", { w: 2, x: 3, b: 1 }],
  ["Two paths: x · sin x", "x * sin(x)", { x: 2 }],
  ["A neuron and its error", "(sigmoid(w*x + b) - y)^2", { w: 1.5, x: 1, b: -0.5, y: 1 }],
  ["Two layers", "(v*tanh(w*x + b) + c - y)^2", { v: 1.2, w: 0.8, x: 1, b: -0.3, c: 0.1, y: 1 }],
  ["A residual block", "x + relu(w*x + b)", { x: 1, w: 0.7, b: 0.2 }],
  ["Vanishing: six sigmoids", "sigmoid(sigmoid(sigmoid(sigmoid(sigmoid(sigmoid(x))))))", { x: 0.5 }],
  ["Softplus", "ln(1 + exp(x))", { x: 0.5 }],
  ["A tie at the kink: max(a, b)", "max(a, b)^2", { a: 2, b: 2 }],
  ["Two normal curves", "exp(-(x - a)^2) + exp(-(x + a)^2)", { x: 0.6, a: 1 }],
];

export const chain = {
  id: "chain",
  values: {},
  /** The formula of the picture. */
  drawn: null,
  /** The step in the address. */
  step: null,

  start(section) {
    const id = freshId();
    this.formula = element("input", {
      id,
      class: "formula",
      type: "text",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      "aria-describedby": `${id}-problem`,
      oninput: () => this.question(),
    });
    this.problem = element("div", { id: `${id}-problem`, class: "error", hidden: true });
    this.examples = element(
      "select",
      { "aria-label": "Examples", onchange: () => this.example(Number(this.examples.value)) },
      element("option", { value: -1 }, "Your own"),
      EXAMPLES.map(([title], index) => element("option", { value: index }, title)),
    );
    this.exported = element("a", { class: "button", href: "#", download: "chain-rule.html", title: "This run as one HTML file that works offline" }, "Export");
    this.sliders = element("div", { class: "sliders", role: "group", "aria-label": "Inputs" });
    this.value = element("output", { class: "result" });
    this.player = new Player({ onstep: () => this.remember() });
    section.append(
      element(
        "div",
        { class: "card asking" },
        element("div", { class: "row" }, element("label", { for: id, class: "formula-label" }, "f ="), this.formula, this.value, this.examples, this.exported),
        this.problem,
        this.sliders,
        element(
          "details",
          { class: "small faint" },
          element("summary", {}, "What a formula may contain"),
          "Numbers and names; + − * / ^ and parentheses; exp ln sin cos sqrt tanh sigmoid relu square, max(a, b), min(a, b).",
        ),
      ),
      this.player.node,
    );
    this.ask = latest(
      "/api/chain",
      (run, question) => this.answer(run, question),
      (problem) => this.refuse(problem),
    );
  },

  open(choices) {
    if (choices.has("formula")) {
      this.formula.value = choices.get("formula");
      this.values = {};
      for (const [key, value] of choices) {
        if (key.startsWith("in.") && Number.isFinite(Number(value))) this.values[key.slice(3)] = Number(value);
      }
      this.player.speed = Number(choices.get("speed") ?? 1);
      this.step = choices.has("step") ? Number(choices.get("step")) : null;
      this.drawn = null;
      this.question();
    } else if (this.player.run) {
      this.remember();
    } else if (this.formula.value === "") {
      this.example(0);
    }
  },

  close() {
    this.player.stop();
  },

  example(index) {
    if (index < 0) return;
    const [, formula, values] = EXAMPLES[index];
    this.formula.value = formula;
    this.values = { ...values };
    this.question();
  },

  question() {
    const formula = this.formula.value;
    this.ask({ formula, inputs: this.values, drawing: formula !== this.drawn });
  },

  answer(run, question) {
    this.problem.hidden = true;
    this.formula.removeAttribute("aria-invalid");
    for (const part of [this.player.node, this.value]) part.classList.remove("stale");
    const isNew = run.drawing !== null;
    this.player.show(run);
    this.drawn = question.formula;
    if (isNew) {
      this.makeSliders(run.inputs);
      if (this.step !== null) {
        this.player.goTo(this.step);
        this.player.follow();
      }
      this.step = null;
    }
    const example = EXAMPLES.findIndex(([, formula]) => formula === run.formula);
    this.examples.value = example;
    this.value.textContent = `= ${brief(run.value, 6)}`;
    this.value.title = String(run.value);
    this.exported.href = `/api/chain/export?${new URLSearchParams({ formula: run.formula, inputs: JSON.stringify(this.chosen()) })}`;
    this.remember();
  },

  refuse({ message, pointer }) {
    this.problem.replaceChildren(message);
    if (pointer) this.problem.append(element("pre", {}, pointer));
    this.problem.hidden = false;
    this.formula.setAttribute("aria-invalid", "true");
    for (const part of [this.player.node, this.value]) part.classList.add("stale");
    announce(message);
  },

  makeSliders(inputs) {
    const focused = this.sliders.contains(document.activeElement);
    this.inputs = inputs.map(({ name, value }) => {
      // It may have changed since the question was sent.
      this.values[name] ??= value;
      const one = slider({
        label: name,
        value: this.values[name],
        min: -5,
        max: 5,
        step: 0.01,
        onchange: (x) => {
          this.values[name] = x;
          this.question();
        },
      });
      one.name = name;
      return one;
    });
    this.sliders.replaceChildren(...this.inputs.map(({ node }) => node));
    if (focused && this.inputs.length) this.inputs[0].range.focus();
  },

  /** The values of the current inputs; those of removed inputs are kept for when they return. */
  chosen() {
    return Object.fromEntries(this.inputs.map(({ name }) => [name, this.values[name]]));
  },

  remember() {
    const choices = new URLSearchParams({ formula: this.player.run.formula });
    for (const [name, value] of Object.entries(this.chosen())) choices.set(`in.${name}`, value);
    const { at, run, speed } = this.player;
    if (at !== run.steps.length) choices.set("step", at);
    if (speed !== 1) choices.set("speed", speed);
    address.write("chain", choices);
  },
};
