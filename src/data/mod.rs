//! Rows of numbers to learn from: read, make, split, scale, and cut them into mini-batches.
//!
//! | file | what it holds |
//! |---|---|
//! | `dataset` | [`Dataset`]: inputs `x`, targets `y`, the names of their columns and of classes |
//! | `csv` | [`Csv`]: how to read a CSV file, which columns, what to do with [`Missing`] cells;
//!         [`CsvRows`]: its rows as text |
//! | `gaps` | missing features, filled with values from training rows |
//! | `note` | [`Note`]: what a program should show its user about a file |
//! | `split` | train/test split, k-fold cross-validation, and the one shuffle behind them |
//! | `batches` | [`Batches`]: a new order of the rows for each epoch, cut into mini-batches |
//! | `scaler` | [`StandardScaler`]: every column to mean 0 and standard deviation 1, and back |
//! | `scaling` | [`Scaling`]: the scalers, names, classes and fill values that belong to a model |
//! | [`samples`] | three small tables as text |
//! | [`toy`] | data sets made from a formula and a seed |
//!
//! ```
//! use geartrain::data::{Csv, Dataset, Scaling};
//!
//! let csv = Csv::new("mpg").drop_columns(["name"]);
//! let cars = Dataset::<f64>::from_csv("data/auto-mpg.csv", &csv)?;
//! let (train, test) = cars.split(0.2, 7)?;
//! assert_eq!((train.rows(), test.rows()), (314, 78));
//! for note in cars.notes() {
//!     println!("{note}");
//! }
//!
//! // The scales are learned from the training rows only, and applied to both.
//! let scaling = Scaling::fit(&train)?;
//! let train: Dataset<f32> = scaling.apply(&train)?;
//! let test: Dataset<f32> = scaling.apply(&test)?;
//! # assert_eq!((train.x().dim(), test.x().dim()), ((314, 7), (78, 7)));
//! # Ok::<(), geartrain::data::DataError>(())
//! ```

mod batches;
mod csv;
mod dataset;
mod gaps;
mod note;
pub mod samples;
mod scaler;
mod scaling;
mod split;
pub mod toy;

pub use crate::error::data::{Column, DataError, DataProblem, Part, Place};
pub use crate::error::suggestion::{NumberFormat, Suggestion};
pub(crate) use batches::Batch;
pub use batches::{Batches, Order};
pub use csv::{
    Csv, CsvBlock, CsvCell, CsvRows, Inputs, MAX_RECORD_BYTES, Missing, NumberCheck, TargetValues,
    is_index_name,
};
pub use dataset::Dataset;
pub use note::{IndexKind, Note};
pub use scaler::StandardScaler;
pub use scaling::Scaling;
