"""Progress of training: scikit-learn's lines, or a bar."""

from __future__ import annotations

import sys
import time


class Progress:
    """Writes after each epoch: nothing, a line, or a bar in terminals and notebooks."""

    WIDTH = 30
    INTERVAL = 0.1

    def __init__(self, verbose, total):
        self.verbose, self.total = verbose, total
        self.start, self.shown = time.monotonic(), 0.0
        self.text = ""

    def epoch(self, number, loss, scores=None):
        """The epoch `number`, from 1, with its loss and all validation scores so far."""
        if self.verbose == "bar":
            self.text = self._bar(number, loss, scores)
            if time.monotonic() - self.shown >= self.INTERVAL or number == self.total:
                self._show()
        elif self.verbose:
            print(f"Iteration {number}, loss = {loss:.8f}")
            if scores:
                print(f"Validation score: {scores[-1]:f}")

    def _bar(self, number, loss, scores):
        filled = round(self.WIDTH * number / self.total)
        seconds = time.monotonic() - self.start
        score = f", score {scores[-1]:.4f}" if scores else ""
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        return f"{bar} {number}/{self.total}, loss {loss:.6f}{score}, {seconds:.1f} s"

    def _show(self):
        # A carriage return redraws the line in terminals and in notebooks alike.
        print("\r" + self.text, end="", file=sys.stderr, flush=True)
        self.shown = time.monotonic()

    def close(self):
        """Ends the line of the bar."""
        if self.text:
            self._show()
            print(file=sys.stderr)
            self.text = ""
