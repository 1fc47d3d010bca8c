// The tab "Gradient flow": up to four deep networks, how gradients flow through them, and why.

import { Problem, address, announce, brief, element, table, toNumber } from "./common.js";
import { ACTIVATIONS, INITS, NORMS, check, complain, select, sliding } from "./form.js";
import { follow } from "./lines.js";
import { Plot, behind, edgeOfChaos, extent, key, sample, thinned } from "./plot.js";

const SHOWN = {
  gradient: { name: "gradient |δ|", axis: "|δ|, last layer = 1", title: "Gradient by layer" },
  signal: { name: "signal q", axis: "q, mean square of the output", title: "Signal by layer" },
  weight: { name: "weight gradient |dW|", axis: "|dW|", title: "Gradient of the weights by layer" },
};
const MOST = 4;

const START = { depth: 30, width: 64, activation: "sigmoid", init: "auto", gain: 1, sigma_b: 0, skip: null, norm: "none" };
const BEGINNING = [START, { ...START, activation: "relu" }, { ...START, activation: "relu", skip: 1 }];

const of = (list, value) => list.find(([key]) => key === value)?.[1] ?? value;

/** A network in a few words. */
function title(net) {
  const parts = [of(ACTIVATIONS, net.activation)];
  if (net.init === "lecun") parts.push(`σw ${brief(net.gain, 3)}`);
  else if (net.init !== "auto") parts.push({ xavier: "Xavier", he: "He", orthogonal: "orthogonal", torch: "PyTorch" }[net.init]);
  if (net.init !== "lecun" && net.gain !== 1) parts.push(`gain ${brief(net.gain, 3)}`);
  if (net.sigma_b !== 0) parts.push(`σb ${brief(net.sigma_b, 3)}`);
  if (net.skip !== null) parts.push(net.skip === 1 ? "residual" : `residual × ${brief(net.skip, 3)}`);
  if (net.norm !== "none") parts.push(of(NORMS, net.norm));
  return `${parts.join(", ")} · ${net.depth}\u00a0×\u00a0${net.width}`;
}

const KEYS = ["depth", "width", "activation", "init", "gain", "sigma_b", "skip", "norm"];

function write(net) {
  return KEYS.map((key) => (key === "skip" && net.skip === null ? "no" : net[key])).join("_");
}

function read(text) {
  const parts = text.split("_");
  // `leaky_relu` contains the separator
  if (parts[2] === "leaky") parts.splice(2, 2, "leaky_relu");
  if (parts.length !== KEYS.length) return null;
  const net = Object.fromEntries(KEYS.map((key, i) => [key, parts[i]]));
  for (const key of ["depth", "width", "gain", "sigma_b"]) {
    net[key] = Number(net[key]);
    if (!Number.isFinite(net[key])) return null;
  }
  net.skip = net.skip === "no" ? null : Number(net.skip);
  return Number.isNaN(net.skip) ? null : net;
}

/** The command with the same numbers. */
function command(net) {
  const name = [net.activation, net.skip !== null && `residual=${net.skip}`, net.norm !== "none" && `${net.norm}_norm`];
  const options = [`--depth ${net.depth}`, `--width ${net.width}`, "--rows 32", `--networks ${name.filter(Boolean).join("+")}`];
  if (net.init !== "auto") options.push(`--init ${net.init}`);
  if (net.gain !== 1) options.push(`--gain ${net.gain}`);
  if (net.sigma_b !== 0) options.push(`--sigma-b ${net.sigma_b}`);
  return `geartrain gradients ${options.join(" ")}`;
}

class FlowTab {
  id = "flow";

