//! Networks whose widths change: funnels, bottlenecks, widening stacks, and residual networks with
//! projections.

use geartrain::layers::Elementwise;
use geartrain::prelude::*;
use geartrain_lab::{self as lab, Diagnosis, Finding, Measurement, normal_batch};

const SEEDS: u64 = 8;
const ROWS: usize = 16;

/// Linear layers of the given widths, the first being the input's, with activations between them.
fn stack(widths: &[usize], weight: Init, activation: impl Elementwise + Copy + 'static) -> Network<f64> {
    let layers = widths.windows(2).enumerate().fold(Sequential::new(), |net, (i, pair)| {
        let net = if i > 0 { net.then(activation) } else { net };
        net.then(Linear::new(pair[0], pair[1]).init(weight))
    });
    Network::new(layers).unwrap()
}

/// Blocks `h + W φ(h)` of one width after another, with an activation and a projection where the
/// width changes.
fn residual(widths: &[usize], blocks: usize, activation: impl Elementwise + Copy + 'static) -> Network<f64> {
    let square = |n| Linear::new(n, n).init(Init::lecun_normal());
    let mut layers = Sequential::new().then(Linear::new(widths[0], widths[1]).init(Init::lecun_normal()));
    for (i, &width) in widths[1..].iter().enumerate() {
        if i > 0 {
            layers = layers.then(activation).then(Linear::new(widths[i], width).init(Init::lecun_normal()));
        }
        for _ in 0..blocks {
            let body = Sequential::new().then(activation).then(square(width));
            layers = layers.then(Residual::new(body).scale(0.5));
        }
    }
    Network::new(layers).unwrap()
}

#[derive(Debug)]
struct Comparison {
    measured: f64,
    predicted: f64,
    tolerance: f64,
    stations: usize,
}

/// Measured and predicted decades over the seeds. The tolerance is 0.06 decades and two standard
/// errors of the mean over random networks of these widths.
fn compare(name: &str, network: &Network<f64>) -> Comparison {
    let (mut measured, mut predicted, mut deviation, mut stations) = (0.0, 0.0, 0.0, 0);
    for seed in 0..SEEDS {
        let network = network.clone().with_seed(seed);
        let x = normal_batch(ROWS, network.inputs(), 1000 + seed);
        let dy = normal_batch(ROWS, network.outputs(), 2000 + seed);
        let measurement = lab::measure_with_cotangent(&network, &x, &dy).unwrap();
        let prediction = lab::predict(&network, &x, &dy).unwrap();
        assert_eq!(prediction.limits, [], "{name}");
        measured += measurement.decades() / SEEDS as f64;
        predicted += prediction.decades(&measurement.stations()).unwrap() / SEEDS as f64;
        deviation = prediction.layers[0].deviation / 10_f64.ln();
        stations = measurement.stations().len();
    }
    let tolerance = 0.06 + 2.0 * deviation / (SEEDS as f64).sqrt();
    println!(
        "{name}: {measured:.3}, predicted {predicted:.3}, {:+.3} of {tolerance:.3}",
        measured - predicted
    );
    Comparison { measured, predicted, tolerance, stations }
}

const SHAPES: [(&str, &[usize]); 6] = [
    ("funnel", &[784, 128, 64, 10]),
    ("long funnel", &[64, 256, 128, 64, 64, 32, 32, 16, 10]),
    ("steep funnel", &[200, 160, 20, 5]),
    ("bottleneck", &[100, 100, 50, 12, 50, 100, 10]),
    ("widening", &[20, 32, 64, 128, 256, 300]),
    ("one hidden layer", &[30, 80, 10]),
];

