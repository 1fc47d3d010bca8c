//! ONNX export: what is refused. That the models are right is proven by `tests/interop/run.sh`.

#![cfg(feature = "onnx")]

use std::fs;

use geartrain::error::LayerProblem;
use geartrain::layer::{Backward, Forward};
use geartrain::prelude::*;

/// A layer of a user's own: y = 2x.
#[derive(Debug)]
struct Double;

impl<F: Scalar> Layer<F> for Double {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        Ok(inputs)
    }
    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        y.assign(&x.mapv(|x| x + x));
    }
    fn backward(&self, Backward { dy, dx, .. }: Backward<'_, F>) {
        dx.into_iter().for_each(|mut dx| dx.assign(&dy.mapv(|dy| dy + dy)));
    }
}

#[test]
fn a_layer_without_an_onnx_operator_is_named_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let body = Sequential::new().then(Linear::new(3, 3)).then(Double);
    let layers = Sequential::<f32>::new().then(Tanh).then(Residual::new(body));
    let model = Predictor::new(Network::with_inputs(layers, 3).unwrap());
    let error = model.export_onnx(&path).unwrap_err().to_string();
    assert_eq!(error, format!("{}: layer 1.body.1 (Double) cannot be written as ONNX", path.display()));
    let root = Predictor::new(Network::<f64>::with_inputs(Double, 3).unwrap())
        .export_onnx(&path)
        .unwrap_err()
        .to_string();
    assert!(root.ends_with("layer at the root (Double) cannot be written as ONNX"), "{root}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn weights_that_f32_cannot_hold_are_refused() {
    let mut network = Network::<f64>::new(Sequential::new().then(Linear::new(1, 2))).unwrap();
    network.set_param("0.weight", &[0.0, -1e39]).unwrap();
    let error = Predictor::new(network).to_onnx().unwrap_err().to_string();
    assert!(error.starts_with("`0.weight` at [1, 0] is -1000000000000000000"), "{error}");
}
