//! Networks are checked when they are made; their parameters have names; their derivatives come by
//! either mode.

use geartrain::error::LayerProblem;
use geartrain::layer::{Backward, Description, Forward};
use geartrain::layers::*;
use geartrain::network::{AutodiffMode, Workspace};
use geartrain::params::ParamSpec;
use geartrain::prelude::*;
use ndarray::{Array2, array, s};

fn refused(layers: Sequential<f32>, inputs: usize) -> String {
    Network::with_inputs(layers, inputs).unwrap_err().to_string()
}

fn mlp<F: Scalar>() -> Sequential<F> {
    let body = Sequential::new().then(Linear::new(4, 4)).then(ReLU);
    Sequential::new()
        .then(Linear::new(3, 4))
        .then(Tanh)
        .then(Residual::new(body))
        .then(Linear::new(4, 2).without_bias())
}

#[test]
fn layers_that_do_not_fit_are_named_with_both_sizes() {
    let layers = Sequential::new().then(Linear::new(3, 8)).then(ReLU).then(Linear::new(9, 1));
    assert_eq!(refused(layers, 3), "layer 2 (Linear(9, 1)): expects 9 input features, got 8");
    let body = Sequential::new().then(Linear::new(8, 5)).then(Linear::new(6, 8));
    let layers = Sequential::new().then(Linear::new(3, 8)).then(Residual::new(body));
    assert_eq!(refused(layers, 3), "layer 1.body.1 (Linear(6, 8)): expects 6 input features, got 5");
}

#[test]
fn a_residual_must_keep_its_width() {
    let layers = Sequential::new().then(Residual::new(Sequential::new().then(Linear::new(4, 5))));
    let error = refused(layers, 4);
    assert!(error.contains("layer 0 (Residual)") && error.contains("5 features from 4"), "{error}");
    let nan = Sequential::new().then(Residual::new(Sequential::new()).scale(f64::NAN));
    assert!(refused(nan, 4).contains("scale must be a finite number, got NaN"));
}

#[test]
fn an_empty_sequential_is_the_identity() {
    let network = Network::<f64>::with_inputs(Sequential::new(), 2).unwrap();
    let x = array![[1.0, -2.0]];
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &array![[0.0, 0.0]]).unwrap();
    assert_eq!(pass.output, x);
    assert_eq!(pass.grad_input, x);
    assert!(pass.grads.is_empty());
}

#[test]
fn sizes_of_zero_are_refused() {
    assert_eq!(
        refused(Sequential::new().then(Linear::new(0, 3)), 0),
        "layer 0 (Linear(0, 3)): inputs must be at least 1, got 0"
    );
    assert_eq!(
        refused(Sequential::new().then(Linear::new(3, 0)), 3),
        "layer 0 (Linear(3, 0)): outputs must be at least 1, got 0"
    );
}

#[test]
fn sizes_beyond_memory_are_refused_without_allocating() {
    for (inputs, outputs) in [(usize::MAX, 2), (usize::MAX / 2, usize::MAX / 2), (1_000_000, 1_000_000)] {
        let error = refused(Sequential::new().then(Linear::new(inputs, outputs)), inputs);
        assert!(error.contains("`0.weight`") && error.contains("bytes"), "{error}");
    }
    let error = refused(Sequential::new().then(Linear::new(1_000_000, 1_000_000)), 1_000_000);
    assert!(error.contains("4000000000000 bytes"), "{error}");
}

#[test]
fn invalid_initialisations_are_refused() {
    for init in [Init::normal(-1.0), Init::normal(f64::NAN), Init::he_normal().gain(f64::INFINITY)] {
        let error = refused(Sequential::new().then(Linear::new(2, 2).init(init)), 2);
        assert!(error.contains("must be"), "{error}");
    }
}

#[test]
fn prediction_refuses_other_columns() {
    let network = Network::<f32>::new(mlp()).unwrap();
    let error = network.predict(&Array2::zeros((2, 4))).unwrap_err().to_string();
    assert_eq!(error, "layer 0 (Linear(3, 4)): expects 3 input features, got 4");
    // A layer that reads any width cannot object itself.
    let network = Network::<f32>::with_inputs(Sequential::new().then(ReLU), 3).unwrap();
    let error = network.predict(&Array2::zeros((2, 4))).unwrap_err().to_string();
    assert_eq!(error, "columns of x: expected shape (3), got (4)");
}

#[test]
fn a_row_of_targets_is_never_broadcast() {
    let network = Network::<f64>::new(Linear::new(2, 1)).unwrap();
    let (x, row) = (Array2::zeros((4, 2)), Array2::zeros((1, 4)));
    let error = network.loss(&MeanSquaredError, &x, &row).unwrap_err().to_string();
    assert_eq!(error, "target: expected shape (4, 1), got (1, 4)");
}

