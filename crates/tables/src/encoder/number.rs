//! Numbers: the scaled value, the piecewise-linear encoding, the missing indicator.

use serde::{Deserialize, Serialize};

/// How the value *x* of a number column is scaled to the encoded value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scaling {
    /// `z / √(1 + (z/3)²)` with `z = (x − mean) / standard deviation`, or with `z = 2 (x − mean) /
    /// (max − min)` for a column with `q₂₅ = q₇₅`, of which at least half of the values are the
    /// same. The result is between −3 and 3, so that outliers do no harm.
    Clipped,
    /// `z / √(1 + (z/3)²)` with `z = (x − median) / (q₇₅ − q₂₅)`, where q are quantiles (or half
    /// the range, if that difference is 0). The result is between −3 and 3, so that outliers do no
    /// harm (Holzmüller et al. 2024, *Better by default*).
    Robust,
    /// `(x − mean) / standard deviation`.
    Standard,
}

impl Scaling {
    /// The bound of scaled numbers.
    pub(super) fn limit(self) -> Option<f64> {
        match self {
            Scaling::Clipped | Scaling::Robust => Some(3.0),
            Scaling::Standard => None,
        }
    }
}

/// The encoding of one number column. Values may be as large as `f64` allows: differences are taken
/// between halves, which do not overflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NumberCode {
    pub(super) scaling: Scaling,
    pub(super) center: f64,
    /// Half of the scale: what halved differences are divided by; 0 for a constant column.
    pub(super) half_scale: f64,
    /// Edges of the bins, increasing; empty without a piecewise-linear encoding.
    pub(super) edges: Vec<f64>,
    /// Whether a cell is missing among the training rows.
    pub(super) indicator: bool,
    /// The sorted values of the training rows, until the bins are chosen.
    #[serde(skip)]
    sorted: Vec<f64>,
}

/// `(a − b) / 2` without overflow.
fn half_difference(a: f64, b: f64) -> f64 {
    0.5 * a - 0.5 * b
}

