//! All settings of a training run, and the data, network, loss and optimizer they describe.

use std::time::Duration;

use geartrain::data::{DataError, Scaling, toy};
use geartrain::optim::RMSprop;
use geartrain::prelude::*;
use ndarray::Array2;
use serde::Deserialize;

use super::table::Table;
use crate::design::{Design, Norm, Scheme, Weights};
use crate::lab::reply::{Problem, within};

const MOST_ROWS: usize = 5_000;
const MOST_LAYERS: usize = 64;
const WIDEST: usize = 512;
const MOST_WEIGHTS: usize = 500_000;
const MOST_EPOCHS: usize = 10_000;
const MOST_CELLS: usize = 500_000;
/// The largest learning rate.
pub const FASTEST: f64 = 100.0;
/// The largest momentum.
pub const MOST_MOMENTUM: f64 = 0.999;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    data: Data,
    /// For generated data.
    rows: usize,
    noise: f64,
    /// For `data: "table"`.
    table: Option<Table>,
    /// Units of each hidden layer.
    hidden: Vec<usize>,
    activation: String,
    init: Scheme,
    gain: f64,
    skip: Option<f64>,
    norm: Norm,
    optimizer: Rule,
    learning_rate: f64,
    batch: usize,
    epochs: usize,
    seed: u64,
    /// The limit of epochs per second; 0 for none.
    speed: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Data {
    Sine,
    Friedman,
    Moons,
    Spirals,
    Table,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Sgd,
    Momentum,
    Adam,
    Adamw,
    Rmsprop,
}

/// A training run that is ready to start.
pub struct Prepared {
    /// Untrained.
    pub network: Network<f64>,
    pub scaling: Scaling,
    /// Training and validation rows, in their own units and scaled.
    pub train: Dataset<f64>,
    pub validation: Dataset<f64>,
    pub scaled_train: Dataset<f64>,
    pub scaled_validation: Dataset<f64>,
    pub epochs: usize,
    pub batch: usize,
    pub seed: u64,
    /// The minimum time of an epoch.
    pub slowed: Option<Duration>,
    /// The rows to measure the sharpness on: all of them where that is quick.
    sharpness_rows: (Array2<f64>, Array2<f64>),
    /// Whether the optimizer is SGD, whose momentum the page may change.
    pub is_sgd: bool,
}

impl Settings {
    pub fn prepare(&self) -> Result<Prepared, Problem> {
        within("epochs", self.epochs, 0, MOST_EPOCHS)?;
        within("batch", self.batch, 1, MOST_ROWS)?;
        within("learning_rate", self.learning_rate, 0.0, FASTEST)?;
        within("gain", self.gain, 0.0, 100.0)?;
        within("skip", self.skip.unwrap_or(1.0), -10.0, 10.0)?;
        if self.speed != 0.0 {
            within("speed", self.speed, 0.1, 1_000.0)?;
        }
        let data = self.data()?;
        let in_data = |error: DataError| Problem::in_field(self.data_field(), error);
        let (train, validation) = data.split(0.2, self.seed).map_err(in_data)?;
        let outputs = if data.classes().is_empty() { data.outputs() } else { data.classes().len() };
        let network = self.network(data.features(), outputs)?;
        // Fitted on the training rows alone: nothing may be known of the validation rows.
        let scaling = Scaling::fit(&train).map_err(in_data)?;
        let scaled_train = scaling.apply(&train).map_err(in_data)?;
        let scaled_validation = scaling.apply(&validation).map_err(in_data)?;
        let sharpness_rows = first_rows(&scaled_train, 512);
        Ok(Prepared {
            network,
            scaling,
            train,
            validation,
            scaled_train,
            scaled_validation,
            epochs: self.epochs,
            batch: self.batch,
            seed: self.seed,
            slowed: (self.speed > 0.0).then(|| Duration::from_secs_f64(1.0 / self.speed)),
            sharpness_rows,
            is_sgd: matches!(self.optimizer, Rule::Sgd | Rule::Momentum),
        })
    }