#[test]
fn stacks_of_changing_width_follow_the_theory() {
    let mut far = Vec::new();
    for (shape, widths) in SHAPES {
        for (name, network) in [
            ("sigmoid, Xavier", stack(widths, Init::xavier_normal(), Sigmoid)),
            ("sigmoid, PyTorch", stack(widths, Init::torch_linear(), Sigmoid)),
            ("tanh, Xavier", stack(widths, Init::xavier_normal(), Tanh)),
            ("tanh, LeCun", stack(widths, Init::lecun_normal(), Tanh)),
            ("ReLU, He", stack(widths, Init::he_normal(), ReLU)),
            ("ReLU, Xavier", stack(widths, Init::xavier_normal(), ReLU)),
        ] {
            let name = format!("{shape}, {name}");
            let compared = compare(&name, &network);
            assert_eq!(compared.stations, widths.len() - 1, "{name}");
            if (compared.measured - compared.predicted).abs() >= compared.tolerance {
                far.push(format!("{name}: {compared:?}"));
            }
        }
    }
    assert_eq!(far, [""; 0]);
}

#[test]
fn residual_networks_with_projections_follow_the_theory() {
    let mut far = Vec::new();
    for (shape, widths) in [
        ("narrowing", &[40, 128, 64, 32][..]),
        ("widening", &[40, 32, 64, 128]),
        ("waist", &[40, 96, 24, 96]),
    ] {
        for (name, network) in [
            ("sigmoid", residual(widths, 3, Sigmoid)),
            ("tanh", residual(widths, 3, Tanh)),
            ("ReLU", residual(widths, 3, ReLU)),
        ] {
            let name = format!("residual, {shape}, {name}");
            let compared = compare(&name, &network);
            assert_eq!(compared.stations, 1 + 3 * 3 + 2, "{name}");
            if (compared.measured - compared.predicted).abs() >= compared.tolerance {
                far.push(format!("{name}: {compared:?}"));
            }
        }
    }
    assert_eq!(far, [""; 0]);
}

fn diagnose(network: &Network<f64>) -> Diagnosis {
    let x = normal_batch(32, network.inputs(), 1);
    let dy = normal_batch(32, network.outputs(), 2);
    lab::diagnose(network, &x, &dy).unwrap()
}

const LONG: &[usize] = &[64, 256, 128, 64, 64, 32, 32, 16, 10];

#[test]
fn a_funnel_of_sigmoids_vanishes() {
    let diagnosis = diagnose(&stack(LONG, Init::xavier_normal(), Sigmoid));
    let Finding::Vanishing(cause) = diagnosis.findings[0] else { panic!("{diagnosis}") };
    assert_eq!((cause.steps, cause.units), (7, (256, 10)));
    assert!((-4.6..-3.8).contains(&diagnosis.decades), "{diagnosis}");
    // 10 units become 256; Xavier's N·Var W is 2N / (N + M), slopes are at most 1/4
    let decades = |factor| cause.decades(factor);
    assert!((decades(cause.widths) - 25.6_f64.log10() / 2.0).abs() < 1e-12);
    let xavier: f64 = LONG[1..].windows(2).map(|w| 2.0 * w[0] as f64 / (w[0] + w[1]) as f64).product();
    assert!((decades(cause.widths * cause.weights) - xavier.log10() / 2.0).abs() < 0.15, "{diagnosis}");
    assert!(decades(cause.slopes) < -7.0 * 4_f64.log10(), "{diagnosis}");
    let parts = [cause.slopes, cause.weights, cause.widths, cause.others, cause.alignment];
    assert!((parts.map(decades).iter().sum::<f64>() - diagnosis.decades).abs() < 1e-12);
    let text = diagnosis.to_string();
    assert!(text.contains("over 7 layers by -4."), "{text}");
    assert!(text.contains("Widths: 10 at the output end, 256 at the input end."), "{text}");
    assert!(text.contains("the widths contribute +0.70, slopes -4."), "{text}");
    assert!(text.contains("squared norm of the gradient by E[φ'²] · M·Var W · N/M = 0.05"), "{text}");
    let remedy = |words: &str| diagnosis.remedies.iter().find(|r| r.change.contains(words)).expect(words);
    assert!(remedy("gain 4.000").helps && remedy("BatchNorm").helps, "{text}");
    assert!(!remedy("He initialisation").helps, "{text}");
    // the only layers that keep their width are 64 → 64 and 32 → 32
    assert!(remedy("skip connection").change.ends_with("1/√2"), "{text}");
}

