//! Settings that the tabs with networks share, and their ranges.

use geartrain::Init;
use serde::Deserialize;

use crate::design::{Norm, Weights};
use crate::lab::reply::Problem;

/// The distribution of the initial weights.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// He for ReLU and its relatives, Xavier for the others.
    Auto,
    Xavier,
    He,
    Lecun,
    Orthogonal,
    Torch,
}

/// The normalisation before every activation.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalised {
    None,
    Batch,
    Layer,
}

impl Scheme {
    pub fn weights(self, gain: f64, sigma_b: f64) -> Weights {
        let init = match self {
            Scheme::Auto => None,
            Scheme::Xavier => Some(Init::xavier_normal()),
            Scheme::He => Some(Init::he_normal()),
            Scheme::Lecun => Some(Init::lecun_normal()),
            Scheme::Orthogonal => Some(Init::orthogonal()),
            Scheme::Torch => Some(Init::torch_linear()),
        };
        Weights { init, gain, sigma_b }
    }
}

impl From<Normalised> for Norm {
    fn from(chosen: Normalised) -> Self {
        match chosen {
            Normalised::None => Norm::None,
            Normalised::Batch => Norm::Batch,
            Normalised::Layer => Norm::Layer,
        }
    }
}

/// Refuses a value outside the range of its field.
pub fn within<T: PartialOrd + std::fmt::Display>(
    field: &str,
    value: T,
    least: T,
    most: T,
) -> Result<T, Problem> {
    if value >= least && value <= most {
        return Ok(value);
    }
    Err(Problem::in_field(field, format!("must be from {least} to {most}, got {value}")))
}
