//! Which network to train, and how, as options of a command.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::builder::RangedU64ValueParser;
use geartrain::data::DataError;
use geartrain::layers::{self, Mlp};
use geartrain::optim::RMSprop;
use geartrain::optim::schedule::{Cosine, Exponential, Step};
use geartrain::prelude::{
    Adam, AdamW, Dataset, Loss, Network, Optimizer, ReLU, Sgd, Sigmoid, Tanh, Training,
};
use geartrain::train::EarlyStopping;
use serde::Serialize;

use crate::failure::{Failure, Outcome};

/// A training run with the loss and the optimizer of the command line.
pub type AnyTraining<'a> = Training<'a, f32, &'a dyn Loss<f32>, Box<dyn Optimizer<f32>>>;

/// The options of a network and its training.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[command(next_help_heading = "Network and training")]
pub struct ModelOptions {
    /// Widths of the hidden layers, separated by commas
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "64,64")]
    pub hidden: Vec<usize>,

    /// The activation after every hidden layer
    #[arg(long, value_enum, default_value = "tanh")]
    activation: Activation,

    /// Add a residual connection around every hidden layer that is as wide as the one before
    #[arg(long)]
    residual: bool,

    /// Passes over the training rows; 0 leaves the network untrained
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub epochs: usize,

    /// Rows per training step
    #[arg(long, value_name = "ROWS", default_value_t = 16, value_parser = at_least(1))]
    pub batch_size: usize,

    /// The update rule
    #[arg(long, value_enum, default_value = "sgd")]
    optimizer: Rule,

    /// Learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.002)]
    pub learning_rate: f64,

    /// How the learning rate changes from epoch to epoch
    #[arg(long, value_enum, default_value = "constant")]
    schedule: Schedule,

    /// Momentum of sgd and rmsprop, from 0 to below 1 [default: 0.9 for sgd, 0 for rmsprop]
    #[arg(long, value_name = "FACTOR")]
    momentum: Option<f64>,

    /// Weight decay: the multiple of the weights added to their gradient (adamw: decoupled)
    #[arg(long, value_name = "FACTOR", default_value_t = 0.002)]
    weight_decay: f64,

    /// Stop after this many epochs without a better validation loss, and keep the best weights
    ///
    /// The validation rows are a fifth of the training rows; the network does not train on them.
    #[arg(long, value_name = "PATIENCE")]
    early_stopping: Option<usize>,

    /// Fraction of every hidden layer's outputs to set to 0 in training
    #[arg(long, value_name = "FRACTION")]
    dropout: Option<f64>,

    /// Normalise before every activation: each row (layer) or each feature over the batch (batch)
    #[arg(long, value_enum)]
    norm: Option<Norm>,

    /// Seed of everything random: the split, the initial weights, the order of rows, generated data
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, Serialize, clap::ValueEnum)]
enum Activation {
    Relu,
    Sigmoid,
    Tanh,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, clap::ValueEnum)]
enum Rule {
    Sgd,
    Adam,
    Adamw,
    Rmsprop,
}

#[derive(Debug, Clone, Copy, Serialize, clap::ValueEnum)]
enum Schedule {
    Constant,
    /// Half a cosine, from the learning rate to 0
    Cosine,
    /// Divided by 10 after each third of the epochs
    Step,
    /// The same factor every epoch, to a hundredth in the end
    Exponential,
}

#[derive(Debug, Clone, Copy, Serialize, clap::ValueEnum)]
enum Norm {
    Layer,
    Batch,
}

/// A parser of whole numbers from `least` on.
pub fn at_least(least: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..)
}

impl ModelOptions {
    /// The network from `inputs` features to `outputs`, with its initial weights.
    pub fn network(&self, inputs: usize, outputs: usize) -> Outcome<Network<f32>> {
        self.check_memory(inputs, outputs)?;
        if self.residual && !self.hidden.windows(2).any(|pair| pair[0] == pair[1]) {
            let message = "--residual needs two neighbours of equal width in --hidden, such as 64,64";
            return Err(Failure::option(message));
        }
        let widths = [&[inputs], &self.hidden[..], &[outputs]].concat();
        let mut mlp = Mlp::new(&widths).residual(self.residual);
        mlp = match self.activation {
            Activation::Relu => mlp.activation(ReLU),
            Activation::Sigmoid => mlp.activation(Sigmoid),
            Activation::Tanh => mlp.activation(Tanh),
        };
        mlp = match self.norm {
            None => mlp,
            Some(Norm::Layer) => mlp.norm(layers::Norm::Layer),
            Some(Norm::Batch) => mlp.norm(layers::Norm::Batch),
        };
        if let Some(fraction) = self.dropout {
            mlp = mlp.dropout(fraction);
        }
        Ok(Network::new(mlp.build())?.with_seed(self.seed))
    }

