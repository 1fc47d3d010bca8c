//! Optimizers, step by step.

use geartrain::optim::{Adam, AdamW, Clip, Optimizer, RMSprop, Sgd};
use geartrain::params::{Layout, ParamSpec, ParamsMut};
use geartrain::prelude::*;
use serde_json::Value;

use super::assert_expected;
use crate::fixture::*;

fn layout(len: usize) -> Layout {
    Layout::new::<f64>(vec![ParamSpec::new("p", &[len], Init::constant(0.0))]).unwrap()
}

fn step(optimizer: &mut dyn Optimizer<f64>, params: &mut [f64], grads: &[f64]) {
    let layout = layout(params.len());
    optimizer.step(ParamsMut { values: params, layout: &layout }, grads).unwrap();
}

pub fn replay(case: &Value) {
    match text(&case["op"]) {
        "sgd" => sgd(case),
        "adam_keras" => adam_keras(case),
        "decoupled_decay_zero_grad" => decoupled_decay(case),
        "adam_torch" if text(&case["id"]) == "burn-adam-amsgrad-50" => adam_sum(case),
        "adam_torch" => adam_torch(case),
        "rmsprop_dfdx" => rmsprop(case),
        "clip_norm" => clip(case),
        "sgd_quadratic" => quadratic(case),
        "linreg_adamw" => linear_regression(case),
        other => panic!("no optimizer is called {other}"),
    }
}

fn of(case: &Value, name: &str) -> f64 {
    number(&case["hyper"][name])
}

/// The gradients of every step.
fn given_gradients(case: &Value) -> Vec<Vec<f64>> {
    let grads: Vec<_> = case["inputs"]["grads"].as_array().unwrap().iter().map(numbers).collect();
    assert_eq!(grads.len(), steps(case));
    grads
}

fn steps(case: &Value) -> usize {
    case["expected"]["param_after"].as_array().unwrap().len()
}

fn sgd(case: &Value) {
    let mut params = numbers(&case["inputs"]["param0"]);
    let decoupled = case["hyper"]["decay"] == "decoupled";
    let decay = of(case, "weight_decay");
    let mut sgd = Sgd::new(of(case, "lr")).momentum(of(case, "momentum"));
    if !decoupled {
        sgd = sgd.weight_decay(decay);
    }
    let mut after = Vec::new();
    for grads in given_gradients(case) {
        if decoupled {
            // SGD has no decoupled decay, so the weights are multiplied before the step.
            params.iter_mut().for_each(|p| *p *= 1.0 - of(case, "lr") * decay);
        }
        step(&mut sgd, &mut params, &grads);
        after.extend(&params);
    }
    assert_expected(case, "param_after", &after);
}

/// Keras adds ε before it divides √v by √(1 − β₂ᵗ), so PyTorch's ε is `ε / √(1 − β₂ᵗ)`, which
/// differs from step to step.
fn adam_keras(case: &Value) {
    let mut params = numbers(&case["inputs"]["param0"]);
    let (beta1, beta2) = (of(case, "beta1"), of(case, "beta2"));
    let adam = AdamW::new(of(case, "lr")).betas(beta1, beta2).weight_decay(of(case, "weight_decay"));
    let (mut adam, mut after) = (adam.amsgrad(case["hyper"]["amsgrad"] == true), Vec::new());
    for (i, grads) in given_gradients(case).iter().enumerate() {
        adam = adam.eps(of(case, "eps") / (1.0 - beta2.powi(i as i32 + 1)).sqrt());
        step(&mut adam, &mut params, grads);
        after.extend(&params);
    }
    assert_expected(case, "param_after", &after);
}

fn decoupled_decay(case: &Value) {
    let mut params = [number(&case["inputs"]["param0"])];
    for _ in 0..count(&case["hyper"]["steps"]) {
        let mut adam = AdamW::new(of(case, "lr")).weight_decay(of(case, "weight_decay"));
        step(&mut adam, &mut params, &[number(&case["inputs"]["grad"])]);
    }
    assert_expected(case, "param", &params);
}

/// Adam or AdamW with the case's hyper-parameters.
fn adam(case: &Value) -> Box<dyn Optimizer<f64>> {
    let (rate, beta1, beta2) = (of(case, "lr"), of(case, "beta1"), of(case, "beta2"));
    let (eps, decay) = (of(case, "eps"), of(case, "weight_decay"));
    let amsgrad = case["hyper"]["amsgrad"] == true;
    if case["hyper"]["decay"] == "decoupled" {
        Box::new(AdamW::new(rate).betas(beta1, beta2).eps(eps).weight_decay(decay).amsgrad(amsgrad))
    } else {
        Box::new(Adam::new(rate).betas(beta1, beta2).eps(eps).weight_decay(decay).amsgrad(amsgrad))
    }
}

