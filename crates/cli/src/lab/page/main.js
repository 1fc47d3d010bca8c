// The tabs. The address names the tab and its settings: #flow?depth=20&width=64
//
// A tab exports { id, start(section), open(choices), close() }: `start` builds it when it is first shown; `open` takes
// over the settings of the address, a URLSearchParams (empty: keep the current ones, or the defaults at first), and
// writes them back with `address.write`; `close` stops animations when another tab is shown.

import { address } from "./common.js";
import { chain } from "./chain.js";
import { flow } from "./flow.js";
import { training } from "./training.js";

const tabs = [chain, flow, training];
const started = new Set();
let shown = null;

const handle = (tab) => document.getElementById(`tab-${tab.id}`);

function show(tab, choices) {
  if (shown && shown !== tab) shown.close();
  for (const other of tabs) {
    const selected = other === tab;
    handle(other).setAttribute("aria-selected", String(selected));
    handle(other).tabIndex = selected ? 0 : -1;
    document.getElementById(other.id).hidden = !selected;
  }
  shown = tab;
  if (!started.has(tab)) {
    started.add(tab);
    tab.start(document.getElementById(tab.id));
  }
  tab.open(choices);
}

function follow() {
  const { tab, choices } = address.read();
  show(tabs.find(({ id }) => id === tab) ?? chain, choices);
}

for (const tab of tabs) {
  handle(tab).addEventListener("click", () => show(tab, new URLSearchParams()));
  handle(tab).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = tabs.indexOf(tab);
    const next =
      event.key === "Home" ? tabs[0]
      : event.key === "End" ? tabs[tabs.length - 1]
      : step && tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    event.preventDefault();
    show(next, new URLSearchParams());
    handle(next).focus();
  });
}
addEventListener("hashchange", follow);
follow();
