//! Scores by name.

use std::fmt;

/// How good predictions are: numbers by name. The first is less for better predictions.
///
/// - Regression: `rmse`, `mae`, `r2`; with the Poisson loss also `poisson deviance`. For several
///   targets, one set each: `rmse price`.
/// - Quantiles: `pinball`, and for each quantile the share of rows whose target is at most the
///   prediction, `share below 0.1`.
/// - Classification: `log-loss` (natural logarithm), `accuracy`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores(Vec<(String, f64)>);

impl Scores {
    pub(crate) fn push(&mut self, name: impl Into<String>, value: f64) {
        self.0.push((name.into(), value));
    }

    /// The score called `name`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// All scores, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The first score: less is better.
    pub(crate) fn first(&self) -> f64 {
        self.0.first().map_or(f64::NAN, |(_, value)| *value)
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scores: Vec<String> =
            self.iter().map(|(name, value)| format!("{name} {}", digits(value))).collect();
        f.write_str(&scores.join(", "))
    }
}

/// A number with four significant digits, and with all digits before the point.
pub(crate) fn digits(value: f64) -> String {
    let magnitude = value.abs().max(f64::MIN_POSITIVE).log10().floor();
    format!("{value:.*}", (3.0 - magnitude).clamp(0.0, 9.0) as usize)
}

/// Mean and standard deviation (with *n* − 1; 0 for one value).
pub(crate) fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (mean, if count > 1.0 { (squares / (count - 1.0)).sqrt() } else { 0.0 })
}
