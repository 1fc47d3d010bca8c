//! Training: epochs of mini-batches, watched.

mod callback;
mod checkpoint;
mod early_stopping;
mod fit;
mod history;
mod lbfgs;
mod lr_finder;
mod predictor;
mod progress;
mod rows;
mod run;
mod sample_weights;
mod training;

pub use callback::{Callback, CallbackResult, EpochEnd, StepEnd};
pub use checkpoint::load_checkpoint_weights;
pub use early_stopping::EarlyStopping;
pub use history::{Epoch, History, StopReason};
pub use lr_finder::{LearningRateCurve, LearningRateFinder, RatePoint};
pub use rows::Rows;
pub use training::Training;
