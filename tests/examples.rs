//! The main job as its users run it: as a command, from any folder.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The example beside this test: `cargo test` builds examples before it runs tests. (With `--test examples` it does not,
/// and this would be the one built last; `cargo build --examples` helps.)
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: run `cargo build --examples`", path.display());
    path
}

/// Runs `classify` in `folder`.
fn classify(folder: &TempDir, arguments: &str) -> Output {
    let mut command = Command::new(example("classify"));
    command.current_dir(folder.path()).args(arguments.split_whitespace()).output().expect("it starts")
}

/// Runs `train_regressor` in `folder`.
fn train<S: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(example("train_regressor")).current_dir(folder).args(arguments).output().expect("it starts")
}

/// The same with arguments in one text, split at spaces.
fn train_with(folder: &TempDir, arguments: &str) -> Output {
    train(folder.path(), arguments.split_whitespace())
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for temporary files")
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("UTF-8")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_str(stdout(output)).expect("stdout holds one JSON value and nothing else")
}

/// Every opened tag is closed, in order.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().expect("a tag has a name");
        match (tag.starts_with('/'), tag.ends_with('/') || tag.starts_with('?')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, true) => {}
            (false, false) => open.push(name),
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
}

#[test]
fn the_default_run_beats_the_baseline_and_draws_a_picture() {
    let folder = folder();
    let result = json(&train_with(&folder, "--json"));
    let (test, baseline) = (&result["test"], &result["baseline"]);
    assert!(test["r2"].as_f64().unwrap() >= 0.85, "{result}");
    assert!(test["r2"].as_f64() > baseline["r2"].as_f64(), "{result}");
    assert!(test["rmse"].as_f64() > test["mae"].as_f64(), "{result}");
    assert!(result["folds"].is_null() && result["mean_r2"].is_null(), "{result}");

    let svg = fs::read_to_string(folder.path().join("train_regressor.svg")).expect("the picture");
    assert_well_formed(&svg);
    for text in ["training rows", "test rows", "actual mpg", "predicted mpg", "epoch"] {
        assert!(svg.contains(text), "no `{text}` in the picture");
    }
}

#[test]
fn text_goes_to_stdout_and_progress_to_stderr() {
    let folder = folder();
    let output = train_with(&folder, "--epochs 2");
    for text in ["Linear(7, 64)", "78 test rows", "linear baseline", "RMSE and MAE are in the unit of `mpg`"]
    {
        assert!(stdout(&output).contains(text), "no `{text}` in\n{}", stdout(&output));
    }
    assert!(stderr(&output).contains("epoch 2/2"), "{}", stderr(&output));

    let quiet = train_with(&folder, "--epochs 2 --quiet");
    assert_eq!(stderr(&quiet), "");
    assert!(stdout(&output).ends_with(stdout(&quiet)), "{}", stdout(&quiet));
}

#[test]
fn cross_validation_tests_every_row_once() {
    let folder = folder();
    let result = json(&train_with(&folder, "--folds 3 --epochs 5 --json --quiet"));
    let folds: Vec<f64> =
        result["folds"].as_array().unwrap().iter().map(|fold| fold["r2"].as_f64().unwrap()).collect();
    let mean = folds.iter().sum::<f64>() / 3.0;
    approx::assert_relative_eq!(result["mean_r2"].as_f64().unwrap(), mean, epsilon = 1e-12);
    assert!(mean > 0.7 && folds[0] != folds[1], "{result}");
    assert!(result["test"].is_null(), "{result}");
    let output = train_with(&folder, "--folds 3 --epochs 1");
    assert!(stdout(&output).contains("392 test rows"), "{}", stdout(&output));
    assert!(stderr(&output).contains("fold 3 of 3"), "{}", stderr(&output));
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let folder = folder();
    let run = |seed: &str| train_with(&folder, &format!("--epochs 3 --json --quiet --seed {seed}")).stdout;
    assert_eq!(run("3"), run("3"));
    assert_ne!(run("3"), run("4"));
}

#[test]
fn the_toys_are_learnt() {
    let folder = folder();
    let sine = json(&train_with(&folder, "--toy sine --json --quiet"));
    assert!(sine["test"]["r2"].as_f64().unwrap() >= 0.975, "{sine}");
    let svg = fs::read_to_string(folder.path().join("train_regressor.svg")).expect("the picture");
    assert!(svg.contains("truth") && svg.contains("network"));
    let friedman = json(&train_with(&folder, "--toy friedman1 --json --quiet"));
    assert!(friedman["test"]["r2"].as_f64().unwrap() >= 0.88, "{friedman}");
}

