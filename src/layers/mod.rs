//! The layers, one file each.

mod activation;
mod elementwise;
mod linear;
mod residual;
mod sequential;

pub use activation::{ReLU, Sigmoid, Tanh};
pub use elementwise::Elementwise;
pub use linear::Linear;
pub use residual::Residual;
pub use sequential::Sequential;
