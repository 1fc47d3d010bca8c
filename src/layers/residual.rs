//! A skip connection.

use std::sync::Arc;

use ndarray::Zip;

use crate::Scalar;
use crate::cache::Cache;
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Kind, Layer};
use crate::layers::Sequential;
use geartrain_kernels::zip;

/// `y = x + s · body(x)` (He et al. 2016), with a branch scale `s`, by default 1.
///
/// The gradient reaches `x` by two paths, and their contributions add: `dx = dy + s · body'(x)ᵀ
/// dy`. The first path has no factor, so the gradient survives in stacks of any depth. The sum
/// grows, however: independent branches of equal size double its variance in every block, and `x +
/// relu(Wx)`, whose branch is never negative, nearly triples it (2.9 at He initialisation). A scale
/// of 1/√blocks keeps the total bounded. The body's parameters are called `body.0.weight` and so
/// on.
#[derive(Debug, Clone)]
pub struct Residual<F> {
    body: Arc<dyn Layer<F>>,
    scale: f64,
}

impl<F: Scalar> Residual<F> {
    /// A skip connection around `body`, whose output must be as wide as its input.
    pub fn new(body: Sequential<F>) -> Self {
        Residual { body: Arc::new(body), scale: 1.0 }
    }

    /// Sets the factor of the body's output, a finite number.
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// `problem` of the body.
    fn inside(&self, problem: LayerProblem) -> LayerProblem {
        problem.inside("body", self.body.describe().name)
    }
}

impl<F: Scalar> Layer<F> for Residual<F> {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        if !self.scale.is_finite() {
            return Err(LayerProblem::argument("scale", "a finite number", self.scale));
        }
        match self.body.output_features(inputs).map_err(|problem| self.inside(problem))? {
            outputs if outputs != inputs => Err(LayerProblem::Residual { inputs, outputs }),
            outputs => Ok(outputs),
        }
    }

    fn describe(&self) -> Description<'_, F> {
        let name =
            if self.scale == 1.0 { "Residual".into() } else { format!("Residual(scale {})", self.scale) };
        Description::named(name)
            .kind(Kind::Residual { scale: self.scale })
            .child("body", &self.body)
            .input_features(self.body.describe().input_features)
            .row_by_row()
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, F>) {
        let (buffers, children) = cache.parts(1, 1);
        let branch = buffers[0].resize(x.nrows(), x.ncols());
        self.body.forward(Forward { params, x, y: branch, cache: &mut children[0], mode: mode.child(0) });
        // y = x + s · body(x)
        let scale = F::of(self.scale);
        zip(x, buffers[0].view(), y, move |x, branch| x + scale * branch);
    }

    fn backward(&self, Backward { params, x, dy, grads, mut dx, cache, .. }: Backward<'_, F>) {
        let (buffers, children) = cache.parts(2, 1);
        let (branch, scaled) = buffers.split_at_mut(1);
        // ∂L/∂branch = s · dy, which for the usual s = 1 is dy itself
        let dbranch = if self.scale == 1.0 {
            dy
        } else {
            let scale = F::of(self.scale);
            let dbranch = scaled[0].resize(dy.nrows(), dy.ncols());
            Zip::from(dbranch).and(dy).for_each(|dbranch, &dy| *dbranch = scale * dy);
            scaled[0].view()
        };
        let (y, cache) = (branch[0].view(), &mut children[0]);
        let body_dx = dx.as_mut().map(|dx| dx.view_mut());
        self.body.backward(Backward { params, x, y, dy: dbranch, grads, dx: body_dx, cache });
        // x is used twice, so two contributions add:  dx = dy + body'(x)ᵀ · s dy
        if let Some(mut dx) = dx {
            dx += &dy;
        }
    }

    fn jvp(&self, Jvp { params, dparams, x, dx, mut dy, cache, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        let (buffers, children) = cache.parts(1, 1);
        let (y, branch, cache) = (buffers[0].view(), dy.view_mut(), &mut children[0]);
        let body = Jvp { params, dparams, x, y, dx, dy: branch, cache };
        self.body.jvp(body).map_err(|problem| self.inside(problem))?;
        // dy = dx + s · body'(x) dx
        let scale = F::of(self.scale);
        Zip::from(dy).and(dx).for_each(|dy, &dx| *dy = dx + scale * *dy);
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { params, params_dot, x, x_dot, dy, dy_dot, grads_dot, mut dx, cache, .. } = pass;
        let (buffers, children) = cache.parts(3, 1);
        let (branch, scaled) = buffers.split_at_mut(1);
        let (y, scale) = (branch[0].view(), F::of(self.scale));
        for (scaled, dy) in scaled.iter_mut().zip([dy, dy_dot]) {
            Zip::from(scaled.resize(dy.nrows(), dy.ncols())).and(dy).for_each(|s, &dy| *s = scale * dy);
        }
        let body_dx = dx.as_mut().map(|dx| dx.each_mut().map(|dx| dx.view_mut()));
        self.body
            .backward_jvp(BackwardJvp {
                params,
                params_dot,
                x,
                x_dot,
                y,
                dy: scaled[0].view(),
                dy_dot: scaled[1].view(),
                grads_dot,
                dx: body_dx,
                cache: &mut children[0],
            })
            .map_err(|problem| self.inside(problem))?;
        // dx = dy + body'(x)ᵀ · s dy, and its change
        for (mut dx, dy) in dx.into_iter().flatten().zip([dy, dy_dot]) {
            dx += &dy;
        }
        Ok(())
    }

    fn update_running_stats(&self, params: &mut [F], cache: &mut Cache<F>) {
        let (_, children) = cache.parts(0, 1);
        self.body.update_running_stats(params, &mut children[0]);
    }
}
