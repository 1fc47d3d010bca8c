//! Derivatives of the output in the input, by forward or reverse mode.

use ndarray::{Array2, ArrayRef1, ArrayRef2, Axis};

use super::{Network, Workspace};
use crate::error::{LayerProblem, same_shape};
use crate::layer::Jvp;
use crate::{Error, Scalar};

/// The order in which the chain rule multiplies Jacobians.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutodiffMode {
    /// From the input to the output: one pass per input gives one column of the Jacobian (`J u`).
    Forward,
    /// From the output to the input: one pass per output gives one row of the Jacobian (`vᵀ J`).
    Reverse,
}

/// The Jacobian of a network's output in its input, for one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Jacobian<F> {
    /// `∂y_i/∂x_j`, `(outputs, inputs)`.
    pub matrix: Array2<F>,
    /// The mode it was computed by.
    pub mode: AutodiffMode,
    /// The number of derivative passes, besides one forward pass.
    pub passes: usize,
}

impl<F: Scalar> Network<F> {
    /// The Jacobian-vector product (forward mode): how the output changes, to first order, when the
    /// input `x`, `(rows, inputs)`, changes by `dx` and the parameters by `dparams` (not at all if
    /// `None`). `(rows, outputs)`.
    ///
    /// ```
    /// use geartrain::prelude::*;
    /// use ndarray::array;
    /// let mut network = Network::<f64>::new(Linear::new(2, 1))?;
    /// network.set_param("weight", &[3.0, 4.0])?;
    /// let dy = network.jvp(&array![[5.0, 6.0]], &array![[1.0, 0.5]], None)?;
    /// assert_eq!(dy, array![[5.0]]);
    /// # Ok::<(), geartrain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Layer`] and [`Error::Shape`] for shapes that do not fit, and
    /// [`LayerProblem::NoJvp`] with the path of a layer without a forward mode.
    pub fn jvp(
        &self,
        x: &ArrayRef2<F>,
        dx: &ArrayRef2<F>,
        dparams: Option<&[F]>,
    ) -> Result<Array2<F>, Error> {
        same_shape("dx", x.shape(), dx.shape())?;
        let zeros = vec![F::zero(); self.params.len()];
        let dparams = dparams.unwrap_or(&zeros);
        same_shape("dparams", &[self.params.len()], &[dparams.len()])?;
        let mut workspace = Workspace::new();
        self.run_forward(x, &mut workspace)?;
        let Workspace { cache, output, .. } = &mut workspace;
        let mut dy = Array2::zeros((x.nrows(), self.outputs));
        let (params, x, y, dx) = (&self.params[..], x.view(), output.view(), dx.view());
        self.run_jvp(Jvp { params, dparams, x, y, dx, dy: dy.view_mut(), cache })?;
        Ok(dy)
    }

    /// The vector-Jacobian product (reverse mode): the gradients in the parameters and in the input
    /// `x` of `Σ dy · y`, for any `dy`, `(rows, outputs)`.
    ///
    /// # Errors
    /// [`Error::Layer`] and [`Error::Shape`] for shapes that do not fit.
    pub fn vjp(&self, x: &ArrayRef2<F>, dy: &ArrayRef2<F>) -> Result<(Vec<F>, Array2<F>), Error> {
        same_shape("dy", &[x.nrows(), self.outputs], dy.shape())?;
        let mut workspace = Workspace::new();
        self.run_forward(x, &mut workspace)?;
        let Workspace { cache, output, grads, .. } = &mut workspace;
        let mut dx = Array2::zeros(x.dim());
        self.run_backward(x.view(), output.view(), dy.view(), cache, grads, Some(dx.view_mut()));
        Ok((workspace.grads.to_vec(), dx))
    }

    /// The Jacobian of the output in the input at one row `x`, with as few passes as possible:
    /// forward mode if there are no more inputs than outputs and every layer has it, else reverse
    /// mode.
    ///
    /// # Errors
    /// [`Error::Layer`] if `x` has not as many entries as the first layer reads.
    pub fn jacobian(&self, x: &ArrayRef1<F>) -> Result<Jacobian<F>, Error> {
        if self.inputs <= self.outputs {
            match self.jacobian_by(AutodiffMode::Forward, x) {
                Err(Error::Layer { problem: LayerProblem::NoJvp, .. }) => {}
                result => return result,
            }
        }
        self.jacobian_by(AutodiffMode::Reverse, x)
    }

    /// [`jacobian`](Network::jacobian) by the given mode.
    ///
    /// # Errors
    /// As [`jacobian`](Network::jacobian); forward mode also [`LayerProblem::NoJvp`].
    pub fn jacobian_by(&self, mode: AutodiffMode, x: &ArrayRef1<F>) -> Result<Jacobian<F>, Error> {
        let x = x.view().insert_axis(Axis(0));
        let mut workspace = Workspace::new();
        self.run_forward(&x, &mut workspace)?;
        let Workspace { cache, output, grads, .. } = &mut workspace;
        let y = output.view();
        let mut matrix = Array2::zeros((self.outputs, self.inputs));
        let passes = match mode {
            AutodiffMode::Forward => {
                let frozen = vec![F::zero(); self.params.len()];
                for j in 0..self.inputs {
                    let dy = matrix.slice_axis_mut(Axis(1), (j..j + 1).into()).reversed_axes();
                    let (params, dparams, dx) = (&self.params, &frozen, &unit(self.inputs, j));
                    self.run_jvp(Jvp { params, dparams, x, y, dx: dx.view(), dy, cache: &mut *cache })?;
                }
                self.inputs
            }
            AutodiffMode::Reverse => {
                for i in 0..self.outputs {
                    let dx = matrix.slice_axis_mut(Axis(0), (i..i + 1).into());
                    self.run_backward(x, y, unit(self.outputs, i).view(), cache, grads, Some(dx));
                }
                self.outputs
            }
        };
        Ok(Jacobian { matrix, mode, passes })
    }

    pub(super) fn run_jvp(&self, pass: Jvp<'_, F>) -> Result<(), Error> {
        self.layer.jvp(pass).map_err(|problem| Error::layer(self.layer.describe().name, problem))
    }
}

/// The row `i` of the identity.
fn unit<F: Scalar>(size: usize, i: usize) -> Array2<F> {
    Array2::from_shape_fn((1, size), |(_, j)| if i == j { F::one() } else { F::zero() })
}
