//! Data sets from arrays and formulas: splits, batches, scales, and everything that can be wrong
//! with them.

use geartrain::data::{
    Batches, Csv, DataError, DataProblem, Dataset, Missing, Part, Scaling, StandardScaler, toy,
};
use ndarray::{Array1, Array2, Axis, array, s};

fn numbered(rows: usize) -> Dataset<f64> {
    let x = Array2::from_shape_fn((rows, 2), |(row, column)| (10 * row + column) as f64);
    Dataset::with_one_output(x, (0..rows).map(|row| row as f64).collect()).unwrap()
}

/// The rows of a part of `numbered`, recognised by their target; the features must have come along.
fn rows_of(data: &Dataset<f64>) -> Vec<usize> {
    for (x, y) in data.x().rows().into_iter().zip(data.y().column(0)) {
        assert_eq!(x, array![10.0 * y, 10.0 * y + 1.0]);
    }
    data.y().iter().map(|&y| y as usize).collect()
}

// ---- Datasets from arrays

#[test]
fn nan_in_x_is_found_by_row_and_name() {
    let mut x = Array2::<f64>::zeros((4, 3));
    x[[2, 1]] = f64::NAN;
    x[[3, 0]] = f64::NAN;
    let data = Dataset::new(x, Array2::zeros((4, 1))).unwrap().named(["a", "hp", "c"], ["mpg"]).unwrap();
    let error = data.check_finite().unwrap_err();
    assert!(
        matches!(&error.problem, DataProblem::NotFinite { part: Part::X, row: 2, column: 1, name: Some(name), value }
        if name == "hp" && value.is_nan())
    );
    assert_eq!(error.to_string(), "x[[2, 1]] (`hp`) is NaN, which is not finite");
}

#[test]
fn infinity_in_x_is_found() {
    let data = Dataset::new(array![[0.0f32], [f32::NEG_INFINITY]], array![[0.0], [0.0]]).unwrap();
    let error = data.check_finite().unwrap_err();
    assert_eq!(error.to_string(), "x[[1, 0]] (`x0`) is -inf, which is not finite");
}

#[test]
fn nan_or_infinity_in_y_is_found() {
    for bad in [f64::NAN, f64::INFINITY] {
        let data = Dataset::new(Array2::zeros((3, 1)), array![[0.0, 0.0], [0.0, bad], [0.0, 0.0]]).unwrap();
        let error = data.check_finite().unwrap_err();
        assert!(
            matches!(error.problem, DataProblem::NotFinite { part: Part::Y, row: 1, column: 1, .. }),
            "{error}"
        );
    }
    numbered(3).check_finite().unwrap();
}

#[test]
fn no_rows_or_no_columns() {
    for (x, y) in [((0, 3), (0, 1)), ((4, 0), (4, 1)), ((4, 3), (4, 0))] {
        let error = Dataset::<f64>::new(Array2::zeros(x), Array2::zeros(y)).unwrap_err();
        let DataProblem::EmptyDataset { rows, features, outputs } = error.problem else { panic!("{error}") };
        assert_eq!(((rows, features), (rows, outputs)), (x, y));
    }
}

#[test]
fn rows_of_x_and_y_differ() {
    let error = Dataset::<f64>::new(Array2::zeros((4, 3)), Array2::zeros((5, 1))).unwrap_err();
    assert!(matches!(error.problem, DataProblem::RowCounts { x: 4, y: 5 }), "{error}");
    let error = Dataset::<f64>::new(Array2::zeros((4, 3)), Array2::zeros((0, 1))).unwrap_err();
    assert!(matches!(error.problem, DataProblem::RowCounts { x: 4, y: 0 }), "{error}");
}

#[test]
fn one_output_is_one_column() {
    let data = Dataset::with_one_output(array![[1.0], [2.0]], array![5.0, 6.0]).unwrap();
    assert_eq!(data.y(), array![[5.0], [6.0]]);
    let error = Dataset::with_one_output(array![[1.0], [2.0]], Array1::zeros(3)).unwrap_err();
    assert!(matches!(error.problem, DataProblem::RowCounts { x: 2, y: 3 }), "{error}");
}

#[test]
fn names_must_fit_the_columns() {
    let data = numbered(3);
    assert_eq!(data.feature_names(), ["x0", "x1"]);
    assert_eq!(data.target_names(), ["y0"]);
    let error = data.clone().named(["a"], ["y"]).unwrap_err();
    assert!(
        matches!(error.problem, DataProblem::NameCount { part: Part::X, expected: 2, got: 1 }),
        "{error}"
    );
    let error = data.named(["a", "b"], ["y", "z"]).unwrap_err();
    assert!(
        matches!(error.problem, DataProblem::NameCount { part: Part::Y, expected: 1, got: 2 }),
        "{error}"
    );
}

