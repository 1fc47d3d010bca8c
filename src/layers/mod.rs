//! The layers, one file each.
//!
//! | layer | output for the row x |
//! |---|---|
//! | [`Linear`] | `x Wᵀ + b` |
//! | [`Sigmoid`], [`Tanh`], [`Softplus`] | each element: `1/(1 + e⁻ˣ)`, `tanh x`, `ln(1 + eˣ)` |
//! | [`ReLU`], [`LeakyReLU`] | each element: x, and below 0, 0 or `a x` |
//! | [`ELU`], [`SELU`] | each element: x, and below 0, `α(eˣ − 1)`; SELU is 1.05 times that |
//! | [`GELU`], [`GELUTanh`], [`SiLU`] | each element: x times a smooth step from 0 to 1 |
//! | [`Softmax`] | `eˣ / Σ eˣ`, over the features |
//! | [`BatchNorm`] | each feature with mean 0 and variance 1 over the batch, then scaled |
//! | [`LayerNorm`], [`RMSNorm`] | the row with mean 0 and variance 1, or mean square 1, scaled |
//! | [`Dropout`] | in training, some elements are 0 and the others larger |
//! | [`Residual`] | `x + s · body(x)` |
//! | [`Sequential`] | its layers, one after the other; [`Mlp`] builds the usual ones |
//! | [`Identity`] | `x` |
//!
//! An activation of your own implements [`Elementwise`], any other layer [`Layer`](crate::Layer).

mod activation;
mod batch_norm;
mod build;
mod dropout;
mod elementwise;
mod layer_norm;
mod linear;
mod mlp;
mod normalisation;
mod residual;
mod rms_norm;
mod second_order;
mod sequential;
mod softmax;
mod spec;

pub use activation::{ELU, GELU, GELUTanh, Identity, LeakyReLU, ReLU, SELU, SiLU, Sigmoid, Softplus, Tanh};
pub use batch_norm::BatchNorm;
pub use dropout::Dropout;
pub use elementwise::Elementwise;
pub(crate) use elementwise::linear_row;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use mlp::{Mlp, Norm};
pub use residual::Residual;
pub use rms_norm::RMSNorm;
pub use sequential::Sequential;
pub use softmax::Softmax;
pub use spec::LayerSpec;

use crate::error::LayerProblem;

/// Fails for a size of 0.
fn check_sizes(sizes: &[(&'static str, usize)]) -> Result<(), LayerProblem> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((argument, size)) => Err(LayerProblem::argument(argument, "at least 1", size)),
        None => Ok(()),
    }
}