#[test]
fn parameters_have_the_names_and_shapes_of_a_state_dict() {
    let mut network = Network::<f64>::new(mlp()).unwrap();
    let names: Vec<_> =
        network.named(network.params()).map(|(name, t)| format!("{name} {:?}", t.shape())).collect();
    assert_eq!(
        names,
        ["0.weight [4, 3]", "0.bias [4]", "2.body.0.weight [4, 4]", "2.body.0.bias [4]", "3.weight [2, 4]"]
    );
    network.param_mut("0.weight").unwrap()[[2, 1]] = 7.0;
    assert_eq!(network.param("0.weight").unwrap()[[2, 1]], 7.0);
    network.set_param("3.weight", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]).unwrap();
    assert_eq!(
        network.param("3.weight").unwrap(),
        array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]].into_dyn()
    );
    let error = network.param("3.bias").unwrap_err().to_string();
    assert!(error.contains("`3.bias`") && error.contains("2.body.0.bias"), "{error}");
    let error = network.set_param("0.bias", &[1.0]).unwrap_err().to_string();
    assert_eq!(error, "values of `0.bias`: expected shape (4), got (1)");
}

/// A layer whose two parameters have one name.
#[derive(Debug)]
struct Twins;

impl Layer<f32> for Twins {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        Ok(inputs)
    }

    fn describe(&self) -> Description<'_, f32> {
        Description::named("Twins").params(vec![ParamSpec::new("scale", &[1], Init::constant(1.0)); 2])
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, f32>) {
        y.assign(&x);
    }

    fn backward(&self, Backward { dy, grads, dx, .. }: Backward<'_, f32>) {
        grads.fill(0.0);
        dx.into_iter().for_each(|mut dx| dx.assign(&dy));
    }
}

#[test]
fn two_parameters_with_one_name_are_refused() {
    let error = Network::with_inputs(Sequential::new().then(Twins), 2).unwrap_err().to_string();
    assert_eq!(error, "two parameters are called `0.scale`");
}

#[test]
fn a_layer_without_forward_mode_says_where_it_is() {
    let network = Network::with_inputs(Sequential::new().then(Tanh).then(Silent), 2).unwrap();
    let x = array![[1.0, 2.0]];
    let error = network.jvp(&x, &x, None).unwrap_err();
    assert!(matches!(&error, Error::Layer { problem: LayerProblem::NoJvp, .. }));
    assert_eq!(
        error.to_string(),
        "layer 1 (Silent): has no forward mode: it does not implement `Layer::jvp`"
    );
    // The Jacobian falls back on reverse mode.
    assert_eq!(network.jacobian(&x.row(0)).unwrap().mode, AutodiffMode::Reverse);
}

/// The identity, without forward mode.
#[derive(Debug)]
struct Silent;

impl Layer<f64> for Silent {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        Ok(inputs)
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, f64>) {
        y.assign(&x);
    }

    fn backward(&self, Backward { dy, dx, .. }: Backward<'_, f64>) {
        dx.into_iter().for_each(|mut dx| dx.assign(&dy));
    }
}

#[test]
fn the_input_width_is_that_of_the_first_layer_with_a_fixed_one() {
    let width = |layers: Sequential<f32>| Network::new(layers).map(|network| network.inputs());
    let new = Sequential::new;
    assert_eq!(width(new().then(Linear::new(7, 2))).unwrap(), 7);
    assert_eq!(width(new().then(Dropout::new(0.1)).then(Tanh).then(LayerNorm::new(5))).unwrap(), 5);
    assert_eq!(width(new().then(Residual::new(new().then(ReLU).then(BatchNorm::new(4))))).unwrap(), 4);
    assert_eq!(width(new().then(new().then(Tanh)).then(Linear::new(3, 1))).unwrap(), 3);
    let error = width(new().then(Tanh)).unwrap_err().to_string();
    assert_eq!(
        error,
        "layer at the root (Sequential): accepts any number of input features: give one with \
         `Network::with_inputs`"
    );
    assert_eq!(Network::<f32>::with_inputs(new().then(Tanh), 9).unwrap().outputs(), 9);
    let error = Network::<f32>::with_inputs(Linear::new(3, 1), 2).unwrap_err().to_string();
    assert_eq!(error, "layer at the root (Linear(3, 1)): expects 3 input features, got 2");
}

