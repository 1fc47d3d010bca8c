//! Optimizers: loops over two slices, the parameters and their gradient.
//!
//! | file | contents |
//! |---|---|
//! | `sgd.rs`, `adam.rs`, `rmsprop.rs` | the update rules |
//! | `lbfgs/` | a quasi-Newton method that reads all rows in every step |
//! | `update.rs` | one update of a flat vector, undone if a number would overflow |
//! | `group.rs` | learning rate and weight decay for some of the parameters |
//! | `clip.rs` | gradient clipping |
//! | `average.rs` | the moving average of weights |
//! | `schedule/` | learning rates that change during training |

mod adam;
mod average;
mod clip;
mod group;
mod lbfgs;
mod rmsprop;
pub mod schedule;
mod sgd;
mod update;

use std::fmt::Debug;

pub use adam::{Adam, AdamOptimizer, AdamW};
pub use average::update_average;
pub use clip::Clip;
pub use group::ParamGroup;
pub use lbfgs::{Iteration, Lbfgs, Minimum, MinimumReason, Objective};
pub use rmsprop::RMSprop;
pub use sgd::Sgd;

use crate::error::require;
use crate::params::ParamsMut;
use crate::settings::Settings;
use crate::{Error, Scalar};

/// An update rule for one flat vector, independent of the layers.
///
/// An optimizer keeps state between steps, such as momentum, and so belongs to one network. State
/// for another number of parameters is discarded; [`Training::fit`](crate::Training::fit) discards
/// it for any other network. In a loop of your own, call [`reset`](Optimizer::reset).
pub trait Optimizer<F: Scalar>: Debug + Send {
    /// Checks that every hyper-parameter is in its domain. `fit` calls this before the first step.
    ///
    /// # Errors
    /// [`Error::Argument`] with the name, the domain and the value.
    fn check(&self) -> Result<(), Error>;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate, as schedules do between epochs. The next step fails unless it is a
    /// finite number ≥ 0.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// One update of the trainable `params` with the gradient `grads`, which has the same layout.
    ///
    /// # Errors
    /// [`Error::Argument`] as from [`check`](Optimizer::check); [`Error::Shape`] if the number of
    /// gradients differs; [`Error::NonFinite`] with the parameter's name if a gradient is NaN or
    /// infinite, or if a weight would become so. After an error the parameters are unchanged.
    fn step(&mut self, params: ParamsMut<'_, F>, grads: &[F]) -> Result<(), Error>;

    /// The update rule with every hyper-parameter except the learning rate, as data. Checkpoints
    /// store it; their state only fits an optimizer with equal settings.
    fn settings(&self) -> Settings;

    /// Everything else that the next step depends on, besides weights, gradient and learning rate.
    fn state(&self) -> State<&[F]>;

    /// Replaces the state by one with the same names, as [`state`](Optimizer::state) returned it.
    fn set_state(&mut self, state: State<Vec<F>>);

    /// Discards the state, as before the first step. The learning rate stays.
    fn reset(&mut self) {
        let State { steps, vectors } = self.state();
        let steps = steps.map(|_| 0);
        let vectors = vectors.into_iter().map(|(name, _)| (name, Vec::new())).collect();
        self.set_state(State { steps, vectors });
    }
}

/// The state of an optimizer between steps: borrowed (`V = &[F]`) or owned (`V = Vec<F>`).
#[derive(Debug, Clone, PartialEq)]
pub struct State<V> {
    /// The number of steps done, if the rule counts them.
    pub steps: Option<u64>,
    /// Vectors by name, laid out as the parameters, or empty before the first step.
    pub vectors: Vec<(&'static str, V)>,
}

impl<V: Default> State<V> {
    /// Moves the vector called `name` out; an empty one if there is none.
    pub fn take(&mut self, name: &str) -> V {
        let vector = self.vectors.iter_mut().find(|(known, _)| *known == name);
        vector.map_or_else(V::default, |(_, vector)| std::mem::take(vector))
    }
}

/// Forwards every method to the optimizer behind a pointer.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<F: Scalar, O: Optimizer<F> + ?Sized> Optimizer<F> for $pointer {
            fn check(&self) -> Result<(), Error> {
                (**self).check()
            }

            fn learning_rate(&self) -> f64 {
                (**self).learning_rate()
            }

            fn set_learning_rate(&mut self, learning_rate: f64) {
                (**self).set_learning_rate(learning_rate);
            }

            fn step(&mut self, params: ParamsMut<'_, F>, grads: &[F]) -> Result<(), Error> {
                (**self).step(params, grads)
            }

            fn settings(&self) -> Settings {
                (**self).settings()
            }

            fn state(&self) -> State<&[F]> {
                (**self).state()
            }

            fn set_state(&mut self, state: State<Vec<F>>) {
                (**self).set_state(state);
            }

            fn reset(&mut self) {
                (**self).reset();
            }
        }
    )*};
}

forward!(&mut O, Box<O>);

/// An error unless `value` is finite and at least 0.
fn at_least_0(argument: &'static str, value: f64) -> Result<(), Error> {
    require(value.is_finite() && value >= 0.0, argument, "a finite number ≥ 0", value)
}

/// An error unless `value` is finite and above 0, also when it is rounded to `F`: the rules divide
/// by it.
fn above_0<F: Scalar>(argument: &'static str, value: f64) -> Result<(), Error> {
    let rounded = F::of(value);
    require(rounded.is_finite() && rounded > F::zero(), argument, "a finite number above 0", value)
}

/// An error unless `value` is in [0, 1).
fn below_1(argument: &'static str, value: f64) -> Result<(), Error> {
    require((0.0..1.0).contains(&value), argument, "in [0, 1)", value)
}