#[test]
fn any_layout_is_stored_row_by_row() {
    let wide = Array2::from_shape_fn((6, 4), |(row, column)| (10 * row + column) as f64);
    let mut reversed = wide.clone();
    reversed.invert_axis(Axis(0));
    let row = array![1.0, 2.0, 3.0];
    let mut sliced = wide.clone();
    sliced.slice_collapse(s![..;2, ..;2]);
    for x in [wide.clone().reversed_axes(), reversed, sliced, row.broadcast((5, 3)).unwrap().to_owned()] {
        let rows = x.nrows();
        let data = Dataset::new(x.clone(), Array2::zeros((1, rows)).reversed_axes()).unwrap();
        assert_eq!(data.x(), x);
        assert!(data.x().is_standard_layout() && data.y().is_standard_layout());
    }
}

#[test]
fn select_takes_rows_in_order_and_again() {
    let data = numbered(5);
    assert_eq!(rows_of(&data.select(&[4, 0, 4]).unwrap()), [4, 0, 4]);
    let error = data.select(&[0, 5]).unwrap_err();
    assert!(matches!(error.problem, DataProblem::RowIndex { index: 5, rows: 5 }), "{error}");
    assert!(matches!(data.select(&[]).unwrap_err().problem, DataProblem::EmptyDataset { rows: 0, .. }));
}

// ---- Splits and batches

#[test]
fn split_shares_out_every_row_once() {
    let data = numbered(101);
    let (train, test) = data.split(0.2, 7).unwrap();
    assert_eq!((train.rows(), test.rows()), (81, 20));
    let mut all = [rows_of(&train), rows_of(&test)].concat();
    assert!(!all.is_sorted(), "the rows are shuffled");
    all.sort_unstable();
    assert_eq!(all, (0..101).collect::<Vec<_>>());
    assert_eq!(train.feature_names(), data.feature_names());
}

#[test]
fn same_seed_same_split() {
    let data = numbered(50);
    assert_eq!(data.split(0.3, 7).unwrap(), data.split(0.3, 7).unwrap());
    let seeds = [0, 1, u64::MAX].map(|seed| data.split(0.3, seed).unwrap());
    assert!(seeds[0] != seeds[1] && seeds[1] != seeds[2] && seeds[0] != seeds[2]);
}

#[test]
fn split_fractions_without_meaning() {
    let data = numbered(10);
    for fraction in [0.0, -0.0, 1.0, 1.5, -0.5, f64::NAN, f64::INFINITY] {
        let error = data.split(fraction, 0).unwrap_err();
        assert!(matches!(error.problem, DataProblem::Fraction { .. }), "{error}");
    }
    let error = data.split(0.01, 0).unwrap_err();
    assert!(matches!(error.problem, DataProblem::EmptySide { train: 10, test: 0, .. }), "{error}");
    let error = data.split(0.99, 0).unwrap_err();
    assert!(matches!(error.problem, DataProblem::EmptySide { train: 0, test: 10, .. }), "{error}");
    assert!(numbered(1).split(0.5, 0).is_err());
}

#[test]
fn folds_validate_each_row_once() {
    for (rows, k) in [(10, 5), (23, 5), (7, 7), (9, 2)] {
        let folds = numbered(rows).folds(k, 3).unwrap();
        assert_eq!(folds.len(), k);
        let mut validated = Vec::new();
        for (fold, (train, validation)) in folds.iter().enumerate() {
            assert_eq!(validation.rows(), rows / k + usize::from(fold < rows % k));
            let mut all = [rows_of(train), rows_of(validation)].concat();
            all.sort_unstable();
            assert_eq!(all, (0..rows).collect::<Vec<_>>());
            validated.extend(rows_of(validation));
        }
        assert!(rows < 9 || !validated.is_sorted(), "the rows are shuffled");
        validated.sort_unstable();
        assert_eq!(validated, (0..rows).collect::<Vec<_>>());
    }
    for k in [0, 1, 11] {
        assert!(matches!(numbered(10).folds(k, 0).unwrap_err().problem, DataProblem::Folds { rows: 10, .. }));
    }
}

fn epoch_order(batches: &mut Batches<f64>) -> Vec<usize> {
    (0..batches.count()).flat_map(|index| batches.get(index).1.to_owned()).map(|y| y as usize).collect()
}

