//! From a CSV file to a model: typed columns, an encoder, and networks with good defaults.
//!
//! ```no_run
//! use geartrain_tables::{Folds, Table, TabularRegressor};
//!
//! let table = Table::read_csv("cars.csv")?;
//! println!("{table}"); // the type of each column, and why
//!
//! let recipe = TabularRegressor::recipe().ensemble(8);
//! let folds = Folds::shuffled(table.rows(), 5, 0)?;
//! println!("{}", recipe.cross_validate(&table, "mpg", &folds)?);
//!
//! let model = recipe.fit(&table, "mpg")?;
//! println!("{}", model.report()); // every choice, and why
//! model.save("cars.safetensors")?;
//!
//! let model = TabularRegressor::load("cars.safetensors")?;
//! let new = model.read_csv("new-cars.csv")?; // columns in any order, gaps, new levels
//! let mpg = model.predict(&new)?;
//! # Ok::<(), geartrain_tables::Error>(())
//! ```
//!
//! | item | in one sentence |
//! |---|---|
//! | [`Table`], [`Column`], [`CsvOptions`] | columns, each with a [`ColumnType`] by a [`RULE`] |
//! | [`Encoder`], [`EncoderOptions`] | columns to numbers, fitted on training rows; usable alone |
//! | [`TabularRegressor`], [`TabularClassifier`] | models: predict, score, explain, save, load |
//! | [`Recipe`] | how a model is trained: every choice, with its default |
//! | [`RegressionLoss`], [`ClassWeights`] | what is minimised |
//! | [`Folds`], [`CrossValidation`], [`Scores`] | how good a recipe or a model is |
//! | [`Importance`] | which columns matter |
//! | [`Error`] | every way in which a call can fail |
//!
//! # What the defaults are worth
//!
//! One network is about as good as untuned histogram boosting on small and medium tables of numbers
//! and a few categories; an ensemble of 8 is better, for 8 times the work. The recipe was chosen on
//! eleven public tables by cross-validation, so that their scores flatter it. Trees are ahead where
//! a class depends on strong interactions of columns, on tables with very many categories and
//! heavy-tailed targets, and above about 10,000 rows. `benches/peers/tables.py` compares.
//!
//! # Sources
//!
//! Gorishniy et al. 2022 (*On embeddings for numerical features in tabular deep learning*) for the
//! piecewise-linear encoding; Holzmüller et al. 2024 (*Better by default*) for robust scaling with
//! smooth clipping; Loshchilov and Hutter 2019 for AdamW; Breiman 2001 for permutation importance.

mod encoder;
mod error;
mod model;
mod table;

pub use encoder::{Encoder, EncoderOptions, LeftOut, Scaling};
pub use error::Error;
pub use model::{
    ClassWeights, Classification, ClassificationOptions, CrossValidation, Folds, Importance, MemberHistory,
    Model, Progress, Recipe, Regression, RegressionLoss, RegressionOptions, Scores, TabularClassifier,
    TabularRegressor, Task,
};
pub use table::{Column, ColumnType, CsvOptions, RULE, Table};
