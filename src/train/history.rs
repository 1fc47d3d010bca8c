//! What training leaves behind besides the weights.

/// What one epoch was trained with and ended with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// The mean loss of the epoch's batches, each row counted once, as it was when its batch was trained on.
    pub train_loss: f64,
    /// The loss on the validation data after the epoch, if there are any.
    pub validation_loss: Option<f64>,
    /// The learning rate of the epoch.
    pub learning_rate: f64,
}

/// The losses of every complete epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// One entry per complete epoch.
    pub epochs: Vec<Epoch>,
    /// Whether the stop flag ended training before its last epoch was complete.
    pub stopped: bool,
}

impl History {
    /// The training loss of every epoch.
    pub fn train_losses(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.train_loss).collect()
    }

    /// The validation loss of every epoch; empty without validation data.
    pub fn validation_losses(&self) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.validation_loss).collect()
    }
}