  start(section) {
    this.nets = BEGINNING.map((net, index) => ({ net: { ...net }, index }));
    this.current = this.nets[0];
    this.shown = "gradient";
    this.section = section;
    this.plot = new Plot({ ratio: 0.5, least: 220, most: 420 });
    this.phase = new Plot({ ratio: 0.72, least: 260, most: 360 });
    this.table = behind("The numbers as a table", () => this.numbers());
    this.phaseTable = behind("The numbers as a table", () => this.phaseNumbers());
    this.list = element("div", { class: "nets", role: "radiogroup", "aria-label": "The networks to compare" });
    this.summary = element("div", { class: "scroll" });
    this.diagnosis = element("div", { class: "diagnosis" });
    this.phaseNote = element("p", { class: "faint small" });
    this.heading = element("h2", {});
    this.problem = element("p", { class: "error", hidden: true, role: "alert" });
    this.quantity = element(
      "select",
      { "aria-label": "Quantity in the plot", onchange: () => this.choose(this.quantity.value) },
      Object.entries(SHOWN).map(([value, { name }]) => element("option", { value }, name)),
    );
    const card = (...children) => element("div", { class: "card" }, ...children);
    section.append(
      element(
        "div",
        { class: "sides" },
        element("div", { class: "card seen" }, element("div", { class: "row apart" }, this.heading, this.quantity), this.plot.node),
        element("div", { class: "card settings" }, element("h2", {}, "Networks"), this.list, this.form(), this.problem),
        element(
          "div",
          { class: "stack" },
          card(
            this.summary,
            this.table.node,
            element(
              "p",
              { class: "faint small legend" },
              "Points: measured, geometric mean over up to 8 seeds with its standard error. Lines: predicted by mean-field " +
                "theory; bands: one standard deviation between networks of this width. In residual networks a “layer” is a " +
                "block.",
            ),
          ),
          element(
            "div",
            { class: "pair" },
            card(element("h2", {}, "Diagnosis"), this.diagnosis),
            card(element("h2", {}, "Phase diagram"), this.phase.node, this.phaseNote, this.phaseTable.node),
          ),
        ),
      ),
    );
    this.phase.node.addEventListener("pointerdown", (event) => this.drag(event));
  }

  form() {
    const change = (key) => (value) => this.change({ [key]: value });
    const whole = (key) => (value) => Number.isInteger(value) && this.change({ [key]: value });
    this.fields = {
      depth: sliding({ label: "Depth", value: 30, min: 1, max: 200, step: 1, onchange: whole("depth") }),
      width: sliding({ label: "Width", value: 64, min: 4, max: 256, step: 4, onchange: whole("width") }),
      activation: select("Activation", ACTIVATIONS, change("activation")),
      init: select("Initialisation", INITS, change("init")),
      gain: sliding({ label: "Gain", value: 1, min: 0, max: 4, step: 0.01, onchange: change("gain") }),
      sigma_b: sliding({ label: "σb", value: 0, min: 0, max: 2, step: 0.01, onchange: change("sigma_b") }),
      residual: check("Residual: x + s · f(x)", (on) => this.change({ skip: on ? this.fields.skip.slider.value : null })),
      skip: sliding({ label: "s", value: 1, min: 0, max: 2, step: 0.01, onchange: (value) => this.current.net.skip !== null && this.change({ skip: value }) }),
      norm: select("Normalisation before each activation", NORMS, change("norm")),
    };
    this.fields.init.node.append(element("p", { class: "faint small hint" }, "For “normal, σw / √n” the gain is σw: W has variance σw² / n."));
    const scaled = element(
      "button",
      { type: "button", class: "small", onclick: () => this.change({ skip: Number((1 / Math.sqrt(Math.max(this.current.net.depth - 1, 1))).toPrecision(4)) }) },
      "s = 1/√blocks",
    );
    this.fields.skip.node.append(scaled);
    const groups = ["depth", "width", "activation", "init", "gain", "sigma_b", "residual", "skip", "norm"];
    this.command = element("code", {});
    return element(
      "div",
      { class: "fields" },
      groups.map((key) => this.fields[key].node),
      element("details", { class: "behind" }, element("summary", {}, "Command line"), element("pre", { class: "command" }, this.command)),
    );
  }

  open(choices) {
    const nets = choices.getAll("n").map(read).filter(Boolean).slice(0, MOST);
    if (nets.length) {
      this.nets.forEach((entry) => entry.asking?.abort());
      this.nets = nets.map((net, index) => ({ net, index }));
      this.current = this.nets[Number(choices.get("i"))] ?? this.nets[0];
      if (choices.get("show") in SHOWN) this.shown = choices.get("show");
    }
    this.quantity.value = this.shown;
    this.fill();
    for (const entry of this.nets) if (!entry.measured) this.ask(entry);
    this.draw();
    this.remember();
  }

  close() {}

  remember() {
    const choices = new URLSearchParams();
    for (const { net } of this.nets) choices.append("n", write(net));
    choices.set("i", this.nets.indexOf(this.current));
    if (this.shown !== "gradient") choices.set("show", this.shown);
    address.write("flow", choices);
  }

