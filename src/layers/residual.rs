//! A skip connection around some layers.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use crate::cache::Cache;
use crate::error::LayerProblem;
use crate::layer::Child;
use crate::{Error, Kind, Layer, LayerSpec, Mode, ParamSpec, Saved, Scalar, Sequential};
use geartrain_kernels::zip;

/// `y = x + s · body(x)` (He et al. 2016), with a branch scale `s` that is 1 unless [`scale`](Residual::scale) says so.
///
/// The gradient reaches `x` by two paths, and their contributions add: `dx = dy + s · body'(x)ᵀ dy`. The first path
/// multiplies by nothing, so the gradient survives however deep the stack. The sum grows, though: independent branches
/// of the same size double its variance in every block, and `x + relu(Wx)`, whose branch is never negative, nearly
/// triples it (2.9 at He initialisation). A scale of 1/√blocks keeps the total bounded. The body's parameters are called
/// `body.0.weight` and so on.
#[derive(Debug, Clone)]
pub struct Residual<F> {
    body: Sequential<F>,
    scale: f64,
}

impl<F: Scalar> Residual<F> {
    /// A skip connection around `body`, which must write as many features as it reads.
    pub fn new(body: Sequential<F>) -> Self {
        Residual { body, scale: 1.0 }
    }

    /// The same with the body's output multiplied by `scale`, a finite number, before it is added.
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }
}

impl<F: Scalar> Layer<F> for Residual<F> {
    fn output_features(&self, inputs: usize) -> Result<usize, Error> {
        if !self.scale.is_finite() {
            let got = self.scale.to_string();
            let problem = LayerProblem::Argument { argument: "scale", expected: "a finite number", got };
            return Err(Error::layer(self.name(), problem));
        }
        let outputs = self.body.output_features(inputs).map_err(|error| error.inside("body"))?;
        if outputs != inputs {
            return Err(Error::layer(self.name(), LayerProblem::Residual { inputs, outputs }));
        }
        Ok(outputs)
    }

    fn params(&self) -> Vec<ParamSpec> {
        self.body.params().into_iter().map(|spec| spec.inside("body")).collect()
    }

    fn name(&self) -> String {
        if self.scale == 1.0 { "Residual".into() } else { format!("Residual(scale {})", self.scale) }
    }

    fn kind(&self) -> Kind {
        Kind::Skip { scale: self.scale }
    }

    fn children(&self, inputs: usize) -> Vec<Child<'_, F>> {
        vec![Child { name: "body".into(), layer: &self.body, inputs }]
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::Residual { scale: self.scale, body: self.body.specs()? })
    }

    fn forward(&self, params: &[F], x: ArrayView2<F>, y: ArrayViewMut2<F>, cache: &mut Cache<F>, mode: Mode) {
        let (buffers, children) = cache.parts(1, 1);
        let mut branch = buffers[0].resize(x.nrows(), x.ncols());
        self.body.forward(params, x, branch.view_mut(), &mut children[0], mode.child(0));
        // y = x + s · body(x)
        let scale = F::of(self.scale);
        zip(x, branch.view(), y, move |x, branch| x + scale * branch);
    }

    fn backward(
        &self,
        params: &[F],
        saved: Saved<'_, F>,
        dy: ArrayView2<F>,
        grads: &mut [F],
        dx: Option<ArrayViewMut2<F>>,
    ) {
        let (buffers, children) = saved.cache.parts(2, 1);
        let (branch, scaled) = buffers.split_at_mut(1);
        let body = Saved { x: saved.x, y: branch[0].view(), cache: &mut children[0] };
        // ∂L/∂branch = s · dy, which for the usual s = 1 is dy itself
        let dbranch = if self.scale == 1.0 {
            dy
        } else {
            let scale = F::of(self.scale);
            let dbranch = scaled[0].resize(dy.nrows(), dy.ncols());
            Zip::from(dbranch).and(dy).for_each(|dbranch, &dy| *dbranch = scale * dy);
            scaled[0].view()
        };
        match dx {
            // x is used twice, so two contributions add:  dx = dy + body'(x)ᵀ · s dy
            Some(mut dx) => {
                self.body.backward(params, body, dbranch, grads, Some(dx.view_mut()));
                dx += &dy;
            }
            None => self.body.backward(params, body, dbranch, grads, None),
        }
    }

    fn tangent(
        &self,
        params: &[F],
        dparams: &[F],
        saved: Saved<'_, F>,
        dx: ArrayView2<F>,
        mut dy: ArrayViewMut2<F>,
    ) -> Result<(), Error> {
        let (buffers, children) = saved.cache.parts(1, 1);
        let body = Saved { x: saved.x, y: buffers[0].view(), cache: &mut children[0] };
        self.body.tangent(params, dparams, body, dx, dy.view_mut()).map_err(|error| error.inside("body"))?;
        // dy = dx + s · body'(x) dx
        let scale = F::of(self.scale);
        Zip::from(dy).and(dx).for_each(|dy, &dx| *dy = dx + scale * *dy);
        Ok(())
    }

    fn fold_statistics(&self, params: &mut [F], cache: &mut Cache<F>) {
        let (_, children) = cache.parts(0, 1);
        self.body.fold_statistics(params, &mut children[0]);
    }
}
