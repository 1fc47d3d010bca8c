//! Training: epochs of mini-batches, watched.

mod fit;
mod history;
mod progress;

pub use fit::Training;
pub use history::{Epoch, History};
