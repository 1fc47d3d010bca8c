//! The overlap of the gradients of a batch's rows, and its effect on the fluctuations of their
//! norm.
//!
//! Let `K = δ δᵀ`, `(rows, rows)`, and let all sums be relative to `tr K`. In a network of width N,
//! gradients of different rows become parallel by about 1/N per layer, so that a large batch comes
//! to fluctuate like a single row. The state is `d = Σ K_aa²`, `o = Σ_(a≠b) K_ab²` and `p = d + o`,
//! with closures for third-order terms: `tr K³ ≈ p² (1.5 − 0.5 √p)`, which is the limit of free
//! probability for small p and exact at p = 1.
//!
//! Everything is to first order in 1/N. For one row, `d = 1` and `o = 0` give the variance of Hanin
//! and Nica (2020).

use super::moments::{Products, interpolate};

/// The largest number of pairs of rows that are followed.
const PAIRS: usize = 64;

/// The pairs of rows that are followed in a batch of `rows` rows through layers of at most `width`
/// units; fewer in wide layers, where pairs hardly fluctuate.
pub(crate) fn pairs(rows: usize, width: usize) -> Vec<(usize, usize)> {
    let all = rows * rows.saturating_sub(1) / 2;
    let count = (PAIRS * 128 / width.max(1)).clamp(8, PAIRS).min(all);
    let pair = |k: usize| {
        // pair number b (b − 1) / 2 + a is (a, b) with a < b
        let number = k * all / count;
        let root = ((1.0 + (1.0 + 8.0 * number as f64).sqrt()) / 2.0) as usize;
        let before = |b: usize| b * b.saturating_sub(1) / 2;
        let b = (root.saturating_sub(1)..=root + 1).rev().find(|&b| before(b) <= number).unwrap_or(1);
        (number - before(b), b)
    };
    (0..count).map(pair).collect()
}

/// The largest effect of a relative change of the signal for which its first order suffices.
const LONGEST_REACH: f64 = 2.0;

/// How a layer makes the norm of a gradient fluctuate.
#[derive(Debug, Clone)]
pub(crate) enum Fluctuation {
    /// Not at all.
    None,
    /// A linear layer.
    Linear {
        /// The number of inputs.
        inputs: f64,
        /// The part of the outputs' mean square that comes from the weights and not from the bias.
        share: f64,
    },
    /// An activation.
    Activation {
        /// The number of units.
        units: f64,
        /// `E φ'⁴ / (E φ'²)²`.
        kurtosis: f64,
        /// For each pair of rows a, b, `E φ'_a φ'_b / E φ'²` and `E φ'_a² φ'_b² / (E φ'²)²`.
        pairs: Vec<(f64, f64)>,
        /// The interaction with the signal.
        response: Response,
    },
}

/// How an activation couples the fluctuations of the gradient's norm to those of the signal's.
/// Expectations are those of one row; between two rows, differences from 1 are smaller by the
/// factor `likeness`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Response {
    /// `∂ ln E φ² / ∂ ln q`.
    pub growth: f64,
    /// `∂ ln E φ'² / ∂ ln q`.
    pub slope: f64,
    /// `E φ² φ'² / (E φ² E φ'²)`.
    pub both: f64,
    /// `E z² φ'² / (q E φ'²)`: the gradient's energy along z, from a gradient without direction.
    pub stretch: f64,
    /// `(E z φ φ')² / (q E φ² E φ'²)`: the same from energy along φ.
    pub along: f64,
    /// The mean square correlation of two rows.
    pub likeness: f64,
    /// The variance of the logarithm of the mean of φ² over the units.
    pub noise: f64,
    /// Its correlation between two rows.
    pub correlation: f64,
}