#[test]
fn gradients_in_a_workspace_are_those_that_loss_and_gradients_returns() {
    // Twelve narrow sigmoids: the first gradients are below what f32 can hold, and are flushed to
    // 0.
    let layer = |net: Sequential<f32>, _| net.then(Linear::new(3, 3).init(Init::normal(1e-4))).then(Sigmoid);
    let network = Network::new((0..12).fold(Sequential::new(), layer)).unwrap();
    let (x, target) = (array![[0.5_f32, -1.0, 2.0]], array![[0.0_f32, 1.0, 0.5]]);
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();
    let mut workspace = Workspace::new();
    let loss = network.gradients(&MeanSquaredError, &x, &target, &mut workspace, None).unwrap();
    assert_eq!((loss, &pass.grads[..]), (pass.loss, &workspace.grads[..]));
    assert!(pass.grads[..12].iter().all(|&grad| grad == 0.0));
    let mut exact = Workspace::new().flush_subnormals(false);
    network.gradients(&MeanSquaredError, &x, &target, &mut exact, None).unwrap();
    assert!(exact.grads.iter().any(|grad| grad.is_subnormal()));
}

#[test]
fn the_summary_is_a_table_with_totals() {
    let text = Network::<f32>::new(mlp()).unwrap().summary().to_string();
    let expected = "\
path      layer                  output shape  parameters  trainable
────────────────────────────────────────────────────────────────────
0         Linear(3, 4)           (rows, 4)             16         16
1         Tanh                   (rows, 4)              0          0
2         Residual               (rows, 4)              0          0
2.body.0  Linear(4, 4)           (rows, 4)             20         20
2.body.1  ReLU                   (rows, 4)              0          0
3         Linear(4, 2, no bias)  (rows, 2)              8          8
────────────────────────────────────────────────────────────────────
total                                                  44         44
";
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn strided_and_broadcast_inputs_equal_their_copies() {
    let network = Network::<f64>::new(mlp()).unwrap();
    let wide = Array2::from_shape_fn((8, 6), |(i, j)| ((7 * i + j) as f64).sin());
    let views = [
        wide.slice(s![..;2, ..;2]),
        wide.slice(s![..3, ..]).reversed_axes().slice_move(s![..;-1, ..]),
        wide.slice(s![..1, ..3]),
    ];
    for view in views {
        let copy = Array2::from_shape_vec(view.dim(), view.iter().copied().collect()).unwrap();
        approx::assert_abs_diff_eq!(
            network.predict(&view).unwrap(),
            network.predict(&copy).unwrap(),
            epsilon = 1e-14
        );
    }
    let row = array![[1.0, 2.0, 3.0]];
    let broadcast = row.broadcast((5, 3)).unwrap();
    let y = network.predict(&broadcast).unwrap();
    assert!(y.rows().into_iter().all(|r| r == y.row(0)));
}

#[test]
fn jacobians_by_both_modes_agree_and_the_cheaper_is_chosen() {
    let network = Network::<f64>::new(mlp()).unwrap().with_seed(3);
    let x = array![0.3, -0.7, 1.1];
    let forward = network.jacobian_by(AutodiffMode::Forward, &x).unwrap();
    let reverse = network.jacobian_by(AutodiffMode::Reverse, &x).unwrap();
    approx::assert_abs_diff_eq!(forward.matrix, reverse.matrix, epsilon = 1e-14);
    assert_eq!((forward.passes, reverse.passes), (3, 2));
    assert_eq!(network.jacobian(&x).unwrap(), reverse);
    let wide = Network::<f64>::new(Linear::new(1, 9)).unwrap();
    assert_eq!(wide.jacobian(&array![2.0]).unwrap().mode, AutodiffMode::Forward);

    // Against difference quotients of the prediction.
    for j in 0..3 {
        let shifted = |h: f64| {
            let mut x = x.clone();
            x[j] += h;
            network.predict(&x.insert_axis(ndarray::Axis(0))).unwrap()
        };
        let column = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
        approx::assert_abs_diff_eq!(forward.matrix.column(j), column.row(0), epsilon = 1e-9);
    }
}

#[test]
fn products_with_the_jacobian_agree_with_each_other() {
    let network = Network::<f64>::new(mlp()).unwrap();
    let x = Array2::from_shape_fn((4, 3), |(i, j)| (i as f64 - 1.5) * (j as f64 + 0.3));
    let u = x.mapv(f64::cos);
    let v = Array2::from_shape_fn((4, 2), |(i, j)| (i + 3 * j) as f64 - 2.0);
    let direction: Vec<f64> = (0..network.params().len()).map(|i| (i as f64).sin()).collect();
    let forward = (&network.jvp(&x, &u, Some(&direction)).unwrap() * &v).sum();
    let (grads, dx) = network.vjp(&x, &v).unwrap();
    let reverse = (&dx * &u).sum() + grads.iter().zip(&direction).map(|(g, d)| g * d).sum::<f64>();
    approx::assert_relative_eq!(forward, reverse, max_relative = 1e-13);
}

#[test]
fn a_clone_has_weights_of_its_own() {
    let network = Network::<f32>::new(mlp()).unwrap();
    let mut copy = network.clone();
    copy.params_mut().fill(0.0);
    assert!(network.params().iter().any(|&w| w != 0.0));
}

#[test]
fn initialisations_have_the_bounds_and_deviations_they_promise() {
    let drawn = |init: Init| {
        let network = Network::<f64>::new(Linear::new(300, 100).init(init)).unwrap();
        let weight = network.param("weight").unwrap().to_owned();
        let largest = weight.iter().fold(0.0, |max: f64, w| max.max(w.abs()));
        (weight.std(0.0), largest, weight.mean().unwrap())
    };
    let (n, m): (f64, f64) = (300.0, 100.0);
    let normal = [
        (Init::xavier_normal(), (2.0 / (n + m)).sqrt()),
        (Init::he_normal(), (2.0 / n).sqrt()),
        (Init::lecun_normal(), (1.0 / n).sqrt()),
        (Init::normal(0.02).gain(3.0), 0.06),
    ];
    for (init, deviation) in normal {
        let (std, largest, mean) = drawn(init);
        // 30,000 draws: the standard error of the deviation is 0.4 %.
        approx::assert_relative_eq!(std, deviation, max_relative = 0.02);
        assert!(mean.abs() < 0.03 * deviation && largest > 3.0 * deviation);
    }
    let uniform = [
        (Init::xavier_uniform(), (6.0 / (n + m)).sqrt()),
        (Init::he_uniform(), (6.0 / n).sqrt()),
        (Init::lecun_uniform(), (3.0 / n).sqrt()),
        (Init::torch_linear(), 1.0 / n.sqrt()),
    ];
    for (init, bound) in uniform {
        let (std, largest, _) = drawn(init);
        approx::assert_relative_eq!(std, bound / 3_f64.sqrt(), max_relative = 0.02);
        assert!(largest <= bound && largest > 0.999 * bound);
    }
    assert_eq!(drawn(Init::constant(0.5)), (0.0, 0.5, 0.5));

    let square = Network::<f64>::new(Linear::new(40, 40).init(Init::orthogonal().gain(2.0))).unwrap();
    let w = square.param("weight").unwrap().into_dimensionality::<ndarray::Ix2>().unwrap();
    approx::assert_abs_diff_eq!(w.dot(&w.t()), 4.0 * Array2::<f64>::eye(40), epsilon = 1e-13);
}

#[test]
fn single_precision_starts_where_double_does() {
    let (narrow, wide) = (Network::<f32>::new(mlp()).unwrap(), Network::<f64>::new(mlp()).unwrap());
    let rounded: Vec<f32> = wide.params().iter().map(|&w| w as f32).collect();
    assert_eq!(narrow.params(), rounded);
}

#[test]
fn the_first_layer_of_a_residual_mlp_has_no_connection_around_it() {
    let network = Network::<f64>::new(Mlp::new(&[3, 3, 3, 2, 1]).residual(true).build()).unwrap();
    let names: Vec<&str> = network.layout().iter().map(|(spec, _)| spec.name.as_str()).collect();
    let weights: Vec<&str> = names.into_iter().filter(|name| name.ends_with("weight")).collect();
    assert_eq!(weights, ["0.weight", "2.body.0.weight", "3.weight", "5.weight"]);
}

#[test]
fn layers_are_named_with_their_options() {
    fn name(layer: impl Layer<f64>) -> String {
        layer.describe().name
    }
    let body = || Sequential::new().then(Linear::new(2, 2));
    for (name, expected) in [
        (name(Linear::new(3, 8)), "Linear(3, 8)"),
        (name(Linear::new(3, 8).without_bias()), "Linear(3, 8, no bias)"),
        (name(BatchNorm::new(5)), "BatchNorm(5)"),
        (name(LayerNorm::new(5)), "LayerNorm(5)"),
        (name(RMSNorm::new(5)), "RMSNorm(5)"),
        (name(Dropout::new(0.25)), "Dropout(0.25)"),
        (name(Residual::new(body())), "Residual"),
        (name(Residual::new(body()).scale(0.5)), "Residual(scale 0.5)"),
        (name(body()), "Sequential"),
        (name(Softmax), "Softmax"),
        (name(Sigmoid), "Sigmoid"),
        (name(LeakyReLU::new(0.2)), "LeakyReLU"),
        (name(GELUTanh), "GELUTanh"),
    ] {
        assert_eq!(name, expected);
    }
}
