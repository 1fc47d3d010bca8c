//! One update of a flat vector, undone if a number would overflow.

use geartrain_kernels::{UPDATES_PER_THREAD, max_magnitude, update};

use super::group::Groups;
use crate::error::same_shape;
use crate::pace::Pace;
use crate::params::ParamsMut;
use crate::{Error, Scalar};

/// What all update rules have in common.
pub(super) struct Update<'a> {
    pub learning_rate: f64,
    pub weight_decay: f64,
    pub groups: &'a Groups,
    /// Whether the rule squares gradients.
    pub squares: bool,
    /// Whether weight decay is added to the gradient, and so squared with it.
    pub decays_gradient: bool,
}

/// `(w, state) = rule(w, g, state)` for every trainable weight. `rule` is made for each group from
/// its learning rate and weight decay. `state` are vectors as long as `params`; in them, 0 replaces
/// subnormal numbers. `pace` decides whether threads share large updates. After an error, `params`
/// and `state` are unchanged.
pub(super) fn update_all<F: Scalar, R, const S: usize>(
    params: ParamsMut<'_, F>,
    grads: &[F],
    pace: &mut Pace,
    update: Update<'_>,
    state: [&mut Vec<F>; S],
    rule: impl Fn(f64, f64) -> R,
) -> Result<(), Error>
where
    R: Fn(F, F, [F; S]) -> (F, [F; S]) + Copy + Sync,
{
    let len = params.len();
    let pass = || update_on_threads(params, grads, update, state, rule);
    if len < 2 * UPDATES_PER_THREAD { pass() } else { pace.run(len, pass) }
}

/// `number`, or 0 instead of a subnormal number.
///
/// Running means of a weight whose gradient stays 0, such as that of a dead unit, shrink step by
/// step until they are subnormal, and many processors compute with those a hundred times slower.
#[inline(always)]
fn without_subnormal<F: Scalar>(number: F) -> F {
    if number.abs() < F::min_positive_value() { F::zero() } else { number }
}

/// [`update_all`] on the threads of this call.
fn update_on_threads<F: Scalar, R, const S: usize>(
    mut params: ParamsMut<'_, F>,
    grads: &[F],
    Update { learning_rate, weight_decay, groups, squares, decays_gradient }: Update<'_>,
    mut state: [&mut Vec<F>; S],
    rule: impl Fn(f64, f64) -> R,
) -> Result<(), Error>
where
    R: Fn(F, F, [F; S]) -> (F, [F; S]) + Copy + Sync,
{
    same_shape("gradients", &[params.len()], &[grads.len()])?;
    groups.check_layout(params.layout)?;
    let largest_gradient = max_magnitude(grads);
    if !largest_gradient.is_finite() {
        return params.layout.check_finite("gradient", grads);
    }
    // Numbers below the fourth root of the largest number cannot overflow in one update. Above it,
    // which happens only when training is about to diverge, the old numbers are kept.
    let (rate, decay) = groups.largest(learning_rate, weight_decay);
    let limit = F::max_value().sqrt().sqrt();
    let below = |factor: f64| F::of(factor) < limit;
    let safe = largest_gradient < limit
        && max_magnitude(&params) < limit
        && below(rate)
        && below(decay)
        && below(rate * decay);
    let backup = (!safe).then(|| (params.to_vec(), state.each_ref().map(|vector| vector.to_vec())));
    if squares && !safe {
        // An infinite mean square would divide every later step to 0, and no weight would ever show
        // it.
        let decay = if decays_gradient { F::of(decay) } else { F::zero() };
        let square = |(&g, &w): (&F, &F)| (g.abs() + decay * w.abs()).powi(2);
        let squared: Vec<F> = grads.iter().zip(params.iter()).map(square).collect();
        params.layout.check_finite("square of the gradient", &squared)?;
    }
    groups.for_each_part(params.layout, learning_rate, weight_decay, |range, rate, decay| {
        let state = state.each_mut().map(|vector| &mut vector[range.clone()]);
        let rule = rule(rate, decay);
        update(&mut params.values[range.clone()], &grads[range], state, move |w, g, state| {
            let (w, mut state) = rule(w, g, state);
            for number in &mut state {
                *number = without_subnormal(*number);
            }
            (w, state)
        });
    });
    if let Some((weights, vectors)) = backup
        && let Err(error) = params.layout.check_finite("updated weight", &params)
    {
        params.copy_from_slice(&weights);
        for (vector, old) in state.into_iter().zip(vectors) {
            *vector = old;
        }
        return Err(error);
    }
    Ok(())
}
