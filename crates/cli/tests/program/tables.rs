//! `train` with the recipe for tables: text, gaps, predictions in any order.

use crate::support::{Folder, assert_well_formed, data, number, stderr, stdout};

/// A table of `colour,size,price` in which the colour matters; every tenth size is missing.
fn table(rows: std::ops::Range<usize>) -> String {
    let row = |i: usize| {
        let (colour, base) = [("red", 10), ("green", 20), ("blue", 40)][i % 3];
        let size = if i.is_multiple_of(10) { String::new() } else { (i * 7 % 23).to_string() };
        format!("{colour},{size},{}\n", base + i * 7 % 23)
    };
    format!("colour,size,price\n{}", rows.map(row).collect::<String>())
}

#[test]
fn penguins_need_no_options() {
    let folder = Folder::new();
    let penguins = data("penguins.csv");
    let output = folder.run(&format!("train '{penguins}' --target species --save p.safetensors --svg p.svg"));
    assert!(output.status.success(), "{}", stderr(&output));
    for expected in
        ["island", "category", "linear model", "most frequent class", "true \\ predicted", "Importance"]
    {
        assert!(stdout(&output).contains(expected), "no `{expected}` in\n{}", stdout(&output));
    }
    assert!(stderr(&output).contains("Task: classification, because `species`"), "{}", stderr(&output));
    let svg = folder.read("p.svg");
    assert_well_formed(&svg);
    for panel in ["Loss in training", "Importance: rise of the log-loss", "Calibration on test rows"] {
        assert!(svg.contains(panel), "no `{panel}`");
    }
    let predicted = folder.succeed(&format!("predict p.safetensors '{penguins}'"));
    assert_eq!(predicted.lines().count(), 345, "a header and a line for each row");
    let first = folder.succeed(&format!("predict p.safetensors '{penguins}' --probabilities"));
    assert_eq!(first.lines().next(), Some("class,p(Adelie),p(Chinstrap),p(Gentoo)"));
}

#[test]
fn text_columns_are_learned_from() {
    let folder = Folder::new();
    folder.write("t.csv", &table(0..300));
    let result = folder.json("train t.csv --target price --save m.safetensors --json --quiet");
    assert_eq!(result["task"], "regression");
    assert!(number(&result["test"]["r2"]) > 0.9, "{result}");
    assert!(number(&result["test"]["rmse"]) < number(&result["constant"]["rmse"]), "{result}");
    assert_eq!(result["importance"][0]["column"], "colour", "{result}");
    assert!(number(&result["importance"][0]["mean"]) > number(&result["importance"][1]["mean"]), "{result}");

    // Columns in another order, a gap, a level that training has not seen: one line for each row.
    folder.write("new.csv", "size,extra,colour\n5,1,red\n,1,blue\n7,1,violet\n");
    let predicted = folder.succeed("predict m.safetensors new.csv");
    let prices: Vec<f64> = predicted.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert_eq!(prices.len(), 3, "{predicted}");
    assert!((prices[0] - 15.0).abs() < 5.0 && prices[1] > 35.0, "{predicted}");

    folder.succeed("export m.safetensors --onnx m.onnx");
    assert!(std::fs::metadata(folder.path("m.onnx")).unwrap().len() > 10_000);

    folder.write("short.csv", "colour\nred\n");
    let output = folder.run("predict m.safetensors short.csv");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("short.csv: there is no column `size`"), "{}", stderr(&output));
}

#[test]
fn folds_are_pooled_and_compared_with_baselines() {
    let folder = Folder::new();
    folder.write("t.csv", &table(0..120));
    let result = folder.json("train t.csv --target colour --folds 3 --ensemble 2 --json --quiet");
    assert_eq!(result["folds"].as_array().map(Vec::len), Some(3), "{result}");
    assert_eq!(result["test_rows"], 120);
    for part in ["pooled", "mean", "baseline", "constant"] {
        assert!(number(&result[part]["accuracy"]) > 0.2, "{part}: {result}");
    }
    let text = folder.succeed("train t.csv --target colour --recipe tables --folds 3 --quiet");
    for expected in ["fold 3", "mean of folds", "network", "most frequent class"] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
}

#[test]
fn options_choose_recipe_and_types() {
    let folder = Folder::new();
    folder.write("t.csv", &table(0..60));
    let output = folder.run("train t.csv --target price --epochs 2");
    assert!(stderr(&output).contains("left out, because the network reads numbers only: `colour`"));
    let rows: String = (0..40).map(|i| format!("{i},{}\n", 3 * i)).collect();
    folder.write("count.csv", &format!("x,y\n{rows}"));
    let output = folder.run("train count.csv --target y --recipe tables");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--type COLUMN=number"), "{}", stderr(&output));
    let result = folder.json("train count.csv --target y --recipe tables --type x=number --json --quiet");
    assert!(number(&result["test"]["r2"]) > 0.8, "{result}");
    let binary: String = (0..40).map(|i| format!("{},{}\n", ["a", "b"][i % 2], i % 2)).collect();
    folder.write("binary.csv", &format!("x,y\n{binary}"));
    let result = folder.json("train binary.csv --target y --json --quiet");
    assert_eq!(result["task"], "classification", "two different numbers are classes");
    for (options, message) in [
        ("--recipe tables --hidden 8", "takes no options of the network"),
        ("--type x", "COLUMN=TYPE"),
        ("--type x=nonsense", "`nonsense` is no type"),
    ] {
        let output = folder.run(&format!("train count.csv --target y {options}"));
        assert_eq!(output.status.code(), Some(2), "{options}");
        assert!(stderr(&output).contains(message), "{options}: {}", stderr(&output));
    }
}

