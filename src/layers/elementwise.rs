//! Activations that act on each number by itself.

use std::slice::{from_mut, from_ref};

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

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

impl<F: Scalar, A: Elementwise + ?Sized> kernels::Curved<F> for Pointwise<'_, A> {
    #[inline(always)]
    fn curvature(&self, x: F, y: F) -> F {
        self.0.curvature(x, y).unwrap_or(F::nan())
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
        times_slopes(&Pointwise(self), [x, y, dy], dx.view_mut());
    }

    fn jvp(&self, Jvp { x, y, dx, dy, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        // the Jacobian is diagonal:  dy = φ'(x) dx
        times_slopes(&Pointwise(self), [x, y, dx], dy);
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { x, x_dot, y, dy, dy_dot, dx, .. } = pass;
        if self.curvature(F::zero(), self.value(F::zero())).is_none() {
            return Err(LayerProblem::NoBackwardJvp);
        }
        let Some([mut dx, mut dx_dot]) = dx else { return Ok(()) };
        // the product rule on dx = φ'(x) dy:  dẋ = φ'(x) dẏ + φ''(x) ẋ dy
        let given = [x, y, x_dot, dy, dy_dot];
        match (given.map(|a| a.to_slice()), dx.as_slice_mut(), dx_dot.as_slice_mut()) {
            ([Some(x), Some(y), Some(x_dot), Some(dy), Some(dy_dot)], Some(dx), Some(dx_dot)) => {
                kernels::bends(&Pointwise(self), [x, y, x_dot, dy, dy_dot], dx, dx_dot);
            }
            _ => {
                for ((r, c), dx) in dx.indexed_iter_mut() {
                    let given = given.each_ref().map(|a| from_ref(&a[[r, c]]));
                    kernels::bends(&Pointwise(self), given, from_mut(dx), from_mut(&mut dx_dot[[r, c]]));
                }
            }
        }
        Ok(())
    }
}

/// `out = f'(x) v` for every number, where `y = f(x)`.
fn times_slopes<F: Scalar>(
    function: &impl kernels::Function<F>,
    [x, y, v]: [ArrayView2<F>; 3],
    mut out: ArrayViewMut2<F>,
) {
    match (x.to_slice(), y.to_slice(), v.to_slice(), out.as_slice_mut()) {
        (Some(x), Some(y), Some(v), Some(out)) => kernels::slopes(function, x, y, v, out),
        _ => Zip::from(out).and(x).and(y).and(v).for_each(|out, x, y, v| {
            kernels::slopes(function, from_ref(x), from_ref(y), from_ref(v), from_mut(out));
        }),
    }
}
