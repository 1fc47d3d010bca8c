//! Batch normalisation.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Zip};

use super::{LayerSpec, normalisation};
use crate::cache::{Buffer, Cache};
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Kind, Layer, Mode};
use crate::params::ParamSpec;
use crate::{Init, Scalar};

/// `y = γ x̂ + β` with `x̂ = (x − mean) / √(variance + ε)` over the rows of the batch, for each
/// feature (Ioffe and Szegedy 2015), as `torch.nn.BatchNorm1d`.
///
/// `x` and `y` are `(rows, features)`. Parameters, one number per feature: `weight` (γ, initially
/// 1), `bias` (β, 0), and, not trainable, `running_mean` (0) and `running_var` (1).
///
/// - **Training** normalises by the statistics of the batch (variance divided by `rows`), and the
///   gradient passes through them. A batch of one row has no variance, so training needs 2 rows.
///   After the step the running statistics are updated: `running ← (1 − momentum) · running +
///   momentum · batch`, with the unbiased variance (divided by `rows − 1`).
/// - **Prediction** normalises by the running statistics, so a row's output does not depend on the
///   other rows. Before training they are 0 and 1, and the layer is `γ x / √(1 + ε) + β`.
///
/// ```
/// use geartrain::{layers::BatchNorm, prelude::*};
/// use ndarray::array;
/// let mut network = Network::<f64>::new(BatchNorm::new(1))?;
/// let (x, y) = (array![[1.0], [3.0]], array![[0.0], [0.0]]);
/// let pass = network.loss_and_gradients(&MeanSquaredError, &x, &y)?;
/// assert!((pass.output[[1, 0]] - 1.0).abs() < 1e-5);
/// assert!(network.loss_and_gradients(&MeanSquaredError, &array![[1.0]], &array![[0.0]]).is_err());
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    features: usize,
    eps: f64,
    momentum: f64,
}

impl BatchNorm {
    /// A layer for rows of `features` numbers, at least 1, with ε = 1e-5 and momentum 0.1.
    pub fn new(features: usize) -> Self {
        BatchNorm { features, eps: 1e-5, momentum: 0.1 }
    }

    /// Sets ε, a finite number above 0.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets the weight, from 0 to 1, of the newest batch in the running statistics.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// γ, β, the running mean and the running variance.
    fn split<'a, F>(&self, params: &'a [F]) -> [ArrayView1<'a, F>; 4] {
        [0, 1, 2, 3].map(|i| ArrayView1::from(&params[i * self.features..(i + 1) * self.features]))
    }

    /// `out = scale · (v − mean(v) − x̂ mean(v x̂))`, means over the rows: the Jacobian of x → x̂
    /// times `v`.
    ///
    /// x̂ = r (x − μ) with ∂μ/∂x_s = 1/n and ∂r/∂x_s = −r² x̂_s / n, so in every feature ∂x̂_r/∂x_s
    /// = r (δ_rs − 1/n − x̂_r x̂_s / n), which is symmetric: forward and reverse mode are the same
    /// product.
    fn times_jacobian<F: Scalar>(buffers: &mut [Buffer<F>], v: ArrayView2<F>, mut out: ArrayViewMut2<F>) {
        let (kept, work) = buffers.split_at_mut(KEPT);
        let (normal, scale) = (kept[NORMAL].view(), kept[SCALE].view());
        let n = F::of(v.nrows() as f64);
        let mut means = work[0].resize(2, v.ncols());
        means.fill(F::zero());
        let (mean, overlap) = means.split_at(ndarray::Axis(0), 1);
        let (mut mean, mut overlap) =
            (mean.remove_axis(ndarray::Axis(0)), overlap.remove_axis(ndarray::Axis(0)));
        for (v, normal) in v.rows().into_iter().zip(normal.rows()) {
            Zip::from(&mut mean).and(v).for_each(|sum, &v| *sum += v / n);
            Zip::from(&mut overlap).and(v).and(normal).for_each(|sum, &v, &normal| *sum += v * normal / n);
        }
        for ((v, normal), out) in v.rows().into_iter().zip(normal.rows()).zip(out.rows_mut()) {
            let columns = Zip::from(out).and(v).and(normal).and(&mean).and(&overlap);
            columns.for_each(|out, &v, &normal, &mean, &overlap| *out = v - mean - normal * overlap);
        }
        out *= &scale.row(0);
    }
}

