//! `init.json`: the bounds and standard deviations of the initialisations.

use geartrain::prelude::*;
use serde_json::Value;

use crate::fixture::*;

/// The weights and biases of `Linear` layers of this shape, for enough seeds to have 4,000 weights.
fn draws(shape: &Value, init: Option<Init>) -> (Vec<f64>, Vec<f64>) {
    let [outputs, inputs] = [0, 1].map(|i| count(&shape[i]));
    let layer = Linear::new(inputs, outputs);
    let layer = if let Some(init) = init { layer.init(init) } else { layer };
    let mut network = Network::with_inputs(layer, inputs).unwrap();
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for seed in 0..4000_usize.div_ceil(outputs * inputs) as u64 {
        network = network.with_seed(seed);
        weights.extend(network.param("weight").unwrap().iter());
        biases.extend(network.param("bias").unwrap().iter());
    }
    (weights, biases)
}

/// The largest of n uniform numbers is below 99 % of the bound with probability 0.99ⁿ: 3e-18 for
/// n = 4,000.
#[track_caller]
fn assert_bound(what: &str, draws: &[f64], bound: f64, share: f64) {
    let largest = draws.iter().fold(0.0, |max: f64, draw| max.max(draw.abs()));
    assert!(largest <= bound * (1.0 + 1e-15), "{what}: {largest} > {bound}");
    assert!(largest >= share * bound, "{what}: {largest}, far below {bound}");
}

/// The gain of a nonlinearity in PyTorch's table.
fn gain(file: &Value, case: &Value) -> f64 {
    let row = file["gains"].as_array().unwrap().iter().find(|row| {
        row["nonlinearity"] == case["nonlinearity"]
            && (case["a"].is_null() || row["negative_slope"] == case["a"])
    });
    number(&row.expect("a gain")["gain"])
}

#[test]
fn initialisations_have_the_scale_of_torch() {
    let file = load("init");
    let mut compared = 0;
    for case in cases(&file) {
        let (name, shape) = (format!("{case}"), &case["shape"]);
        let init = match text(&case["init"]) {
            "linear_default" => {
                let (weights, biases) = draws(shape, None);
                assert_bound(&name, &weights, number(&case["weight_bound"]), 0.99);
                // A shape with many inputs has few biases.
                assert_bound(&name, &biases, number(&case["bias_bound"]), 0.9);
                compared += 1;
                continue;
            }
            "xavier_uniform" => Init::xavier_uniform().gain(number(&case["gain"])),
            "xavier_normal" => Init::xavier_normal().gain(number(&case["gain"])),
            // geartrain has no fan_out mode.
            _ if case["mode"] == "fan_out" => continue,
            "kaiming_uniform" if case["nonlinearity"] == "relu" => Init::he_uniform(),
            "kaiming_normal" if case["nonlinearity"] == "relu" => Init::he_normal(),
            "kaiming_uniform" => Init::lecun_uniform().gain(gain(&file, case)),
            "kaiming_normal" => Init::lecun_normal().gain(gain(&file, case)),
            other => panic!("no initialisation is called {other}"),
        };
        let (weights, _) = draws(shape, Some(init));
        if case["bound"].is_null() {
            // The same seed draws the same standard normal numbers, so the ratio is the standard
            // deviation.
            let (standard, _) = draws(shape, Some(Init::normal(1.0)));
            let std = number(&case["std"]);
            for (weight, standard) in weights.iter().zip(standard) {
                assert!((weight - std * standard).abs() <= 1e-14 * std * standard.abs(), "{name}");
            }
        } else {
            assert_bound(&name, &weights, number(&case["bound"]), 0.99);
        }
        compared += 1;
    }
    assert_eq!(compared, 5 + 5 * 2 * (2 + 4));
}
