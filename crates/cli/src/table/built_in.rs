//! Data sets that are part of the program.

use clap::ValueEnum;
use geartrain::data::{Missing, samples};

/// The name of a data set.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum BuiltIn {
    /// 392 cars: miles per gallon by seven numbers
    AutoMpg,
    /// 342 penguins of three species, four measurements
    Penguins,
    /// 150 irises of three species, four measurements
    Iris,
    /// 500 rows of y = sin x, noise of standard deviation 0.1
    Sine,
    /// 500 rows, ten features of which five count, noise of standard deviation 1 (Friedman 1991)
    Friedman1,
    /// 500 points on two interleaved half circles, noise 0.2
    Moons,
    /// 400 points on two intertwined spirals, noise 0.1
    Spirals,
}

/// A table that is part of the program.
pub struct Shipped {
    pub path: &'static str,
    pub text: &'static str,
    pub target: &'static str,
    /// Columns that do not hold numbers.
    pub text_columns: &'static [&'static str],
    pub missing: Missing,
}

impl BuiltIn {
    /// The table; `None` for generated data.
    pub fn shipped(self) -> Option<Shipped> {
        let table = match self {
            BuiltIn::AutoMpg => Shipped {
                path: "auto-mpg.csv",
                text: samples::AUTO_MPG,
                target: "mpg",
                text_columns: &["name"],
                missing: Missing::Error,
            },
            BuiltIn::Penguins => Shipped {
                path: "penguins.csv",
                text: samples::PENGUINS,
                target: "species",
                text_columns: &["species", "island", "sex"],
                missing: Missing::DropRows,
            },
            BuiltIn::Iris => Shipped {
                path: "iris.csv",
                text: samples::IRIS,
                target: "species",
                text_columns: &["species"],
                missing: Missing::Error,
            },
            BuiltIn::Sine | BuiltIn::Friedman1 | BuiltIn::Moons | BuiltIn::Spirals => return None,
        };
        Some(table)
    }
}
