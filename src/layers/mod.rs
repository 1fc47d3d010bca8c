//! The layers, one file each.

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
