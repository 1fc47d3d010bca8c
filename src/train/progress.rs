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
                    let (bar, times) = bar(number, *epochs, start.elapsed().as_secs_f64());
                    let values = values(history);
                    let _ =
                        write!(std::io::stderr(), "\r{bar} epoch {number}/{epochs} {values} {times}\x1b[K");
                }
            }
            Progress::Lines { epochs } => {
                if has_line(number, *epochs) {
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

/// The bar after `number` epochs, and the time `elapsed` and to the end, in seconds.
fn bar(number: usize, epochs: usize, elapsed: f64) -> (String, String) {
    let left = elapsed / number as f64 * epochs.saturating_sub(number) as f64;
    let full = (WIDTH * number / epochs).min(WIDTH);
    ("█".repeat(full) + &"░".repeat(WIDTH - full), format!("[{elapsed:.0} s < {left:.0} s]"))
}

/// Whether an epoch has a line: the first, the last, and at most [`LINES`] others.
fn has_line(number: usize, epochs: usize) -> bool {
    number == 1 || number == epochs || number.is_multiple_of(epochs.div_ceil(LINES))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Epoch;

    #[test]
    fn the_bar_shows_the_share_of_the_epochs_and_the_times() {
        let parts = |full: usize| "█".repeat(full) + &"░".repeat(30 - full);
        assert_eq!(bar(1, 4, 10.0), (parts(7), "[10 s < 30 s]".into()));
        assert_eq!(bar(50, 200, 10.0), (parts(7), "[10 s < 30 s]".into()));
        assert_eq!(bar(200, 200, 40.0), (parts(30), "[40 s < 0 s]".into()));
        // A resumed run may have more epochs than it asks for.
        assert_eq!(bar(9, 4, 9.0), (parts(30), "[9 s < 0 s]".into()));
    }

    #[test]
    fn long_runs_have_at_most_22_lines() {
        let lines = |epochs| (1..=epochs).filter(|&number| has_line(number, epochs)).collect::<Vec<_>>();
        assert_eq!(lines(3), [1, 2, 3]);
        assert_eq!(lines(20), (1..=20).collect::<Vec<_>>());
        assert_eq!(lines(45), [1, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45]);
        assert_eq!(lines(1001)[..3], [1, 51, 102]);
        assert_eq!(lines(1001).len(), 21);
    }

    #[test]
    fn metrics_are_those_of_the_validation_data_if_there_are_any() {
        let mut history = History::new(vec!["r2".into()], true);
        assert_eq!(values(&history), "");
        let mut epoch = Epoch {
            learning_rate: 0.1,
            train_loss: 0.5,
            validation_loss: None,
            train_metrics: vec![0.25],
            validation_metrics: vec![],
        };
        history.epochs.push(epoch.clone());
        assert_eq!(values(&history), "loss 0.50000, r2 0.25000");
        epoch.validation_loss = Some(0.75);
        epoch.validation_metrics = vec![0.125];
        history.epochs.push(epoch);
        assert_eq!(values(&history), "loss 0.50000, validation 0.75000, r2 0.12500");
    }
}
