//! Measurements of one architecture over several seeds.

use crate::measure::{Measurement, Units};
use crate::numbers::mean_and_error;

/// The mean of a positive quantity over seeds, on a logarithmic scale. Products over many layers
/// are far from normally distributed; their logarithms are close to normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogMean {
    /// The mean of `log₁₀`.
    pub mean: f64,
    /// The standard error of the mean; 0 for a single seed.
    pub error: f64,
}

impl LogMean {
    /// The mean and standard error of given logarithms.
    pub fn of_logs(logs: &[f64]) -> Self {
        let (mean, error) = mean_and_error(logs);
        LogMean { mean, error }
    }

    /// The mean and standard error of `log₁₀` of the values.
    pub fn of(values: &[f64]) -> Self {
        LogMean::of_logs(&values.iter().map(|value| value.log10()).collect::<Vec<_>>())
    }

    /// The geometric mean.
    pub fn value(&self) -> f64 {
        10_f64.powf(self.mean)
    }
}

/// Measurements of one architecture with several seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    /// One measurement per seed.
    pub seeds: Vec<Measurement>,
}

impl Runs {
    /// Calls `measure` with the seeds 0, 1, …, at least once.
    ///
    /// # Errors
    /// The first error of `measure`.
    pub fn over<E>(seeds: u64, measure: impl FnMut(u64) -> Result<Measurement, E>) -> Result<Self, E> {
        Ok(Runs { seeds: (0..seeds.max(1)).map(measure).collect::<Result<_, E>>()? })
    }

    /// The mean of a quantity, such as `|m| m.layers[3].gradient`, over the seeds.
    pub fn log(&self, quantity: impl Fn(&Measurement) -> f64) -> LogMean {
        LogMean::of(&self.seeds.iter().map(quantity).collect::<Vec<_>>())
    }

    /// The mean of the [decades](Measurement::decades) over the seeds.
    pub fn decades(&self) -> LogMean {
        LogMean::of_logs(&self.seeds.iter().map(Measurement::decades).collect::<Vec<_>>())
    }

    /// The largest fraction of units in any layer, such as `|units| units.dead`; 0 without
    /// activations.
    pub fn largest(&self, fraction: impl Fn(&Units) -> f64) -> f64 {
        let layers = self.seeds.iter().flat_map(|measurement| &measurement.layers);
        layers.filter_map(|layer| layer.units.as_ref().map(&fraction)).fold(0.0, f64::max)
    }

    /// The geometric mean of the [ratio](Measurement::ratio) per layer over the seeds.
    pub fn ratio(&self) -> f64 {
        self.log(Measurement::ratio).value()
    }
}