#[test]
fn every_option_of_the_network_makes_a_difference() {
    let folder = folder();
    let run = |more: &str| train_with(&folder, &format!("--epochs 2 --json --quiet {more}"));
    let usual = json(&run(""))["test"].clone();
    for more in [
        "--hidden 32,32,32",
        "--activation relu",
        "--activation sigmoid",
        "--residual",
        "--batch-size 7",
        "--learning-rate 0.01",
        "--momentum 0.5",
        "--weight-decay 0.5",
        "--optimizer adam",
        "--optimizer adamw",
        "--optimizer rmsprop",
        "--schedule cosine",
        "--schedule step",
        "--schedule exponential",
        "--early-stopping 1",
        "--dropout 0.2",
        "--norm layer",
        "--norm batch",
        "--features weight,hp",
        "--target hp",
        "--drop cyl",
    ] {
        assert_ne!(json(&run(more))["test"], usual, "{more}");
    }
}

#[test]
fn any_table_of_numbers_will_do() {
    let folder = folder();
    let mut table = String::from("id;x;const;y<&>\n");
    for row in 0..40 {
        let gap = if row == 5 { "?".to_string() } else { row.to_string() };
        table += &format!("car {row};{gap};7;{}\r\n", 3 * row + 1);
    }
    fs::write(folder.path().join("my table.csv"), table).unwrap();
    let run = |more: &[&str]| {
        let usual = ["--csv", "my table.csv", "--target", "y<&>", "--json", "--epochs", "50", "--quiet"];
        train(folder.path(), usual.iter().chain(more))
    };
    let output = run(&["--delimiter", ";", "--drop", "id", "--missing", "drop"]);
    let result = json(&output);
    assert!(result["test"]["r2"].as_f64().unwrap() > 0.9, "{result}");
    assert!(result["baseline"]["r2"].as_f64().unwrap() > 0.999_999, "{result}");
    assert_eq!(stderr(&output).matches("`const`").count(), 1, "{}", stderr(&output));
    let svg = fs::read_to_string(folder.path().join("train_regressor.svg")).unwrap();
    assert!(svg.contains("y&lt;&amp;&gt;"), "a name is not escaped");
    assert_well_formed(&svg);

    for (options, hint) in [
        (&[][..], "--delimiter ';'"),
        (&["--delimiter", ";"], "--drop \"id\""),
        (&["--delimiter", ";", "--drop", "id"], "--missing drop, mean or median"),
    ] {
        let output = run(options);
        assert_eq!(output.status.code(), Some(1), "{options:?}");
        assert!(stderr(&output).contains(hint), "{options:?}: {}", stderr(&output));
    }
    let output = run(&["--delimiter", ";", "--drop", "id"]);
    assert!(stderr(&output).contains("my table.csv, line 7, column 2 (`x`)"), "{}", stderr(&output));
}

