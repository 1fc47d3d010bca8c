//! Trains small neural networks on [`ndarray`], and shows how their gradients flow.

mod cache;
mod confusion;
pub mod data;
mod error;
pub mod gradcheck;
pub mod graph;
mod init;
mod kernels;
mod layer;
pub mod layers;
pub mod loss;
pub mod metrics;
mod network;
pub mod optim;
pub mod params;
mod random;
mod scalar;
mod summary;
pub mod train;

pub use cache::{Buffer, Cache};
pub use confusion::ConfusionMatrix;
pub use error::{Error, LayerProblem, Shape};
pub use init::Init;
pub use kernels::{peak, with_threads};
pub use layer::{Child, Layer, Mode, Saved};
pub use layers::Sequential;
pub use loss::Loss;
pub use network::{Jacobian, Network, Pass, Sweep, Workspace};
pub use optim::Optimizer;
pub use params::{Layout, ParamSpec, ParamsMut};
pub use scalar::Scalar;
pub use summary::{Row, Summary};
pub use train::Training;

/// What most programs need.
pub mod prelude {
    pub use crate::data::Dataset;
    pub use crate::layers::{
        BatchNorm, Dropout, LayerNorm, Linear, ReLU, Residual, Sequential, Sigmoid, Tanh,
    };
    pub use crate::loss::{CrossEntropy, Loss, MeanSquaredError};
    pub use crate::optim::{Adam, AdamW, Optimizer, Sgd};
    pub use crate::{Error, Init, Layer, Network, Scalar, Training};
}

/// The code in the README compiles and does what it says.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
