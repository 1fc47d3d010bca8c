//! The effect of a linear layer's weights on signals.

use ndarray::{Array2, Axis};

use super::batch_norm::Vector;
use super::flow::{Pair, Signal};
use crate::numbers::mean_power;
use crate::tape::Step;
use geartrain::Scalar;

/// Mean squares of the weights and biases of a linear layer.
pub(crate) struct WeightStatistics {
    /// The mean square of the weights.
    pub square: f64,
    // means over units i, with s_i = Σ_j W_ij: of b², b·s, s², b and s
    bias_square: f64,
    bias_sum: f64,
    sum_square: f64,
    bias: f64,
    sum: f64,
}

impl WeightStatistics {
    pub fn of<F: Scalar>(step: &Step<F>, params: &[F]) -> Self {
        let weight = step.tensor("weight", params).unwrap_or_default();
        let outputs = step.y.ncols();
        // column-major: entry (i, j) of the (outputs, inputs) matrix is number i + j · outputs
        let mut sums = vec![0.0; outputs];
        for column in weight.chunks_exact(outputs.max(1)) {
            sums.iter_mut().zip(column).for_each(|(sum, w)| *sum += w.as_f64());
        }
        let bias = step.tensor("bias", params).unwrap_or_default();
        let n = outputs.max(1) as f64;
        let products = bias.iter().zip(&sums).map(|(b, s)| b.as_f64() * s).sum::<f64>() / n;
        WeightStatistics {
            square: mean_power(weight.iter(), 2),
            bias_square: mean_power(bias.iter(), 2),
            bias_sum: products,
            sum_square: sums.iter().map(|s| s * s).sum::<f64>() / n,
            bias: mean_power(bias.iter(), 1),
            sum: sums.iter().sum::<f64>() / n,
        }
    }

    /// The signal `z = W h + b`. The mean m of the entries of h acts like a bias:
    /// `z = W (h − m) + (b + m s)`.
    pub fn apply(&self, signal: Signal, inputs: f64) -> Signal {
        let gain = inputs * self.square;
        let shared = |m: f64| self.bias_square + 2.0 * m * self.bias_sum + m * m * self.sum_square;
        let row = |&(q, m): &(f64, f64)| (gain * (q - m * m) + shared(m), self.bias + m * self.sum);
        let m = signal.mean();
        let overlap = gain * (signal.overlap - m * m) + shared(m);
        let batch = signal.batch.as_ref().map(|batch| Vector::Normal(self.covariance(batch, gain)));
        let pair = |pair: &Pair| {
            let [a, b] = pair.means;
            let shared = self.bias_square + self.bias_sum * (a + b) + self.sum_square * a * b;
            let square = |i: usize| row(&(pair.squares[i], pair.means[i]));
            Pair {
                squares: [square(0).0, square(1).0],
                means: [square(0).1, square(1).1],
                product: gain * (pair.product - a * b) + shared,
            }
        };
        let pairs = signal.pairs.iter().map(pair).collect();
        Signal { rows: signal.rows.map(row), overlap, pairs, normal: true, batch }
    }

    /// The covariance of `z` for every pair of rows.
    fn covariance(&self, h: &Vector, gain: f64) -> Array2<f64> {
        let m = h.means().insert_axis(Axis(1));
        let (product, sum) = (m.dot(&m.t()), &m + &m.t());
        gain * (h.squares() - &product) + self.bias_square + self.bias_sum * sum + self.sum_square * product
    }
}
