//! Optimizers: loops over two slices, the parameters and their gradient.

mod adam;
mod clip;
mod rmsprop;
pub mod schedule;
mod sgd;

use std::fmt::Debug;

pub use adam::{Adam, AdamW};
pub use clip::Clip;
pub use rmsprop::RMSprop;
pub use sgd::Sgd;

use crate::error::{require, same_shape};
use crate::params::ParamsMut;
use crate::{Error, Scalar};
use geartrain_kernels::{max_magnitude, update};

/// An update rule. It sees one flat vector, not layers.
pub trait Optimizer<F: Scalar>: Debug + Send {
    /// Fails unless every hyper-parameter is in its domain. `fit` asks before the first step.
    ///
    /// # Errors
    /// [`Error::Argument`] with the name, the domain and the value.
    fn check(&self) -> Result<(), Error>;

    /// The factor of the next step.
    fn learning_rate(&self) -> f64;

    /// Changes it, as schedules do between epochs. The next step fails if it is not a finite number ≥ 0.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// One update of the trainable `params` against the gradient `grads`, which has the same layout.
    ///
    /// # Errors
    /// [`Error::Argument`] as from [`check`](Optimizer::check), [`Error::Shape`] for another number of gradients, and
    /// [`Error::NonFinite`] with the parameter's name when a gradient is NaN or infinite or a weight would become so.
    /// After an error the parameters are what they were.
    fn step(&mut self, params: ParamsMut<'_, F>, grads: &[F]) -> Result<(), Error>;

    /// Everything that the next step depends on besides weights, gradient and learning rate: checkpoints read it, and write
    /// into it what they read from a file.
    fn memory(&mut self) -> Memory<'_, F>;
}

/// What an optimizer remembers between steps, lent to be saved or to be put back.
#[derive(Debug)]
pub struct Memory<'a, F> {
    /// The update rule and every hyper-parameter except the learning rate. Memory only fits where these are the same.
    pub rule: String,
    /// The number of steps done, if the rule counts them.
    pub steps: Option<&'a mut u64>,
    /// Names and numbers of vectors that are laid out as the parameters, or empty before the first step.
    pub vectors: Vec<(&'static str, &'a mut Vec<F>)>,
}

/// An optimizer that was chosen at run time is one, too.
impl<F: Scalar, O: Optimizer<F> + ?Sized> Optimizer<F> for Box<O> {
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

    fn memory(&mut self) -> Memory<'_, F> {
        (**self).memory()
    }
}

/// An error unless `value` is finite and at least 0.
fn at_least_0(argument: &'static str, value: f64) -> Result<(), Error> {
    require(value.is_finite() && value >= 0.0, argument, "a finite number ≥ 0", value)
}

/// An error unless `value` is finite and above 0, also when it is rounded to `F`: it is divided by.
fn above_0<F: Scalar>(argument: &'static str, value: f64) -> Result<(), Error> {
    let rounded = F::of(value);
    require(rounded.is_finite() && rounded > F::zero(), argument, "a finite number above 0", value)
}

/// `(w, state) = rule(w, g, state)` for every trainable weight, or leaves `params` as they are and says why. `state` are
/// vectors as long as `params`.
///
/// `rate` is the largest hyper-parameter that multiplies gradients or weights; `squares` tells whether gradients are squared.
fn update_all<F: Scalar, const S: usize>(
    mut params: ParamsMut<'_, F>,
    grads: &[F],
    rate: f64,
    squares: bool,
    mut state: [&mut Vec<F>; S],
    rule: impl Fn(F, F, [F; S]) -> (F, [F; S]) + Copy + Sync,
) -> Result<(), Error> {
    same_shape("gradients", &[params.len()], &[grads.len()])?;
    let largest_gradient = max_magnitude(grads);
    if !largest_gradient.is_finite() {
        return params.layout.check_finite("gradient", grads);
    }
    // Numbers below the fourth root of the largest cannot overflow in one update. Above it, which happens only when
    // training is about to diverge, the weights are kept aside to be put back.
    let limit = F::max_value().sqrt().sqrt();
    let safe = largest_gradient < limit && max_magnitude(&params) < limit && F::of(rate) < limit;
    let backup = if safe { None } else { Some(params.to_vec()) };
    if squares && !safe {
        // An infinite mean square would divide every later step to 0, and no weight would ever show it.
        let square = |(&g, &w): (&F, &F)| (g.abs() + F::of(rate) * w.abs()).powi(2);
        let squared: Vec<F> = grads.iter().zip(params.iter()).map(square).collect();
        params.layout.check_finite("square of the gradient", &squared)?;
    }
    for range in params.layout.trainable() {
        let state = state.each_mut().map(|vector| &mut vector[range.clone()]);
        update(&mut params.values[range.clone()], &grads[range.clone()], state, rule);
    }
    if let Some(backup) = backup
        && let Err(error) = params.layout.check_finite("updated weight", &params)
    {
        params.copy_from_slice(&backup);
        return Err(error);
    }
    Ok(())
}
