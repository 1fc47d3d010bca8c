//! One split of the rows: scale, train, and score on the test rows.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use geartrain::data::{DataError, Dataset, Scaling};
use geartrain::metrics;
use geartrain::metrics::ConfusionMatrix;
use geartrain::prelude::*;
use geartrain::train::{History, StopReason};
use ndarray::{Array2, ArrayView2};

use super::baseline::least_squares;
use super::network::ModelOptions;
use super::task::Task;
use crate::failure::Outcome;

/// The rows of one experiment, scaled by the mean and standard deviation of the training rows.
pub struct Split {
    pub scaling: Scaling,
    train: Dataset<f32>,
    watched: Dataset<f32>,
    /// The test rows, in their own units.
    pub test: Dataset<f64>,
}

/// A trained model and its test.
pub struct Trained {
    pub history: History,
    pub model: Predictor<f32>,
    /// The test rows, in their own units.
    pub test: Dataset<f64>,
    /// The output of the model for the test rows.
    pub predicted: Array2<f64>,
    /// The prediction of linear least squares for the test rows. For regression only, and only for
    /// a number of columns that takes seconds at most.
    pub baseline: Option<Array2<f64>>,
}

/// The scores of a regression.
#[derive(Clone, Copy)]
pub struct Scores {
    /// NaN for a single row, for which it is undefined.
    pub r2: f64,
    pub rmse: f64,
    pub mae: f64,
}

impl Split {
    pub fn new(
        (train, test): (Dataset<f64>, Dataset<f64>),
        options: &ModelOptions,
    ) -> Result<Self, DataError> {
        let (train, held_out) = options.hold_out(train)?;
        // Fitted on the training rows alone: nothing may be known of the test rows.
        let scaling = Scaling::fit(&train)?;
        let test = scaling.fill_gaps(test)?;
        let watched = scaling.apply(held_out.as_ref().unwrap_or(&test))?;
        Ok(Split { train: scaling.apply(&train)?, scaling, watched, test })
    }

    /// Trains `network` on the training rows and tests it, with linear least squares for
    /// comparison.
    pub fn train(
        self,
        network: Network<f32>,
        task: &Task,
        options: &ModelOptions,
        quiet: bool,
        stop: Arc<AtomicBool>,
    ) -> Outcome<Trained> {
        let baseline = self.baseline()?;
        Ok(Trained { baseline, ..self.train_alone(network, task, options, quiet, stop)? })
    }

    /// The same without least squares.
    pub fn train_alone(
        self,
        mut network: Network<f32>,
        task: &Task,
        options: &ModelOptions,
        quiet: bool,
        stop: Arc<AtomicBool>,
    ) -> Outcome<Trained> {
        let loss = task.loss();
        let history = options.training(&loss, &self.watched, quiet, stop)?.fit(&mut network, &self.train)?;
        let Split { scaling, test, .. } = self;
        let model = Predictor::new(network).with_scaling(scaling)?;
        let predicted = model.predict(test.x())?;
        Ok(Trained { history, model, test, predicted, baseline: None })
    }

    /// The prediction of linear least squares for the test rows.
    fn baseline(&self) -> Result<Option<Array2<f64>>, DataError> {
        let Some(y_scale) = self.scaling.y() else { return Ok(None) };
        let wide = self.train.cast::<f64>();
        let Some(weights) = least_squares(wide.x(), wide.y().column(0)) else { return Ok(None) };
        let fit = self.scaling.x().transform(self.test.x())?.dot(&weights);
        Ok(Some(y_scale.inverse_transform(&fit.insert_axis(ndarray::Axis(1)))?))
    }
}

impl Trained {
    /// Whether Ctrl-C ended the training.
    pub fn was_interrupted(&self) -> bool {
        self.history.stop_reason == StopReason::StopFlag
    }

    pub fn scores(&self) -> Outcome<Scores> {
        Scores::new(&self.predicted, &self.test.y().to_owned())
    }

    pub fn confusion(&self) -> Outcome<ConfusionMatrix> {
        Ok(ConfusionMatrix::from_logits(&self.predicted, self.test.y())?)
    }
}

impl Scores {
    pub fn new(prediction: &Array2<f64>, target: &Array2<f64>) -> Outcome<Self> {
        let r2 = metrics::r2(prediction, target)?;
        let rmse = metrics::root_mean_squared_error(prediction, target)?;
        Ok(Scores { r2, rmse, mae: metrics::mean_absolute_error(prediction, target)? })
    }

    /// The mean of each score; NaN where one of them is undefined.
    pub fn mean(all: &[Scores]) -> Scores {
        let mean = |score: fn(&Scores) -> f64| all.iter().map(score).sum::<f64>() / all.len() as f64;
        Scores { r2: mean(|s| s.r2), rmse: mean(|s| s.rmse), mae: mean(|s| s.mae) }
    }
}

/// The predictions of all folds and their targets, concatenated; `None` if a fold has no such
/// prediction.
pub fn join<'a>(
    folds: &'a [Trained],
    prediction: impl Fn(&'a Trained) -> Option<&'a Array2<f64>>,
) -> Option<(Array2<f64>, Array2<f64>)> {
    let predictions = folds.iter().map(|fold| Some(prediction(fold)?.view())).collect::<Option<Vec<_>>>()?;
    let targets: Vec<_> = folds.iter().map(|fold| fold.test.y().view()).collect();
    let stack = |parts: &[ArrayView2<f64>]| {
        ndarray::concatenate(ndarray::Axis(0), parts).expect("all folds have the same columns")
    };
    Some((stack(&predictions), stack(&targets)))
}
