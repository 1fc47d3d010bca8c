//! Normalisation by the root mean square.

use ndarray::{ArrayView1, ArrayViewMut1, Zip};

use super::{LayerSpec, normalisation};
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Kind, Layer, Mode};
use crate::params::ParamSpec;
use crate::{Init, Scalar};

/// `y = γ x̂` with `x̂ = x / √(mean(x²) + ε)` over the features of each row (Zhang and Sennrich
/// 2019), as `torch.nn.RMSNorm`.
///
/// `x` and `y` are `(rows, features)`. Parameter: `weight` (γ, initially 1), one number per
/// feature. Rows are independent, so training and prediction are the same. Unlike
/// [`LayerNorm`](super::LayerNorm), the mean stays.
///
/// ```
/// use geartrain::{layers::RMSNorm, prelude::*};
/// let network = Network::<f64>::new(RMSNorm::new(2))?;
/// let y = network.predict(&ndarray::array![[3.0, 4.0]])?;
/// assert!((y[[0, 1]] - 4.0 / 12.5_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RMSNorm {
    features: usize,
    eps: Option<f64>,
}

impl RMSNorm {
    /// A layer for rows of `features` numbers, at least 1. ε is the machine epsilon of the number
    /// type: 1.2e-7 for `f32`, 2.2e-16 for `f64`.
    pub fn new(features: usize) -> Self {
        RMSNorm { features, eps: None }
    }

    /// Sets ε, a finite number above 0.
    pub fn eps(mut self, eps: impl Into<Option<f64>>) -> Self {
        self.eps = eps.into();
        self
    }

    fn eps_of<F: Scalar>(&self) -> f64 {
        self.eps.unwrap_or(F::epsilon().as_f64())
    }
}

/// `out = scale · (v − x̂ mean(v x̂))`: the Jacobian of x → x̂ times `v`.
///
/// x̂ = r x with ∂r/∂x_j = −r² x̂_j / n, so ∂x̂_i/∂x_j = r (δ_ij − x̂_i x̂_j / n), which is
/// symmetric: forward and reverse mode are the same product.
fn times_jacobian<F: Scalar>(scale: F, x: ArrayView1<F>, v: impl Fn(usize) -> F, mut out: ArrayViewMut1<F>) {
    let product = x.iter().enumerate().fold(F::zero(), |sum, (j, &x)| sum + v(j) * (scale * x));
    let overlap = product / F::of(x.len() as f64);
    for (j, (out, &x)) in out.iter_mut().zip(x).enumerate() {
        *out = scale * (v(j) - scale * x * overlap);
    }
}

impl<F: Scalar> Layer<F> for RMSNorm {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        normalisation::check(self.features, self.eps_of::<F>(), inputs)
    }

    fn describe(&self) -> Description<'_, F> {
        let RMSNorm { features, eps } = *self;
        Description::named(format!("RMSNorm({features})"))
            .kind(Kind::RMSNorm { eps: self.eps_of::<F>() })
            .spec(LayerSpec::RMSNorm { features, eps })
            .params([ParamSpec::new("weight", &[features], Init::constant(1.0))])
            .input_features(features)
            .row_by_row()
    }

    fn forward(&self, Forward { params, x, mut y, cache, mode }: Forward<'_, F>) {
        let keep = matches!(mode, Mode::Train { .. });
        let (buffers, _) = cache.parts(usize::from(keep), 0);
        let mut scales = buffers.first_mut().map(|buffer| buffer.resize(x.nrows(), 1));
        let (n, eps) = (F::of(x.ncols() as f64), F::of(self.eps_of::<F>()));
        for (r, (x, y)) in x.rows().into_iter().zip(y.rows_mut()).enumerate() {
            // x̂ = x / √(mean(x²) + ε)
            let scale = F::one() / (normalisation::sum(x, |x| x * x) / n + eps).sqrt();
            if let Some(scales) = &mut scales {
                scales[[r, 0]] = scale;
            }
            // y = γ x̂
            Zip::from(y).and(x).and(params).for_each(|y, &x, &gamma| *y = gamma * (x * scale));
        }
    }

    fn backward(&self, Backward { params, x, dy, grads, dx, cache, .. }: Backward<'_, F>) {
        let scales = cache.parts(1, 0).0[0].view();
        // y_rj = γ_j x̂_rj, so every row adds:  dγ_j = Σ_r dy_rj x̂_rj
        grads.fill(F::zero());
        for (r, (x, dy)) in x.rows().into_iter().zip(dy.rows()).enumerate() {
            let scale = scales[[r, 0]];
            Zip::from(&mut *grads).and(x).and(dy).for_each(|dgamma, &x, &dy| *dgamma += dy * (x * scale));
        }
        // dx̂ = γ dy, and dx = (∂x̂/∂x)ᵀ dx̂
        if let Some(mut dx) = dx {
            for (r, dx) in dx.rows_mut().into_iter().enumerate() {
                times_jacobian(scales[[r, 0]], x.row(r), |j| params[j] * dy[[r, j]], dx);
            }
        }
    }

    fn jvp(&self, Jvp { params, dparams, x, dx, mut dy, cache, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        let scales = cache.parts(1, 0).0[0].view();
        for (r, mut dy) in dy.rows_mut().into_iter().enumerate() {
            // the product rule:  dy = γ dx̂ + dγ x̂  with  dx̂ = ∂x̂/∂x dx
            let (x, dx, scale) = (x.row(r), dx.row(r), scales[[r, 0]]);
            times_jacobian(scale, x, |j| dx[j], dy.view_mut());
            for (j, dy) in dy.iter_mut().enumerate() {
                *dy = params[j] * *dy + dparams[j] * (scale * x[j]);
            }
        }
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { params: gamma, params_dot, x, x_dot, dy, dy_dot, grads_dot, mut dx, cache, .. } =
            pass;
        let (kept, work) = cache.parts(2, 0).0.split_at_mut(1);
        let scales = kept[0].view();
        grads_dot.fill(F::zero());
        let mut work = work[0].resize(4, self.features);
        for r in 0..dy.nrows() {
            let scale = scales[[r, 0]];
            Zip::from(work.row_mut(0)).and(x.row(r)).for_each(|normal, &x| *normal = scale * x);
            let row = normalisation::Row {
                scale,
                centred: false,
                gamma: [gamma, params_dot].map(ArrayView1::from),
                x_dot: x_dot.row(r),
                dy: [dy.row(r), dy_dot.row(r)],
            };
            let dx = dx.as_mut().map(|dx| dx.each_mut().map(|dx| dx.row_mut(r)));
            row.backward_jvp(work.view_mut(), grads_dot, dx);
        }
        Ok(())
    }
}
