//! Every layer goes through one contract test, alone and nested; and a wrong backward is caught by
//! name.

use std::sync::Arc;

use geartrain::error::LayerProblem;
use geartrain::gradcheck::{self, Report};
use geartrain::layer::{Backward, Description, Forward};
use geartrain::layers::*;
use geartrain::loss::*;
use geartrain::prelude::*;
use ndarray::{Array2, Axis, array};

/// The worst relative error that a right derivation may show in f64.
const WORST: f64 = 1e-7;

fn assert_right(name: &str, report: Result<Report, Error>) {
    let report = report.unwrap();
    assert!(report.passed(), "{name}\n{report}");
    let worst = report.worst().expect("entries were compared");
    assert!(worst.relative_error < WORST, "{name}\n{report}");
}

/// A net in which every layer stands whose training and prediction are the same, residuals inside
/// residuals included.
fn composite<F: Scalar>() -> Sequential<F> {
    let inner = Sequential::new().then(Linear::new(4, 4).without_bias()).then(Sigmoid).then(Identity);
    let outer = Sequential::new()
        .then(LayerNorm::new(4))
        .then(Linear::new(4, 6))
        .then(ReLU)
        .then(Linear::new(6, 4))
        .then(GELU)
        .then(Residual::new(inner).scale(0.7));
    let second = Sequential::new()
        .then(ELU::default())
        .then(Linear::new(4, 4))
        .then(RMSNorm::new(4))
        .then(Softplus)
        .then(LeakyReLU::default())
        .then(Linear::new(4, 4))
        .then(GELUTanh)
        .then(Softmax);
    Sequential::new()
        .then(Linear::new(3, 4))
        .then(Tanh)
        .then(Residual::new(outer))
        .then(SiLU)
        .then(Residual::new(second))
        .then(SELU)
        .then(Linear::new(4, 2))
}

/// The same with the layers that train and predict differently. No bias stands before a batch
/// normalisation, which takes it off again: its gradient would be 0 but for rounding.
fn everything<F: Scalar>() -> Sequential<F> {
    let body = Sequential::new()
        .then(BatchNorm::new(3))
        .then(Dropout::new(0.3))
        .then(Linear::new(3, 3).without_bias());
    Sequential::new()
        .then(Tanh)
        .then(Residual::new(body))
        .then(BatchNorm::new(3))
        .then_shared(Arc::new(composite()))
}

#[test]
fn every_layer_keeps_the_contract() {
    assert_right("Linear", gradcheck::layer(Linear::new(3, 4), 3));
    assert_right("Linear, square", gradcheck::layer(Linear::new(4, 4), 4));
    assert_right("Linear, one by one", gradcheck::layer(Linear::new(1, 1), 1));
    assert_right("Linear without bias", gradcheck::layer(Linear::new(3, 2).without_bias(), 3));
    assert_right("Sigmoid", gradcheck::layer(Sigmoid, 4));
    assert_right("Tanh", gradcheck::layer(Tanh, 4));
    assert_right("ReLU", gradcheck::layer(ReLU, 4));
    assert_right("LeakyReLU", gradcheck::layer(LeakyReLU::default(), 4));
    assert_right("LeakyReLU, 0.2", gradcheck::layer(LeakyReLU::new(0.2), 4));
    assert_right("ELU", gradcheck::layer(ELU::default(), 4));
    assert_right("ELU, 0.5", gradcheck::layer(ELU::new(0.5), 4));
    assert_right("SELU", gradcheck::layer(SELU, 4));
    assert_right("GELU", gradcheck::layer(GELU, 4));
    assert_right("GELUTanh", gradcheck::layer(GELUTanh, 4));
    assert_right("SiLU", gradcheck::layer(SiLU, 4));
    assert_right("Softplus", gradcheck::layer(Softplus, 4));
    assert_right("Identity", gradcheck::layer(Identity, 4));
    assert_right("Softmax", gradcheck::layer(Softmax, 4));
    assert_right("Softmax of one", gradcheck::layer(Softmax, 1));
    assert_right("LayerNorm", gradcheck::layer(LayerNorm::new(4), 4));
    assert_right("RMSNorm", gradcheck::layer(RMSNorm::new(4), 4));
    assert_right("RMSNorm, eps", gradcheck::layer(RMSNorm::new(3).eps(0.1), 3));
    assert_right("LayerNorm, eps", gradcheck::layer(LayerNorm::new(3).eps(0.1), 3));
    let in_batch = gradcheck::Gradcheck::new().mixes_rows(true);
    assert_right("BatchNorm", in_batch.layer(BatchNorm::new(4), 4));
    assert_right("BatchNorm, eps", in_batch.layer(BatchNorm::new(3).eps(0.1), 3));
    assert_right("Dropout", in_batch.layer(Dropout::new(0.4), 4));
    assert_right("Dropout of nothing", in_batch.layer(Dropout::new(0.0), 4));
    assert_right("Dropout of everything", in_batch.layer(Dropout::new(1.0), 4));
    assert_right("empty Sequential", gradcheck::layer(Sequential::new(), 3));
    assert_right("one layer", gradcheck::layer(Sequential::new().then(Tanh), 3));
    assert_right("composite", gradcheck::layer(composite(), 3));
    let body = || Sequential::new().then(Linear::new(4, 4)).then(Sigmoid);
    assert_right("Residual", gradcheck::layer(Residual::new(body()), 4));
    assert_right("Residual, scaled", gradcheck::layer(Residual::new(body()).scale(-0.3), 4));
    assert_right("everything", in_batch.layer(everything(), 3));
    assert_right("Residual of nothing", gradcheck::layer(Residual::new(Sequential::new()), 4));
}

