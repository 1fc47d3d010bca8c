//! Comparison with the reference numbers in `tests/fixtures`: those of PyTorch, Keras and SciPy,
//! and of the tests of other projects.

mod activations;
pub mod fixture;
mod hessians;
mod init;
mod lbfgs;
mod losses;
mod networks;
mod normalization;
mod optimizers;
mod peers;
mod schedules;
