//! The pinball loss of several quantiles at once.

use geartrain::{Loss, Scalar};
use ndarray::ArrayRef2;

/// The pinball loss, in which column *c* of the output is the quantile `levels[c % levels.len()]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantiles {
    levels: Vec<f64>,
}

impl Quantiles {
    pub fn new(levels: &[f64]) -> Self {
        Quantiles { levels: levels.to_vec() }
    }

    /// The mean loss; `slope` receives row, column and the derivative of the entry's own loss.
    fn mean<F: Scalar>(
        &self,
        output: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        mut slope: impl FnMut((usize, usize), f64),
    ) -> f64 {
        let mut sum = 0.0;
        for ((place, o), t) in output.indexed_iter().zip(target) {
            let level = self.levels[place.1 % self.levels.len()];
            let difference = t.as_f64() - o.as_f64();
            // l = τ d for d > 0, else (τ − 1) d, with d = t − o, so ∂l/∂o = −τ or 1 − τ, and 0 at
            // the kink
            let factor = if difference > 0.0 { level } else { level - 1.0 };
            sum += factor * difference;
            slope(place, if difference == 0.0 { 0.0 } else { -factor });
        }
        sum / output.len() as f64
    }
}

impl<F: Scalar> Loss<F> for Quantiles {
    fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
        self.mean(output, target, |_, _| {})
    }

    fn total_weight(&self, target: &ArrayRef2<F>) -> Option<f64> {
        Some(target.nrows() as f64)
    }

    fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64 {
        let count = output.len() as f64;
        self.mean(output, target, |place, slope| doutput[place] = F::of(slope / count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain::gradcheck::Gradcheck;
    use ndarray::array;

    #[test]
    fn gradient_of_several_quantiles() {
        let loss = Quantiles::new(&[0.1, 0.9]);
        let output = array![[0.5, 2.0], [-1.0, 0.3]];
        let target = array![[1.0, 1.0], [-2.0, 0.9]];
        // (0.1·0.5 + 0.1·1.0 + 0.9·1.0 + 0.9·0.6) / 4
        assert!((loss.value(&output, &target) - 0.3975).abs() < 1e-12);
        let report = Gradcheck::default().loss(&loss, &output, &target).unwrap();
        assert!(report.passed(), "{report}");
    }
}
