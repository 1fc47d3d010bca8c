//! Training, files, reports.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use geartrain::io::TensorFile;
use geartrain_tables::{
    ClassWeights, Column, Error, Folds, Recipe, Regression, RegressionLoss, Table, TabularClassifier,
    TabularRegressor,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `y = 3 x + 2 [colour = red] + noise`, with gaps in `x`, a count, a class and weights.
pub fn table(rows: usize) -> Table {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut text = String::from("x,colour,other,y,count,class,w\n");
    for i in 0..rows {
        let (x, other): (f64, f64) = (rng.random_range(-1.0..1.0), rng.random());
        let colour = ["red", "green", "blue"][i % 3];
        let red = f64::from(u8::from(i % 3 == 0));
        let y = 3.0 * x + 2.0 * red + 0.1 * rng.random_range(-1.0..1.0);
        let count = (2.0 * (1.0 + x) + rng.random::<f64>()).floor();
        let class = if x > 0.3 { "high" } else { "low" };
        let x = if i % 11 == 5 { String::new() } else { format!("{x:.3}") };
        text += &format!("{x},{colour},{other:.3},{y:.4},{count},{class},{}\n", i % 4);
    }
    Table::parse_csv(text.as_bytes()).unwrap()
}

fn features(table: &Table, keep: &[&str]) -> Table {
    Table::new(keep.iter().map(|name| table.column(name).unwrap().clone())).unwrap()
}

/// A small, quick recipe.
fn quick() -> Recipe<Regression> {
    TabularRegressor::recipe().hidden(&[16]).epochs(15)
}

#[test]
fn a_regressor_learns_and_is_the_same_after_save_and_load() {
    let table = features(&table(300), &["x", "colour", "other", "y"]);
    let model = quick().epochs(120).ensemble(2).fit(&table, "y").unwrap();
    let scores = model.score(&table).unwrap();
    assert!(scores.get("r2").unwrap() > 0.9, "{scores}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let loaded = TabularRegressor::load(&path).unwrap();
    assert_eq!(loaded.predict(&table).unwrap(), model.predict(&table).unwrap());
    assert_eq!((loaded.encoder(), loaded.report()), (model.encoder(), model.report()));
    // As PyTorch names them.
    let file = TensorFile::open(&path).unwrap();
    let names: Vec<&str> = file.names().collect();
    let expected = ["0.0.bias", "0.0.weight", "0.3.bias", "0.3.weight", "1.0.bias"];
    for (name, expected) in names.iter().zip(expected) {
        assert_eq!(*name, format!("members.{expected}"));
    }
    let weight = file.get::<f32>("members.0.0.weight").unwrap();
    assert_eq!(weight.shape(), [16, model.encoder().width()]);
    let error = TabularClassifier::load(&path).unwrap_err().to_string();
    assert!(error.ends_with("expected a classifier, got a regressor"), "{error}");
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let table = features(&table(60), &["x", "y"]);
    let model = quick().epochs(1).fit(&table, "y").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let saved = TensorFile::open(&path).unwrap();
    let json = saved.metadata("geartrain.tables").unwrap().to_string();
    let load = |json: &str| {
        let mut file = saved.clone();
        file.set_metadata("geartrain.tables", json);
        file.save(&path).unwrap();
        TabularRegressor::load(&path)
    };
    assert!(load(&json).is_ok());
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"hidden\":[16]", "\"hidden\":[4000000000]"),
        ("\"hidden\":[16]", "\"hidden\":[]"),
        ("\"hidden\":[16]", "\"hidden\":[16,16]"),
        ("\"members\":[{", "\"members\":[],\"x\":[{"),
        ("{", "["),
    ] {
        assert!(json.contains(from), "{from} in {json}");
        assert!(load(&json.replacen(from, to, 1)).is_err(), "{to}");
    }
    let mut other = TensorFile::new();
    other.insert("a", ndarray::array![1.0_f32].view().into_dyn()).unwrap();
    other.save(&path).unwrap();
    let error = TabularRegressor::load(&path).unwrap_err().to_string();
    assert!(error.ends_with("this file holds no model for tables"), "{error}");
}

