//! Diagnoses of healthy and unhealthy networks.

use geartrain::data::{Csv, Dataset, StandardScaler, toy};
use geartrain::layers::BatchNorm;
use geartrain::loss::MeanSquaredError;
use geartrain::prelude::*;
use geartrain_lab::{self as lab, Diagnosis, Finding};
use ndarray::{Array2, s};

/// Twelve layers of 48 units on ten features.
fn deep(
    linear: impl Fn(usize) -> Linear,
    activation: impl geartrain::layers::Elementwise + Copy + 'static,
) -> Network<f64> {
    let block = |net: Sequential<f64>, i| net.then(linear(if i == 0 { 10 } else { 48 })).then(activation);
    Network::new((0..12).fold(Sequential::new(), block).then(Linear::new(48, 1))).unwrap().with_seed(4)
}

fn diagnose(network: &Network<f64>, rows: usize) -> Diagnosis {
    let data = toy::friedman1::<f64>(rows, 1.0, 3).unwrap();
    let x = (data.x() - 0.5) * 12_f64.sqrt();
    // the gradient of the loss, as in training
    let output = network.loss_and_gradients(&MeanSquaredError, &x, data.y()).unwrap().output;
    let dy: Array2<f64> = (output - data.y()) * (2.0 / rows as f64);
    lab::diagnose(network, &x, &dy).unwrap()
}

#[test]
fn a_lost_gradient_is_reported_with_its_layer() {
    let diagnosis = diagnose(&deep(|n| Linear::new(n, 48).init(Init::constant(0.0)), Tanh), 16);
    let Finding::Lost { layer, zero_weights: true } = &diagnosis.findings[0] else { panic!("{diagnosis}") };
    assert!(layer.starts_with("22 (Linear(48, 48"), "{layer}");
    assert!(!diagnosis.to_string().contains("NaN"), "{diagnosis}");

    // 80 layers of sigmoids lose more than the 45 decades of an f32
    let block =
        |net: Sequential<f32>, _| net.then(Linear::new(8, 8).init(Init::xavier_normal())).then(Sigmoid);
    let network = Network::new((0..80).fold(Sequential::new(), block)).unwrap();
    let (x, dy) = (lab::normal_batch(4, 8, 1), lab::normal_batch(4, 8, 2));
    let diagnosis = lab::diagnose(&network, &x, &dy).unwrap();
    assert!(matches!(diagnosis.findings[0], Finding::Lost { zero_weights: false, .. }), "{diagnosis}");
}

#[test]
fn healthy() {
    let diagnosis = diagnose(&deep(|n| Linear::new(n, 48).init(Init::he_normal()), ReLU), 64);
    assert_eq!(diagnosis.findings, []);
    assert!(diagnosis.to_string().starts_with("Healthy: "), "{diagnosis}");
    assert!(diagnosis.remedies.is_empty());
}

#[test]
fn vanishing() {
    let diagnosis = diagnose(&deep(|n| Linear::new(n, 48).init(Init::xavier_normal()), Sigmoid), 64);
    let Finding::Vanishing(cause) = &diagnosis.findings[0] else { panic!("{diagnosis}") };
    assert_eq!(diagnosis.findings.len(), 1);
    assert!((cause.slopes * cause.weights - 0.055).abs() < 0.01, "{cause}");
    assert!((diagnosis.decades - diagnosis.predicted_decades.unwrap()).abs() < 0.3);
    let text = diagnosis.to_string();
    assert!(
        text.contains(
            "Vanishing: each layer multiplies the squared norm of the gradient by E[φ'²] · σw² = 0.05"
        ),
        "{text}"
    );
    let remedy = |words: &str| diagnosis.remedies.iter().find(|r| r.change.contains(words)).expect(words);
    assert!(!remedy("He initialisation").helps && !remedy("LayerNorm").helps, "{text}");
    assert!(remedy("BatchNorm").helps && remedy("skip connection").helps, "{text}");
    assert!(remedy("gain 4.000").helps && remedy("gain 4.000").ratio > 0.85, "{text}");
    assert!(diagnosis.remedies[0].helps && diagnosis.remedies[0].decades.abs() < 1.0);
}

#[test]
fn exploding() {
    let diagnosis = diagnose(&deep(|n| Linear::new(n, 48).init(Init::he_normal().gain(2.0)), ReLU), 64);
    assert!(matches!(diagnosis.findings[..], [Finding::Exploding(_)]), "{diagnosis}");
    let he = diagnosis.remedies.iter().find(|r| r.change.contains("He init")).unwrap();
    assert!(he.helps && he.decades.abs() < 1.0, "{diagnosis}");
}

#[test]
fn dead() {
    let linear = |n| Linear::new(n, 48).init(Init::he_normal()).bias_init(Init::constant(-3.0));
    let diagnosis = diagnose(&deep(linear, ReLU), 64);
    let Finding::DeadUnits { fraction, .. } = &diagnosis.findings[0] else { panic!("{diagnosis}") };
    assert!(*fraction > 0.9);
    assert!(diagnosis.to_string().starts_with("No gradient reaches the first of 12 layers"), "{diagnosis}");
    assert!(diagnosis.to_string().contains("have a common mean"), "the limit of the theory is reported");
    assert!(diagnosis.remedies[0].helps, "{diagnosis}");
}

