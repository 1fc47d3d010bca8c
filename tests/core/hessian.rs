//! Products with the Hessian and with the Gauss–Newton matrix.

use geartrain::error::LayerProblem;
use geartrain::layer::{Backward, Forward};
use geartrain::layers::{Elementwise, GELU, Identity};
use geartrain::network::Workspace;
use geartrain::prelude::*;
use geartrain::with_threads;
use ndarray::{Array2, ArrayRef2, array};

fn numbers(rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((7 * i + 3 * j) as f64).sin())
}

fn vector(len: usize, seed: f64) -> Vec<f64> {
    (0..len).map(|i| (seed + 1.7 * i as f64).cos()).collect()
}

fn product(network: &Network<f64>, loss: &dyn Loss<f64>, data: [&ArrayRef2<f64>; 2], v: &[f64]) -> Vec<f64> {
    let mut product = vec![f64::NAN; v.len()];
    network.hessian_vector_product(loss, data[0], data[1], v, &mut Workspace::new(), &mut product).unwrap();
    product
}

#[test]
fn products_have_the_same_bits_for_any_number_of_threads_and_a_reused_workspace() {
    let body = Sequential::new().then(Linear::new(150, 150)).then(Tanh);
    let layers = Sequential::new().then(Linear::new(70, 150)).then(GELU).then(Residual::new(body));
    let network = Network::new(layers.then(Dropout::new(0.2)).then(Linear::new(150, 3))).unwrap();
    let (x, target, v) = (numbers(300, 70), numbers(300, 3), vector(network.params().len(), 0.3));
    let one = with_threads(1, || product(&network, &MeanSquaredError, [&x, &target], &v));
    assert!(one.iter().all(|value| value.is_finite()));
    for threads in [2, 3] {
        assert!(with_threads(threads, || product(&network, &MeanSquaredError, [&x, &target], &v)) == one);
    }
    let (mut workspace, mut again) = (Workspace::new(), vec![0.0; v.len()]);
    for rows in [300, 20, 300] {
        let (x, target) = (numbers(rows, 70), numbers(rows, 3));
        network.gradients(&MeanSquaredError, &x, &target, &mut workspace, None).unwrap();
        network
            .hessian_vector_product(&MeanSquaredError, &x, &target, &v, &mut workspace, &mut again)
            .unwrap();
    }
    assert!(again == one);
}

#[test]
fn gauss_newton_is_the_hessian_of_a_linear_network_and_never_negative() {
    let linear = Network::new(Linear::new(3, 2)).unwrap();
    let (x, target, v) = (numbers(5, 3), numbers(5, 2), vector(8, 0.1));
    let mut gauss_newton = [0.0; 8];
    let workspace = &mut Workspace::new();
    linear
        .gauss_newton_vector_product(&MeanSquaredError, &x, &target, &v, workspace, &mut gauss_newton)
        .unwrap();
    let hessian = product(&linear, &MeanSquaredError, [&x, &target], &v);
    for (a, b) in gauss_newton.iter().zip(&hessian) {
        approx::assert_abs_diff_eq!(*a, *b, epsilon = 1e-14);
    }
    let layers = Sequential::new().then(Linear::new(3, 6)).then(Tanh).then(Linear::new(6, 3));
    let network = Network::new(layers).unwrap();
    let classes = array![[0.0], [2.0], [1.0], [1.0], [0.0]];
    let mut negative = 0;
    for seed in 0..20 {
        let v = vector(network.params().len(), f64::from(seed));
        let mut w = vec![0.0; v.len()];
        network.gauss_newton_vector_product(&CrossEntropy, &x, &classes, &v, workspace, &mut w).unwrap();
        let curvature = |w: &[f64]| v.iter().zip(w).map(|(v, w)| v * w).sum::<f64>();
        assert!(curvature(&w) >= 0.0);
        negative += usize::from(curvature(&product(&network, &CrossEntropy, [&x, &classes], &v)) < 0.0);
    }
    assert!(negative > 0, "the Hessian itself has negative directions");
}

/// x², without a second derivative.
#[derive(Debug)]
struct Square;

impl Elementwise for Square {
    fn value<F: Scalar>(&self, x: F) -> F {
        x * x
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        x + x
    }
}

/// The identity, without forward mode.
#[derive(Debug)]
struct Silent;

impl Layer<f64> for Silent {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        Ok(inputs)
    }

    fn forward(&self, pass: Forward<'_, f64>) {
        Identity.forward(pass);
    }

    fn backward(&self, pass: Backward<'_, f64>) {
        Identity.backward(pass);
    }
}

/// The sum of the outputs, without a second derivative.
#[derive(Debug)]
struct Sum;

impl Loss<f64> for Sum {
    fn value(&self, output: &ArrayRef2<f64>, _target: &ArrayRef2<f64>) -> f64 {
        output.sum()
    }

    fn gradient(&self, output: &ArrayRef2<f64>, _: &ArrayRef2<f64>, doutput: &mut ArrayRef2<f64>) -> f64 {
        doutput.fill(1.0);
        output.sum()
    }
}

#[test]
fn what_lacks_second_derivatives_is_named() {
    let (x, target) = (numbers(4, 2), numbers(4, 2));
    let error = |layer: Sequential<f64>, loss: &dyn Loss<f64>, sizes: [usize; 2]| {
        let network = Network::new(layer).unwrap();
        let (v, mut into) = (vec![0.0; sizes[0]], vec![0.0; sizes[1]]);
        let workspace = &mut Workspace::new();
        network.hessian_vector_product(loss, &x, &target, &v, workspace, &mut into).unwrap_err().to_string()
    };
    let linear = || Sequential::new().then(Linear::new(2, 2));
    assert_eq!(
        error(linear().then(Square), &MeanSquaredError, [6, 6]),
        "layer 1 (Square): has no second derivatives: it does not implement `Layer::backward_jvp` or, for an \
         activation, `Elementwise::curvature`"
    );
    assert_eq!(
        error(linear().then(Silent), &MeanSquaredError, [6, 6]),
        "layer 1 (Silent): has no forward mode: it does not implement `Layer::jvp`"
    );
    assert_eq!(
        error(linear(), &Sum, [6, 6]),
        "loss must be one that implements `Loss::gradient_jvp`, got Sum"
    );
    assert!(error(linear(), &MeanSquaredError, [5, 6]).contains("vector"));
    assert!(error(linear(), &MeanSquaredError, [6, 7]).contains("product"));
}
