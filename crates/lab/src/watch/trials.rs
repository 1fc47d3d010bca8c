//! Findings about the learning rate and the batch size, tried out on copies of the network.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{TrainingCourse, TrainingFinding};
use geartrain::data::Dataset;
use geartrain::train::StopReason;
use geartrain::{Error, Loss, Network, Optimizer, Scalar, Training};

/// A rate below the edge of stability, relative to it: the sharpness rises when the rate allows it.
const BELOW: f64 = 0.7;
/// The least part of the unchanged training's progress that counts as the same.
const PROGRESS: f64 = 0.8;

/// What a changed learning rate or batch size leads to, beside unchanged training. `{}` prints a
/// sentence.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Trial {
    /// The finding that was tried out.
    pub finding: TrainingFinding,
    /// The change, in words.
    pub change: String,
    /// The loss on all rows before.
    pub before: f64,
    /// The loss after unchanged training; NaN if it diverges.
    pub unchanged: f64,
    /// The loss after training with the change; NaN if it diverges.
    pub changed: f64,
    /// Whether this confirms the finding.
    pub holds: bool,
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trial { change, before, unchanged, changed, holds, .. } = self;
        let loss = |loss: f64| if loss.is_nan() { "diverges".into() } else { format!("loss {loss:.3e}") };
        write!(f, "Tried: {change}: {}, without the change {}", loss(*changed), loss(*unchanged))?;
        write!(f, ", from {before:.3e}: {}.", if *holds { "confirmed" } else { "not confirmed" })
    }
}

impl TrainingCourse {
    /// Tries out the findings that speak about another learning rate or batch size: continues the
    /// training on `data` from `network` for `epochs` epochs, unchanged and changed, on copies.
    /// `optimizer` makes an optimizer of a learning rate. Each finding takes one to three
    /// trainings, and the unchanged training one. When `stop` is set, the training under way ends
    /// after its step, and the trials completed so far are returned.
    ///
    /// - At the edge of stability: half the rate does not reach a lower loss, to 5 %.
    /// - Stable: 0.7 times the rate at the edge reaches a lower loss.
    /// - Unstable: 0.7 times the rate at the edge does not increase the loss.
    /// - Large updates: a quarter of the rate reaches a lower loss.
    /// - A noisy batch: four times the batch, at up to four times the rate, makes four fifths of
    ///   the progress in a quarter of the steps.
    /// - A large batch: a quarter of the batch makes four fifths of the progress in as many steps.
    ///
    /// # Errors
    /// As [`Training::fit`], except for divergence.
    pub fn try_findings<F: Scalar, O: Optimizer<F>>(
        &self,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        data: &Dataset<F>,
        epochs: usize,
        optimizer: impl Fn(f64) -> O,
        stop: &Arc<AtomicBool>,
    ) -> Result<Vec<Trial>, Error> {
        let rate = self.records.last().map_or(0.0, |record| record.learning_rate);
        let before = network.loss(loss, data.x(), data.y())?;
        let train = |rate_factor: f64, batch: usize, epochs: usize| {
            let mut copy = network.clone();
            let mut training = Training::new(loss, optimizer(rate * rate_factor));
            training = training.epochs(epochs.max(1)).batch_size(batch.clamp(1, data.rows()));
            match training.progress(false).stop_flag(stop.clone()).fit(&mut copy, data) {
                Ok(history) if history.stop_reason == StopReason::StopFlag => Ok(None),
                Ok(_) => copy.loss(loss, data.x(), data.y()).map(Some),
                Err(Error::Diverged { .. }) => Ok(Some(f64::NAN)),
                Err(error) => Err(error),
            }
        };
        let (same, mut trials, mut without) = ((self.batch_rows, epochs), Vec::new(), None);
        for finding in self.findings() {
            let (batch, epochs) = same;
            let (factors, batch, epochs, change) = match &finding {
                TrainingFinding::EdgeOfStability { .. } => (vec![0.5], batch, epochs, "half the rate".into()),
                TrainingFinding::Unstable { ratio: by } => {
                    (vec![BELOW / by], batch, epochs, format!("the rate divided by {:.2}", by / BELOW))
                }
                TrainingFinding::Stable { room } => {
                    (vec![BELOW * room], batch, epochs, format!("{:.1} times the rate", BELOW * room))
                }
                TrainingFinding::LargeUpdates { .. } => {
                    (vec![0.25], batch, epochs, "a quarter of the rate".into())
                }
                TrainingFinding::NoisyBatch { .. } => {
                    let change = "four times the batch in a quarter of the steps".into();
                    (vec![4.0, 2.0, 1.0], 4 * batch, epochs, change)
                }
                TrainingFinding::LargeBatch { .. } => {
                    let change = "a quarter of the batch in as many steps".into();
                    (vec![1.0], batch.div_ceil(4), epochs.div_ceil(4), change)
                }
                _ => continue,
            };
            if without.is_none() {
                without = train(1.0, same.0, same.1)?;
            }
            let Some(unchanged) = without else { break };
            let losses = factors.iter().map(|&factor| train(factor, batch, epochs));
            let Some(losses) = losses.collect::<Result<Option<Vec<f64>>, Error>>()? else { break };
            let changed = losses.into_iter().fold(f64::NAN, f64::min);
            let holds = match finding {
                TrainingFinding::EdgeOfStability { .. } => changed >= 0.95 * unchanged,
                TrainingFinding::Unstable { .. } => changed <= before,
                TrainingFinding::Stable { .. } => changed < unchanged,
                TrainingFinding::LargeUpdates { .. } => changed < unchanged || unchanged.is_nan(),
                _ => before - changed >= PROGRESS * (before - unchanged),
            };
            trials.push(Trial { finding, change, before, unchanged, changed, holds });
        }
        Ok(trials)
    }
}
