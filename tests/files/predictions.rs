//! Models that keep their scalers, names, classes and fill values, and predict every row of a
//! table.

use std::fs;

use geartrain::data::{Csv, Dataset, Missing, Note, Scaling, toy};
use geartrain::io::{self, FileProblem, Loader, TensorFile};
use geartrain::loss::BinaryCrossEntropyWithLogits;
use geartrain::metrics;
use geartrain::prelude::*;
use ndarray::{Array2, array};
use serde_json::Value;

const TRIALS: &str = "tests/fixtures/trials";

/// The identity, with the scaling of a table of `a`, `b` and `y`.
fn model(missing: Missing) -> Predictor<f32> {
    let csv = Csv::new("y").missing(missing);
    let data = Dataset::<f64>::from_csv(format!("{TRIALS}/17_train.csv"), &csv).unwrap();
    // y = 2 a − b, in scaled numbers.
    let scaling = Scaling::fit(&data).unwrap();
    let (x, y) = (scaling.x().std().to_vec(), scaling.y().unwrap().std()[0]);
    let mut network = Network::<f32>::new(Linear::new(2, 1)).unwrap();
    network.set_param("weight", &[(2.0 * x[0] / y) as f32, (-x[1] / y) as f32]).unwrap();
    network.set_param("bias", &[0.0]).unwrap();
    Predictor::new(network).with_scaling(scaling).unwrap()
}

fn reloaded(model: &Predictor<f32>) -> Predictor<f32> {
    Loader::new()
        .predictor_from(&TensorFile::parse(&model.to_tensors().unwrap().to_bytes().unwrap()).unwrap())
        .unwrap()
}

#[test]
fn gaps_are_filled_with_the_values_of_the_training_table() {
    let model = reloaded(&model(Missing::Mean));
    assert!((model.fill().unwrap()[1] - 20.822).abs() < 1e-9);
    for name in ["17_new_one.csv", "17_new_two.csv"] {
        let predictions = model.predict_csv(format!("{TRIALS}/{name}"), &Csv::default()).unwrap();
        assert!((predictions.y[[0, 0]] + 0.822).abs() < 0.05, "{name}: {}", predictions.y);
        assert!(matches!(&predictions.notes[0], Note::Filled { column, cells: 1, .. } if column == "b"));
    }
}

#[test]
fn there_is_a_line_for_every_row() {
    let path = format!("{TRIALS}/18_new_three.csv");
    let model = reloaded(&model(Missing::Error));
    // Trained without gaps: an error, an empty line, or the mean over the training rows.
    let error = model.predict_csv(&path, &Csv::default()).unwrap_err().to_string();
    assert!(error.contains("line 3, column 2 (`b`): `?` stands for a missing value"), "{error}");
    let predictions = model.predict_csv(&path, &Csv::default().missing(Missing::DropRows)).unwrap();
    assert_eq!(predictions.y.nrows(), 3);
    assert!((predictions.y[[0, 0]] - 0.0).abs() < 0.05 && (predictions.y[[2, 0]] - 2.0).abs() < 0.05);
    assert!(predictions.y[[1, 0]].is_nan());
    assert_eq!(predictions.notes[0].to_string(), "line 3: no prediction, because `b` is missing");
    let predictions = model.predict_csv(&path, &Csv::default().missing(Missing::Mean)).unwrap();
    assert!((predictions.y[[1, 0]] - (22.0 - 20.822)).abs() < 0.05, "{}", predictions.y);
}

#[test]
fn a_classifier_keeps_its_classes() {
    let folder = tempfile::tempdir().unwrap();
    let csv = Csv::new("species").drop_columns(["island", "sex"]).missing(Missing::Mean);
    let penguins = Dataset::<f64>::from_csv_classes("data/penguins.csv", &csv).unwrap();
    let layers = Sequential::new().then(Linear::new(4, 16)).then(Tanh).then(Linear::new(16, 3));
    let mut training = Training::new(CrossEntropy, Adam::new(0.02)).epochs(30).progress(false);
    let model = training.fit_predictor(Network::<f32>::new(layers).unwrap(), &penguins).unwrap();
    let path = folder.path().join("penguins.safetensors");
    model.save(&path).unwrap();
    let model = Predictor::<f32>::load(&path).unwrap();
    assert_eq!(model.classes(), ["Adelie", "Chinstrap", "Gentoo"]);
    assert_eq!(model.feature_names()[0], "bill_length_mm");
    let classes = model.predict_classes(penguins.x()).unwrap();
    let accuracy = metrics::accuracy(&classes, penguins.y()).unwrap();
    assert!(accuracy > 0.95, "{accuracy}");
    let predictions = model.predict_csv("data/penguins.csv", &Csv::default()).unwrap();
    let again: Vec<usize> =
        predictions.classes.unwrap().into_iter().map(|class| class.expect("filled")).collect();
    assert_eq!(again, classes.to_vec());
}

#[test]
fn a_single_output_is_cut_at_0_or_at_one_half() {
    let data = toy::two_moons::<f64>(200, 0.1, 1).unwrap();
    let layers = || Sequential::new().then(Linear::new(2, 16)).then(Tanh).then(Linear::new(16, 1));
    let mut training =
        Training::new(BinaryCrossEntropyWithLogits, Adam::new(0.05)).epochs(60).progress(false);
    let model = training.fit_predictor(Network::<f64>::new(layers()).unwrap(), &data).unwrap();
    let classes = model.predict_classes(data.x()).unwrap();
    assert!(metrics::accuracy(&classes, data.y()).unwrap() > 0.95);
    // The same with a last Sigmoid, which writes probabilities.
    let mut squashed = Network::<f64>::new(layers().then(Sigmoid)).unwrap();
    squashed.params_mut().copy_from_slice(model.network().params());
    let squashed = Predictor::new(squashed).with_x_scale(model.x_scale().unwrap().clone()).unwrap();
    assert_eq!(squashed.predict_classes(data.x()).unwrap(), classes);
}

