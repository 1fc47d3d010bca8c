//! Losses of probabilities, from logits, so that no probability has to be rounded to 0 first.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2};

use super::{Loss, mean, mean_and_gradient};
use crate::error::{require, same_shape};
use crate::{Error, Scalar};

/// Cross-entropy of yes-or-no answers: with the logit z and the target t from 0 to 1, the mean over rows and outputs of
/// `−t ln σ(z) − (1 − t) ln(1 − σ(z))`, as `torch.nn.BCEWithLogitsLoss`.
///
/// Computed as `max(z, 0) − z t + ln(1 + e^{−|z|})`, which is exact and finite for every finite logit; no probability is
/// clamped. The slope is `σ(z) − t`.
///
/// ```
/// use geartrain::{Loss, loss::BinaryCrossEntropyWithLogits};
/// use ndarray::array;
/// let (logit, target) = (array![[-1000.0]], array![[1.0]]);
/// assert_eq!(BinaryCrossEntropyWithLogits.value(logit.view(), target.view()), 1000.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinaryCrossEntropyWithLogits;

fn binary<F: Scalar>(logit: F, target: F) -> (f64, F) {
    let (z, t) = (logit.as_f64(), target.as_f64());
    // e^{−|z|} never overflows, and σ(z) is 1 / (1 + e^{−z}) = e^z / (1 + e^z).
    let small = (-z.abs()).exp();
    let sigmoid = if z >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
    // A NaN stays one: the smaller of z and 0 is not asked for by `max`, which would drop it.
    let positive = if z <= 0.0 { 0.0 } else { z };
    (positive - z * t + small.ln_1p(), F::of(sigmoid - t))
}

impl<F: Scalar> Loss<F> for BinaryCrossEntropyWithLogits {
    fn check(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
        same_shape("target", output.shape(), target.shape())?;
        let wrong = target.indexed_iter().find(|(_, t)| !(F::zero()..=F::one()).contains(t));
        wrong.map_or(Ok(()), |((row, column), t)| {
            Err(Error::Target { row, column, expected: "a probability from 0 to 1".into(), got: t.as_f64() })
        })
    }

    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        mean(output, target, binary)
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, doutput: ArrayViewMut2<F>) -> f64 {
        mean_and_gradient(output, target, doutput, binary)
    }
}

/// Cross-entropy of one class out of K, as `torch.nn.CrossEntropyLoss`: with a row of logits z and its class t, the mean over
/// rows of `−ln softmax(z)_t`.
///
/// `output` is `(rows, K)`, one logit per class, and `target` is `(rows, 1)`, the index of the class, from 0 to K − 1.
/// With label smoothing ε (Szegedy et al. 2016) the target distribution q is `1 − ε` at the class plus `ε/K` everywhere, and
/// the loss is `−Σ_c q_c ln softmax(z)_c`. Its gradient is `softmax(z) − q`.
///
/// The largest logit is subtracted first and no probability is rounded before its logarithm is taken, so the loss is finite for
/// all finite logits.
///
/// ```
/// use geartrain::{Loss, loss::CrossEntropy};
/// use ndarray::array;
/// let loss = CrossEntropy::new();
/// let (logits, class) = (array![[0.0, 0.0, 0.0]], array![[2.0]]);
/// assert_eq!(loss.value(logits.view(), class.view()), 3_f64.ln());
/// assert!(loss.check(logits.view(), array![[3.0]].view()).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CrossEntropy {
    label_smoothing: f64,
}

impl CrossEntropy {
    /// Cross-entropy without label smoothing.
    pub fn new() -> Self {
        CrossEntropy::default()
    }

    /// The share ε, from 0 to 1, of the target distribution that is spread over all classes.
    pub fn label_smoothing(mut self, label_smoothing: f64) -> Self {
        self.label_smoothing = label_smoothing;
        self
    }

    /// The target distribution: ε/K, and what to add to it at the class.
    fn smoothed(&self, classes: usize) -> (f64, f64) {
        (self.label_smoothing / classes as f64, 1.0 - self.label_smoothing)
    }

    /// The loss of one row with the [`normaliser`] `(largest, sum)`: every `−ln softmax(z)_c` is
    /// `ln sum − (z_c − largest)`.
    fn row<F: Scalar>(&self, logits: ArrayView1<F>, class: usize, (largest, sum): (f64, f64)) -> f64 {
        let (everywhere, at_class) = self.smoothed(logits.len());
        let surprise = |z: F| sum.ln() - (z.as_f64() - largest);
        let loss = at_class * surprise(logits[class]);
        if everywhere == 0.0 {
            return loss;
        }
        loss + everywhere * logits.fold(0.0, |sum, &z| sum + surprise(z))
    }
}

fn largest<F: Scalar>(logits: ArrayView1<F>) -> f64 {
    logits.fold(f64::NEG_INFINITY, |max, z| max.max(z.as_f64()))
}

/// The largest logit and `Σ e^{z − largest}`, in which nothing overflows and one term is 1.
fn normaliser<F: Scalar>(logits: ArrayView1<F>) -> (f64, f64) {
    let largest = largest(logits);
    (largest, logits.fold(0.0, |sum, z| sum + (z.as_f64() - largest).exp()))
}

/// The class that a checked target names.
fn class<F: Scalar>(target: ArrayView1<F>) -> usize {
    target[0].as_f64() as usize
}

impl<F: Scalar> Loss<F> for CrossEntropy {
    fn check(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
        let holds = (0.0..=1.0).contains(&self.label_smoothing);
        require(holds, "label_smoothing", "in [0, 1]", self.label_smoothing)?;
        same_shape("target (one column of class indices)", &[output.nrows(), 1], target.shape())?;
        check_classes(target, output.ncols())
    }

    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        let rows = output.rows().into_iter().zip(target.rows());
        let sum: f64 = rows.map(|(z, t)| self.row(z, class(t), normaliser(z))).sum();
        sum / output.nrows() as f64
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, mut doutput: ArrayViewMut2<F>) -> f64 {
        let n = output.nrows() as f64;
        let (everywhere, at_class) = self.smoothed(output.ncols());
        let mut sum = 0.0;
        for ((z, t), mut d) in output.rows().into_iter().zip(target.rows()).zip(doutput.rows_mut()) {
            let (class, largest) = (class(t), largest(z));
            let mut total = 0.0;
            for (d, z) in d.iter_mut().zip(z) {
                let e = (z.as_f64() - largest).exp();
                total += e;
                *d = F::of(e);
            }
            sum += self.row(z, class, (largest, total));
            // l = ln Σ e^z − Σ_c q_c z_c, so ∂l/∂z_c = e^{z_c} / Σ e^z − q_c
            let e_class = d[class].as_f64();
            d.mapv_inplace(|e| F::of((e.as_f64() / total - everywhere) / n));
            d[class] = F::of((e_class / total - everywhere - at_class) / n);
        }
        sum / n
    }
}

/// Fails with its row unless every target is one of the integers from 0 to `classes` − 1.
pub(crate) fn check_classes<F: Scalar>(target: ArrayView2<F>, classes: usize) -> Result<(), Error> {
    let valid = |t: f64| t >= 0.0 && t < classes as f64 && t.fract() == 0.0;
    let wrong = target.indexed_iter().find(|(_, t)| !valid(t.as_f64()));
    wrong.map_or(Ok(()), |((row, column), t)| {
        let expected =
            format!("a class index, that is one of the integers from 0 to {}", classes.saturating_sub(1));
        Err(Error::Target { row, column, expected, got: t.as_f64() })
    })
}
