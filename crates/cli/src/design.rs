//! Deep networks from a few choices: widths, activation, initialisation, residuals, normalisation.

use clap::ValueEnum;
use geartrain::layers::{BatchNorm, ELU, LayerNorm, LayerSpec, LeakyReLU, Linear};
use geartrain::prelude::*;
use serde::Deserialize;

/// The activations by name, each with its usual initialisation.
pub fn activations() -> [(&'static str, LayerSpec, Init); 8] {
    let spec = |layer: &dyn Layer<f64>| LayerSpec::of(layer).expect("a layer of the trainer");
    let (xavier, he) = (Init::xavier_normal(), Init::he_normal());
    [
        ("sigmoid", LayerSpec::Sigmoid, xavier),
        ("tanh", LayerSpec::Tanh, xavier),
        ("relu", LayerSpec::ReLU, he),
        ("leaky_relu", spec(&LeakyReLU::default()), he),
        ("elu", spec(&ELU::default()), he),
        ("selu", LayerSpec::SELU, xavier),
        ("gelu", LayerSpec::GELU, he),
        ("silu", LayerSpec::SiLU, he),
    ]
}

/// The activation called `name`, and its usual initialisation.
pub fn activation(name: &str) -> Result<(LayerSpec, Init), String> {
    let found = activations().into_iter().find(|(known, ..)| *known == name);
    found.map(|(_, spec, init)| (spec, init)).ok_or_else(|| {
        let known = activations().map(|(known, ..)| known).join(", ");
        format!("unknown activation `{name}`; known: {known}")
    })
}

/// The distribution of weights.
#[derive(Debug, Clone, Copy, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// He for relu and its relatives, Xavier for the others
    Auto,
    Xavier,
    He,
    Lecun,
    Orthogonal,
    Torch,
}

impl Scheme {
    /// `None`: that of the activation.
    pub fn init(self) -> Option<Init> {
        Some(match self {
            Scheme::Auto => return None,
            Scheme::Xavier => Init::xavier_normal(),
            Scheme::He => Init::he_normal(),
            Scheme::Lecun => Init::lecun_normal(),
            Scheme::Orthogonal => Init::orthogonal(),
            Scheme::Torch => Init::torch_linear(),
        })
    }
}

/// The initialisation of weights and biases.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// `None`: that of the activation.
    pub init: Option<Init>,
    pub gain: f64,
    pub sigma_b: f64,
}

/// The normalisation before every activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The name of one of [`activations`].
    pub activation: &'a str,
    pub weights: Weights,
    /// `x + scale · branch(x)` around every hidden layer that is as wide as the one before.
    pub skip: Option<f64>,
    pub norm: Norm,
}

impl Design<'_> {
    /// The network, with the parameters of seed 0.
    pub fn network(&self) -> Result<Network<f64>, Box<dyn std::error::Error>> {
        let (activation, usual) = activation(self.activation)?;
        let activation = activation.build();
        let Weights { init, gain, sigma_b } = self.weights;
        let init = init.unwrap_or(usual).gain(gain);
        let linear =
            |inputs, outputs| Linear::new(inputs, outputs).init(init).bias_init(Init::normal(sigma_b));
        // the layers between two linear layers
        let between = |layers: Sequential<f64>, width| {
            let layers = match self.norm {
                Norm::None => layers,
                Norm::Batch => layers.then(BatchNorm::new(width)),
                Norm::Layer => layers.then(LayerNorm::new(width)),
            };
            layers.then_shared(activation.clone())
        };
        let Some((&first, rest)) = self.hidden.split_first() else {
            return Ok(Network::new(Sequential::new().then(linear(self.inputs, self.outputs)))?);
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
        Ok(Network::new(between(layers, width).then(linear(width, self.outputs)))?)
    }
}
