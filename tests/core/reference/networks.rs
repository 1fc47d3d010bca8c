//! `networks.json`: outputs, losses, every gradient, and forward mode.

use geartrain::layer::{Cache, Forward, Jvp, Mode};
use geartrain::prelude::*;
use ndarray::Array2;

use crate::fixture::*;

/// Relative to the largest entry of each tensor: the first gradients of the deep sigmoid network
/// are about 1e-18.
const TOLERANCE: f64 = 1e-10;

#[test]
fn networks_are_those_of_torch() {
    for case in cases(&load("networks")) {
        let name = text(&case["name"]);
        let check = |what: &str, got: &[f64], expected| {
            assert_close(&format!("{name}: {what}"), got, expected, TOLERANCE, 0.0);
        };
        let (x, target) = (matrix(&case["x"]), matrix(&case["target"]));
        let mut network = Network::with_inputs(build(&case["architecture"]), x.ncols()).unwrap();
        set_params(&mut network, &case["state"]);

        let pass = network.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();
        check("loss", &[pass.loss], &case["loss"]);
        check("output", &row_by_row(&pass.output), &case["output"]);
        check("gradient of the input", &row_by_row(&pass.grad_input), &case["gradient_input"]);
        let mut named = 0;
        for (parameter, gradient) in network.named(&pass.grads) {
            let got: Vec<f64> = gradient.iter().copied().collect();
            check(parameter, &got, &case["gradients"][parameter]);
            named += 1;
        }
        assert_eq!(named, case["gradients"].as_object().unwrap().len(), "{name}");
        let prediction = network.predict(&x).unwrap();
        check("prediction", &row_by_row(&prediction), &case["output"]);

        let jvp = &case["jvp"];
        let mut direction = network.clone();
        set_params(&mut direction, &jvp["dparams"]);
        let (layer, params, cache) = (network.layer(), network.params(), &mut Cache::new());
        let (mut y, mut dy) = (Array2::zeros(target.dim()), Array2::zeros(target.dim()));
        let mode = Mode::Train { key: 0 };
        layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache, mode });
        let (dx, dparams) = (matrix(&jvp["dx"]), direction.params());
        let (x, y, dx) = (x.view(), y.view(), dx.view());
        layer.jvp(Jvp { params, dparams, x, y, dx, dy: dy.view_mut(), cache }).unwrap();
        check("jvp", &row_by_row(&dy), &jvp["dy"]);
    }
}

fn row_by_row(matrix: &Array2<f64>) -> Vec<f64> {
    matrix.iter().copied().collect()
}
