//! Measurements against the network's own passes, exact identities and the theory.

use crate::activations::Erf;
use geartrain::layers::{BatchNorm, Elementwise, GELU, LayerNorm, RMSNorm, SELU};
use geartrain::prelude::*;
use geartrain_lab::{self as lab, Measurement, normal_batch};

/// `depth` linear layers of one width with activations between them.
fn chain(
    activation: impl Elementwise + Copy + 'static,
    width: usize,
    depth: usize,
    w2: f64,
    b2: f64,
) -> Network<f64> {
    let linear = || {
        let weight = Init::normal((w2 / width as f64).sqrt());
        Linear::new(width, width).init(weight).bias_init(Init::normal(b2.sqrt()))
    };
    let layers =
        (1..depth).fold(Sequential::new().then(linear()), |net, _| net.then(activation).then(linear()));
    Network::new(layers).unwrap()
}

fn measured_and_predicted(
    network: &Network<f64>,
    seed: u64,
    rows: usize,
) -> (Measurement, f64, lab::Prediction) {
    let network = network.clone().with_seed(seed);
    let x = normal_batch(rows, network.inputs(), 1000 + seed);
    let dy = normal_batch(rows, network.outputs(), 2000 + seed);
    let measured = lab::measure_with_cotangent(&network, &x, &dy).unwrap();
    let predicted = lab::predict(&network, &x, &dy).unwrap();
    let stations = measured.stations();
    let gradient = |i: usize| predicted.layers[i].gradient.unwrap();
    let decades = (gradient(stations[0]) / gradient(*stations.last().unwrap())).log10();
    (measured, decades, predicted)
}

#[test]
fn measurements_equal_the_network_s_own_passes() {
    let inner = || Sequential::new().then(Linear::new(6, 6)).then(Tanh);
    let body = Sequential::new().then(Residual::new(inner()).scale(0.7)).then(Linear::new(6, 6));
    let layers = Sequential::new()
        .then(Linear::new(3, 6))
        .then(ReLU)
        .then(Residual::new(body))
        .then(Linear::new(6, 2));
    let network = Network::<f64>::new(layers).unwrap().with_seed(5);
    let (x, target) = (normal_batch(7, 3, 1), normal_batch(7, 2, 2));
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();
    let measured = lab::measure(&network, &MeanSquaredError, &x, &target).unwrap();
    let norm = |values: &mut dyn Iterator<Item = &f64>| values.map(|v| v * v).sum::<f64>().sqrt();

    assert_eq!(measured.loss, Some(pass.loss));
    assert!((measured.input_gradient / norm(&mut pass.grad_input.iter()) - 1.0).abs() < 1e-14);
    let paths: Vec<_> = measured.layers.iter().map(|row| row.path.as_str()).collect();
    assert_eq!(paths, ["0", "1", "2.body.0.body.0", "2.body.0.body.1", "2.body.0", "2.body.1", "2", "3"]);
    assert_eq!(measured.layers.iter().map(|row| row.nesting).collect::<Vec<_>>(), [0, 0, 2, 2, 1, 1, 0, 0]);
    for (name, gradient) in network.named(&pass.grads).filter(|(name, _)| name.ends_with("weight")) {
        let row = measured.layers.iter().find(|row| format!("{}.weight", row.path) == name).unwrap();
        let weights = row.weights.unwrap();
        assert!((weights.gradient / norm(&mut gradient.iter()) - 1.0).abs() < 1e-14, "{name}");
        assert!(
            (weights.norm / norm(&mut network.param(name).unwrap().iter()) - 1.0).abs() < 1e-14,
            "{name}"
        );
    }
    let output = &measured.layers[7].output;
    assert!((output.norm / norm(&mut pass.output.iter()) - 1.0).abs() < 1e-14);
    assert!((output.mean - pass.output.mean().unwrap()).abs() < 1e-15);
    assert!((output.variance - pass.output.var(0.0)).abs() < 1e-14);
    assert_eq!(measured.stations(), [0, 6], "the head is narrower");
}

