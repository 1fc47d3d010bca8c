//! Helpers to read the fixtures and to compare with them.

use geartrain::layers::*;
use geartrain::prelude::*;
use ndarray::{Array2, ArrayRef2};
use serde_json::Value;

/// One of the files of `tests/fixtures`.
pub fn load(file: &str) -> Value {
    let path = format!("{}/tests/fixtures/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cases of a file, at least one.
pub fn cases(file: &Value) -> &[Value] {
    let cases = file["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    cases
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

pub fn count(value: &Value) -> usize {
    value.as_u64().unwrap_or_else(|| panic!("a count, not {value}")) as usize
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}"))
}

/// All numbers of nested lists, row by row.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(rows) => rows.iter().flat_map(numbers).collect(),
        value => vec![number(value)],
    }
}

/// A list of rows.
pub fn matrix(rows: &Value) -> Array2<f64> {
    let values = numbers(rows);
    let rows = rows.as_array().expect("rows").len();
    Array2::from_shape_vec((rows, values.len() / rows), values).expect("rows of equal length")
}

/// Asserts that `got` and `expected` differ by at most `tolerance` times the largest magnitude in
/// `expected`, or times `floor` if that is larger.
#[track_caller]
pub fn assert_close<'a>(
    what: &str,
    got: impl IntoIterator<Item = &'a f64>,
    expected: &Value,
    tolerance: f64,
    floor: f64,
) {
    let got: Vec<f64> = got.into_iter().copied().collect();
    let expected = numbers(expected);
    assert_eq!(got.len(), expected.len(), "{what}: number of entries");
    let largest = expected.iter().fold(floor, |max, e| max.max(e.abs()));
    for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
        // In this form, NaN fails.
        let close = (got - expected).abs() <= tolerance * largest;
        assert!(close, "{what}, entry {i}: expected {expected:e}, got {got:e}, largest {largest:e}");
    }
}

/// The layers that an architecture of the fixtures describes.
pub fn build(architecture: &Value) -> Sequential<f64> {
    let layers = architecture.as_array().expect("a list of layers");
    layers.iter().fold(Sequential::new(), |layers, layer| match text(&layer["type"]) {
        "linear" => {
            let linear = Linear::new(count(&layer["in"]), count(&layer["out"]));
            let bias = layer["bias"].as_bool().expect("bias");
            layers.then(if bias { linear } else { linear.without_bias() })
        }
        "residual" => layers.then(Residual::new(build(&layer["body"])).scale(number(&layer["scale"]))),
        "sigmoid" => layers.then(Sigmoid),
        "relu" => layers.then(ReLU),
        "tanh" => layers.then(Tanh),
        other => panic!("no layer is called {other}"),
    })
}

/// Sets every parameter of `network` from a state dict, which must name them all.
pub fn set_params(network: &mut Network<f64>, state: &Value) {
    let state = state.as_object().expect("a state dict");
    assert_eq!(state.len(), network.layout().iter().count(), "number of parameters");
    for (name, tensor) in state {
        network.set_param(name, &numbers(tensor)).unwrap();
    }
}

/// `Σ output · target`. Its gradient with respect to the output is the target, so any `dy` can be
/// propagated.
#[derive(Debug)]
pub struct Dot;

impl Loss<f64> for Dot {
    fn value(&self, output: &ArrayRef2<f64>, target: &ArrayRef2<f64>) -> f64 {
        (output * target).sum()
    }

    fn gradient(
        &self,
        output: &ArrayRef2<f64>,
        target: &ArrayRef2<f64>,
        doutput: &mut ArrayRef2<f64>,
    ) -> f64 {
        doutput.assign(target);
        self.value(output, target)
    }
}
