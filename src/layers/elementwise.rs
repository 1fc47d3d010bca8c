//! What all activations that act on every number alone have in common.

use std::slice::{from_mut, from_ref};

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use crate::cache::Cache;
use crate::error::LayerProblem;
use crate::{Error, Kind, Layer, LayerSpec, Mode, Saved, Scalar};
use geartrain_kernels as kernels;

/// An activation `y = φ(x)` that acts on every number alone. Whatever implements this is a [`Layer`].
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

    /// `φ'(x)`, from `x` and `y = φ(x)`, whichever is handier.
    fn slope<F: Scalar>(&self, x: F, y: F) -> F;

    /// The activation as data, as [`Layer::spec`]. Default: none.
    fn spec(&self) -> Option<LayerSpec> {
        None
    }

    /// Fails if the activation was made with an argument outside its domain. Default: it never was.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self) -> Result<(), LayerProblem> {
        Ok(())
    }

    /// `y = φ(x)` for many numbers. Default: [`value`](Elementwise::value) of each, with the widest vector instructions
    /// that the processor has. Only a function that is slow by itself has a reason to do otherwise.
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

impl<F: Scalar, A: Elementwise> Layer<F> for A {
    fn output_features(&self, inputs: usize) -> Result<usize, Error> {
        self.check().map_err(|problem| Error::layer(Layer::<F>::name(self), problem))?;
        Ok(inputs)
    }

    fn spec(&self) -> Option<LayerSpec> {
        Elementwise::spec(self)
    }

    fn kind(&self) -> Kind {
        Kind::Elementwise
    }

    fn forward(&self, _: &[F], x: ArrayView2<F>, mut y: ArrayViewMut2<F>, _: &mut Cache<F>, _: Mode) {
        // y = φ(x)
        match (x.to_slice(), y.as_slice_mut()) {
            (Some(x), Some(y)) => self.values(x, y),
            _ => Zip::from(y).and(x).for_each(|y, x| self.values(from_ref(x), from_mut(y))),
        }
    }

    fn backward(
        &self,
        _: &[F],
        Saved { x, y, .. }: Saved<'_, F>,
        dy: ArrayView2<F>,
        _: &mut [F],
        dx: Option<ArrayViewMut2<F>>,
    ) {
        let Some(mut dx) = dx else { return };
        // the Jacobian is diagonal:  dx = φ'(x) dy
        match (x.to_slice(), y.to_slice(), dy.to_slice(), dx.as_slice_mut()) {
            (Some(x), Some(y), Some(dy), Some(dx)) => kernels::slopes(&Pointwise(self), x, y, dy, dx),
            _ => Zip::from(dx).and(x).and(y).and(dy).for_each(|dx, x, y, dy| {
                kernels::slopes(&Pointwise(self), from_ref(x), from_ref(y), from_ref(dy), from_mut(dx));
            }),
        }
    }

    fn tangent(
        &self,
        _: &[F],
        _: &[F],
        Saved { x, y, .. }: Saved<'_, F>,
        dx: ArrayView2<F>,
        dy: ArrayViewMut2<F>,
    ) -> Result<(), Error> {
        // the Jacobian is diagonal:  dy = φ'(x) dx
        Zip::from(dy).and(x).and(y).and(dx).for_each(|dy, &x, &y, &dx| *dy = self.slope(x, y) * dx);
        Ok(())
    }
}
