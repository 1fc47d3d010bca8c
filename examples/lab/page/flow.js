// The room "Gradient flow".

import { element } from "./common.js";

export const flow = {
  id: "flow",
  start(section) {
    section.append(element("p", {}, "This room is being built."));
  },
  open() {},
  close() {},
};
