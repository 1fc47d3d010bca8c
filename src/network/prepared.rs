//! Predictions of a fixed number of rows, prepared once.

use std::ops::Range;

use ndarray::{Array2, ArrayRef2, ArrayView2};

use super::Network;
use crate::cache::{Buffer, Cache};
use crate::error::same_shape;
use crate::layer::{Forward, Kind, Layer, Mode};
use crate::layers::{Identity, LayerSpec, ReLU, linear_row};
use crate::pace::Pace;
use crate::{Error, Scalar};

/// A prediction of a fixed number of rows, from [`Network::prepare`]: buffers are made and shapes
/// are checked once, so that a call neither allocates nor locks.
///
/// It borrows the network. For several threads, prepare once on each: the network is shared, the
/// buffers are not. The results are those of [`Network::predict`], bit for bit.
///
/// ```
/// use geartrain::prelude::*;
/// use ndarray::array;
///
/// let layers = Sequential::new().then(Linear::new(2, 8)).then(Tanh).then(Linear::new(8, 1));
/// let network = Network::<f32>::new(layers)?;
/// let mut prepared = network.prepare(1);
/// let y = prepared.predict_row(&[0.5, -1.0])?[0];
/// assert_eq!(y, network.predict(&array![[0.5, -1.0]])?[[0, 0]]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug)]
pub struct Prepared<'a, F> {
    network: &'a Network<F>,
    rows: usize,
    steps: Vec<Step<'a, F>>,
    pace: Pace,
}

/// A pass with its memory.
#[derive(Debug)]
struct Step<'a, F> {
    pass: Pass<'a, F>,
    y: Buffer<F>,
}

#[derive(Debug)]
enum Pass<'a, F> {
    Layer {
        layer: &'a dyn Layer<F>,
        params: Range<usize>,
        cache: Cache<F>,
    },
    /// A linear layer for a single row, and the ReLU after it if there is one.
    Row {
        weight: &'a [F],
        bias: Option<&'a [F]>,
        relu: bool,
    },
}

impl<F: Scalar> Network<F> {
    /// Prepares predictions of `rows` rows at a time. Needs memory for the outputs of all layers.
    pub fn prepare(&self, rows: usize) -> Prepared<'_, F> {
        let mut prepared = Prepared { network: self, rows, steps: Vec::new(), pace: Pace::default() };
        prepared.open(&*self.layer, 0, self.inputs);
        // The first pass allocates what layers and kernels keep.
        prepared.run(Array2::zeros((rows, self.inputs)).view());
        prepared
    }
}

impl<'a, F: Scalar> Prepared<'a, F> {
    /// Appends the steps of `layer`, whose parameters start at `start`: the layers inside a
    /// sequence, or itself.
    fn open(&mut self, layer: &'a dyn Layer<F>, mut start: usize, inputs: usize) {
        let description = layer.describe();
        if description.kind == Kind::Sequential && !description.children.is_empty() {
            for (child, inputs) in description.children_reading(inputs) {
                self.open(&**child.layer, start, inputs);
                start += child.layer.describe().param_count();
            }
            return;
        }
        let params = start..start + description.param_count();
        let pass = match LayerSpec::of(layer) {
            Some(LayerSpec::ReLU) if self.rows == 1 && self.ends_linear() => return,
            Some(LayerSpec::Linear { inputs, outputs, bias }) if self.rows == 1 => {
                let (weight, b) = self.network.params[params].split_at(inputs * outputs);
                Pass::Row { weight, bias: bias.then_some(b), relu: false }
            }
            _ => Pass::Layer { layer, params, cache: Cache::new() },
        };
        let (mut y, outputs) = (Buffer::default(), layer.output_features(inputs));
        y.resize(self.rows, outputs.expect("checked when the network was made"));
        self.steps.push(Step { pass, y });
    }

    /// Lets the last step, if it is a linear layer without a ReLU, end with one.
    fn ends_linear(&mut self) -> bool {
        match self.steps.last_mut() {
            Some(Step { pass: Pass::Row { relu, .. }, .. }) => !std::mem::replace(relu, true),
            _ => false,
        }
    }

    /// The output, `(rows, outputs)`, for the input `x`, `(rows, inputs)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has another shape.
    pub fn predict(&mut self, x: &ArrayRef2<F>) -> Result<ArrayView2<'_, F>, Error> {
        if x.dim() != (self.rows, self.network.inputs) {
            same_shape("x", &[self.rows, self.network.inputs], x.shape())?;
        }
        if self.rows > 1 {
            let mut pace = std::mem::take(&mut self.pace);
            pace.run(self.rows, || self.run(x.view()));
            self.pace = pace;
        } else {
            self.run(x.view());
        }
        Ok(self.output())
    }

    /// The output of one row, for the features `x`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has another length, or if this is not prepared for one row.
    pub fn predict_row(&mut self, x: &[F]) -> Result<&[F], Error> {
        if (self.rows, self.network.inputs) != (1, x.len()) {
            same_shape("x", &[self.rows, self.network.inputs], &[1, x.len()])?;
        }
        let x = ArrayView2::from_shape((1, x.len()), x).expect("a row");
        self.run(x);
        Ok(self.output().to_slice().expect("a row"))
    }

    fn output(&self) -> ArrayView2<'_, F> {
        self.steps.last().expect("at least one").y.view()
    }

    fn run(&mut self, x: ArrayView2<'_, F>) {
        for i in 0..self.steps.len() {
            let (before, after) = self.steps.split_at_mut(i);
            let (x, Step { pass, y }) = (before.last().map_or(x, |step| step.y.view()), &mut after[0]);
            match pass {
                Pass::Row { weight, bias, relu } => {
                    let (x, y) = (x.to_slice().expect("a row"), y.view_mut().into_slice().expect("a row"));
                    match relu {
                        true => linear_row(&ReLU, x, weight, *bias, y),
                        false => linear_row(&Identity, x, weight, *bias, y),
                    }
                }
                Pass::Layer { layer, params, cache } => {
                    let params = &self.network.params[params.clone()];
                    layer.forward(Forward { params, x, y: y.view_mut(), cache, mode: Mode::Predict });
                }
            }
        }
    }
}
