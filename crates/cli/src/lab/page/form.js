// Fields of a form, each with a place for an error message.

import { element, freshId, slider } from "./common.js";

// The choices for the networks of two tabs.
export const ACTIVATIONS = [["sigmoid", "sigmoid"], ["tanh", "tanh"], ["relu", "ReLU"], ["leaky_relu", "leaky ReLU"], ["elu", "ELU"], ["selu", "SELU"], ["gelu", "GELU"], ["silu", "SiLU"]];
export const INITS = [
  ["auto", "default: He or Xavier"], ["xavier", "Xavier (Glorot)"], ["he", "He (Kaiming)"], ["lecun", "LeCun: normal, σw / √n"],
  ["orthogonal", "orthogonal"], ["torch", "PyTorch's default"],
];
export const NORMS = [["none", "none"], ["batch", "batch norm"], ["layer", "layer norm"]];

function place() {
  return element("p", { class: "error small", id: freshId(), hidden: true, role: "alert" });
}

function finish(node, inputs, message, value) {
  return {
    node,
    ...value,
    /** Shows an error message; an empty text removes it. */
    complain(text) {
      message.textContent = text;
      message.hidden = !text;
      for (const input of inputs) {
        if (text) input.setAttribute("aria-invalid", "true");
        else input.removeAttribute("aria-invalid");
        if (text) input.setAttribute("aria-describedby", message.id);
        else input.removeAttribute("aria-describedby");
      }
    },
  };
}

/** An input, select or textarea under its label. `hint` is a help text. */
export function field(label, input, hint) {
  input.id ||= freshId();
  const message = place();
  const help = hint && element("p", { class: "faint small hint" }, hint);
  const node = element("div", { class: "field" }, element("label", { for: input.id }, label), input, help, message);
  return finish(node, [input], message, { input });
}

/** A choice: options are [value, text]. */
export function select(label, options, onchange, hint) {
  const input = element(
    "select",
    { onchange: () => onchange(input.value) },
    options.map(([value, text]) => element("option", { value }, text)),
  );
  return field(label, input, hint);
}

export function text(label, onchange, attributes = {}, hint) {
  const input = element("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes, oninput: () => onchange(input.value) });
  return field(label, input, hint);
}

export function number(label, onchange, attributes = {}, hint) {
  return text(label, (value) => onchange(Number(value)), { type: "number", step: "any", ...attributes }, hint);
}

export function check(label, onchange) {
  const input = element("input", { type: "checkbox", onchange: () => onchange(input.checked) });
  const message = place();
  const node = element("div", { class: "field" }, element("label", { class: "check" }, input, label), message);
  return finish(node, [input], message, { input });
}

/** A slider with a place for an error message. */
export function sliding(options) {
  const made = slider(options);
  const message = place();
  const node = element("div", { class: "field" }, made.node, message);
  return finish(node, [made.range, made.field], message, { slider: made });
}

/** Shows a problem beside its field, or in `general` if no field has its name. No problem: removes the message. */
export function complain(fields, general, problem) {
  for (const [name, one] of Object.entries(fields)) one.complain(problem?.field === name ? problem.message : "");
  general.textContent = problem && !fields[problem.field] ? problem.message : "";
  general.hidden = !general.textContent;
}
