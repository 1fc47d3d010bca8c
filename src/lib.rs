//! Trains small neural networks on [`ndarray`], and shows how their gradients flow.

mod cache;
pub mod data;
mod error;
pub mod gradcheck;
mod init;
mod kernels;
pub mod lab;
mod layer;
pub mod layers;
pub mod loss;
mod network;
pub mod optim;
pub mod params;
mod random;
mod scalar;
mod summary;
pub mod train;

pub use cache::{Buffer, Cache};
pub use error::{Error, LayerProblem, Shape};
pub use init::Init;
pub use layer::{Child, Kind, Layer, Mode, Saved};
pub use layers::Sequential;
pub use loss::Loss;
pub use network::{Network, Pass, Workspace};
pub use optim::Optimizer;
pub use params::{Layout, ParamSpec, ParamsMut};
pub use scalar::Scalar;
pub use summary::{Row, Summary};
pub use train::Training;

/// What most programs need.
pub mod prelude {
    pub use crate::layers::{Linear, ReLU, Residual, Sequential, Sigmoid, Tanh};
    pub use crate::loss::{Loss, MeanSquaredError};
    pub use crate::optim::{Optimizer, Sgd};
    pub use crate::{Error, Init, Layer, Network, Scalar, Training};
}
