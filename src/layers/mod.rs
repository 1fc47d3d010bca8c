//! The layers, one file each.

mod activation;
mod batch_norm;
mod build;
mod dropout;
mod elementwise;
mod layer_norm;
mod linear;
mod residual;
mod sequential;
mod softmax;
mod spec;

pub use activation::{ELU, GELU, GELUTanh, Identity, LeakyReLU, ReLU, SELU, SiLU, Sigmoid, Softplus, Tanh};
pub use batch_norm::BatchNorm;
pub use dropout::Dropout;
pub use elementwise::Elementwise;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use residual::Residual;
pub use sequential::Sequential;
pub use softmax::Softmax;
pub use spec::LayerSpec;

use crate::LayerProblem;

/// Fails for a size of 0.
fn check_sizes(sizes: &[(&'static str, usize)]) -> Result<(), LayerProblem> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((argument, size)) => Err(LayerProblem::argument(argument, "at least 1", size)),
        None => Ok(()),
    }
}

/// The checks that the normalisations share: size, ε and input width.
fn check_normalisation(features: usize, eps: f64, inputs: usize) -> Result<usize, LayerProblem> {
    check_sizes(&[("features", features)])?;
    if !(eps.is_finite() && eps > 0.0) {
        return Err(LayerProblem::argument("eps", "a finite number above 0", eps));
    }
    LayerProblem::check_features(features, inputs)
}
