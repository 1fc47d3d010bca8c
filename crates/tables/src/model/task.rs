//! The kinds of predictions: numbers or classes.

use std::fmt::Debug;

use geartrain::Loss;
use ndarray::{Array2, ArrayRef2};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Scores, Table};

/// What a model predicts: [`Regression`](crate::Regression) or
/// [`Classification`](crate::Classification). Only this crate implements it.
#[allow(private_interfaces)]
pub trait Task:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + sealed::Sealed
{
    /// What can be chosen about the task.
    type Options: Clone + Debug + Default + PartialEq + Send + Sync;

    #[doc(hidden)]
    const NAME: &'static str;

    /// The dropout of the members of an ensemble.
    #[doc(hidden)]
    const ENSEMBLE_DROPOUT: f64;

    /// Fits the encoding of the targets to the rows `order` of `table`.
    #[doc(hidden)]
    fn fit(
        options: &Self::Options,
        table: &Table,
        targets: &[String],
        order: &[usize],
    ) -> Result<Self, Error>;

    /// The names of the target columns.
    #[doc(hidden)]
    fn targets(&self) -> Vec<String>;

    /// The names of the predictions' columns.
    #[doc(hidden)]
    fn outputs_by_name(&self) -> Vec<String>;

    /// The targets of all rows as the loss reads them.
    #[doc(hidden)]
    fn encode(&self, table: &Table) -> Result<Array2<f32>, Error>;

    /// The number of outputs of the network.
    #[doc(hidden)]
    fn outputs(&self) -> usize;

    #[doc(hidden)]
    fn loss(&self) -> Box<dyn Loss<f32>>;

    /// Whether a network learns from its validation rows as well once its loss is below half of
    /// that of the constant prediction. The loss must be at least 0.
    #[doc(hidden)]
    fn may_learn_from_all(&self) -> bool;

    /// The outputs of one network in the units of the targets, or as probabilities.
    #[doc(hidden)]
    fn decode(&self, outputs: &ArrayRef2<f32>) -> Array2<f64>;

    /// Finishes the mean of the members' predictions.
    #[doc(hidden)]
    fn finish(&self, mean: &mut Array2<f64>);

    /// The best prediction that reads no column: one row of predictions.
    #[doc(hidden)]
    fn constant(&self) -> Vec<f64>;

    /// How good predictions are; the first score is the one that permutation importance uses, and
    /// is less for better predictions.
    #[doc(hidden)]
    fn score(&self, predictions: &ArrayRef2<f64>, table: &Table, weights: &[f64]) -> Result<Scores, Error>;

    /// Whether folds keep the shares of the target's values.
    #[doc(hidden)]
    const STRATIFIED: bool;

    /// Adds what follows the members' outputs in ONNX, up to the outputs of the model.
    #[cfg(feature = "onnx")]
    #[doc(hidden)]
    fn onnx(&self, graph: &mut geartrain::io::OnnxGraph, outputs: &[String]);

    /// A few words about targets and loss, for reports.
    #[doc(hidden)]
    fn describe(&self) -> String;
}

pub(super) mod sealed {
    pub trait Sealed {}
}