    /// The field for errors in the data.
    fn data_field(&self) -> &'static str {
        if matches!(self.data, Data::Table) { "csv" } else { "rows" }
    }

    fn data(&self) -> Result<Dataset<f64>, Problem> {
        if let Data::Table = self.data {
            let table = self.table.as_ref().ok_or_else(|| Problem::in_field("csv", "paste a table"))?;
            let data = table.read()?;
            // The reader refuses `1e400`; this catches what else is not finite.
            data.check_finite().map_err(|error| Problem::in_field("csv", error))?;
            let cells = data.rows() * (data.features() + data.outputs());
            if cells > MOST_CELLS {
                return Err(Problem::too_large("csv", format!("at most {MOST_CELLS} numbers, got {cells}")));
            }
            return Ok(data);
        }
        let rows = within("rows", self.rows, 10, MOST_ROWS)?;
        let noise = within("noise", self.noise, 0.0, 10.0)?;
        let made = match self.data {
            Data::Sine => toy::sine(rows, noise, self.seed),
            Data::Friedman => toy::friedman1(rows, noise, self.seed),
            Data::Moons => toy::two_moons(rows, noise, self.seed),
            Data::Spirals | Data::Table => toy::two_spirals(rows, noise, self.seed),
        };
        made.map_err(|error| Problem::in_field("noise", error))
    }

    fn network(&self, inputs: usize, outputs: usize) -> Result<Network<f64>, Problem> {
        within("hidden", self.hidden.len(), 0, MOST_LAYERS).map_err(|_| {
            Problem::in_field("hidden", format!("at most {MOST_LAYERS} layers, got {}", self.hidden.len()))
        })?;
        if let Some(width) = self.hidden.iter().find(|width| !(1..=WIDEST).contains(*width)) {
            let error = format!("each layer has 1 to {WIDEST} units, got {width}");
            return Err(Problem::in_field("hidden", error));
        }
        let widths: Vec<usize> =
            [inputs].into_iter().chain(self.hidden.iter().copied()).chain([outputs]).collect();
        let weights: usize = widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
        if weights > MOST_WEIGHTS {
            return Err(Problem::too_large(
                "hidden",
                format!("at most {MOST_WEIGHTS} weights, got {weights}"),
            ));
        }
        let design = Design {
            inputs,
            hidden: &self.hidden,
            outputs,
            activation: &self.activation,
            weights: Weights { init: self.init.init(), gain: self.gain, sigma_b: 0.0 },
            skip: self.skip,
            norm: self.norm,
        };
        let network = design.network().map_err(|error| Problem::in_field("activation", error))?;
        Ok(network.with_seed(self.seed))
    }

    pub fn optimizer(&self) -> Box<dyn Optimizer<f64>> {
        let rate = self.learning_rate;
        match self.optimizer {
            Rule::Sgd => Box::new(Sgd::<f64>::new(rate)),
            Rule::Momentum => Box::new(Sgd::<f64>::new(rate).momentum(0.9)),
            Rule::Adam => Box::new(Adam::<f64>::new(rate)),
            Rule::Adamw => Box::new(AdamW::<f64>::new(rate)),
            Rule::Rmsprop => Box::new(RMSprop::<f64>::new(rate)),
        }
    }
}

impl Prepared {
    /// The names of the classes; `None` for a regression.
    pub fn classes(&self) -> Option<&[String]> {
        Some(self.train.classes()).filter(|classes| !classes.is_empty())
    }

    /// Mean squared error for numbers, cross-entropy for classes.
    pub fn loss(&self) -> &'static dyn Loss<f64> {
        if self.classes().is_some() { &CrossEntropy } else { &MeanSquaredError }
    }

    /// Measures the sharpness, on the first rows.
    pub fn monitor(&self) -> geartrain_lab::Monitor<'_, f64> {
        let (x, y) = &self.sharpness_rows;
        geartrain_lab::Monitor::new(self.loss(), x, y)
    }

    /// The first rows, to measure gradients on.
    pub fn probe(&self) -> (Array2<f64>, Array2<f64>) {
        first_rows(&self.scaled_train, 32)
    }
}

/// At most the first `most` rows of `data`.
fn first_rows(data: &Dataset<f64>, most: usize) -> (Array2<f64>, Array2<f64>) {
    let rows = ..data.rows().min(most);
    (data.x().slice(ndarray::s![rows, ..]).to_owned(), data.y().slice(ndarray::s![rows, ..]).to_owned())
}
