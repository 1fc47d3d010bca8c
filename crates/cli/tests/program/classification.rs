//! `train` on classes: accuracy, confusion matrix, decision regions.

use crate::support::{Folder, assert_well_formed, data, number, stderr, stdout};
use serde_json::json;

#[test]
fn penguins_are_told_apart() {
    let folder = Folder::new();
    let penguins = data("penguins.csv");
    let command = format!("train '{penguins}' --target species --drop island,sex --missing drop");
    let result = folder.json(&format!("{command} --json --quiet --svg penguins.svg"));
    assert_eq!(result["task"], "classification");
    assert_eq!(result["classes"], json!(["Adelie", "Chinstrap", "Gentoo"]));
    assert!(result["folds"].is_null() && result["mean"].is_null(), "{result}");
    let rows: Vec<Vec<u64>> = serde_json::from_value(result["test"]["confusion"].clone()).unwrap();
    let right: u64 = (0..3).map(|class| rows[class][class]).sum();
    let all: u64 = rows.iter().flatten().sum();
    assert_eq!(all, 68);
    let accuracy = number(&result["test"]["accuracy"]);
    approx::assert_relative_eq!(accuracy, right as f64 / all as f64, epsilon = 1e-12);
    assert!(accuracy >= 0.95, "{result}");
    assert_eq!(result, folder.json("train --data penguins --json --quiet"), "the built-in table");
    let svg = folder.read("penguins.svg");
    assert_well_formed(&svg);
    assert!(svg.contains("Chinstrap") && svg.contains("predicted class"));

    let output = folder.run(&format!("{command} --epochs 2"));
    for expected in ["Linear(4, 64)", "68 test rows", "accuracy 0.", "true \\ predicted  Adelie"] {
        assert!(stdout(&output).contains(expected), "no `{expected}` in\n{}", stdout(&output));
    }
    let reason = "Task: classification, because `species` holds text, 3 different values";
    assert!(stderr(&output).contains(reason), "{}", stderr(&output));
}

#[test]
fn the_target_decides_on_the_task_unless_an_option_does() {
    let folder = Folder::new();
    let rows: String = (0..40).map(|i| format!("{i},{},{}\n", i % 2, i % 5)).collect();
    folder.write("table.csv", &format!("x,binary,five\n{rows}"));
    for (options, task) in [
        ("--target binary", "classification"),
        ("--target binary --task regression", "regression"),
        ("--target five", "regression"),
        ("--target five --task classification", "classification"),
    ] {
        let result = folder.json(&format!("train table.csv {options} --epochs 1 --json --quiet"));
        assert_eq!(result["task"], task, "{options}");
    }
}

#[test]
fn classes_in_a_plane_have_decision_regions() {
    let folder = Folder::new();
    let result = folder.json("train --data moons --folds 2 --svg moons.svg --json --quiet");
    let folds: Vec<f64> =
        result["folds"].as_array().unwrap().iter().map(|fold| number(&fold["accuracy"])).collect();
    let mean = number(&result["mean"]["accuracy"]);
    approx::assert_relative_eq!(mean, (folds[0] + folds[1]) / 2.0, epsilon = 1e-12);
    assert!(number(&result["pooled"]["accuracy"]) > 0.9 && result["test"].is_null(), "{result}");
    let svg = folder.read("moons.svg");
    assert_well_formed(&svg);
    assert!(svg.contains("Decisions and fold 1, test rows"));
}

#[test]
fn any_table_with_labels_can_be_classified() {
    let folder = Folder::new();
    let label = |i| if i < 30 { "low <&>" } else { "high" };
    let table: String = (0..60).map(|i| format!("{i},{}\n", label(i))).collect();
    folder.write("labels.csv", &format!("x,label\n{table}"));
    let result = folder.json("train labels.csv --target label --svg l.svg --json --quiet");
    assert_eq!(result["classes"], json!(["high", "low <&>"]));
    assert!(number(&result["test"]["accuracy"]) > 0.8, "{result}");
    assert_well_formed(&folder.read("l.svg"));

    folder.write("one.csv", "x,label\n1,a\n2,a\n3,a\n4,a\n5,a\n");
    let output = folder.run("train one.csv --target label --json --quiet --learning-rate 0.1");
    let result: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!(result["classes"], json!(["a", "not a"]));
    assert_eq!(result["test"]["accuracy"], 1.0);
    assert!(stderr(&output).contains("every row is of the class `a`"), "{}", stderr(&output));
}

#[test]
fn unknown_classes_in_the_test_file_are_an_error() {
    let folder = Folder::new();
    folder.write("train.csv", "x,y\n1,a\n2,b\n3,a\n4,b\n");
    folder.write("test.csv", "x,y\n1,b\n2,a\n");
    folder.write("other.csv", "x,y\n1,c\n2,a\n");
    let command = "train train.csv --target y --epochs 1 --json --quiet --test";
    let result = folder.json(&format!("{command} test.csv"));
    let rows: Vec<Vec<u64>> = serde_json::from_value(result["test"]["confusion"].clone()).unwrap();
    assert_eq!(rows.iter().map(|row| row.iter().sum::<u64>()).collect::<Vec<_>>(), [1, 1]);
    let output = folder.run(&format!("{command} other.csv"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("a class that the training rows do not have: `c`"));
}

#[test]
fn many_classes_are_printed_briefly() {
    let folder = Folder::new();
    let rows: String = (0..900).map(|i| format!("{i},class {}\n", i % 300)).collect();
    folder.write("many.csv", &format!("x,y\n{rows}"));
    let command = "train many.csv --target y --epochs 1 --quiet";
    let text = folder.succeed(command);
    assert!(text.len() < 4000 && text.contains("The most frequent confusions:"), "{} bytes", text.len());
    let json = folder.succeed(&format!("{command} --json"));
    assert!(json.len() < 10_000, "{} bytes", json.len());
}

#[test]
fn long_numbers_that_f64_cannot_tell_apart_are_classes() {
    let folder = Folder::new();
    let label = |i: usize| 1_234_567_890_123_456_780_u64 + [1, 2, 3_000, 3_001, 9_000, 9_001][i % 6];
    let rows: String = (0..60).map(|i| format!("{},{}\n", i % 6, label(i))).collect();
    folder.write("t.csv", &format!("a,y\n{rows}"));
    let output = folder.run("train t.csv --target y --epochs 2");
    assert!(output.status.success(), "{}", stderr(&output));
    let expected = "classification, because `y` holds 6 different numbers too long for f64";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}
