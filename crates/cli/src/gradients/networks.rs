//! Networks by name: `sigmoid`, `relu+residual`, `tanh+layer_norm`, …

use geartrain::prelude::*;

use crate::design::{Design, Norm, Weights};

/// Sizes of a network: `depth` hidden layers of `width` units.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub inputs: usize,
    pub width: usize,
    pub depth: usize,
    pub outputs: usize,
}

/// The network called `name`: an activation, then any of `+residual`, `+residual=0.5`,
/// `+scaled_residual`, `+batch_norm` and `+layer_norm`.
pub fn build(name: &str, sizes: Sizes, weights: Weights) -> Result<Network<f64>, Box<dyn std::error::Error>> {
    let (activation, changes) = name.split_once('+').unwrap_or((name, ""));
    let hidden = vec![sizes.width; sizes.depth];
    let mut design = Design {
        inputs: sizes.inputs,
        hidden: &hidden,
        outputs: sizes.outputs,
        activation,
        weights,
        skip: None,
        norm: Norm::None,
    };
    for change in changes.split('+').filter(|change| !change.is_empty()) {
        match change {
            "residual" => design.skip = Some(1.0),
            "scaled_residual" => design.skip = Some(1.0 / (sizes.depth as f64 - 1.0).sqrt()),
            "batch_norm" | "layer_norm" if design.norm != Norm::None => {
                return Err(format!("network `{name}`: choose one normalisation").into());
            }
            "batch_norm" => design.norm = Norm::Batch,
            "layer_norm" => design.norm = Norm::Layer,
            _ if change.starts_with("residual=") => {
                let scale = change["residual=".len()..].parse();
                design.skip = Some(scale.map_err(|error| format!("network `{name}`: `{change}`: {error}"))?);
            }
            _ => {
                let known = "residual, residual=SCALE, scaled_residual, batch_norm, layer_norm";
                return Err(format!("network `{name}`: unknown part `{change}`; known: {known}").into());
            }
        }
    }
    design.network().map_err(|error| format!("network `{name}`: {error}").into())
}