#[test]
fn large_numbers_keep_their_digits_from_the_table_to_the_prediction() {
    // A target of time stamps two seconds apart: f32 has a step of 128 there.
    let x = Array2::from_shape_fn((50, 1), |(row, _)| row as f64);
    let y = x.mapv(|x| 1.7e9 + 2.0 * x);
    let data = Dataset::new(x, y).unwrap();
    let scaling = Scaling::fit(&data).unwrap();
    let mut network = Network::<f32>::new(Linear::new(1, 1)).unwrap();
    network.set_param("weight", &[1.0]).unwrap();
    network.set_param("bias", &[0.0]).unwrap();
    let model = Predictor::new(network).with_scaling(scaling).unwrap();
    let predicted = model.predict(data.x()).unwrap();
    let error = metrics::root_mean_squared_error(&predicted, data.y()).unwrap();
    assert!(error < 1e-5, "{error}");
    // Without a scaler, a number beyond f32 is an error.
    let bare = Predictor::new(Network::<f32>::new(Linear::new(1, 1)).unwrap());
    let error = bare.predict(&array![[1e300]]).unwrap_err().to_string();
    assert_eq!(error, "`x[[0, 0]] = 1e300` is not a finite f32");
}

#[test]
fn a_model_that_version_1_wrote_predicts_the_same() {
    // Written by geartrain 0.1.0: `tests/fixtures/version_1/make.rs`.
    let model = Predictor::<f64>::load("tests/fixtures/version_1/model.safetensors").unwrap();
    assert_eq!((model.fill(), model.classes().len()), (None, 0));
    assert_eq!(
        (model.feature_names(), model.target_names()[0].as_str()),
        (&["first", "second"].map(String::from)[..], "target")
    );
    let expected: Value =
        serde_json::from_str(&fs::read_to_string("tests/fixtures/version_1/expected.json").unwrap()).unwrap();
    let matrix = |rows: &Value, columns: usize| {
        let rows = rows.as_array().unwrap();
        Array2::from_shape_fn((rows.len(), columns), |(i, j)| rows[i][j].as_f64().unwrap())
    };
    let (x, y) = (matrix(&expected["model"]["x"], 2), matrix(&expected["model"]["predictions"], 1));
    let predicted = model.predict(&x).unwrap();
    assert!((&predicted - &y).iter().all(|error| error.abs() < 1e-12), "{predicted} {y}");
    // Saved again, it has this version's form.
    let again = Loader::new().predictor_from::<f64>(&model.to_tensors().unwrap()).unwrap();
    assert_eq!(again.predict(&x).unwrap(), predicted);
}

#[test]
fn weights_of_named_pytorch_modules_are_renamed() {
    let mut file = TensorFile::new();
    for (name, rows, columns) in [("net.fc1", 4, 3), ("net.fc2", 1, 4)] {
        let weight = Array2::from_shape_fn((rows, columns), |(r, c)| (r + 2 * c) as f32);
        file.insert(&format!("{name}.weight"), weight.view().into_dyn()).unwrap();
        file.insert(&format!("{name}.bias"), ndarray::Array1::<f32>::ones(rows).view().into_dyn()).unwrap();
    }
    let layers = Sequential::new().then(Linear::new(3, 4)).then(ReLU).then(Linear::new(4, 1));
    let mut network = Network::<f32>::new(layers).unwrap();
    let error = Loader::new().weights_from(&file, &mut network).unwrap_err().to_string();
    assert!(error.ends_with("`Loader::rename` maps other names"), "{error}");
    let loader = Loader::new().rename("net.fc1", "0").rename("net.fc2", "2");
    loader.weights_from(&file, &mut network).unwrap();
    assert_eq!(network.param("0.weight").unwrap()[[3, 2]], 7.0);
    assert_eq!(network.param("2.bias").unwrap()[[0]], 1.0);
    let before = network.params().to_vec();
    for (loader, problem) in [
        (Loader::new().rename("net.fc", "0"), "there is no tensor `net.fc`"),
        (Loader::new().rename("net.fc1", "0").rename("net.fc2", "0"), "the name `0.bias` occurs twice"),
    ] {
        let error = loader.weights_from(&file, &mut network).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    assert_eq!(network.params(), before);
    // An empty name removes a prefix.
    let loader = Loader::new().rename("net", "").rename("fc1", "0");
    assert!(loader.weights_from(&file, &mut network).unwrap_err().to_string().contains("no tensor `fc1`"));
}

#[test]
fn a_path_is_tried_without_touching_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    io::check_writable(&path).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(&path, "old").unwrap();
    io::check_writable(&path).unwrap();
    assert_eq!(
        (fs::read(&path).unwrap(), fs::read_dir(folder.path()).unwrap().count()),
        (b"old".to_vec(), 1)
    );
    assert!(matches!(io::check_writable(folder.path()).unwrap_err().problem, FileProblem::NotAFile));
    let error = io::check_writable(folder.path().join("none/model")).unwrap_err();
    assert!(matches!(error.problem, FileProblem::Io { .. }), "{error}");
    assert!(io::check_writable("/dev/null").is_err());
}
