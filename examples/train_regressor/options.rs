//! The command line.

use std::path::PathBuf;

use geartrain::data::{DataError, Dataset, Missing, toy};

use crate::csv::{CsvOptions, Shipped};
use crate::model::ModelOptions;
use crate::saved::SavedOptions;

const AUTO_MPG: Shipped = Shipped {
    path: "data/auto-mpg.csv",
    text: include_str!("../../data/auto-mpg.csv"),
    target: "mpg",
    text_columns: &["name"],
    missing: Missing::Error,
};

/// Train a small neural network to predict a number, and compare it with a straight line
///
/// Without options it predicts the fuel economy (miles per gallon) of 392 cars of the years
/// 1970 to 1982 from seven numbers about each car. A fifth of the rows, chosen by the seed, is held
/// out as test rows. Inputs and target are scaled to mean 0 and standard deviation 1 as found in
/// the training rows; errors are told in the target's own unit.
///
/// Results go to stdout, progress to stderr, and a picture to an SVG file.
#[derive(Debug, clap::Parser)]
#[command(allow_negative_numbers = true, verbatim_doc_comment)]
pub struct Options {
    #[command(flatten)]
    pub csv: CsvOptions,

    /// Learn from 500 made-up rows instead of a table
    #[arg(long, value_enum, conflicts_with_all = ["csv", "target", "features", "drop"], help_heading = "Data")]
    toy: Option<Toy>,

    #[command(flatten)]
    pub model: ModelOptions,

    #[command(flatten)]
    pub saved: SavedOptions,

    /// Cross-validate: train K networks, each tested on another K-th of the shuffled rows
    #[arg(long, value_name = "K", help_heading = "Results")]
    pub folds: Option<usize>,

    /// Where to write the picture
    #[arg(long, value_name = "FILE", default_value = "train_regressor.svg", help_heading = "Results")]
    pub svg: PathBuf,

    /// Print only the results: no summary of the network, no progress
    #[arg(long, help_heading = "Results")]
    pub quiet: bool,

    /// Print the results as one JSON object, and nothing else, to stdout
    ///
    /// {"test": {"r2", "rmse", "mae"}, "baseline": {...}, "folds": [{...}, ...], "mean_r2": ...}
    ///
    /// `test` is null with --folds; `folds` and `mean_r2` are null without.
    /// `baseline` is linear least squares on the same rows; with --folds, the mean of each score.
    /// A score that is not a finite number is null.
    #[arg(long, verbatim_doc_comment, help_heading = "Results")]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum Toy {
    /// y = sin x + noise of standard deviation 0.1
    Sine,
    /// Ten features of which five count; noise of standard deviation 1 (Friedman 1991)
    Friedman1,
}

impl Options {
    /// The rows to learn from.
    pub fn data(&self) -> Result<Dataset<f32>, String> {
        let say = |error: DataError| error.to_string();
        match self.toy {
            None => self.csv.read(&AUTO_MPG, |csv, source, name| csv.read(source, name)),
            Some(Toy::Sine) => toy::sine(500, 0.1, self.model.seed).map_err(say),
            Some(Toy::Friedman1) => toy::friedman1(500, 1.0, self.model.seed).map_err(say),
        }
    }

    /// The function behind the data, if it is known and can be drawn.
    pub fn truth(&self) -> Option<fn(f64) -> f64> {
        (self.toy == Some(Toy::Sine)).then_some(f64::sin)
    }
}
