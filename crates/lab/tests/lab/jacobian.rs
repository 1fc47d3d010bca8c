//! Jacobians, their singular values, and the paths of a gradient.

use geartrain::layers::{BatchNorm, Identity};
use geartrain::prelude::*;
use geartrain_lab::{self as lab, formulas, normal_batch};
use ndarray::{Array2, array};

#[test]
fn singular_values_of_known_matrices() {
    let values = lab::singular_values(&array![[3.0, 0.0], [4.0, 5.0]]);
    assert!((values[0] - 45_f64.sqrt()).abs() < 1e-14 && (values[1] - 5_f64.sqrt()).abs() < 1e-14);
    assert_eq!(lab::singular_values(&Array2::<f64>::zeros((3, 2))), [0.0, 0.0]);
    // random: Σ s² = |A|², Σ s⁴ = |AᵀA|², Π s² = det of a 2 × 2 Gram matrix
    let a: Array2<f64> = normal_batch(17, 9, 3);
    for matrix in [a.view(), a.t()] {
        let values = lab::singular_values(&matrix);
        assert_eq!(values.len(), 9);
        let gram = a.t().dot(&a);
        assert!((values.iter().map(|s| s * s).sum::<f64>() - gram.diag().sum()).abs() < 1e-11);
        let fourth: f64 = gram.iter().map(|g| g * g).sum();
        assert!((values.iter().map(|s| s.powi(4)).sum::<f64>() / fourth - 1.0).abs() < 1e-13);
        assert!(values.windows(2).all(|pair| pair[0] >= pair[1]));
    }
}

#[test]
fn the_jacobian_equals_differences() {
    let layers = Sequential::new()
        .then(Linear::new(3, 5))
        .then(Tanh)
        .then(Residual::new(Sequential::new().then(Linear::new(5, 5)).then(Sigmoid)))
        .then(Linear::new(5, 2));
    let network = Network::<f64>::new(layers).unwrap().with_seed(2);
    let x = array![[0.3, -0.7, 1.1]];
    let jacobian = network.jacobian(&x.row(0)).unwrap().matrix;
    assert_eq!(jacobian.dim(), (2, 3));
    for j in 0..3 {
        let moved = |by: f64| {
            let mut x = x.clone();
            x[[0, j]] += by;
            network.predict(&x).unwrap()
        };
        let column = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        for i in 0..2 {
            assert!((jacobian[[i, j]] - column[[0, i]]).abs() < 1e-9);
        }
    }
    let normalised = Network::<f64>::new(Sequential::new().then(BatchNorm::new(3))).unwrap();
    assert!(normalised.jacobian(&x.row(0)).is_err());
}

#[test]
fn jacobian_spread_follows_the_theory() {
    let (width, depth) = (100, 4);
    let spread = |relu: bool, weight: Init| {
        let block = |net: Sequential<f64>, _| {
            let net = net.then(Linear::new(width, width).without_bias().init(weight));
            if relu { net.then(ReLU) } else { net.then(Identity) }
        };
        let network = Network::new((0..depth).fold(Sequential::new(), block)).unwrap();
        let one = |seed| {
            let x = normal_batch::<f64>(1, width, 100 + seed);
            lab::spread(&lab::singular_values(
                &network.clone().with_seed(seed).jacobian(&x.row(0)).unwrap().matrix,
            ))
        };
        (0..4).map(one).sum::<f64>() / 4.0
    };
    let theory = |activation: &dyn Layer<f64>, ensemble| {
        formulas::jacobian_spread(&lab::Moments::of(activation, 1.0).unwrap(), ensemble, depth)
    };
    use formulas::Ensemble::{Independent, Orthogonal};
    for (measured, predicted) in [
        (spread(false, Init::lecun_normal()), theory(&Identity, Independent)),
        (spread(true, Init::he_normal()), theory(&ReLU, Independent)),
        (spread(true, Init::orthogonal().gain(2_f64.sqrt())), theory(&ReLU, Orthogonal)),
    ] {
        assert!((measured / predicted - 1.0).abs() < 0.12, "{measured} against {predicted}");
    }
    assert!(spread(false, Init::orthogonal()) < 1e-12, "orthogonal and linear: all directions alike");
}

#[test]
fn gradients_of_different_inputs_decorrelate_with_depth() {
    let width = 200;
    let correlation = |batch_norm: bool, depth: usize| {
        let block = |net: Sequential<f64>, _| {
            let net = net.then(Linear::new(width, width).without_bias().init(Init::he_normal()));
            if batch_norm { net.then(BatchNorm::new(width)).then(ReLU) } else { net.then(ReLU) }
        };
        let network = Network::new((0..depth).fold(Sequential::new(), block)).unwrap();
        let one = |seed| {
            let x = normal_batch(32, width, 50 + seed);
            *lab::gradient_correlation(&network.clone().with_seed(seed), &x, seed).unwrap().last().unwrap()
        };
        (0..8).map(one).sum::<f64>() / 8.0
    };
    let plain = correlation(false, 4);
    let theory = formulas::relu_gradient_correlation(0.0, 4);
    assert!((plain - theory).abs() < 0.025, "{plain} against {theory}");
    for depth in [2, 4] {
        let (measured, theory) =
            (correlation(true, depth), formulas::batch_norm_relu_gradient_correlation(depth));
        assert!((measured - theory).abs() < 0.015, "{measured} against {theory}");
    }
}

#[test]
fn the_paths_of_a_residual_network_add_up_to_the_gradient() {
    let (width, blocks) = (100, 9);
    let body = || Sequential::new().then(ReLU).then(Linear::new(width, width).init(Init::he_normal()));
    let start = Sequential::new().then(Linear::new(5, width));
    let layers = (0..blocks)
        .fold(start, |net, _| net.then(Residual::new(body()).scale(0.5)))
        .then(Linear::new(width, width));
    let network = Network::<f64>::new(layers).unwrap().with_seed(1);
    let (x, dy) = (normal_batch(20, 5, 1), normal_batch(20, width, 2));
    let spectrum = lab::path_spectrum(&network, &x, &dy).unwrap();
    let measured = lab::measure_with_cotangent(&network, &x, &dy).unwrap();
    assert_eq!(spectrum.lengths.len(), blocks + 1);
    assert!((spectrum.total / measured.input_gradient - 1.0).abs() < 1e-12);
    // energy by length: binomial with c = s² σw² E φ'² = 1/4, within the fluctuation of 100 units
    let energies: Vec<f64> = spectrum.lengths.iter().map(|l| l * l).collect();
    let sum: f64 = energies.iter().sum();
    let binomial = formulas::path_energies(&[0.25; 9]);
    let total: f64 = binomial.iter().sum();
    for (energy, expected) in energies.iter().zip(&binomial).take(5) {
        assert!((energy / sum - expected / total).abs() < 0.06, "{energies:?}");
    }
}