#[test]
fn a_short_funnel_of_sigmoids_is_not_called_healthy() {
    let diagnosis = diagnose(&stack(&[784, 128, 64, 10], Init::torch_linear(), Sigmoid));
    let text = diagnosis.to_string();
    assert!((-2.0..-1.5).contains(&diagnosis.decades), "{text}");
    assert!((diagnosis.decades - diagnosis.predicted_decades.unwrap()).abs() < 0.15, "{text}");
    assert!(text.starts_with("Borderline: per layer, from the output to the input,"), "{text}");
    assert!(text.contains("over 2 layers by -1.") && text.contains("the widths contribute +0.55"), "{text}");
    // PyTorch: 4.7e-3 per unit of the output, 2.6e-5 per unit of the first layer (mean of 8 seeds)
    assert!(
        text.contains("per unit changes by -2.3 decades") || text.contains("per unit changes by -2.2"),
        "{text}"
    );

    // one more hidden layer, and it vanishes
    let deeper = diagnose(&stack(&[784, 256, 128, 64, 10], Init::torch_linear(), Sigmoid));
    assert!(matches!(deeper.findings[..], [Finding::Vanishing(_)]), "{deeper}");
    let no_block = |r: &lab::Remedy| !r.change.contains("skip connection");
    assert!(deeper.remedies.iter().all(no_block), "no layer keeps its width: {deeper}");
}

#[test]
fn a_healthy_funnel_is_healthy() {
    let diagnosis = diagnose(&stack(LONG, Init::he_normal(), ReLU));
    assert_eq!(diagnosis.findings, [], "{diagnosis}");
    let text = diagnosis.to_string();
    assert!(text.starts_with("Healthy: ") && text.contains("over 7 layers"), "{text}");
    // He's N·Var W is 2 for every width
    assert!((diagnosis.cause.widths * diagnosis.cause.weights - 2.0).abs() < 0.15, "{text}");
    assert!((diagnosis.cause.slopes - 0.5).abs() < 0.05, "{text}");
}

#[test]
fn a_bottleneck_with_large_weights_explodes() {
    let weight = Init::he_normal().gain(3.0);
    let diagnosis = diagnose(&stack(&[50, 100, 50, 12, 50, 100, 100], weight, ReLU));
    let Finding::Exploding(cause) = diagnosis.findings[0] else { panic!("{diagnosis}") };
    assert_eq!((cause.steps, cause.units), (5, (100, 100)));
    assert!(cause.decades(cause.widths).abs() < 1e-12, "100 units at both ends: {diagnosis}");
    assert!(diagnosis.to_string().contains("the widths contribute +0.00"), "{diagnosis}");
}

#[test]
fn stations_leave_out_only_the_head_of_a_stack_of_one_width() {
    let stations = |network: &Network<f64>| {
        let (x, dy) = (normal_batch(4, network.inputs(), 1), normal_batch(4, network.outputs(), 2));
        let measured: Measurement = lab::measure_with_cotangent(network, &x, &dy).unwrap();
        measured.stations()
    };
    let of = |widths: &[usize]| stations(&stack(widths, Init::lecun_normal(), Tanh));
    assert_eq!(of(&[5, 8, 8, 8, 2]), [0, 2, 4], "one width, and a head");
    assert_eq!(of(&[5, 8, 8, 8, 8]), [0, 2, 4, 6], "one width");
    assert_eq!(of(&[5, 8, 8, 4, 2]), [0, 2, 4, 6], "a funnel");
    assert_eq!(of(&[5, 8, 4, 8, 2]), [0, 2, 4, 6], "a bottleneck");
    assert_eq!(of(&[5, 8, 2]), [0, 2], "one hidden layer");
    assert_eq!(of(&[5, 2]), [0], "no hidden layer");
    // the paths of residual networks with projections: 0, block, block, φ, projection, block, block
    assert_eq!(stations(&residual(&[5, 8, 4], 2, Tanh)), [0, 3, 6, 8, 11, 14]);
    let single = diagnose(&stack(&[5, 2], Init::lecun_normal(), Tanh));
    assert!(single.to_string().contains("nothing to compare"), "{single}");
    assert!(!single.to_string().contains("Healthy"), "{single}");
}