    /// Refuses sizes for which training would run out of memory.
    fn check_memory(&self, inputs: usize, outputs: usize) -> Outcome {
        /// Parameters, gradients, optimizer state, best weights, and initial values in `f64`.
        const PER_PARAMETER: u128 = 6 * size_of::<f32>() as u128;
        /// Output and gradient of a linear layer, normalisation, activation and dropout.
        const PER_UNIT: u128 = 8 * size_of::<f32>() as u128;
        let widths = [&[inputs], &self.hidden[..], &[outputs]].concat();
        let parameters = widths.windows(2).map(|pair| (pair[0] as u128 + 1) * pair[1] as u128).sum::<u128>();
        let units = widths.iter().map(|&width| width as u128).sum::<u128>();
        let bytes = parameters * PER_PARAMETER + units * self.batch_size as u128 * PER_UNIT;
        let mut memory = Vec::<u8>::new();
        if usize::try_from(bytes).is_ok_and(|bytes| memory.try_reserve_exact(bytes).is_ok()) {
            return Ok(());
        }
        let gigabytes = bytes as f64 / 1e9;
        Err(Failure::option(format!(
            "a network of {parameters} parameters needs about {gigabytes:.0} GB to train, more than this \
             computer has; choose smaller layers with --hidden"
        )))
    }

    /// Whether a fifth of the training rows is held out for early stopping.
    pub fn stops_early(&self) -> bool {
        self.early_stopping.is_some()
    }

    /// The rows to train on, and the validation rows for early stopping.
    pub fn hold_out(&self, train: Dataset<f64>) -> Result<(Dataset<f64>, Option<Dataset<f64>>), DataError> {
        match self.early_stopping {
            None => Ok((train, None)),
            Some(_) => train.split(0.2, self.seed).map(|(train, held_out)| (train, Some(held_out))),
        }
    }

    /// The rows of the second loss curve. Without early stopping nothing is chosen by them.
    pub fn watched(&self) -> &'static str {
        if self.early_stopping.is_some() { "validation rows" } else { "test rows" }
    }

    /// The training run: minimises `loss`, measures the loss of `watched`, ends when `stop` is set.
    pub fn training<'a>(
        &self,
        loss: &'a dyn Loss<f32>,
        watched: &'a Dataset<f32>,
        quiet: bool,
        stop: Arc<AtomicBool>,
    ) -> Outcome<AnyTraining<'a>> {
        let mut training = Training::new(loss, self.optimizer()?)
            .epochs(self.epochs)
            .batch_size(self.batch_size)
            .seed(self.seed)
            .validation(watched)
            .stop_flag(stop);
        let epochs = self.epochs.max(1);
        training = match self.schedule {
            Schedule::Constant => training,
            Schedule::Cosine => training.schedule(Cosine::new(epochs as u64)),
            Schedule::Step => training.schedule(Step::new(epochs.div_ceil(3) as u64, 0.1)),
            Schedule::Exponential => training.schedule(Exponential::new(0.01_f64.powf(1.0 / epochs as f64))),
        };
        if let Some(patience) = self.early_stopping {
            training = training.early_stopping(EarlyStopping::new(patience));
        }
        Ok(if quiet { training.progress(false) } else { training })
    }

    fn optimizer(&self) -> Outcome<Box<dyn Optimizer<f32>>> {
        let (rate, decay) = (self.learning_rate, self.weight_decay);
        Ok(match self.optimizer {
            Rule::Adam | Rule::Adamw if self.momentum.is_some() => {
                return Err(Failure::option("--momentum is for the optimizers sgd and rmsprop"));
            }
            Rule::Sgd => {
                Box::new(Sgd::<f32>::new(rate).momentum(self.momentum.unwrap_or(0.9)).weight_decay(decay))
            }
            Rule::Adam => Box::new(Adam::<f32>::new(rate).weight_decay(decay)),
            Rule::Adamw => Box::new(AdamW::<f32>::new(rate).weight_decay(decay)),
            Rule::Rmsprop => {
                let momentum = self.momentum.unwrap_or(0.0);
                Box::new(RMSprop::<f32>::new(rate).momentum(momentum).weight_decay(decay))
            }
        })
    }
}
