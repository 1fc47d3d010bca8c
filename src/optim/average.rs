//! The moving average of weights.

use geartrain_kernels::update;

use crate::Scalar;

/// Moves the exponential moving average *e* of weights *w* after step s (from 1):
/// `e ← e + (1 − c)(w − e)` with `c = min(decay, (1 + s) / (10 + s))`, so that the initial weights
/// are forgotten soon. `decay` is in [0, 1).
///
/// [`Training::average_weights`](crate::Training::average_weights) does this in `fit`; this
/// function is for a training loop of your own.
///
/// ```
/// let mut average = [0.0];
/// geartrain::optim::update_average(&mut average, &[1.0], 0.99, 1);
/// assert_eq!(average, [1.0 - 2.0 / 11.0]);
/// ```
///
/// # Panics
/// If the slices differ in length.
pub fn update_average<F: Scalar>(average: &mut [F], weights: &[F], decay: f64, step: u64) {
    let step = step as f64;
    let rest = F::of(1.0 - decay.min((1.0 + step) / (10.0 + step)));
    update(average, weights, [], |average, weight, []| (average + rest * (weight - average), []));
}
