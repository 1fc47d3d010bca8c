//! Values and slopes of an activation, by the layer's own passes.

use ndarray::{Array2, ArrayView2};

use geartrain::error::require;
use geartrain::layer::{Backward, Cache, Forward, Kind, Layer, Mode};
use geartrain::{Error, Scalar};

/// [`Error::Argument`] unless `activation` is elementwise.
pub(crate) fn require_elementwise(activation: &dyn Layer<f64>) -> Result<(), Error> {
    let description = activation.describe();
    let elementwise = description.kind == Kind::Elementwise;
    require(elementwise, "activation", "an elementwise layer", description.name)
}

/// `φ` and `φ'` at every entry of `z`.
pub(crate) fn evaluate<F: Scalar>(activation: &dyn Layer<F>, z: ArrayView2<F>) -> (Array2<F>, Array2<F>) {
    let mut cache = Cache::new();
    let (mut values, mut slopes) = (Array2::zeros(z.dim()), Array2::zeros(z.dim()));
    let (x, mode) = (z, Mode::Train { key: 0 });
    activation.forward(Forward { params: &[], x, y: values.view_mut(), cache: &mut cache, mode });
    let ones = Array2::ones(z.dim());
    let (y, dy, dx) = (values.view(), ones.view(), Some(slopes.view_mut()));
    activation.backward(Backward { params: &[], x, y, dy, grads: &mut [], dx, cache: &mut cache });
    (values, slopes)
}

/// The same at `f64` points, whatever the layer's scalar type.
pub(crate) fn evaluate_at<F: Scalar>(
    activation: &dyn Layer<F>,
    z: &Array2<f64>,
) -> (Array2<f64>, Array2<f64>) {
    let (values, slopes) = evaluate(activation, z.mapv(F::of).view());
    (values.mapv(F::as_f64), slopes.mapv(F::as_f64))
}
