//! `peer_cases.json`: numbers from the tests of Keras, Burn, candle and dfdx. If a peer differs
//! from PyTorch, the case says so (`convention`), and the test converts explicitly.

mod layers;
mod losses;
mod optimizers;
mod schedules;

use serde_json::Value;

use crate::fixture::*;

#[test]
fn every_case_of_the_peers_is_met() {
    let file = load("peer_cases");
    assert_eq!(cases(&file).len(), 51);
    for case in cases(&file) {
        match text(&case["topic"]) {
            "optimizer" | "weight_decay" | "end_to_end" | "clip" => optimizers::replay(case),
            "lr_schedule" => schedules::replay(case),
            "loss" => losses::replay(case),
            "activation" | "layer_norm" | "batch_norm" | "layer" => layers::replay(case),
            other => panic!("no topic is called {other}"),
        }
    }
}

/// Compares with the tensor `expected[name]` of a case, at the case's tolerance.
#[track_caller]
fn assert_expected<'a>(case: &Value, name: &str, got: impl IntoIterator<Item = &'a f64>) {
    let tolerance = &case["tol"];
    let of = |name: &str| number(&tolerance[name]);
    let allowed = |expected: f64| match text(&tolerance["kind"]) {
        "abs_rel" => of("abs") + of("rel") * expected.abs(),
        "decimal" => 1.5 * 10_f64.powf(-of("decimals")),
        "round" => 0.5 * 10_f64.powf(-of("decimals")) + 1e-12,
        other => panic!("no tolerance is called {other}"),
    };
    let expected = numbers(&case["expected"][name]);
    let got: Vec<f64> = got.into_iter().copied().collect();
    let id = text(&case["id"]);
    assert_eq!(got.len(), expected.len(), "{id}: {name}");
    // An f64 formula also agrees in every digit that the peer wrote down, up to 1e-6 for its f32.
    // Exceptions: one number for ten parameters, and inputs that were rounded.
    let rounded = ["keras-adam-golden-5", "burn-batchnorm-eval", "candle-batchnorm-train"].contains(&id);
    for (i, (got, expected)) in got.into_iter().zip(expected).enumerate() {
        let digits =
            if rounded { f64::INFINITY } else { written(expected).max(1e-6 * (1.0 + expected.abs())) };
        let close = (got - expected).abs() <= allowed(expected).min(digits);
        assert!(close, "{id}: {name}, entry {i}: expected {expected}, got {got}");
    }
}

/// One unit of the last digit of a number as it is written.
fn written(number: f64) -> f64 {
    let text = number.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    10_f64.powi(-(decimals as i32))
}