#[test]
fn bad_options_are_one_clear_line() {
    let folder = folder();
    for (arguments, code, message) in [
        ("--folds 1", 1, "folds must lie between 2 and the number of rows"),
        ("--folds 393", 1, "folds must lie between 2 and the number of rows"),
        ("--hidden 0", 1, "outputs must be at least 1, got 0"),
        ("--hidden 8 --residual", 1, "--residual needs two neighbours of one width"),
        ("--learning-rate NaN", 1, "learning rate must be a finite number"),
        ("--learning-rate -1", 1, "learning rate must be a finite number"),
        ("--learning-rate 1e6", 1, "training diverged in epoch"),
        ("--momentum 1", 1, "momentum must be in [0, 1)"),
        ("--batch-size 0", 1, "batch size must be at least 1"),
        ("--features nonsense", 1, "there is no column `nonsense`"),
        ("--csv nonsense.csv --target y", 1, "nonsense.csv"),
        ("--svg no/such/folder.svg --epochs 0", 1, "no/such/folder.svg"),
        ("--optimizer adam --momentum 0.9", 1, "--momentum is for the optimizers sgd and rmsprop"),
        ("--dropout 1.5", 1, "1.5"),
        ("--early-stopping 0", 1, "patience must be at least 1"),
        ("--load nonsense.safetensors", 1, "--load needs --predict or --export-onnx"),
        ("--load nonsense.safetensors --predict new.csv", 1, "nonsense.safetensors"),
        ("--save no/such/model.safetensors --epochs 0", 1, "no/such/model.safetensors"),
        ("--predict new.csv", 2, "--load"),
        ("--save model.safetensors --folds 2", 2, "cannot be used with"),
        ("--csv nonsense.csv", 2, "--target"),
        ("--csv nonsense.csv --target y --toy sine", 2, "cannot be used with"),
        ("--toy nonsense", 2, "possible values: sine, friedman1"),
        ("--epochs many", 2, "--epochs"),
    ] {
        let output = train_with(&folder, &format!("{arguments} --quiet"));
        assert_eq!(output.status.code(), Some(code), "{arguments}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("error: "), "{arguments}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{arguments}: {}", stderr(&output));
        assert!(code == 2 || stderr(&output).lines().count() == 1, "{arguments}: {}", stderr(&output));
    }
}

#[test]
fn a_saved_model_predicts_a_new_table_as_it_did_before() {
    let folder = folder();
    let (path, text) = (|name: &str| folder.path().join(name), "\"a,b\";x\n");
    let table: String = (0..40).map(|i| format!("{};{i}\n", 2 * i + 1)).collect();
    fs::write(path("old.csv"), format!("{text}{table}")).unwrap();
    let train = "--csv old.csv --delimiter ; --epochs 100 --quiet --save model.safetensors --target";
    let output = train_regressor_on(&folder, train, "a,b");
    assert!(output.status.success(), "{}", stderr(&output));

    // Other columns, in another order, and without the target.
    fs::write(path("new.csv"), "name,x\nfirst,3\nsecond,30.5\n").unwrap();
    let output = train_with(&folder, "--load model.safetensors --predict new.csv");
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!((lines[0], lines.len()), ("\"a,b\"", 3));
    let model = geartrain::Predictor::<f32>::load(path("model.safetensors")).unwrap();
    let expected = model.predict(ndarray::array![[3.0], [30.5]].view()).unwrap();
    for (line, &expected) in lines[1..].iter().zip(&expected) {
        assert_eq!(line.parse::<f32>().unwrap(), expected);
    }
    assert!((expected[[1, 0]] - 62.0).abs() < 6.0, "{expected}");

    fs::write(path("gap.csv"), "x\n3\n?\n").unwrap();
    let output = train_with(&folder, "--load model.safetensors --predict gap.csv");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("gap.csv, line 3, column 1 (`x`)"), "{}", stderr(&output));
}

/// A target with a name that needs an argument of its own.
fn train_regressor_on(folder: &TempDir, arguments: &str, target: &str) -> Output {
    train(folder.path(), arguments.split_whitespace().chain([target]))
}

#[test]
fn onnx_is_exported_or_the_build_that_can_is_named() {
    let folder = folder();
    let output = train_with(&folder, "--epochs 1 --quiet --export-onnx model.onnx");
    if cfg!(feature = "onnx") {
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(fs::metadata(folder.path().join("model.onnx")).unwrap().len() > 1000);
    } else {
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("--features onnx"), "{}", stderr(&output));
    }
}

#[test]
fn penguins_are_told_apart() {
    let folder = folder();
    let result = json(&classify(&folder, "--json --quiet"));
    assert_eq!(result["classes"], serde_json::json!(["Adelie", "Chinstrap", "Gentoo"]));
    assert!(result["folds"].is_null() && result["mean_accuracy"].is_null(), "{result}");
    let rows: Vec<Vec<u64>> = serde_json::from_value(result["test"]["confusion"].clone()).unwrap();
    let right: u64 = (0..3).map(|class| rows[class][class]).sum();
    let all: u64 = rows.iter().flatten().sum();
    assert_eq!(all, 68);
    let accuracy = result["test"]["accuracy"].as_f64().unwrap();
    approx::assert_relative_eq!(accuracy, right as f64 / all as f64, epsilon = 1e-12);
    assert!(accuracy >= 0.95, "{result}");
    let svg = fs::read_to_string(folder.path().join("classify.svg")).expect("the picture");
    assert_well_formed(&svg);
    assert!(svg.contains("Chinstrap") && svg.contains("predicted class"));

    let text = classify(&folder, "--epochs 2");
    for expected in ["Linear(4, 64)", "68 test rows", "accuracy 0.", "true \\ predicted  Adelie"] {
        assert!(stdout(&text).contains(expected), "no `{expected}` in\n{}", stdout(&text));
    }
}

