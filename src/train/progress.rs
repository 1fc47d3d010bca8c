//! Progress on stderr: a bar on a terminal, lines elsewhere, nothing on request.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use super::history::History;

/// Lines that one run writes at most when stderr is not a terminal.
const LINES: usize = 20;

/// How `fit` tells how far it is.
pub(super) enum Progress {
    Silent,
    Bar(ProgressBar),
    Lines { epochs: usize },
}

impl Progress {
    /// Nothing if `quiet`, a bar if stderr is a terminal that can move its cursor, else lines.
    pub fn new(epochs: usize, quiet: bool) -> Self {
        if quiet || epochs == 0 {
            return Progress::Silent;
        }
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if dumb || !std::io::stderr().is_terminal() {
            return Progress::Lines { epochs };
        }
        let style = ProgressStyle::with_template("{bar:30} epoch {pos}/{len} {msg} [{elapsed} < {eta}]");
        Progress::Bar(ProgressBar::new(epochs as u64).with_style(style.expect("a valid template")))
    }

    /// The last epoch of `history` is complete.
    pub fn epoch(&self, history: &History) {
        let number = history.epochs.len();
        match self {
            Progress::Silent => {}
            Progress::Bar(bar) => {
                bar.set_message(values(history));
                bar.set_position(number as u64);
            }
            Progress::Lines { epochs } => {
                if number == 1 || number == *epochs || number.is_multiple_of(epochs.div_ceil(LINES)) {
                    // A closed stderr must not end the training.
                    let _ = writeln!(std::io::stderr(), "epoch {number}/{epochs} {}", values(history));
                }
            }
        }
    }
}

impl Drop for Progress {
    /// Leaves the bar where it is, also when training ends early.
    fn drop(&mut self) {
        if let Progress::Bar(bar) = self {
            bar.abandon();
        }
    }
}

/// The losses of the last epoch, and its metrics on the validation data or else on the training data.
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
