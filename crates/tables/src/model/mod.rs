//! Models for tables: networks with the encoder and the scales that belong to them.
//!
//! | file | contents |
//! |---|---|
//! | `recipe.rs` | [`Recipe`]: every choice, with its default |
//! | `fit.rs` | training of a model, cross-validation |
//! | `member.rs` | training of one network |
//! | `task.rs` | what a model predicts: [`Task`] |
//! | `regression.rs`, `classification.rs` | numbers; classes |
//! | `quantiles.rs` | the pinball loss of several quantiles |
//! | `scores.rs`, `folds.rs` | how good predictions are; cross-validation |
//! | `importance.rs` | which columns matter |
//! | `report.rs` | every choice in words |
//! | `file.rs` | save and load |
//! | `onnx.rs` | models as ONNX files, with the encoding |

mod classification;
mod file;
mod fit;
mod folds;
mod importance;
mod member;
#[cfg(feature = "onnx")]
mod onnx;
mod quantiles;
mod recipe;
mod regression;
mod report;
mod scores;
mod task;

use std::path::Path;

use geartrain::Network;
use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::encoder::Rows;
use crate::{CsvOptions, Encoder, Error, Table};

pub use classification::{ClassWeights, Classification, ClassificationOptions};
pub use file::model_kind;
pub use fit::Progress;
pub use folds::{CrossValidation, Folds};
pub use importance::Importance;
pub use member::MemberHistory;
pub use recipe::Recipe;
pub use regression::{Regression, RegressionLoss, RegressionOptions};
pub use scores::Scores;
pub use task::Task;

/// A model that predicts numbers.
///
/// ```
/// use geartrain_tables::{Table, TabularRegressor};
/// let text: String = (0..60).map(|i| format!("{},{}\n", i % 12, 3 * (i % 12) + 1)).collect();
/// let table = Table::parse_csv(format!("hours,price\n{text}").as_bytes())?;
/// let model = TabularRegressor::recipe().epochs(200).fit(&table, "price")?;
/// let new = Table::parse_csv(b"hours\n5\n")?;
/// assert!((model.predict(&new)?[(0, 0)] - 16.0).abs() < 1.5);
/// println!("{}", model.report());
/// # Ok::<(), geartrain_tables::Error>(())
/// ```
pub type TabularRegressor = Model<Regression>;

/// A model that predicts one of several classes.
///
/// ```
/// use geartrain_tables::{Table, TabularClassifier};
/// let kind = |i: usize| if i < 30 { "small" } else { "large" };
/// let text: String = (0..60).map(|i| format!("{i},{}\n", kind(i))).collect();
/// let table = Table::parse_csv(format!("size,kind\n{text}").as_bytes())?;
/// let table = table.with_type("size", geartrain_tables::ColumnType::Number)?;
/// let model = TabularClassifier::recipe().fit(&table, "kind")?;
/// assert_eq!(model.classes(), ["large", "small"]);
/// let new = Table::parse_csv(b"size\n3\n55\n")?;
/// assert_eq!(model.predict(&new)?, ["small", "large"]);
/// # Ok::<(), geartrain_tables::Error>(())
/// ```
pub type TabularClassifier = Model<Classification>;

/// Networks for a table, with the encoder of its columns and the scales or classes of its targets.
/// See [`TabularRegressor`] and [`TabularClassifier`].
#[derive(Debug, Clone)]
pub struct Model<T: Task> {
    encoder: Encoder,
    task: T,
    networks: Vec<Network<f32>>,
    training: fit::TrainingRecord,
}

impl<T: Task> Model<T> {
    /// The default recipe.
    pub fn recipe() -> Recipe<T> {
        Recipe::default()
    }

    /// The encoder of the columns.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The networks, one per member: they read encoded rows and write scaled numbers or logits.
    pub fn networks(&self) -> &[Network<f32>] {
        &self.networks
    }

    /// The course of training of each member.
    pub fn histories(&self) -> &[MemberHistory] {
        &self.training.members
    }

    /// The names of the target columns.
    pub fn targets(&self) -> Vec<String> {
        self.task.targets()
    }

    /// `options` with the types of the columns that the model reads. With them, a file is read as
    /// the training data were: `007` stays a category, and text in a number column is an error.
    pub fn csv_options(&self, options: CsvOptions) -> CsvOptions {
        self.encoder.csv_options(options)
    }

    /// Reads a CSV file for this model: the default [`CsvOptions`] with the types of the model's
    /// columns.
    ///
    /// # Errors
    /// As [`CsvOptions::read`].
    pub fn read_csv(&self, path: impl AsRef<Path>) -> Result<Table, Error> {
        self.csv_options(CsvOptions::new()).read(path)
    }

