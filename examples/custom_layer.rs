//! A layer of your own: write the equations down, let the contract check them, train with it.
//!
//! The layer is PReLU (He et al. 2015), a ReLU that learns how much of the negative side to let through:
//! `y = x` where x > 0 and `y = a x` elsewhere, with one slope `a` per feature.

#[path = "common/output.rs"]
mod output;

use std::process::ExitCode;

use geartrain::data::toy;
use geartrain::prelude::*;
use geartrain::{Cache, Error, LayerProblem, Mode, ParamSpec, Saved, gradcheck, metrics};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Axis, Zip};

#[derive(Debug)]
struct PReLU {
    features: usize,
}

impl<F: Scalar> Layer<F> for PReLU {
    fn output_features(&self, inputs: usize) -> Result<usize, Error> {
        if inputs == self.features {
            return Ok(inputs);
        }
        Err(Error::layer("PReLU", LayerProblem::Features { expected: self.features, got: inputs }))
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new("slope", &[self.features], Init::constant(0.25))]
    }

    fn forward(&self, slope: &[F], x: ArrayView2<F>, y: ArrayViewMut2<F>, _: &mut Cache<F>, _: Mode) {
        // y = x where x > 0, else a x
        let a = ArrayView1::from(slope);
        Zip::from(y).and(x).and_broadcast(a).for_each(|y, &x, &a| *y = steepness(x, a) * x);
    }

    fn backward(
        &self,
        slope: &[F],
        Saved { x, .. }: Saved<'_, F>,
        dy: ArrayView2<F>,
        grads: &mut [F],
        dx: Option<ArrayViewMut2<F>>,
    ) {
        // ∂y/∂a = x where x ≤ 0, else 0, and every row uses the same a:  da = Σ_rows min(x, 0) dy
        for ((da, x), dy) in grads.iter_mut().zip(x.axis_iter(Axis(1))).zip(dy.axis_iter(Axis(1))) {
            *da = x.iter().zip(dy).map(|(&x, &dy)| x.min(F::zero()) * dy).sum();
        }
        // ∂y/∂x = 1 where x > 0, else a:  dx = (1 or a) dy
        if let Some(mut dx) = dx {
            dx.assign(&dy);
            let a = ArrayView1::from(slope);
            Zip::from(dx).and(x).and_broadcast(a).for_each(|dx, &x, &a| *dx *= steepness(x, a));
        }
    }

    fn tangent(
        &self,
        slope: &[F],
        dslope: &[F],
        Saved { x, .. }: Saved<'_, F>,
        dx: ArrayView2<F>,
        mut dy: ArrayViewMut2<F>,
    ) -> Result<(), Error> {
        // the product rule:  dy = (1 or a) dx + min(x, 0) da
        dy.assign(&dx);
        let (a, da) = (ArrayView1::from(slope), ArrayView1::from(dslope));
        Zip::from(dy).and(x).and_broadcast(a).and_broadcast(da).for_each(|dy, &x, &a, &da| {
            *dy = steepness(x, a) * *dy + x.min(F::zero()) * da;
        });
        Ok(())
    }
}

/// ∂y/∂x: 1 on the positive side, `a` on the other.
fn steepness<F: Scalar>(x: F, a: F) -> F {
    if x > F::zero() { F::one() } else { a }
}

fn main() -> ExitCode {
    output::exit(run())
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let report = gradcheck::layer(PReLU { features: 4 }, 4)?;
    output::print(&report.to_string())?;
    assert!(report.passed(), "a derivation is wrong");

    let (train, test) = toy::sine::<f32>(500, 0.1, 7)?.split(0.2, 7)?;
    let layers = Sequential::new().then(Linear::new(1, 32)).then(PReLU { features: 32 });
    let mut network = Network::new(layers.then(Linear::new(32, 1)), 1)?.with_seed(7);
    let sgd = Sgd::new(0.01).momentum(0.9);
    Training::new(MeanSquaredError, sgd).epochs(200).progress(false).fit(&mut network, &train)?;
    let r2 = metrics::r2(network.predict(test.x())?.view(), test.y())?;
    output::print(&format!("\n{}\ntest R² on a noisy sine: {r2:.3}\n", network.summary()))?;
    Ok(())
}
