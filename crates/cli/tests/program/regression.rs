//! `train` on numbers: scores, baseline, cross-validation, pictures.

use crate::support::{Folder, assert_well_formed, data, number, stderr, stdout};

#[test]
fn the_network_beats_least_squares_on_the_cars() {
    let folder = Folder::new();
    let cars = data("auto-mpg.csv");
    let result =
        folder.json(&format!("train '{cars}' --target mpg --drop name --svg cars.svg --json --quiet"));
    assert_eq!((&result["task"], &result["target"]), (&"regression".into(), &"mpg".into()));
    let (test, baseline) = (&result["test"], &result["baseline"]);
    assert!(number(&test["r2"]) >= 0.85, "{result}");
    assert!(number(&test["r2"]) > number(&baseline["r2"]), "{result}");
    assert!(number(&test["rmse"]) > number(&test["mae"]), "{result}");
    assert!(result["folds"].is_null() && result["pooled"].is_null(), "{result}");
    assert_eq!(result, folder.json("train --data auto-mpg --json --quiet"), "the built-in table");

    let svg = folder.read("cars.svg");
    assert_well_formed(&svg);
    for text in ["training rows", "test rows", "actual mpg", "predicted mpg", "epoch"] {
        assert!(svg.contains(text), "no `{text}` in the picture");
    }
}

#[test]
fn results_go_to_stdout_and_progress_to_stderr() {
    let folder = Folder::new();
    let cars = data("auto-mpg.csv");
    let output = folder.run(&format!("train '{cars}' --target mpg --drop name --epochs 2"));
    for text in ["Linear(7, 64)", "78 test rows", "linear baseline", "RMSE and MAE are in the unit of `mpg`"]
    {
        assert!(stdout(&output).contains(text), "no `{text}` in\n{}", stdout(&output));
    }
    for text in ["Task: regression, because `mpg` holds numbers", "epoch 2/2"] {
        assert!(stderr(&output).contains(text), "no `{text}` in\n{}", stderr(&output));
    }
    let quiet = folder.run(&format!("train '{cars}' --target mpg --drop name --epochs 2 --quiet"));
    assert_eq!(stderr(&quiet), "");
    assert!(stdout(&output).ends_with(stdout(&quiet)), "{}", stdout(&quiet));
}

#[test]
fn a_better_baseline_is_reported_with_advice() {
    let text = Folder::new().succeed("train --data auto-mpg --epochs 1 --learning-rate 1e-6 --quiet");
    assert!(text.contains("The linear baseline is better than the network. Try --early-stopping"), "{text}");
}

#[test]
fn cross_validation_tests_every_row_once() {
    let folder = Folder::new();
    let result = folder.json("train --data auto-mpg --folds 3 --epochs 5 --json --quiet");
    let folds: Vec<f64> =
        result["folds"].as_array().unwrap().iter().map(|fold| number(&fold["r2"])).collect();
    approx::assert_relative_eq!(
        number(&result["mean"]["r2"]),
        folds.iter().sum::<f64>() / 3.0,
        epsilon = 1e-12
    );
    assert!(number(&result["pooled"]["r2"]) > 0.7 && folds[0] != folds[1], "{result}");
    assert!(result["test"].is_null() && result["test_rows"] == 392, "{result}");
    let output = folder.run("train --data auto-mpg --folds 3 --epochs 1");
    assert!(stdout(&output).contains("392 test rows"), "{}", stdout(&output));
    assert!(stderr(&output).contains("fold 3 of 3"), "{}", stderr(&output));
}

#[test]
fn leave_one_out_reports_the_pooled_score() {
    let folder = Folder::new();
    let rows: String = (0..30).map(|i| format!("{i},{}\n", 3 * i + 1)).collect();
    folder.write("line.csv", &format!("x,y\n{rows}"));
    let command = "train line.csv --target y --folds 30 --epochs 60 --learning-rate 0.02 --quiet";
    let result = folder.json(&format!("{command} --json"));
    assert!(result["mean"]["r2"].is_null() && result["folds"][0]["r2"].is_null(), "{result}");
    assert!(number(&result["pooled"]["r2"]) > 0.9, "{result}");
    let text = folder.succeed(command);
    let line =
        |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
    assert!(line("mean of folds").contains("undefined"), "{text}");
    assert!(line("all folds together").contains("0.9"), "{text}");
    assert!(text.contains("and 10 more folds"), "{text}");
}

#[test]
fn a_test_file_replaces_the_split() {
    let folder = Folder::new();
    let rows = |range: std::ops::Range<i32>| range.map(|i| format!("{i},{}\n", 2 * i)).collect::<String>();
    folder.write("train.csv", &format!("x,y\n{}", rows(0..60)));
    folder.write("test.csv", &format!("name,y,x\n{}", "a,40,20\nb,60,30\n"));
    let result = folder.json("train train.csv --target y --test test.csv --json --quiet");
    assert_eq!((&result["rows"], &result["test_rows"]), (&60.into(), &2.into()));
    assert!(number(&result["test"]["rmse"]) < 5.0, "{result}");
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let folder = Folder::new();
    let run = |seed: &str| {
        folder.succeed(&format!("train --data auto-mpg --epochs 3 --json --quiet --seed {seed}"))
    };
    assert_eq!(run("3"), run("3"));
    assert_ne!(run("3"), run("4"));
}

