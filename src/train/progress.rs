//! Progress on stderr: a bar on a terminal, lines elsewhere, or nothing.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::history::History;

/// The largest number of lines of one run.
const LINES: usize = 20;
/// Characters of the bar.
const WIDTH: usize = 30;
/// The shortest time between two drawings of the bar.
const PAUSE: Duration = Duration::from_millis(50);

/// How `fit` reports its progress.
pub(super) enum Progress {
    Silent,
    /// One line of a terminal, drawn again and again.
    Bar {
        epochs: usize,
        start: Instant,
        drawn: Cell<Option<Instant>>,
    },
    Lines {
        epochs: usize,
    },
}

impl Progress {
    /// A bar if stderr is a terminal that can move its cursor, else lines. Writes the warnings
    /// first.
    pub fn new(epochs: usize, history: &History) -> Self {
        for warning in &history.warnings {
            // A closed stderr must not end the training.
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
        if epochs == 0 {
            return Progress::Silent;
        }
        if std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb") {
            return Progress::Bar { epochs, start: Instant::now(), drawn: Cell::new(None) };
        }
        Progress::Lines { epochs }
    }

    /// Reports the last epoch of `history`.
    pub fn epoch(&self, history: &History) {
        let number = history.epochs.len();
        match self {
            Progress::Silent => {}
            Progress::Bar { epochs, start, drawn } => {
                if number == *epochs || drawn.get().is_none_or(|drawn| drawn.elapsed() >= PAUSE) {
                    drawn.set(Some(Instant::now()));
                    let elapsed = start.elapsed().as_secs_f64();
                    let left = elapsed / number as f64 * epochs.saturating_sub(number) as f64;
                    let full = (WIDTH * number / epochs).min(WIDTH);
                    let (bar, rest) = ("█".repeat(full), "░".repeat(WIDTH - full));
                    let values = values(history);
                    let _ = write!(
                        std::io::stderr(),
                        "\r{bar}{rest} epoch {number}/{epochs} {values} [{elapsed:.0} s < {left:.0} s]\x1b[K"
                    );
                }
            }
            Progress::Lines { epochs } => {
                if number == 1 || number == *epochs || number.is_multiple_of(epochs.div_ceil(LINES)) {
                    let _ = writeln!(std::io::stderr(), "epoch {number}/{epochs} {}", values(history));
                }
            }
        }
    }
}

impl Drop for Progress {
    /// Leaves the bar as it is, also when training ends early.
    fn drop(&mut self) {
        if let Progress::Bar { .. } = self {
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// The losses of the last epoch, and its metrics on the validation data, or else on the training
/// data.
fn values(history: &History) -> String {
    let Some(epoch) = history.epochs.last() else { return String::new() };
    let mut text = format!("loss {:.5}", epoch.train_loss);
    if let Some(validation) = epoch.validation_loss {
        text += &format!(", validation {validation:.5}");
    }
    let on_validation = !epoch.validation_metrics.is_empty();
    let metrics = if on_validation { &epoch.validation_metrics } else { &epoch.train_metrics };
    for (name, value) in history.metrics.iter().zip(metrics) {
        text += &format!(", {name} {value:.5}");
    }
    text
}