#[test]
fn weight_gradients_are_equal_by_euler_s_identity() {
    // without biases, relu(a x) = a relu(x) gives ⟨W, ∂L/∂W⟩ = ⟨y, ∂L/∂y⟩ for every layer, exactly
    let mut layers = Sequential::new();
    for layer in 0..12 {
        let linear = Linear::new(20, 20).without_bias().init(Init::normal(0.2 + 0.02 * f64::from(layer)));
        layers = layers.then(linear).then(ReLU);
    }
    let network = Network::<f64>::new(layers).unwrap().with_seed(3);
    let (x, target) = (normal_batch(30, 20, 1), normal_batch(30, 20, 2));
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();
    let products: Vec<f64> = network
        .named(&pass.grads)
        .map(|(name, grad)| (&network.param(name).unwrap() * &grad).sum())
        .collect();
    assert_eq!(products.len(), 12);
    assert!(products.iter().all(|p| (p / products[0] - 1.0).abs() < 1e-12), "{products:?}");
}

/// Measured and predicted means over four seeds, and the predicted standard error.
fn compare(network: &Network<f64>, rows: usize) -> (f64, f64, f64) {
    let both = (0..4).map(|seed| measured_and_predicted(network, seed, rows)).collect::<Vec<_>>();
    assert!(both.iter().all(|b| b.2.limits.is_empty()), "{:?}", both[0].2.limits);
    let mean =
        |f: &dyn Fn(&(Measurement, f64, lab::Prediction)) -> f64| both.iter().map(f).sum::<f64>() / 4.0;
    let error = both[0].2.layers[0].deviation / 10_f64.ln() / 2.0;
    (mean(&|b| b.0.decades()), mean(&|b| b.1), error)
}

#[test]
fn wide_networks_follow_the_theory() {
    // settings that are not rows of a published table
    let cases = [
        chain(Sigmoid, 128, 12, 1.0, 0.0),
        chain(Sigmoid, 128, 12, 9.0, 0.5),
        chain(ReLU, 128, 12, 1.0 / 3.0, 0.0),
        chain(Tanh, 128, 12, 1.0, 0.0),
        chain(Tanh, 128, 12, 4.0, 0.05),
        chain(SELU, 128, 12, 1.0, 0.0),
        chain(Erf, 128, 12, 2.0, 0.1),
        chain(GELU, 128, 12, 1.5, 0.1),
    ];
    for network in cases {
        let (measured, predicted, error) = compare(&network, 16);
        let name = &network.summary().rows[1].layer;
        assert!(
            (measured - predicted).abs() < 0.05 + 2.0 * error,
            "{name}: {measured}, {predicted} ± {error}"
        );
    }
}

#[test]
fn residual_networks_follow_the_theory() {
    let width = 128;
    let he = || Linear::new(width, width).without_bias().init(Init::he_normal());
    let build = |body: &dyn Fn() -> Sequential<f64>, scale: f64| {
        let start = Sequential::new().then(he());
        Network::new((0..10).fold(start, |net, _| net.then(Residual::new(body()).scale(scale)))).unwrap()
    };
    // h + W relu(h) doubles in every block
    let doubling = build(&|| Sequential::new().then(ReLU).then(he()), 1.0);
    let (measured, predicted, error) = compare(&doubling, 16);
    assert!((measured - predicted).abs() < 0.05 + 2.0 * error, "{measured}, {predicted} ± {error}");
    assert!((predicted - 5.0 * 2_f64.log10()).abs() < 0.15, "√2 per block: {predicted}");
    // a branch scaled by 1/√blocks keeps the total near (1 + 1/10)^10
    let scaled = build(&|| Sequential::new().then(ReLU).then(he()), 0.1_f64.sqrt());
    let (measured, predicted, error) = compare(&scaled, 16);
    assert!((measured - predicted).abs() < 0.05 + 2.0 * error, "{measured}, {predicted} ± {error}");
    assert!((predicted - 5.0 * 1.1_f64.log10()).abs() < 0.02, "{predicted}");
}