/// The overlap of the rows' gradients at one place, and the fluctuations accumulated above.
#[derive(Debug, Clone)]
pub(crate) struct Overlap {
    /// `o` of each pair followed; their mean is that of the batch.
    pairs: Vec<f64>,
    /// `d` relative to that of the infinitely wide network.
    growth: f64,
    /// The variance of the logarithm of the squared norm.
    pub variance: f64,
    /// The amount by which its mean is below the logarithm of the mean.
    pub drift: f64,
    /// Twice the covariance of the logarithm with p.
    covariance: f64,
    /// The covariance of the logarithm with the effect of the signal's fluctuations on it. A linear
    /// layer passes signal and gradient through the same weights, and an activation through the
    /// same units.
    pub shared: f64,
    /// The variance of that effect, to first order; `None` where the signal's fluctuations grow so
    /// much that the first order does not suffice.
    pub wandering: Option<f64>,
    /// The effect of a relative change of the signal on the logarithm, through the layers above.
    reach: f64,
    /// For one row and for two rows: the gradient's energy along the signal, relative to other
    /// directions.
    share: [f64; 2],
    /// The covariance that reaches the layers below through that direction, times their width.
    pending: [f64; 2],
}

impl Overlap {
    /// The overlap `o` at the network's output, for `pairs` pairs.
    pub fn new(o: f64, pairs: usize) -> Self {
        Overlap {
            pairs: vec![o; pairs],
            growth: 1.0,
            variance: 0.0,
            drift: 0.0,
            covariance: 0.0,
            shared: 0.0,
            wandering: Some(0.0),
            reach: 0.0,
            share: [1.0; 2],
            pending: [0.0; 2],
        }
    }

    /// The mean square correlation of two rows' gradients, where `d` is that of the infinitely wide
    /// network.
    pub fn correlation(&self, d: f64) -> f64 {
        let d = self.diagonal(d);
        if d < 1.0 { (self.mean() / (1.0 - d)).min(1.0) } else { 0.0 }
    }

    /// The same overlap in every pair, without fluctuations of the overlap itself.
    pub fn reset(&mut self, o: f64) {
        self.pairs.iter_mut().for_each(|pair| *pair = o);
        (self.growth, self.covariance) = (1.0, 0.0);
    }

    fn mean(&self) -> f64 {
        self.pairs.iter().sum::<f64>() / self.pairs.len().max(1) as f64
    }

    fn diagonal(&self, d: f64) -> f64 {
        (d * self.growth).min(1.0)
    }

