//! The layout of a network's flat parameter vector.

use std::collections::HashSet;
use std::ops::{Deref, DerefMut, Range};

use ndarray::{
    ArrayView1, ArrayView2, ArrayViewD, ArrayViewMut1, ArrayViewMut2, ArrayViewMutD, IxDyn, ShapeBuilder,
};

use crate::{Error, Init, Scalar};

pub use crate::flat::Flat;

/// The limit of the memory for the parameters of one network: 16 GiB. A mistyped size is then an
/// error instead of a machine that swaps.
pub const MAX_PARAMETER_BYTES: u128 = 16 << 30;

/// A parameter tensor, as a layer declares it.
///
/// In the flat vector a tensor is stored in **column-major** order: a weight that is shown, named
/// and saved as `out × in`, as in PyTorch, is stored as its transpose, row-major `in × out`, so
/// that the products of the forward pass read both operands along rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// Its name inside the layer (`weight`), which containers prefix with the layer's
    /// (`3.body.0.weight`).
    pub name: String,
    /// Its shape: `[outputs, inputs]` for a weight, `[outputs]` for a bias.
    pub shape: Vec<usize>,
    /// Its initialisation.
    pub init: Init,
    /// Inputs and outputs of one unit, which set the scale of most initialisations.
    pub fans: (usize, usize),
    /// Whether optimizers change it. `false` for statistics that a layer keeps here to be saved
    /// with the weights.
    pub trainable: bool,
}

impl ParamSpec {
    /// A trainable parameter whose fan-in and fan-out are the last and the first size of its shape.
    pub fn new(name: impl Into<String>, shape: &[usize], init: Init) -> Self {
        let fans = (shape.last().copied().unwrap_or(1), shape.first().copied().unwrap_or(1));
        ParamSpec { name: name.into(), shape: shape.to_vec(), init, fans, trainable: true }
    }

    /// The same parameter with another fan-in and fan-out: those of its layer, for a bias.
    pub fn fans(mut self, inputs: usize, outputs: usize) -> Self {
        self.fans = (inputs, outputs);
        self
    }

    /// The same parameter, seen from the container that calls its layer `child`.
    pub fn inside(mut self, child: &str) -> Self {
        self.name = format!("{child}.{}", self.name);
        self
    }

    /// The number of entries, saturating at `usize::MAX`.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |product, &size| product.saturating_mul(size))
    }

    /// Whether the tensor has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The number of parameters in all of `specs`, saturating at `usize::MAX`.
pub fn count(specs: &[ParamSpec]) -> usize {
    specs.iter().fold(0, |sum, spec| sum.saturating_add(spec.len()))
}

/// The names, shapes and ranges of the parameters in a flat vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    specs: Vec<ParamSpec>,
    ranges: Vec<Range<usize>>,
    trainable: Vec<Range<usize>>,
}