#[test]
fn generated_data_is_learned() {
    let folder = Folder::new();
    let sine = folder.json("train --data sine --svg sine.svg --json --quiet");
    assert!(number(&sine["test"]["r2"]) >= 0.975, "{sine}");
    let svg = folder.read("sine.svg");
    assert!(svg.contains("truth") && svg.contains("network"));
    let friedman = folder.json("train --data friedman1 --json --quiet");
    assert!(number(&friedman["test"]["r2"]) >= 0.88, "{friedman}");
}

#[test]
fn every_option_of_the_network_makes_a_difference() {
    let folder = Folder::new();
    let run = |more: &str| {
        let result = folder.json(&format!("train --data auto-mpg --epochs 2 --json --quiet {more}"));
        result["test"].clone()
    };
    let usual = run("");
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
        assert_ne!(run(more), usual, "{more}");
    }
}

#[test]
fn the_format_of_a_table_is_a_matter_of_options() {
    let folder = Folder::new();
    let mut table = String::from("id;x;const;y<&>\n");
    for row in 0..40 {
        let gap = if row == 5 { "?".to_string() } else { row.to_string() };
        table += &format!("car {row};{gap};7;{}\r\n", 3 * row + 1);
    }
    folder.write("my table.csv", &table);
    let command = "train 'my table.csv' --target y<&> --json --epochs 50 --quiet";
    let output = folder.run(&format!("{command} --svg y.svg --delimiter ; --drop id --missing drop"));
    let result: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert!(number(&result["test"]["r2"]) > 0.9, "{result}");
    assert!(number(&result["baseline"]["r2"]) > 0.999_999, "{result}");
    assert_eq!(stderr(&output).matches("`const`").count(), 1, "{}", stderr(&output));
    let svg = folder.read("y.svg");
    assert!(svg.contains("y&lt;&amp;&gt;"), "a name is not escaped");
    assert_well_formed(&svg);

    for (options, hint) in [
        ("", "--delimiter ';'"),
        ("--delimiter ; --features id,x", "--drop 'id'"),
        ("--delimiter ; --missing error", "--missing drop, mean or median"),
    ] {
        let output = folder.run(&format!("{command} {options}"));
        assert_eq!(output.status.code(), Some(1), "{options:?}");
        assert!(stderr(&output).contains(hint), "{options:?}: {}", stderr(&output));
    }
    let output = folder.run(&format!("{command} --delimiter ; --missing error"));
    assert!(stderr(&output).contains("my table.csv, line 7, column 2 (`x`)"), "{}", stderr(&output));
}

#[test]
fn columns_of_text_are_left_out_and_gaps_filled_with_a_note() {
    let folder = Folder::new();
    let rows: String = (0..40)
        .map(|i| format!("car {i},red,{},{i}\n", if i == 7 { String::new() } else { i.to_string() }))
        .collect();
    folder.write("cars.csv", &format!("name,colour,x,y\n{rows}"));
    let output = folder.run("train cars.csv --target y --epochs 50 --json --quiet --save m.safetensors");
    let result: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert!(number(&result["baseline"]["r2"]) > 0.9, "{result}");
    let notes = stderr(&output);
    assert!(notes.contains("left out, because the network reads numbers only: `name`, `colour`"), "{notes}");
    assert!(notes.contains("`x`"), "the gap: {notes}");
    assert_eq!(folder.succeed("predict m.safetensors cars.csv").lines().count(), 41);
}

#[test]
fn a_column_whose_name_has_a_comma_can_be_dropped() {
    let folder = Folder::new();
    let rows: String = (0..20).map(|i| format!("text,{i},{i}\n")).collect();
    folder.write("comma.csv", &format!("\"a, b\",x,y\n{rows}"));
    let command = "train comma.csv --target y --epochs 1 --quiet";
    let advice = stderr(&folder.run(&format!("{command} --features '\"a, b\",x'"))).to_owned();
    assert!(advice.contains("--drop '\"a, b\"'"), "{advice}");
    let output = folder.run(&format!("{command} --drop '\"a, b\"'"));
    assert!(output.status.success() && stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn odd_losses_are_drawn() {
    let folder = Folder::new();
    folder.write("constant.csv", "x,y\n1,2\n2,2\n3,2\n4,2\n5,2\n");
    for arguments in [
        "--data auto-mpg --epochs 0",
        "--data auto-mpg --epochs 1",
        "--data auto-mpg --epochs 3 --folds 2",
        "constant.csv --target y --weight-decay 0",
    ] {
        folder.succeed(&format!("train {arguments} --svg picture.svg --quiet"));
        assert_well_formed(&folder.read("picture.svg"));
    }
}

#[test]
fn many_columns_have_no_baseline() {
    let folder = Folder::new();
    let columns = 2500;
    let mut table: String = (0..columns).map(|i| format!("c{i},")).collect();
    table += "y\n";
    for row in 0..10 {
        table += &(0..columns).map(|i| format!("{},", (i * row) % 7)).collect::<String>();
        table += &format!("{row}\n");
    }
    folder.write("wide.csv", &table);
    let command = "train wide.csv --target y --epochs 1 --hidden 4 --quiet";
    assert!(folder.json(&format!("{command} --json"))["baseline"].is_null());
    assert!(folder.succeed(command).contains("No linear baseline"));
}
