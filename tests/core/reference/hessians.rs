//! `hessians.json`: dense Hessians of small networks.

use geartrain::layers::*;
use geartrain::loss::{BinaryCrossEntropyWithLogits, Huber};
use geartrain::network::Workspace;
use geartrain::prelude::*;

use crate::fixture::*;

/// The layers and the loss that the script calls `name`.
fn build(name: &str) -> (Sequential<f64>, Box<dyn Loss<f64>>) {
    let first = |inputs, outputs| Sequential::new().then(Linear::new(inputs, outputs));
    match name {
        "layer_norm" => {
            let layers = first(3, 4).then(Tanh).then(LayerNorm::new(4)).then(Linear::new(4, 2));
            (layers, Box::new(MeanSquaredError))
        }
        "batch_norm" => {
            let layers = first(2, 3).then(GELU).then(BatchNorm::new(3)).then(Linear::new(3, 3));
            (layers, Box::new(CrossEntropy.label_smoothing(0.1)))
        }
        "residual" => {
            let body = Sequential::new().then(Linear::new(4, 4)).then(SiLU);
            let layers = first(2, 4).then(Sigmoid).then(Residual::new(body).scale(0.7));
            let layers = layers.then(RMSNorm::new(4).eps(1e-3)).then(Softplus).then(Linear::new(4, 1));
            (layers, Box::new(BinaryCrossEntropyWithLogits))
        }
        "softmax" => (first(2, 3).then(ELU::new(0.5)).then(Softmax), Box::new(Huber::new(0.3))),
        other => panic!("no network is called {other}"),
    }
}

#[test]
fn hessians_are_those_of_torch() {
    for case in cases(&load("hessians")) {
        let name = text(&case["name"]);
        let (layers, loss) = build(name);
        let mut network = Network::new(layers).unwrap();
        network.params_mut().copy_from_slice(&numbers(&case["params"]));
        let (x, target, count) = (matrix(&case["x"]), matrix(&case["target"]), network.params().len());
        let pass = network.loss_and_gradients(&loss, &x, &target).unwrap();
        assert_close(&format!("{name}: gradient"), &pass.grads, &case["gradient"], 1e-12, 0.0);
        let mut workspace = Workspace::new();
        for column in 0..count {
            let unit: Vec<f64> = (0..count).map(|i| f64::from(u8::from(i == column))).collect();
            let mut product = vec![f64::NAN; count];
            let value = network
                .hessian_vector_product(&loss, &x, &target, &unit, &mut workspace, &mut product)
                .unwrap();
            assert_eq!(value, pass.loss);
            // the Hessian is symmetric: its rows are its columns
            let expected = &case["hessian"][column];
            assert_close(&format!("{name}: column {column}"), &product, expected, 1e-9, 1e-1);
        }
    }
}
