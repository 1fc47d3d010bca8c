//! ONNX files. `tests/interop/run.sh` runs the ignored test and compares the predictions with those
//! of onnxruntime, in the folder that the environment variable `INTEROP_DIR` names.

#![cfg(feature = "onnx")]

use std::fs;
use std::path::PathBuf;

use geartrain_tables::{
    Column, ColumnType, EncoderOptions, Model, RegressionLoss, Scaling, Table, TabularClassifier,
    TabularRegressor, Task,
};
use ndarray::Array2;
use serde_json::{Map, Value, json};

const ROWS: usize = 300;

/// Cells of all kinds of columns: the inputs of the ONNX model, and a table of them.
struct Cells(Vec<(&'static str, Value)>);

impl Cells {
    fn new() -> Self {
        let number = |value: f64, missing: bool| if missing { Value::Null } else { json!(value) };
        let text = |levels: &[&str], i: usize| json!(levels[i % levels.len()]);
        let column = |cell: &dyn Fn(usize) -> Value| Value::from((0..ROWS).map(cell).collect::<Vec<_>>());
        let wave = |i: usize| ((i * 7919) % 1009) as f64 / 100.0 - 3.0;
        Cells(vec![
            ("size", column(&|i| number(wave(i), i % 13 == 5))),
            // Mostly 0, with far outliers.
            ("gain", column(&|i| number(if i % 5 == 0 { 1e6 * wave(i + 3) } else { 0.0 }, false))),
            // Days before 1970 and in leap years, with times.
            (
                "seen",
                column(&|i| {
                    number(((i * 9973) % 60_000) as f64 - 20_000.0 + (i % 24) as f64 / 24.0, i % 17 == 3)
                }),
            ),
            ("colour", column(&|i| text(&["red", "grün", "", "blue", "red", "grün"], i * 5))),
            // One level in two rows only.
            ("code", column(&|i| if i % 200 == 7 { json!("odd") } else { text(&["007", "008"], i) })),
            ("twin", column(&|i| text(&["a", "b"], i / 2))),
            ("ok", column(&|i| text(&["Yes", "no", "YES", "No", "yes", "nO"], i * 7))),
        ])
    }

    fn table(&self, extra: impl IntoIterator<Item = Column>) -> Table {
        let columns = self.0.iter().map(|(name, cells)| {
            let cells = cells.as_array().unwrap();
            let numbers = || cells.iter().map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect();
            match *name {
                "size" | "gain" => Column::numbers(*name, numbers()),
                "seen" => Column::days(*name, numbers()),
                _ => {
                    let texts = cells.iter().map(|cell| cell.as_str().filter(|text| !text.is_empty()));
                    Column::texts(*name, texts)
                }
            }
            .unwrap()
        });
        Table::new(columns.chain(extra)).unwrap()
    }

    /// Cells that the training rows do not have: gaps everywhere, unseen levels, far numbers.
    fn new_rows(&self) -> Self {
        let odd = [json!(null), json!(-1e8), json!(4e4), json!(19_782.999_99)];
        let texts = [json!(""), json!("violet"), json!("RED"), json!("blue")];
        let words = [json!(""), json!("TRUE"), json!("f"), json!("N")];
        let replaced = self.0.iter().map(|(name, cells)| {
            let mut cells = cells.as_array().unwrap().clone();
            for row in 0..40 {
                cells[row] = match *name {
                    // Days of the years −9999 to 9999 have dates.
                    "seen" if row % 4 == 1 => json!(-1e6),
                    "size" | "gain" | "seen" => odd[row % 4].clone(),
                    "ok" => words[row % 4].clone(),
                    _ => texts[(row / 2) % 4].clone(),
                };
            }
            (*name, Value::from(cells))
        });
        Cells(replaced.collect())
    }
}

fn targets() -> [Column; 3] {
    let wave = |i: usize| ((i * 7919) % 1009) as f64 / 100.0 - 3.0;
    let y = (0..ROWS).map(|i| 50.0 + 3.0 * wave(i) + (i % 3) as f64).collect();
    let count = (0..ROWS).map(|i| (wave(i).max(0.0) + (i % 2) as f64).floor()).collect();
    let class = (0..ROWS).map(|i| {
        Some(if wave(i) > 2.0 {
            "high"
        } else if i % 2 == 0 {
            "même"
        } else {
            "low"
        })
    });
    [
        Column::numbers("y", y).unwrap(),
        Column::numbers("count", count).unwrap(),
        Column::texts("class", class).unwrap(),
    ]
}

#[test]
fn every_column_is_an_input() {
    let [y, ..] = targets();
    let table = Cells::new().table([y]);
    assert_eq!(table.column("ok").unwrap().column_type(), ColumnType::YesNo);
    let model = TabularRegressor::recipe().hidden(&[4]).epochs(1).fit(&table, "y").unwrap();
    let bytes = model.to_onnx().unwrap();
    let contains = |name: &str| bytes.windows(name.len()).any(|part| part == name.as_bytes());
    for (name, _) in model.encoder().inputs() {
        assert!(contains(name), "{name}");
    }
    assert!(contains("ai.onnx.ml") && contains("LabelEncoder") && contains("nO"));
    let folder = tempfile::tempdir().unwrap();
    assert!(model.export_onnx(folder.path().join("no/such/folder.onnx")).is_err());
}

#[test]
#[ignore = "run by tests/interop/run.sh"]
fn write_table_models() {
    let (cells, [y, count, class]) = (Cells::new(), targets());
    let recipe = || TabularRegressor::recipe().hidden(&[16, 8]).epochs(20);
    let table = cells.table([y.clone()]);
    write("squared", &recipe().fit(&table, "y").unwrap(), &cells, |m, t| (m.predict(t).unwrap(), None));
    let standard = recipe().encoder(EncoderOptions::new().scaling(Scaling::Standard).bins(3));
    let model = standard.extrapolate(true).ensemble(3).fit(&table, "y").unwrap();
    write("ensemble", &model, &cells, |m, t| (m.predict(t).unwrap(), None));
    let quantiles = recipe().loss(RegressionLoss::Quantiles(vec![0.2, 0.5, 0.8])).ensemble(2);
    let both = cells.table([y, count.clone()]);
    let model = quantiles.fit_targets(&both, &["y", "count"]).unwrap();
    write("quantiles", &model, &cells, |m, t| (m.predict(t).unwrap(), None));
    let model = recipe().loss(RegressionLoss::Poisson).fit(&cells.table([count]), "count").unwrap();
    write("poisson", &model, &cells, |m, t| (m.predict(t).unwrap(), None));
    let recipe = TabularClassifier::recipe().hidden(&[16]).epochs(20).ensemble(2);
    let model = recipe.fit(&cells.table([class]), "class").unwrap();
    write("classes", &model, &cells, |m, t| (m.predict_proba(t).unwrap(), Some(m.predict(t).unwrap())));
}

/// Writes a model, inputs and expected predictions.
fn write<T: Task>(
    name: &str,
    model: &Model<T>,
    cells: &Cells,
    predict: impl Fn(&Model<T>, &Table) -> (Array2<f64>, Option<Vec<String>>),
) {
    let folder: PathBuf = std::env::var_os("INTEROP_DIR").expect("run tests/interop/run.sh").into();
    let folder = folder.join("tables");
    fs::create_dir_all(&folder).unwrap();
    model.export_onnx(folder.join(format!("{name}.onnx"))).unwrap();
    let cells = cells.new_rows();
    let (predictions, classes) = predict(model, &cells.table([]));
    let rows: Vec<Vec<f64>> = predictions.rows().into_iter().map(|row| row.to_vec()).collect();
    let columns: Map<String, Value> =
        cells.0.iter().map(|(name, cells)| (name.to_string(), cells.clone())).collect();
    let case = json!({"columns": columns, "predictions": rows, "classes": classes});
    fs::write(folder.join(format!("{name}.json")), case.to_string()).unwrap();
}