#[test]
fn numbers_in_another_notation_are_refused_with_advice_that_works() {
    let folder = Folder::new();
    let cell = |i: usize| {
        ["5%", "(7)", "\"1,234\"", "8"][i % 4].to_string() + &",red,".replace("red", ["red", "blue"][i % 2])
    };
    let rows: String = (0..60).map(|i| format!("{}{}\n", cell(i), i % 11)).collect();
    folder.write("t.csv", &format!("a,b,y\n{rows}"));
    let output = folder.run("train t.csv --target y --recipe tables");
    assert_eq!(output.status.code(), Some(1));
    let advice = "column `a`: all cells are numbers in another notation (--ignore-in-numbers '%(),' reads 5";
    assert!(stderr(&output).contains(advice), "{}", stderr(&output));
    folder.succeed("train t.csv --target y --ignore-in-numbers %(), --quiet");
    // As text, or left out.
    folder.succeed("train t.csv --target y --type a=category --quiet");
    folder.succeed("train t.csv --target y --drop a --quiet --save m.safetensors");
    let output = folder.run("predict m.safetensors t.csv --missing drop");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_numeric_target_is_no_class() {
    let folder = Folder::new();
    let rows: String = (0..40).map(|i| format!("{},c{},{}\n", i % 7, i % 3, i as f64 / 8.0)).collect();
    folder.write("t.csv", &format!("a,c,y\n{rows}"));
    let output = folder.run("train t.csv --target y --task classification --recipe tables");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("are not classes; is this column a number to predict"),
        "{}",
        stderr(&output)
    );
}

/// A table of two targets, a count, weights and a class of few rows.
fn wide(rows: usize) -> String {
    let row = |i: usize| {
        let (x, colour) = (i * 7 % 23, ["red", "green", "blue"][i % 3]);
        let rare = if i.is_multiple_of(9) { "rare" } else { "common" };
        let noise = i * 5 % 11;
        format!("{x},{colour},{},{},{},{rare},{}\n", 3 * x + noise, 50 - x, x / 4, 1 + i % 3)
    };
    let rows: String = (0..rows).map(row).collect();
    format!("x,colour,up,down,count,kind,w\n{rows}")
}

#[test]
fn losses_and_several_targets_are_options() {
    let folder = Folder::new();
    folder.write("t.csv", &wide(300));
    let others = "--drop down,count,kind,w --json --quiet";
    for loss in ["squared", "absolute", "huber=0.5"] {
        let result = folder.json(&format!("train t.csv --target up --loss {loss} {others}"));
        assert!(number(&result["test"]["r2"]) > 0.9, "{loss}: {result}");
    }
    let count = folder.json("train t.csv --target count --loss poisson --features x,colour --json --quiet");
    assert!(number(&count["test"]["r2"]) > 0.9, "{count}");
    let (model, constant) = (&count["test"]["poisson_deviance"], &count["constant"]["poisson_deviance"]);
    assert!(number(model) < 0.5 * number(constant), "{count}");

    let output =
        folder.run("train t.csv --target up --loss quantile=0.9,0.1 --features colour --save q.safetensors");
    for expected in ["share below 0.1", "quantiles", "The pinball error is in the unit of `up`"] {
        assert!(stdout(&output).contains(expected), "no `{expected}` in\n{}", stdout(&output));
    }
    let quantiles = folder.succeed("predict q.safetensors t.csv");
    let mut lines = quantiles.lines();
    assert_eq!(lines.next(), Some("up[0.1],up[0.9]"));
    for line in lines {
        let (low, high) = line.split_once(',').unwrap();
        assert!(low.parse::<f64>().unwrap() < high.parse::<f64>().unwrap(), "{line}");
    }

    let two = "train t.csv --target up --target down --features x,colour";
    let output = folder.run(&format!("{two} --save two.safetensors --svg two.svg --ensemble 2"));
    for expected in ["up, 60 test rows", "down, 60 test rows", "the units of the targets", "ensemble"] {
        assert!(stdout(&output).contains(expected), "no `{expected}` in\n{}", stdout(&output));
    }
    assert_well_formed(&folder.read("two.svg"));
    assert_eq!(folder.succeed("predict two.safetensors t.csv").lines().next(), Some("up,down"));
    let result = folder.json(&format!("{two} --folds 2 --json --quiet"));
    assert_eq!(result["target"], serde_json::json!(["up", "down"]));
    for place in ["pooled", "mean", "baseline", "constant"] {
        for target in ["up", "down"] {
            let rmse = number(&result[place][target]["rmse"]);
            assert!(rmse > 0.0, "{place} {target}: {result}");
        }
    }
}

