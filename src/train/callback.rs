//! Hooks into the training loop, to observe, steer or stop it.

use std::ops::ControlFlow;

use ndarray::ArrayRef2;

use super::history::History;
use crate::{Network, Optimizer, Scalar};

/// What a hook returns: `Continue(())` to train on, `Break(())` to end training as if this had been
/// the last epoch, or any error, which ends training as
/// [`Error::Callback`](crate::Error::Callback).
pub type CallbackResult = Result<ControlFlow<()>, Box<dyn std::error::Error + Send + Sync>>;

/// Hooks that [`Training::fit`](crate::Training::fit) calls. Both do nothing by default.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use geartrain::{data::toy, prelude::*};
/// use geartrain::train::{Callback, CallbackResult, EpochEnd};
///
/// /// Stops as soon as the training loss is small enough.
/// struct GoodEnough(f64);
///
/// impl Callback<f64> for GoodEnough {
///     fn on_epoch_end(&mut self, epoch: &mut EpochEnd<'_, f64>) -> CallbackResult {
///         let loss = epoch.history.epochs[epoch.epoch - 1].train_loss;
///         Ok(if loss < self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     }
/// }
///
/// let data = toy::sine::<f64>(100, 0.0, 1)?;
/// let mut network = Network::new(Linear::new(1, 1))?;
/// let mut good_enough = GoodEnough(0.5);
/// let history = Training::new(MeanSquaredError, Sgd::new(0.1))
///     .callback(&mut good_enough)
///     .progress(false)
///     .fit(&mut network, &data)?;
/// assert!(history.epochs.len() < 100);
/// # Ok::<(), geartrain::Error>(())
/// ```
pub trait Callback<F: Scalar>: Send {
    /// Called after every step.
    ///
    /// # Errors
    /// Any error; it stops training and is returned as [`Error::Callback`](crate::Error::Callback).
    fn on_step_end(&mut self, step: &mut StepEnd<'_, F>) -> CallbackResult {
        let _ = step;
        Ok(ControlFlow::Continue(()))
    }

    /// Called after every epoch, when its entry in the history is complete.
    ///
    /// # Errors
    /// Any error; it stops training and is returned as [`Error::Callback`](crate::Error::Callback).
    fn on_epoch_end(&mut self, epoch: &mut EpochEnd<'_, F>) -> CallbackResult {
        let _ = epoch;
        Ok(ControlFlow::Continue(()))
    }
}

/// A step that has just been done.
#[derive(Debug)]
#[non_exhaustive]
pub struct StepEnd<'a, F> {
    /// The network after the step.
    pub network: &'a Network<F>,
    /// The batch's inputs, `(rows, inputs)`.
    pub x: &'a ArrayRef2<F>,
    /// The batch's targets, `(rows, outputs)`.
    pub y: &'a ArrayRef2<F>,
    /// The loss of the batch before the step.
    pub loss: f64,
    /// The gradient that the optimizer read, laid out as [`Network::params`].
    pub grads: &'a [F],
    /// The epoch, from 1.
    pub epoch: usize,
    /// Steps done since training began, including this one.
    pub step: u64,
    /// The optimizer after the step, for its settings and state.
    pub optimizer: &'a dyn Optimizer<F>,
    /// The optimizer's learning rate. A new value applies from the next step on, until a schedule
    /// sets another.
    pub learning_rate: &'a mut f64,
}

/// An epoch that has just been completed.
#[derive(Debug)]
#[non_exhaustive]
pub struct EpochEnd<'a, F> {
    /// The network after the epoch.
    pub network: &'a Network<F>,
    /// All measurements so far; this epoch's entry is the last.
    pub history: &'a History,
    /// The epoch, from 1.
    pub epoch: usize,
    /// Steps done since training began.
    pub step: u64,
    /// The optimizer's learning rate. A new value applies from the next step on, until a schedule
    /// sets another.
    pub learning_rate: &'a mut f64,
}
