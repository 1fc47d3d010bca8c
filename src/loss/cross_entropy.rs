//! Cross-entropy of one class out of several, from logits.

use ndarray::{ArrayRef1, ArrayRef2};
use serde::Serialize;

use super::Loss;
use crate::error::{require, same_shape};
use crate::settings::Settings;
use crate::{Error, Scalar};
use geartrain_kernels::exp;

/// Cross-entropy of one class out of K, as `torch.nn.CrossEntropyLoss`: with a row of logits z and
/// its class t, the mean over rows of `−ln softmax(z)_t`.
///
/// `output` is `(rows, K)`, one logit per class: the loss contains the softmax, so the network must
/// not end in one. `target` is either `(rows, 1)`, the class index from 0 to K − 1, or `(rows, K)`
/// with K > 1, one probability *q* per class; the loss of a row is then `−Σ_c q_c ln softmax(z)_c`.
///
/// The largest logit is subtracted first, and no probability is rounded before its logarithm is
/// taken, so the loss is finite for all finite logits. The gradient is `softmax(z) − q`.
///
/// ```
/// use geartrain::{Loss, loss::CrossEntropy};
/// use ndarray::array;
/// let (logits, class) = (array![[0.0, 0.0, 0.0]], array![[2.0]]);
/// assert!((CrossEntropy.value(&logits, &class) - 3_f64.ln()).abs() < 1e-15);
/// assert!(CrossEntropy.check(&logits, &array![[3.0]]).is_err());
///
/// let probabilities = array![[0.5, 0.0, 0.5]];
/// assert!((CrossEntropy.value(&logits, &probabilities) - 3_f64.ln()).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CrossEntropy;

impl CrossEntropy {
    /// See [`CrossEntropyWithOptions::label_smoothing`].
    pub fn label_smoothing(self, label_smoothing: f64) -> CrossEntropyWithOptions {
        PLAIN.label_smoothing(label_smoothing)
    }

    /// See [`CrossEntropyWithOptions::class_weights`].
    pub fn class_weights(self, weights: impl Into<Vec<f64>>) -> CrossEntropyWithOptions {
        PLAIN.class_weights(weights)
    }
}

const PLAIN: CrossEntropyWithOptions = CrossEntropyWithOptions { label_smoothing: 0.0, class_weights: None };

/// [`CrossEntropy`] with label smoothing ε and class weights *w*, as `torch.nn.CrossEntropyLoss`
/// with the same options.
///
/// With the smoothed target distribution `p_c = (1 − ε) q_c + ε/K`, the loss of a row is
/// `l = −Σ_c w_c p_c ln softmax(z)_c`. The loss of a batch is `Σ_r l_r / Σ_r w_t` for class indices
/// t (a weighted mean), and `Σ_r l_r / rows` for probabilities. If every row of a batch has weight
/// 0, the loss and its gradient are 0.
///
/// ```
/// use geartrain::{Loss, loss::CrossEntropy};
/// use ndarray::array;
/// let loss = CrossEntropy.label_smoothing(0.1).class_weights([1.0, 5.0]);
/// assert!(loss.check(&array![[0.3, -0.2]], &array![[1.0]]).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossEntropyWithOptions {
    label_smoothing: f64,
    class_weights: Option<Vec<f64>>,
}

impl CrossEntropyWithOptions {
    /// The share ε, from 0 (the default) to 1, of the target distribution that is spread evenly
    /// over all classes (Szegedy et al. 2016).
    pub fn label_smoothing(mut self, label_smoothing: f64) -> Self {
        self.label_smoothing = label_smoothing;
        self
    }

