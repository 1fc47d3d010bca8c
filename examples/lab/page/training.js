// The room "Training".

import { element } from "./common.js";

export const training = {
  id: "training",
  start(section) {
    section.append(element("p", {}, "This room is being built."));
  },
  open() {},
  close() {},
};
