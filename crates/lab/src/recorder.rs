//! Measurements in the course of training.

use ndarray::ArrayView2;
use std::ops::ControlFlow;

use super::heat_map::heat_map;
use super::measure::{Instrument, Measurement};
use geartrain::train::{Callback, CallbackResult, StepEnd};
use geartrain::{Error, Loss, Network, Scalar};

/// Measures a network every few steps while it trains, always on the same batch: a [`Callback`] for
/// [`Training::callback`](geartrain::Training::callback).
///
/// A measurement takes about the time of one and a half training steps on as many rows, in `f32` about two. With ten layers
/// of 64 units trained on batches of 64 rows, measuring 16 rows every 100 steps adds 0.6 % to the time in `f64` and 1.0 % in
/// `f32`, measuring 64 rows 1.6 % and 2.1 % (`cargo bench --bench recorder`). Choose a smaller batch, or measure less often,
/// where that is too much.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
/// use geartrain_lab::Recorder;
/// let data = toy::sine::<f64>(64, 0.1, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
/// let mut network = Network::new(layers, 1)?;
/// let mut recorder = Recorder::new(10, &MeanSquaredError, data.x(), data.y());
/// Training::new(MeanSquaredError, Sgd::new(0.05)).epochs(20).progress(false).callback(&mut recorder).fit(&mut network, &data)?;
/// let steps: Vec<u64> = recorder.snapshots().iter().map(|snapshot| snapshot.step).collect();
/// assert_eq!(steps, [10, 20, 30, 40]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Recorder<'a, F> {
    every: u64,
    loss: &'a dyn Loss<F>,
    x: ArrayView2<'a, F>,
    target: ArrayView2<'a, F>,
    instrument: Instrument<F>,
    snapshots: Vec<Snapshot>,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Steps done before it was taken.
    pub step: u64,
    /// What was measured.
    pub measurement: Measurement,
}

impl<'a, F: Scalar> Recorder<'a, F> {
    /// Measures after every `every` steps (0 is taken as 1) on the batch `x`, `(rows, inputs)`, with the gradient of `loss`
    /// against `target`. Wrong shapes show when it measures: `fit` then ends with [`Error::Callback`].
    pub fn new(every: u64, loss: &'a dyn Loss<F>, x: ArrayView2<'a, F>, target: ArrayView2<'a, F>) -> Self {
        Recorder {
            every: every.max(1),
            loss,
            x,
            target,
            instrument: Instrument::new(),
            snapshots: Vec::new(),
        }
    }

    /// Measures `network` now: at step 0, for instance, before training begins.
    ///
    /// # Errors
    /// As [`measure`](super::measure).
    pub fn record(&mut self, step: u64, network: &Network<F>) -> Result<(), Error> {
        let measurement = self.instrument.measure(network, self.loss, self.x, self.target)?;
        self.snapshots.push(Snapshot { step, measurement });
        Ok(())
    }

    /// What was measured so far.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// The snapshots under a name, for a [`Report`](super::Report).
    pub fn into_recording(self, name: &str) -> Recording {
        Recording { name: name.into(), snapshots: self.snapshots }
    }
}

impl<F: Scalar> Callback<F> for Recorder<'_, F> {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, F>) -> CallbackResult {
        if step.step.is_multiple_of(self.every) {
            self.record(step.step, step.network)?;
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// What was measured while one network trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What to call the network.
    pub name: String,
    /// Measurements in the order of training.
    pub snapshots: Vec<Snapshot>,
}

impl Recording {
    /// `|δ|` by layer and step as a picture: a column per snapshot, a row per
    /// [station](Measurement::stations), a colour per decade. An SVG document.
    pub fn svg(&self) -> String {
        heat_map(self, self.range(), true)
    }

    /// The smallest and the largest `log₁₀ |δ|` above 0; `None` if there is none.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let logs = self.snapshots.iter().flat_map(|snapshot| logs(&snapshot.measurement)).flatten();
        logs.fold(None, |range, log| match range {
            None => Some((log, log)),
            Some((low, high)) => Some((f64::min(low, log), f64::max(high, log))),
        })
    }
}

/// `log₁₀ |δ|` of each station; `None` where no gradient arrives.
pub(super) fn logs(measurement: &Measurement) -> Vec<Option<f64>> {
    let log =
        |station: usize| Some(measurement.layers[station].gradient.log10()).filter(|log| log.is_finite());
    measurement.stations().into_iter().map(log).collect()
}