fn adam_torch(case: &Value) {
    let inputs = &case["inputs"];
    let mut params = numbers(&inputs["param0"]);
    let (mut adam, mut after) = (adam(case), Vec::new());
    for _ in 0..steps(case) {
        let grads: Vec<f64> = match text(&inputs["grad_rule"]) {
            "mean_sq_rate: g = 2*rate^2*p/5" => {
                params.iter().zip(numbers(&inputs["rate"])).map(|(p, r)| 2.0 * r * r * p / 5.0).collect()
            }
            "mean_sq_exp: g = 2*exp(2p)/5" => params.iter().map(|p| 2.0 * (2.0 * p).exp() / 5.0).collect(),
            other => panic!("no gradient is called {other}"),
        };
        step(&mut adam, &mut params, &grads);
        after.extend(&params);
    }
    assert_expected(case, "param_after", &after);
}

/// A linear layer whose loss is the sum of its outputs.
fn adam_sum(case: &Value) {
    let inputs = &case["inputs"];
    let w0 = matrix(&inputs["w0"]);
    assert_eq!(inputs["weight_layout"], "in_out");
    assert_eq!(inputs["x_rule"], "step i=1..50: x = ones(2,6)*(0.1*i)");
    let mut network = Network::new(Linear::new(w0.nrows(), w0.ncols())).unwrap();
    network.param_mut("weight").unwrap().assign(&w0.t());
    network.set_param("bias", &numbers(&inputs["b0"])).unwrap();
    let mut adam = adam(case);
    let ones = ndarray::Array2::ones((2, w0.ncols()));
    for i in 1..=50 {
        let x = ndarray::Array2::from_elem((2, w0.nrows()), 0.1 * f64::from(i));
        let pass = network.loss_and_gradients(&Dot, &x, &ones).unwrap();
        adam.step(network.params_mut(), &pass.grads).unwrap();
    }
    assert_expected(case, "w", network.param("weight").unwrap().t().iter());
    assert_expected(case, "b", network.param("bias").unwrap());
}

/// dfdx starts v at 1 and divides by √(v + ε). With PyTorch's v, which starts at 0, that is
/// `√(v + αᵗ + ε) = √v + ε′`, with another ε′ for each step and parameter.
fn rmsprop(case: &Value) {
    let (alpha, eps, decay) = (of(case, "alpha"), of(case, "eps"), of(case, "weight_decay"));
    let decoupled = case["hyper"]["decay"] == "decoupled";
    let columns = numbers(&case["inputs"]["param0"]).into_iter().zip(numbers(&case["inputs"]["rate"]));
    let columns: Vec<Vec<f64>> = columns
        .map(|(start, rate)| {
            let mut rmsprop = RMSprop::new(of(case, "lr")).alpha(alpha).momentum(of(case, "momentum"));
            rmsprop = rmsprop.weight_decay(if decoupled { 0.0 } else { decay });
            let (mut params, mut v) = ([start], 0.0);
            let one_step = |t| {
                let grad = 2.0 * rate * rate * params[0];
                let decayed = if decoupled { grad } else { grad + decay * params[0] };
                v = alpha * v + (1.0 - alpha) * decayed * decayed;
                let missing = (v + alpha.powi(t) + eps).sqrt() - v.sqrt();
                rmsprop = rmsprop.clone().eps(missing);
                if decoupled {
                    params[0] *= 1.0 - of(case, "lr") * decay;
                }
                step(&mut rmsprop, &mut params, &[grad]);
                params[0]
            };
            (1..=steps(case) as i32).map(one_step).collect()
        })
        .collect();
    let after: Vec<f64> = (0..steps(case)).flat_map(|t| columns.iter().map(move |c| c[t])).collect();
    assert_expected(case, "param_after", &after);
}

fn clip(case: &Value) {
    let mut grads = numbers(&case["inputs"]["grad"]);
    let layout = layout(grads.len());
    Clip::GlobalNorm(of(case, "max_norm")).apply(&layout, &mut grads).unwrap();
    assert_expected(case, "clipped", &grads);
}

fn quadratic(case: &Value) {
    let (mut x, target) = ([number(&case["inputs"]["x0"])], number(&case["inputs"]["target"]));
    let mut sgd = Sgd::new(of(case, "lr"));
    for _ in 0..count(&case["hyper"]["steps"]) {
        let gradient = 2.0 * (x[0] - target);
        step(&mut sgd, &mut x, &[gradient]);
    }
    assert_expected(case, "x", &x);
}

fn linear_regression(case: &Value) {
    let (x, y) = (matrix(&case["inputs"]["x"]), matrix(&case["inputs"]["y"]));
    let mut network = Network::new(Linear::new(2, 1)).unwrap();
    network.params_mut().fill(0.0);
    let adam = AdamW::new(of(case, "lr")).betas(of(case, "beta1"), of(case, "beta2"));
    let mut adam = adam.eps(of(case, "eps")).weight_decay(of(case, "weight_decay"));
    for _ in 0..count(&case["hyper"]["steps"]) {
        let mut pass = network.loss_and_gradients(&MeanSquaredError, &x, &y).unwrap();
        // The peer's loss is the sum of the squares, not their mean.
        pass.grads.iter_mut().for_each(|g| *g *= y.len() as f64);
        adam.step(network.params_mut(), &pass.grads).unwrap();
    }
    assert_expected(case, "w", network.param("weight").unwrap());
    assert_expected(case, "b", network.param("bias").unwrap());
}
