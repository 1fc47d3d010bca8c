//! Scores by name.

use std::fmt;

use ndarray::ArrayRef2;

use super::RegressionLoss;

/// How good predictions are: numbers by name. The first is less for better predictions.
///
/// - Regression: `rmse`, `mae`, `r2`; with the Poisson loss also `poisson deviance`. For several
///   targets, one set each: `rmse price`.
/// - Quantiles: `pinball`, and for each quantile the share of rows whose target is at most the
///   prediction, `share below 0.1`.
/// - Classification: `log-loss` (natural logarithm), `accuracy`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores(Vec<(String, f64)>);

/// Probabilities below this count as it in the log-loss, as in scikit-learn.
const LEAST_PROBABILITY: f64 = 2.220_446_049_250_313e-16;

impl Scores {
    /// The scores of a regression: `predicted`, `(rows, outputs)`, has one column, or one for each
    /// quantile of `loss`. `weights` has a number ≥ 0 for each row; a row with 0 does not count.
    pub fn of_numbers(
        loss: &RegressionLoss,
        actual: &[f64],
        predicted: &ArrayRef2<f64>,
        weights: &[f64],
    ) -> Self {
        let mut scores = Scores::default();
        let total: f64 = weights.iter().sum();
        let mean = |term: &dyn Fn(usize) -> f64| {
            let rows = weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
            rows.map(|(row, weight)| weight * term(row)).sum::<f64>() / total
        };
        let column = |output: usize| predicted.column(output);
        if let RegressionLoss::Quantiles(levels) = loss {
            let mut pinball = 0.0;
            for (i, level) in levels.iter().enumerate() {
                pinball += mean(&|r| {
                    let difference = actual[r] - column(i)[r];
                    if difference > 0.0 { level * difference } else { (level - 1.0) * difference }
                });
            }
            scores.push("pinball", pinball / levels.len() as f64);
            for (i, level) in levels.iter().enumerate() {
                let below = mean(&|r| f64::from(u8::from(actual[r] <= column(i)[r])));
                scores.push(format!("share below {level}"), below);
            }
            return scores;
        }
        let predicted = column(0);
        let squared = mean(&|r| (actual[r] - predicted[r]).powi(2));
        let center = mean(&|r| actual[r]);
        let variance = mean(&|r| (actual[r] - center).powi(2));
        // As scikit-learn: a constant target is predicted perfectly or not at all.
        let r2 = match variance > 0.0 {
            true => 1.0 - squared / variance,
            false => f64::from(u8::from(squared == 0.0)),
        };
        scores.push("rmse", squared.sqrt());
        scores.push("mae", mean(&|r| (actual[r] - predicted[r]).abs()));
        scores.push("r2", r2);
        if *loss == RegressionLoss::Poisson {
            // 2 (t ln(t / p) − t + p), with 0 ln 0 = 0
            let term = |r: usize| {
                let (t, p) = (actual[r], predicted[r].max(f64::MIN_POSITIVE));
                2.0 * (if t > 0.0 { t * (t / p).ln() } else { 0.0 } - t + p)
            };
            scores.push("poisson deviance", mean(&term));
        }
        scores
    }

    /// The scores of a classification: the class of each row, as an index, and the probabilities of
    /// the classes, `(rows, classes)`. `weights` has a number ≥ 0 for each row.
    pub fn of_classes(actual: &[usize], probabilities: &ArrayRef2<f64>, weights: &[f64]) -> Self {
        let (mut surprise, mut right) = (0.0, 0.0);
        for ((row, &class), weight) in probabilities.rows().into_iter().zip(actual).zip(weights) {
            surprise -= weight * row[class].max(LEAST_PROBABILITY).ln();
            right += weight * f64::from(u8::from(super::argmax(row) == class));
        }
        let total: f64 = weights.iter().sum();
        let mut scores = Scores::default();
        scores.push("log-loss", surprise / total);
        scores.push("accuracy", right / total);
        scores
    }

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