/// Energy per block of linear, normalisation, activation: measured and predicted.
fn normalised(
    norm: impl Layer<f64> + Clone + 'static,
    activation: impl Elementwise + Copy + 'static,
    rows: usize,
) -> [f64; 2] {
    let width = 128;
    let linear = || Linear::new(width, width).without_bias().init(Init::lecun_normal());
    let block = |net: Sequential<f64>, _| net.then(linear()).then(norm.clone()).then(activation);
    let network = Network::new((0..16).fold(Sequential::new(), block).then(linear())).unwrap();
    // from the middle of the network, where q is at its fixed point, to its bottom
    let [top, bottom] = [10, 1].map(|block| 3 * block);
    let both: Vec<_> = (0..3).map(|seed| measured_and_predicted(&network, seed, rows)).collect();
    let log = |b: &(Measurement, f64, lab::Prediction)| {
        (b.0.layers[bottom].gradient / b.0.layers[top].gradient).ln()
    };
    let measured = (both.iter().map(log).sum::<f64>() / 3.0 * 2.0 / 9.0).exp();
    let energy = |i: usize| both[0].2.layers[i].energy.unwrap();
    [measured, (bottom + 1..=top).map(energy).product::<f64>().powf(1.0 / 9.0)]
}

#[test]
fn normalisation_follows_the_theory() {
    let cases = [
        (normalised(BatchNorm::new(128), ReLU, 128), 1.4669, 0.05),
        (normalised(BatchNorm::new(128), Sigmoid, 128), 1.0336, 0.03),
        (normalised(LayerNorm::new(128), ReLU, 32), 1.0, 0.08),
        (normalised(LayerNorm::new(128), Sigmoid, 32), 0.1528, 0.01),
        (normalised(RMSNorm::new(128), ReLU, 32), 1.0, 0.08),
        (normalised(RMSNorm::new(128), Sigmoid, 32), 0.1528, 0.01),
    ];
    for ([measured, predicted], theory, tolerance) in cases {
        assert!((predicted - theory).abs() < 0.02, "predicted {predicted}, in closed form {theory}");
        assert!((measured - theory).abs() < tolerance, "measured {measured}, in closed form {theory}");
    }
    // small batches are worse, and their prediction has a limit
    let [small, _] = normalised(BatchNorm::new(128), ReLU, 4);
    assert!(small > 2.3, "{small}");
}

#[test]
fn limits_of_the_theory_are_reported() {
    // the energy of x + relu(Wx) grows by 2.904 per block, because the branch is never negative
    let width = 128;
    let block = || {
        Sequential::new().then(Linear::new(width, width).without_bias().init(Init::he_normal())).then(ReLU)
    };
    let layers = (0..24).fold(Sequential::new(), |net, _| net.then(Residual::new(block())));
    let network = Network::<f64>::new(layers).unwrap();
    let (measured, _, predicted) = measured_and_predicted(&network, 1, 16);
    let q = |block: usize| predicted.layers[3 * block + 2].q.unwrap();
    let growth = (q(23) / q(5)).powf(1.0 / 18.0);
    assert!((growth - 2.904).abs() < 0.05, "{growth}");
    let measured_q = |block: usize| measured.layers[3 * block + 2].output.norm.powi(2);
    assert!((measured_q(23) / measured_q(5)).powf(1.0 / 18.0) > 2.75);
    // the gradients of its two paths are not independent: their energy grows by more than 2
    assert_eq!(predicted.limits[0].layers.len(), 24);
    assert!(predicted.limits[0].what.contains("not independent"), "{}", predicted.limits[0]);
    let lowest = &measured.layers[2];
    assert!(lowest.alignment() > 1.05 && lowest.ratio().powi(2) > 2.5, "{lowest:?}");
    // below an activation whose input is not normal there is no prediction
    let layers = Sequential::new().then(Linear::new(8, 8)).then(Sigmoid).then(Tanh).then(Linear::new(8, 8));
    let network = Network::<f64>::new(layers).unwrap();
    let (x, dy) = (normal_batch(8, 8, 1), normal_batch(8, 8, 2));
    let predicted = lab::predict(&network, &x, &dy).unwrap();
    assert!(predicted.layers[2].q.is_none() && predicted.layers[1].gradient.is_none());
    assert!(predicted.layers[2].gradient.is_some(), "above it, the weights determine the gradient");
    assert!(predicted.limits[0].layers == ["2 Tanh"], "{:?}", predicted.limits);
}
