//! Products with the Hessian of the loss, by forward over reverse mode.

use ndarray::ArrayRef2;

use super::{Network, Workspace};
use crate::error::same_shape;
use crate::layer::{BackwardJvp, Jvp};
use crate::{Error, Loss, Scalar};
use geartrain_kernels::flushing;

impl<F: Scalar> Network<F> {
    /// The Hessian-vector product: writes `H v` to `product`, where `H = ∂²L/∂θ²` is the Hessian of
    /// the loss of a training pass in all parameters θ, and `v` is `vector`, in the order of
    /// [`params`](Network::params). Returns the loss.
    ///
    /// Exact: the gradient's own derivative along `v`, by forward over reverse mode (Pearlmutter
    /// 1994). It costs 1.9 to 2.8 gradients and allocates nothing after the first batch of a size
    /// (`cargo bench -p geartrain-benches --bench hessian`). For the block of a single layer, use a
    /// vector that is 0 outside the layer's range in [`layout`](Network::layout). Random layers use
    /// [`Workspace::key`]. At kinks, such as ReLU at 0, the second derivative is that of one side.
    ///
    /// ```
    /// use geartrain::{network::Workspace, prelude::*};
    /// use ndarray::array;
    /// // L = (w x − t)², so that H = 2 x²
    /// let network = Network::<f64>::new(Linear::new(1, 1).without_bias())?;
    /// let (x, t, mut product) = (array![[3.0]], array![[1.0]], [0.0]);
    /// let workspace = &mut Workspace::new();
    /// network.hessian_vector_product(&MeanSquaredError, &x, &t, &[1.0], workspace, &mut product)?;
    /// assert_eq!(product, [18.0]);
    /// # Ok::<(), geartrain::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`gradients`](Network::gradients); [`Error::Shape`] if `vector` or `product` has another
    /// length than the parameters; [`NoJvp`](crate::error::LayerProblem::NoJvp) or
    /// [`NoBackwardJvp`](crate::error::LayerProblem::NoBackwardJvp) for a layer, and
    /// [`Error::Argument`] for a loss, without second derivatives.
    pub fn hessian_vector_product(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        vector: &[F],
        workspace: &mut Workspace<F>,
        product: &mut [F],
    ) -> Result<f64, Error> {
        let value = self.run_tangents(loss, x, target, vector, workspace, product.len())?;
        let Workspace { cache, output, doutput, changes, flush, .. } = workspace;
        let (params, params_dot, x, x_dot) = (&self.params[..], vector, x.view(), changes[0].view());
        let (y, dy, dy_dot) = (output.view(), doutput.view(), changes[2].view());
        let pass =
            BackwardJvp { params, params_dot, x, x_dot, y, dy, dy_dot, grads_dot: product, dx: None, cache };
        flushing(*flush, || self.layer.backward_jvp(pass))
            .map_err(|problem| Error::layer(self.layer.describe().name, problem))?;
        Ok(value)
    }

    /// The same with the Gauss–Newton matrix `G = Jᵀ (∂²L/∂y²) J` instead of the Hessian, where
    /// `J = ∂y/∂θ`: the Hessian of the loss of the linearised network. It has no negative
    /// eigenvalues if the loss is convex in the output, and equals the Hessian where the network
    /// fits perfectly.
    ///
    /// # Errors
    /// As [`hessian_vector_product`](Network::hessian_vector_product).
    pub fn gauss_newton_vector_product(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        vector: &[F],
        workspace: &mut Workspace<F>,
        product: &mut [F],
    ) -> Result<f64, Error> {
        let value = self.run_tangents(loss, x, target, vector, workspace, product.len())?;
        let Workspace { cache, output, changes, grads, flush, .. } = workspace;
        let (y, dy) = (output.view(), changes[2].view());
        flushing(*flush, || self.run_backward(x.view(), y, dy, cache, grads, None));
        product.copy_from_slice(grads);
        Ok(value)
    }

    /// The forward pass and its change along `vector`. Leaves the gradient in the output in
    /// `doutput`, and the changes of the input (0), of the output and of that gradient in
    /// `changes`.
    fn run_tangents(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        vector: &[F],
        workspace: &mut Workspace<F>,
        product: usize,
    ) -> Result<f64, Error> {
        same_shape("vector", &[self.params.len()], &[vector.len()])?;
        same_shape("product", &[self.params.len()], &[product])?;
        self.run_forward(x, workspace)?;
        let Workspace { cache, output, doutput, changes, .. } = workspace;
        loss.check(&output.view(), target)?;
        let size = (x.nrows(), self.outputs);
        let value = loss.gradient(&output.view(), target, &mut doutput.resize(size.0, size.1));
        let [x_dot, y_dot, dy_dot] = changes;
        x_dot.resize(x.nrows(), x.ncols()).fill(F::zero());
        let (params, dparams, dx, y) = (&self.params[..], vector, x_dot.view(), output.view());
        let dy = y_dot.resize(size.0, size.1);
        self.run_jvp(Jvp { params, dparams, x: x.view(), y, dx, dy, cache })?;
        let mut dy_dot = dy_dot.resize(size.0, size.1);
        loss.gradient_jvp(&output.view(), target, &y_dot.view(), &mut dy_dot)?;
        Ok(value)
    }
}
