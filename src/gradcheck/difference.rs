//! Central differences of every entry: the choice of the step, and the detection of kinks.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};

use super::{Check, Entry, Gradcheck};
use crate::params::{self, Layout};

/// The number of points to try until one has a difference quotient for every entry.
const POINTS: u64 = 20;

/// The factors of the step to try at each entry `x`, times max(1, |x|): smaller steps where the
/// function curves, a larger one where rounding errors dominate.
const FACTORS: [f64; 6] = [1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e2];

/// A vector function of named tensors, with what the code under test says of its derivative.
pub(super) struct Case<'a> {
    /// What lies where in a point and in a gradient.
    pub layout: &'a Layout,
    /// Where to check.
    pub at: Vec<f64>,
    /// The weight of each output.
    pub cotangent: &'a [f64],
    /// Whether `gradient` is known at `at` only, so that the point cannot be moved.
    pub fixed: bool,
    /// All outputs at a point.
    pub outputs: &'a mut dyn FnMut(&[f64]) -> Vec<f64>,
    /// The gradient of `cotangent · outputs` at a point, by the code under test.
    pub gradient: &'a mut dyn FnMut(&[f64]) -> Vec<f64>,
}

/// The reason that no difference quotient at an entry is reliable.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    Kink,
    StepTooLarge,
    StepTooSmall,
    NotFinite,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trouble::Kink => "the function has a kink within a step",
            Trouble::StepTooLarge => "the step is too large: the slope changes within a step",
            Trouble::StepTooSmall => "the step is too small: rounding errors exceed the difference",
            Trouble::NotFinite => "the function is not finite within a step",
        })
    }
}

/// Compares every entry of the gradient with its central difference. If that is not reliable, moves
/// the point a little and tries again.
pub(super) fn central_differences(settings: &Gradcheck, mut case: Case<'_>) -> Check {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let nudge = Normal::new(0.0, 1e-3).expect("a standard deviation");
    let mut point = case.at.clone();
    let mut trouble = Trouble::Kink;
    let points = if case.fixed { 1 } else { POINTS };
    for _ in 0..points {
        let analytic = (case.gradient)(&point);
        match numeric_gradient(settings, &mut point, &analytic, &mut case) {
            Ok(numeric) => return compare(settings, case.layout, &analytic, &numeric),
            Err(found) => trouble = found,
        }
        for (p, at) in point.iter_mut().zip(&case.at) {
            *p = at + at.abs().max(1.0) * nudge.sample(&mut rng);
        }
    }
    let place = if case.fixed { "here".into() } else { format!("at any of {points} points") };
    Check::new(NAME, false, format!("no reliable difference {place}: {trouble}"))
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
            failed += usize::from(!agree(settings, a, n));
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

/// Whether `analytic` is within the tolerances of `numeric`; not if one of them is NaN.
fn agree(settings: &Gradcheck, analytic: f64, numeric: f64) -> bool {
    (analytic - numeric).abs() <= settings.atol + settings.rtol * numeric.abs()
}

/// `cotangent · ∂outputs/∂point`. A reliable difference that disagrees with `analytic` is confirmed
/// by one with another step.
fn numeric_gradient(
    settings: &Gradcheck,
    point: &mut [f64],
    analytic: &[f64],
    case: &mut Case<'_>,
) -> Result<Vec<f64>, Trouble> {
    let centre = (case.outputs)(point);
    let mut gradient = Vec::with_capacity(point.len());
    for k in 0..point.len() {
        let scale = settings.step * point[k].abs().max(1.0);
        let (mut found, mut changes) = (None, Vec::new());
        for factor in FACTORS {
            let Difference { slope, change, roughness } = difference(factor * scale, point, k, &centre, case);
            // A function that changes, but not with a small step, is flat there only because of
            // rounding.
            let flat = slope == 0.0 && change == 0.0 && !changes.is_empty();
            if flat || roughness > 1.0 {
                if !flat && factor <= 1.0 {
                    changes.push(change);
                }
                continue;
            }
            match found {
                Some(first) if agree(settings, first, slope) => break,
                Some(_) => found = Some(slope),
                None => {
                    found = Some(slope);
                    if agree(settings, analytic[k], slope) {
                        break;
                    }
                }
            }
        }
        gradient.push(found.ok_or_else(|| trouble(&changes))?);
    }
    Ok(gradient)
}

/// A central difference at one entry.
struct Difference {
    slope: f64,
    /// The largest change of an output's slope when the step is halved.
    change: f64,
    /// That change relative to what rounding explains: above 1 the difference is not reliable.
    roughness: f64,
}

/// The difference with step `h` at entry `k`. It is taken output by output before summing, so that
/// a large output elsewhere does not drown a small derivative in rounding.
fn difference(h: f64, point: &mut [f64], k: usize, centre: &[f64], case: &mut Case<'_>) -> Difference {
    let at = point[k];
    let h = (at + h) - at; // the step that the number can make
    let mut shifted = |shift: f64| {
        point[k] = at + shift;
        let outputs = (case.outputs)(point);
        point[k] = at;
        outputs
    };
    let [above, below] = [h, -h].map(&mut shifted);
    let [near_above, near_below] = [0.5 * h, -0.5 * h].map(&mut shifted);
    let mut sum = Difference { slope: 0.0, change: 0.0, roughness: 0.0 };
    for i in 0..centre.len() {
        // For a smooth function, halving h keeps the slope and halves the bend (the second
        // difference over h), up to terms in h². A kink within h changes one of them by a good part
        // of its jump.
        let slope = (above[i] - below[i]) / (2.0 * h);
        let near_slope = (near_above[i] - near_below[i]) / h;
        let bend = (above[i] - 2.0 * centre[i] + below[i]) / h;
        let near_bend = (near_above[i] - 2.0 * centre[i] + near_below[i]) / (0.5 * h);
        let smooth = 16.0 * f64::EPSILON * (1.0 + centre[i].abs()) / h + 1e-6 * slope.abs();
        let change = (slope - near_slope).abs().max(0.25 * (bend - 2.0 * near_bend).abs());
        sum.slope += case.cotangent[i] * slope;
        sum.change = if change.is_finite() { sum.change.max(change) } else { f64::NAN };
        let roughness = if change.is_finite() { change / smooth } else { f64::INFINITY };
        sum.roughness = sum.roughness.max(roughness);
    }
    sum
}

/// The conclusion from the changes at decreasing steps. Halving a smaller step changes the slope
/// less where the function curves, as much at a kink, and more where rounding errors dominate.
fn trouble(changes: &[f64]) -> Trouble {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Trouble::StepTooSmall };
    let largest = changes.iter().fold(0.0_f64, |max, change| max.max(*change));
    if changes.iter().any(|change| change.is_nan()) {
        Trouble::NotFinite
    } else if *last < 0.1 * largest {
        Trouble::StepTooLarge
    } else if *last > 2.0 * first {
        Trouble::StepTooSmall
    } else {
        Trouble::Kink
    }
}
