//! The gradient laboratory: measures how gradients flow through a network, predicts it, and explains the difference.

mod edge_of_chaos;
pub mod formulas;
mod mean_field;
mod moments;
mod quadrature;

pub use edge_of_chaos::{Critical, critical, edge_of_chaos};
pub use mean_field::{DepthScales, MeanField};
pub use moments::Moments;