#[test]
fn classes_and_rows_have_weights() {
    let folder = Folder::new();
    folder.write("t.csv", &wide(300));
    let rare = |options: &str| {
        let features = "--features x,colour --save m.safetensors --json --quiet";
        folder.json(&format!("train t.csv --target kind {features} {options}"));
        let predicted = folder.succeed("predict m.safetensors t.csv");
        predicted.lines().filter(|line| *line == "rare").count()
    };
    // Colour and x tell little about the class of a ninth of the rows.
    let (equal, balanced) = (rare("--recipe tables"), rare("--class-weight balanced"));
    assert!(equal < 20 && balanced > equal + 20, "{equal} {balanced}");
    assert!(rare("--class-weight rare=8 --class-weight common=1") > equal + 20);

    // Two values of y for each x, of which one has no weight.
    let rows: String = (0..200).map(|i| format!("{},{},{}\n", i % 10, i / 100, i / 100)).collect();
    folder.write("w.csv", &format!("x,y,w\n{rows}"));
    let output = folder.run("train w.csv --target y --task regression --weight-column w --features x --json");
    assert!(stderr(&output).contains("100 rows without `y` or with weight 0 are left out"));
    let result: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((&result["rows"], number(&result["test"]["rmse"])), (&serde_json::json!(100), 0.0));
    let text = folder.succeed("train t.csv --target up --weight-column w --drop down,count,kind --quiet");
    assert!(text.contains("Scores are weighted."), "{text}");
}

#[test]
fn wrong_choices_are_errors_before_training() {
    let folder = Folder::new();
    folder.write("t.csv", &wide(60));
    folder.write("negative.csv", "x,y,w\n1,1,1\n2,2,-1\n3,4,1\n4,5,1\n5,6,1\n");
    for (arguments, code, message) in [
        ("t.csv --target up --loss mean", 2, "expected squared, absolute, huber"),
        ("t.csv --target up --loss quantile=0.5,2", 2, "different numbers between 0 and 1"),
        ("t.csv --target up --class-weight red", 2, "CLASS=WEIGHT"),
        ("t.csv --target up --class-weight balanced --loss absolute", 2, "for a classification"),
        ("t.csv --target up --class-weight balanced --task regression", 2, "not for --task regression"),
        ("t.csv --target kind --loss absolute --task classification", 2, "not for --task classification"),
        ("t.csv --target kind --class-weight a=1 --class-weight a=2", 2, "two weights"),
        ("t.csv --target kind --class-weight rare=1 --class-weight balanced", 2, "no other weights"),
        ("t.csv --target kind --class-weight violet=2", 2, "the classes are `common`, `rare`"),
        ("t.csv --target up --weight-column up", 2, "the same column"),
        ("t.csv --target up --weight-column nothing", 1, "no column `nothing`"),
        ("t.csv --target up --target kind", 1, "`kind` must be a number"),
        ("t.csv --target up --target nothing", 1, "no column `nothing`"),
        ("t.csv --target up --loss absolute --recipe network", 2, "the recipe network takes no --loss"),
        ("t.csv --target up --loss absolute --hidden 8", 2, "takes no options of the network"),
        ("negative.csv --target y --weight-column w", 1, "a weight of at least 0"),
    ] {
        let output = folder.run(&format!("train {arguments}"));
        assert_eq!(output.status.code(), Some(code), "{arguments}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{arguments}: {}", stderr(&output));
        assert!(!stdout(&output).contains("test rows"), "{arguments}: {}", stdout(&output));
    }
}

#[test]
fn arrays_of_numpy_are_tables() {
    let folder = Folder::new();
    let x = ndarray::Array2::from_shape_fn((120, 2), |(row, column)| (row * (3 + 4 * column) % 23) as f64);
    let y = x.column(0).mapv(|x| 2.0 * x + 1.0);
    let mut both = x.clone();
    both.push_column(y.view()).unwrap();
    geartrain::io::npy::save(folder.path("t.npy"), both.view().into_dyn()).unwrap();
    let numbered = "train t.npy --target 'column 3' --save m.safetensors --json --quiet";
    let result = folder.json(numbered);
    assert!(number(&result["test"]["r2"]) > 0.95, "{result}");
    let predicted = folder.succeed("predict m.safetensors t.npy");
    assert_eq!((predicted.lines().count(), predicted.lines().next()), (121, Some("column 3")));
    let result = folder.json("train t.npy --target 'column 3' --type 'column 2=identifier' --json --quiet");
    assert!(number(&result["test"]["r2"]) > 0.95, "{result}");
    let output = folder.run("train t.npy --target y");
    assert!(stderr(&output).contains("no column `y`; the columns are `column 1`"), "{}", stderr(&output));
    let output = folder.run("train t.npy --target 'column 3' --hidden 8");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}
