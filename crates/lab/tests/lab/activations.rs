//! User-defined activations.

use std::f64::consts::PI;

use geartrain::Scalar;
use geartrain::layers::Elementwise;

#[derive(Debug, Clone, Copy)]
pub struct Erf;

impl Elementwise for Erf {
    fn value<F: Scalar>(&self, x: F) -> F {
        F::of(erf(x.as_f64()))
    }
    fn slope<F: Scalar>(&self, x: F, _: F) -> F {
        F::of(2.0 / PI.sqrt() * (-x.as_f64().powi(2)).exp())
    }
}

/// The error function: the Taylor series near 0, the continued fraction of erfc for large |x|.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 2.5 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return 2.0 / PI.sqrt() * sum;
    }
    let fraction = (1..80).rev().fold(0.0, |below, n| f64::from(n) / 2.0 / (a + below));
    let erfc = (-a * a).exp() / PI.sqrt() / (a + fraction);
    (1.0 - erfc).copysign(x)
}
