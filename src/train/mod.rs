//! Training: epochs of mini-batches, watched.

mod callback;
mod early_stopping;
mod fit;
mod history;
mod progress;
mod sample_weights;
mod training;

pub use callback::{Callback, CallbackResult, EpochEnd, Flow, StepEnd};
pub use early_stopping::EarlyStopping;
pub use history::{Ending, Epoch, History};
pub use training::Training;