#[test]
fn batches_hold_every_row_once_per_epoch() {
    let data = numbered(10);
    let mut batches = Batches::new(&data, 4, 1).unwrap();
    assert_eq!(batches.count(), 3);
    assert_eq!(epoch_order(&mut batches), (0..10).collect::<Vec<_>>());
    batches.shuffle(0);
    let sizes: Vec<usize> = (0..3).map(|index| batches.get(index).0.nrows()).collect();
    assert_eq!(sizes, [4, 4, 2]);
    let (x, y) = batches.get(2);
    assert_eq!(x.column(0), &y.column(0) * 10.0);
    assert!(x.is_standard_layout() && y.is_standard_layout());
    let mut order = epoch_order(&mut batches);
    assert!(!order.is_sorted());
    order.sort_unstable();
    assert_eq!(order, (0..10).collect::<Vec<_>>());
}

#[test]
fn an_epoch_does_not_depend_on_the_epochs_before() {
    let data = numbered(50);
    let mut straight = Batches::new(&data, 8, 5).unwrap();
    let orders: Vec<_> =
        (0..4).map(|epoch| (straight.shuffle(epoch), epoch_order(&mut straight)).1).collect();
    let mut resumed = Batches::new(&data, 8, 5).unwrap();
    resumed.shuffle(3);
    assert_eq!(epoch_order(&mut resumed), orders[3]);
    assert!(orders[0] != orders[1] && orders[1] != orders[2] && orders[2] != orders[3]);
    let mut other = Batches::new(&data, 8, 6).unwrap();
    other.shuffle(3);
    assert_ne!(epoch_order(&mut other), orders[3]);
}

#[test]
fn batches_reuse_their_memory() {
    let data = numbered(50);
    let mut batches = Batches::new(&data, 8, 5).unwrap();
    let places: Vec<_> = (0..3)
        .flat_map(|epoch| {
            batches.shuffle(epoch);
            (0..batches.count()).map(|index| batches.get(index).0.as_ptr()).collect::<Vec<_>>()
        })
        .collect();
    assert!(places.iter().all(|place| *place == places[0]));
}

#[test]
fn batch_size_zero() {
    assert!(matches!(Batches::new(&numbered(5), 0, 0).unwrap_err().problem, DataProblem::BatchSize));
}

#[test]
fn a_large_batch_size_gives_one_batch() {
    let data = numbered(5);
    let mut batches = Batches::new(&data, usize::MAX, 0).unwrap();
    assert_eq!((batches.count(), batches.get(0).0.nrows()), (1, 5));
}

// ---- StandardScaler

#[test]
fn scaler_agrees_with_its_definition() {
    let data =
        Dataset::<f64>::from_csv("data/auto-mpg.csv", &Csv::new("mpg").drop_columns(["name"])).unwrap();
    let scale = StandardScaler::fit(data.x()).unwrap();
    let z = scale.transform(data.x()).unwrap();
    let mean = data.x().mean_axis(Axis(0)).unwrap();
    let std = data.x().std_axis(Axis(0), 0.0);
    for column in 0..7 {
        assert!((scale.mean()[column] / mean[column] - 1.0).abs() < 1e-14);
        assert!((scale.std()[column] / std[column] - 1.0).abs() < 1e-14);
        assert!(z.column(column).mean().unwrap().abs() < 1e-14);
        assert!((z.column(column).std(0.0) - 1.0).abs() < 1e-14);
    }
    let back = scale.inverse_transform(&z).unwrap();
    assert!(back.iter().zip(data.x()).all(|(back, x)| (back - x).abs() < 1e-11));
    assert!(scale.constant_columns().is_empty());
}

#[test]
fn scaler_keeps_digits_under_a_large_mean() {
    let x = array![[1e9 + 1.0], [1e9 + 2.0], [1e9 + 3.0]];
    let scale = StandardScaler::fit(&x).unwrap();
    assert_eq!(scale.mean()[0], 1e9 + 2.0);
    assert!((scale.std()[0] - (2.0f64 / 3.0).sqrt()).abs() < 1e-15);
}

