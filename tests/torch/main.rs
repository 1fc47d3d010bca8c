//! What this crate computes against what PyTorch computed, from the numbers in `tests/fixtures`.

mod activations;
mod fixture;
mod init;
mod losses;
mod networks;
mod normalization;
