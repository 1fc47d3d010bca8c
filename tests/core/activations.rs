//! Every `f32` activation and its slope, over a dense sweep of all finite numbers, beside the
//! formula in `f64`.

use geartrain::layer::{Backward, Cache, Forward, Layer, Mode};
use geartrain::layers::*;
use libm::erfc;
use ndarray::{Array2, ArrayView2};

/// Every 1009th of all finite numbers.
fn sweep() -> Array2<f32> {
    let positive = (0..f32::INFINITY.to_bits()).step_by(1009).map(f32::from_bits);
    let all: Vec<f32> = positive.flat_map(|x| [x, -x]).collect();
    Array2::from_shape_vec((1, all.len()), all).unwrap()
}

/// The largest distance of `got` from `exact(x)`, in units of the last place of the exact value
/// rounded to `f32`.
fn worst(x: ArrayView2<f32>, got: ArrayView2<f32>, exact: impl Fn(f64) -> f64) -> (f64, f32) {
    let error = |(&x, &got): (&f32, &f32)| {
        let exact = exact(f64::from(x));
        let rounded = exact as f32;
        // the nearest there is: at most half a unit away
        if got == rounded {
            return (0.5, x);
        }
        let unit = f64::from(f32::from_bits(rounded.abs().to_bits() + 1)) - f64::from(rounded.abs());
        ((f64::from(got) - exact).abs() / unit, x)
    };
    x.iter().zip(got).map(error).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

fn check(activation: impl Layer<f32>, value: impl Fn(f64) -> f64, slope: impl Fn(f64) -> f64) {
    let (x, mut cache) = (sweep(), Cache::new());
    let (mut y, mut dx) = (Array2::zeros(x.dim()), Array2::zeros(x.dim()));
    let dy = Array2::ones(x.dim());
    let (params, cache, mode) = (&[][..], &mut cache, Mode::Predict);
    activation.forward(Forward { params, x: x.view(), y: y.view_mut(), cache, mode });
    let (grads, dx_view) = (&mut [][..], Some(dx.view_mut()));
    activation.backward(Backward {
        params,
        x: x.view(),
        y: y.view(),
        dy: dy.view(),
        grads,
        dx: dx_view,
        cache,
    });
    for (what, got, exact) in [("value", &y, &value as &dyn Fn(f64) -> f64), ("slope", &dx, &slope)] {
        let (error, at) = worst(x.view(), got.view(), exact);
        println!("{activation:?}, {what}: {error:.2} units at {at:e}");
        assert!(error <= 2.5, "{activation:?}, {what}: {error} units at {at:e}");
    }
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

fn normal_distribution(x: f64) -> f64 {
    0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

#[test]
fn they_are_within_2_5_units_in_the_last_place() {
    let root = (2.0 / std::f64::consts::PI).sqrt();
    let u = |x: f64| root * (x + 0.044715 * x.powi(3));
    let (scale, alpha) = (SELU::SCALE, SELU::ALPHA);
    check(
        ELU::new(0.7),
        |x| if x > 0.0 { x } else { 0.7 * x.exp_m1() },
        |x| if x > 0.0 { 1.0 } else { 0.7 * x.exp() },
    );
    check(
        SELU,
        |x| scale * if x > 0.0 { x } else { alpha * x.exp_m1() },
        |x| scale * if x > 0.0 { 1.0 } else { alpha * x.exp() },
    );
    check(SiLU, |x| x * sigmoid(x), |x| sigmoid(x) * (1.0 + x * sigmoid(-x)));
    check(Softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), sigmoid);
    check(
        GELU,
        |x| x * normal_distribution(x),
        |x| normal_distribution(x) + x * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt(),
    );
    check(
        GELUTanh,
        |x| x * sigmoid(2.0 * u(x)),
        |x| {
            let inner = root * (1.0 + 3.0 * 0.044715 * x * x);
            let bell = sigmoid(2.0 * u(x)) * sigmoid(-2.0 * u(x));
            sigmoid(2.0 * u(x)) + if bell > 0.0 { 2.0 * x * bell * inner } else { 0.0 }
        },
    );
}

#[test]
fn a_number_has_the_value_that_it_has_in_a_slice() {
    fn check<A: Elementwise>(activation: A) {
        let x: Vec<f64> = (-40..=40).map(|i| f64::from(i) / 8.0).collect();
        let mut y = vec![f64::NAN; x.len()];
        activation.values(&x, &mut y);
        for (&x, y) in x.iter().zip(y) {
            let alone = activation.value(x);
            assert!((alone - y).abs() <= 1e-15 * y.abs().max(0.1), "{activation:?} of {x}: {alone}, {y}");
        }
    }
    check(Sigmoid);
    check(Tanh);
    check(ReLU);
    check(LeakyReLU::new(0.2));
    check(ELU::default());
    check(SELU);
    check(SiLU);
    check(GELU);
    check(GELUTanh);
    check(Softplus);
}

#[test]
fn ends_and_nan() {
    let at = |activation: &dyn Layer<f32>, x: f32| {
        let x = Array2::from_elem((1, 67), x);
        let mut y = x.clone();
        let (params, cache, mode) = (&[][..], &mut Cache::new(), Mode::Predict);
        activation.forward(Forward { params, x: x.view(), y: y.view_mut(), cache, mode });
        y[[0, 66]]
    };
    let least: [(&dyn Layer<f32>, f32); 3] =
        [(&ELU::default(), -1.0), (&SELU, (-SELU::SCALE * SELU::ALPHA) as f32), (&Softplus, 0.0)];
    for (activation, least) in least {
        assert_eq!(at(activation, f32::NEG_INFINITY), least, "{activation:?}");
    }
    let all: [&dyn Layer<f32>; 6] = [&ELU::default(), &SELU, &Softplus, &SiLU, &GELU, &GELUTanh];
    for activation in all {
        assert_eq!(at(activation, f32::INFINITY), f32::INFINITY, "{activation:?}");
        assert!(at(activation, f32::NAN).is_nan(), "{activation:?}");
    }
}
