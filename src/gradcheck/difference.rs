//! Central differences, entry by entry, and how a kink gives itself away.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};

use super::{Check, Entry, Gradcheck};
use crate::params::{self, Layout};

/// Points tried before a check gives up on finding one without a kink.
const POINTS: u64 = 20;

/// A vector function of named tensors, with what the code under test says of its derivative.
pub(super) struct Case<'a> {
    /// What lies where in a point and in a gradient.
    pub layout: &'a Layout,
    /// Where to check.
    pub at: Vec<f64>,
    /// The weight of each output.
    pub cotangent: &'a [f64],
    /// All outputs at a point.
    pub outputs: &'a mut dyn FnMut(&[f64]) -> Vec<f64>,
    /// The gradient of `cotangent · outputs` at a point, by the code under test.
    pub gradient: &'a mut dyn FnMut(&[f64]) -> Vec<f64>,
}

/// There is a kink less than a step away, so no difference quotient can be trusted.
struct Kink;

/// Compares every entry of the gradient with its central difference. If a kink is too near, the point is moved a little.
pub(super) fn central_differences(settings: &Gradcheck, mut case: Case<'_>) -> Check {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let nudge = Normal::new(0.0, 1e-3).expect("a standard deviation");
    let mut point = case.at.clone();
    for _ in 0..POINTS {
        match numeric_gradient(settings.step, &mut point, &mut case) {
            Ok(numeric) => {
                let analytic = (case.gradient)(&point);
                return compare(settings, case.layout, &analytic, &numeric);
            }
            Err(Kink) => point.iter_mut().zip(&case.at).for_each(|(p, at)| *p = at + nudge.sample(&mut rng)),
        }
    }
    Check::new(NAME, false, format!("{POINTS} points were tried and each lies within a step of a kink"))
}

const NAME: &str = "central differences";

fn compare(settings: &Gradcheck, layout: &Layout, analytic: &[f64], numeric: &[f64]) -> Check {
    let (mut worst, mut failed): (Option<Entry>, usize) = (None, 0);
    for (spec, range) in layout.iter() {
        let analytic = params::view(spec, &analytic[range.clone()]);
        let numeric = params::view(spec, &numeric[range]);
        let largest = numeric.iter().fold(0.0, |max: f64, n| max.max(n.abs()));
        for ((index, &a), &n) in analytic.indexed_iter().zip(&numeric) {
            let error = (a - n).abs();
            let relative_error = if error == 0.0 { 0.0 } else { error / a.abs().max(largest) };
            // Written so that a NaN fails.
            let close = error <= settings.atol + settings.rtol * n.abs();
            failed += usize::from(!close);
            if worst.as_ref().is_none_or(|w| relative_error.total_cmp(&w.relative_error).is_gt()) {
                let index = ndarray::Dimension::slice(&index).to_vec();
                worst =
                    Some(Entry { name: spec.name.clone(), index, analytic: a, numeric: n, relative_error });
            }
        }
    }
    let detail = match failed {
        0 => format!("{} entries agree", numeric.len()),
        _ => format!("{failed} of {} entries disagree", numeric.len()),
    };
    Check { name: NAME, passed: failed == 0, detail, worst }
}

/// `cotangent · ∂outputs/∂point`. The differences are taken output by output before they are summed, so that a large
/// output elsewhere does not drown a small derivative in rounding.
fn numeric_gradient(step: f64, point: &mut [f64], case: &mut Case<'_>) -> Result<Vec<f64>, Kink> {
    let centre = (case.outputs)(point);
    let mut gradient = Vec::with_capacity(point.len());
    for k in 0..point.len() {
        let at = point[k];
        let mut shifted = |shift: f64| {
            point[k] = at + shift;
            let outputs = (case.outputs)(point);
            point[k] = at;
            outputs
        };
        let [above, below] = [step, -step].map(&mut shifted);
        let [near_above, near_below] = [0.5 * step, -0.5 * step].map(&mut shifted);
        let mut sum = 0.0;
        for i in 0..centre.len() {
            // For a smooth function, halving h leaves the slope as it is and halves the bend (the second difference over
            // h), up to terms in h². A kink within h changes one or the other by a good part of its jump.
            let slope = (above[i] - below[i]) / (2.0 * step);
            let near_slope = (near_above[i] - near_below[i]) / step;
            let bend = (above[i] - 2.0 * centre[i] + below[i]) / step;
            let near_bend = (near_above[i] - 2.0 * centre[i] + near_below[i]) / (0.5 * step);
            let smooth = 16.0 * f64::EPSILON * (1.0 + centre[i].abs()) / step + 1e-6 * slope.abs();
            if (slope - near_slope).abs() > smooth || (bend - 2.0 * near_bend).abs() > 4.0 * smooth {
                return Err(Kink);
            }
            sum += case.cotangent[i] * slope;
        }
        gradient.push(sum);
    }
    Ok(gradient)
}