#[test]
fn a_constant_column_becomes_zero() {
    let x = array![[0.1f32, 0.0, 1.0], [0.1, 0.0, 2.0], [0.1, 0.0, 4.0]];
    let scale = StandardScaler::fit(&x).unwrap();
    assert_eq!(scale.constant_columns(), [0, 1]);
    assert_eq!(scale.std().slice(s![..2]), array![1.0, 1.0]);
    let z = scale.transform(&x).unwrap();
    assert_eq!(z.slice(s![.., ..2]), Array2::<f32>::zeros((3, 2)));
    assert_eq!(scale.inverse_transform(&z).unwrap().column(0), x.column(0));

    // 0.1 + 0.2 is not 0.3, but that is rounding and not something to learn from.
    let rounding = StandardScaler::fit(&array![[0.3], [0.1 + 0.2], [0.3]]).unwrap();
    assert_eq!(rounding.constant_columns(), [0]);
    assert_eq!(StandardScaler::fit(&array![[7.0]]).unwrap().constant_columns(), [0]);
}

#[test]
fn scaler_other_columns() {
    let scale = StandardScaler::fit(&array![[1.0, 2.0], [3.0, 5.0]]).unwrap();
    let other = Array2::<f64>::zeros((2, 3));
    for result in [scale.transform(&other), scale.inverse_transform(&other)] {
        let error = result.unwrap_err();
        assert!(matches!(error.problem, DataProblem::ColumnCount { expected: 2, got: 3 }), "{error}");
    }
}

#[test]
fn values_at_the_end_of_the_range() {
    let x = array![[1e308, f64::MAX], [-1e308, f64::MAX], [1e308, f64::MIN], [1e308, f64::MIN]];
    let scale = StandardScaler::fit(&x).unwrap();
    assert!((scale.mean()[0] / 5e307 - 1.0).abs() < 1e-14 && (scale.mean()[1] / f64::MAX).abs() < 1e-14);
    let z = scale.transform(&x).unwrap();
    let third = 1.0 / 3f64.sqrt();
    let expected = array![[third, 1.0], [-3.0 * third, 1.0], [third, -1.0], [third, -1.0]];
    assert!((z - &expected).iter().all(|error| error.abs() < 1e-14));
    let back = scale.inverse_transform(&(expected * 0.999)).unwrap();
    assert!(back.iter().zip(&x).all(|(back, x)| (back / x - 1.0).abs() < 2e-3));
    let x = x.slice(s![.., ..1]).mapv(|x| (x / 1e270) as f32);
    let scale = StandardScaler::fit(&x).unwrap();
    assert!((scale.transform(&x).unwrap()[[1, 0]] + 3f32.sqrt()).abs() < 1e-6);
}

#[test]
fn scaling_there_and_back_passes_through_numbers_out_of_range() {
    // x − mean is −1.875e308, and so is z · std on the way back.
    let x = array![[-1e308], [1.5e308], [1.5e308], [1.5e308]];
    let scale = StandardScaler::fit(&x).unwrap();
    let third = 1.0 / 3f64.sqrt();
    let z = scale.transform(&x).unwrap();
    assert!((z.clone() - array![[-3.0 * third], [third], [third], [third]]).iter().all(|e| e.abs() < 1e-14));
    let back = scale.inverse_transform(&z).unwrap();
    assert!(back.iter().zip(&x).all(|(back, x)| (back / x - 1.0).abs() < 1e-14), "{back}");
    // What is out of range in the end is an error.
    let error = scale.inverse_transform(&array![[2.0]]).unwrap_err();
    assert!(matches!(error.problem, DataProblem::NotFinite { part: Part::Scaled, row: 0, column: 0, .. }));
}

#[test]
fn equal_numbers_up_to_their_last_bits_are_constant() {
    let next = |x: f64, ulps: u64| f64::from_bits(x.to_bits() + ulps);
    let constant = |values: [f64; 3]| {
        let column = Array2::from_shape_fn((3, 1), |(row, _)| values[row]);
        !StandardScaler::fit(&column).unwrap().constant_columns().is_empty()
    };
    for x in [1.0, -1.0, 3e-320, 1e-200, 1e200] {
        let step = if x < 1e-300 { 0 } else { 4 };
        assert!(constant([x, next(x, step), x]), "{x}");
        assert!(!constant([x, next(x, 9), x]), "{x}");
        assert!(!constant([next(x, 9), x, x]), "{x}");
    }
    assert!(constant([0.0, -0.0, 0.0]) && !constant([-1.0, 1.0, 0.0]));
}

