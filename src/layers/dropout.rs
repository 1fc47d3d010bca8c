//! Dropout.

use geartrain_kernels::{fill, zip};
use ndarray::ArrayViewMut2;

use super::LayerSpec;
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Layer, Mode};
use crate::{Scalar, random};

/// In training, each number becomes 0 with probability `p` and is divided by `1 − p` otherwise,
/// which keeps its mean (Srivastava et al. 2014; inverted scaling, as `torch.nn.Dropout`). In
/// prediction, `y = x`.
///
/// The mask depends only on the key of the pass ([`Mode::Train`]), the layer's position, the row
/// and the column: neither on earlier draws nor on the number of threads. `fit` derives a new key
/// for each step from its seed.
///
/// ```
/// use geartrain::{layers::Dropout, prelude::*};
/// use ndarray::Array2;
/// let network = Network::<f64>::with_inputs(Dropout::new(0.25), 8)?;
/// let x = Array2::from_elem((100, 8), 3.0);
/// assert_eq!(network.predict(&x)?, x);
/// let pass = network.loss_and_gradients(&MeanSquaredError, &x, &x)?;
/// assert!(pass.output.iter().all(|&y| y == 0.0 || y == 4.0));
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// A layer that drops with probability `p`, from 0 (nothing) to 1 (everything: the output is
    /// 0).
    pub fn new(p: f64) -> Self {
        Dropout { p }
    }

    /// Writes the factor of each number: 0 or 1 / (1 − p).
    fn fill_mask<F: Scalar>(&self, key: u64, mut mask: ArrayViewMut2<F>) {
        if self.p == 0.0 {
            return mask.fill(F::one());
        }
        let scale = F::of(1.0 / (1.0 - self.p));
        // 53 random bits are below p · 2⁵³ with probability p: always for p = 1.
        let threshold = (self.p * 2_f64.powi(53)).ceil() as u64;
        for (r, row) in mask.rows_mut().into_iter().enumerate() {
            let key = random::mix(key, r as u64);
            let factor = |column| {
                let dropped = random::mix(key, column) >> 11 < threshold;
                if dropped { F::zero() } else { scale }
            };
            fill(row.into_slice().expect("a buffer is row-major"), factor);
        }
    }
}

impl<F: Scalar> Layer<F> for Dropout {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        if !(0.0..=1.0).contains(&self.p) {
            return Err(LayerProblem::argument("p", "in [0, 1]", self.p));
        }
        Ok(inputs)
    }

    fn describe(&self) -> Description<'_, F> {
        Description::named(format!("Dropout({})", self.p)).spec(LayerSpec::Dropout { p: self.p })
    }

    fn forward(&self, Forward { x, mut y, cache, mode, .. }: Forward<'_, F>) {
        let Mode::Train { key } = mode else { return y.assign(&x) };
        let mask = &mut cache.parts(1, 0).0[0];
        self.fill_mask(key, mask.resize(x.nrows(), x.ncols()));
        // y = m x with a mask m of 0 and 1 / (1 − p)
        zip(x, mask.view(), y, |x, mask| mask * x);
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, F>) {
        // the Jacobian is diagonal:  dx = m dy
        if let Some(dx) = dx {
            let mask = cache.parts(1, 0).0[0].view();
            zip(dy, mask, dx, |dy, mask| mask * dy);
        }
    }

    fn jvp(&self, Jvp { dx, dy, cache, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        // the Jacobian is diagonal:  dy = m dx
        let mask = cache.parts(1, 0).0[0].view();
        zip(dx, mask, dy, |dx, mask| mask * dx);
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { dy, dy_dot, dx, cache, .. } = pass;
        // dx = m dy is linear in dy
        let mask = cache.parts(1, 0).0[0].view();
        for (dx, dy) in dx.into_iter().flatten().zip([dy, dy_dot]) {
            zip(dy, mask, dx, |dy, mask| mask * dy);
        }
        Ok(())
    }
}
