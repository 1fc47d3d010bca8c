//! Curvature against dense Hessians, and the tangent kernel against training.

use geartrain::layers::{ELU, ReLU, Softmax};
use geartrain::loss::Huber;
use geartrain::prelude::*;
use geartrain_lab::{Curvature, CurvatureMatrix, TangentKernel, linearise, normal_batch};
use ndarray::{Array1, Array2};
use serde_json::Value;

/// A network, its loss and data, and its dense Hessian as PyTorch computed it.
struct Case {
    network: Network<f64>,
    loss: Box<dyn Loss<f64>>,
    x: Array2<f64>,
    target: Array2<f64>,
    hessian: Array2<f64>,
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(rows) => rows.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

fn matrix(rows: &Value) -> Array2<f64> {
    let (values, rows) = (numbers(rows), rows.as_array().unwrap().len());
    Array2::from_shape_vec((rows, values.len() / rows), values).unwrap()
}

fn case(name: &str) -> Case {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/hessians.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let found = file["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap();
    let (layers, loss): (_, Box<dyn Loss<f64>>) = match name {
        "layer_norm" => {
            let hidden = Sequential::new().then(Linear::new(3, 4)).then(Tanh).then(LayerNorm::new(4));
            (hidden.then(Linear::new(4, 2)), Box::new(MeanSquaredError))
        }
        _ => {
            let layers = Sequential::new().then(Linear::new(2, 3)).then(ELU::new(0.5)).then(Softmax);
            (layers, Box::new(Huber::new(0.3)))
        }
    };
    let mut network = Network::new(layers).unwrap();
    network.params_mut().copy_from_slice(&numbers(&found["params"]));
    let [x, target, hessian] = ["x", "target", "hessian"].map(|key| matrix(&found[key]));
    Case { network, loss, x, target, hessian }
}

impl Case {
    fn curvature(&self) -> Curvature<'_, f64> {
        Curvature::new(&self.network, &self.loss, &self.x, &self.target)
    }
}

#[test]
fn all_eigenpairs_are_those_of_the_dense_hessian() {
    for name in ["layer_norm", "softmax"] {
        let case = case(name);
        let n = case.hessian.nrows();
        let found = case.curvature().tolerance(1e-12).top(n).unwrap();
        assert_eq!(found.products, n);
        for (value, vector) in found.values.iter().zip(&found.vectors) {
            let u = Array1::from(vector.clone());
            let rest = case.hessian.dot(&u) - *value * &u;
            assert!(
                (u.dot(&u) - 1.0).abs() < 1e-10 && rest.iter().all(|r| r.abs() < 1e-8),
                "{name}: {value}"
            );
        }
        assert!(found.values.windows(2).all(|pair| pair[0] >= pair[1]));
        let trace: f64 = case.hessian.diag().sum();
        let squares: f64 = case.hessian.iter().map(|h| h * h).sum();
        assert!((found.values.iter().sum::<f64>() - trace).abs() < 1e-8);
        assert!((found.values.iter().map(|v| v * v).sum::<f64>() - squares).abs() < 1e-8);
        assert_eq!(found.smallest, *found.values.last().unwrap());
    }
}

#[test]
fn few_products_find_the_top_eigenvalues_within_the_stated_error() {
    let case = case("layer_norm");
    let all = case.curvature().tolerance(1e-12).top(34).unwrap();
    for products in [4, 8, 12, 20] {
        let top = case.curvature().tolerance(0.0).max_products(products).top(3).unwrap();
        assert_eq!(top.products, products);
        for (value, error) in top.values.iter().zip(&top.errors) {
            let nearest = all.values.iter().map(|exact| (exact - value).abs()).fold(f64::INFINITY, f64::min);
            assert!(nearest <= error + 1e-12, "{value} ± {error}: off by {nearest}");
        }
    }
    // from the right vector, one product suffices
    let start = all.vectors[0].clone();
    let again = case.curvature().start(start).unwrap().tolerance(1e-8).top(1).unwrap();
    assert!(again.products == 1 && (again.values[0] - all.values[0]).abs() < 1e-10);
}

#[test]
fn a_block_and_a_scaled_matrix_are_parts_of_the_whole() {
    let case = case("layer_norm");
    let range = case.network.layout().find("3.weight").unwrap().1;
    let mut block = case.curvature().layer("3.weight").unwrap();
    assert_eq!(block.dimension(), 8);
    let v: Vec<f64> = (0..34).map(|i| f64::from(i).sin()).collect();
    let product = block.product(&v).unwrap();
    for (i, product) in product.iter().enumerate() {
        let dense: f64 = range.clone().map(|j| case.hessian[[i, j]] * v[j]).sum();
        let expected = if range.contains(&i) { dense } else { 0.0 };
        assert!((product - expected).abs() < 1e-10);
    }
    assert_eq!(case.curvature().layer("3").unwrap().dimension(), 10);
    assert!(case.curvature().layer("7").is_err());
    let d: Vec<f64> = (0..34).map(|i| 1.0 + 0.1 * f64::from(i)).collect();
    let product = case.curvature().scaled(d.clone()).unwrap().product(&v).unwrap();
    for (i, product) in product.iter().enumerate() {
        let dense: f64 = (0..34).map(|j| d[i] * case.hessian[[i, j]] * d[j] * v[j]).sum();
        assert!((product - dense).abs() < 1e-10);
    }
    let along = case.curvature().along(&v).unwrap();
    let v = Array1::from(v);
    assert!((along - v.dot(&case.hessian.dot(&v)) / v.dot(&v)).abs() < 1e-10);
    assert!(case.curvature().top(0).is_err() && case.curvature().top(35).is_err());
    assert!(case.curvature().trace(1).is_err() && case.curvature().scaled(vec![1.0]).is_err());
}

#[test]
fn trace_diagonal_and_density_agree_with_the_dense_hessian() {
    let case = case("layer_norm");
    let trace: f64 = case.hessian.diag().sum();
    let estimate = case.curvature().trace(400).unwrap();
    assert!((estimate.value - trace).abs() < 4.0 * estimate.error, "{estimate} for {trace}");
    assert!(estimate.error < 0.1 * trace.abs());
    let diagonal = case.curvature().diagonal(400).unwrap();
    let far = diagonal
        .iter()
        .zip(case.hessian.diag())
        .filter(|(estimate, exact)| (estimate.value - **exact).abs() > 3.0 * estimate.error)
        .count();
    assert!(far <= 2, "{far} of 34 entries are more than three standard errors off");
    // A full quadrature is exact for each random vector, so that only these matter.
    let density = case.curvature().density(200, 34).unwrap();
    let all = case.curvature().tolerance(1e-12).top(34).unwrap();
    let mean = |f: &dyn Fn(f64) -> f64| all.values.iter().map(|v| f(*v)).sum::<f64>() / 34.0;
    for f in [&|v: f64| v, &|v: f64| f64::from(u8::from(v > 0.2))] as [&dyn Fn(f64) -> f64; 2] {
        let estimate = density.mean(f);
        assert!((estimate.value - mean(f)).abs() < 4.0 * estimate.error, "{estimate} for {}", mean(f));
    }
    let area: f64 = density.curve(4000).windows(2).map(|p| (p[1].0 - p[0].0) * (p[0].1 + p[1].1) / 2.0).sum();
    assert!((area - 1.0).abs() < 1e-3, "{area}");
    assert!(density.svg("a net").starts_with("<svg"));
}

#[test]
fn gauss_newton_has_no_negative_eigenvalue() {
    let case = case("layer_norm");
    let hessian = case.curvature().top(34).unwrap();
    let gauss_newton = case.curvature().matrix(CurvatureMatrix::GaussNewton).top(34).unwrap();
    assert!(hessian.smallest < -1e-3 && gauss_newton.smallest > -1e-12);
    // its rank is at most the number of outputs of all rows
    assert!(gauss_newton.values[12].abs() < 1e-12 && gauss_newton.values[11] > 1e-9);
}

#[test]
fn the_tangent_kernel_predicts_the_training_of_a_wide_network() {
    let course = |width: usize| {
        let layers = Sequential::new().then(Linear::new(3, width)).then(ReLU).then(Linear::new(width, 1));
        let network = Network::<f64>::new(layers).unwrap().with_seed(3);
        let (x, target) = (normal_batch(6, 3, 1), normal_batch(6, 1, 2));
        let kernel = TangentKernel::new(&network, &x).unwrap();
        let values = kernel.eigenvalues();
        assert_eq!(values.len(), 6);
        assert!((values.iter().sum::<f64>() - kernel.matrix.diag().sum()).abs() < 1e-9 * values[0]);
        linearise(&network, &x, &target, 6.0 / (4.0 * values[0]), 200).unwrap()
    };
    let error = |width: usize| {
        let course = course(width);
        let far = course.losses.iter().zip(&course.predicted).map(|(a, b)| (a - b).abs());
        assert_eq!(course.losses[0], course.predicted[0]);
        (far.fold(0.0, f64::max) / course.losses[0], course.kernel_change)
    };
    let svg = course(32).svg("both & more");
    assert!(
        svg.contains("both &amp; more") && svg.contains("linearised") && svg.contains("kernel changes by")
    );
    let (narrow, wide) = (error(32), error(2048));
    assert!(wide.0 < 0.02 && wide.0 < narrow.0 / 4.0, "{narrow:?} {wide:?}");
    assert!(wide.1 < 0.02 && wide.1 < narrow.1 / 4.0, "{narrow:?} {wide:?}");
}
