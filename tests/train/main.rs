//! Training: losses, optimizers, schedules, the loop and its options, checkpoints;
//! the bits of trained weights.

mod callbacks;
mod checkpoint;
mod early_stopping;
mod fit;
mod golden;
#[cfg(unix)]
mod kill;
mod layers;
mod lbfgs;
mod learning_rate;
mod losses;
mod optimizers;
mod recorder;
mod rows;
mod sample_weights;
mod schedules;
mod support;
