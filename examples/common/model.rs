//! Which network to train, and how, as options of a command.

use std::error::Error;

use geartrain::data::DataError;
use geartrain::optim::RMSprop;
use geartrain::optim::schedule::{Cosine, Exponential, Step};
use geartrain::prelude::{
    Adam, AdamW, BatchNorm, Dataset, Dropout, LayerNorm, Linear, Loss, Network, Optimizer, ReLU, Residual,
    Sequential, Sgd, Sigmoid, Tanh, Training,
};
use geartrain::train::EarlyStopping;

/// A training whose optimizer is chosen on the command line.
pub type AnyTraining<'a, L> = Training<'a, f32, L, Box<dyn Optimizer<f32>>>;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Network and training")]
pub struct ModelOptions {
    /// Widths of the hidden layers, separated by commas
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "64,64")]
    hidden: Vec<usize>,

    /// The activation after every hidden layer
    #[arg(long, value_enum, default_value = "tanh")]
    activation: Activation,

    /// Put a skip connection around every hidden layer that is as wide as the one before it
    #[arg(long)]
    residual: bool,

    /// Passes over the training rows; 0 leaves the network untrained
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub epochs: usize,

    /// Rows per step of gradient descent
    #[arg(long, value_name = "ROWS", default_value_t = 16)]
    pub batch_size: usize,

    /// How gradients become steps
    #[arg(long, value_enum, default_value = "sgd")]
    optimizer: Rule,

    /// Learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.002)]
    learning_rate: f64,

    /// How the learning rate changes from epoch to epoch
    #[arg(long, value_enum, default_value = "constant")]
    schedule: Schedule,

    /// Momentum of sgd and rmsprop, from 0 to below 1 [default: 0.9 for sgd, 0 for rmsprop]
    #[arg(long, value_name = "FACTOR")]
    momentum: Option<f64>,

    /// Weight decay: adds this times the weights to their gradient (adamw: takes it off the weights directly)
    #[arg(long, value_name = "FACTOR", default_value_t = 0.002)]
    weight_decay: f64,

    /// Stop after so many epochs without a better loss on a fifth of the training rows, which are then not
    /// trained on, and keep the best weights
    #[arg(long, value_name = "PATIENCE")]
    early_stopping: Option<usize>,

    /// Set this share of every hidden layer's outputs to 0 while training
    #[arg(long, value_name = "SHARE")]
    dropout: Option<f64>,

    /// Normalise before every activation: each row (layer), or each feature over the batch (batch)
    #[arg(long, value_enum)]
    norm: Option<Norm>,

    /// Seed of everything random: the split, the first weights, the order of rows, the toy data
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Activation {
    Relu,
    Sigmoid,
    Tanh,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum Rule {
    Sgd,
    Adam,
    Adamw,
    Rmsprop,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Schedule {
    Constant,
    /// Half a cosine from the learning rate down to 0
    Cosine,
    /// A tenth of it after each third of the epochs
    Step,
    /// The same factor every epoch, down to a hundredth
    Exponential,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Norm {
    Layer,
    Batch,
}

impl ModelOptions {
    /// The network from `inputs` features to `outputs`, with its first weights.
    pub fn network(&self, inputs: usize, outputs: usize) -> Result<Network<f32>, Box<dyn Error>> {
        let mut layers = Sequential::new();
        let mut skips = 0;
        let mut width = inputs;
        for (i, &hidden) in self.hidden.iter().enumerate() {
            if self.residual && i > 0 && hidden == width {
                layers = layers.then(Residual::new(self.layer(Sequential::new(), width, hidden)));
                skips += 1;
            } else {
                layers = self.layer(layers, width, hidden);
            }
            width = hidden;
        }
        if self.residual && skips == 0 {
            return Err("--residual needs two neighbours of one width in --hidden, such as 64,64".into());
        }
        Ok(Network::new(layers.then(Linear::new(width, outputs)), inputs)?.with_seed(self.seed))
    }

    /// `layers` and one hidden layer more.
    fn layer(&self, layers: Sequential<f32>, inputs: usize, outputs: usize) -> Sequential<f32> {
        let layers = layers.then(Linear::new(inputs, outputs));
        let layers = match self.norm {
            None => layers,
            Some(Norm::Layer) => layers.then(LayerNorm::new(outputs)),
            Some(Norm::Batch) => layers.then(BatchNorm::new(outputs)),
        };
        let layers = match self.activation {
            Activation::Relu => layers.then(ReLU),
            Activation::Sigmoid => layers.then(Sigmoid),
            Activation::Tanh => layers.then(Tanh),
        };
        match self.dropout {
            None => layers,
            Some(share) => layers.then(Dropout::new(share)),
        }
    }

    /// The rows to train on, and those to stop by, which no test may use.
    pub fn held_out(&self, train: Dataset<f32>) -> Result<(Dataset<f32>, Option<Dataset<f32>>), DataError> {
        match self.early_stopping {
            None => Ok((train, None)),
            Some(_) => train.split(0.2, self.seed).map(|(train, held_out)| (train, Some(held_out))),
        }
    }

    /// What is watched for the loss curve: nothing is chosen by it, unless training is to stop early.
    pub fn watched(&self) -> &'static str {
        if self.early_stopping.is_some() { "validation rows" } else { "test rows" }
    }

    /// How to train with the loss `loss`, while the loss of the rows `watched` is measured.
    pub fn training<'a, L: Loss<f32>>(
        &self,
        loss: L,
        watched: &'a Dataset<f32>,
        quiet: bool,
    ) -> Result<AnyTraining<'a, L>, Box<dyn Error>> {
        let mut training = Training::new(loss, self.rule()?)
            .epochs(self.epochs)
            .batch_size(self.batch_size)
            .seed(self.seed)
            .validation(watched);
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

    fn rule(&self) -> Result<Box<dyn Optimizer<f32>>, String> {
        let (rate, decay) = (self.learning_rate, self.weight_decay);
        Ok(match self.optimizer {
            Rule::Adam | Rule::Adamw if self.momentum.is_some() => {
                return Err("--momentum is for the optimizers sgd and rmsprop".into());
            }
            Rule::Sgd => {
                Box::new(Sgd::<f32>::new(rate).momentum(self.momentum.unwrap_or(0.9)).weight_decay(decay))
            }
            Rule::Adam => Box::new(Adam::<f32>::new(rate).weight_decay(decay)),
            Rule::Adamw => Box::new(AdamW::<f32>::new(rate).weight_decay(decay)),
            Rule::Rmsprop => {
                Box::new(RMSprop::<f32>::new(rate).momentum(self.momentum.unwrap_or(0.0)).weight_decay(decay))
            }
        })
    }
}