#[test]
fn subnormal_values() {
    let tiny = f64::MIN_POSITIVE / 1024.0;
    let scale = StandardScaler::fit(&array![[tiny], [3.0 * tiny]]).unwrap();
    let z = scale.transform(&array![[tiny], [3.0 * tiny]]).unwrap();
    assert!((z[[0, 0]] + 1.0).abs() < 1e-9 && (z[[1, 0]] - 1.0).abs() < 1e-9, "{z}");
    let scale = StandardScaler::fit(&array![[0.0f64], [5e-324]]).unwrap();
    assert!(scale.transform(&array![[0.0f64], [5e-324]]).unwrap().iter().all(|z| z.is_finite()));
}

#[test]
fn scaler_does_not_care_about_layout() {
    let x = Array2::from_shape_fn((6, 4), |(row, column)| ((row * 7 + column * 3) % 11) as f32);
    let copy = x.t().to_owned();
    let scale = StandardScaler::fit(&x.t()).unwrap();
    assert_eq!(scale, StandardScaler::fit(&copy.as_standard_layout()).unwrap());
    assert_eq!(scale.transform(&x.t()).unwrap(), scale.transform(&copy).unwrap());
}

#[test]
fn scaler_refuses_what_is_not_finite_or_not_there() {
    assert!(matches!(
        StandardScaler::fit(&Array2::<f32>::zeros((0, 3))),
        Err(DataError { problem: DataProblem::EmptyDataset { .. }, .. })
    ));
    assert!(matches!(
        StandardScaler::fit(&Array2::<f32>::zeros((3, 0))),
        Err(DataError { problem: DataProblem::EmptyDataset { .. }, .. })
    ));
    let bad = array![[1.0, 2.0], [3.0, f64::NAN]];
    let error = StandardScaler::fit(&bad).unwrap_err();
    assert_eq!(error.to_string(), "x[[1, 1]] is NaN, which is not finite");
    let scale = StandardScaler::fit(&array![[1.0, 1e-30], [3.0, 2e-30]]).unwrap();
    assert!(matches!(
        scale.transform(&bad),
        Err(DataError { problem: DataProblem::NotFinite { part: Part::X, row: 1, column: 1, .. }, .. })
    ));
    assert!(scale.inverse_transform(&bad).is_err());
    // Finite, but so far from what was fitted that the result does not fit into the type.
    let error = scale.transform(&array![[0.0f32, 1e30]]).unwrap_err();
    assert_eq!(error.to_string(), "scaled[[0, 1]] is inf, which is not finite");
}

// ---- Toy sets

fn f32_agrees_with_f64(narrow: Dataset<f32>, wide: Dataset<f64>) {
    assert_eq!(narrow.x(), wide.x().mapv(|x| x as f32));
    assert_eq!(narrow.y(), wide.y().mapv(|y| y as f32));
}

#[test]
fn toy_sets_are_functions_of_their_seed() {
    type Toy<F> = fn(usize, f64, u64) -> Result<Dataset<F>, DataError>;
    let sets: [(Toy<f32>, Toy<f64>, usize); 4] = [
        (toy::sine, toy::sine, 1),
        (toy::friedman1, toy::friedman1, 10),
        (toy::two_moons, toy::two_moons, 2),
        (toy::two_spirals, toy::two_spirals, 2),
    ];
    for (narrow, wide, features) in sets {
        for n in [1, 2, 3, 100] {
            let data = wide(n, 0.1, 7).unwrap();
            assert_eq!((data.rows(), data.features(), data.outputs()), (n, features, 1));
            data.check_finite().unwrap();
            assert_eq!(data, wide(n, 0.1, 7).unwrap());
            assert_ne!(data.x(), wide(n, 0.1, 8).unwrap().x());
            f32_agrees_with_f64(narrow(n, 0.1, 7).unwrap(), data);
        }
        assert!(matches!(wide(0, 0.1, 7).unwrap_err().problem, DataProblem::EmptyDataset { rows: 0, .. }));
        for noise in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(wide(10, noise, 7).unwrap_err().problem, DataProblem::Noise { .. }));
        }
    }
}

#[test]
fn sine_is_hard_for_a_straight_line() {
    // R² of the best line is the squared correlation. A reference set of this kind has 0.656.
    let data = toy::sine::<f64>(20_000, 0.1, 7).unwrap();
    let (x, y) = (data.x().column(0).to_owned(), data.y().column(0).to_owned());
    assert!(x.iter().all(|x| (-3.0..3.0).contains(x)));
    let (x, residual) = (&x - x.mean().unwrap(), &y - &x.mapv(f64::sin));
    let y = &y - y.mean().unwrap();
    let r2 = x.dot(&y).powi(2) / (x.dot(&x) * y.dot(&y));
    assert!((r2 - 0.67).abs() < 0.02, "{r2}");
    assert!((residual.std(0.0) - 0.1).abs() < 0.003);
}

