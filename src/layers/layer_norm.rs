//! Layer normalisation.

use ndarray::{ArrayView1, ArrayViewMut1, Zip};

use super::{LayerSpec, normalisation};
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Kind, Layer, Mode};
use crate::params::ParamSpec;
use crate::{Init, Scalar};
use geartrain_kernels::sum_rows;

/// `y = γ x̂ + β` with `x̂ = (x − mean) / √(variance + ε)` over the features of each row (Ba, Kiros
/// and Hinton 2016), as `torch.nn.LayerNorm`.
///
/// `x` and `y` are `(rows, features)`. The variance is that of the row, divided by `features`.
/// Parameters: `weight` (γ, initially 1) and `bias` (β, initially 0), one number per feature. Rows
/// are independent, so training and prediction are the same. A row of equal numbers, and so every
/// row of one feature, gives exactly `y = β`.
///
/// ```
/// use geartrain::{layers::LayerNorm, prelude::*};
/// let network = Network::<f64>::new(LayerNorm::new(3))?;
/// let y = network.predict(&ndarray::array![[1.0, 2.0, 3.0]])?;
/// assert!((y[[0, 2]] - 1.5_f64.sqrt()).abs() < 1e-5);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    features: usize,
    eps: f64,
}

impl LayerNorm {
    /// A layer for rows of `features` numbers, at least 1, with ε = 1e-5.
    pub fn new(features: usize) -> Self {
        LayerNorm { features, eps: 1e-5 }
    }

    /// Sets ε, a finite number above 0.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }
}

/// `(x_0, mean − x_0, 1 / √(variance + ε))` of a row `x`.
///
/// Sums are taken of `x − x_0`: the numbers of a row with a large mean and a small spread lose
/// nothing to rounding, and equal numbers give exactly 0.
fn moments<F: Scalar>(x: ArrayView1<F>, eps: f64) -> (F, F, F) {
    let (first, n) = (x[0], F::of(x.len() as f64));
    let mean = normalisation::sum(x, |x| x - first) / n;
    let variance = normalisation::sum(x, |x| ((x - first) - mean) * ((x - first) - mean)) / n;
    (first, mean, F::one() / (variance + F::of(eps)).sqrt())
}

/// `out = scale · (v − mean(v) − x̂ mean(v x̂))`: the Jacobian of x → x̂ times `v`.
///
/// x̂ = r (x − μ) with ∂μ/∂x_j = 1/n and ∂r/∂x_j = −r² x̂_j / n, so ∂x̂_i/∂x_j = r (δ_ij − 1/n −
/// x̂_i x̂_j / n), which is symmetric: forward and reverse mode are the same product.
fn times_jacobian<F: Scalar>(
    scale: F,
    normal: ArrayView1<F>,
    v: impl Fn(usize) -> F,
    mut out: ArrayViewMut1<F>,
) {
    let n = F::of(normal.len() as f64);
    let (mut sum, mut product) = (F::zero(), F::zero());
    for (j, &normal) in normal.iter().enumerate() {
        sum += v(j);
        product += v(j) * normal;
    }
    let (mean, overlap) = (sum / n, product / n);
    for (j, (out, &normal)) in out.iter_mut().zip(normal).enumerate() {
        *out = scale * (v(j) - mean - normal * overlap);
    }
}

