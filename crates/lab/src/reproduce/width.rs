//! Width: changes by width, the tangent kernel, gradient noise.

use ndarray::{Array2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use geartrain::network::Workspace;
use geartrain::optim::ParamGroup;
use geartrain::prelude::*;

use super::{Measured, Outcome, Rows, digits, on_threads};
use crate::numbers::norm;
use crate::width::slope;
use crate::{Parametrization, UpdateRule, coordinate_check, noise_scale, normal_batch};

pub fn coordinates(rows: &mut Rows) -> Outcome {
    let (x, target) = digits::standardised()?;
    let linear = |inputs, outputs, init: Init| Linear::new(inputs, outputs).without_bias().init(init);
    let network = |width: usize, seed| {
        let hidden = Sequential::new().then(linear(64, width, Init::he_normal())).then(ReLU);
        let hidden = hidden.then(linear(width, width, Init::he_normal())).then(ReLU);
        Ok::<_, Error>(
            Network::<f32>::new(hidden.then(linear(width, 10, Init::lecun_normal())))?.with_seed(seed),
        )
    };
    for (parametrization, rule, name, tolerance) in [
        (Parametrization::Standard, UpdateRule::Gradient, "standard, SGD", 0.12),
        (Parametrization::Standard, UpdateRule::Adaptive, "standard, Adam", 0.12),
        (Parametrization::MuP, UpdateRule::Gradient, "muP, SGD", 0.08),
        (Parametrization::MuP, UpdateRule::Adaptive, "muP, Adam", 0.08),
    ] {
        let start = |width, seed| -> Result<_, Error> {
            let (mut wide, base) = (network(width, seed)?, network(64, seed)?);
            parametrization.initialise(&mut wide, &base)?;
            let groups = parametrization.groups(&wide, &base, rule)?;
            let optimizer: Box<dyn Optimizer<f32>> = match rule {
                UpdateRule::Gradient => Box::new(groups.into_iter().fold(Sgd::new(0.02), Sgd::group)),
                UpdateRule::Adaptive => Box::new(groups.into_iter().fold(Adam::new(1e-3), Adam::group)),
            };
            Ok((wide, optimizer))
        };
        // the slope of the logits depends on the batch, by about 0.05; with muP at width 256, the
        // initial logits are still so large that it is −0.08 with this width and −0.05 without it
        let slopes = on_threads(4, |batch| {
            let rows: Vec<usize> = (0..64).map(|row| 64 * batch as usize + row).collect();
            let (x, target) = (x.select(Axis(0), &rows), target.select(Axis(0), &rows));
            let start = |width, seed| start(width, 4 * batch + seed);
            Ok(coordinate_check(&[512, 1024, 2048], 4, 1, &CrossEntropy, &x, &target, start)?.slopes())
        })?;
        let of = |layer: usize| slopes.iter().map(|slopes| slopes[layer]).collect::<Vec<_>>();
        let measured = (0..3).map(|layer| Measured::mean(&of(layer)));
        let predicted = parametrization.slopes(2, rule);
        for ((layer, measured), predicted) in ["h1", "h2", "logits"].iter().zip(measured).zip(predicted) {
            let setting = format!("{name}: slope of {layer}");
            if predicted == 1.5 {
                // between the unaligned and the aligned change
                rows.within(format!("{setting}, 1 to 1.5"), 1.25, measured, 0.25)?;
            } else {
                rows.within(setting, predicted, measured, tolerance)?;
            }
        }
    }
    Ok(())
}

/// The tangent kernel with a learning rate for each weight.
fn kernel(network: &Network<f64>, rates: &[f64; 3], x: &Array2<f64>) -> Outcome<Array2<f64>> {
    let mut jacobian = Array2::zeros((x.nrows(), network.params().len()));
    for (row, mut into) in x.axis_chunks_iter(Axis(0), 1).zip(jacobian.rows_mut()) {
        let (grads, _) = network.vjp(&row, &ndarray::array![[1.0]])?;
        for ((_, range), rate) in network.layout().iter().zip(rates) {
            range.for_each(|i| into[i] = rate.sqrt() * grads[i]);
        }
    }
    Ok(jacobian.dot(&jacobian.t()))
}

/// The relative change of the kernel over 500 steps, and the largest distance of the loss from that
/// of the linearised network.
fn change(width: usize, seed: u64) -> Outcome<[f64; 2]> {
    let linear = |inputs, outputs| {
        Linear::new(inputs, outputs).without_bias().init(Init::lecun_normal().gain(1.5_f64.sqrt()))
    };
    let hidden = Sequential::new().then(linear(8, width)).then(Tanh).then(linear(width, width)).then(Tanh);
    let mut network = Network::<f64>::new(hidden.then(linear(width, 1)))?.with_seed(seed);
    let mut x = normal_batch::<f64>(8, 8, 100 + seed);
    for mut row in x.rows_mut() {
        let length = row.dot(&row).sqrt();
        row *= 8_f64.sqrt() / length;
    }
    let y = normal_batch::<f64>(8, 1, 200 + seed);
    // the NTK parametrisation: each weight has its own rate
    let rates = [1.5 / 8.0, 1.5 / width as f64, 1.5 / width as f64];
    let before = kernel(&network, &rates, &x)?;
    let top = crate::TangentKernel { matrix: before.clone() };
    // the loss of the source is half of the mean squared error, so that its rate is m / λ
    let rate = 0.5 * 8.0 / top.eigenvalues()[0];
    let errors = network.predict(&x)? - &y;
    let predicted = top.training_curve(&errors, rate, 500)?;
    let names = ["0.weight", "2.weight", "4.weight"].iter().zip(rates);
    let mut sgd = names.fold(Sgd::new(rate), |sgd, (name, rate)| {
        sgd.group(ParamGroup::named(*name).learning_rate_factor(rate))
    });
    let (mut workspace, mut farthest) = (Workspace::new(), 0.0_f64);
    for predicted in &predicted[..500] {
        let loss = network.gradients(&MeanSquaredError, &x, &y, &mut workspace, None)?;
        farthest = farthest.max((loss - predicted).abs());
        sgd.step(network.params_mut(), &workspace.grads)?;
    }
    let moved: Vec<f64> = (kernel(&network, &rates, &x)? - &before).into_iter().collect();
    let length = norm(&before.into_iter().collect::<Vec<_>>());
    Ok([norm(&moved) / length, farthest / predicted[0]])
}

pub fn kernel_change(rows: &mut Rows) -> Outcome {
    let widths = [32, 64, 128, 256, 512];
    let mut logs = [Vec::new(), Vec::new()];
    for width in widths {
        let runs = on_threads(if width < 512 { 6 } else { 3 }, |seed| change(width, seed))?;
        for (k, logs) in logs.iter_mut().enumerate() {
            logs.push((runs.iter().map(|run| run[k]).sum::<f64>() / runs.len() as f64).ln());
        }
    }
    let xs = widths.map(|width| (width as f64).ln());
    rows.within("slope of the kernel's change by width", -1.0, slope(&xs, &logs[0]), 0.15)?;
    rows.within("slope of |L − L_lin| by width", -1.0, slope(&xs, &logs[1]), 0.2)
}

pub fn noise(rows: &mut Rows) -> Outcome {
    let (x, target) = digits::standardised()?;
    let layers = Sequential::new().then(Linear::new(64, 32)).then(Tanh).then(Linear::new(32, 10));
    let network = Network::<f32>::new(layers)?;
    // exact, from the gradient of every row
    let exact = noise_scale(&network, &CrossEntropy, &x, &target, 1000)?;
    // batches with replacement are samples of these rows, whose mean gradient is not a sample
    let of_rows = 0.999 * exact.trace / (exact.squared_norm.value + exact.trace / 1000.0);
    let exact = exact.rows.map_or(f64::NAN, |rows| rows.value);
    rows.within("64-32-10 tanh, digits: noise scale in rows", 27.2, exact, 3.0)?;
    // from the mean squared norms of the gradients of small and large batches (McCandlish et al.)
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut workspace = Workspace::new();
    let mut square = |size: usize| -> Outcome<f64> {
        let mut sum = 0.0;
        for _ in 0..1000 {
            let drawn: Vec<usize> = (0..size).map(|_| rng.random_range(0..1000)).collect();
            let (x, target) = (x.select(Axis(0), &drawn), target.select(Axis(0), &drawn));
            network.gradients(&CrossEntropy, &x, &target, &mut workspace, None)?;
            sum += norm(&workspace.grads).powi(2) / 1000.0;
        }
        Ok(sum)
    };
    let (small, large) = (square(8)?, square(64)?);
    let signal = (64.0 * large - 8.0 * small) / 56.0;
    let scale = (small - large) / (1.0 / 8.0 - 1.0 / 64.0) / signal;
    rows.within("batches of 8 and 64, 1000 each, over rows", 1.0, scale / of_rows, 0.1)?;
    let parts = noise_scale(&network, &CrossEntropy, &x, &target, 16)?.rows;
    let parts = parts.map_or(Measured::from(f64::NAN), |parts| Measured {
        value: parts.value / exact,
        error: parts.error / exact,
    });
    rows.within("16 parts of 1000 rows, over rows", 1.0, parts, 3.0 * parts.error)
}