#[test]
fn saturated() {
    let diagnosis = diagnose(&deep(|n| Linear::new(n, 48).init(Init::lecun_normal().gain(6.0)), Tanh), 64);
    assert!(diagnosis.findings.iter().any(|f| matches!(f, Finding::Saturated { .. })), "{diagnosis}");
}

#[test]
fn a_batch_too_small_for_batch_norm() {
    let block = |net: Sequential<f64>, i| {
        net.then(Linear::new(if i == 0 { 10 } else { 48 }, 48)).then(BatchNorm::new(48)).then(ReLU)
    };
    let network = Network::new((0..4).fold(Sequential::new(), block).then(Linear::new(48, 1))).unwrap();
    assert!(matches!(diagnose(&network, 4).findings[..], [Finding::SmallBatch { rows: 4, .. }]));
    assert_eq!(diagnose(&network, 64).findings, []);
}

#[test]
fn unscaled_sums_grow() {
    let he = |n: usize| Linear::new(n, 48).without_bias().init(Init::he_normal());
    let block = |net: Sequential<f64>, _| net.then(Residual::new(Sequential::new().then(he(48)).then(ReLU)));
    let network =
        Network::new((0..12).fold(Sequential::new().then(he(10)), block).then(Linear::new(48, 1))).unwrap();
    let diagnosis = diagnose(&network, 64);
    let growth = diagnosis.findings.iter().find_map(|f| match f {
        Finding::GrowingSum { blocks: 12, growth } => Some(*growth),
        _ => None,
    });
    assert!((growth.unwrap() - 2.9).abs() < 0.3, "{diagnosis}");
    let scaled = diagnosis.remedies.iter().find(|r| r.change == "branches scaled by 1/√12").unwrap();
    assert!(scaled.helps && scaled.decades.abs() < 1.0, "{diagnosis}");
}

#[test]
fn the_parts_of_a_ratio_add_up() {
    let network = deep(|n| Linear::new(n, 48).init(Init::xavier_normal()), Tanh);
    let (x, dy) = (lab::normal_batch(20, 10, 1), lab::normal_batch(20, 1, 2));
    let measured = lab::measure_with_cotangent(&network, &x.slice(s![..20, ..]), &dy).unwrap();
    let parts = measured.decompose();
    assert_eq!(parts.len(), 11);
    for part in &parts {
        let ratio = measured.layers[part.lower].gradient / measured.layers[part.upper].gradient;
        assert!((part.log_ratio() - ratio.ln()).abs() < 1e-12);
        assert!(part.alignment.abs() < 0.25 && part.others == 0.0, "{part:?}");
    }
    let sum: f64 = parts.iter().map(|part| part.log_ratio()).sum();
    assert!((sum / 10_f64.ln() - measured.decades()).abs() < 1e-12);
}

#[test]
fn healthy_vanishing_exploding_and_dead_networks_on_a_table_of_cars() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/auto-mpg.csv");
    let data = Dataset::<f64>::from_csv(path, &Csv::new("mpg").drop_columns(["name"])).unwrap();
    let standard = |a: &ndarray::ArrayRef2<f64>| StandardScaler::fit(a).and_then(|s| s.transform(a)).unwrap();
    let (x, y) = (standard(data.x()), standard(data.y()));
    let build = |weight: Init, bias: f64, sigmoid: bool| {
        let linear = |n| Linear::new(n, 48).init(weight).bias_init(Init::constant(bias));
        let block = |net: Sequential<f64>, i| {
            let net = net.then(linear(if i == 0 { x.ncols() } else { 48 }));
            if sigmoid { net.then(Sigmoid) } else { net.then(ReLU) }
        };
        let layers = (0..12).fold(Sequential::new(), block).then(Linear::new(48, 1));
        Network::new(layers).unwrap().with_seed(1)
    };
    let diagnose = |network: &Network<f64>| {
        let output = network.predict(&x).unwrap();
        lab::diagnose(network, &x, &((output - &y) * (2.0 / y.len() as f64))).unwrap()
    };
    let healthy = diagnose(&build(Init::he_normal(), 0.0, false));
    assert_eq!(healthy.findings, [], "{healthy}");
    let vanishing = diagnose(&build(Init::xavier_normal(), 0.0, true));
    assert!(matches!(vanishing.findings[..], [Finding::Vanishing(_)]), "{vanishing}");
    let exploding = diagnose(&build(Init::he_normal().gain(2.0), 0.0, false));
    assert!(matches!(exploding.findings[..], [Finding::Exploding(_)]), "{exploding}");
    let dead = diagnose(&build(Init::he_normal(), -3.0, false));
    assert!(matches!(dead.findings[..], [Finding::DeadUnits { .. }]), "{dead}");
    for sick in [vanishing, exploding, dead] {
        assert!(sick.remedies[0].helps, "{sick}");
    }
}