impl<F: Scalar> Layer<F> for LayerNorm {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        normalisation::check(self.features, self.eps, inputs)
    }

    fn describe(&self) -> Description<'_, F> {
        let LayerNorm { features, eps } = *self;
        let spec = |name, value| ParamSpec::new(name, &[features], Init::constant(value));
        Description::named(format!("LayerNorm({features})"))
            .kind(Kind::LayerNorm { eps })
            .spec(LayerSpec::LayerNorm { features, eps })
            .params([spec("weight", 1.0), spec("bias", 0.0)])
            .input_features(features)
            .row_by_row()
    }

    fn forward(&self, Forward { params, x, mut y, cache, mode }: Forward<'_, F>) {
        let (gamma, beta) = params.split_at(self.features);
        let (gamma, beta) = (ArrayView1::from(gamma), ArrayView1::from(beta));
        let keep = matches!(mode, Mode::Train { .. });
        let (buffers, _) = cache.parts(if keep { 2 } else { 0 }, 0);
        if keep {
            buffers[0].resize(x.nrows(), x.ncols());
            buffers[1].resize(x.nrows(), 1);
        }
        for (r, (x, mut y)) in x.rows().into_iter().zip(y.rows_mut()).enumerate() {
            let (first, mean, scale) = moments(x, self.eps);
            // x̂ = (x − mean) / √(variance + ε)
            Zip::from(&mut y).and(x).for_each(|y, &x| *y = ((x - first) - mean) * scale);
            if let [normal, scales] = &mut *buffers {
                normal.view_mut().row_mut(r).assign(&y);
                scales.view_mut()[[r, 0]] = scale;
            }
            // y = γ x̂ + β
            Zip::from(&mut y).and(gamma).and(beta).for_each(|y, &gamma, &beta| *y = gamma * *y + beta);
        }
    }

    fn backward(&self, Backward { params, dy, grads, dx, cache, .. }: Backward<'_, F>) {
        let (buffers, _) = cache.parts(2, 0);
        let (normal, scales) = (buffers[0].view(), buffers[1].view());
        let (dgamma, dbeta) = grads.split_at_mut(self.features);
        // y_rj = γ_j x̂_rj + β_j, so every row adds:  dγ_j = Σ_r dy_rj x̂_rj,  dβ_j = Σ_r dy_rj
        dgamma.fill(F::zero());
        for (dy, normal) in dy.rows().into_iter().zip(normal.rows()) {
            for ((dgamma, &dy), &normal) in dgamma.iter_mut().zip(dy).zip(normal) {
                *dgamma += dy * normal;
            }
        }
        sum_rows(dy, ArrayViewMut1::from(dbeta));
        // dx̂ = γ dy, and dx = (∂x̂/∂x)ᵀ dx̂
        if let Some(mut dx) = dx {
            for (r, dx) in dx.rows_mut().into_iter().enumerate() {
                times_jacobian(scales[[r, 0]], normal.row(r), |j| params[j] * dy[[r, j]], dx);
            }
        }
    }

    fn jvp(&self, Jvp { params, dparams, dx, mut dy, cache, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        let (buffers, _) = cache.parts(2, 0);
        let (normal, scales) = (buffers[0].view(), buffers[1].view());
        let gamma = &params[..self.features];
        let (dgamma, dbeta) = dparams.split_at(self.features);
        for (r, mut dy) in dy.rows_mut().into_iter().enumerate() {
            let (normal, dx) = (normal.row(r), dx.row(r));
            // the product rule:  dy = γ dx̂ + dγ x̂ + dβ  with  dx̂ = ∂x̂/∂x dx
            times_jacobian(scales[[r, 0]], normal, |j| dx[j], dy.view_mut());
            for (j, dy) in dy.iter_mut().enumerate() {
                *dy = gamma[j] * *dy + dgamma[j] * normal[j] + dbeta[j];
            }
        }
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { params: gamma, params_dot, x_dot, dy, dy_dot, grads_dot, mut dx, cache, .. } = pass;
        let (buffers, _) = cache.parts(3, 0);
        let (kept, work) = buffers.split_at_mut(2);
        let (normal, scales) = (kept[0].view(), kept[1].view());
        let (dgamma_dot, dbeta_dot) = grads_dot.split_at_mut(self.features);
        dgamma_dot.fill(F::zero());
        sum_rows(dy_dot, ArrayViewMut1::from(dbeta_dot));
        let mut work = work[0].resize(4, self.features);
        for r in 0..dy.nrows() {
            work.row_mut(0).assign(&normal.row(r));
            let row = normalisation::Row {
                scale: scales[[r, 0]],
                centred: true,
                gamma: [gamma, params_dot].map(|gamma| gamma[..self.features].into()),
                x_dot: x_dot.row(r),
                dy: [dy.row(r), dy_dot.row(r)],
            };
            let dx = dx.as_mut().map(|dx| dx.each_mut().map(|dx| dx.row_mut(r)));
            row.backward_jvp(work.view_mut(), dgamma_dot, dx);
        }
        Ok(())
    }
}
