//! What this crate computes against the numbers in `tests/fixtures`: what PyTorch computed, and
//! what other crates test.

mod activations;
pub mod fixture;
mod formulas;
mod init;
mod losses;
mod networks;
mod normalization;
mod optimizers;
mod peers;
mod schedules;
