//! The options of `geartrain train`.

use std::path::{Path, PathBuf};

use super::network::{ModelOptions, at_least};
use super::tabular::RecipeOptions;
use super::task::Kind;
use crate::table::TableOptions;

/// Train a small neural network on a table
///
/// Predicts a number or a class, depending on the target column. Columns may hold numbers, text,
/// yes and no, dates, and gaps. If one holds text, the recipe for tables encodes the columns,
/// designs the network and trains it; columns of numbers go into the network of the options under
/// "Network and training", which leaves out text.
///
/// A fifth of the rows, chosen by the seed, is held out as test rows. Features (and a numeric
/// target) are scaled to mean 0 and standard deviation 1 over the training rows; errors are in the
/// target's own unit. A regression is compared with linear least squares on the same rows.
///
/// Results go to stdout, progress to stderr. Ctrl-C stops training after the current step: the
/// model is scored and saved as it is then.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Options {
    #[command(flatten)]
    pub table: TableOptions,

    /// Predict numbers or classes [default: decided by the target column]
    #[arg(long, value_enum, help_heading = "Data")]
    pub task: Option<Kind>,

    /// Test on the rows of this CSV file, and train on all rows of FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["folds", "data"], help_heading = "Data")]
    pub test: Option<PathBuf>,

    #[command(flatten)]
    pub recipe: RecipeOptions,

    #[command(flatten)]
    pub model: ModelOptions,

    /// Cross-validate: train K networks, each tested on a different K-th of the shuffled rows
    #[arg(long, value_name = "K", conflicts_with = "save", help_heading = "Results", value_parser = at_least(2))]
    pub folds: Option<usize>,

    /// Save the model with its scalers and names, for `predict`, `export` and PyTorch (safetensors)
    #[arg(long, value_name = "MODEL", help_heading = "Results")]
    pub save: Option<PathBuf>,

    /// Draw the loss curves and the predictions on test rows, as SVG; with the recipe for tables
    /// also the importance of the columns and the calibration of probabilities
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub svg: Option<PathBuf>,

    /// Print only the results: no summary of the network, no progress
    #[arg(long, help_heading = "Results")]
    pub quiet: bool,

    /// Print the results as one JSON object, and nothing else, to stdout
    ///
    /// {"task", "target", "rows", "interrupted", "test", "folds", "mean", "pooled", ...}
    ///
    /// `test` holds the scores on the test rows: r2, rmse and mae, or accuracy, classes and
    /// confusion; with several targets, an object with the scores of each. With --folds it is null;
    /// `folds` lists the scores of each fold, `mean` is their mean, and `pooled` the score of the
    /// predictions of all folds together. `baseline` is linear least squares on the same rows.
    /// `confusion` has a row for each true class and a column for each predicted class; it is null
    /// for more than 50 classes. `importance` lists by how much the error on the test rows rises if
    /// a column is shuffled (recipe tables, without --folds). A score that is undefined is null.
    #[arg(long, verbatim_doc_comment, help_heading = "Results")]
    pub json: bool,
}

impl Options {
    /// The files to write.
    pub fn outputs(&self) -> impl Iterator<Item = &Path> {
        self.save.iter().chain(&self.svg).map(PathBuf::as_path)
    }

    /// The files to read.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.table.file.iter().chain(&self.test).map(PathBuf::as_path)
    }
}
