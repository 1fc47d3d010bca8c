//! Saved models: `train --save`, `predict` and `export`.

use std::fs;

use geartrain::Predictor;

use crate::support::{Folder, data, number, stderr, stdout};

#[test]
fn a_regressor_predicts_as_before_it_was_saved() {
    let folder = Folder::new();
    let rows: String = (0..40).map(|i| format!("{};{i}\n", 2 * i + 1)).collect();
    folder.write("old.csv", &format!("\"a,b\";x\n{rows}"));
    folder.succeed("train old.csv --delimiter ; --target a,b --epochs 100 --quiet --save model.safetensors");

    // Other columns, in another order, and without the target.
    folder.write("new.csv", "name,x\nfirst,3\nsecond,30.5\n");
    let text = folder.succeed("predict model.safetensors new.csv");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("\"a,b\"", 3));
    let model = Predictor::<f32>::load(folder.path("model.safetensors")).unwrap();
    let expected = model.predict(&ndarray::array![[3.0], [30.5]]).unwrap();
    for (line, &expected) in lines[1..].iter().zip(&expected) {
        assert_eq!(line.parse::<f32>().unwrap(), expected);
    }
    assert!((expected[[1, 0]] - 62.0).abs() < 6.0, "{expected}");

    assert_eq!(folder.succeed("predict model.safetensors new.csv --output out.csv"), "");
    assert_eq!(folder.read("out.csv"), text);
    let line = folder.succeed("predict model.safetensors new.csv --json").lines().next().unwrap().to_owned();
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(number(&object["a,b"]) as f32, expected[[0, 0]]);

    let output = folder.run("predict model.safetensors new.csv --probabilities");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--probabilities is for classifiers"));
}

#[test]
fn a_classifier_predicts_the_names_of_classes() {
    let folder = Folder::new();
    let penguins = data("penguins.csv");
    folder.succeed(&format!(
        "train '{penguins}' --target species --drop island,sex --missing drop --quiet --save p.safetensors"
    ));
    let text = folder.succeed(&format!("predict p.safetensors '{penguins}' --missing drop --probabilities"));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("class,p(Adelie),p(Chinstrap),p(Gentoo)"));
    let table = fs::read_to_string(&penguins).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let (mut right, mut empty) = (0, 0);
    let predicted: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(predicted.len(), rows.len(), "a line for every row of the table");
    for (cells, row) in predicted.iter().zip(&rows) {
        // A row without measurements has no prediction.
        if row[2..6].iter().any(|cell| cell.is_empty() || *cell == "NA") {
            assert_eq!(cells[..], ["", "", "", ""]);
            empty += 1;
            continue;
        }
        let probabilities: Vec<f64> = cells[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        approx::assert_relative_eq!(probabilities.iter().sum::<f64>(), 1.0, epsilon = 1e-5);
        let class = ["Adelie", "Chinstrap", "Gentoo"].iter().position(|&name| name == cells[0]).unwrap();
        assert!(probabilities.iter().all(|&other| other <= probabilities[class]));
        right += usize::from(cells[0] == row[0]);
    }
    assert_eq!(empty, 2);
    assert!(right as f64 > 0.95 * (rows.len() - empty) as f64, "{right} of {}", rows.len());
}

#[test]
fn the_penguins_need_no_options() {
    let folder = Folder::new();
    let penguins = data("penguins.csv");
    folder.succeed(&format!("train '{penguins}' --target species --quiet --save p.safetensors"));
    let text = folder.succeed(&format!("predict p.safetensors '{penguins}'"));
    assert_eq!(text.lines().count(), 345, "a header and a line for every row");
}

#[test]
fn models_are_exported_to_onnx() {
    let folder = Folder::new();
    folder.succeed("train --data auto-mpg --epochs 1 --quiet --save cars.safetensors");
    let output = folder.run("export cars.safetensors --onnx cars.onnx");
    assert!(output.status.success() && stdout(&output).is_empty(), "{}", stderr(&output));
    assert!(fs::metadata(folder.path("cars.onnx")).unwrap().len() > 1000);
}

#[test]
fn missing_and_broken_models_are_named() {
    let folder = Folder::new();
    folder.write("broken.safetensors", "not a model");
    folder.write("new.csv", "x\n1\n");
    for command in [
        "predict none.safetensors new.csv",
        "predict broken.safetensors new.csv",
        "export none.safetensors --onnx m.onnx",
    ] {
        let output = folder.run(command);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let name = command.split(' ').nth(1).unwrap();
        assert!(
            stderr(&output).starts_with("error: ") && stderr(&output).contains(name),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn gaps_in_new_rows_end_the_prediction_where_that_is_wanted() {
    let folder = Folder::new();
    let rows: String = (0..30).map(|i| format!("{},{},{}\n", i % 7, i % 5, i % 7 + i % 5)).collect();
    folder.write("t.csv", &format!("a,b,y\n{rows}"));
    folder.succeed("train t.csv --target y --epochs 2 --quiet --save m.safetensors");
    folder.write("new.csv", "a,b\n1,2\n,3\n");
    assert_eq!(folder.succeed("predict m.safetensors new.csv").lines().count(), 3);
    let output = folder.run("predict m.safetensors new.csv --missing error");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("line 3, column 1 (`a`): the cell is empty"), "{}", stderr(&output));
}
