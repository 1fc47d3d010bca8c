//! `formulas.json`: losses, optimizers and schedules derived again from their documented formulas.

use geartrain::loss::*;
use geartrain::optim::schedule::*;
use geartrain::optim::{Adam, AdamW, Optimizer, ParamGroup, RMSprop, Sgd};
use geartrain::prelude::*;
use ndarray::Array2;
use serde_json::Value;

use crate::fixture::*;

fn loss(case: &Value) -> Box<dyn Loss<f64>> {
    match text(&case["loss"]) {
        "smooth_l1" => Box::new(SmoothL1::new(number(&case["beta"]))),
        "quantile" => Box::new(Quantile::new(number(&case["quantile"]))),
        "poisson" => Box::new(Poisson),
        "cross_entropy" => {
            let loss = CrossEntropy.label_smoothing(number(&case["label_smoothing"]));
            match &case["class_weights"] {
                Value::Null => Box::new(loss),
                weights => Box::new(loss.class_weights(numbers(weights))),
            }
        }
        other => panic!("no loss is called {other}"),
    }
}

#[test]
fn losses_and_their_gradients() {
    let file = load("formulas");
    let cases = file["losses"].as_array().unwrap();
    assert_eq!(cases.len(), 23);
    for case in cases {
        let (output, target, loss) = (matrix(&case["output"]), matrix(&case["target"]), loss(case));
        loss.check(&output, &target).unwrap();
        let mut gradient = Array2::from_elem(output.dim(), f64::NAN);
        let value = loss.gradient(&output, &target, &mut gradient);
        assert_eq!(value, loss.value(&output, &target), "{loss:?}");
        assert_close(&format!("{loss:?}: value"), &[value], &case["value"], 1e-14, 0.01);
        assert_close(&format!("{loss:?}: gradient"), &gradient, &case["gradient"], 1e-14, 0.01);
    }
}

fn optimizer(case: &Value) -> Box<dyn Optimizer<f64>> {
    let of = |name: &str| number(&case[name]);
    let (rate, decay) = (of("lr"), of("weight_decay"));
    let group = case.get("bias_factor").map(|factor| {
        ParamGroup::biases().learning_rate_factor(number(factor)).weight_decay(of("bias_decay"))
    });
    match text(&case["optimizer"]) {
        "adam" if case["decoupled"] == true => {
            let amsgrad = case["amsgrad"] == true;
            let adam = AdamW::new(rate).betas(0.9, 0.99).weight_decay(decay).amsgrad(amsgrad);
            Box::new(group.into_iter().fold(adam, AdamW::group))
        }
        "adam" => {
            let amsgrad = case["amsgrad"] == true;
            let adam = Adam::new(rate).betas(0.9, 0.99).weight_decay(decay).amsgrad(amsgrad);
            Box::new(group.into_iter().fold(adam, Adam::group))
        }
        "sgd" => {
            let sgd = Sgd::new(rate).momentum(0.9).weight_decay(decay);
            Box::new(group.into_iter().fold(sgd, Sgd::group))
        }
        "rmsprop" => {
            let rmsprop = RMSprop::new(rate).alpha(0.95).weight_decay(decay);
            Box::new(group.into_iter().fold(rmsprop, RMSprop::group))
        }
        other => panic!("no optimizer is called {other}"),
    }
}

#[test]
fn amsgrad_and_parameter_groups() {
    let file = load("formulas");
    let file = &file["optimizers"];
    for case in cases(file) {
        let mut network = Network::new(Linear::new(2, 2)).unwrap();
        network.params_mut().copy_from_slice(&numbers(&file["params"]));
        let mut optimizer = optimizer(case);
        let steps = file["grads"].as_array().unwrap().iter().zip(case["after"].as_array().unwrap());
        for (i, (grads, after)) in steps.enumerate() {
            optimizer.step(network.params_mut(), &numbers(grads)).unwrap();
            assert_close(&format!("{optimizer:?}, step {i}"), network.params(), after, 1e-13, 0.0);
        }
    }
}

#[test]
fn polynomial_and_exponential_decay() {
    let file = load("formulas");
    let file = &file["schedules"];
    let (base, times) = (number(&file["base"]), numbers(&file["times"]));
    for case in cases(file) {
        let of = |name: &str| number(&case[name]);
        let schedule: Box<dyn Schedule> = match text(&case["schedule"]) {
            "polynomial" => {
                let polynomial = Polynomial::new(of("length") as u64).power(of("power"));
                Box::new(polynomial.end_rate(of("end")).cycle(case["cycle"] == true))
            }
            "exponential" if case["staircase"] == true => {
                Box::new(Step::new(of("length") as u64, of("rate")))
            }
            "exponential" => Box::new(Exponential::new(of("rate")).every(of("length"))),
            other => panic!("no schedule is called {other}"),
        };
        schedule.check().unwrap();
        let rates: Vec<f64> = times.iter().map(|&t| schedule.rate(base, t as u64, &[])).collect();
        assert_close(&format!("{schedule:?}"), &rates, &case["rates"], 1e-14, 0.0);
    }
}
