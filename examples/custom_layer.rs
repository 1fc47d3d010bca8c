//! A user-defined layer: write the equations down, check them against the contract, train with it.
//!
//! The layer is PReLU (He et al. 2015), a ReLU whose slope on the negative side is learned: `y = x`
//! where x > 0 and `y = a x` elsewhere, with one weight `a` for all features, as
//! `torch.nn.PReLU()`.

use geartrain::data::toy;
use geartrain::error::LayerProblem;
use geartrain::layer::{Backward, Description, Forward, Jvp};
use geartrain::params::ParamSpec;
use geartrain::prelude::*;
use geartrain::{gradcheck, metrics};
use ndarray::Zip;

#[derive(Debug)]
struct PReLU;

impl<F: Scalar> Layer<F> for PReLU {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        Ok(inputs)
    }

    fn describe(&self) -> Description<'_, F> {
        Description::named("PReLU").params([ParamSpec::new("slope", &[1], Init::constant(0.25))])
    }

    fn forward(&self, Forward { params, x, y, .. }: Forward<'_, F>) {
        // y = x where x > 0, else a x
        Zip::from(y).and(x).for_each(|y, &x| *y = slope(x, params[0]) * x);
    }

    fn backward(&self, Backward { params, x, dy, grads, dx, .. }: Backward<'_, F>) {
        // ∂y/∂a = min(x, 0), and a is used everywhere:  da = Σ min(x, 0) dy
        grads[0] = Zip::from(x).and(dy).fold(F::zero(), |da, &x, &dy| da + x.min(F::zero()) * dy);
        // ∂y/∂x = 1 where x > 0, else a:  dx = (1 or a) dy
        if let Some(dx) = dx {
            Zip::from(dx).and(x).and(dy).for_each(|dx, &x, &dy| *dx = slope(x, params[0]) * dy);
        }
    }

    fn jvp(&self, Jvp { params, dparams, x, dx, dy, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        // the product rule:  dy = (1 or a) dx + min(x, 0) da
        let change = |x: F, dx| slope(x, params[0]) * dx + x.min(F::zero()) * dparams[0];
        Zip::from(dy).and(x).and(dx).for_each(|dy, &x, &dx| *dy = change(x, dx));
        Ok(())
    }
}

/// ∂y/∂x: 1 on the positive side, `a` on the other.
fn slope<F: Scalar>(x: F, a: F) -> F {
    if x > F::zero() { F::one() } else { a }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = gradcheck::layer(PReLU, 4)?;
    print!("{report}");
    assert!(report.passed(), "the layer does not keep the contract");

    let (train, test) = toy::sine::<f32>(500, 0.1, 7)?.split(0.2, 7)?;
    let layers = Sequential::new().then(Linear::new(1, 32)).then(PReLU);
    let mut network = Network::new(layers.then(Linear::new(32, 1)))?.with_seed(7);
    let sgd = Sgd::new(0.01).momentum(0.9);
    Training::new(MeanSquaredError, sgd).epochs(200).progress(false).fit(&mut network, &train)?;
    let r2 = metrics::r2(&network.predict(test.x())?, test.y())?;
    println!("\n{}\ntest R² on a noisy sine: {r2:.3}", network.summary());
    Ok(())
}
