// The room "Chain rule".

import { address, ask, brief, element } from "./common.js";

export const chain = {
  id: "chain",
  start(section) {
    section.append(element("p", {}, "This room is being built."));
  },
  open(choices) {
    address.write("chain", choices);
  },
  close() {},
};