#[test]
fn friedman1_is_its_formula() {
    let data = toy::friedman1::<f64>(5_000, 1.0, 7).unwrap();
    let clean = data.x().map_axis(Axis(1), |x| {
        10.0 * (std::f64::consts::PI * x[0] * x[1]).sin()
            + 20.0 * (x[2] - 0.5).powi(2)
            + 10.0 * x[3]
            + 5.0 * x[4]
    });
    let noise = &data.y().column(0) - &clean;
    assert!((noise.std(0.0) - 1.0).abs() < 0.04 && noise.mean().unwrap().abs() < 0.05);
    // Known mean and standard deviation of the function without noise: 14.41 and 4.86.
    assert!((clean.mean().unwrap() - 14.41).abs() < 0.25 && (clean.std(0.0) - 4.86).abs() < 0.15);
}

#[test]
fn moons_and_spirals_lie_on_their_curves() {
    let moons = toy::two_moons::<f64>(101, 0.0, 7).unwrap();
    assert_eq!(moons.y().sum(), 50.0);
    for (x, &class) in moons.x().rows().into_iter().zip(moons.y()) {
        let (a, b) = if class == 0.0 { (x[0], x[1]) } else { (1.0 - x[0], 0.5 - x[1]) };
        assert!((a.hypot(b) - 1.0).abs() < 1e-12 && b > -1e-12);
    }
    assert_eq!((moons.x()[[0, 0]], moons.x()[[100, 0]]), (1.0, -1.0));

    let spirals = toy::two_spirals::<f64>(100, 0.0, 7).unwrap();
    assert_eq!(spirals.y().sum(), 50.0);
    let radii: Vec<f64> = spirals.x().rows().into_iter().map(|x| x[0].hypot(x[1])).collect();
    assert!(radii.iter().any(|&radius| radius < 1.0) && radii.iter().any(|&radius| radius > 3.3));
    for (x, &class) in spirals.x().rows().into_iter().zip(spirals.y()) {
        let sign = 1.0 - 2.0 * class;
        let radius = x[0].hypot(x[1]);
        let angle = radius * std::f64::consts::PI;
        assert!((0.5..3.5).contains(&radius));
        assert!((x[0] - sign * radius * angle.cos()).abs() < 1e-12);
        assert!((x[1] - sign * radius * angle.sin()).abs() < 1e-12);
    }
}

#[test]
fn no_columns_are_no_data_set() {
    let error = Dataset::new(Array2::<f64>::zeros((3, 0)), Array2::zeros((3, 1))).unwrap_err();
    assert!(matches!(error.problem, DataProblem::EmptyDataset { rows: 3, features: 0, .. }), "{error}");
    let error = Dataset::new(Array2::<f64>::zeros((3, 2)), Array2::zeros((3, 0))).unwrap_err();
    assert!(matches!(error.problem, DataProblem::EmptyDataset { rows: 3, outputs: 0, .. }), "{error}");
}

#[test]
fn a_scale_exists_only_once_it_is_fitted() {
    // There is no other constructor, so nothing can be transformed before; and fitting nothing is
    // an error.
    assert!(StandardScaler::fit(&Array2::<f64>::zeros((0, 2))).is_err());
}

#[test]
fn numbers_are_written_with_a_point() {
    let error = Dataset::new(ndarray::array![[1.5], [f64::INFINITY]], Array2::zeros((2, 1))).unwrap();
    assert!(error.check_finite().unwrap_err().to_string().contains("inf"));
    let error = error.split(1.5, 0).unwrap_err().to_string();
    assert!(error.contains("1.5") && !error.contains("1,5"), "{error}");
}

#[test]
fn a_class_of_one_row_is_on_one_side_of_a_split() {
    let y = Array2::from_shape_fn((10, 1), |(row, _)| if row == 3 { 1.0 } else { 0.0 });
    let data = Dataset::new(Array2::<f64>::zeros((10, 2)), y).unwrap();
    for seed in 0..20 {
        let (train, test) = data.split(0.3, seed).unwrap();
        assert_eq!((train.rows(), test.rows()), (7, 3));
        assert_eq!(train.y().sum() + test.y().sum(), 1.0);
    }
}

// ---- Gaps