impl NumberCode {
    /// The statistics of `values`, in which NaN is missing. Bins are chosen afterwards.
    pub fn fit(values: &[f64], scaling: Scaling) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let indicator = sorted.len() < values.len();
        let (mut center, mut half_scale) = (0.0, 0.0);
        if let (Some(&min), Some(&max)) = (sorted.first(), sorted.last())
            && half_difference(max, min) > 0.0
        {
            let range = half_difference(max, min) / 2.0;
            (center, half_scale) = match scaling {
                Scaling::Robust => {
                    let [low, median, high] = [0.25, 0.5, 0.75].map(|q| quantile(&sorted, q));
                    let spread = half_difference(high, low);
                    (median, if spread > 0.0 { spread } else { range })
                }
                Scaling::Standard | Scaling::Clipped => {
                    // Relative to the range, squares neither overflow nor vanish.
                    let count = sorted.len() as f64;
                    let relative = |x: f64| half_difference(x, min) / range;
                    let mean = sorted.iter().map(|&x| relative(x)).sum::<f64>() / count;
                    let variance = sorted.iter().map(|&x| (relative(x) - mean).powi(2)).sum::<f64>() / count;
                    let [low, high] = [0.25, 0.75].map(|q| quantile(&sorted, q));
                    let by_range = scaling == Scaling::Clipped && half_difference(high, low) <= 0.0;
                    let spread = if by_range { range } else { variance.sqrt() * range };
                    (min + mean * range + mean * range, spread)
                }
            };
            if half_scale == 0.0 {
                half_scale = f64::MIN_POSITIVE;
            }
        }
        NumberCode { scaling, center, half_scale, edges: Vec::new(), indicator, sorted }
    }

    /// Whether all values of the training rows are the same.
    pub fn is_constant(&self) -> bool {
        self.half_scale == 0.0
    }

    /// Chooses the edges of at most `bins` bins: the distinct values if they are few, else
    /// quantiles.
    pub fn choose_bins(&mut self, bins: usize) {
        let sorted = std::mem::take(&mut self.sorted);
        if self.is_constant() || bins == 0 {
            return;
        }
        let mut edges: Vec<f64> = Vec::new();
        for &value in &sorted {
            if edges.last() != Some(&value) {
                edges.push(value);
            }
            if edges.len() > bins {
                break;
            }
        }
        if edges.len() > bins {
            edges = (0..=bins).map(|t| quantile(&sorted, t as f64 / bins as f64)).collect();
        }
        // A difference that is divided by must not vanish, as between the smallest numbers.
        edges.dedup_by(|high, low| half_difference(*high, *low) <= 0.0);
        // One bin would repeat the value.
        self.edges = if edges.len() > 2 { edges } else { Vec::new() };
    }

    pub fn drop_indicator(&mut self) {
        self.indicator = false;
    }

    fn bins(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    pub fn width(&self) -> usize {
        usize::from(!self.is_constant()) + self.bins() + usize::from(self.indicator)
    }

    pub fn names(&self, column: &str) -> Vec<String> {
        let value = (!self.is_constant()).then(|| column.to_string());
        let bins = (1..=self.bins()).map(|bin| format!("{column}[{bin}]"));
        let indicator = self.indicator.then(|| format!("{column}=(missing)"));
        value.into_iter().chain(bins).chain(indicator).collect()
    }

    pub fn describe(&self) -> String {
        let value = match (self.is_constant(), self.scaling) {
            (true, _) => "constant",
            (_, Scaling::Clipped) => "standardised, clipped value",
            (_, Scaling::Robust) => "robust-scaled value",
            (_, Scaling::Standard) => "standardised value",
        };
        let bins = if self.bins() > 0 { format!(", {} bins", self.bins()) } else { String::new() };
        format!("{value}{bins}{}", if self.indicator { ", missing indicator" } else { "" })
    }

    /// What stands for a missing cell where no cell was missing in training: the centre, since the
    /// network has not learned what a gap means.
    pub fn fill(&self, x: f64) -> f64 {
        if x.is_nan() { self.center } else { x }
    }

    /// Writes the encoding of `x`, NaN for missing, to `out`, which has
    /// [`width`](NumberCode::width) numbers.
    pub fn encode(&self, x: f64, out: &mut [f32]) {
        let (out, indicator) = out.split_at_mut(out.len() - usize::from(self.indicator));
        if let [indicator] = indicator {
            *indicator = f32::from(u8::from(x.is_nan()));
        }
        let Some((value, bins)) = out.split_first_mut() else { return };
        if x.is_nan() {
            *value = 0.0;
            return bins.fill(0.0);
        }
        // Far outside the training range, the quotient may overflow; beyond 1e9 nothing changes.
        let z = (half_difference(x, self.center) / self.half_scale).clamp(-1e9, 1e9);
        *value = match self.scaling.limit() {
            Some(limit) => z / (1.0 + (z / limit).powi(2)).sqrt(),
            None => z,
        } as f32;
        if bins.is_empty() {
            return;
        }
        // Bins below x are 1, bins above it 0, and its own is the fraction that lies below x.
        let below = self.edges.partition_point(|&edge| edge <= x).saturating_sub(1).min(bins.len() - 1);
        bins[..below].fill(1.0);
        bins[below + 1..].fill(0.0);
        let (low, high) = (self.edges[below], self.edges[below + 1]);
        bins[below] = (half_difference(x, low) / half_difference(high, low)).clamp(0.0, 1.0) as f32;
    }
}

