//! Several measurements of networks that differ only in their seed.

use super::measure::Measurement;

/// A positive quantity over several seeds, on a logarithmic scale: ratios of products over many layers are far from
/// normal, their logarithms are close to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log {
    /// The mean of `log₁₀`.
    pub mean: f64,
    /// Its standard error; 0 for a single seed.
    pub error: f64,
}

impl Log {
    /// The mean and the standard error of numbers that are logarithms already.
    pub fn of_logs(logs: &[f64]) -> Self {
        let n = logs.len().max(1) as f64;
        let mean = logs.iter().sum::<f64>() / n;
        let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
        Log { mean, error: if logs.len() < 2 { 0.0 } else { (squares / (n - 1.0) / n).sqrt() } }
    }

    /// The mean and the standard error of the logarithms of `values`.
    pub fn of(values: &[f64]) -> Self {
        Log::of_logs(&values.iter().map(|value| value.log10()).collect::<Vec<_>>())
    }

    /// The geometric mean.
    pub fn value(&self) -> f64 {
        10_f64.powf(self.mean)
    }
}

/// Measurements of one architecture with several seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Average {
    /// The measurements, one per seed.
    pub seeds: Vec<Measurement>,
}

impl Average {
    /// Of `seeds` measurements, `measure` being called with 0, 1, …
    ///
    /// # Errors
    /// The first error of `measure`.
    pub fn over<E>(seeds: u64, measure: impl FnMut(u64) -> Result<Measurement, E>) -> Result<Self, E> {
        Ok(Average { seeds: (0..seeds.max(1)).map(measure).collect::<Result<_, E>>()? })
    }

    /// One quantity, such as `|m| m.layers[3].gradient`, over the seeds.
    pub fn log(&self, quantity: impl Fn(&Measurement) -> f64) -> Log {
        Log::of(&self.seeds.iter().map(quantity).collect::<Vec<_>>())
    }

    /// The [decades](Measurement::decades) over the seeds.
    pub fn decades(&self) -> Log {
        Log::of_logs(&self.seeds.iter().map(Measurement::decades).collect::<Vec<_>>())
    }

    /// The geometric mean of the [ratio](Measurement::ratio) per layer.
    pub fn ratio(&self) -> f64 {
        self.log(Measurement::ratio).value()
    }
}