#[test]
fn a_network_with_its_loss_is_right() {
    let network = Network::new(everything()).unwrap().with_seed(5);
    let x = Array2::from_shape_fn((7, 3), |(i, j)| ((3 * i + 5 * j) as f64).sin());
    let target = Array2::from_shape_fn((7, 2), |(i, j)| ((i + 2 * j) as f64).cos());
    assert_right("regression", gradcheck::network(&network, &MeanSquaredError, &x, &target));
    let class = Array2::from_shape_fn((7, 1), |(i, _)| (i % 2) as f64);
    let loss = CrossEntropy.label_smoothing(0.1);
    assert_right("classification", gradcheck::network(&network, &loss, &x, &class));
}

#[test]
fn deep_stacks_of_sigmoids_are_right_where_gradients_are_tiny() {
    let mut layers = Sequential::new();
    for _ in 0..8 {
        layers = layers.then(Linear::new(3, 3)).then(Sigmoid);
    }
    let report = gradcheck::layer(layers, 3).unwrap();
    assert!(report.passed(), "{report}");
}

#[test]
fn single_precision_is_close_to_double() {
    let wide = Network::<f64>::new(composite()).unwrap();
    let narrow = Network::<f32>::new(composite()).unwrap();
    let x = Array2::from_shape_fn((5, 3), |(i, j)| ((i * 3 + j) as f64).sin());
    let target = Array2::from_elem((5, 2), 0.5);
    let exact = wide.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();
    let (x, target) = (x.mapv(|v| v as f32), target.mapv(|v| v as f32));
    let rounded = narrow.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();
    for (a, b) in exact.grads.iter().zip(&rounded.grads) {
        approx::assert_abs_diff_eq!(*a, f64::from(*b), epsilon = 1e-6);
    }
    for (a, b) in exact.grad_input.iter().zip(&rounded.grad_input) {
        approx::assert_abs_diff_eq!(*a, f64::from(*b), epsilon = 1e-6);
    }
}

#[test]
fn prediction_equals_the_training_pass_bit_for_bit() {
    let network = Network::<f64>::new(composite()).unwrap();
    let x = Array2::from_shape_fn((6, 3), |(i, j)| (i as f64 - 2.0) * (j as f64 + 0.5));
    let target = Array2::zeros((6, 2));
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();
    assert_eq!(network.predict(&x).unwrap(), pass.output);
}

#[test]
fn kinks_are_avoided() {
    // Every unit of relu(x) sits exactly on its kink at x = 0; the check has to move.
    let network = Network::<f64>::new(Sequential::new().then(ReLU).then(Linear::new(2, 1))).unwrap();
    let (x, target) = (array![[0.0, 0.0]], array![[1.0]]);
    assert_right("relu at 0", gradcheck::network(&network, &MeanSquaredError, &x, &target));
}

#[test]
fn every_loss_is_right() {
    let output = array![[0.5, -1.0], [2.0, 0.25], [0.0, 1.0]];
    let target = array![[0.0, 1.0], [2.5, 0.25], [-1.3, 3.0]];
    let probabilities = array![[0.0, 1.0], [0.2, 0.5], [1.0, 0.9]];
    let classes = array![[1.0], [0.0], [1.0]];
    let plain = CrossEntropy;
    let cases: [(&str, &dyn Loss<f64>, &Array2<f64>); 8] = [
        ("MeanSquaredError", &MeanSquaredError, &target),
        ("MeanAbsoluteError", &MeanAbsoluteError, &target),
        ("Huber", &Huber::default(), &target),
        ("Huber, 0.7", &Huber::new(0.7), &target),
        ("BinaryCrossEntropyWithLogits", &BinaryCrossEntropyWithLogits, &probabilities),
        ("CrossEntropy", &plain, &classes),
        ("CrossEntropy, smoothed", &CrossEntropy.label_smoothing(0.1), &classes),
        ("Weighted", &Weighted::new(&plain, &[0.5, 0.0, 2.0]), &classes),
    ];
    for (name, loss, target) in cases {
        let report = gradcheck::loss(loss, &output, target);
        assert_right(name, report);
    }
}

