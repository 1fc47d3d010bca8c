//! Layers and activations.

use geartrain::layers::*;
use geartrain::network::Workspace;
use geartrain::prelude::*;
use ndarray::Array2;
use serde_json::Value;

use super::assert_expected;
use crate::fixture::*;

/// One row, or several.
fn rows(x: &Value) -> Array2<f64> {
    match x[0] {
        Value::Array(_) => matrix(x),
        _ => Array2::from_shape_vec((1, x.as_array().expect("numbers").len()), numbers(x)).unwrap(),
    }
}

/// The gradient of the next function with respect to y, without its factor 1 / n.
type Upstream = fn(f64) -> f64;

/// Compares the output, and the gradient of `mean(upstream(y))` with respect to x if the case has
/// one under `gradient`.
fn compare(case: &Value, network: &Network<f64>, gradient: Option<(&str, Upstream)>) {
    let x = rows(&case["inputs"]["x"]);
    let y = network.predict(&x).unwrap();
    assert_expected(case, "y", &y);
    if let Some((name, upstream)) = gradient {
        let dy = y.mapv(upstream) / y.len() as f64;
        let pass = network.loss_and_gradients(&Dot, &x, &dy).unwrap();
        assert_expected(case, name, &pass.grad_input);
    }
}

pub fn replay(case: &Value) {
    let (inputs, hyper) = (&case["inputs"], &case["hyper"]);
    let features = rows(&inputs["x"]).ncols();
    let activation = |layers| Network::with_inputs(layers, features).unwrap();
    let layers = Sequential::new();
    let one: Upstream = |_| 1.0;
    match text(&case["op"]) {
        // The gradient of mean(exp(y)) with respect to y is exp(y) / n.
        "act_relu" => compare(case, &activation(layers.then(ReLU)), Some(("grad", f64::exp))),
        "act_sigmoid" => compare(case, &activation(layers.then(Sigmoid)), Some(("grad", one))),
        "act_tanh" => compare(case, &activation(layers.then(Tanh)), Some(("grad", one))),
        // The peer's gradient is wrong, as the case says; other tests compare ours with PyTorch's
        // and with finite differences.
        "act_accurate_gelu" => compare(case, &activation(layers.then(GELU)), None),
        "softmax" => compare(case, &activation(layers.then(Softmax)), None),
        "layer_norm" => {
            let mut network = activation(layers.then(LayerNorm::new(features).eps(number(&hyper["eps"]))));
            for (name, peer) in [("0.weight", "gamma"), ("0.bias", "beta")] {
                if let Some(values) = inputs.get(peer) {
                    network.set_param(name, &numbers(values)).unwrap();
                }
            }
            let has_gradient = !case["expected"]["grad_mean_exp"].is_null();
            compare(case, &network, has_gradient.then_some(("grad_mean_exp", f64::exp)));
        }
        "batch_norm_eval" => compare(case, &trained_batch_norm(case).0, None),
        "batch_norm_train" => {
            let (network, y) = trained_batch_norm(case);
            assert_expected(case, "y", &y);
            assert_expected(case, "running_mean", network.param("running_mean").unwrap());
            assert_expected(case, "running_var", network.param("running_var").unwrap());
        }
        "linear" => {
            let w = matrix(&inputs["w"]);
            let mut network = activation(layers.then(Linear::new(w.nrows(), w.ncols())));
            network.param_mut("0.weight").unwrap().assign(&w.t());
            network.set_param("0.bias", &numbers(&inputs["b"])).unwrap();
            compare(case, &network, None);
        }
        other => panic!("no layer is called {other}"),
    }
}

/// A batch normalisation layer after one training batch, and its output.
fn trained_batch_norm(case: &Value) -> (Network<f64>, Array2<f64>) {
    let (x, hyper) = (matrix(&case["inputs"]["x"]), &case["hyper"]);
    let layer = BatchNorm::new(x.ncols()).eps(number(&hyper["eps"])).momentum(number(&hyper["momentum"]));
    let mut network = Network::new(layer).unwrap();
    let y = network.loss_and_gradients(&MeanSquaredError, &x, &x).unwrap().output;
    let mut workspace = Workspace::new();
    network.gradients(&MeanSquaredError, &x, &x, &mut workspace, None).unwrap();
    network.update_running_stats(&mut workspace).unwrap();
    (network, y)
}
