//! A model that was trained and saved in PyTorch predicts the same here.
//! `tests/fixtures/make_torch_model.py` made it.

use geartrain::io::Loader;
use geartrain::layers::*;
use geartrain::prelude::*;
use ndarray::Array2;
use serde_json::Value;

const WEIGHTS: &str = "tests/fixtures/torch_model.safetensors";

fn layers<F: Scalar>() -> Sequential<F> {
    let body = Sequential::new()
        .then(LayerNorm::new(8))
        .then(Linear::new(8, 8).without_bias())
        .then(GELU)
        .then(Dropout::new(0.1));
    Sequential::new()
        .then(Linear::new(3, 8))
        .then(BatchNorm::new(8))
        .then(Tanh)
        .then(Residual::new(body).scale(0.5))
        .then(Linear::new(8, 2))
}

fn matrix<F: Scalar>(name: &str) -> Array2<F> {
    let text = std::fs::read_to_string("tests/fixtures/torch_model.json").unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let rows = file[name].as_array().unwrap();
    let columns = rows[0].as_array().unwrap().len();
    Array2::from_shape_fn((rows.len(), columns), |(r, c)| F::of(rows[r][c].as_f64().unwrap()))
}

fn worst_difference<F: Scalar>(network: &Network<F>, expected: &str) -> f64 {
    let difference = network.predict(&matrix("x")).unwrap() - matrix::<F>(expected);
    difference.iter().fold(0.0, |worst, d| d.as_f64().abs().max(worst))
}

#[test]
fn a_model_of_pytorch_predicts_the_same_in_f32() {
    let mut network = Network::<f32>::new(layers()).unwrap();
    assert!(worst_difference(&network, "y32") > 0.1, "before it has its weights");
    network.load_weights(WEIGHTS).unwrap();
    let difference = worst_difference(&network, "y32");
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn a_model_of_pytorch_predicts_the_same_in_f64() {
    let mut network = Network::<f64>::new(layers()).unwrap();
    let refused = network.load_weights(WEIGHTS).unwrap_err().to_string();
    assert!(refused.contains("`0.weight` should be F64, is F32"), "{refused}");
    Loader::new().convert().weights(WEIGHTS, &mut network).unwrap();
    let difference = worst_difference(&network, "y64");
    assert!(difference < 1e-12, "{difference}");
}

#[test]
fn a_file_of_pytorch_does_not_know_its_layers() {
    let error = Network::<f32>::load(WEIGHTS).unwrap_err().to_string();
    assert!(error.ends_with("build the network and use `load_weights`"), "{error}");
}
