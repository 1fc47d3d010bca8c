//! Rows of numbers to learn from: read them, make them, split them, scale them, and hand them out in mini-batches.
//!
//! | file | what it holds |
//! |---|---|
//! | `dataset` | [`Dataset`]: inputs `x`, targets `y` and the names of their columns |
//! | `csv` | [`Csv`]: which columns of a CSV file become a data set, and what to do with [`Missing`] cells |
//! | `sheet` | the named columns of a CSV file and the numbers in its rows |
//! | `labels` | the labels of classes and the order of their indices |
//! | `records` | the lines and cells of a CSV file, in bounded memory |
//! | `split` | train/test split, k-fold cross-validation, and the one shuffle behind them |
//! | `batches` | [`Batches`]: a new order of the rows for each epoch, cut into mini-batches |
//! | `standardize` | [`Standardize`]: every column to mean 0 and standard deviation 1, and back |
//! | [`toy`] | data sets made from a formula and a seed |
//! | `error` | [`DataError`]: everything that can be wrong with data |
//!
//! ```
//! use geartrain::data::{Csv, Dataset, Standardize};
//!
//! let cars = Dataset::<f32>::from_csv("data/auto-mpg.csv", &Csv::new("mpg").drop_columns(["name"]))?;
//! let (train, test) = cars.split(0.2, 7)?;
//! assert_eq!((train.rows(), test.rows()), (314, 78));
//!
//! // The scale is learnt from the training rows only, and applied to both.
//! let scale = Standardize::fit(train.x())?;
//! let (train_x, test_x) = (scale.transform(train.x())?, scale.transform(test.x())?);
//! # assert_eq!((train_x.dim(), test_x.dim()), ((314, 7), (78, 7)));
//! # Ok::<(), geartrain::data::DataError>(())
//! ```

mod batches;
mod csv;
mod dataset;
mod error;
mod labels;
mod records;
mod sheet;
mod split;
mod standardize;
pub mod toy;

pub use batches::Batches;
pub use csv::{Csv, Missing};
pub use dataset::Dataset;
pub use error::{Column, DataError, Part, Place, Suggestion};
pub use records::MAX_RECORD_BYTES;
pub use standardize::Standardize;
