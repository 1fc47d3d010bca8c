// Answers that come piece by piece: one JSON value per line.

import { Problem } from "./common.js";

/** Asks the server and calls `onLine` for each line of the answer. A refusal is thrown as a Problem. */
export async function follow(path, question, signal, onLine) {
  let reply;
  try {
    reply = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(question),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ error: "The server does not answer. Is `lab` still running?" });
  }
  if (!reply.ok) throw new Problem(await reply.json());
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (signal.aborted) throw new DOMException("asked something else", "AbortError");
      throw new Problem({ error: "The server broke off. Is `lab` still running?" });
    }
    if (piece.done) return;
    const lines = (rest + piece.value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (!signal.aborted) onLine(JSON.parse(line));
  }
}
