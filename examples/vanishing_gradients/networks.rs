//! Networks by name: `sigmoid`, `relu+residual`, `tanh+layer_norm`, …

use geartrain::layers::{BatchNorm, Elementwise, GELU, LayerNorm, Linear, ReLU, SELU, SiLU, Sigmoid, Tanh};
use geartrain::prelude::*;

/// How weights and biases are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// `None`: He for ReLU, GELU and SiLU, Xavier for everything else.
    pub init: Option<Init>,
    pub gain: f64,
    pub sigma_b: f64,
}

/// Sizes of a network: `depth` hidden layers of `width` units.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub inputs: usize,
    pub width: usize,
    pub depth: usize,
    pub outputs: usize,
}

/// Builds what `name` says: an activation, then `+residual`, `+scaled_residual`, `+batch_norm` or `+layer_norm`.
pub fn build(name: &str, sizes: Sizes, weights: Weights) -> Result<Network<f64>, Box<dyn std::error::Error>> {
    let (activation, changes) = name.split_once('+').unwrap_or((name, ""));
    let changes: Vec<&str> = changes.split('+').filter(|change| !change.is_empty()).collect();
    let known = ["residual", "scaled_residual", "batch_norm", "layer_norm"];
    if let Some(unknown) = changes.iter().find(|change| !known.contains(change)) {
        return Err(format!("network `{name}`: `{unknown}` is not one of {}", known.join(", ")).into());
    }
    let plan = Plan { sizes, weights, changes: &changes };
    let (xavier, he) = (Init::xavier_normal(), Init::he_normal());
    let layers = match activation {
        "sigmoid" => plan.layers(Sigmoid, xavier),
        "tanh" => plan.layers(Tanh, xavier),
        "relu" => plan.layers(ReLU, he),
        "selu" => plan.layers(SELU, xavier),
        "gelu" => plan.layers(GELU, he),
        "silu" => plan.layers(SiLU, he),
        other => return Err(format!("network `{name}`: no activation is called `{other}`").into()),
    };
    Ok(Network::new(layers, sizes.inputs)?)
}

struct Plan<'a> {
    sizes: Sizes,
    weights: Weights,
    changes: &'a [&'a str],
}

impl Plan<'_> {
    fn layers(&self, activation: impl Elementwise + Copy + 'static, init: Init) -> Sequential<f64> {
        let Sizes { inputs, width, depth, outputs } = self.sizes;
        let init = self.weights.init.unwrap_or(init).gain(self.weights.gain);
        let linear = |inputs, outputs| {
            Linear::new(inputs, outputs).init(init).bias_init(Init::normal(self.weights.sigma_b))
        };
        let has = |change| self.changes.contains(&change);
        // what comes between two linear layers
        let between = |layers: Sequential<f64>| {
            let layers = if has("batch_norm") { layers.then(BatchNorm::new(width)) } else { layers };
            let layers = if has("layer_norm") { layers.then(LayerNorm::new(width)) } else { layers };
            layers.then(activation)
        };
        let mut layers = Sequential::new().then(linear(inputs, width));
        for _ in 1..depth {
            let block = |layers| between(layers).then(linear(width, width));
            layers = if has("residual") || has("scaled_residual") {
                let scale = if has("scaled_residual") { 1.0 / (depth as f64 - 1.0).sqrt() } else { 1.0 };
                layers.then(Residual::new(block(Sequential::new())).scale(scale))
            } else {
                block(layers)
            };
        }
        between(layers).then(linear(width, outputs))
    }
}
