//! Activations that the library does not need to know: the laboratory takes anybody's.
#![allow(dead_code)]

use std::f64::consts::{PI, SQRT_2};

use geartrain::Scalar;
use geartrain::layers::Elementwise;

#[derive(Debug, Clone, Copy)]
pub struct Identity;

impl Elementwise for Identity {
    fn value<F: Scalar>(&self, x: F) -> F {
        x
    }
    fn slope<F: Scalar>(&self, _: F, _: F) -> F {
        F::one()
    }
}

/// Klambauer et al. 2017.
#[derive(Debug, Clone, Copy)]
pub struct Selu;

const SCALE: f64 = 1.050_700_987_355_480_5;
const ALPHA: f64 = 1.673_263_242_354_377_2;

impl Elementwise for Selu {
    fn value<F: Scalar>(&self, x: F) -> F {
        let x = x.as_f64();
        F::of(SCALE * if x > 0.0 { x } else { ALPHA * x.exp_m1() })
    }
    fn slope<F: Scalar>(&self, x: F, _: F) -> F {
        let x = x.as_f64();
        F::of(SCALE * if x > 0.0 { 1.0 } else { ALPHA * x.exp() })
    }
}

/// x Φ(x).
#[derive(Debug, Clone, Copy)]
pub struct Gelu;

impl Elementwise for Gelu {
    fn value<F: Scalar>(&self, x: F) -> F {
        let x = x.as_f64();
        F::of(x * 0.5 * (1.0 + erf(x / SQRT_2)))
    }
    fn slope<F: Scalar>(&self, x: F, _: F) -> F {
        let x = x.as_f64();
        F::of(0.5 * (1.0 + erf(x / SQRT_2)) + x * (-x * x / 2.0).exp() / (2.0 * PI).sqrt())
    }
}

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

/// The error function to rounding: its Taylor series near 0, the continued fraction of erfc far out.
pub fn erf(x: f64) -> f64 {
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