/// The buffers of the cache: x̂, `(rows, features)`; the batch's mean and variance and 1 /
/// √(variance + ε), `(1, features)` each; then work space.
const NORMAL: usize = 0;
const MEAN: usize = 1;
const VARIANCE: usize = 2;
const SCALE: usize = 3;
const KEPT: usize = 4;

impl<F: Scalar> Layer<F> for BatchNorm {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(LayerProblem::argument("momentum", "in [0, 1]", self.momentum));
        }
        normalisation::check(self.features, self.eps, inputs)
    }

    fn describe(&self) -> Description<'_, F> {
        let BatchNorm { features, eps, momentum } = *self;
        let spec = |name, value| ParamSpec::new(name, &[features], Init::constant(value));
        let kept = |name, value| ParamSpec { trainable: false, ..spec(name, value) };
        let (weight, bias) = (spec("weight", 1.0), spec("bias", 0.0));
        Description::named(format!("BatchNorm({features})"))
            .kind(Kind::BatchNorm { eps })
            .spec(LayerSpec::BatchNorm { features, eps, momentum })
            .params([weight, bias, kept("running_mean", 0.0), kept("running_var", 1.0)])
            .input_features(features)
            .min_batch_size(2)
    }

    fn forward(&self, Forward { params, x, mut y, cache, mode }: Forward<'_, F>) {
        let [gamma, beta, running_mean, running_var] = self.split(params);
        let eps = F::of(self.eps);
        if mode == Mode::Predict {
            for (x, y) in x.rows().into_iter().zip(y.rows_mut()) {
                // x̂ = (x − running mean) / √(running variance + ε), y = γ x̂ + β
                let columns = Zip::from(y).and(x).and(running_mean).and(running_var).and(gamma).and(beta);
                columns.for_each(|y, &x, &mean, &variance, &gamma, &beta| {
                    *y = gamma * ((x - mean) / (variance + eps).sqrt()) + beta;
                });
            }
        } else {
            let (buffers, _) = cache.parts(KEPT, 0);
            let [normal, mean, variance, scale] = buffers else { unreachable!("KEPT buffers") };
            let mut normal = normal.resize(x.nrows(), x.ncols());
            let [mut mean, mut variance, mut scale] = [mean, variance, scale].map(|b| b.resize(1, x.ncols()));
            let (first, n) = (x.row(0), F::of(x.nrows() as f64));
            // Sums are taken of x − first row: columns with a large mean and a small spread lose
            // nothing to rounding, and equal numbers give exactly 0.
            mean.fill(F::zero());
            for x in x.rows() {
                Zip::from(mean.row_mut(0)).and(x).and(first).for_each(|sum, &x, &first| *sum += x - first);
            }
            mean /= n;
            variance.fill(F::zero());
            for (x, mut normal) in x.rows().into_iter().zip(normal.rows_mut()) {
                let columns = Zip::from(&mut normal).and(x).and(first).and(mean.row(0));
                columns.for_each(|normal, &x, &first, &mean| *normal = (x - first) - mean);
                Zip::from(variance.row_mut(0)).and(&normal).for_each(|sum, &d| *sum += d * d);
            }
            mean += &first;
            variance /= n;
            Zip::from(&mut scale).and(&variance).for_each(|scale, &v| *scale = F::one() / (v + eps).sqrt());
            // x̂ = (x − mean) / √(variance + ε), y = γ x̂ + β
            for (normal, y) in normal.rows_mut().into_iter().zip(y.rows_mut()) {
                let columns = Zip::from(normal).and(y).and(scale.row(0)).and(gamma).and(beta);
                columns.for_each(|normal, y, &scale, &gamma, &beta| {
                    *normal *= scale;
                    *y = gamma * *normal + beta;
                });
            }
        }
    }

    fn backward(&self, Backward { params, dy, grads, dx, cache, .. }: Backward<'_, F>) {
        let [gamma, ..] = self.split(params);
        let (buffers, _) = cache.parts(KEPT + 2, 0);
        // Training does not use the running statistics: their gradient is 0.
        grads.fill(F::zero());
        let (dgamma, rest) = grads.split_at_mut(self.features);
        let normal = buffers[NORMAL].view();
        for (dy, normal) in dy.rows().into_iter().zip(normal.rows()) {
            // y_rj = γ_j x̂_rj + β_j, so every row adds:  dγ_j = Σ_r dy_rj x̂_rj,  dβ_j = Σ_r dy_rj
            for (j, (&dy, &normal)) in dy.iter().zip(normal).enumerate() {
                dgamma[j] += dy * normal;
                rest[j] += dy;
            }
        }
        // dx̂ = γ dy, and dx = (∂x̂/∂x)ᵀ dx̂
        if let Some(dx) = dx {
            let mut dnormal = std::mem::take(&mut buffers[KEPT + 1]);
            let mut view = dnormal.resize(dy.nrows(), dy.ncols());
            view.assign(&dy);
            view *= &gamma;
            BatchNorm::times_jacobian(buffers, dnormal.view(), dx);
            buffers[KEPT + 1] = dnormal;
        }
    }

    fn jvp(&self, Jvp { params, dparams, dx, mut dy, cache, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        let [gamma, ..] = self.split(params);
        let [dgamma, dbeta, ..] = self.split(dparams);
        let (buffers, _) = cache.parts(KEPT + 1, 0);
        // the product rule:  dy = γ dx̂ + dγ x̂ + dβ  with  dx̂ = ∂x̂/∂x dx
        BatchNorm::times_jacobian(buffers, dx, dy.view_mut());
        for (dy, normal) in dy.rows_mut().into_iter().zip(buffers[NORMAL].view().rows()) {
            let columns = Zip::from(dy).and(normal).and(gamma).and(dgamma).and(dbeta);
            columns.for_each(|dy, &normal, &gamma, &dgamma, &dbeta| {
                *dy = gamma * *dy + dgamma * normal + dbeta;
            });
        }
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { params, params_dot, x_dot, dy, dy_dot, grads_dot, dx, cache, .. } = pass;
        let (buffers, _) = cache.parts(KEPT + 3, 0);
        // With a dot for the change along a direction and means over the rows, x̂̇ = J ẋ with
        // ṙ = −r² b and b = mean(x̂ ẋ).
        let mut normal_dot = std::mem::take(&mut buffers[KEPT + 1]);
        BatchNorm::times_jacobian(buffers, x_dot, normal_dot.resize(dy.nrows(), dy.ncols()));
        let (kept, work) = buffers.split_at_mut(KEPT);
        let (normal, scale, normal_dot_view) = (kept[NORMAL].view(), kept[SCALE].view(), normal_dot.view());
        let [means, _, sums, ..] = work else { unreachable!("three buffers of work space") };
        let (b, mut sums) = (means.view(), sums.resize(7, self.features));
        sums.fill(F::zero());
        for (r, (dy, dy_dot)) in dy.rows().into_iter().zip(dy_dot.rows()).enumerate() {
            let mut add = |i: usize, a: ArrayView1<F>, b: ArrayView1<F>| {
                Zip::from(sums.row_mut(i)).and(a).and(b).for_each(|sum, &a, &b| *sum += a * b);
            };
            add(1, dy, normal.row(r));
            add(3, dy_dot, normal.row(r));
            add(4, dy, normal_dot_view.row(r));
            sums.row_mut(0).scaled_add(F::one(), &dy);
            sums.row_mut(2).scaled_add(F::one(), &dy_dot);
        }
        grads_dot.fill(F::zero());
        let n = F::of(dy.nrows() as f64);
        for (j, mut sums) in sums.columns_mut().into_iter().enumerate() {
            // the product rule on dγ = Σ_r dy x̂, and dβ = Σ_r dy
            (grads_dot[j], grads_dot[self.features + j]) = (sums[3] + sums[4], sums[2]);
            let (gamma, gamma_dot, r) = (params[j], params_dot[j], scale[[0, j]]);
            let [dy, c, dy_dot, e, d] = [0, 1, 2, 3, 4].map(|i| sums[i] / n);
            sums[0] = dy;
            sums[1] = c;
            sums[2] = gamma_dot * dy + gamma * dy_dot;
            sums[3] = gamma_dot * c + gamma * (e + d);
            sums[4] = r * gamma * c;
            sums[5] = r * b[[1, j]];
            sums[6] = r * gamma;
        }
        if let Some([mut dx, mut dx_dot]) = dx {
            let [dy_mean, c, v_dot_mean, overlap, rc, rb, r_gamma] =
                [0, 1, 2, 3, 4, 5, 6].map(|i| sums.row(i));
            let [[gamma, ..], [gamma_dot, ..]] = [self.split(params), self.split(params_dot)];
            for (k, (mut dx, mut dx_dot)) in dx.rows_mut().into_iter().zip(dx_dot.rows_mut()).enumerate() {
                let (normal, normal_dot) = (normal.row(k), normal_dot_view.row(k));
                // with v = γ dy:  dx = J v = r (v − mean(v) − x̂ mean(x̂ v))
                let columns = Zip::from(&mut dx).and(dy.row(k)).and(normal).and(dy_mean).and(c).and(r_gamma);
                columns.for_each(|dx, &dy, &normal, &mean, &c, &r| *dx = r * (dy - mean - normal * c));
                // the product rule:  dẋ = J v̇ − r x̂ mean(x̂̇ v) − r x̂̇ mean(x̂ v) − r b dx
                let columns =
                    Zip::from(&mut dx_dot).and(dy.row(k)).and(dy_dot.row(k)).and(gamma).and(gamma_dot);
                columns.for_each(|out, &dy, &dy_dot, &gamma, &gamma_dot| {
                    *out = gamma_dot * dy + gamma * dy_dot;
                });
                let columns =
                    Zip::from(&mut dx_dot).and(normal).and(v_dot_mean).and(overlap).and(scale.row(0));
                columns.for_each(|out, &normal, &mean, &overlap, &r| {
                    *out = r * (*out - mean - normal * overlap);
                });
                let columns = Zip::from(&mut dx_dot).and(&dx).and(normal_dot).and(rc).and(rb);
                columns.for_each(|out, &dx, &normal_dot, &rc, &rb| *out = *out - normal_dot * rc - rb * dx);
            }
        }
        buffers[KEPT + 1] = normal_dot;
        Ok(())
    }

    fn update_running_stats(&self, params: &mut [F], cache: &mut Cache<F>) {
        let (buffers, _) = cache.parts(KEPT, 0);
        let rows = buffers[NORMAL].view().nrows();
        let (_, running) = params.split_at_mut(2 * self.features);
        let (running_mean, running_var) = running.split_at_mut(self.features);
        let momentum = F::of(self.momentum);
        // running ← (1 − momentum) · running + momentum · batch, with the variance divided by rows
        // − 1
        let unbiased = F::of(rows as f64 / (rows as f64 - 1.0));
        for (running, &mean) in running_mean.iter_mut().zip(buffers[MEAN].view()) {
            *running = (F::one() - momentum) * *running + momentum * mean;
        }
        for (running, &variance) in running_var.iter_mut().zip(buffers[VARIANCE].view()) {
            *running = (F::one() - momentum) * *running + momentum * (variance * unbiased);
        }
    }
}