    /// One weight per class, finite and at least 0, not all 0. Default: 1 for every class.
    pub fn class_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.class_weights = Some(weights.into());
        self
    }

    fn weight(&self, class: usize) -> f64 {
        self.class_weights.as_ref().map_or(1.0, |weights| weights[class])
    }

    /// ε/K and 1 − ε.
    fn smoothing(&self, classes: usize) -> (f64, f64) {
        (self.label_smoothing / classes as f64, 1.0 - self.label_smoothing)
    }

    /// The loss of one row with the [`normaliser`] `(largest, sum)`: every `−ln softmax(z)_c` is
    /// `ln sum − (z_c − largest)`.
    fn row<F: Scalar>(
        &self,
        logits: &ArrayRef1<F>,
        target: &ArrayRef1<F>,
        (largest, sum): (f64, f64),
    ) -> f64 {
        let surprise = |c: usize| self.weight(c) * (libm::log(sum) - (logits[c].as_f64() - largest));
        let (everywhere, at_target) = self.smoothing(logits.len());
        let loss = match class(target) {
            Some(class) => at_target * surprise(class),
            None => (0..logits.len()).map(|c| at_target * target[c].as_f64() * surprise(c)).sum(),
        };
        if everywhere == 0.0 {
            return loss;
        }
        loss + everywhere * (0..logits.len()).fold(0.0, |sum, c| sum + surprise(c))
    }

    /// `Σ_c w_c p_c` of one row, which is 1 without class weights.
    fn weight_sum<F: Scalar>(&self, target: &ArrayRef1<F>, classes: usize) -> f64 {
        let (everywhere, at_target) = self.smoothing(classes);
        self.class_weights.as_ref().map_or(1.0, |weights| {
            let p = |c| everywhere + at_target * probability(target, c);
            weights.iter().enumerate().map(|(c, weight)| weight * p(c)).sum()
        })
    }

    /// The number that the sum over rows is divided by.
    fn divisor<F: Scalar>(&self, target: &ArrayRef2<F>) -> f64 {
        match self.class_weights {
            None => target.nrows() as f64,
            Some(_) => target.rows().into_iter().map(|t| self.row_weight(&t)).sum(),
        }
    }
}

/// The class index that a checked target holds, unless it holds probabilities.
fn class<F: Scalar>(target: &ArrayRef1<F>) -> Option<usize> {
    (target.len() == 1).then(|| target[0].as_f64() as usize)
}

/// The probability of class `c` in a checked target.
fn probability<F: Scalar>(target: &ArrayRef1<F>, c: usize) -> f64 {
    match class(target) {
        Some(class) => f64::from(u8::from(c == class)),
        None => target[c].as_f64(),
    }
}

fn largest<F: Scalar>(logits: &ArrayRef1<F>) -> f64 {
    logits.fold(f64::NEG_INFINITY, |max, z| max.max(z.as_f64()))
}

/// The largest logit and `Σ e^{z − largest}`, in which nothing overflows and one term is 1.
fn normaliser<F: Scalar>(logits: &ArrayRef1<F>) -> (f64, f64) {
    let largest = largest(logits);
    (largest, logits.fold(0.0, |sum, z| sum + exp(z.as_f64() - largest)))
}

