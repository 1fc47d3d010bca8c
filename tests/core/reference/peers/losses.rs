//! Losses, and their gradients if the peer tests them.

use geartrain::loss::*;
use ndarray::{Array2, Axis};
use serde_json::Value;

use super::assert_expected;
use crate::fixture::*;

/// Rows of outputs; a plain list is one column.
fn rows(value: &Value) -> Array2<f64> {
    match value[0] {
        Value::Array(_) => matrix(value),
        _ => ndarray::Array1::from(numbers(value)).insert_axis(Axis(1)),
    }
}

pub fn replay(case: &Value) {
    let inputs = &case["inputs"];
    let output = if inputs["logits"].is_null() { &inputs["y_pred"] } else { &inputs["logits"] };
    let (output, target) = (rows(output), rows(&inputs["y_true"]));
    let weights = inputs.get("weight").map_or(Vec::new(), numbers);
    let loss: Box<dyn Loss<f64>> = match text(&case["op"]) {
        "mse_weighted" => Box::new(Weighted::new(&MeanSquaredError, &weights)),
        "bce_logits" => Box::new(BinaryCrossEntropyWithLogits),
        "huber" => Box::new(Huber::new(number(&case["hyper"]["delta"]))),
        "mae" => Box::new(MeanAbsoluteError),
        other => panic!("no loss is called {other}"),
    };
    loss.check(&output, &target).unwrap();
    let mut gradient = Array2::zeros(output.dim());
    let value = loss.gradient(&output, &target, &mut gradient);
    assert_expected(case, "loss", &[value]);
    if !case["expected"]["grad"].is_null() {
        assert_expected(case, "grad", &gradient);
    }
}
