//! Measurements in the course of training.

use ndarray::ArrayView2;

use super::measure::{Measurement, measure};
use crate::{Error, Loss, Network, Scalar};

/// Measures a network every few steps of training. Each measurement takes about as long as a training step on the batch
/// that it is given, so a small fixed batch every 100 steps costs next to nothing.
///
/// ```
/// use geartrain::{data::toy, lab::Recorder, prelude::*};
/// let data = toy::sine::<f64>(64, 0.1, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
/// let mut network = Network::new(layers, 1)?;
/// let mut training = Training::new(MeanSquaredError, Sgd::new(0.05)).epochs(1).quiet();
/// let mut recorder = Recorder::new(10);
/// for epoch in 0..20 {
///     recorder.record(epoch, &network, &MeanSquaredError, data.x(), data.y())?;
///     training.fit(&mut network, &data)?;
/// }
/// assert_eq!(recorder.snapshots().len(), 2);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Recorder {
    every: u64,
    snapshots: Vec<Snapshot>,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The step at which it was taken.
    pub step: u64,
    /// What was measured.
    pub measurement: Measurement,
}

impl Recorder {
    /// Measures at step 0 and after every `every` steps; 0 is taken as 1.
    pub fn new(every: u64) -> Self {
        Recorder { every: every.max(1), snapshots: Vec::new() }
    }

    /// To be called at every step: measures when it is time, and does nothing otherwise.
    ///
    /// # Errors
    /// As [`measure`].
    pub fn record<F: Scalar>(
        &mut self,
        step: u64,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        x: ArrayView2<F>,
        target: ArrayView2<F>,
    ) -> Result<(), Error> {
        if step.is_multiple_of(self.every) {
            let measurement = measure(network, loss, x, target)?;
            self.snapshots.push(Snapshot { step, measurement });
        }
        Ok(())
    }

    /// What was measured so far.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }
}
