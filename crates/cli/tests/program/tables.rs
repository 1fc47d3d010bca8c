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
    for expected in ["island", "category", "linear model", "most frequent class", "true \\ predicted"] {
        assert!(stdout(&output).contains(expected), "no `{expected}` in\n{}", stdout(&output));
    }
    assert!(stderr(&output).contains("Task: classification, because `species`"), "{}", stderr(&output));
    assert_well_formed(&folder.read("p.svg"));
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
    assert!(stderr(&output).contains("no column `size`"), "{}", stderr(&output));
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
