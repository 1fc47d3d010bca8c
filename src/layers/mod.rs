//! The layers, one file each.

mod activation;
mod batch_norm;
mod dropout;
mod elementwise;
mod layer_norm;
mod linear;
mod residual;
mod sequential;
mod softmax;

pub use activation::{ELU, GELU, GELUTanh, Identity, LeakyReLU, ReLU, SELU, SiLU, Sigmoid, Softplus, Tanh};
pub use batch_norm::BatchNorm;
pub use dropout::Dropout;
pub use elementwise::Elementwise;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use residual::Residual;
pub use sequential::Sequential;
pub use softmax::Softmax;

use crate::Error;
use crate::error::{LayerProblem, layer_argument};

/// What `LayerNorm` and `BatchNorm` check alike: sizes and ε. Returns the number of features. Every pass asks, so the name
/// is only made for an error.
fn check_normalisation(
    name: impl Fn() -> String,
    features: usize,
    eps: f64,
    inputs: usize,
) -> Result<usize, Error> {
    if features == 0 {
        return Err(layer_argument(name(), "features", "at least 1", features));
    }
    if !(eps.is_finite() && eps > 0.0) {
        return Err(layer_argument(name(), "eps", "a finite number above 0", eps));
    }
    if inputs != features {
        return Err(Error::layer(name(), LayerProblem::Features { expected: features, got: inputs }));
    }
    Ok(features)
}
