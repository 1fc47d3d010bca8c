//! Progress on stderr: a bar on a terminal, lines elsewhere, or nothing.

#[cfg(feature = "progress")]
use std::io::IsTerminal;
use std::io::Write;

#[cfg(feature = "progress")]
use indicatif::{ProgressBar, ProgressStyle};

use super::history::History;

/// The largest number of lines of one run.
const LINES: usize = 20;

/// How `fit` reports its progress.
pub(super) enum Progress {
    Silent,
    #[cfg(feature = "progress")]
    Bar(ProgressBar),
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
        #[cfg(feature = "progress")]
        if std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb") {
            let style = ProgressStyle::with_template("{bar:30} epoch {pos}/{len} {msg} [{elapsed} < {eta}]");
            let style = style.expect("a valid template");
            return Progress::Bar(ProgressBar::new(epochs as u64).with_style(style));
        }
        Progress::Lines { epochs }
    }

    /// Reports the last epoch of `history`.
    pub fn epoch(&self, history: &History) {
        let number = history.epochs.len();
        match self {
            Progress::Silent => {}
            #[cfg(feature = "progress")]
            Progress::Bar(bar) => {
                bar.set_message(values(history));
                bar.set_position(number as u64);
            }
            Progress::Lines { epochs } => {
                if number == 1 || number == *epochs || number.is_multiple_of(epochs.div_ceil(LINES)) {
                    let _ = writeln!(std::io::stderr(), "epoch {number}/{epochs} {}", values(history));
                }
            }
        }
    }
}

#[cfg(feature = "progress")]
impl Drop for Progress {
    /// Leaves the bar as it is, also when training ends early.
    fn drop(&mut self) {
        if let Progress::Bar(bar) = self {
            bar.abandon();
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
