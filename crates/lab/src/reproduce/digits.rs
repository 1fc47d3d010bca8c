//! Images of handwritten digits, and the depth at which networks cease to learn them.

use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use geartrain::data::StandardScaler;
use geartrain::metrics::{accuracy, classes_from_logits};
use geartrain::network::Workspace;
use geartrain::prelude::*;

use super::{Outcome, Rows, on_threads};
use crate::MeanField;

const FILE: &str = include_str!("../../data/digits.csv");
const IMAGES: usize = 1000;

/// The first 1000 images, `(1000, 64)`, with pixels from 0 to 16, and their digits, `(1000, 1)`.
fn images() -> (Array2<f32>, Array2<f32>) {
    let (mut x, mut digits) = (Array2::zeros((IMAGES, 64)), Array2::zeros((IMAGES, 1)));
    for (row, line) in FILE.lines().skip(1).take(IMAGES).enumerate() {
        let numbers = line.split(',').map(|cell| cell.parse().expect("a file of numbers"));
        let places = x.row_mut(row).into_iter().chain(digits.row_mut(row));
        places.zip(numbers).for_each(|(place, number): (&mut f32, f32)| *place = number);
    }
    (x, digits)
}

/// The same in random order, with columns of mean 0 and variance 1: the file is ordered by writers.
pub fn standardised() -> Outcome<(Array2<f32>, Array2<f32>)> {
    let (x, digits) = images();
    let x = StandardScaler::fit(&x)?.transform(&x)?;
    let mut order: Vec<usize> = (0..IMAGES).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
    Ok((x.select(Axis(0), &order), digits.select(Axis(0), &order)))
}

/// The accuracy on the training rows, of `depth` hidden layers of 64 tanh units after 300 steps at
/// the best of four rates.
fn learned(x: &Array2<f32>, digits: &Array2<f32>, weights: f64, depth: usize) -> Outcome<f64> {
    let train = |rate: f64, seed: u64| -> Outcome<f64> {
        let linear = |outputs| {
            let (weight, bias) = (Init::lecun_normal().gain(weights.sqrt()), Init::normal(0.05_f64.sqrt()));
            Linear::new(64, outputs).init(weight).bias_init(bias)
        };
        let layers = (0..depth).fold(Sequential::new(), |net, _| net.then(linear(64)).then(Tanh));
        let mut network = Network::new(layers.then(linear(10)))?.with_seed(seed);
        let (mut sgd, mut workspace) = (Sgd::new(rate), Workspace::new());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..300 {
            let batch: Vec<usize> = (0..32).map(|_| rng.random_range(0..IMAGES)).collect();
            let (x, digits) = (x.select(Axis(0), &batch), digits.select(Axis(0), &batch));
            network.gradients(&CrossEntropy, &x, &digits, &mut workspace, None)?;
            sgd.step(network.params_mut(), &workspace.grads)?;
        }
        Ok(accuracy(&classes_from_logits(&network.predict(x)?)?, digits)?)
    };
    let rates = [0.001, 0.003, 0.01, 0.03];
    let seeds =
        on_threads(2, |seed| rates.map(|rate| train(rate, seed)).into_iter().collect::<Outcome<Vec<_>>>())?;
    Ok((0..4).map(|k| 0.5 * (seeds[0][k] + seeds[1][k])).fold(0.0, f64::max))
}

pub fn trainable_depth(rows: &mut Rows) -> Outcome {
    let (mut x, digits) = images();
    for mut row in x.rows_mut() {
        let scale = 8.0 / row.dot(&row).sqrt();
        row *= scale;
    }
    for (weights, depths) in [(1.0, [20, 30, 40]), (1.3, [40, 55, 70])] {
        let scales = MeanField::new(&Tanh, weights, 0.05)?.depth_scales();
        let six = 6.0 * scales.map_or(f64::NAN, |scales| scales.correlation);
        let mut half = f64::NAN;
        let mut before = (0.0, 1.0);
        for depth in depths {
            let (at, part) = (depth as f64, learned(&x, &digits, weights, depth)?);
            if before.1 >= 0.5 && part < 0.5 {
                half = before.0 + (at - before.0) * (before.1 - 0.5) / (before.1 - part);
            }
            before = (at, part);
        }
        rows.within(format!("σw² = {weights}: depth that learns half, over 6ξ"), 1.0, half / six, 0.45)?;
    }
    Ok(())
}
