//! The gradient laboratory: measures how gradients flow through a network, predicts it, and explains the difference.

mod average;
mod change;
mod chart;
mod decompose;
mod diagnose;
mod edge_of_chaos;
mod experiment;
pub mod formulas;
mod jacobian;
mod json;
mod mean_field;
mod measure;
mod moments;
mod predict;
mod quadrature;
mod recorder;
mod remedies;
mod report;
mod trace;

pub use average::{Average, Log};
pub use decompose::Decomposition;
pub use diagnose::{Cause, Diagnosis, Finding, diagnose};
pub use edge_of_chaos::{Critical, critical, edge_of_chaos};
pub use experiment::{Experiment, Phase};
pub use jacobian::{PathSpectrum, gradient_correlation, jacobian, path_spectrum, singular_values, spread};
pub use mean_field::{DepthScales, MeanField};
pub use measure::{
    LayerMeasurement, Measurement, Spread, Units, Weights, measure, measure_with_cotangent, normal_batch,
};
pub use moments::Moments;
pub use predict::{LayerPrediction, Limit, Prediction, predict};
pub use recorder::{Recorder, Snapshot};
pub use remedies::Remedy;
pub use report::Report;
