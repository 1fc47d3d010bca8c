//! Predictions for new files: any order of columns and rows, gaps, unseen levels.

use geartrain_tables::{Table, TabularRegressor};
use ndarray::Axis;

use crate::model::table;

#[test]
fn rows_are_predicted_one_by_one_in_any_order() {
    let train = table(250);
    let model = TabularRegressor::recipe().epochs(3).ensemble(2).fit(&train, "y").unwrap();
    let all = model.predict(&train).unwrap();
    let order: Vec<usize> = (0..train.rows()).map(|row| row * 7 % 250).collect();
    assert_eq!(model.predict(&train.select(&order)).unwrap(), all.select(Axis(0), &order));
    for row in [0, 3, 249] {
        assert_eq!(model.predict(&train.select(&[row])).unwrap().row(0), all.row(row), "row {row}");
    }
    // A chunk has 1,024 rows.
    let many: Vec<usize> = (0..3000).map(|row| row % 250).collect();
    assert_eq!(model.predict(&train.select(&many)).unwrap(), all.select(Axis(0), &many));
}

#[test]
fn gaps_and_unseen_levels_give_a_line_per_row() {
    let train = table(120);
    let model = TabularRegressor::recipe().hidden(&[8]).epochs(3).fit(&train, "y").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.csv");
    // Columns in another order, one that nobody knows, an empty column, an unseen level.
    let text = "extra,class,other,colour,count,x,w\n?,low,,violet,3,,1\n?,,,red,,,\n?,middle,,,2,,0\n";
    std::fs::write(&path, text).unwrap();
    let new = model.read_csv(&path).unwrap();
    let predictions = model.predict(&new).unwrap();
    assert_eq!(predictions.dim(), (3, 1));
    assert!(predictions.iter().all(|y| y.is_finite()));
}

#[test]
fn columns_that_are_missing_or_of_another_type_are_named() {
    let train = table(120).without("class").unwrap().without("w").unwrap();
    let model = TabularRegressor::recipe().hidden(&[8]).epochs(2).fit(&train, "y").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.csv");
    let message = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let prediction = model.read_csv(&path).and_then(|table| model.predict(&table));
        prediction.unwrap_err().to_string()
    };
    let missing = message("x,other,count\n1,1,1\n");
    assert_eq!(missing, "there is no column `colour`; the columns are `x`, `other`, `count`");
    let wrong = message("x,colour,other,count\n1,red,1,1\nmany,red,1,1\n");
    assert_eq!(wrong, "column `x` must be a number: row 2 (from 1) holds `many`");
    // Read without the model's types, the same column is named.
    let table = Table::parse_csv(b"x,colour,other,count\nmany,red,1,1\n1,red,1,1\n").unwrap();
    let error = model.predict(&table).unwrap_err().to_string();
    assert_eq!(error, "column `x` must be a number: row 1 (from 1) holds `many`");
}

#[test]
fn a_category_of_digits_is_read_as_text() {
    let rows: String =
        (0..60).map(|i| format!("{:03}{},{}\n", i % 3, if i < 3 { "a" } else { "" }, i % 3)).collect();
    let train = Table::parse_csv(format!("code,y\n{rows}").as_bytes()).unwrap();
    let model = TabularRegressor::recipe().epochs(40).fit(&train, "y").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.csv");
    std::fs::write(&path, "code\n000\n002\n").unwrap();
    let y = model.predict(&model.read_csv(&path).unwrap()).unwrap();
    assert!(y[(0, 0)] < 0.3 && y[(1, 0)] > 1.7, "{y}");
}