impl Layout {
    /// The layout of `specs` one after the other.
    ///
    /// # Errors
    /// [`Error::TooLarge`] and [`Error::DuplicateParameter`].
    pub fn new<F>(specs: Vec<ParamSpec>) -> Result<Self, Error> {
        let mut names = HashSet::new();
        let (mut ranges, mut trainable) = (Vec::new(), Vec::<Range<usize>>::new());
        let mut end = 0_usize;
        for spec in &specs {
            if !names.insert(spec.name.as_str()) {
                return Err(Error::DuplicateParameter { name: spec.name.clone() });
            }
            let numbers =
                spec.shape.iter().fold(1, |product: u128, &size| product.saturating_mul(size as u128));
            let bytes = numbers.saturating_add(end as u128).saturating_mul(size_of::<F>() as u128);
            if bytes > MAX_PARAMETER_BYTES {
                return Err(Error::TooLarge { name: spec.name.clone(), bytes, limit: MAX_PARAMETER_BYTES });
            }
            let range = end..end + spec.len();
            end = range.end;
            if spec.trainable {
                match trainable.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => trainable.push(range.clone()),
                }
            }
            ranges.push(range);
        }
        Ok(Layout { specs, ranges, trainable })
    }

    /// Numbers in the flat vector.
    pub fn len(&self) -> usize {
        self.ranges.last().map_or(0, |range| range.end)
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parameters, in the order of the vector.
    pub fn iter(&self) -> impl Iterator<Item = (&ParamSpec, Range<usize>)> {
        self.specs.iter().zip(self.ranges.iter().cloned())
    }

    /// The parts of the flat vector that optimizers change, in order; neighbours are joined.
    pub fn trainable(&self) -> &[Range<usize>] {
        &self.trainable
    }

    /// The parameter called `name` and where it lies.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`], which lists the known names.
    pub fn find(&self, name: &str) -> Result<(&ParamSpec, Range<usize>), Error> {
        self.iter().find(|(spec, _)| spec.name == name).ok_or_else(|| Error::UnknownParameter {
            name: name.to_string(),
            known: self.specs.iter().map(|spec| spec.name.clone()).collect(),
        })
    }

    /// [`Error::NonFinite`] with the name and index of the first entry of `values` that is NaN or
    /// infinite.
    pub(crate) fn check_finite<F: Scalar>(&self, what: &'static str, values: &[F]) -> Result<(), Error> {
        for (spec, range) in self.iter() {
            let tensor = view(spec, &values[range]);
            if let Some((index, value)) = tensor.indexed_iter().find(|(_, value)| !value.is_finite()) {
                let index = ndarray::Dimension::slice(&index).to_vec();
                return Err(Error::NonFinite { what, name: spec.name.clone(), index, value: value.as_f64() });
            }
        }
        Ok(())
    }
}

/// Splits a layer's parameters into a matrix of `shape` and the rest.
///
/// # Panics
/// If there are fewer numbers than the matrix has.
pub fn split_matrix<F>(values: &[F], shape: (usize, usize)) -> (ArrayView2<'_, F>, ArrayView1<'_, F>) {
    let (matrix, rest) = values.split_at(shape.0 * shape.1);
    (ArrayView2::from_shape(shape.f(), matrix).expect("split at its length"), rest.into())
}

/// [`split_matrix`] for gradients, which are to be written.
///
/// # Panics
/// If there are fewer numbers than the matrix has.
pub fn split_matrix_mut<F>(
    values: &mut [F],
    shape: (usize, usize),
) -> (ArrayViewMut2<'_, F>, ArrayViewMut1<'_, F>) {
    let (matrix, rest) = values.split_at_mut(shape.0 * shape.1);
    (ArrayViewMut2::from_shape(shape.f(), matrix).expect("split at its length"), rest.into())
}

/// A tensor, from its part `values` of a flat vector.
pub(crate) fn view<'a, F>(spec: &ParamSpec, values: &'a [F]) -> ArrayViewD<'a, F> {
    ArrayViewD::from_shape(IxDyn(&spec.shape).f(), values).expect("the layout counted the shape")
}

/// A tensor, mutably, from its part `values` of a flat vector.
pub(crate) fn view_mut<'a, F>(spec: &ParamSpec, values: &'a mut [F]) -> ArrayViewMutD<'a, F> {
    ArrayViewMutD::from_shape(IxDyn(&spec.shape).f(), values).expect("the layout counted the shape")
}

/// The parameters of a network, borrowed mutably: the flat vector and its layout.
#[derive(Debug)]
pub struct ParamsMut<'a, F> {
    /// The flat vector.
    pub values: &'a mut [F],
    /// Its layout.
    pub layout: &'a Layout,
}

impl<F> Deref for ParamsMut<'_, F> {
    type Target = [F];

    fn deref(&self) -> &[F] {
        self.values
    }
}

impl<F> DerefMut for ParamsMut<'_, F> {
    fn deref_mut(&mut self) -> &mut [F] {
        self.values
    }
}