#[test]
fn right_gradients_of_large_numbers_and_of_strong_curvature_pass() {
    let check = |f: &dyn Fn(f64) -> f64, x: f64, slope: f64| {
        let report = gradcheck::Gradcheck::new().function(|at| f(at[0]), &[x], &[slope]).unwrap();
        (report.passed(), report.to_string())
    };
    for x in [1e3, -3e7, 1e9, 1e10, -1e12, 1e15] {
        let (passed, report) = check(&|x| x * x, x, 2.0 * x);
        assert!(passed, "x² at {x}: {report}");
        let (passed, report) = check(&|x| 3.0 * x + 1.0, x, 3.0);
        assert!(passed, "3x + 1 at {x}: {report}");
        let (passed, report) = check(&|x| x * x, x, 2.02 * x);
        assert!(!passed && report.contains("1 of 1 entries disagree"), "x² at {x}: {report}");
    }
    for k in 0..=13 {
        let w = f64::from(1 << k) * std::f64::consts::PI;
        for x in [0.0, 0.1, 0.37, -1.9, 12.3] {
            let (passed, report) = check(&|x| (w * x).sin(), x, w * (w * x).cos());
            assert!(passed, "sin(2^{k} π x) at {x}: {report}");
            let (passed, report) = check(&|x| (w * x).sin(), x, w * (w * x).cos() + 0.1 * w);
            assert!(!passed, "sin(2^{k} π x) at {x}: {report}");
        }
    }
}

#[test]
fn a_check_that_no_step_allows_says_why() {
    let why = |f: &dyn Fn(f64) -> f64, x: f64| {
        gradcheck::Gradcheck::new().function(|at| f(at[0]), &[x], &[0.0]).unwrap().to_string()
    };
    // The slope is another one at every step tried.
    let report = why(&|x| (1e14 * x).sin(), 0.3);
    assert!(report.contains("no reliable difference here: "), "{report}");
    // A slope that changes within 1e-8, and differences of 1e12 that rounding leaves without a
    // digit.
    let report = why(&|x| 1e-3 * (1e8 * x).sin(), 0.3);
    assert!(report.contains("the step is too large"), "{report}");
    let report = why(&|x| if x > 0.5 { f64::INFINITY } else { x }, 0.7);
    assert!(report.contains("the function is not finite within a step"), "{report}");
    let report = why(&|x| ((x + 1e8) - 1e8) * 1e-3, 0.3);
    assert!(report.contains("the step is too small"), "{report}");
    let report = why(&|x| (x - 0.3).abs(), 0.3);
    assert!(report.contains("the function has a kink within a step"), "{report}");
    // A step so small that the number does not change is enlarged, and no wrong 0 is accepted.
    let report = why(&|x| 1e-3 * ((x + 1e5) - 1e5), 0.3);
    assert!(report.contains("FAIL"), "{report}");
}

/// A `Linear` without a bias gradient, with a wrong sign, or with a sum left out.
#[derive(Debug)]
struct Wrong {
    linear: Linear,
    mistake: Mistake,
}

#[derive(Debug, PartialEq)]
enum Mistake {
    ForgottenBias,
    WrongSign,
    MissingSum,
    LeftoverGradient,
}

impl Layer<f64> for Wrong {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        Layer::<f64>::output_features(&self.linear, inputs)
    }

    fn describe(&self) -> Description<'_, f64> {
        Description::opaque::<Self>().params(Layer::<f64>::describe(&self.linear).params)
    }

    fn forward(&self, pass: Forward<'_, f64>) {
        self.linear.forward(pass);
    }

    fn backward(&self, Backward { params, x, y, dy, grads, mut dx, cache }: Backward<'_, f64>) {
        let bias = grads.len() - dy.ncols();
        let old = grads[bias];
        let right = dx.as_mut().map(|dx| dx.view_mut());
        self.linear.backward(Backward { params, x, y, dy, grads: &mut *grads, dx: right, cache });
        match self.mistake {
            Mistake::ForgottenBias => grads[bias..].fill(0.0),
            Mistake::WrongSign => dx.into_iter().for_each(|mut dx| dx *= -1.0),
            Mistake::MissingSum => {
                let last = dy.index_axis(Axis(0), dy.nrows() - 1);
                grads[bias..].iter_mut().zip(last).for_each(|(g, &dy)| *g = dy);
            }
            Mistake::LeftoverGradient => grads[bias] = old,
        }
    }
}

fn worst_of(mistake: Mistake) -> (Report, String) {
    let report = gradcheck::layer(Wrong { linear: Linear::new(3, 2), mistake }, 3).unwrap();
    assert!(!report.passed(), "{report}");
    let failure = report.failures().next().expect("a failure").clone();
    let name = failure.worst.map_or(String::new(), |entry| entry.name);
    (report, name)
}

#[test]
fn a_forgotten_bias_gradient_is_caught_by_name() {
    assert_eq!(worst_of(Mistake::ForgottenBias).1, "bias");
}

#[test]
fn a_wrong_sign_is_caught_by_name() {
    assert_eq!(worst_of(Mistake::WrongSign).1, "input");
}

#[test]
fn a_missing_sum_over_rows_is_caught_by_name() {
    assert_eq!(worst_of(Mistake::MissingSum).1, "bias");
}

#[test]
fn a_gradient_that_is_not_written_is_caught() {
    let (report, name) = worst_of(Mistake::LeftoverGradient);
    assert_eq!(name, "bias");
    assert!(report.to_string().contains("FAIL"), "{report}");
}