#[test]
fn classes_in_a_plane_get_a_boundary() {
    let folder = folder();
    let result = json(&classify(&folder, "--data moons --folds 2 --json --quiet"));
    let folds: Vec<f64> =
        result["folds"].as_array().unwrap().iter().map(|fold| fold["accuracy"].as_f64().unwrap()).collect();
    let mean = result["mean_accuracy"].as_f64().unwrap();
    approx::assert_relative_eq!(mean, (folds[0] + folds[1]) / 2.0, epsilon = 1e-12);
    assert!(mean > 0.9 && result["test"].is_null(), "{result}");
    let svg = fs::read_to_string(folder.path().join("classify.svg")).unwrap();
    assert_well_formed(&svg);
    assert!(svg.contains("Decisions and fold 1, test rows"));
}

#[test]
fn any_table_with_labels_can_be_classified() {
    let folder = folder();
    let table: String =
        (0..60).map(|i| format!("{i},{}\n", if i < 30 { "low <&>" } else { "high" })).collect();
    fs::write(folder.path().join("labels.csv"), format!("x,label\n{table}")).unwrap();
    let result = json(&classify(&folder, "--csv labels.csv --target label --json --quiet"));
    assert_eq!(result["classes"], serde_json::json!(["high", "low <&>"]));
    assert!(result["test"]["accuracy"].as_f64().unwrap() > 0.8, "{result}");
    assert_well_formed(&fs::read_to_string(folder.path().join("classify.svg")).unwrap());

    fs::write(folder.path().join("one.csv"), "x,label\n1,a\n2,a\n3,a\n4,a\n5,a\n").unwrap();
    let output = classify(&folder, "--csv one.csv --target label --json --quiet --learning-rate 0.1");
    let result = json(&output);
    assert_eq!(result["classes"], serde_json::json!(["a", "not a"]));
    assert_eq!(result["test"]["accuracy"], 1.0);
    assert!(stderr(&output).contains("every row is of the class `a`"), "{}", stderr(&output));

    fs::write(folder.path().join("gap.csv"), "x,label\n1,a\n2,\n3,b\n").unwrap();
    for (arguments, message) in [
        ("--csv gap.csv --target label", "gap.csv, line 3, column 2 (`label`): the cell is empty"),
        ("--csv labels.csv --target nonsense", "there is no column `nonsense`"),
        ("--data moons --features x0", "this data is made up"),
        ("--folds 1", "folds must lie between"),
    ] {
        let output = classify(&folder, &format!("{arguments} --quiet"));
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        assert!(stderr(&output).contains(message), "{arguments}: {}", stderr(&output));
    }
}

#[test]
fn fault_100_and_101_odd_losses_are_drawn() {
    let folder = folder();
    let constant = "x,y\n1,2\n2,2\n3,2\n4,2\n5,2\n";
    fs::write(folder.path().join("constant.csv"), constant).unwrap();
    for arguments in
        ["--epochs 0", "--epochs 1", "--epochs 3 --folds 2", "--csv constant.csv --target y --weight-decay 0"]
    {
        let output = train_with(&folder, &format!("{arguments} --quiet"));
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
        assert_well_formed(&fs::read_to_string(folder.path().join("train_regressor.svg")).unwrap());
    }
}

#[test]
fn fault_102_a_closed_stdout_is_no_error() {
    let folder = folder();
    for (name, arguments) in
        [("train_regressor", &["--epochs", "1"][..]), ("train_regressor", &["--help"]), ("custom_layer", &[])]
    {
        let mut child = Command::new(example(name))
            .current_dir(folder.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{name} {arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
}

#[test]
fn a_custom_layer_passes_the_contract_and_learns() {
    let output = Command::new(example("custom_layer")).output().expect("it starts");
    let text = stdout(&output);
    assert!(output.status.success() && !text.contains("FAIL"), "{text}{}", stderr(&output));
    let r2: f64 = text.trim_end().rsplit(' ').next().unwrap().parse().expect("a number at the end");
    assert!(r2 > 0.97, "{text}");
}

#[test]
fn the_learning_rate_example_draws_its_curve_and_suggests_a_good_rate() {
    let folder = folder();
    let output =
        Command::new(example("learning_rate")).current_dir(folder.path()).output().expect("it starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let svg = fs::read_to_string(folder.path().join("learning_rate.svg")).expect("a picture");
    assert_well_formed(&svg);
    assert!(svg.contains("suggestion: ") && svg.matches("<circle").count() > 50);
    // The loss with the suggested rate is near the best of those shown, and the least and largest rates are bad.
    let losses: Vec<f64> =
        stdout(&output).lines().filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(losses.len() >= 3 && losses[2] < 1.2 * best && losses[0] > 1.5 * best, "{losses:?}");
}
