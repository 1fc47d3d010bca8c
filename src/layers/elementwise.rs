//! What all activations that act on every number alone have in common.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use crate::cache::Cache;
use crate::error::LayerProblem;
use crate::{Error, Kind, Layer, Mode, Saved, Scalar};

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

    /// Fails if the activation was made with an argument outside its domain. Default: it never was.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self) -> Result<(), LayerProblem> {
        Ok(())
    }
}

impl<F: Scalar, A: Elementwise> Layer<F> for A {
    fn output_features(&self, inputs: usize) -> Result<usize, Error> {
        self.check().map_err(|problem| Error::layer(Layer::<F>::name(self), problem))?;
        Ok(inputs)
    }

    fn kind(&self) -> Kind {
        Kind::Elementwise
    }

    fn forward(&self, _: &[F], x: ArrayView2<F>, y: ArrayViewMut2<F>, _: &mut Cache<F>, _: Mode) {
        // y = φ(x)
        Zip::from(y).and(x).for_each(|y, &x| *y = self.value(x));
    }

    fn backward(
        &self,
        _: &[F],
        Saved { x, y, .. }: Saved<'_, F>,
        dy: ArrayView2<F>,
        _: &mut [F],
        dx: Option<ArrayViewMut2<F>>,
    ) {
        // the Jacobian is diagonal:  dx = φ'(x) dy
        if let Some(dx) = dx {
            Zip::from(dx).and(x).and(y).and(dy).for_each(|dx, &x, &y, &dy| *dx = self.slope(x, y) * dy);
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
