//! The layers, one file each.

mod activation;
mod linear;
mod residual;
mod sequential;

pub use activation::{Elementwise, ReLU, Sigmoid, Tanh};
pub use linear::Linear;
pub use residual::Residual;
pub use sequential::Sequential;
