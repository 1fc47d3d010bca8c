//! `sgd.json` and `optimizers.json`: eight steps of every optimizer and variant, with and without
//! clipping and groups of parameters. `averages.json`: moving averages of the weights.

use geartrain::data::Dataset;
use geartrain::network::Workspace;
use geartrain::optim::{Adam, AdamW, Clip, Optimizer, ParamGroup, RMSprop, Sgd};
use geartrain::prelude::*;
use serde_json::Value;

use crate::fixture::*;

/// Sets every hyper-parameter from the file, which includes PyTorch's defaults.
fn optimizer(case: &Value) -> Box<dyn Optimizer<f64>> {
    let (hyper, rate) = (&case["hyper"], number(&case["lr"][0]));
    let on = |name: &str| hyper[name].as_bool().expect("a flag");
    let of = |name: &str| number(&hyper[name]);
    let betas = || [0, 1].map(|i| number(&hyper["betas"][i]));
    let groups = case.get("groups").map_or(&[][..], |groups| groups.as_array().unwrap());
    let groups = groups.iter().map(|group| {
        let name = text(&group["ends_with"]);
        let chosen = if name == "bias" { ParamGroup::biases() } else { ParamGroup::named(name) };
        chosen.learning_rate_factor(number(&group["lr_factor"])).weight_decay(number(&group["weight_decay"]))
    });
    match text(&case["optimizer"]) {
        "SGD" => {
            let sgd = Sgd::new(rate).momentum(of("momentum")).dampening(of("dampening"));
            let sgd = sgd.weight_decay(of("weight_decay"));
            Box::new(groups.fold(sgd.nesterov(on("nesterov")), Sgd::group))
        }
        "Adam" => {
            let [beta1, beta2] = betas();
            let adam = Adam::new(rate).betas(beta1, beta2).eps(of("eps"));
            let adam = adam.weight_decay(of("weight_decay")).amsgrad(on("amsgrad"));
            Box::new(groups.fold(adam, Adam::group))
        }
        "AdamW" => {
            let [beta1, beta2] = betas();
            let adam = AdamW::new(rate).betas(beta1, beta2).eps(of("eps"));
            let adam = adam.weight_decay(of("weight_decay")).amsgrad(on("amsgrad"));
            Box::new(groups.fold(adam, AdamW::group))
        }
        "RMSprop" => {
            let rmsprop = RMSprop::new(rate).alpha(of("alpha")).eps(of("eps")).momentum(of("momentum"));
            let rmsprop = rmsprop.weight_decay(of("weight_decay"));
            Box::new(groups.fold(rmsprop.centered(on("centered")), RMSprop::group))
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
fn averages_of_the_weights_are_those_of_torch() {
    let file = load("averages");
    let (x, target) = (matrix(&file["x"]), matrix(&file["target"]));
    let data = Dataset::new(x.clone(), target).unwrap();
    for case in cases(&file) {
        for (steps, expected) in case["averages"].as_array().unwrap().iter().enumerate() {
            let mut network = Network::with_inputs(build(&file["architecture"]), x.ncols()).unwrap();
            set_params(&mut network, &file["start"]);
            let training = Training::new(MeanSquaredError, Sgd::new(number(&case["lr"]))).epochs(steps + 1);
            let training = training.average_weights(number(&case["decay"])).progress(false);
            training.batch_size(x.nrows()).fit(&mut network, &data).unwrap();
            let what = format!("{}, step {steps}", text(&case["name"]));
            assert_tensors(&what, &network, network.params(), expected, 1e-13);
        }
    }
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
