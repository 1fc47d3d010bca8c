//! The command line.

use std::path::PathBuf;

use geartrain::data::{Dataset, Missing, toy};

use crate::csv::{CsvOptions, Shipped};
use crate::model::ModelOptions;

const PENGUINS: Shipped = Shipped {
    path: "data/penguins.csv",
    text: include_str!("../../data/penguins.csv"),
    target: "species",
    text_columns: &["species", "island", "sex"],
    missing: Missing::DropRows,
};

const IRIS: Shipped = Shipped {
    path: "data/iris.csv",
    text: include_str!("../../data/iris.csv"),
    target: "species",
    text_columns: &["species"],
    missing: Missing::Error,
};

/// Train a small neural network to tell classes apart
///
/// Without options it tells three species of penguins apart by four measurements; the two birds of
/// 344 that were not measured are left out. A fifth of the rows, chosen by the seed, is held out as
/// test rows. Inputs are scaled to mean 0 and standard deviation 1 as found in the training rows.
/// The target column may hold text or numbers: every different value is a class.
///
/// Results go to stdout, progress to stderr, and a picture to an SVG file.
#[derive(Debug, clap::Parser)]
#[command(allow_negative_numbers = true, verbatim_doc_comment)]
pub struct Options {
    /// Learn from a data set that is part of this program
    #[arg(long, value_enum, default_value = "penguins", conflicts_with = "csv", help_heading = "Data")]
    data: Data,

    #[command(flatten)]
    csv: CsvOptions,

    #[command(flatten)]
    pub model: ModelOptions,

    /// Cross-validate: train K networks, each tested on another K-th of the shuffled rows
    #[arg(long, value_name = "K", help_heading = "Results")]
    pub folds: Option<usize>,

    /// Where to write the picture
    #[arg(long, value_name = "FILE", default_value = "classify.svg", help_heading = "Results")]
    pub svg: PathBuf,

    /// Print only the results: no summary of the network, no progress
    #[arg(long, help_heading = "Results")]
    pub quiet: bool,

    /// Print the results as one JSON object, and nothing else, to stdout
    ///
    /// {"test": {"accuracy", "confusion"}, "classes": [...], "folds": [{...}, ...], "mean_accuracy": ...}
    ///
    /// `confusion` has a row per true class and a column per predicted one, in the order of `classes`.
    /// `test` is null with --folds; `folds` and `mean_accuracy` are null without.
    #[arg(long, verbatim_doc_comment, help_heading = "Results")]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Data {
    /// 342 penguins of three species, four measurements
    Penguins,
    /// 150 irises of three species, four measurements
    Iris,
    /// 500 points on two half circles that reach into each other, noise 0.2
    Moons,
    /// 400 points on two spirals wound around each other, noise 0.1
    Spirals,
}

impl Options {
    /// The rows to learn from, and the names of their classes.
    pub fn data(&self) -> Result<(Dataset<f32>, Vec<String>), String> {
        let made_up = match self.data {
            Data::Penguins => return self.table(&PENGUINS),
            Data::Iris => return self.table(&IRIS),
            Data::Moons => toy::two_moons(500, 0.2, self.model.seed),
            Data::Spirals => toy::two_spirals(400, 0.1, self.model.seed),
        };
        if self.csv.target.is_some() || self.csv.features.is_some() || !self.csv.drop.is_empty() {
            return Err("--target, --features and --drop are for tables, and this data is made up".into());
        }
        Ok((made_up.map_err(|error| error.to_string())?, vec!["0".into(), "1".into()]))
    }

    fn table(&self, shipped: &Shipped) -> Result<(Dataset<f32>, Vec<String>), String> {
        self.csv.read(shipped, |csv, source, name| csv.read_classes(source, name))
    }
}
