//! Which network to train, and how, as options of a command.

use geartrain::optim::Sgd;
use geartrain::prelude::*;

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

    /// Learning rate of stochastic gradient descent
    #[arg(long, value_name = "RATE", default_value_t = 0.002)]
    learning_rate: f64,

    /// Momentum, from 0 to below 1
    #[arg(long, value_name = "FACTOR", default_value_t = 0.9)]
    momentum: f64,

    /// Weight decay: adds this times the weights to their gradient
    #[arg(long, value_name = "FACTOR", default_value_t = 0.002)]
    weight_decay: f64,

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

impl ModelOptions {
    /// The network from `inputs` features to `outputs`, with its first weights.
    pub fn network(&self, inputs: usize, outputs: usize) -> Result<Network<f32>, Box<dyn std::error::Error>> {
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
        match self.activation {
            Activation::Relu => layers.then(ReLU),
            Activation::Sigmoid => layers.then(Sigmoid),
            Activation::Tanh => layers.then(Tanh),
        }
    }

    pub fn optimizer(&self) -> Sgd<f32> {
        Sgd::new(self.learning_rate).momentum(self.momentum).weight_decay(self.weight_decay)
    }
}
