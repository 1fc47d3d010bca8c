//! Trains small neural networks on [`ndarray`], and shows how their gradients flow.

pub mod graph;
mod scalar;

pub use scalar::Scalar;