#[test]
fn threads_and_orders_do_not_change_the_model() {
    let table = features(&table(200), &["x", "colour", "y"]);
    let recipe = quick().epochs(4).ensemble(3);
    let one = recipe.clone().threads(1).fit(&table, "y").unwrap().predict(&table).unwrap();
    for threads in [2, 3] {
        let model = recipe.clone().threads(threads).fit(&table, "y").unwrap();
        assert_eq!(model.predict(&table).unwrap(), one, "{threads} threads");
    }
    let mut rows: Vec<usize> = (0..table.rows()).rev().collect();
    rows.swap(7, 150);
    let shuffled = features(&table.select(&rows), &["y", "colour", "x"]);
    assert_eq!(recipe.fit(&shuffled, "y").unwrap().predict(&table).unwrap(), one);
}

#[test]
fn members_validate_on_other_rows() {
    let table = features(&table(100), &["x", "y"]);
    let model = quick().epochs(2).ensemble(3).fit(&table, "y").unwrap();
    let rows: Vec<(usize, usize)> = model.histories().iter().map(|history| history.rows).collect();
    assert_eq!(rows, [(85, 15); 3]);
    let losses: Vec<f64> = model.histories().iter().map(|history| history.validation_loss[0]).collect();
    assert!(losses[0] != losses[1] && losses[1] != losses[2], "{losses:?}");
    let all = quick().epochs(3).validation(0.0).fit(&table, "y").unwrap();
    assert_eq!((all.histories()[0].rows, all.histories()[0].best_epoch), ((100, 0), 3));
}

#[test]
fn the_best_epoch_is_kept() {
    // Noise, of which validation rows must not be learned.
    let table = features(&table(150), &["other", "y"]);
    let model = quick().fit(&table, "y").unwrap();
    let history = &model.histories()[0];
    let best = history.validation_loss.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(history.validation_loss[history.best_epoch - 1], best);
    assert_eq!((history.train_loss.len(), history.validation_loss.len()), (15, 15));
}

#[test]
fn validation_rows_are_learned_as_well_if_there_is_little_noise() {
    let table = features(&table(300), &["x", "colour", "y"]);
    let model = quick().epochs(100).fit(&table, "y").unwrap();
    let history = &model.histories()[0];
    assert_eq!((history.rows, history.validation_loss.len(), history.best_epoch), ((255, 45), 50, 100));
    assert!(history.train_loss[99] < history.train_loss[49], "{:?}", history.train_loss);
    assert!(
        model.report().contains("after epoch 50 from the 45 validation rows as well"),
        "{}",
        model.report()
    );
    // A classifier needs its best epoch.
    let table = features(&super::model::table(300), &["x", "colour", "class"]);
    let model = TabularClassifier::recipe().hidden(&[16]).epochs(20).fit(&table, "class").unwrap();
    assert_eq!(model.histories()[0].validation_loss.len(), 20);
}

