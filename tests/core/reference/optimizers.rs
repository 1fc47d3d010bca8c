//! `sgd.json` and `optimizers.json`: eight steps of every optimizer and variant, with and without
//! clipping.

use geartrain::network::Workspace;
use geartrain::optim::{Adam, AdamW, Clip, Optimizer, RMSprop, Sgd};
use geartrain::prelude::*;
use serde_json::Value;

use crate::fixture::*;

/// Sets every hyper-parameter from the file, which includes PyTorch's defaults.
fn optimizer(case: &Value) -> Box<dyn Optimizer<f64>> {
    let (hyper, rate) = (&case["hyper"], number(&case["lr"][0]));
    let on = |name: &str| hyper[name].as_bool().expect("a flag");
    let of = |name: &str| number(&hyper[name]);
    let betas = || [0, 1].map(|i| number(&hyper["betas"][i]));
    match text(&case["optimizer"]) {
        "SGD" => {
            let sgd = Sgd::new(rate).momentum(of("momentum")).dampening(of("dampening"));
            let sgd = sgd.weight_decay(of("weight_decay"));
            Box::new(sgd.nesterov(on("nesterov")))
        }
        "Adam" => {
            let [beta1, beta2] = betas();
            Box::new(Adam::new(rate).betas(beta1, beta2).eps(of("eps")).weight_decay(of("weight_decay")))
        }
        "AdamW" => {
            let [beta1, beta2] = betas();
            Box::new(AdamW::new(rate).betas(beta1, beta2).eps(of("eps")).weight_decay(of("weight_decay")))
        }
        "RMSprop" => {
            let rmsprop = RMSprop::new(rate).alpha(of("alpha")).eps(of("eps")).momentum(of("momentum"));
            let rmsprop = rmsprop.weight_decay(of("weight_decay"));
            Box::new(rmsprop.centered(on("centered")))
        }
        other => panic!("no optimizer is called {other}"),
    }
}

fn clip(case: &Value) -> Option<Clip> {
    let clip = case.get("clip")?;
    let limit = number(&clip["limit"]);
    Some(match text(&clip["kind"]) {
        "value" => Clip::Value(limit),
        "norm_of_each" => Clip::Norm(limit),
        "global_norm" => Clip::GlobalNorm(limit),
        other => panic!("no clipping is called {other}"),
    })
}

fn assert_tensors(what: &str, network: &Network<f64>, flat: &[f64], expected: &Value, tolerance: f64) {
    for (name, tensor) in network.named(flat) {
        assert_close(&format!("{what}, {name}"), &tensor, &expected[name], tolerance, 0.0);
    }
}

fn follow(file: &Value, case: &Value, tolerance: f64) {
    let (x, target) = (matrix(&file["x"]), matrix(&file["target"]));
    let mut network = Network::with_inputs(build(&file["architecture"]), x.ncols()).unwrap();
    set_params(&mut network, &file["start"]);
    let (mut optimizer, clip) = (optimizer(case), clip(case));
    let mut workspace = Workspace::new();
    let rates = numbers(&case["lr"]);
    assert_eq!(rates.len(), 8);
    for (i, rate) in rates.into_iter().enumerate() {
        let what = format!("{}, step {i}", text(&case["name"]));
        optimizer.set_learning_rate(rate);
        let loss = network.gradients(&MeanSquaredError, &x, &target, &mut workspace, None).unwrap();
        assert_close(&format!("{what}, loss"), &[loss], &case["losses"][i], tolerance, 0.0);
        assert_tensors(&what, &network, &workspace.grads, &case["gradients"][i], tolerance);
        if let Some(clip) = clip {
            let norm = clip.apply(network.layout(), &mut workspace.grads).unwrap();
            assert_close(&format!("{what}, norm"), &[norm], &case["norms"][i], tolerance, 0.0);
        }
        optimizer.step(network.params_mut(), &workspace.grads).unwrap();
        assert_tensors(&what, &network, network.params(), &case["params"][i], tolerance);
    }
}

#[test]
fn sgd_is_that_of_torch() {
    let file = load("sgd");
    cases(&file).iter().for_each(|case| follow(&file, case, 1e-10));
}

#[test]
fn the_other_optimizers_and_clipping_are_those_of_torch() {
    let file = load("optimizers");
    cases(&file).iter().for_each(|case| follow(&file, case, 1e-9));
}

#[test]
fn defaults_are_those_of_torch() {
    let file = load("optimizers");
    let default = |name: &str| cases(&file).iter().find(|case| case["name"] == name).expect(name);
    for (name, built) in [
        ("adam", format!("{:?}", Adam::<f64>::new(0.02))),
        ("adamw", format!("{:?}", AdamW::<f64>::new(0.02))),
        ("rmsprop", format!("{:?}", RMSprop::<f64>::new(0.01))),
    ] {
        assert_eq!(format!("{:?}", optimizer(default(name))), built);
    }
}