    /// How good the model is on the rows of `table` that have a target. Weighted if the table has
    /// the weight column of the recipe.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] and [`Error::WrongType`]; [`Error::NoData`] if no row has a target;
    /// [`Error::Value`] for a class that the model does not know.
    pub fn score(&self, table: &Table) -> Result<Scores, Error> {
        let table = self.rows_to_score(table)?;
        self.score_all(&table)
    }

    /// The scores of a baseline on the same rows: the prediction that reads no column. It is the
    /// mean of the training targets (or their median or quantiles, as the loss asks), or the shares
    /// of the classes. A useful model is better.
    ///
    /// # Errors
    /// As [`score`](Model::score).
    pub fn baseline_score(&self, table: &Table) -> Result<Scores, Error> {
        let table = self.rows_to_score(table)?;
        let row = Array1::from(self.constant());
        let predictions = row.broadcast((table.rows(), row.len())).expect("a row for each row");
        self.task.score(&predictions.to_owned(), &table, &self.weights_of(&table)?)
    }

    /// The prediction that reads no column, one number per output: see
    /// [`baseline_score`](Model::baseline_score).
    pub fn constant(&self) -> Vec<f64> {
        self.task.constant()
    }

    /// The rows of `table` that have targets and a weight.
    fn rows_to_score(&self, table: &Table) -> Result<Table, Error> {
        let weights = self.training.weights.as_deref().filter(|name| table.column(name).is_ok());
        let rows = fit::usable_rows(table, &self.task.targets(), weights, "score")?;
        Ok(if rows.len() == table.rows() { table.clone() } else { table.select(&rows) })
    }

    /// The scores on a table in which every row has targets and a weight.
    fn score_all(&self, table: &Table) -> Result<Scores, Error> {
        self.task.score(&self.predict_numbers(table)?, table, &self.weights_of(table)?)
    }

    /// The weight of each row of `table`, 1 without a weight column.
    fn weights_of(&self, table: &Table) -> Result<Vec<f64>, Error> {
        Ok(match self.training.weights.as_deref() {
            Some(name) if table.column(name).is_ok() => fit::weights(table, name)?.to_vec(),
            _ => vec![1.0; table.rows()],
        })
    }

    /// The predictions for all rows: numbers or probabilities, averaged over the members.
    fn predict_numbers(&self, table: &Table) -> Result<Array2<f64>, Error> {
        let rows: Rows<'_> = self.encoder.bind(table)?;
        let all: Vec<usize> = (0..table.rows()).collect();
        let mut mean = Array2::zeros((table.rows(), self.task.outputs()));
        for (chunk, mut mean) in
            all.chunks(member::CHUNK).zip(mean.axis_chunks_iter_mut(Axis(0), member::CHUNK))
        {
            let x = rows.encoded(chunk);
            for network in &self.networks {
                mean += &self.task.decode(&network.predict(&x)?);
            }
        }
        mean /= self.networks.len() as f64;
        self.task.finish(&mut mean);
        Ok(mean)
    }
}

impl Model<Regression> {
    /// The prediction for each row of `table`, `(rows, outputs)`, in the units of the targets.
    /// There is one output per target, or per target and quantile:
    /// [`output_names`](Model::output_names). Columns are found by name. Cells may be missing, and
    /// levels new.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] and [`Error::WrongType`] with the column's name.
    pub fn predict(&self, table: &Table) -> Result<Array2<f64>, Error> {
        self.predict_numbers(table)
    }

    /// The names of the columns of a prediction: `price`, or `price[0.1]` for a quantile.
    pub fn output_names(&self) -> Vec<String> {
        self.task.outputs_by_name()
    }
}

impl Model<Classification> {
    /// The most probable class for each row of `table`. Columns are found by name. Cells may be
    /// missing, and levels new.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] and [`Error::WrongType`] with the column's name.
    pub fn predict(&self, table: &Table) -> Result<Vec<String>, Error> {
        let probabilities = self.predict_numbers(table)?;
        let class = |row: ArrayView1<'_, f64>| self.task.classes()[argmax(row)].clone();
        Ok(probabilities.rows().into_iter().map(class).collect())
    }

    /// The probability of each class, `(rows, classes)`, in the order of
    /// [`classes`](Model::classes).
    ///
    /// # Errors
    /// As [`predict`](Model::predict).
    pub fn predict_proba(&self, table: &Table) -> Result<Array2<f64>, Error> {
        self.predict_numbers(table)
    }

    /// The names of the classes, in the order of their letters.
    pub fn classes(&self) -> &[String] {
        self.task.classes()
    }
}

/// The index of the largest number, the first of equals.
fn argmax(row: ArrayView1<'_, f64>) -> usize {
    row.iter().enumerate().fold(0, |best, (i, value)| if *value > row[best] { i } else { best })
}
