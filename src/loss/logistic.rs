//! Binary cross-entropy from logits.

use ndarray::ArrayRef2;
use serde::Serialize;

use super::{Loss, Term, check_targets, pairwise};
use crate::error::same_shape;
use crate::settings::Settings;
use crate::{Error, Scalar};
use geartrain_kernels::{exp, ln_1p};

/// Binary cross-entropy, as `torch.nn.BCEWithLogitsLoss`: with the logit z and the target t from 0
/// to 1, the mean over rows and outputs of `−t ln σ(z) − (1 − t) ln(1 − σ(z))`.
///
/// The network's output is the logit: the loss contains the sigmoid, so the network must not end in
/// one. Computed as `max(z, 0) − z t + ln(1 + e^{−|z|})`, which is accurate and finite for every
/// finite logit; no probability is clamped. The derivative is `σ(z) − t`.
///
/// ```
/// use geartrain::{Loss, loss::BinaryCrossEntropyWithLogits};
/// use ndarray::array;
/// let (logit, target) = (array![[-1000.0]], array![[1.0]]);
/// assert_eq!(BinaryCrossEntropyWithLogits.value(&logit, &target), 1000.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BinaryCrossEntropyWithLogits;

fn term<F: Scalar>(logit: F, target: F) -> Term<F> {
    let (z, t) = (logit.as_f64(), target.as_f64());
    // e^{−|z|} never overflows, and σ(z) is 1 / (1 + e^{−z}) = e^z / (1 + e^z).
    let small = exp(-z.abs());
    let sigmoid = if z >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
    // `f64::max` would drop a NaN; this comparison keeps it.
    let positive = if z <= 0.0 { 0.0 } else { z };
    // σ'(z) = σ(z) σ(−z) = e^{−|z|} / (1 + e^{−|z|})²
    let curvature = F::of(small / ((1.0 + small) * (1.0 + small)));
    Term { value: positive - z * t + ln_1p(small), slope: F::of(sigmoid - t), curvature }
}

impl<F: Scalar> Loss<F> for BinaryCrossEntropyWithLogits {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        same_shape("target", output.shape(), target.shape())?;
        check_targets(target, "a probability from 0 to 1", |t| (0.0..=1.0).contains(&t))
    }

    pairwise!(BinaryCrossEntropyWithLogits, |_, output, target| term(output, target));

    fn expects_logits(&self) -> bool {
        true
    }
}