/// `rows` numbered rows in which every third `x` is missing, and one more column of numbers.
fn with_gaps(rows: usize, missing: Missing) -> Dataset<f64> {
    let x = |row: usize| if row.is_multiple_of(3) { String::new() } else { (row * row).to_string() };
    let lines: Vec<String> = (0..rows).map(|row| format!("{},{},{row}", x(row), row % 7)).collect();
    let text = format!("x,z,y\n{}\n", lines.join("\n"));
    Csv::new("y").missing(missing).read(text.as_bytes(), "gaps").unwrap()
}

/// The values that belong into the gaps of `with_gaps`, from the rows of `train`.
fn middles(train: &Dataset<f64>, missing: Missing) -> [f64; 2] {
    let rows: Vec<usize> = train.y().iter().map(|&y| y as usize).collect();
    let present = rows.iter().filter(|row| !row.is_multiple_of(3)).map(|&row| (row * row) as f64);
    [present.collect::<Vec<_>>(), rows.iter().map(|row| (row % 7) as f64).collect()].map(|mut numbers| {
        numbers.sort_by(f64::total_cmp);
        let (count, half) = (numbers.len(), numbers.len() / 2);
        match missing {
            Missing::Mean => numbers.iter().sum::<f64>() / count as f64,
            _ if count % 2 == 1 => numbers[half],
            _ => (numbers[half - 1] + numbers[half]) / 2.0,
        }
    })
}

fn assert_filled(data: &Dataset<f64>, expected: [f64; 2]) {
    let fill = data.fill().unwrap();
    assert!(fill.iter().zip(expected).all(|(fill, value)| (fill - value).abs() < 1e-12), "{fill:?}");
    for (x, &y) in data.x().rows().into_iter().zip(data.y().iter()) {
        let value = if (y as usize).is_multiple_of(3) { fill[0] } else { y * y };
        assert_eq!((x[0], x[1]), (value, (y as usize % 7) as f64));
    }
}

#[test]
fn gaps_are_filled_from_the_training_rows_of_a_split() {
    for missing in [Missing::Mean, Missing::Median] {
        let data = with_gaps(50, missing);
        assert_filled(&data, middles(&data, missing));
        let (train, test) = data.split(0.3, 5).unwrap();
        let expected = middles(&train, missing);
        assert!((expected[0] - data.fill().unwrap()[0]).abs() > 1.0, "the split changes the values");
        assert_filled(&train, expected);
        assert_filled(&test, expected);
        // A second split of the training rows, as for early stopping.
        let (inner, watched) = train.split(0.2, 1).unwrap();
        assert_filled(&inner, middles(&inner, missing));
        assert_filled(&watched, middles(&inner, missing));
    }
}

#[test]
fn gaps_are_filled_from_the_training_rows_of_each_fold() {
    for (train, validation) in with_gaps(40, Missing::Mean).folds(5, 3).unwrap() {
        let expected = middles(&train, Missing::Mean);
        assert_filled(&train, expected);
        assert_filled(&validation, expected);
    }
}

#[test]
fn the_test_rows_cannot_change_what_is_learned() {
    // Two tables that differ in the test rows alone train on the same numbers.
    let table = |far: f64| {
        let line = |row: usize| match row {
            _ if row % 5 == 1 => format!(",{row}"),
            0 => format!("{far},0"),
            _ => format!("{row},{row}"),
        };
        let text = format!("x,y\n{}\n", (0..30).map(line).collect::<Vec<_>>().join("\n"));
        let csv = Csv::new("y").missing(Missing::Mean);
        csv.read::<f64>(text.as_bytes(), "table").unwrap()
    };
    let [near, far] = [1.0, 1e6].map(table);
    assert_ne!(near.fill(), far.fill());
    let seed = (0..).find(|&seed| near.split(0.2, seed).unwrap().1.y().iter().any(|&y| y == 0.0)).unwrap();
    let [near, far] = [near, far].map(|data| data.split(0.2, seed).unwrap().0);
    assert_eq!((near.x(), near.fill()), (far.x(), far.fill()));
}

