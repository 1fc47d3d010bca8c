//! Activations that act on each number by itself.

use std::slice::{from_mut, from_ref};

use ndarray::Zip;

use super::LayerSpec;
use crate::Scalar;
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Kind, Layer};
use geartrain_kernels as kernels;

/// An activation `y = φ(x)` that acts on each number by itself. Every implementor is a [`Layer`].
///
/// ```
/// use geartrain::{Scalar, layers::Elementwise};
///
/// /// y = x² (its slope is 2x).
/// #[derive(Debug)]
/// struct Square;
///
/// impl Elementwise for Square {
///     fn value<F: Scalar>(&self, x: F) -> F {
///         x * x
///     }
///     fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
///         x + x
///     }
/// }
/// # assert!(geartrain::gradcheck::layer(Square, 3)?.passed());
/// # Ok::<(), geartrain::Error>(())
/// ```
pub trait Elementwise: std::fmt::Debug + Send + Sync {
    /// `φ(x)`.
    fn value<F: Scalar>(&self, x: F) -> F;

    /// `φ'(x)`, computed from `x` or from `y = φ(x)`.
    fn slope<F: Scalar>(&self, x: F, y: F) -> F;

    /// `φ''(x)`, computed from `x` or from `y = φ(x)`; it makes Hessian-vector products possible.
    /// At kinks it is that of one side. Default: `None`.
    fn curvature<F: Scalar>(&self, x: F, y: F) -> Option<F> {
        let _ = (x, y);
        None
    }

    /// The activation as data, for model files. Default: `None`.
    fn spec(&self) -> Option<LayerSpec> {
        None
    }

    /// Checks the arguments the activation was built with. Default: they are valid.
    ///
    /// # Errors
    /// [`LayerProblem::Argument`] for an argument outside its domain.
    fn check(&self) -> Result<(), LayerProblem> {
        Ok(())
    }

    /// `y = φ(x)` for slices of equal length. Default: [`value`](Elementwise::value) of each
    /// number, compiled for the widest vector instructions of the processor. Override it only for a
    /// function with a faster form.
    fn values<F: Scalar>(&self, x: &[F], y: &mut [F]) {
        kernels::values(&Pointwise(self), x, y);
    }
}

/// An activation as the kernels take it.
struct Pointwise<'a, A: ?Sized>(&'a A);

impl<F: Scalar, A: Elementwise + ?Sized> kernels::Function<F> for Pointwise<'_, A> {
    #[inline(always)]
    fn value(&self, x: F) -> F {
        self.0.value(x)
    }

    #[inline(always)]
    fn slope(&self, x: F, y: F) -> F {
        self.0.slope(x, y)
    }
}

/// `y = φ(w x + b)` for one row `x` and column-major weights; the bits of both layers.
pub(crate) fn linear_row<F: Scalar, A: Elementwise>(
    activation: &A,
    x: &[F],
    weight: &[F],
    bias: Option<&[F]>,
    y: &mut [F],
) {
    kernels::row(&Pointwise(activation), x, weight, bias, y);
}

impl<F: Scalar, A: Elementwise> Layer<F> for A {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        self.check()?;
        Ok(inputs)
    }

    fn describe(&self) -> Description<'_, F> {
        let description = Description::opaque::<Self>().kind(Kind::Elementwise).row_by_row();
        match self.spec() {
            Some(spec) => description.spec(spec),
            None => description,
        }
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        // y = φ(x)
        match (x.to_slice(), y.as_slice_mut()) {
            (Some(x), Some(y)) => self.values(x, y),
            _ => Zip::from(y).and(x).for_each(|y, x| self.values(from_ref(x), from_mut(y))),
        }
    }

    fn backward(&self, Backward { x, y, dy, dx, .. }: Backward<'_, F>) {
        let Some(mut dx) = dx else { return };
        // the Jacobian is diagonal:  dx = φ'(x) dy
        match (x.to_slice(), y.to_slice(), dy.to_slice(), dx.as_slice_mut()) {
            (Some(x), Some(y), Some(dy), Some(dx)) => kernels::slopes(&Pointwise(self), x, y, dy, dx),
            _ => Zip::from(dx).and(x).and(y).and(dy).for_each(|dx, x, y, dy| {
                kernels::slopes(&Pointwise(self), from_ref(x), from_ref(y), from_ref(dy), from_mut(dx));
            }),
        }
    }

    fn jvp(&self, Jvp { x, y, dx, dy, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        // the Jacobian is diagonal:  dy = φ'(x) dx
        Zip::from(dy).and(x).and(y).and(dx).for_each(|dy, &x, &y, &dx| *dy = self.slope(x, y) * dx);
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { params, x, x_dot, y, dy, dy_dot, dx, cache, .. } = pass;
        if self.curvature(F::zero(), self.value(F::zero())).is_none() {
            return Err(LayerProblem::NoBackwardJvp);
        }
        let Some([dx, mut dx_dot]) = dx else { return Ok(()) };
        // the product rule on dx = φ'(x) dy:  dẋ = φ'(x) dẏ + φ''(x) ẋ dy
        let mut slope = |dy, dx| {
            self.backward(Backward { params, x, y, dy, grads: &mut [], dx: Some(dx), cache: &mut *cache });
        };
        slope(dy, dx);
        slope(dy_dot, dx_dot.view_mut());
        Zip::from(dx_dot).and(x).and(y).and(x_dot).and(dy).for_each(|dx_dot, &x, &y, &x_dot, &dy| {
            *dx_dot += self.curvature(x, y).unwrap_or(F::nan()) * x_dot * dy;
        });
        Ok(())
    }
}
