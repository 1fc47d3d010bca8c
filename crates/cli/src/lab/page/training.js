// The tab "Training": a network learns while the page shows its loss, its fit and its gradients.

import { Problem, address, announce, brief, element, post, slider, table, toNumber } from "./common.js";
import { ACTIVATIONS, INITS, NORMS, check, complain, field, number, select, sliding, text } from "./form.js";
import { follow } from "./lines.js";
import { Plot, behind, edgeOfChaos, extent, key, shade, thinned } from "./plot.js";

const DATA = [["sine", "sine wave: 1 input"], ["friedman", "Friedman 1: 10 inputs"], ["moons", "two moons: 2 classes"], ["spirals", "two spirals: 2 classes"], ["table", "your own table (CSV)"]];
const RULES = [["sgd", "SGD"], ["momentum", "SGD, momentum 0.9"], ["adam", "Adam"], ["adamw", "AdamW"], ["rmsprop", "RMSprop"]];
const DELIMITERS = [["comma", "comma"], ["semicolon", "semicolon"], ["tab", "tab"]];
const GAPS = [["error", "report an error"], ["drop", "drop the row"], ["mean", "fill with the mean"], ["median", "fill with the median"]];
const SPEEDS = [["5", "5 epochs a second"], ["20", "20 epochs a second"], ["100", "100 epochs a second"], ["0", "as fast as possible"]];
const SEPARATORS = { comma: ",", semicolon: ";", tab: "\t" };
/** Initial rows and noise of each generated data set. */
const SIZES = { sine: [500, 0.1], friedman: [500, 1], moons: [500, 0.2], spirals: [400, 0.1] };

const START = {
  data: "sine", rows: 500, noise: 0.1, csv: "", target: "", classes: false, drop: "", delimiter: "comma", missing: "error",
  hidden: "32,32", activation: "tanh", init: "auto", gain: 1, skip: null, norm: "none",
  optimizer: "momentum", learning_rate: 0.01, batch: 32, epochs: 200, seed: 7, speed: "20",
};
const TABLE = ["csv", "target", "classes", "drop", "delimiter", "missing"];
/** The longest packed table in a link. */
const LONGEST = 16_000;
/** Columns of the map of gradients at most; beyond, every second one is dropped. */
const COLUMNS = 160;

/** Entries of a legend: a line, a mark. */
const LINE = { points: false };
const MARK = { line: false };

const BASE64 = [["+", "-"], ["/", "_"], ["=", ""]];

async function through(stream, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

async function pack(text) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(text));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return BASE64.reduce((code, [from, to]) => code.replaceAll(from, to), btoa(binary));
}

async function unpack(code) {
  const binary = atob(BASE64.slice(0, 2).reduce((code, [from, to]) => code.replaceAll(to, from), code));
  const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  return new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes));
}

/** The first line of a table that is not blank. */
const header = (csv) => csv.slice(0, 10_000).split(/\r?\n/).find((line) => line.trim()) ?? "";

/** The names of columns in a header. */
const names = (line, delimiter) => line.split(SEPARATORS[delimiter]).map((name) => name.trim().replace(/^"(.*)"$/, "$1"));

class TrainingTab {
  id = "training";
  state = "idle";
  chosen = { ...START };

