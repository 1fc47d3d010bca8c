//! `normalization.json`: LayerNorm, and BatchNorm with its running statistics over three steps and
//! in evaluation.
//! `rms_norm.json`: RMSNorm.

use geartrain::layers::*;
use geartrain::network::{Pass, Workspace};
use geartrain::prelude::*;
use ndarray::Array2;
use serde_json::Value;

use crate::fixture::*;

/// PyTorch rounds as well: with ε = 1e-5 its x̂ of a constant is up to 1e-13 instead of 0.
const TOLERANCE: f64 = 1e-12;

fn network(layer: impl Layer<f64> + 'static, case: &Value) -> Network<f64> {
    let mut network = Network::with_inputs(layer, count(&case["features"])).unwrap();
    network.set_param("weight", &numbers(&case["gamma"])).unwrap();
    network.set_param("bias", &numbers(&case["beta"])).unwrap();
    network
}

fn assert_pass(name: &str, network: &Network<f64>, pass: &Pass<f64>, expected: &Value) {
    assert_close(&format!("{name}: y"), &pass.output, &expected["y"], TOLERANCE, 1.0);
    assert_close(&format!("{name}: dx"), &pass.grad_input, &expected["dx"], TOLERANCE, 1.0);
    let grads: Vec<_> = network.named(&pass.grads).collect();
    assert_eq!((grads[0].0, grads[1].0), ("weight", "bias"));
    assert_close(&format!("{name}: dgamma"), &grads[0].1, &expected["dgamma"], TOLERANCE, 1.0);
    assert_close(&format!("{name}: dbeta"), &grads[1].1, &expected["dbeta"], TOLERANCE, 1.0);
}

fn of_type(kind: &str, check: impl Fn(&str, &Value)) {
    let file = load("normalization");
    let cases: Vec<&Value> = cases(&file).iter().filter(|case| case["type"] == kind).collect();
    assert!(cases.len() > 3, "{kind}");
    cases.iter().for_each(|case| check(text(&case["name"]), case));
}

#[test]
fn layer_norm_is_that_of_torch() {
    of_type("layer_norm", |name, case| {
        let layer = LayerNorm::new(count(&case["features"])).eps(number(&case["eps"]));
        let network = network(layer, case);
        let (x, dy) = (matrix(&case["x"]), matrix(&case["dy"]));
        let pass = network.loss_and_gradients(&Dot, &x, &dy).unwrap();
        assert_pass(name, &network, &pass, case);
        assert_eq!(network.predict(&x).unwrap(), pass.output);
    });
}

#[test]
fn batch_norm_is_that_of_torch() {
    of_type("batch_norm", |name, case| {
        let layer = BatchNorm::new(count(&case["features"])).eps(number(&case["eps"]));
        let mut network = network(layer.momentum(number(&case["momentum"])), case);
        let mut workspace = Workspace::new();
        for (i, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            let name = format!("{name}, step {i}");
            let (x, dy) = (matrix(&step["x"]), matrix(&step["dy"]));
            let pass = network.loss_and_gradients(&Dot, &x, &dy).unwrap();
            assert_pass(&name, &network, &pass, step);

            let mut dx = Array2::zeros(x.dim());
            network.gradients(&Dot, &x, &dy, &mut workspace, Some(dx.view_mut())).unwrap();
            network.update_running_stats(&mut workspace).unwrap();
            for statistic in ["running_mean", "running_var"] {
                let got = network.param(statistic).unwrap();
                assert_close(&format!("{name}: {statistic}"), &got, &step[statistic], TOLERANCE, 0.0);
            }
        }
        let y = network.predict(&matrix(&case["eval"]["x"])).unwrap();
        assert_close(&format!("{name}: eval"), &y, &case["eval"]["y"], TOLERANCE, 0.0);
    });
}

fn assert_rms_norm(name: &str, case: &Value, tolerance: f64) {
    let layer = RMSNorm::new(count(&case["features"])).eps(case["eps"].as_f64());
    let mut network = Network::new(layer).unwrap();
    network.set_param("weight", &numbers(&case["gamma"])).unwrap();
    let (x, dy) = (matrix(&case["x"]), matrix(&case["dy"]));
    let pass = network.loss_and_gradients(&Dot, &x, &dy).unwrap();
    assert_close(&format!("{name}: y"), &pass.output, &case["y"], tolerance, 0.0);
    assert_close(&format!("{name}: dgamma"), &pass.grads, &case["dgamma"], 10.0 * tolerance, 0.0);
    // In a row of one number all terms of dx cancel but ε / (x² + ε).
    assert_close(&format!("{name}: dx"), &pass.grad_input, &case["dx"], 10.0 * tolerance, 1.0);
    assert_eq!(network.predict(&x).unwrap(), pass.output);
}

#[test]
fn rms_norm_is_that_of_torch() {
    of_type("rms_norm", |name, case| assert_rms_norm(name, case, 1e-14));
}

#[test]
fn rms_norm_is_its_definition() {
    let file = load("rms_norm");
    cases(&file).iter().for_each(|case| assert_rms_norm(text(&case["name"]), case, 1e-15));
}

#[test]
fn defaults_are_those_of_torch() {
    let default = |name: &str| {
        let file = load("normalization");
        cases(&file).iter().find(|case| case["name"] == name).expect(name).clone()
    };
    let layer = default("layer_norm");
    assert_eq!(LayerNorm::new(5), LayerNorm::new(5).eps(number(&layer["eps"])));
    let batch = default("batch_norm_2_rows");
    let explicit = BatchNorm::new(3).eps(number(&batch["eps"])).momentum(number(&batch["momentum"]));
    assert_eq!(BatchNorm::new(3), explicit);
}
