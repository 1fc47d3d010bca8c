//! Trains small neural networks on [`ndarray`], and shows how their gradients flow.
//!
//! Every network is one long composed function. Training asks how the loss moves when a weight is
//! nudged, and the chain rule answers: local derivatives are multiplied backward, from the loss to
//! the weight, using what the forward pass saved. [`graph`] teaches that with single numbers; the
//! rest of the crate does it with matrices.
//!
//! **A layer is a pure function of `(params, x)`; a network owns one flat parameter vector; a cache
//! owns everything that a pass writes; an optimizer is a loop over two slices.**
//!
//! | module | in one sentence |
//! |---|---|
//! | [`graph`] | a scalar computational graph that shows every step of the chain rule |
//! | [`layer`], [`layers`] | the contract of a layer, and the layers |
//! | [`network`], [`summary`] | layers with their parameters: predict, differentiate, summarise |
//! | [`params`], [`Init`] | the layout of the flat vector, and its initial values |
//! | [`loss`], [`metrics`] | losses, and scores of predictions |
//! | [`optim`] | update rules, gradient clipping, learning rate schedules |
//! | [`settings`] | losses, optimizers and schedules as data, for checkpoints |
//! | [`data`] | CSV files, splits, mini-batches, standardisation, toy sets |
//! | [`train`] | the training loop: callbacks, early stopping, checkpoints |
//! | [`io`] | model files that other programs open |
//! | [`error`] | every error, with the expected and the actual value |
//! | [`gradcheck`] | gradient checks, and tests of the contract of a layer |
//!
//! The names of daily use are at the root; the [`prelude`] adds the layers, losses and optimizers
//! that most programs need.
//!
//! The hot loops are in the crate `geartrain-kernels`, the only one with `unsafe` code.
//! [`with_threads`] sets how many threads they use; results do not depend on it. The gradient
//! laboratory is the crate `geartrain-lab`.

#![forbid(unsafe_code)]

mod cache;
pub mod data;
mod difference;
pub mod error;
mod flat;
pub mod gradcheck;
pub mod graph;
mod init;
pub mod io;
pub mod layer;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod network;
pub mod optim;
mod pace;
pub mod params;
mod random;
pub mod settings;
pub mod summary;
mod text;
pub mod train;

pub use error::Error;
pub use geartrain_kernels::{Scalar, instruction_set, with_threads};
pub use init::Init;
pub use io::Predictor;
pub use layer::Layer;
pub use loss::Loss;
/// The arrays that this crate takes and returns.
pub use ndarray;
pub use network::Network;
pub use optim::Optimizer;
pub use train::Training;

/// What most programs need.
pub mod prelude {
    pub use crate::data::Dataset;
    pub use crate::layers::{
        BatchNorm, Dropout, LayerNorm, Linear, ReLU, Residual, Sequential, Sigmoid, Tanh,
    };
    pub use crate::loss::{CrossEntropy, Loss, MeanSquaredError};
    pub use crate::optim::{Adam, AdamW, Optimizer, Sgd};
    pub use crate::{Error, Init, Layer, Network, Predictor, Scalar, Training};
}

/// The code in the README compiles and does what it says.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