/// The quantile `q` of sorted values, interpolated linearly between neighbours as in NumPy.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    below + 2.0 * (position.fract() * half_difference(above, below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(code: &NumberCode, x: f64) -> Vec<f32> {
        let mut out = vec![f32::NAN; code.width()];
        code.encode(x, &mut out);
        out
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([1, 2, 4, 8, 16], [0, .1, .25, .4, .9, 1])
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (q, expected) in [(0.0, 1.0), (0.1, 1.4), (0.25, 2.0), (0.4, 3.2), (0.9, 12.8), (1.0, 16.0)] {
            assert!((quantile(&sorted, q) - expected).abs() < 1e-12, "{q}");
        }
    }

    #[test]
    fn robust_scaling_and_bins() {
        let mut code = NumberCode::fit(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], Scaling::Robust);
        code.choose_bins(2);
        assert_eq!(code.names("x"), ["x", "x[1]", "x[2]"]);
        // median 5, quartiles 3 and 7
        assert_eq!(encode(&code, 5.0), [0.0, 1.0, 0.0]);
        assert_eq!(encode(&code, 3.0), [(-0.5 / (1.0 + 1.0 / 36.0_f64).sqrt()) as f32, 0.5, 0.0]);
        assert_eq!(encode(&code, 9.0)[1..], [1.0, 1.0]);
        assert_eq!(encode(&code, f64::NAN), [0.0, 0.0, 0.0]);
        assert_eq!(encode(&code, 1e300), [3.0, 1.0, 1.0]);
        assert_eq!(encode(&code, -1e300), [-3.0, 0.0, 0.0]);
    }

    #[test]
    fn the_fill_value_is_encoded_as_the_centre() {
        let mut code = NumberCode::fit(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], Scaling::Robust);
        code.choose_bins(2);
        assert_eq!(encode(&code, code.fill(f64::NAN)), encode(&code, 5.0));
        assert_eq!(code.fill(7.0), 7.0);
    }

    #[test]
    fn standard_scaling() {
        let mut code = NumberCode::fit(&[1.0, 3.0, f64::NAN], Scaling::Standard);
        code.choose_bins(16);
        assert_eq!(code.names("x"), ["x", "x=(missing)"]);
        assert_eq!(encode(&code, 5.0), [3.0, 0.0]);
        assert_eq!(encode(&code, f64::NAN), [0.0, 1.0]);
    }

    #[test]
    fn clipped_scaling() {
        // mean 4, standard deviation √5.2
        let code = NumberCode::fit(&[1.0, 3.0, 4.0, 4.0, 8.0], Scaling::Clipped);
        let z = 4.0 / 5.2_f64.sqrt();
        assert_eq!(encode(&code, 8.0), [(z / (1.0 + (z / 3.0).powi(2)).sqrt()) as f32]);
        assert_eq!(encode(&code, 1e300), [3.0]);
        // Mostly 0, so the range counts: z = 2 (8 − 1.6) / 8
        let code = NumberCode::fit(&[0.0, 0.0, 8.0, 0.0, 0.0], Scaling::Clipped);
        let z: f64 = 2.0 * (8.0 - 1.6) / 8.0;
        assert_eq!(encode(&code, 8.0)[0], (z / (1.0 + (z / 3.0).powi(2)).sqrt()) as f32);
    }

    #[test]
    fn extreme_values_stay_finite() {
        let values = [-f64::MAX, f64::MAX, 0.0, 5e-324, -5e-324, 1.0, 1e-300];
        for scaling in [Scaling::Clipped, Scaling::Robust, Scaling::Standard] {
            for subset in 0..1 << values.len() {
                let chosen: Vec<f64> =
                    (0..values.len()).filter(|i| subset >> i & 1 == 1).map(|i| values[i]).collect();
                for bins in [2, 3, 16] {
                    let mut code = NumberCode::fit(&chosen, scaling);
                    code.choose_bins(bins);
                    for x in values {
                        let encoded = encode(&code, x);
                        assert!(encoded.iter().all(|y| y.is_finite()), "{chosen:?} {x}: {encoded:?}");
                    }
                }
            }
        }
    }
}