#[test]
fn scaling_fills_the_gaps_of_all_rows_with_those_of_the_training_rows() {
    let data = with_gaps(30, Missing::Mean);
    // Selected by hand: the gaps still hold the mean of all rows.
    let train = data.select(&(0..20).collect::<Vec<_>>()).unwrap();
    let test = data.select(&(20..30).rev().collect::<Vec<_>>()).unwrap();
    assert_eq!(test.fill(), data.fill());
    let scaling = Scaling::fit(&train).unwrap();
    let expected = middles(&train, Missing::Mean);
    assert!((scaling.x().mean()[0] - expected[0]).abs() < 1e-12, "the mean of the numbers");
    assert_filled(&scaling.fill_gaps(test.clone()).unwrap(), expected);
    for rows in [train, test] {
        let scaled: Dataset<f64> = scaling.apply(&rows).unwrap();
        assert!(scaled.fill().unwrap()[0].abs() < 1e-12, "{:?}", scaled.fill());
        for (x, y) in scaled.x().column(0).iter().zip(rows.y()) {
            assert!(!(*y as usize).is_multiple_of(3) || x.abs() < 1e-12, "row {y}: {x}");
        }
    }
    // Training rows without gaps: their means stand in for those of other rows.
    let csv = Csv::new("y");
    let whole: Dataset<f64> = csv.read("x,y\n1,1\n4,2\n".as_bytes(), "table").unwrap();
    let gap: Dataset<f64> = csv.missing(Missing::Median).read("x,y\n,1\n9,2\n".as_bytes(), "table").unwrap();
    let scaling = Scaling::fit(&whole).unwrap();
    assert_eq!(scaling.fill_gaps(gap).unwrap().x(), array![[2.5], [9.0]]);
}

#[test]
fn fill_values_of_a_feature_without_numbers_among_the_training_rows_stay() {
    let text = "x,y\n3,0\n,1\n5,2\n,3\n";
    let csv = Csv::new("y").missing(Missing::Mean);
    let data: Dataset<f32> = csv.read(text.as_bytes(), "table").unwrap();
    let seed =
        (0..).find(|&seed| data.split(0.5, seed).unwrap().0.y().iter().all(|y| y % 2.0 == 1.0)).unwrap();
    let (train, test) = data.split(0.5, seed).unwrap();
    assert_eq!(train.fill(), Some(&[4.0][..]));
    assert_eq!(train.x(), array![[4.0], [4.0]]);
    assert_eq!(test.fill(), train.fill());
    let error = data.with_fill(&[1.0, 2.0]).unwrap_err().to_string();
    assert_eq!(error, "fitted on 1 columns, got 2");
}

#[test]
fn rows_keep_their_gaps_with_other_targets() {
    let data = with_gaps(6, Missing::Mean);
    let shifted = data.clone().with_targets(data.y() + 1.0).unwrap();
    assert_eq!(shifted.y()[[5, 0]], 6.0);
    assert_eq!(shifted.with_fill(&[-1.0, 0.0]).unwrap().x()[[3, 0]], -1.0);
    let problem = |y| data.clone().with_targets(y).unwrap_err().problem;
    assert!(matches!(problem(Array2::zeros((5, 1))), DataProblem::RowCounts { x: 6, y: 5 }));
    assert!(matches!(problem(Array2::zeros((6, 2))), DataProblem::ColumnCount { expected: 1, got: 2 }));
}

#[test]
fn gaps_are_noted_with_what_fills_them() {
    let text = "a,b,y\n1,1,1\n,2,2\n,,3\n";
    let notes = |missing: Missing| {
        let data: Dataset<f64> = Csv::new("y").missing(missing).read(text.as_bytes(), "table").unwrap();
        data.notes().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let filled = "filled with the mean of the training rows";
    let expected = [
        format!("column 1 (`a`): 2 missing cells, {filled}"),
        format!("column 2 (`b`): 1 missing cell, {filled}"),
    ];
    assert_eq!(notes(Missing::Mean), expected);
    assert_eq!(notes(Missing::Median), expected.map(|note| note.replace("mean", "median")));
    assert_eq!(notes(Missing::DropRows).len(), 1);
}

#[test]
fn the_middle_of_numbers_near_the_end_of_the_range_is_finite() {
    let read = |missing: Missing, text: &str| -> Vec<f64> {
        let data: Dataset<f64> = Csv::new("y").missing(missing).read(text.as_bytes(), "table").unwrap();
        data.fill().unwrap().to_vec()
    };
    let large = "x,y\n1e308,1\n1.5e308,2\n1.7e308,3\n,4\n1.6e308,5\n";
    assert!((read(Missing::Mean, large)[0] / 1.45e308 - 1.0).abs() < 1e-14);
    assert!((read(Missing::Median, large)[0] / 1.55e308 - 1.0).abs() < 1e-14);
    assert_eq!(read(Missing::Median, "x,y\n5,1\n-1,2\n,3\n2,4\n"), [2.0]);
    let empty = Csv::new("y").missing(Missing::Mean).read::<f64>("x,y\n,1\n,2\n".as_bytes(), "table");
    assert!(matches!(empty.unwrap_err().problem, DataProblem::NothingToImpute));
}
