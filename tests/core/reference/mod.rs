//! Comparison with the reference numbers in `tests/fixtures`: those of PyTorch and SciPy, of
//! documented formulas, and of the tests of other projects.

mod activations;
pub mod fixture;
mod formulas;
mod hessians;
mod init;
mod lbfgs;
mod losses;
mod networks;
mod normalization;
mod optimizers;
mod peers;
mod schedules;
