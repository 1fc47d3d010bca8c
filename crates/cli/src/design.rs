//! Deep networks from a few choices: widths, activation, initialisation, residuals, normalisation.

use geartrain::layers::{
    BatchNorm, ELU, Elementwise, GELU, LayerNorm, LeakyReLU, Linear, ReLU, SELU, SiLU, Sigmoid, Tanh,
};
use geartrain::prelude::*;

/// The names of activations.
pub const ACTIVATIONS: [&str; 8] = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu"];

/// The initialisation of weights and biases.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// `None`: He for the relatives of ReLU, Xavier for everything else.
    pub init: Option<Init>,
    pub gain: f64,
    pub sigma_b: f64,
}

/// The normalisation before every activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    None,
    Batch,
    Layer,
}

/// A network of linear layers with activations between them.
#[derive(Debug, Clone)]
pub struct Design<'a> {
    pub inputs: usize,
    /// Units of each hidden layer.
    pub hidden: &'a [usize],
    pub outputs: usize,
    /// One of [`ACTIVATIONS`].
    pub activation: &'a str,
    pub weights: Weights,
    /// `x + scale · branch(x)` around every hidden layer that is as wide as the one before.
    pub skip: Option<f64>,
    pub norm: Norm,
}

impl Design<'_> {
    /// The network, with the parameters of seed 0.
    pub fn network(&self) -> Result<Network<f64>, Box<dyn std::error::Error>> {
        let (xavier, he) = (Init::xavier_normal(), Init::he_normal());
        let layers = match self.activation {
            "sigmoid" => self.layers(Sigmoid, xavier),
            "tanh" => self.layers(Tanh, xavier),
            "relu" => self.layers(ReLU, he),
            "leaky_relu" => self.layers(LeakyReLU::default(), he),
            "elu" => self.layers(ELU::default(), he),
            "selu" => self.layers(SELU, xavier),
            "gelu" => self.layers(GELU, he),
            "silu" => self.layers(SiLU, he),
            other => {
                let known = ACTIVATIONS.join(", ");
                return Err(format!("unknown activation `{other}`; known: {known}").into());
            }
        };
        Ok(Network::new(layers)?)
    }

    fn layers(&self, activation: impl Elementwise + Copy + 'static, init: Init) -> Sequential<f64> {
        let Weights { init: chosen, gain, sigma_b } = self.weights;
        let init = chosen.unwrap_or(init).gain(gain);
        let linear =
            |inputs, outputs| Linear::new(inputs, outputs).init(init).bias_init(Init::normal(sigma_b));
        // the layers between two linear layers
        let between = |layers: Sequential<f64>, width| {
            let layers = match self.norm {
                Norm::None => layers,
                Norm::Batch => layers.then(BatchNorm::new(width)),
                Norm::Layer => layers.then(LayerNorm::new(width)),
            };
            layers.then(activation)
        };
        let Some((&first, rest)) = self.hidden.split_first() else {
            return Sequential::new().then(linear(self.inputs, self.outputs));
        };
        let mut layers = Sequential::new().then(linear(self.inputs, first));
        let mut width = first;
        for &next in rest {
            let block = |layers| between(layers, width).then(linear(width, next));
            layers = match self.skip {
                Some(scale) if next == width => {
                    layers.then(Residual::new(block(Sequential::new())).scale(scale))
                }
                _ => block(layers),
            };
            width = next;
        }
        between(layers, width).then(linear(width, self.outputs))
    }
}
