//! `activations.json`: values and gradients of every activation.

use geartrain::layers::*;
use geartrain::prelude::*;
use serde_json::Value;

use crate::fixture::*;

fn activation(case: &Value) -> Sequential<f64> {
    let layers = Sequential::new();
    match text(&case["type"]) {
        "sigmoid" => layers.then(Sigmoid),
        "tanh" => layers.then(Tanh),
        "relu" => layers.then(ReLU),
        "leaky_relu" => layers.then(LeakyReLU::new(number(&case["negative_slope"]))),
        "elu" => layers.then(ELU::new(number(&case["alpha"]))),
        "selu" => layers.then(SELU),
        "gelu" if case["approximate"] == "none" => layers.then(GELU),
        "gelu" => layers.then(GELUTanh),
        "silu" => layers.then(SiLU),
        "softplus" => layers.then(Softplus),
        "softmax" => layers.then(Softmax),
        "identity" => layers.then(Identity),
        other => panic!("no activation is called {other}"),
    }
}

#[test]
fn activations_and_their_gradients_are_those_of_torch() {
    for case in cases(&load("activations")) {
        let name = text(&case["name"]);
        let (x, dy) = (matrix(&case["x"]), matrix(&case["dy"]));
        let network = Network::with_inputs(activation(case), x.ncols()).unwrap();
        let pass = network.loss_and_gradients(&Dot, &x, &dy).unwrap();
        // Entry by entry, because the numbers range from 1e-44 to 100; PyTorch rounds the smallest.
        for (got, expected) in [(&pass.output, &case["y"]), (&pass.grad_input, &case["dx"])] {
            let expected = numbers(expected);
            for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
                let tolerance = 1e-12 * expected.abs() + 3e-16;
                assert!((got - expected).abs() <= tolerance, "{name}, entry {i}: {expected:e}, got {got:e}");
            }
        }
    }
}

#[test]
fn defaults_are_those_of_torch() {
    for case in cases(&load("activations")) {
        let equal = match text(&case["name"]) {
            "leaky_relu" => LeakyReLU::default() == LeakyReLU::new(number(&case["negative_slope"])),
            "elu" => ELU::default() == ELU::new(number(&case["alpha"])),
            _ => true,
        };
        assert!(equal, "{}", case["name"]);
    }
}
