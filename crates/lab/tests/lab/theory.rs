//! The theory against independently computed numbers.

use crate::activations::Erf;
use geartrain::layers::{GELU, Identity, ReLU, SELU, Sigmoid, Tanh};
use geartrain::{Error, Layer};
use geartrain_lab::{self as lab, MeanField, Moments, formulas};

/// Asserts that `value` rounds to `printed`, to half a unit in the last digit.
#[track_caller]
fn prints_as(value: f64, printed: &str) {
    let digits = printed.split('.').nth(1).map_or(0, str::len) as i32;
    let expected: f64 = printed.parse().unwrap();
    assert!((value - expected).abs() <= 0.5000001 * 10_f64.powi(-digits), "{value} is not {printed}");
}

#[test]
fn one_layer_moments_to_every_printed_digit() {
    let rows: [(&dyn Layer<f64>, [&str; 5]); 6] = [
        (&Identity, ["1", "1", ".33333", "1", "2"]),
        (&ReLU, [".5", ".5", ".16667", ".5", "1"]),
        (&Tanh, [".394294", ".464403", ".15480", ".46440", ".92881"]),
        (&Sigmoid, [".293379", ".044836", ".01495", ".04484", ".08967"]),
        (&SELU, ["1.000000", "1.071575", ".35719", "1.07157", "2.14315"]),
        (&GELU, [".425221", ".455851", ".15195", ".45585", ".91170"]),
    ];
    for (activation, [square, slope, torch, xavier, he]) in rows {
        let moments = Moments::of(activation, 1.0).unwrap();
        prints_as(moments.square, square);
        prints_as(moments.slope_square, slope);
        for (variance, printed) in [(1.0 / 3.0, torch), (1.0, xavier), (2.0, he)] {
            prints_as(MeanField::new(activation, variance, 0.0).unwrap().chi(1.0), printed);
        }
    }
    // closed forms: E relu⁴ = 3/2; for tanh, E[z tanh tanh'] / q = dE tanh²/dq as a difference
    let relu = Moments::of(&ReLU, 1.0).unwrap();
    assert!((relu.fourth - 1.5).abs() < 1e-14 && (relu.slope_kurtosis() - 2.0).abs() < 1e-14);
    let square = |q| Moments::of(&Tanh, q).unwrap().square;
    let difference = (square(1.0 + 1e-5) - square(1.0 - 1e-5)) / 2e-5;
    assert!((Moments::of(&Tanh, 1.0).unwrap().growth - difference).abs() < 1e-9);
}

#[test]
fn fixed_points() {
    let xavier = MeanField::new(&Sigmoid, 1.0, 0.0).unwrap();
    let q = xavier.fixed_point().unwrap();
    prints_as(q, ".26469");
    prints_as(xavier.chi(q), ".055721");
    prints_as(xavier.chi(q).sqrt(), ".23605");
    assert_eq!(MeanField::new(&ReLU, 2.5, 0.0).unwrap().fixed_point(), None, "diverges");
    assert_eq!(MeanField::new(&ReLU, 2.0, 0.0).unwrap().fixed_point(), Some(1.0), "every q is a fixed point");
    for variance in [0.5, 0.99, 1.0] {
        assert_eq!(MeanField::new(&Tanh, variance, 0.0).unwrap().fixed_point(), Some(0.0), "{variance}");
    }
    // ReLU by hand: q = σw² q / 2 + σb²
    let q = MeanField::new(&ReLU, 1.0, 0.3).unwrap().fixed_point().unwrap();
    assert!((q - 0.6).abs() < 1e-13);
}

#[test]
fn edge_of_chaos() {
    let tanh = lab::critical(&Tanh, 0.05).unwrap().unwrap();
    prints_as(tanh.weight_variance, "1.760955");
    prints_as(tanh.q, ".570048");
    prints_as(lab::critical(&Erf, 0.05).unwrap().unwrap().weight_variance, "1.375839");
    prints_as(lab::critical(&Sigmoid, 0.0).unwrap().unwrap().weight_variance, "103.0");
    let relu = lab::critical(&ReLU, 0.0).unwrap().unwrap();
    assert!((relu.weight_variance - 2.0).abs() < 1e-12);
    assert!(lab::critical(&ReLU, 0.1).unwrap().is_none());
    let origin = lab::critical(&Tanh, 0.0).unwrap().unwrap();
    assert!((origin.weight_variance - 1.0).abs() < 1e-12 && origin.q == 0.0);

    let curve = lab::edge_of_chaos(&Tanh, 4.0, 30).unwrap();
    assert_eq!(curve.len(), 30);
    for point in &curve[1..] {
        let field = MeanField::new(&Tanh, point.weight_variance, point.bias_variance).unwrap();
        assert!((field.chi(point.q) - 1.0).abs() < 1e-12);
        assert!((field.next_q(point.q) - point.q).abs() < 1e-12);
    }
    // as in Poole et al.: σb increases from left to right
    assert!(curve.windows(2).all(|pair| pair[0].bias_variance < pair[1].bias_variance));
}