impl<F: Scalar> Loss<F> for CrossEntropyWithOptions {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        let holds = (0.0..=1.0).contains(&self.label_smoothing);
        require(holds, "label_smoothing", "in [0, 1]", self.label_smoothing)?;
        if let Some(weights) = &self.class_weights {
            same_shape("class weights", &[output.ncols()], &[weights.len()])?;
            for (class, &weight) in weights.iter().enumerate() {
                let got = format_args!("{weight} for class {class}");
                require(weight.is_finite() && weight >= 0.0, "class weight", "a finite number ≥ 0", got)?;
            }
            let any = weights.iter().any(|&weight| weight > 0.0);
            require(any, "class weights", "above 0 for at least one class", "0 for all classes")?;
        }
        if target.ncols() > 1 && target.ncols() == output.ncols() {
            same_shape("target (class probabilities)", output.shape(), target.shape())?;
            return check_probabilities(target);
        }
        same_shape("target (one column of class indices)", &[output.nrows(), 1], target.shape())?;
        check_classes(target, output.ncols())
    }

    fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
        let divisor = self.divisor(target);
        if divisor == 0.0 {
            return 0.0;
        }
        let rows = output.rows().into_iter().zip(target.rows());
        let sum: f64 = rows.map(|(z, t)| self.row(&z, &t, normaliser(&z))).sum();
        sum / divisor
    }

    fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64 {
        let divisor = self.divisor(target);
        if divisor == 0.0 {
            doutput.fill(F::zero());
            return 0.0;
        }
        let (everywhere, at_target) = self.smoothing(output.ncols());
        let mut sum = 0.0;
        for ((z, t), mut d) in output.rows().into_iter().zip(target.rows()).zip(doutput.rows_mut()) {
            let largest = largest(&z);
            let mut total = 0.0;
            for (d, z) in d.iter_mut().zip(&z) {
                let e = exp(z.as_f64() - largest);
                total += e;
                *d = F::of(e);
            }
            sum += self.row(&z, &t, (largest, total));
            let all = self.weight_sum(&t, z.len());
            // l = Σ_c w_c p_c (ln Σ e^z − z_c), so ∂l/∂z_c = (Σ_c w_c p_c) e^{z_c} / Σ e^z − w_c
            // p_c
            for (c, d) in d.iter_mut().enumerate() {
                let (w, softmax) = (self.weight(c), d.as_f64() / total);
                let slope = all * softmax - w * everywhere - w * at_target * probability(&t, c);
                *d = F::of(slope / divisor);
            }
        }
        sum / divisor
    }

    fn gradient_jvp(
        &self,
        output: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        output_dot: &ArrayRef2<F>,
        doutput_dot: &mut ArrayRef2<F>,
    ) -> Result<(), Error> {
        let divisor = self.divisor(target);
        let rows = output.rows().into_iter().zip(target.rows()).zip(output_dot.rows());
        for (((z, t), z_dot), d) in rows.zip(doutput_dot.rows_mut()) {
            let (largest, total) = normaliser(&z);
            let softmax = |c: usize| exp(z[c].as_f64() - largest) / total;
            let mean: f64 = (0..z.len()).map(|c| softmax(c) * z_dot[c].as_f64()).sum();
            let factor = if divisor == 0.0 { 0.0 } else { self.weight_sum(&t, z.len()) / divisor };
            // ∂l/∂z_c = (Σ_c w_c p_c) softmax_c − w_c p_c changes by (Σ w p) softmax_c (ż_c − Σ
            // softmax ż)
            for (c, d) in d.into_iter().enumerate() {
                *d = F::of(factor * softmax(c) * (z_dot[c].as_f64() - mean));
            }
        }
        Ok(())
    }

    fn row_weight(&self, target: &ArrayRef1<F>) -> f64 {
        class(target).map_or(1.0, |class| self.weight(class))
    }

    fn total_weight(&self, target: &ArrayRef2<F>) -> Option<f64> {
        // With label smoothing, rows of a class of weight 0 have a loss without having a weight.
        let is_mean = self.label_smoothing == 0.0
            || self.class_weights.as_ref().is_none_or(|weights| weights.iter().all(|&weight| weight > 0.0));
        is_mean.then(|| self.divisor(target))
    }

    fn expects_logits(&self) -> bool {
        true
    }

    fn settings(&self) -> Settings {
        Settings::new("CrossEntropy", self)
    }
}

impl<F: Scalar> Loss<F> for CrossEntropy {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        PLAIN.check(output, target)
    }

    fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
        PLAIN.value(output, target)
    }

    fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64 {
        PLAIN.gradient(output, target, doutput)
    }

    fn gradient_jvp(
        &self,
        output: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        output_dot: &ArrayRef2<F>,
        doutput_dot: &mut ArrayRef2<F>,
    ) -> Result<(), Error> {
        PLAIN.gradient_jvp(output, target, output_dot, doutput_dot)
    }

    fn total_weight(&self, target: &ArrayRef2<F>) -> Option<f64> {
        PLAIN.total_weight(target)
    }

    fn expects_logits(&self) -> bool {
        true
    }

    fn settings(&self) -> Settings {
        Settings::new("CrossEntropy", &PLAIN)
    }
}

/// Fails with its row unless every target is one of the integers from 0 to `classes` − 1.
pub(crate) fn check_classes<F: Scalar>(target: &ArrayRef2<F>, classes: usize) -> Result<(), Error> {
    let expected = format_args!("a class index: an integer from 0 to {}", classes.saturating_sub(1));
    super::check_targets(target, expected, |t| t >= 0.0 && t < classes as f64 && t.fract() == 0.0)
}

/// The largest difference from 1 of a sum of probabilities, which files may hold with few digits.
const SUM_TOLERANCE: f64 = 1e-3;

/// Fails with its row unless every row is a probability distribution.
fn check_probabilities<F: Scalar>(target: &ArrayRef2<F>) -> Result<(), Error> {
    for (row, probabilities) in target.rows().into_iter().enumerate() {
        let wrong = probabilities.iter().position(|p| !(F::zero()..=F::one()).contains(p));
        if let Some(column) = wrong {
            let expected = "a probability from 0 to 1".to_string();
            return Err(Error::Target { row, column, expected, got: probabilities[column].as_f64() });
        }
        let sum: f64 = probabilities.iter().map(|p| p.as_f64()).sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            let expected = format!("the first of {} probabilities whose sum is 1", probabilities.len());
            return Err(Error::Target { row, column: 0, expected, got: sum });
        }
    }
    Ok(())
}