  start(section) {
    this.section = section;
    this.losses = new Plot({ ratio: 0.55, least: 250, most: 340 });
    this.picture = new Plot({ ratio: 0.7, least: 260, most: 420 });
    this.map = new Plot({ ratio: 0.5, least: 240, most: 340 });
    this.edge = new Plot({ ratio: 0.55, least: 250, most: 340 });
    this.density = new Plot({ ratio: 0.55, least: 250, most: 340 });
    this.phase = new Plot({ ratio: 0.55, least: 250, most: 340 });
    this.phaseNote = element("p", { class: "small faint" });
    this.time = slider({ label: "Step", value: 0, min: 0, max: 1, step: 1, onchange: (step) => this.drawPhase(step) });
    this.edgeLegend = element("div", { class: "small faint key-line" });
    this.densityNote = element("p", { class: "small faint" });
    this.edgeTable = behind("The numbers as a table", () => this.edgeNumbers());
    this.steering = {
      rate: slider({ label: "Rate η", value: START.learning_rate, min: 0, max: 0.5, step: 0.001, onchange: (value) => this.steer({ learning_rate: value }) }),
      momentum: slider({ label: "Momentum β", value: 0.9, min: 0, max: 0.99, step: 0.01, onchange: (value) => this.steer({ momentum: value }) }),
    };
    this.lossTable = behind("The numbers as a table", () => this.lossNumbers());
    this.mapTable = behind("The numbers as a table", () => this.mapNumbers());
    this.problem = element("p", { class: "error", hidden: true, role: "alert" });
    this.buttons = {
      run: element("button", { type: "button", class: "primary", onclick: () => this.toggle() }, "Run"),
      step: element("button", { type: "button", onclick: () => this.step() }, "Step"),
      reset: element("button", { type: "button", onclick: () => this.reset() }, "Reset"),
      weights: element("a", { class: "button", role: "link", "aria-disabled": "true" }, "Weights"),
      history: element("a", { class: "button", role: "link", "aria-disabled": "true" }, "History"),
    };
    this.state_ = element("p", { class: "state" });
    this.score = element("p", { class: "state score" });
    this.legend = element("p", { class: "small faint key-line" });
    this.pictureTitle = element("h2", {}, "The fit");
    this.pictureNote = element("div", { class: "small faint key-line" });
    this.confusion = element("div", { class: "scroll" });
    this.scale = element("div", { class: "small faint key-line" });
    this.predictions = element("div", { class: "scroll predictions" });
    const { run, step, reset, weights, history } = this.buttons;
    const card = (...children) => element("div", { class: "card" }, ...children);
    this.results = element(
      "div",
      { class: "stack" },
      element(
        "div",
        { class: "pair" },
        card(element("h2", {}, "Loss"), this.losses.node, this.legend, this.lossTable.node),
        card(this.pictureTitle, this.picture.node, this.confusion, this.pictureNote),
      ),
      element(
        "div",
        { class: "pair" },
        card(
          element("h2", {}, "Sharpness and the edge of stability"),
          element("div", { class: "stack steering" }, this.steering.rate.node, this.steering.momentum.node),
          this.edge.node,
          this.edgeLegend,
          this.edgeTable.node,
        ),
        card(element("h2", {}, "Eigenvalues of the Hessian"), this.density.node, this.densityNote),
      ),
      element(
        "div",
        { class: "pair" },
        card(element("h2", {}, "Gradients: layer × time"), this.map.node, this.scale, this.mapTable.node),
        card(element("h2", {}, "Phase diagram over time"), element("div", { class: "steering" }, this.time.node), this.phase.node, this.phaseNote),
      ),
      card(element("h2", {}, "Predictions for validation rows"), this.predictions),
    );
    const bar = element(
      "div",
      { class: "card bar" },
      element(
        "div",
        { class: "row" },
        element("div", { class: "actions" }, run, step, reset),
        element("div", { class: "downloads" }, element("span", { class: "faint small" }, "Download:"), weights, history),
      ),
      element("div", { class: "row apart states" }, this.state_, this.score),
    );
    section.append(
      element(
        "div",
        { class: "sides" },
        element("form", { class: "card settings", onsubmit: (event) => event.preventDefault() }, this.form(), this.problem),
        element("div", { class: "stack" }, bar, this.results),
      ),
    );
  }