#[test]
fn a_classifier_learns_probabilities() {
    let table = features(&table(300), &["x", "colour", "class"]);
    let model = TabularClassifier::recipe().hidden(&[16]).epochs(60).fit(&table, "class").unwrap();
    assert_eq!(model.classes(), ["high", "low"]);
    let scores = model.score(&table).unwrap();
    assert!(scores.get("accuracy").unwrap() > 0.9 && scores.get("log-loss").unwrap() < 0.3, "{scores}");
    let probabilities = model.predict_proba(&table).unwrap();
    for (row, class) in probabilities.rows().into_iter().zip(model.predict(&table).unwrap()) {
        assert!((row.sum() - 1.0).abs() < 1e-12);
        assert_eq!(class == "high", row[0] >= row[1]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    assert_eq!(TabularClassifier::load(&path).unwrap().predict_proba(&table).unwrap(), probabilities);
    let unknown = Table::parse_csv(b"x,colour,class\n0.1,red,low\n0.1,red,middle\n").unwrap();
    let error = model.score(&unknown).unwrap_err().to_string();
    assert_eq!(error, "column `class`, row 2 (from 1): expected a class of the training rows, got middle");
}

#[test]
fn class_weights_move_probabilities() {
    let table = features(&table(300), &["other", "class"]);
    let share = |weights: ClassWeights| {
        let recipe =
            TabularClassifier::recipe().hidden(&[8]).epochs(60).validation(0.0).class_weights(weights);
        let model = recipe.fit(&table, "class").unwrap();
        model.predict_proba(&table).unwrap().column(0).mean().unwrap()
    };
    let equal = share(ClassWeights::Equal);
    assert!((equal - 0.35).abs() < 0.08, "{equal}");
    let balanced = share(ClassWeights::Balanced);
    assert!((balanced - 0.5).abs() < 0.08, "{balanced}");
    let more = share(ClassWeights::ByName([("high".to_string(), 20.0)].into()));
    assert!(more > 0.75, "{more}");
    let recipe = TabularClassifier::recipe();
    let wrong = recipe.class_weights(ClassWeights::ByName([("tall".to_string(), 2.0)].into()));
    assert!(matches!(wrong.fit(&table, "class"), Err(Error::Argument { .. })));
}

#[test]
fn weights_count_rows() {
    // Two values of y for each x: only the weighted ones are learned.
    let rows: String = (0..200).map(|i| format!("{},{},{}\n", i % 10, i / 100, i / 100)).collect();
    let table = Table::parse_csv(format!("x,y,w\n{rows}").as_bytes()).unwrap();
    let model = quick().weight_column("w").extrapolate(true).fit(&table, "y").unwrap();
    assert!(model.encoder().names().iter().all(|name| name.starts_with('x')));
    assert!(model.report().contains("100 of 200 rows are left out"), "{}", model.report());
    assert_eq!(model.score(&table).unwrap().get("rmse"), Some(0.0));

    let rows: String = (0..200).map(|i| format!("{},{},{}\n", i % 10, i / 100, 1 + 8 * (i / 100))).collect();
    let table = Table::parse_csv(format!("x,y,w\n{rows}").as_bytes()).unwrap();
    let model = quick().epochs(40).weight_column("w").fit(&table, "y").unwrap();
    let mean = model.predict(&table).unwrap().mean().unwrap();
    assert!((mean - 0.9).abs() < 0.05, "{mean}");
    let negative = Table::parse_csv(b"x,y,w\n1,1,1\n2,2,-1\n").unwrap();
    assert!(matches!(quick().weight_column("w").fit(&negative, "y"), Err(Error::Value { row: 2, .. })));
}

#[test]
fn quantiles_do_not_cross_and_cover_their_share() {
    let table = features(&table(600), &["colour", "other", "y"]);
    let loss = RegressionLoss::Quantiles(vec![0.1, 0.5, 0.9]);
    let model = quick().epochs(40).ensemble(2).loss(loss).fit(&table, "y").unwrap();
    assert_eq!(model.output_names(), ["y[0.1]", "y[0.5]", "y[0.9]"]);
    for row in model.predict(&table).unwrap().rows() {
        assert!(row[0] <= row[1] && row[1] <= row[2], "{row}");
    }
    let scores = model.score(&table).unwrap();
    for level in [0.1, 0.5, 0.9] {
        let share = scores.get(&format!("share below {level}")).unwrap();
        assert!((share - level).abs() < 0.08, "{scores}");
    }
    let wrong = quick().loss(RegressionLoss::Quantiles(vec![0.9, 0.1]));
    assert!(matches!(wrong.fit(&table, "y"), Err(Error::Argument { .. })));
}

#[test]
fn other_losses_learn() {
    let table = features(&table(300), &["x", "colour", "y", "count"]);
    for loss in [RegressionLoss::Absolute, RegressionLoss::Huber(0.5)] {
        let model = quick().epochs(60).loss(loss.clone()).fit(&table, "y").unwrap();
        let scores = model.score(&table).unwrap();
        assert!(scores.get("r2").unwrap() > 0.85, "{loss:?}: {scores}");
    }
    let model = quick().epochs(60).loss(RegressionLoss::Poisson).fit(&table, "count").unwrap();
    let scores = model.score(&table).unwrap();
    assert!(scores.get("r2").unwrap() > 0.7, "{scores}");
    assert!(model.predict(&table).unwrap().iter().all(|&rate| rate >= 0.0));
    let error = quick().loss(RegressionLoss::Poisson).fit(&table, "y").unwrap_err();
    assert!(error.to_string().contains("expected a count from 0 to 1e100"), "{error}");
}

#[test]
fn several_targets_at_once() {
    let table = features(&table(300), &["x", "colour", "y", "count"]);
    let model = quick().epochs(60).fit_targets(&table, &["count", "y"]).unwrap();
    assert_eq!(model.output_names(), ["count", "y"]);
    let scores = model.score(&table).unwrap();
    assert!(scores.get("r2 y").unwrap() > 0.85 && scores.get("r2 count").unwrap() > 0.6, "{scores}");
    assert!(model.encoder().inputs().all(|(name, _)| name == "x" || name == "colour"));
}

#[test]
fn baselines() {
    let table = features(&table(300), &["x", "colour", "y", "count", "class"]);
    let scores = |recipe: Recipe<Regression>, target: &str| {
        let model = recipe.fit(&table, target).unwrap();
        (model.baseline_score(&table).unwrap(), model.score(&table).unwrap())
    };
    let (mean, linear) = scores(quick().linear().epochs(60), "y");
    assert!(mean.get("r2").unwrap().abs() < 1e-12, "{mean}");
    // The gaps in x leave 7% of the variance unexplained; the rest is linear.
    assert!(linear.get("r2").unwrap() > 0.85, "{linear}");
    let (median, _) = scores(quick().epochs(1).loss(RegressionLoss::Absolute), "y");
    assert!(median.get("mae") < mean.get("mae"), "{median} {mean}");
    let (counts, _) = scores(quick().epochs(1).loss(RegressionLoss::Poisson), "count");
    assert!(counts.get("r2").unwrap().abs() < 1e-12, "{counts}");
    let model = TabularClassifier::recipe().hidden(&[4]).epochs(1).fit(&table, "class").unwrap();
    let shares = model.baseline_score(&table).unwrap();
    let high = (0..300).filter(|&row| table.column("class").unwrap().text(row).unwrap() == "high").count();
    let p = high as f64 / 300.0;
    let entropy = -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
    assert!((shares.get("log-loss").unwrap() - entropy).abs() < 1e-12, "{shares}");
}

#[test]
fn importance_finds_the_columns_that_matter() {
    let table = features(&table(300), &["x", "colour", "other", "y"]);
    let model = quick().epochs(60).fit(&table, "y").unwrap();
    let importances = model.importance(&table, 5, 0).unwrap();
    let order: Vec<&str> = importances.iter().map(|i| i.column.as_str()).collect();
    assert_eq!(order, ["x", "colour", "other"]);
    assert!(importances[1].mean > 10.0 * importances[1].standard_error, "{importances:?}");
    assert!(importances[2].mean < 0.05, "{importances:?}");
    assert_eq!(importances, model.importance(&table, 5, 0).unwrap());
}

#[test]
fn cross_validation_trains_on_the_other_folds_only() {
    let table = features(&table(90), &["x", "colour", "y"]);
    let folds = Folds::shuffled(90, 3, 0).unwrap();
    let result = quick().cross_validate(&table, "y", &folds).unwrap();
    for fold in 0..3 {
        let (train, test) = folds.split(fold);
        assert_eq!((train.len(), test.len()), (60, 30));
        let model = quick().fit(&table.select(&train), "y").unwrap();
        let test_rows = table.select(&test);
        assert_eq!(result.folds[fold], model.score(&test_rows).unwrap());
        let predictions = result.predictions.select(ndarray::Axis(0), &test);
        assert_eq!(predictions, model.predict(&test_rows).unwrap());
    }
    assert!(result.to_string().contains("over 3 folds"), "{result}");
}

#[test]
fn cross_validation_with_a_class_of_one_row() {
    let rows: String = (0..60).map(|i| format!("{},{}\n", i % 7, ["b", "c"][i % 2])).collect();
    let table = Table::parse_csv(format!("x,class\n3,a\n{rows}").as_bytes()).unwrap();
    let folds = Folds::from_numbers((0..61).map(|row| row % 3).collect()).unwrap();
    let recipe = TabularClassifier::recipe().hidden(&[4]).epochs(3);
    let result = recipe.cross_validate(&table, "class", &folds).unwrap();
    // Row 0 is the only one of class a, and fold 0 is trained without it.
    assert_eq!(result.predictions.dim(), (61, 3));
    assert_eq!(result.predictions[(0, 0)], 0.0);
    assert!(result.predictions[(0, 1)] > 0.2 && result.predictions[(1, 0)] > 0.0);
    assert!(result.folds[0].get("log-loss").unwrap() > 1.0, "{}", result.folds[0]);
}

#[test]
fn folds_are_balanced() {
    let classes = Column::texts("c", (0..103).map(|i| Some(if i % 10 == 0 { "a" } else { "b" }))).unwrap();
    let folds = Folds::stratified(&classes, 5, 1).unwrap();
    for fold in 0..5 {
        let (_, test) = folds.split(fold);
        let rare = test.iter().filter(|&&row| row % 10 == 0).count();
        assert!((20..=21).contains(&test.len()) && (2..=3).contains(&rare), "{} {rare}", test.len());
    }
    assert!(Folds::shuffled(3, 4, 0).is_err() && Folds::from_numbers(vec![0, 2]).is_err());
    assert_ne!(Folds::shuffled(50, 5, 0).unwrap(), Folds::shuffled(50, 5, 1).unwrap());
}

#[test]
fn progress_counts_every_epoch() {
    let table = features(&table(50), &["x", "y"]);
    let (calls, last) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let recipe = quick().epochs(3).ensemble(2);
    recipe
        .fit_with_progress(&table, "y", |progress| {
            calls.fetch_add(1, Ordering::Relaxed);
            last.fetch_max(progress.done, Ordering::Relaxed);
            assert_eq!(progress.total, 6);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((calls.into_inner(), last.into_inner()), (6, 6));
}

#[test]
fn reports_explain_the_choices() {
    let table = table(120).without("w").unwrap();
    let report = quick().ensemble(2).fit(&table, "y").unwrap().report();
    for part in [
        "A regressor that predicts `y`, from ",
        "Rows: 120.",
        "category    3 levels: 3 columns",
        "number      standardised, clipped value, 16 bins, missing indicator: 18 columns",
        "hidden layers of 16 ReLU units, no dropout",
        "batches of 32 rows, 15 epochs",
        "Ensemble: 2 networks",
        "Network 2: learned from 102 rows; kept epoch ",
    ] {
        assert!(report.contains(part), "{part} in\n{report}");
    }
}

#[test]
fn invalid_choices_are_errors() {
    let table = features(&table(50), &["x", "y"]);
    for recipe in [
        quick().ensemble(0),
        quick().hidden(&[8, 0]),
        quick().dropout(1.0),
        quick().learning_rate(f64::NAN),
        quick().weight_decay(-1.0),
        quick().batch_size(0),
        quick().epochs(0),
        quick().validation(1.0),
        quick().threads(0),
        quick().loss(RegressionLoss::Huber(0.0)),
        quick().loss(RegressionLoss::Quantiles(vec![])),
    ] {
        let error = recipe.fit(&table, "y").unwrap_err();
        assert!(matches!(error, Error::Argument { .. }), "{error}");
    }
    let diverging = quick().learning_rate(1e30).weight_decay(0.0).fit(&table, "y");
    assert!(matches!(diverging, Err(Error::Diverged { .. })), "{diverging:?}");
}

#[test]
fn training_stops_after_the_epoch_when_progress_says_so() {
    let table = features(&table(50), &["x", "y"]);
    let stop = |progress: geartrain_tables::Progress| match progress.done {
        3.. => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let model = quick().fit_with_progress(&table, "y", stop).unwrap();
    assert_eq!(model.histories()[0].train_loss.len(), 3);
    assert!(model.histories()[0].best_epoch <= 3);
}

#[test]
fn training_stops_within_a_long_epoch_when_progress_says_so() {
    let table = features(&table(1000), &["x", "y", "count"]);
    let calls = AtomicUsize::new(0);
    let stop = |progress: geartrain_tables::Progress| {
        calls.fetch_add(1, Ordering::Relaxed);
        assert_eq!(progress.done, 0, "the first epoch has 212 steps");
        ControlFlow::Break(())
    };
    let recipe = quick().batch_size(4);
    let model = recipe.fit_targets_with_progress(&table, &["y", "count"], stop).unwrap();
    let history = &model.histories()[0];
    assert_eq!((history.train_loss.len(), history.validation_loss.len(), history.best_epoch), (1, 0, 1));
    assert!(model.report().contains("stopped in the first epoch"), "{}", model.report());
    assert!(model.predict(&table).unwrap().iter().all(|y| y.is_finite()));
    assert_eq!(calls.into_inner(), 1);
}

#[test]
fn cross_validation_does_not_see_the_test_rows() {
    let table = features(&table(90), &["x", "colour", "y"]);
    let folds = Folds::shuffled(90, 3, 0).unwrap();
    let before = quick().cross_validate(&table, "y", &folds).unwrap();
    // Another value and another level in one test row of fold 0.
    let (_, test) = folds.split(0);
    let column = |name: &str| table.column(name).unwrap();
    let texts =
        (0..90).map(|row| if row == test[0] { Some("violet".into()) } else { column("colour").text(row) });
    let mut x = column("x").as_numbers().unwrap().to_vec();
    x[test[0]] = 1e6;
    let changed = Table::new([
        Column::numbers("x", x).unwrap(),
        Column::texts("colour", texts).unwrap(),
        column("y").clone(),
    ]);
    let after = quick().cross_validate(&changed.unwrap(), "y", &folds).unwrap();
    for &row in &test[1..] {
        assert_eq!(before.predictions.row(row), after.predictions.row(row), "row {row}");
    }
    // It is a training row of the other folds.
    let (_, other) = folds.split(1);
    assert!(other.iter().any(|&row| before.predictions.row(row) != after.predictions.row(row)));
}
