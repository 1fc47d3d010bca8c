//! `losses.json`: values and gradients of losses, including logits of ±1000.

use geartrain::loss::*;
use ndarray::{Array2, Axis};
use serde_json::Value;

use crate::fixture::*;

fn loss_of(case: &Value) -> Box<dyn Loss<f64>> {
    match text(&case["loss"]) {
        "mse" => Box::new(MeanSquaredError),
        "l1" => Box::new(MeanAbsoluteError),
        "huber" => Box::new(Huber::new(number(&case["delta"]))),
        "bce_with_logits" => Box::new(BinaryCrossEntropyWithLogits),
        "cross_entropy" => {
            let loss = CrossEntropy.label_smoothing(case["label_smoothing"].as_f64().unwrap_or(0.0));
            match case.get("weight") {
                None => Box::new(loss),
                Some(weights) => Box::new(loss.class_weights(numbers(weights))),
            }
        }
        "smooth_l1" => Box::new(SmoothL1::new(number(&case["beta"]))),
        "quantile" => Box::new(Quantile::new(number(&case["quantile"]))),
        "poisson" => Box::new(Poisson),
        other => panic!("no loss is called {other}"),
    }
}

/// PyTorch's list of class indices as a column.
fn target(case: &Value) -> Array2<f64> {
    match case["target"][0] {
        Value::Array(_) => matrix(&case["target"]),
        _ => ndarray::Array1::from(numbers(&case["target"])).insert_axis(Axis(1)),
    }
}

#[test]
fn losses_and_their_gradients_are_those_of_torch() {
    for case in cases(&load("losses")) {
        let name = text(&case["name"]);
        let (input, target, loss) = (matrix(&case["input"]), target(case), loss_of(case));
        loss.check(&input, &target).unwrap();
        let mut gradient = Array2::from_elem(input.dim(), f64::NAN);
        let value = loss.gradient(&input, &target, &mut gradient);
        assert_eq!(value, loss.value(&input, &target), "{name}");
        assert_close(&format!("{name}: value"), &[value], &case["value"], 1e-14, 0.01);
        assert_close(&format!("{name}: gradient"), &gradient, &case["gradient"], 1e-14, 0.01);
    }
}
