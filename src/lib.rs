//! Trains small neural networks on [`ndarray`], and shows how their gradients flow.

mod scalar;

pub use scalar::Scalar;