  choose(shown) {
    this.shown = shown;
    this.draw();
    this.remember();
  }

  change(choices) {
    Object.assign(this.current.net, choices);
    this.fill();
    this.ask(this.current);
    this.remember();
  }

  /** Shows the current network's choices in the form, and all networks in the list. */
  fill() {
    const { net } = this.current;
    for (const key of ["depth", "width", "gain", "sigma_b"]) if (this.fields[key].slider.value !== net[key]) this.fields[key].slider.value = net[key];
    for (const key of ["activation", "init", "norm"]) this.fields[key].input.value = net[key];
    this.fields.residual.input.checked = net.skip !== null;
    this.fields.skip.node.hidden = net.skip === null;
    if (net.skip !== null && this.fields.skip.slider.value !== net.skip) this.fields.skip.slider.value = net.skip;
    this.fields.gain.node.querySelector("label").textContent = net.init === "lecun" ? "σw" : "Gain";
    this.command.textContent = command(net);
    this.entries();
  }

  entries() {
    // keep the focus, whose element is replaced
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const entry = (one) => {
      const radio = element("input", {
        type: "radio",
        name: "net",
        "data-key": `net-${one.index}`,
        onchange: () => {
          this.current = one;
          this.fill();
          this.complain();
          this.draw();
          this.remember();
        },
      });
      radio.checked = one === this.current;
      const remove = element(
        "button",
        { type: "button", class: "quiet", "aria-label": `Remove ${title(one.net)}`, title: "Remove", "data-key": `remove-${one.index}`, onclick: () => this.remove(one) },
        "×",
      );
      return element("div", { class: "net" }, element("label", {}, radio, sample(one.index), element("span", {}, title(one.net))), this.nets.length > 1 ? remove : null);
    };
    const add = element("button", { type: "button", "data-key": "add", onclick: () => this.add() }, "Add a copy to compare");
    add.disabled = this.nets.length >= MOST;
    this.list.replaceChildren(...this.nets.map(entry), add);
    if (focused) this.list.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  add() {
    const used = new Set(this.nets.map(({ index }) => index));
    const index = [...Array(MOST).keys()].find((i) => !used.has(i));
    const entry = { ...this.current, net: { ...this.current.net }, index, asking: null, waiting: false, again: false };
    this.nets.push(entry);
    this.current = entry;
    this.fill();
    this.ask(entry);
    this.remember();
    announce("Added a network.");
  }

  remove(entry) {
    entry.asking?.abort();
    this.nets = this.nets.filter((other) => other !== entry);
    if (this.current === entry) this.current = this.nets[0];
    this.fill();
    this.complain();
    this.draw();
    this.remember();
    announce("Removed a network.");
    this.list.querySelector("input:checked")?.focus();
  }

  /** Asks about a network. Until the first line of the answer arrives, newer questions replace each other. */
  async ask(entry) {
    entry.staleDiagnosis = true;
    if (entry === this.current) this.say();
    if (entry.waiting) {
      entry.again = true;
      return;
    }
    entry.asking?.abort();
    const asking = new AbortController();
    entry.asking = asking;
    entry.waiting = true;
    entry.again = false;
    const first = () => {
      if (entry.asking !== asking) return;
      entry.waiting = false;
      if (entry.again) this.ask(entry);
    };
    const asked = performance.now();
    try {
      await follow("/api/flow", entry.net, asking.signal, (line) => {
        if (entry.asking !== asking) return;
        this.take(entry, line, performance.now() - asked);
        if (line.kind === "measured") first();
      });
    } catch (problem) {
      if (problem.name === "AbortError") return;
      if (!(problem instanceof Problem)) throw problem;
      entry.problem = problem;
      if (entry === this.current) this.complain();
    }
    first();
  }

  take(entry, line, time) {
    if (line.kind === "error") entry.problem = new Problem(line);
    else {
      entry.problem = null;
      // outdated results stay, faded, until the new ones arrive
      if (line.kind === "measured" && line.seeds === 1) {
        entry.stale = true;
        entry.time = time;
      }
      if (line.kind === "predicted") entry.stale = false;
      if (line.kind === "diagnosis") entry.staleDiagnosis = false;
      entry[line.kind] = line;
    }
    this.draw();
    if (entry === this.current) {
      this.complain();
      if (line.kind === "diagnosis") announce(line.text.split("\n")[0]);
    }
  }

  complain() {
    complain(this.fields, this.problem, this.current.problem);
  }

  draw() {
    const { axis, title: heading } = SHOWN[this.shown];
    this.heading.textContent = heading;
    const series = [];
    for (const entry of this.nets) {
      if (!entry.measured) continue;
      const measured = entry.measured[this.shown].map((pair) => pair.map(toNumber));
      const points = thinned(measured.map(([mean, error], i) => [i + 1, mean, error, `layer ${i + 1}: 10^${brief(mean)}`]), 50);
      const predicted = entry.predicted?.[this.shown] ?? [];
      const line = predicted.map((pair, i) => pair && [i + 1, ...pair.map(toNumber)]).filter(Boolean);
      series.push({ index: entry.index, line, faded: entry.stale });
      series.push({ index: entry.index, points });
    }
    const all = series.flatMap((s) => [...(s.points ?? []).map((p) => p[1]), ...(s.line ?? []).flatMap((p) => [p[1] - p[2], p[1] + p[2]])]);
    const [low, high] = extent(all);
    const longest = Math.max(2, ...this.nets.map((entry) => entry.measured?.gradient.length ?? 0));
    this.plot.draw({
      label: `${heading}: ${this.nets.map((entry) => `${title(entry.net)}: ${this.decades(entry)}`).join("; ")}`,
      x: { label: "layer, from the input", low: 1 - 0.02 * longest, high: longest + 0.02 * longest, whole: true },
      y: { label: axis, low, high: high - low < 0.2 ? low + 0.2 : high, log: true },
      series,
    });
    this.sums();
    this.table.refresh();
    this.say();
    this.phases();
  }

  decades(entry) {
    if (!entry.measured) return "not measured yet";
    return `${brief(entry.measured.decades, 3)} decades`;
  }

  sums() {
    const signed = (value) => (toNumber(value) > 0 ? `+${brief(value, 4)}` : brief(value, 4));
    const percent = (value) => `${Math.round(100 * value)} %`;
    const rows = this.nets.filter(({ measured }) => measured).map((entry) => {
      const { measured, predicted } = entry;
      const decades = element("span", { "data-value": measured.decades }, signed(measured.decades), measured.seeds > 1 ? ` ± ${brief(measured.decades_error, 2)}` : "");
      const theory = predicted?.decades == null ? "not covered" : signed(predicted.decades);
      return [
        key(entry.index, title(entry.net)),
        brief(measured.ratio, 4), decades, predicted ? theory : "…", percent(measured.dead), percent(measured.saturated),
      ];
    });
    this.summary.replaceChildren(
      table("", ["network", "ratio per layer", "decades, measured", "decades, predicted", "dead units", "saturated"], rows),
    );
    this.summary.firstChild.classList.add("sums");
    this.summary.dataset.seeds = this.current.measured?.seeds ?? 0;
    this.summary.dataset.milliseconds = Math.round(this.current.time ?? 0);
  }

  numbers() {
    const { measured, predicted, net } = this.current;
    if (!measured) return element("p", {}, "Not measured yet.");
    const power = (value) => brief(10 ** toNumber(value), 4);
    const rows = measured.layers.map((layer, i) => [
      i + 1, layer, power(measured.gradient[i][0]), brief(measured.gradient[i][1], 2),
      predicted?.gradient[i] ? power(predicted.gradient[i][0]) : "", power(measured.signal[i][0]),
      predicted?.signal[i] ? power(predicted.signal[i][0]) : "", power(measured.weight[i][0]),
    ]);
    return table(title(net), ["", "layer", "|δ| measured", "± (decades)", "|δ| predicted", "q measured", "q predicted", "|dW|"], rows);
  }

  /** The library's diagnosis: its lines, with the remedies as a list. */
  say() {
    const { diagnosis, staleDiagnosis, index, net } = this.current;
    if (!diagnosis) {
      this.diagnosis.replaceChildren(element("p", { class: "faint" }, "Testing remedies …"));
      return;
    }
    const nodes = [element("p", { class: "key small faint" }, sample(index), title(net))];
    let list = null;
    const text = diagnosis.text.trim().replace(/-(?=\d)/g, "−");
    for (const line of (text[0].toUpperCase() + text.slice(1)).split("\n")) {
      if (line.startsWith("- ")) {
        if (!list) nodes.push((list = element("ul", {})));
        const hopeless = line.endsWith("does not help");
        list.append(element("li", { class: hopeless ? "faint" : null }, line.slice(2)));
      } else {
        list = null;
        nodes.push(element("p", {}, line));
      }
    }
    nodes[1]?.classList.add(diagnosis.healthy ? "healthy" : "finding");
    this.diagnosis.replaceChildren(...nodes);
    this.diagnosis.classList.toggle("stale", Boolean(staleDiagnosis));
    this.diagnosis.dataset.text = diagnosis.text;
    this.diagnosis.dataset.stale = String(Boolean(staleDiagnosis));
  }

  placed() {
    return this.nets.filter(({ predicted }) => predicted?.phase);
  }

  phases() {
    const placed = this.placed();
    const reach = (key, least) => Math.max(least, ...placed.map(({ predicted }) => 1.15 * predicted.phase[key]));
    const [right, top] = [reach("sigma_w", 4), reach("sigma_b", 2)];
    const edges = new Map();
    for (const { predicted } of placed) if (!edges.has(predicted.phase.activation)) edges.set(predicted.phase.activation, predicted.phase.edge);
    const series = [...edges].map(([name, edge]) => {
      const entry = placed.find(({ predicted }) => predicted.phase.activation === name);
      return { index: entry.index, line: edgeOfChaos(edge, top) };
    });
    for (const { index, predicted, net, stale } of placed) {
      const { sigma_w, sigma_b } = predicted.phase;
      series.push({ index, faded: stale, points: [[sigma_w, sigma_b, 0, `${title(net)}: σw ${brief(sigma_w)}, σb ${brief(sigma_b)}`]] });
    }
    // space below σb = 0, for whole marks
    this.phase.draw({
      label: `Phase diagram of σw and σb. ${placed.map(({ net, predicted }) => `${title(net)} at σw ${brief(predicted.phase.sigma_w, 3)}, σb ${brief(predicted.phase.sigma_b, 3)}`).join("; ")}`,
      x: { label: "σw", low: 0, high: right },
      y: { label: "σb", low: -0.05 * top, high: top, left: 44 },
      series,
      texts: [
        { at: [0, top], text: "ordered: gradients vanish", dx: 10, dy: 18 },
        { at: [right, 0], text: "chaotic: they explode", anchor: "end", dx: -8, dy: -12 },
      ],
    });
    const names = [...edges.keys()].join(", ");
    const draggable = this.current.predicted?.phase;
    this.phase.node.classList.toggle("draggable", Boolean(draggable));
    this.phaseNote.textContent =
      (names ? `Lines: the edge of chaos (χ₁ = 1) of ${names}. ` : "") +
      (draggable
        ? "Drag the mark of the selected network, or choose “normal” weights and move σw and σb."
        : "The selected network has no point in this diagram: residual connections and normalisation change the maps.");
    this.phaseTable.refresh();
  }

  phaseNumbers() {
    const rows = this.placed().map(({ net, predicted }) => {
      const { sigma_w, sigma_b, edge } = predicted.phase;
      const near = edge.reduce((best, point) => (!best || Math.abs(point[1] - sigma_b) < Math.abs(best[1] - sigma_b) ? point : best), null);
      return [title(net), brief(sigma_w), brief(sigma_b), near ? brief(near[0]) : ""];
    });
    return table("", ["network", "σw", "σb", "σw at the edge, near this σb"], rows);
  }

  drag(event) {
    if (!this.current.predicted?.phase || event.button !== 0) return;
    const box = this.phase.node;
    const place = (event) => {
      const { left, top } = box.getBoundingClientRect();
      const [w, b] = this.phase.toValues(event.clientX - left, event.clientY - top);
      const round = (value) => Number(Math.min(Math.max(value, 0), 100).toFixed(2));
      this.change({ init: "lecun", gain: round(w), sigma_b: round(b) });
    };
    event.preventDefault();
    box.setPointerCapture(event.pointerId);
    const end = () => {
      box.removeEventListener("pointermove", place);
      box.removeEventListener("pointerup", end);
      box.removeEventListener("pointercancel", end);
    };
    box.addEventListener("pointermove", place);
    box.addEventListener("pointerup", end);
    box.addEventListener("pointercancel", end);
    place(event);
  }
}

export const flow = new FlowTab();
