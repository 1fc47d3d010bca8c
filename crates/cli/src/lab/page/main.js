// The rooms as tabs. The address names the room and everything chosen in it: #flow?depth=20&width=64
//
// A room exports { id, start(section), open(choices), close() }: `start` builds it, once, when it is first shown; `open`
// takes over the choices of the address, a URLSearchParams (empty: keep what is chosen, or the defaults at first) and
// writes them back with `address.write`; `close`, when another room is shown, stops what moves.

import { address } from "./common.js";
import { chain } from "./chain.js";
import { flow } from "./flow.js";
import { training } from "./training.js";

const rooms = [chain, flow, training];
const started = new Set();
let shown = null;

const tab = (room) => document.getElementById(`tab-${room.id}`);

function show(room, choices) {
  if (shown && shown !== room) shown.close();
  for (const other of rooms) {
    const selected = other === room;
    tab(other).setAttribute("aria-selected", String(selected));
    tab(other).tabIndex = selected ? 0 : -1;
    document.getElementById(other.id).hidden = !selected;
  }
  shown = room;
  if (!started.has(room)) {
    started.add(room);
    room.start(document.getElementById(room.id));
  }
  room.open(choices);
}

function follow() {
  const { room, choices } = address.read();
  show(rooms.find(({ id }) => id === room) ?? chain, choices);
}

for (const room of rooms) {
  tab(room).addEventListener("click", () => show(room, new URLSearchParams()));
  tab(room).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = rooms.indexOf(room);
    const next =
      event.key === "Home" ? rooms[0]
      : event.key === "End" ? rooms[rooms.length - 1]
      : step && rooms[(at + step + rooms.length) % rooms.length];
    if (!next) return;
    event.preventDefault();
    show(next, new URLSearchParams());
    tab(next).focus();
  });
}
addEventListener("hashchange", follow);
follow();
