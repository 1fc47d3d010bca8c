// Shared by all tabs: elements, numbers, requests to the server, the address, sliders.

/** An HTML element. Attributes that start with "on" are listeners; children are nodes or text, never markup. */
export function element(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null));
  return node;
}

/** A number of a reply, in which NaN and infinities are text. */
export function toNumber(x) {
  return x === "inf" ? Infinity : x === "-inf" ? -Infinity : x === "NaN" || x == null ? NaN : Number(x);
}

/** A number with at most `digits` significant digits, as in the library's drawings: 49, 0.1966, 1.2e−13. */
export function brief(value, digits = 4) {
  const x = toNumber(value);
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const text =
    power >= -4 && power < digits + 2
      ? trim(x.toFixed(Math.max(digits - 1 - power, 0)))
      : `${trim(mantissa)}e${power}`;
  return text.replaceAll("-", "−");
}

/** Announces a text to screen readers. */
export function announce(text) {
  const status = document.getElementById("status");
  if (status && status.textContent !== text) status.textContent = text;
}

/** An error reply: `message`, and for an error in a field, `field` and `pointer` (text with a caret below). */
export class Problem extends Error {
  constructor({ error, field, pointer }) {
    super(error);
    this.field = field;
    this.pointer = pointer;
  }
}

/** Sends a question to the server; an error reply is thrown as a Problem. */
export async function post(path, question, options = {}) {
  let reply;
  try {
    reply = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(question),
      ...options,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ error: "The server does not answer. Is `geartrain lab` still running?" });
  }
  if (!reply.ok) throw new Problem(await reply.json());
  return reply;
}

/** The server's answer. */
export async function ask(path, question, options) {
  return (await post(path, question, options)).json();
}

/**
 * A function that sends only the newest question: while the server is busy, later questions replace each other, so that
 * dragging never piles up work. Answers to outdated questions are still shown during a drag.
 */
export function latest(path, onAnswer, onProblem) {
  let waiting = null;
  let busy = false;
  async function next() {
    busy = true;
    try {
      while (waiting) {
        const question = waiting;
        waiting = null;
        try {
          onAnswer(await ask(path, question), question);
        } catch (problem) {
          if (!(problem instanceof Problem)) throw problem;
          // A newer question may be valid already.
          if (!waiting) onProblem(problem, question);
        }
      }
    } finally {
      busy = false;
    }
  }
  return (question) => {
    waiting = question;
    if (!busy) next();
  };
}

/** The part of the address after #: a tab and its settings. */
export const address = {
  read() {
    const [tab, ...rest] = location.hash.slice(1).split("?");
    return { tab, choices: new URLSearchParams(rest.join("?")) };
  },
  /** Replaces the address: dragging a slider must not fill the browser's history. */
  write(tab, choices) {
    clearTimeout(this.timer);
    // Browsers limit how often the address may change.
    this.timer = setTimeout(() => history.replaceState(null, "", `#${tab}?${choices}`), 150);
  },
};

let ids = 0;
/** A new id, for labels. */
export const freshId = () => `id-${++ids}`;

/** A slider and a number field for one value: { node, get value, set value }. The field may exceed the slider's range. */
export function slider({ label, value, min, max, step = "any", onchange }) {
  const id = freshId();
  const range = element("input", { type: "range", min, max, step, id, oninput: () => take(range.value) });
  const field = element("input", {
    type: "number",
    step: "any",
    "aria-label": `${label}, as a number`,
    oninput: () => Number.isFinite(field.valueAsNumber) && take(field.value, field),
    onchange: () => Number.isFinite(field.valueAsNumber) || show(current),
  });
  const name = element("label", { for: id }, label);
  const node = element("div", { class: "slider" }, name, range, field);
  let current = value;
  function show(x, typed) {
    current = x;
    if (x < Number(range.min)) range.min = x;
    if (x > Number(range.max)) range.max = x;
    range.value = x;
    if (typed !== field) field.value = x;
  }
  function take(text, typed) {
    show(Number(text), typed);
    onchange(current);
  }
  show(value);
  return {
    node,
    range,
    field,
    get value() {
      return current;
    },
    set value(x) {
      show(x);
    },
  };
}

/** A table with a caption; cells are text or nodes. */
export function table(caption, head, rows) {
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, head.map((cell) => element("th", { scope: "col" }, cell)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, cell))))),
  );
}

/** Downloads a file. */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