    /// Goes down through a layer, for a batch of `rows` rows with `d` in the infinitely wide
    /// network.
    pub fn pass(&mut self, layer: &Fluctuation, d: f64, rows: f64) {
        let infinite = d;
        let d = self.diagonal(d);
        if !d.is_finite() {
            return; // no gradient arrives
        }
        let o = self.mean();
        let p = d + o;
        // third-order terms: Σ (K³)_aa, and its parts with three, two and no equal indices
        let t3 = p * p * (1.5 - 0.5 * p.sqrt());
        let td = (d.powi(3) * rows).min(d.powf(1.5));
        let r = if d < 1.0 { o / (1.0 - d) } else { 0.0 };
        let x = (d - td) * r;
        let to = (t3 - td - x).max(0.0);
        let share = |pair: f64| if o > 0.0 { to * pair / o } else { 0.0 };
        let parts = [d, 1.0 - d];
        let new = match layer {
            Fluctuation::None => {
                // a normalisation: neither passes the fluctuation of the signal's norm
                (self.reach, self.share, self.pending) = (0.0, [0.0; 2], [0.0; 2]);
                return;
            }
            Fluctuation::Linear { inputs: n, share: of_weights } => {
                self.reach *= of_weights;
                for (k, part) in parts.into_iter().enumerate() {
                    self.share[k] = 1.0 + of_weights * (self.share[k] - 1.0);
                    self.pending[k] *= of_weights;
                    self.shared += part * self.pending[k] / n;
                }
                let v = 2.0 * p / n;
                self.drift += v / 2.0;
                self.variance += v - 2.0 * self.covariance / n;
                let decay = 1.0 - 8.0 * (3.0 * p - 1.25 * p.powf(1.5)) + 12.0 * p;
                self.covariance += self.covariance * decay / n + 4.0 * (t3 - p * p) / n;
                for pair in &mut self.pairs {
                    *pair += (1.0 - d + *pair) / n + 3.0 * v * *pair - 8.0 * share(*pair) / n;
                }
                d * (1.0 + 2.0 / n + 3.0 * v) - 4.0 / n * (3.0 * td + (d - td) * (1.0 + 2.0 * r) - d)
            }
            Fluctuation::Activation { units: n, kurtosis, pairs, response } => {
                self.respond(response, *n, parts);
                let at = |j: usize| pairs[j.min(pairs.len() - 1)];
                let own = 3.0 * (kurtosis - 1.0);
                let (mut between, mut excess) = (0.0, 0.0);
                for (j, pair) in self.pairs.iter().enumerate() {
                    let m = at(j).1 - 1.0;
                    between += m * (1.0 - d + 2.0 * pair) / self.pairs.len() as f64;
                    excess += m / self.pairs.len() as f64;
                }
                let v = (own * d + between) / n;
                self.drift += v / 2.0;
                self.variance += v;
                for (j, pair) in self.pairs.iter_mut().enumerate() {
                    let (s, m) = at(j);
                    let old = *pair;
                    *pair = s * s * old + (m - s * s) / n * (1.0 - d + 2.0 * old) + 3.0 * v * s * s * old
                        - 4.0 * s * s / n * (m - 1.0) * (old + 2.0 * share(old));
                }
                d * (1.0 + own / n + 3.0 * v) - 4.0 / n * (own * td + excess * (d - td) * (1.0 + 2.0 * r))
            }
        };
        let new = new.clamp((1.0 / rows).min(1.0), 1.0);
        self.growth = new / infinite;
        self.pairs.iter_mut().for_each(|pair| *pair = pair.clamp(0.0, 1.0 - new));
    }

    /// The covariance with the signal, through an activation of `n` units. One row has the part
    /// `parts[0]` of the squared norm, two rows have `parts[1]`.
    fn respond(&mut self, response: &Response, n: f64, parts: [f64; 2]) {
        let Response { growth, slope, both, stretch, along, likeness, noise, correlation } = *response;
        let effect = self.reach * self.reach * noise * (parts[0] + parts[1] * correlation);
        self.wandering = self.wandering.filter(|_| self.reach.abs() < LONGEST_REACH).map(|sum| sum + effect);
        let reach = slope + growth * self.reach;
        for (k, part) in parts.into_iter().enumerate() {
            let likeness = if k == 0 { 1.0 } else { likeness };
            let [both, stretch, along] = [both, stretch, along].map(|f| 1.0 + likeness * (f - 1.0));
            // the mean of φ² over the units fluctuates with that of φ'² g², and with z · φ' g
            self.shared += part * (both - 1.0) / n * (self.reach + self.pending[k]);
            self.share[k] = stretch + (self.share[k] - 1.0) * along;
            self.pending[k] = along * self.pending[k] + 2.0 * self.share[k] * reach / n;
        }
        self.reach = reach;
    }

    /// The overlap of the sum of two independent gradients of `width` entries per row, `share` of
    /// whose energy is that of `branch`; `d` is that of the infinitely wide network.
    pub fn plus(&mut self, branch: &Overlap, share: f64, d: f64, width: f64) {
        let mix = |x: f64, branch: f64| (1.0 - share) * x + share * branch;
        // |x + b|² = |x|² + |b|² + 2 x·b, where x·b is of order |x| |b| / √width
        let cross = 4.0 * share * (1.0 - share) / width;
        let d = self.diagonal(d);
        let added = cross * (d + (self.mean() * branch.mean()).sqrt());
        self.variance += share * share * (branch.variance - self.variance) + added;
        self.drift += share * share * (branch.drift - self.drift) + added / 2.0;
        self.covariance = mix(self.covariance, branch.covariance);
        self.shared += share * share * (branch.shared - self.shared);
        self.wandering = self.wandering.zip(branch.wandering).map(|(x, b)| x + share * share * (b - x));
        self.reach = mix(self.reach, branch.reach);
        // the direction of the sum is that of neither part
        (self.share, self.pending) = ([1.0; 2], [0.0; 2]);
        self.growth = mix(self.growth, branch.growth) * (1.0 + cross);
        for (x, branch) in self.pairs.iter_mut().zip(&branch.pairs) {
            *x = (mix(x.sqrt(), branch.sqrt()).powi(2) + cross * (1.0 - d) / 2.0).min(1.0 - d);
        }
    }
}

