//! One split of the rows: scale, train, and compare with the rows that training did not see.

use std::error::Error;

use geartrain::ConfusionMatrix;
use geartrain::data::Standardize;
use geartrain::prelude::{CrossEntropy, Dataset, Network, Predictor};
use geartrain::train::History;

use crate::model::ModelOptions;

/// What training on a split gave.
pub struct Outcome {
    pub history: History,
    pub model: Predictor<f32>,
    pub test: Dataset<f32>,
    pub confusion: ConfusionMatrix,
}

/// Trains `network` on the first part of the split and compares it with the second.
pub fn train(
    (train, test): (Dataset<f32>, Dataset<f32>),
    mut network: Network<f32>,
    options: &ModelOptions,
    quiet: bool,
) -> Result<Outcome, Box<dyn Error>> {
    let (train, held_out) = options.held_out(train)?;
    // Learnt from the training rows alone: the test rows must stay unknown.
    let scale = Standardize::fit(train.x())?;
    let scaled = |data: &Dataset<f32>| Dataset::new(scale.transform(data.x())?, data.y().to_owned());
    let (train, watched) = (scaled(&train)?, scaled(held_out.as_ref().unwrap_or(&test))?);
    let history = options.training(CrossEntropy, &watched, quiet)?.fit(&mut network, &train)?;
    let model = Predictor::new(network).with_x_scale(scale)?;
    let confusion = ConfusionMatrix::new(model.predict(test.x())?.view(), test.y())?;
    Ok(Outcome { history, model, test, confusion })
}
