//! Trains small neural networks on [`ndarray`], and shows how their gradients flow.

pub mod data;
mod scalar;

pub use scalar::Scalar;