  form() {
    const change = (key) => (value) => this.change({ [key]: value });
    const columns = element("datalist", { id: "columns" });
    this.columns = columns;
    const csv = element("textarea", { rows: 6, spellcheck: "false", placeholder: "height,weight\n1.80,81\n1.65,58\n…", oninput: () => this.paste(csv.value) });
    const file = element("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv", onchange: () => this.upload(file.files[0]) });
    this.fields = {
      data: select("Data", DATA, (data) => this.change({ data, ...(SIZES[data] ? { rows: SIZES[data][0], noise: SIZES[data][1] } : {}) })),
      rows: number("Rows", change("rows"), { min: 10, max: 5000, step: 1 }),
      noise: number("Noise", change("noise"), { min: 0, step: 0.05 }),
      csv: field("Table, with column names in the first line", csv),
      file: field("… or a file", file),
      delimiter: select("Delimiter", DELIMITERS, change("delimiter")),
      target: text("Column to predict", change("target"), { list: "columns" }),
      classes: check("The target holds classes", change("classes")),
      drop: text("Columns to drop", change("drop"), { placeholder: "name, id" }),
      missing: select("Missing values", GAPS, change("missing")),
      hidden: text("Units of the hidden layers", change("hidden"), { inputmode: "numeric" }, "For example 32,32, or 16x8 for eight layers of 16."),
      activation: select("Activation", ACTIVATIONS, change("activation")),
      init: select("Initialisation", INITS, change("init")),
      gain: number("Gain", change("gain"), { min: 0, step: 0.1 }),
      residual: check("Residual: x + s · f(x)", (on) => this.change({ skip: on ? 1 : null })),
      skip: sliding({ label: "s", value: 1, min: 0, max: 2, step: 0.01, onchange: (skip) => this.chosen.skip !== null && this.change({ skip }) }),
      norm: select("Normalisation", NORMS, change("norm")),
      optimizer: select("Optimizer", RULES, change("optimizer")),
      learning_rate: number("Learning rate", change("learning_rate"), { min: 0 }),
      batch: number("Rows per step", change("batch"), { min: 1, step: 1 }),
      epochs: number("Epochs", change("epochs"), { min: 1, max: 10_000, step: 1 }),
      seed: number("Seed", change("seed"), { min: 0, step: 1 }),
      speed: select("Speed", SPEEDS, change("speed")),
    };
    const nodes = (...keys) => keys.map((key) => this.fields[key].node);
    const two = (...keys) => element("div", { class: "two" }, nodes(...keys));
    this.toy = two("rows", "noise");
    this.own = element("div", { class: "fields" }, nodes("csv", "file"), columns, nodes("delimiter", "target", "classes", "drop", "missing"));
    this.warning = element("p", { class: "small faint", hidden: true });
    const group = (name, ...children) => element("fieldset", {}, element("legend", {}, name), ...children);
    return element(
      "div",
      { class: "fields" },
      group("Data", nodes("data"), this.toy, this.own, this.warning),
      group("Network", nodes("hidden"), two("activation", "norm"), nodes("init", "gain", "residual", "skip")),
      group("Training", nodes("optimizer"), two("learning_rate", "batch"), two("epochs", "seed"), nodes("speed")),
    );
  }

  async open(choices) {
    if ([...choices.keys()].length) {
      this.chosen = { ...START };
      for (const [key, value] of choices) {
        if (!(key in START)) continue;
        const example = START[key];
        this.chosen[key] =
          key === "skip" ? (value === "" ? null : Number(value))
          : typeof example === "number" ? Number(value)
          : typeof example === "boolean" ? value === "true"
          : value;
      }
      if (this.chosen.csv) this.chosen.csv = await unpack(this.chosen.csv).catch(() => "");
      this.fill();
      this.reset();
    } else {
      this.fill();
      if (!this.begun) this.reset();
    }
    this.remember();
  }

  close() {
    if (this.state === "running") this.order("pause");
  }

  /** Writes all changed settings to the address, and the packed table unless it is too long. */
  async remember() {
    const choices = new URLSearchParams();
    const long = [];
    for (const [key, value] of Object.entries(this.chosen)) {
      if (TABLE.includes(key) && this.chosen.data !== "table") continue;
      if (key === "csv") {
        const code = value && (await pack(value));
        if (code && code.length <= LONGEST) choices.set(key, code);
        else if (code) long.push("The table is too long for the address: a link to this page does not contain it.");
      } else if (value !== START[key] || key === "data" || key === "seed") choices.set(key, value ?? "");
    }
    this.warning.textContent = long.join(" ");
    this.warning.hidden = !long.length;
    if (!this.section.hidden) address.write("training", choices);
  }

  change(choices) {
    Object.assign(this.chosen, choices);
    this.fill();
    this.reset(250);
    this.remember();
  }

  paste(csv) {
    const line = header(csv);
    const delimiter = line.includes("\t") ? "tab" : line.split(";").length > line.split(",").length ? "semicolon" : "comma";
    const columns = names(line, delimiter);
    const target = columns.includes(this.chosen.target) ? this.chosen.target : columns.at(-1);
    this.change({ csv, delimiter, target });
  }

  async upload(file) {
    if (!file) return;
    // the server would refuse it, but only after the whole upload
    if (file.size > 1 << 20) {
      this.fields.csv.complain(`at most ${1 << 20} bytes, got ${file.size}`);
      return;
    }
    this.paste(await file.text());
  }

  fill() {
    const chosen = this.chosen;
    for (const [key, { input }] of Object.entries(this.fields)) {
      if (!input || key === "file" || key === "residual") continue;
      if (input.type === "checkbox") input.checked = chosen[key];
      else if (input.value !== String(chosen[key]) && document.activeElement !== input) input.value = chosen[key];
    }
    this.showSteering();
    this.fields.residual.input.checked = chosen.skip !== null;
    this.fields.skip.node.hidden = chosen.skip === null;
    if (chosen.skip !== null && this.fields.skip.slider.value !== chosen.skip) this.fields.skip.slider.value = chosen.skip;
    this.toy.hidden = chosen.data === "table";
    this.own.hidden = chosen.data !== "table";
    const columns = names(header(chosen.csv), chosen.delimiter).slice(0, 200);
    this.columns.replaceChildren(...columns.map((value) => element("option", { value })));
  }

  /** The settings in the server's format. */
  settings() {
    const c = this.chosen;
    const parts = c.hidden.split(/[,;\s]+/).filter(Boolean);
    if (!parts.every((part) => /^\d+([x×]\d+)?$/.test(part))) {
      throw new Problem({ error: "whole numbers, separated by commas, such as 32,32 or 16x8", field: "hidden" });
    }
    const hidden = parts.flatMap((part) => {
      const [width, times = 1] = part.split(/[x×]/).map(Number);
      return Array(Math.min(times, 1000)).fill(width);
    });
    for (const key of ["rows", "batch", "epochs", "seed"]) {
      if (!Number.isInteger(c[key]) || c[key] < 0) throw new Problem({ error: "a whole number", field: key });
    }
    if (c.epochs < 1) throw new Problem({ error: "at least 1", field: "epochs" });
    for (const key of ["noise", "gain", "learning_rate"]) {
      if (!Number.isFinite(c[key])) throw new Problem({ error: "a number", field: key });
    }
    if (c.data === "table" && !c.csv.trim()) throw new Problem({ error: "paste a table, or choose a file", field: "csv" });
    const drop = c.drop.split(",").map((name) => name.trim()).filter(Boolean);
    const own = { csv: c.csv, target: c.target, classes: c.classes, drop, delimiter: c.delimiter, missing: c.missing };
    const { data, rows, noise, activation, init, gain, skip, norm, optimizer, learning_rate, batch, epochs, seed } = c;
    const speed = Number(c.speed);
    return { data, rows, noise, table: data === "table" ? own : null, hidden, activation, init, gain, skip, norm, optimizer, learning_rate, batch, epochs, seed, speed };
  }

  complain(problem) {
    complain(this.fields, this.problem, problem);
  }

  /** Stops training and shows the untrained network. */
  reset(delay = 0) {
    this.begun = true;
    this.asking?.abort();
    clearTimeout(this.timer);
    this.enter("idle");
    this.timer = setTimeout(() => this.listen("/api/training/preview", () => this.settings()), delay);
  }

  toggle() {
    if (this.state === "pausing") return;
    if (this.state === "running") this.order("pause");
    else if (this.state === "paused") this.order("run");
    else this.begin("run");
  }

  step() {
    if (this.state === "pausing") return;
    if (this.state === "paused") this.order("step");
    else this.begin("step");
  }

  begin(order) {
    clearTimeout(this.timer);
    this.listen("/api/training", () => ({ settings: this.settings(), order }), order);
  }

  /** Follows a training from its first line to its last. */
  async listen(path, question, order) {
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    this.complain();
    const current = () => this.asking === asking;
    try {
      const asked = question();
      if (order) this.enter("running", order);
      let ended = false;
      await follow(path, asked, asking.signal, (line) => {
        if (!current()) return;
        ended ||= line.kind === "end";
        this.take(line, Boolean(order));
      });
      if (current() && !ended) throw new Problem({ error: "The connection to the training ended." });
    } catch (problem) {
      if (problem.name === "AbortError" || !current()) return;
      if (!(problem instanceof Problem)) throw problem;
      this.complain(problem);
      this.enter("idle");
      // the results belong to other settings
      this.results.classList.add("stale");
      this.state_.replaceChildren("No results for these settings");
      this.score.textContent = "";
    }
  }

  order(order) {
    this.enter(order === "pause" ? "pausing" : "running", order);
    return this.tellServer({ order });
  }

  /** The sliders show the settings; momentum can change during training only, and only that of SGD. */
  showSteering() {
    const { rate, momentum } = this.steering;
    const { optimizer, learning_rate } = this.chosen;
    rate.value = learning_rate;
    momentum.value = optimizer === "momentum" ? 0.9 : 0;
    this.allowSteering();
  }

  allowSteering() {
    const open = ["running", "pausing", "paused"].includes(this.state);
    const sgd = ["sgd", "momentum"].includes(this.chosen.optimizer);
    for (const input of [this.steering.momentum.range, this.steering.momentum.field]) input.disabled = !(open && sgd);
  }

  /** Changes the rate or the momentum of a training that is running or paused, or else the setting of the rate. */
  steer(choice) {
    if (["running", "pausing", "paused"].includes(this.state) && this.known?.id) {
      clearTimeout(this.steerTimer);
      this.wanted = { ...this.wanted, ...choice };
      this.steerTimer = setTimeout(() => {
        this.tellServer(this.wanted);
        this.wanted = {};
      }, 60);
    } else if ("learning_rate" in choice) this.change(choice);
  }

  async tellServer(order) {
    await post(`/api/training/${this.known.id}`, order).catch((problem) => this.complain(problem));
  }

  enter(state, order) {
    this.state = state;
    // after a step, training pauses
    this.stepping = order === "step" || order === "pause";
    const { run, step, weights, history } = this.buttons;
    run.textContent = state === "running" && !this.stepping ? "Pause" : state === "paused" ? "Resume" : "Run";
    step.disabled = state === "running" && !this.stepping;
    this.section.dataset.state = state;
    this.allowSteering();
    const ready = (state === "paused" || state === "ended") && this.known?.id;
    for (const [link, name] of [[weights, "model.safetensors"], [history, "history.csv"]]) {
      if (ready) {
        link.href = `/api/training/${this.known.id}/${name}`;
        link.download = name;
        link.removeAttribute("aria-disabled");
      } else {
        link.removeAttribute("href");
        link.setAttribute("aria-disabled", "true");
      }
    }
  }

  take(line, real) {
    if (line.kind === "start") {
      this.results.classList.remove("stale");
      this.known = line;
      this.done = [];
      this.looks = [];
      this.edges = [];
      this.eigenvalues = null;
      this.stride = 1;
      this.seen = 0;
    } else if (line.kind === "look") {
      this.look = line;
      this.done.push(...line.epochs.map((pair) => pair.map(toNumber)));
      this.collect(line);
      this.edges.push(...line.sharpness.map((edge) => edge.map((value) => (value === null ? null : toNumber(value)))));
      if (this.edges.length > 2 * COLUMNS) this.edges = thinned(this.edges, 2 * COLUMNS);
      this.eigenvalues = line.density?.map((point) => point.map(toNumber)) ?? this.eigenvalues;
      if (real && this.stepping && line.step > 0) this.enter("paused");
    } else if (line.kind === "end") {
      this.end = line;
      if (real) this.enter(line.ended === "failed" ? "idle" : "ended");
      if (line.error) this.complain(new Problem({ error: line.error, field: line.ended === "diverged" ? "learning_rate" : null }));
      if (real) announce(`Training ${line.ended}. ${this.score.textContent}`);
    }
    if (!this.look || line.kind === "start") return;
    if (this.state === "running" && line.kind === "look") this.drawSoon();
    else this.draw();
  }

  /** Draws after the browser has shown the previous drawing, at any rate of lines. */
  drawSoon() {
    this.again = true;
    if (this.drawing) return;
    this.drawing = true;
    this.again = false;
    this.draw();
    const shown = () => {
      this.drawing = false;
      if (this.again && this.state === "running") this.drawSoon();
    };
    requestAnimationFrame(() => requestAnimationFrame(shown));
  }

  /** Keeps the measured gradients, at most as many as the map has columns. */
  collect({ step, gradients }) {
    if (this.looks.at(-1)?.step === step) this.looks.pop();
    this.looks.push({ step, values: gradients.map((value) => Math.log10(toNumber(value))) });
    if (this.looks.length > COLUMNS) this.looks = thinned(this.looks, COLUMNS);
  }

  draw() {
    const { epoch, step, loss, score } = this.look;
    const { known } = this;
    const last = this.done.at(-1);
    const words = { idle: "untrained", running: "training", pausing: "training", paused: "paused", ended: this.end?.ended ?? "" };
    const parts = [
      element("strong", {}, words[this.state] ?? ""),
      ` · epoch ${Math.max(epoch, 0)} of ${this.chosen.epochs}, step ${step}`,
    ];
    if (loss !== null) parts.push(` · loss of the batch ${brief(loss, 4)}`);
    this.state_.replaceChildren(...parts);
    this.state_.dataset.step = step;
    this.state_.dataset.epoch = epoch;
    if (last) {
      this.state_.dataset.train = last[0];
      this.state_.dataset.validation = last[1];
    } else {
      delete this.state_.dataset.train;
      delete this.state_.dataset.validation;
    }
    this.score.textContent = `${score.name} on validation rows: ${brief(score.value, 4)}`;
    this.score.dataset.value = score.value;
    this.drawLosses();
    this.drawPicture();
    this.drawMap();
    this.drawEdge();
    this.drawPhase();
    this.drawDensity();
    this.tell();
    this.edgeTable.refresh();
    this.lossTable.refresh();
    this.mapTable.refresh();
  }

  drawLosses() {
    const { done } = this;
    const line = (column) => thinned(done.map((pair, i) => [i + 1, Math.log10(pair[column]), 0]), 400);
    const lines = [line(0), line(1)];
    const one = done.length === 1;
    const [low, high] = extent(lines.flat().map((point) => point[1]), 0.06);
    const name = this.known.classes ? "cross-entropy" : "mean squared error, scaled";
    this.losses.draw({
      label: done.length ? `Loss after ${done.length} epochs: training ${brief(done.at(-1)[0])}, validation ${brief(done.at(-1)[1])}` : "Loss: no epoch yet",
      x: { label: "epoch", low: done.length > 1 ? 1 : 0, high: Math.max(done.length, 2), whole: true },
      y: done.length ? { label: name, low, high: Math.max(high, low + 0.3), log: true } : { label: name, low: -2, high: 0, log: true },
      series: [0, 1].map((index) => ({ index, line: lines[index], points: one ? lines[index] : [] })),
      texts: done.length ? [] : [{ at: [1, -1], text: "no epoch yet", anchor: "middle" }],
    });
    this.legend.replaceChildren(
      key(0, "training rows, during the epoch", LINE),
      key(1, "validation rows, after each epoch", LINE),
    );
  }

  drawPicture() {
    const { known, look } = this;
    const { kind, places, train, validation } = known.picture;
    const { classes, features, target } = known;
    const note = (...parts) => this.pictureNote.replaceChildren(...parts);
    this.picture.node.hidden = kind === "confusion";
    this.confusion.hidden = kind !== "confusion";
    if (kind === "curve") {
      const points = (rows) => rows.map(([x, y]) => [x, y, 0]);
      const line = look.picture.map((y, i) => [places[i], toNumber(y), 0]);
      const [low, high] = extent([...train, ...validation].map(([, y]) => y), 0.1);
      this.pictureTitle.textContent = "The fit";
      this.picture.draw({
        label: `The fitted curve of ${target} against ${features[0]} among ${known.train_rows + known.validation_rows} points`,
        x: { label: features[0], low: places[0], high: places.at(-1) },
        y: { label: target, low, high },
        series: [
          { index: 0, points: points(train), small: true, faded: true },
          { index: 1, points: points(validation), small: true, hollow: true, faded: true },
          { index: 2, line },
        ],
      });
      note(key(0, "training rows", MARK), key(1, "validation rows", { ...MARK, hollow: true }), key(2, "the network", LINE));
    } else if (kind === "plane") this.drawPlane(note);
    else if (kind === "scatter") {
      const pairs = look.picture.map(([t, p]) => [toNumber(t), toNumber(p), 0]);
      const [low, high] = extent(pairs.flatMap(([t, p]) => [t, p]), 0.06);
      this.pictureTitle.textContent = "Predicted and true";
      this.picture.draw({
        label: `Predicted against true ${target} of ${known.validation_rows} validation rows`,
        x: { label: `${target}, true`, low, high },
        y: { label: "predicted", low, high },
        series: [{ index: 3, line: [[low, low, 0], [high, high, 0]], thin: true }, { index: 1, points: pairs, small: true }],
      });
      note("Each mark is a validation row. On the diagonal the prediction is exact.");
    } else {
      this.pictureTitle.textContent = "Confusion matrix";
      this.confusion.replaceChildren(this.confusionTable(look.confusion, classes));
      note("Validation rows. Darker: a larger share of the true class.");
    }
  }

  drawPlane(note) {
    const { known, look } = this;
    const { places, train, validation } = known.picture;
    const { side, x, y } = places;
    const { classes, features } = known;
    const [wide, tall] = [(x[1] - x[0]) / side, (y[1] - y[0]) / side];
    // one rectangle for each run of equal cells
    const shades = classes
      ? look.picture.classes.map((k, i) => [`fill-${k + 1}`, ((look.picture.percent[i] - 100 / classes.length) / (100 - 100 / classes.length)) * 0.4 + 0.06])
      : this.shades(look.picture.map(toNumber));
    const cells = [];
    for (let row = 0; row < side; row++) {
      for (let from = 0; from < side; ) {
        const [fill, opacity] = shades[row * side + from];
        const dim = opacity.toFixed(2);
        let to = from + 1;
        while (to < side && shades[row * side + to][0] === fill && shades[row * side + to][1].toFixed(2) === dim) to++;
        cells.push([x[0] + from * wide, x[0] + to * wide, y[0] + row * tall, y[0] + (row + 1) * tall, fill, dim]);
        from = to;
      }
    }
    let series;
    if (classes) {
      const marks = (rows, look) => classes.map((_, k) => ({ index: k, points: rows.filter((row) => row[2] === k).map((row) => [row[0], row[1], 0]), small: true, ...look }));
      series = [...marks(train, {}), ...marks(validation, { hollow: true })];
    } else series = [{ index: 1, points: [...train, ...validation].map((row) => [row[0], row[1], 0]), small: true, hollow: true }];
    this.pictureTitle.textContent = classes ? "Decisions" : `Predicted ${known.target}`;
    this.picture.draw({
      label: classes
        ? `The predicted class over the plane of ${features[0]} and ${features[1]}; ${this.score.textContent}`
        : `The prediction over the plane of ${features[0]} and ${features[1]}`,
      x: { label: features[0], low: x[0], high: x[1] },
      y: { label: features[1], low: y[0], high: y[1] },
      series,
      cells,
      grid: false,
    });
    if (classes) note(...classes.map((name, k) => key(k, name, MARK)), element("span", {}, "Hollow marks: validation rows. Stronger colour: higher probability."));
    else note(`From dark to bright: ${this.reach}.`);
  }

  /** Colours in 24 steps from the smallest to the largest value. */
  shades(values) {
    const [low, high] = extent(values, 0);
    this.reach = `${brief(low, 3)} to ${brief(high, 3)}`;
    return values.map((value) => [shade(Math.round(((value - low) / (high - low || 1)) * 24) / 24), 1]);
  }

  confusionTable(counts, classes) {
    const rows = counts.map((row, t) => {
      const total = row.reduce((sum, count) => sum + count, 0) || 1;
      return [
        element("strong", {}, classes[t]),
        ...row.map((count) => element("span", { class: `share share-${Math.round((8 * count) / total)}` }, count)),
      ];
    });
    const made = table("", ["true (rows), predicted (columns)", ...classes], rows);
    made.classList.add("confusion");
    return made;
  }

  /** Layers as rows, the first at the bottom; measurements as columns. */
  drawMap() {
    const { looks, known } = this;
    const layers = known.layers.length;
    const [low, high] = extent(looks.flatMap(({ values }) => values), 0);
    const part = (value) => (value - low) / Math.max(high - low, 1e-9);
    const cells = [];
    for (let layer = 0; layer < layers; layer++) {
      for (let from = 0; from < looks.length; ) {
        const colour = (i) => (Number.isFinite(looks[i].values[layer]) ? shade(Math.round(part(looks[i].values[layer]) * 40) / 40) : "#000");
        const fill = colour(from);
        let to = from + 1;
        while (to < looks.length && colour(to) === fill) to++;
        cells.push([from, to, layer + 0.5, layer + 1.5, fill, 1]);
        from = to;
      }
    }
    const every = Math.max(1, Math.ceil(looks.length / 6));
    const ticks = looks.map(({ step }, i) => ({ at: i + 0.5, text: brief(step, 6) })).filter((_, i) => i % every === 0);
    this.map.draw({
      label: `Gradient by layer and time. ${looks.length ? `Now from 10^${brief(looks.at(-1).values[0], 3)} in the first layer to 10^${brief(looks.at(-1).values.at(-1), 3)} in the last` : ""}`,
      x: { label: "step", low: 0, high: Math.max(looks.length, 1), ticks },
      y: { label: "layer, from the input", low: 0.5, high: layers + 0.5, whole: true },
      cells,
      grid: false,
    });
    const bar = element("span", { class: "colours" }, [...Array(21).keys()].map((i) => element("span", { class: "colour" })));
    [...bar.children].forEach((one, i) => (one.style.background = shade(i / 20)));
    const end = (value) => (Number.isFinite(value) ? brief(10 ** value, 2) : "0");
    this.scale.replaceChildren(`|δ| ${end(low)}`, bar, `${end(high)}`, element("span", {}, "Each column is a measurement on the same 32 rows; black is 0."));
  }

  /** The largest eigenvalue of the Hessian beside the largest stable one. */
  drawEdge() {
    const { edges } = this;
    const log = (value) => (value > 0 ? Math.log10(value) : NaN);
    const line = (column) => edges.map((edge) => [edge[0], edge[column] === null ? NaN : log(edge[column]), 0]);
    const [sharp, stable, along] = [line(1), line(2), line(3)];
    const [low, high] = extent([...sharp, ...stable].map((point) => point[1]), 0.15);
    const last = edges.at(-1);
    const ratio = last?.[2] ? last[1] / last[2] : NaN;
    this.edge.node.dataset.sharpness = last?.[1] ?? "";
    this.edge.node.dataset.threshold = last?.[2] ?? "";
    this.edge.draw({
      label: last ? `Sharpness ${brief(last[1], 3)}${last[2] ? `, the largest stable one is ${brief(last[2], 3)}` : ""}` : "Sharpness: no measurement yet",
      x: { label: "step", low: 0, high: Math.max(last?.[0] ?? 1, 1), whole: true },
      y: { label: "curvature", low, high: Math.max(high, low + 0.5), log: true },
      series: [
        { index: 2, line: along },
        { index: 1, line: stable, points: edges.length === 1 ? stable : [] },
        { index: 0, line: sharp, points: edges.length < 30 ? sharp : [], small: true },
      ],
    });
    this.edgeLegend.replaceChildren(
      key(0, "largest eigenvalue of the Hessian (sharpness)", LINE),
      key(1, "largest stable one: 2/η, with momentum (2 + 2β)/⁠η", LINE),
      key(2, "curvature along the gradient", LINE),
      element("span", {}, this.verdict(ratio)),
    );
  }

  verdict(ratio) {
    if (!Number.isFinite(ratio)) return "No stability limit is known for this optimizer.";
    if (ratio > 1.12) return `${brief(ratio, 3)} times the limit: steps overshoot.`;
    if (ratio > 0.9) return "At the edge of stability: a smaller rate will not train faster.";
    return `Stable: the rate could be ${brief(1 / ratio, 2)} times larger at this sharpness.`;
  }

  drawDensity() {
    const curve = this.eigenvalues;
    this.density.node.hidden = !curve;
    this.densityNote.textContent = curve
      ? "Density on a logarithmic scale, on 32 rows: a bulk near 0, and single eigenvalues as peaks. Drawn before training, in pauses, and at the end."
      : "Shown for networks of at most 20,000 parameters.";
    if (!curve) return;
    const largest = Math.max(...curve.map((point) => point[1]));
    const floor = Math.log10(largest) - 6;
    const line = curve.map(([value, density]) => [value, Math.max(Math.log10(density), floor), 0]);
    this.density.draw({
      label: `Density of the eigenvalues of the Hessian, from ${brief(curve[0][0], 3)} to ${brief(curve.at(-1)[0], 3)}`,
      x: { label: "eigenvalue", low: curve[0][0], high: curve.at(-1)[0] },
      y: { label: "density", low: floor, high: Math.log10(largest) + 0.2, log: true },
      series: [{ index: 0, line }],
    });
  }

  /** The way of σw and σb through the phase diagram, up to a step: by default, the last one. */
  drawPhase(step = Infinity) {
    const { phase } = this.known;
    const placed = phase ? this.edges.filter((edge) => Number.isFinite(edge[4])) : [];
    this.phase.node.hidden = this.time.node.hidden = !placed.length;
    this.phaseNote.textContent = "Shown for plain stacks of linear layers with one kind of activation.";
    if (!placed.length) return;
    const last = placed.at(-1)[0];
    this.time.range.max = Math.max(last, 1);
    if (step > last) this.time.value = last;
    const now = placed.findLast((edge) => edge[0] <= step) ?? placed[0];
    const reach = (column, least) => 1.15 * Math.max(least, ...placed.map((edge) => edge[column]));
    const [right, top] = [reach(4, 2.5), reach(5, 0.8)];
    const { edge, activation } = phase;
    const place = (edge) => [edge[4], edge[5], 0, `step ${edge[0]}: σw ${brief(edge[4], 3)}, σb ${brief(edge[5], 3)}`];
    this.phase.draw({
      label: `Phase diagram. Step ${now[0]}: σw ${brief(now[4], 3)}, σb ${brief(now[5], 3)}`,
      x: { label: "σw", low: 0, high: right },
      y: { label: "σb", low: -0.05 * top, high: top, left: 44 },
      series: [
        { index: 1, line: edgeOfChaos(edge, top) },
        { index: 2, line: placed.map(place), thin: true },
        { index: 2, points: [place(placed[0])], hollow: true },
        { index: 2, points: [place(now)] },
      ],
      texts: [
        { at: [0, top], text: "ordered", dx: 10, dy: 18 },
        { at: [right, 0], text: "chaotic", anchor: "end", dx: -8, dy: -12 },
      ],
    });
    this.phaseNote.textContent = `Orange: the edge of chaos of ${activation}. Green: σw and σb of the layers, from the start (hollow) to the chosen step.`;
  }

  edgeNumbers() {
    const rows = thinned(this.edges, 40).map(([step, sharp, stable, along]) => [step, brief(sharp, 5), stable === null ? "" : brief(stable, 5), brief(along, 5)]);
    return table("", ["step", "sharpness", "largest stable", "along the gradient"], rows);
  }

  lossNumbers() {
    const rows = this.done.map((pair, i) => [i + 1, brief(pair[0], 6), brief(pair[1], 6)]);
    return table("", ["epoch", "training loss", "validation loss"], thinned(rows, 40));
  }

  mapNumbers() {
    const { looks, known } = this;
    const shown = thinned(looks, 8);
    const rows = known.layers.map((name, layer) => [layer + 1, name, ...shown.map(({ values }) => brief(10 ** values[layer], 3))]);
    return table("|δ| by layer", ["", "layer", ...shown.map(({ step }) => `step ${step}`)], rows);
  }

  tell() {
    const { known, look } = this;
    const { classes } = known;
    const heads = [known.target, "predicted", ...(classes ? ["probability"] : []), ...known.features];
    const rows = known.picture.rows.map(({ x, y }, i) => {
      const predicted = look.predictions[i].map(toNumber);
      const raw = (value, text) => element("span", { "data-value": value }, text);
      const inputs = x.map((value) => raw(value, brief(value, 5)));
      if (!classes) return [raw(y, brief(y, 5)), raw(predicted[0], brief(predicted[0], 5)), ...inputs];
      const best = predicted.indexOf(Math.max(...predicted));
      const name = element("span", { class: best === y ? "" : "wrong" }, classes[best]);
      return [classes[y], name, raw(predicted[best], `${brief(100 * predicted[best], 3)} %`), ...inputs];
    });
    const made = table(`${rows.length} of ${known.validation_rows}; ${known.train_rows} training rows, ${known.weights} parameters`, heads, rows);
    this.predictions.replaceChildren(made);
    if (known.constant.length) {
      this.predictions.append(element("p", { class: "small faint" }, `Constant, so without information: ${known.constant.join(", ")}.`));
    }
  }
}

export const training = new TrainingTab();
