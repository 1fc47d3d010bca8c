//! One split of the rows: scale, train, and score on the rows that training did not see.

use std::error::Error;

use geartrain::data::{DataError, Dataset, Standardize};
use geartrain::prelude::*;
use geartrain::{metrics, train::History};
use ndarray::{Array2, ArrayView2};

use crate::baseline::least_squares;
use crate::model::ModelOptions;

/// A split whose columns have mean 0 and standard deviation 1 over the training rows.
pub struct Split {
    pub x_scale: Standardize,
    pub y_scale: Standardize,
    train: Dataset<f32>,
    watched: Dataset<f32>,
    /// The test rows, in their own units.
    pub test: Dataset<f32>,
}

/// What training on a split gave.
pub struct Outcome {
    pub history: History,
    pub model: Predictor<f32>,
    pub split: Split,
    /// What the model says of the test rows.
    pub predicted: Array2<f32>,
    pub test: Scores,
    pub baseline: Scores,
}

/// How good predictions are.
#[derive(Clone, Copy)]
pub struct Scores {
    pub r2: f64,
    pub rmse: f64,
    pub mae: f64,
}

impl Split {
    pub fn new(
        (train, test): (Dataset<f32>, Dataset<f32>),
        options: &ModelOptions,
    ) -> Result<Self, DataError> {
        let (train, held_out) = options.held_out(train)?;
        // Learnt from the training rows alone: the test rows must stay unknown.
        let (x_scale, y_scale) = (Standardize::fit(train.x())?, Standardize::fit(train.y())?);
        let scaled =
            |data: &Dataset<f32>| Dataset::new(x_scale.transform(data.x())?, y_scale.transform(data.y())?);
        let (scaled_train, watched) = (scaled(&train)?, scaled(held_out.as_ref().unwrap_or(&test))?);
        Ok(Split { x_scale, y_scale, train: scaled_train, watched, test })
    }

    /// Trains `network` on the training rows and scores it, and the baseline, on the test rows.
    pub fn train(
        self,
        mut network: Network<f32>,
        options: &ModelOptions,
        quiet: bool,
    ) -> Result<Outcome, Box<dyn Error>> {
        let mut training = options.training(MeanSquaredError, &self.watched, quiet)?;
        let history = training.fit(&mut network, &self.train)?;
        let test = &self.test;
        let model = Predictor::new(network)
            .with_x_scale(self.x_scale.clone())?
            .with_y_scale(self.y_scale.clone())?
            .named(test.feature_names(), test.target_names())?;
        let predicted = model.predict(test.x())?;
        let scores = Scores::new(predicted.view(), test.y())?;
        let baseline = Scores::new(self.baseline()?.view(), test.y())?;
        Ok(Outcome { history, model, split: self, predicted, test: scores, baseline })
    }

    /// What linear least squares on the same rows says of the test rows.
    fn baseline(&self) -> Result<Array2<f32>, DataError> {
        let wide = |array: ArrayView2<f32>| array.mapv(f64::from);
        let weights = least_squares(wide(self.train.x()).view(), wide(self.train.y()).column(0));
        let fit =
            wide(self.x_scale.transform(self.test.x())?.view()).dot(&weights).insert_axis(ndarray::Axis(1));
        self.y_scale.inverse(fit.mapv(|value| value as f32).view())
    }
}

impl Scores {
    fn new(prediction: ArrayView2<f32>, target: ArrayView2<f32>) -> Result<Self, geartrain::Error> {
        Ok(Scores {
            r2: metrics::r2(prediction, target)?,
            rmse: metrics::root_mean_squared_error(prediction, target)?,
            mae: metrics::mean_absolute_error(prediction, target)?,
        })
    }

    /// The mean of every score.
    pub fn mean(all: &[Scores]) -> Scores {
        let mean = |score: fn(&Scores) -> f64| all.iter().map(score).sum::<f64>() / all.len() as f64;
        Scores { r2: mean(|s| s.r2), rmse: mean(|s| s.rmse), mae: mean(|s| s.mae) }
    }
}
