//! Predictions against measurements over a grid of activations (one of them user-defined), σw², σb²
//! and widths: 20 layers, 8 seeds.

use geartrain::Scalar;
use geartrain::layers::{BatchNorm, ELU, Elementwise, GELU, LeakyReLU, SELU, SiLU, Softplus};
use geartrain::prelude::*;
use geartrain_lab::{self as lab, normal_batch};

const DEPTH: usize = 20;
const SEEDS: u64 = 8;
const ROWS: usize = 16;

/// The user-defined activation `x / (1 + |x|)`.
#[derive(Debug, Clone, Copy)]
struct Softsign;

impl Elementwise for Softsign {
    fn value<F: Scalar>(&self, x: F) -> F {
        x / (F::one() + x.abs())
    }
    fn slope<F: Scalar>(&self, x: F, _: F) -> F {
        (F::one() + x.abs()).powi(-2)
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
struct Case {
    activation: &'static str,
    w2: f64,
    b2: f64,
    width: usize,
}

const ACTIVATIONS: [&str; 10] =
    ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign"];

impl Case {
    fn network(self) -> Network<f64> {
        match self.activation {
            "sigmoid" => self.chain(Sigmoid),
            "tanh" => self.chain(Tanh),
            "relu" => self.chain(ReLU),
            "leaky_relu" => self.chain(LeakyReLU::new(0.2)),
            "elu" => self.chain(ELU::new(1.0)),
            "selu" => self.chain(SELU),
            "gelu" => self.chain(GELU),
            "silu" => self.chain(SiLU),
            "softplus" => self.chain(Softplus),
            "softsign" => self.chain(Softsign),
            other => panic!("no activation is called {other}"),
        }
    }

    fn chain(self, activation: impl Elementwise + Copy + 'static) -> Network<f64> {
        let weight = Init::normal((self.w2 / self.width as f64).sqrt());
        let linear =
            || Linear::new(self.width, self.width).init(weight).bias_init(Init::normal(self.b2.sqrt()));
        let layers =
            (1..DEPTH).fold(Sequential::new().then(linear()), |net, _| net.then(activation).then(linear()));
        Network::new(layers).unwrap()
    }

    /// Measured and predicted decades, and the tolerance: 0.05 and two standard errors of the mean
    /// over random networks of this width.
    fn compare(self) -> [f64; 3] {
        let network = self.network();
        let (mut measured, mut predicted, mut deviation) = (0.0, 0.0, 0.0);
        for seed in 0..SEEDS {
            let network = network.clone().with_seed(seed);
            let [x, dy] = [1000, 2000].map(|from| normal_batch(ROWS, self.width, from + seed));
            let measurement = lab::measure_with_cotangent(&network, &x, &dy).unwrap();
            let prediction = lab::predict(&network, &x, &dy).unwrap();
            assert_eq!(prediction.limits, [], "{self:?}");
            measured += measurement.decades() / SEEDS as f64;
            predicted += prediction.decades(&measurement.stations()).unwrap() / SEEDS as f64;
            deviation = prediction.layers[0].deviation / 10_f64.ln();
        }
        [measured, predicted, 0.05 + 2.0 * deviation / (SEEDS as f64).sqrt()]
    }
}

/// The cases in which measured and predicted decades differ by more than the tolerance.
fn failures(cases: impl Iterator<Item = Case>) -> Vec<String> {
    let check = |case: Case| {
        let [measured, predicted, tolerance] = case.compare();
        let difference = measured - predicted;
        println!("{case:?}: {measured:.3}, predicted {predicted:.3}, {difference:+.3} of {tolerance:.3}");
        // not `>`, which is false for NaN
        let agree = difference.abs() < tolerance;
        (!agree).then(|| format!("{case:?}: measured {measured}, predicted {predicted} ± {tolerance}"))
    };
    cases.filter_map(check).collect()
}

#[test]
fn a_sample_of_the_grid() {
    let case = |activation, w2, b2, width| Case { activation, w2, b2, width };
    let cases = [
        case("sigmoid", 4.0, 0.3, 128),
        case("tanh", 2.5, 0.0, 128),
        case("relu", 2.0, 0.3, 128),
        case("leaky_relu", 1.0, 0.05, 128),
        case("elu", 1.2, 0.05, 128),
        case("selu", 0.5, 0.3, 128),
        case("gelu", 1.2, 0.05, 128),
        case("silu", 2.5, 0.05, 128),
        case("softplus", 0.5, 0.05, 128),
        case("softsign", 2.5, 0.3, 128),
        case("softsign", 1.2, 0.0, 256),
        case("tanh", 1.2, 0.05, 512),
    ];
    assert_eq!(failures(cases.into_iter()), [""; 0]);
}

#[test]
fn signals_that_fluctuate_or_grow() {
    let case = |activation, b2| Case { activation, w2: 2.0, b2, width: 128 };
    // GELU and SiLU at σw² = 2: q decreases faster where it is smaller, so that rows diverge
    let parting = [case("gelu", 0.0), case("gelu", 0.05), case("silu", 0.0), case("silu", 0.05)];
    // softplus: q grows, and the gradient decays less along the signal than across it
    let growing = [case("softplus", 0.0), case("softplus", 0.3)];
    assert_eq!(failures(parting.into_iter().chain(growing)), [""; 0]);
}

#[test]
fn gradients_whose_squares_underflow() {
    let linear = || Linear::new(64, 64).init(Init::xavier_normal());
    let layers = (1..290).fold(Sequential::new().then(linear()), |net, _| net.then(Sigmoid).then(linear()));
    let network = Network::<f64>::new(layers).unwrap();
    let [x, dy] = [1, 2].map(|seed| normal_batch(4, 64, seed));
    let measured = lab::measure_with_cotangent(&network, &x, &dy).unwrap();
    let predicted = lab::predict(&network, &x, &dy).unwrap();
    let (decades, deviation) =
        (predicted.decades(&measured.stations()).unwrap(), predicted.layers[0].deviation / 10_f64.ln());
    assert!(decades < -165.0 && deviation < 2.0, "{decades} ± {deviation}");
    assert!((measured.decades() - decades).abs() < 3.0 * deviation, "{}, {decades}", measured.decades());
}

#[test]
#[ignore = "150 settings take two minutes"]
fn the_whole_grid() {
    let mut cases = Vec::new();
    for activation in ACTIVATIONS {
        for w2 in [0.5, 1.2, 2.0, 4.0] {
            cases.extend([0.0, 0.05, 0.3].map(|b2| Case { activation, w2, b2, width: 128 }));
        }
        let wider = [(1.2, 0.05, 256), (2.0, 0.0, 256), (2.0, 0.05, 512)];
        cases.extend(wider.map(|(w2, b2, width)| Case { activation, w2, b2, width }));
    }
    assert_eq!(failures(cases.into_iter()), [""; 0]);
}

/// `blocks` blocks of a linear layer, BatchNorm and an activation.
fn batch_norm_network(
    activation: impl Elementwise + Copy + 'static,
    blocks: usize,
    width: usize,
    inputs: usize,
) -> Network<f64> {
    let block = |net: Sequential<f64>, i: usize| {
        let linear = Linear::new(if i == 0 { inputs } else { width }, width).init(Init::xavier_normal());
        net.then(linear).then(BatchNorm::new(width)).then(activation)
    };
    let layers = (0..blocks).fold(Sequential::new(), block).then(Linear::new(width, 1));
    Network::new(layers).unwrap()
}

/// Measured and predicted decades of 20 blocks of BatchNorm and an activation, and the tolerance.
fn batch_norm(
    activation: impl Elementwise + Copy + 'static,
    width: usize,
    rows: usize,
    inputs: usize,
) -> [f64; 3] {
    let network = batch_norm_network(activation, DEPTH, width, inputs);
    let (mut sum, mut deviation) = ([0.0; 2], 0.0);
    for seed in 0..SEEDS {
        let network = network.clone().with_seed(seed);
        let (x, dy) = (normal_batch(rows, inputs, 1000 + seed), normal_batch(rows, 1, 2000 + seed));
        let measured = lab::measure_with_cotangent(&network, &x, &dy).unwrap();
        let predicted = lab::predict(&network, &x, &dy).unwrap();
        assert_eq!(predicted.limits, []);
        sum[0] += measured.decades() / SEEDS as f64;
        sum[1] += predicted.decades(&measured.stations()).unwrap() / SEEDS as f64;
        deviation = predicted.layers[0].deviation / 10_f64.ln();
    }
    let [measured, predicted] = sum;
    let tolerance = 0.05 + 2.0 * deviation / (SEEDS as f64).sqrt();
    let name = &network.summary().rows[2].layer;
    println!(
        "{name}: width {width}, {rows} rows of {inputs}: {measured:.3}, predicted {predicted:.3}, {:+.3} of {tolerance:.3}",
        measured - predicted
    );
    [measured, predicted, tolerance]
}

#[test]
fn a_sample_of_the_grid_of_batch_norm() {
    for [measured, predicted, tolerance] in [
        batch_norm(Sigmoid, 128, 64, 10),
        batch_norm(ReLU, 128, 16, 128),
        batch_norm(Sigmoid, 64, 64, 64),
        batch_norm(Tanh, 256, 32, 20),
        batch_norm(ReLU, 128, 8, 20),
        batch_norm(Sigmoid, 128, 6, 20),
    ] {
        assert!((measured - predicted).abs() < tolerance, "{measured}, {predicted} ± {tolerance}");
    }
}

#[test]
fn batch_norm_of_few_rows_or_over_narrow_layers_is_a_limit() {
    let limits = |blocks: usize, width: usize, rows: usize| {
        let network = batch_norm_network(Tanh, blocks, width, 20);
        let prediction =
            lab::predict(&network, &normal_batch(rows, 20, 1), &normal_batch(rows, 1, 2)).unwrap();
        prediction.limits.iter().map(|limit| (limit.layers.len(), limit.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(limits(20, 64, 6), []);
    let few = limits(3, 64, 5);
    assert!(matches!(&few[..], [(3, text)] if text.contains("so few rows")), "{few:?}");
    // measured 1.52 decades, predicted 1.36
    let narrow = limits(30, 64, 32);
    assert!(
        matches!(&narrow[..], [(30, text)] if text.contains("too many BatchNorm layers for this width")),
        "{narrow:?}"
    );
}

#[test]
#[ignore = "takes minutes"]
fn the_whole_grid_of_batch_norm() {
    let mut far = 0;
    for (width, rows) in [(64, 64), (128, 64), (256, 64), (512, 64), (128, 16), (128, 256)] {
        for inputs in [10, width] {
            for [measured, predicted, tolerance] in [
                batch_norm(Sigmoid, width, rows, inputs),
                batch_norm(Tanh, width, rows, inputs),
                batch_norm(ReLU, width, rows, inputs),
            ] {
                far += usize::from((measured - predicted).abs() >= tolerance);
            }
        }
    }
    assert_eq!(far, 0, "of 36");
}