#[test]
fn depth_scales_of_tanh() {
    for (variance, printed) in [(0.8, "2.295"), (1.0, "3.627"), (1.3, "7.834")] {
        let scales = MeanField::new(&Tanh, variance, 0.05).unwrap().depth_scales().unwrap();
        prints_as(scales.correlation, printed);
        assert!(scales.length > 0.0 && scales.length < scales.correlation);
    }
    let chaotic = MeanField::new(&Tanh, 4.0, 0.05).unwrap().depth_scales().unwrap();
    assert!(chaotic.correlation < 0.0, "deviations grow");
}

#[test]
fn correlation_map_of_relu_is_the_arccos_kernel() {
    let field = MeanField::new(&ReLU, 2.0, 0.0).unwrap();
    for c in [-1.0, -0.99, -0.5, 0.0, 0.3, 0.9, 0.999, 1.0 - 1e-8, 1.0] {
        let error = field.next_correlation(1.7, c) - formulas::relu_kernel(c);
        assert!(error.abs() < 1e-12, "c = {c}: {error}");
    }
    // erf in closed form (Williams 1997): E erf(u) erf(v) = 2/π asin(2qc / (1 + 2q))
    let field = MeanField::new(&Erf, 1.0, 0.0).unwrap();
    let product = |c: f64| std::f64::consts::FRAC_2_PI * (2.0 * 0.8 * c / (1.0 + 2.0 * 0.8)).asin();
    for c in [-0.7, 0.2, 0.95] {
        assert!((field.next_correlation(0.8, c) - product(c) / product(1.0)).abs() < 1e-12);
    }
    // its slope at c = 1 is χ₁ (Schoenholz et al. 2017)
    let field = MeanField::new(&Tanh, 1.3, 0.05).unwrap();
    let q = field.fixed_point().unwrap();
    let slope = (1.0 - field.next_correlation(q, 1.0 - 1e-5)) / 1e-5;
    assert!((slope - field.chi(q)).abs() < 1e-5);
}

#[test]
fn normalisation_and_residual_formulas() {
    let [relu, sigmoid] = [&ReLU as &dyn Layer<f64>, &Sigmoid].map(|a| Moments::of(a, 1.0).unwrap());
    prints_as(formulas::layer_norm_energy(&relu), "1.0000");
    prints_as(formulas::batch_norm_energy(&relu), "1.4669");
    prints_as(formulas::layer_norm_energy(&sigmoid), ".1528");
    prints_as(formulas::batch_norm_energy(&sigmoid), "1.0336");
    prints_as(formulas::residual_energy(1.0, 10), "1024");
    // the two-layer branch W relu(W relu(h)) scaled by 1/√50 has c = 2/50
    prints_as(formulas::residual_energy(2.0 / 50.0, 50), "7.11");
}

#[test]
fn shattering_spread_and_width() {
    prints_as(formulas::relu_gradient_correlation(0.0, 4), ".1416");
    for (depth, printed) in [(2, ".25"), (4, ".0625"), (6, ".0156")] {
        prints_as(formulas::batch_norm_relu_gradient_correlation(depth), printed);
    }
    assert!(formulas::residual_gradient_correlation(0.0, 20) > formulas::relu_gradient_correlation(0.0, 20));
    let [relu, linear] = [&ReLU as &dyn Layer<f64>, &Identity].map(|a| Moments::of(a, 1.0).unwrap());
    let spread = |moments, ensemble| formulas::jacobian_spread(moments, ensemble, 8);
    prints_as(spread(&linear, formulas::Ensemble::Independent), "8");
    prints_as(spread(&relu, formulas::Ensemble::Independent), "16");
    prints_as(spread(&relu, formulas::Ensemble::Orthogonal), "8");
    prints_as(100.0 * formulas::log_energy_variance(&relu, 100), "5.000000");
    prints_as(100.0 * formulas::log_energy_variance(&linear, 100), "2.000000");
}

#[test]
fn path_energies_are_binomial() {
    let energies = formulas::path_energies(&[0.5; 6]);
    let binomial = [1.0, 6.0, 15.0, 20.0, 15.0, 6.0, 1.0];
    for (k, (energy, ways)) in energies.iter().zip(binomial).enumerate() {
        assert!((energy - ways * 0.5_f64.powi(k as i32)).abs() < 1e-14);
    }
    assert!((energies.iter().sum::<f64>() - 1.5_f64.powi(6)).abs() < 1e-12);
}

#[test]
fn layers_other_than_activations_are_errors() {
    let linear = geartrain::layers::Linear::new(1, 1);
    let error = Moments::of(&linear, 1.0).unwrap_err();
    assert_eq!(error.to_string(), "activation must be an elementwise layer, got Linear(1, 1)");
    assert!(matches!(MeanField::new(&Tanh, -1.0, 0.0), Err(Error::Argument { .. })));
    assert!(matches!(Moments::of(&Tanh, f64::NAN), Err(Error::Argument { .. })));
}
