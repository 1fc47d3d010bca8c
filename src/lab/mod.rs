//! The gradient laboratory: measures how gradients flow through a network, predicts it, and explains the difference.

mod average;
mod edge_of_chaos;
pub mod formulas;
mod mean_field;
mod measure;
mod moments;
mod predict;
mod quadrature;
mod trace;

pub use average::{Average, Log};
pub use edge_of_chaos::{Critical, critical, edge_of_chaos};
pub use mean_field::{DepthScales, MeanField};
pub use measure::{
    LayerMeasurement, Measurement, Spread, Units, Weights, measure, measure_with_cotangent, normal_batch,
};
pub use moments::Moments;
pub use predict::{LayerPrediction, Prediction, predict};
