// Streamed answers: one JSON value per line.

import { post, Problem } from "./common.js";

/** Asks the server and calls `onLine` for each line of the answer. An error reply is thrown as a Problem. */
export async function follow(path, question, signal, onLine) {
  const reply = await post(path, question, { signal });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (signal.aborted) throw new DOMException("replaced by another question", "AbortError");
      throw new Problem({ error: "The connection ended. Is `geartrain lab` still running?" });
    }
    if (piece.done) return;
    const lines = (rest + piece.value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (!signal.aborted) onLine(JSON.parse(line));
  }
}