/// `E φ'_a φ'_b`, `E φ'_a² φ'_b²` and `E φ_a² φ_b²` for any angle between two rows, interpolated
/// between angles.
pub(crate) struct ByAngle {
    known: Vec<(f64, f64, [f64; 3])>,
}

/// The number of steps between angles.
const STEPS: usize = 4;

impl ByAngle {
    /// `products` gives the expectations at a correlation.
    pub fn new(products: impl Fn(f64) -> Products) -> Self {
        let node = |k: usize| {
            // extrema of a Chebyshev polynomial on [0, π], with barycentric weights
            let angle =
                std::f64::consts::FRAC_PI_2 * (1.0 - (std::f64::consts::PI * k as f64 / STEPS as f64).cos());
            let weight = if k == 0 || k == STEPS { 0.5 } else { 1.0 };
            let Products { slopes, slope_squares, value_squares, .. } = products(angle.cos());
            let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
            (angle, sign * weight, [slopes, slope_squares, value_squares])
        };
        ByAngle { known: (0..=STEPS).map(node).collect() }
    }

    /// The expectations at the correlation `c`.
    pub fn at(&self, c: f64) -> [f64; 3] {
        interpolate(&self.known, c.clamp(-1.0, 1.0).acos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_different_rows_of_the_batch() {
        assert!(pairs(0, 50).is_empty() && pairs(1, 50).is_empty());
        assert_eq!(pairs(3, 50), [(0, 1), (0, 2), (1, 2)]);
        for rows in [12, 64, 1000, 100_003] {
            let pairs = pairs(rows, 50);
            assert_eq!(pairs.len(), 64);
            assert!(pairs.iter().all(|&(a, b)| a < b && b < rows), "{pairs:?}");
            assert!(pairs.windows(2).all(|two| two[0] != two[1]));
        }
        assert_eq!(pairs(64, 4096).len(), 8);
    }

    #[test]
    fn one_row_fluctuates_as_by_hanin_and_nica() {
        let mut overlap = Overlap::new(0.0, 0);
        for _ in 0..10 {
            let (units, pairs) = (50.0, Vec::new());
            let response = Response::default();
            overlap.pass(&Fluctuation::Activation { units, kurtosis: 2.0, pairs, response }, 1.0, 1.0);
            overlap.pass(&Fluctuation::Linear { inputs: 50.0, share: 1.0 }, 1.0, 1.0);
        }
        // (3κ − 1) / N per layer
        assert!((overlap.variance - 10.0 * 5.0 / 50.0).abs() < 1e-12, "{overlap:?}");
        assert!((overlap.drift - overlap.variance / 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_batch_comes_to_fluctuate_like_one_row() {
        let mut overlap = Overlap::new(1.0 / 20.0, 1);
        let mut last = 0.0;
        for _ in 0..2000 {
            last = overlap.variance;
            overlap.pass(&Fluctuation::Linear { inputs: 20.0, share: 1.0 }, 1.0 / 64.0, 64.0);
        }
        assert!((overlap.correlation(1.0 / 64.0) - 1.0).abs() < 0.05, "{overlap:?}");
        assert!((overlap.variance - last - 2.0 / 20.0).abs() < 0.02, "{overlap:?}");
    }
}
