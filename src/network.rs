//! A layer with its parameters.

mod hessian;
mod jacobian;
mod prepared;
mod row_parts;
mod slices;
mod workspace;

use std::sync::Arc;

use ndarray::{Array2, ArrayRef2, ArrayView2, ArrayViewD, ArrayViewMut2, ArrayViewMutD};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::cache::Cache;
use crate::error::{LayerProblem, same_shape};
use crate::flat::Flat;
use crate::layer::{Backward, Description, Forward, Layer, Mode};
use crate::params::{self, Layout, ParamsMut};
use crate::summary::Summary;
use crate::{Error, Loss, Scalar};
use geartrain_kernels::flushing;

pub use jacobian::{AutodiffMode, Jacobian};
pub use prepared::Prepared;
pub use slices::{SliceResult, Slices};
pub use workspace::Workspace;

/// A layer, usually a [`Sequential`](crate::layers::Sequential), with its parameters in one flat
/// vector.
///
/// `F` is `f32` or `f64`. A clone has its own parameters and shares the layers, which are
/// immutable.
///
/// ```
/// use geartrain::prelude::*;
/// use ndarray::array;
///
/// let layers = Sequential::new().then(Linear::new(2, 8)).then(Tanh).then(Linear::new(8, 1));
/// let network = Network::<f32>::new(layers)?.with_seed(7);
/// let y = network.predict(&array![[0.5, -1.0], [2.0, 0.0]])?;
/// assert_eq!(y.dim(), (2, 1));
///
/// let pass = network.loss_and_gradients(&MeanSquaredError, &array![[0.5, -1.0]], &array![[1.0]])?;
/// assert_eq!(pass.grads.len(), network.params().len());
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Network<F> {
    layer: Arc<dyn Layer<F>>,
    chain: Option<Arc<row_parts::Chain<F>>>,
    inputs: usize,
    outputs: usize,
    min_batch_size: usize,
    row_by_row: bool,
    slice_rows: Option<usize>,
    layout: Arc<Layout>,
    params: Flat<F>,
}

impl<F: Scalar> Network<F> {
    /// A network of `layer`, whose first layer with a fixed input width sets the network's. Checks
    /// that the width of each layer fits the layer before it, and initialises the parameters with
    /// seed 0; [`with_seed`](Network::with_seed) draws others.
    ///
    /// # Errors
    /// [`Error::Layer`] with the path of the layer that does not fit and both sizes, or if no layer
    /// has a fixed input width; [`Error::TooLarge`]; [`Error::DuplicateParameter`]; and
    /// [`Error::Argument`] for an invalid initialisation.
    pub fn new(layer: impl Layer<F> + 'static) -> Result<Self, Error> {
        let Description { name, input_features, .. } = layer.describe();
        let inputs = input_features.ok_or_else(|| Error::layer(name, LayerProblem::NoInputWidth))?;
        Network::with_inputs(layer, inputs)
    }

    /// [`new`](Network::new) for layers that accept any width, such as `Tanh`: the network reads
    /// `inputs` features per row.
    ///
    /// # Errors
    /// As [`new`](Network::new).
    pub fn with_inputs(layer: impl Layer<F> + 'static, inputs: usize) -> Result<Self, Error> {
        Network::from_layer(Arc::new(layer), inputs)
    }

    /// [`with_inputs`](Network::with_inputs) for a shared layer, such as one from
    /// [`LayerSpec::build`](crate::layers::LayerSpec::build).
    ///
    /// # Errors
    /// As [`new`](Network::new).
    pub fn from_layer(layer: Arc<dyn Layer<F>>, inputs: usize) -> Result<Self, Error> {
        let layout = lay_out(&*layer, inputs)?;
        let zeros = vec![F::zero(); layout.len()];
        Ok(Network::from_params(layer, inputs, layout, &zeros)?.with_seed(0))
    }

    /// A network of `layer` with the parameters `params`, whose layout is that of [`lay_out`].
    pub(crate) fn from_params(
        layer: Arc<dyn Layer<F>>,
        inputs: usize,
        layout: Layout,
        params: &[F],
    ) -> Result<Self, Error> {
        let outputs = output_features(&*layer, inputs)?;
        let (min_batch_size, row_by_row) = (min_batch_size(&*layer), row_by_row(&*layer));
        let (layout, params) = (Arc::new(layout), Flat::from(params));
        let chain = row_parts::Chain::new(&layer, inputs).map(Arc::new);
        Ok(Network {
            layer,
            chain,
            inputs,
            outputs,
            min_batch_size,
            row_by_row,
            slice_rows: None,
            layout,
            params,
        })
    }

    /// Draws the parameters again: the same seed gives the same numbers on every machine.
    pub fn with_seed(mut self, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (spec, range) in self.layout.iter() {
            spec.init.fill(spec, &mut self.params[range], &mut rng);
        }
        self
    }

    /// Input features per row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output features per row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The least number of rows in a training batch: 2 with a
    /// [`BatchNorm`](crate::layers::BatchNorm) inside, otherwise 1.
    pub fn min_batch_size(&self) -> usize {
        self.min_batch_size
    }

    /// The outermost layer.
    pub fn layer(&self) -> &dyn Layer<F> {
        &*self.layer
    }

    /// Name, shape and range of each parameter in the flat vector.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The flat vector of all parameters, in the order of [`layout`](Network::layout).
    pub fn params(&self) -> &[F] {
        &self.params
    }

    /// The flat vector and its layout, for an optimizer.
    pub fn params_mut(&mut self) -> ParamsMut<'_, F> {
        ParamsMut { values: &mut self.params, layout: &self.layout }
    }

    /// The parameter called `name`, such as `0.weight`, in its own shape (`outputs × inputs` for a
    /// weight).
    ///
    /// # Errors
    /// [`Error::UnknownParameter`].
    pub fn param(&self, name: &str) -> Result<ArrayViewD<'_, F>, Error> {
        let (spec, range) = self.layout.find(name)?;
        Ok(params::view(spec, &self.params[range]))
    }

    /// The parameter called `name`, mutably.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`].
    pub fn param_mut(&mut self, name: &str) -> Result<ArrayViewMutD<'_, F>, Error> {
        let (spec, range) = self.layout.find(name)?;
        Ok(params::view_mut(spec, &mut self.params[range]))
    }

    /// Sets the parameter called `name` to `values`, row by row.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`]; [`Error::Shape`] if the number of values is not that of the
    /// parameter.
    pub fn set_param(&mut self, name: &str, values: &[F]) -> Result<(), Error> {
        let (spec, range) = self.layout.find(name)?;
        same_shape(&format!("values of `{name}`"), &[spec.len()], &[values.len()])?;
        let mut tensor = params::view_mut(spec, &mut self.params[range]);
        tensor.iter_mut().zip(values).for_each(|(entry, &value)| *entry = value);
        Ok(())
    }

    /// The tensors of a flat vector of this network (its parameters or gradients), by name.
    ///
    /// # Panics
    /// If `flat` has not [`params().len()`](Network::params) numbers.
    pub fn named<'a>(&'a self, flat: &'a [F]) -> impl Iterator<Item = (&'a str, ArrayViewD<'a, F>)> {
        assert_eq!(flat.len(), self.params.len(), "a flat vector of this network");
        self.layout.iter().map(|(spec, range)| (spec.name.as_str(), params::view(spec, &flat[range])))
    }

    /// A table of the layers: path, layer, output shape, number of parameters and of trainable
    /// ones; and totals.
    pub fn summary(&self) -> Summary {
        Summary::new(self)
    }

    /// The output, `(rows, outputs)`, for the input `x`, `(rows, inputs)`.
    ///
    /// In [`Mode::Predict`]: `Dropout` does nothing and `BatchNorm` uses its running statistics.
    /// Needs two buffers at any depth.
    ///
    /// # Errors
    /// [`Error::Layer`] or [`Error::Shape`] if the number of columns of `x` is not
    /// [`inputs`](Network::inputs).
    pub fn predict(&self, x: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        self.check_input(x)?;
        let mut y = Array2::zeros((x.nrows(), self.outputs));
        let (params, cache, mode) = (&self.params[..], &mut Cache::new(), Mode::Predict);
        self.layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache, mode });
        Ok(y)
    }

    /// The loss on `x` against `target`.
    ///
    /// # Errors
    /// As [`predict`](Network::predict) and [`Loss::check`].
    pub fn loss(&self, loss: &dyn Loss<F>, x: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<f64, Error> {
        let output = self.predict(x)?;
        loss.check(&output, target)?;
        Ok(loss.value(&output, target))
    }

    /// One forward and one backward pass of training: the loss, the output and all gradients.
    /// Random layers use key 0. [`gradients`](Network::gradients) computes the same numbers without
    /// allocating.
    ///
    /// In `f32`, gradients below 2⁻¹⁰⁰ (7.9e-31) behind an activation are set to 0; see
    /// [`Workspace::flush_subnormals`].
    ///
    /// # Errors
    /// As [`loss`](Network::loss), and [`Error::Layer`] for a batch too small to train on.
    pub fn loss_and_gradients(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
    ) -> Result<Pass<F>, Error> {
        let mut workspace = Workspace::new();
        let mut grad_input = Array2::zeros(x.dim());
        let loss = self.gradients(loss, x, target, &mut workspace, Some(grad_input.view_mut()))?;
        let Workspace { output, grads, .. } = workspace;
        Ok(Pass { loss, output: output.view().to_owned(), grads: grads.to_vec(), grad_input })
    }

    /// [`loss_and_gradients`](Network::loss_and_gradients) in the memory of `workspace`, without
    /// allocating after the first batch of a size. Returns the loss, writes the gradients of the
    /// parameters to [`workspace.grads`](Workspace::grads), and that of the input, `(rows,
    /// inputs)`, to `dx` if given. Random layers use [`workspace.key`](Workspace::key).
    ///
    /// The batch is computed in its [`slices`](Network::slices) if the loss has a
    /// [total weight](Loss::total_weight), otherwise as a whole. Either way the results have the
    /// same bits for any number of threads.
    ///
    /// # Errors
    /// As [`loss_and_gradients`](Network::loss_and_gradients).
    pub fn gradients(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        workspace: &mut Workspace<F>,
        dx: Option<ArrayViewMut2<F>>,
    ) -> Result<f64, Error> {
        workspace.has_passed = false;
        let mut pace = std::mem::take(&mut workspace.pace);
        let value = pace.run(x.nrows(), || self.pass(loss, x, target, workspace, dx));
        workspace.pace = pace;
        value
    }

    /// [`gradients`](Network::gradients) on the threads of this call.
    fn pass(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        workspace: &mut Workspace<F>,
        mut dx: Option<ArrayViewMut2<F>>,
    ) -> Result<f64, Error> {
        let value = match self.gradients_in_slices(loss, x, target, workspace, dx.as_mut())? {
            Some(value) => value,
            None => match self.gradients_in_row_parts(loss, x, target, workspace, dx.is_some())? {
                Some(value) => value,
                None => self.gradients_as_a_whole(loss, x, target, workspace, dx)?,
            },
        };
        workspace.has_passed = true;
        Ok(value)
    }

    /// [`gradients`](Network::gradients) of all rows at once.
    fn gradients_as_a_whole(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        workspace: &mut Workspace<F>,
        dx: Option<ArrayViewMut2<F>>,
    ) -> Result<f64, Error> {
        self.run_forward(x, workspace)?;
        let Workspace { cache, output, doutput, grads, flush, .. } = workspace;
        loss.check(&output.view(), target)?;
        let value = loss.gradient(&output.view(), target, &mut doutput.resize(x.nrows(), self.outputs));
        flushing(*flush, || self.run_backward(x.view(), output.view(), doutput.view(), cache, grads, dx));
        Ok(value)
    }

    /// The forward pass of training; intermediate results stay in `workspace`.
    fn run_forward(&self, x: &ArrayRef2<F>, workspace: &mut Workspace<F>) -> Result<(), Error> {
        self.check_input(x)?;
        self.check_batch(x.nrows())?;
        let Workspace { cache, output, key, .. } = workspace;
        let y = output.resize(x.nrows(), self.outputs);
        let (params, x, mode) = (&self.params[..], x.view(), Mode::Train { key: *key });
        self.layer.forward(Forward { params, x, y, cache, mode });
        Ok(())
    }

    /// The backward pass of [`run_forward`](Network::run_forward).
    fn run_backward(
        &self,
        x: ArrayView2<F>,
        y: ArrayView2<F>,
        dy: ArrayView2<F>,
        cache: &mut Cache<F>,
        grads: &mut Flat<F>,
        dx: Option<ArrayViewMut2<F>>,
    ) {
        grads.resize(self.params.len());
        self.layer.backward(Backward { params: &self.params, x, y, dy, grads, dx, cache });
    }

    /// Updates the running statistics of layers such as `BatchNorm` from the last training pass in
    /// `workspace`. `fit` does this after every step; a training loop by hand calls it after
    /// [`Optimizer::step`](crate::Optimizer::step).
    ///
    /// # Errors
    /// [`Error::NoTrainingPass`] if `workspace` holds no pass of a network of this size;
    /// [`Error::NonFinite`] if a statistic would not be finite. After an error the parameters are
    /// unchanged.
    pub fn update_running_stats(&mut self, workspace: &mut Workspace<F>) -> Result<(), Error> {
        if !workspace.has_passed || workspace.grads.len() != self.params.len() {
            return Err(Error::NoTrainingPass);
        }
        let kept = || self.layout.iter().filter(|(spec, _)| !spec.trainable).map(|(_, range)| range);
        let Workspace { cache, statistics: before, .. } = workspace;
        before.clear();
        kept().for_each(|range| before.extend_from_slice(&self.params[range]));
        self.layer.update_running_stats(&mut self.params, cache);
        let finite = kept().all(|range| self.params[range].iter().all(|statistic| statistic.is_finite()));
        if finite {
            return Ok(());
        }
        let error = self.layout.check_finite("statistic", &self.params);
        kept().flatten().zip(before).for_each(|(i, statistic)| self.params[i] = *statistic);
        error
    }

    /// Checks that a batch of `rows` rows is large enough to train on.
    ///
    /// # Errors
    /// [`Error::Layer`] with the path of the layer that needs more rows.
    pub fn check_batch(&self, rows: usize) -> Result<(), Error> {
        if rows >= self.min_batch_size {
            return Ok(());
        }
        let problem = needing_more(&*self.layer, rows).expect("the layer with the largest minimum");
        Err(Error::layer(self.layer.describe().name, problem))
    }

    /// Checks the number of columns of `x`.
    ///
    /// # Errors
    /// [`Error::Layer`] or [`Error::Shape`] if it is not [`inputs`](Network::inputs).
    pub fn check_input(&self, x: &ArrayRef2<F>) -> Result<(), Error> {
        if x.ncols() != self.inputs {
            output_features(&*self.layer, x.ncols())?;
            // A layer that accepts any width does not fail, but the parameters after it fit only
            // one.
            return same_shape("columns of x", &[self.inputs], &[x.ncols()]);
        }
        Ok(())
    }
}

/// The layout of the parameters of `layer`, after all checks of its sizes and initialisations.
pub(crate) fn lay_out<F: Scalar>(layer: &dyn Layer<F>, inputs: usize) -> Result<Layout, Error> {
    output_features(layer, inputs)?;
    let layout = Layout::new::<F>(layer.describe().all_params())?;
    for (spec, _) in layout.iter() {
        spec.init.check()?;
    }
    Ok(layout)
}

/// [`Layer::output_features`] with the layer's path and name in the error.
fn output_features<F: Scalar>(layer: &dyn Layer<F>, inputs: usize) -> Result<usize, Error> {
    layer.output_features(inputs).map_err(|problem| Error::layer(layer.describe().name, problem))
}

/// The largest minimum batch size of `layer` and all layers inside it.
fn min_batch_size<F: Scalar>(layer: &dyn Layer<F>) -> usize {
    let description = layer.describe();
    let inside = description.children.iter().map(|child| min_batch_size(&**child.layer));
    inside.fold(description.min_batch_size.max(1), usize::max)
}

/// Whether `layer` and all layers inside it compute each row by itself.
fn row_by_row<F: Scalar>(layer: &dyn Layer<F>) -> bool {
    let description = layer.describe();
    description.row_by_row && description.children.iter().all(|child| row_by_row(&**child.layer))
}

/// The problem of the first layer that needs more than `rows` rows.
fn needing_more<F: Scalar>(layer: &dyn Layer<F>, rows: usize) -> Option<LayerProblem> {
    let description = layer.describe();
    let needs = description.min_batch_size;
    if needs.max(1) > rows {
        return Some(LayerProblem::SmallBatch { needs: needs.max(1), rows });
    }
    description.children.iter().find_map(|child| {
        let problem = needing_more(&**child.layer, rows)?;
        Some(problem.inside(&child.name, child.layer.describe().name))
    })
}

/// The results of one forward and one backward pass.
#[derive(Debug, Clone)]
pub struct Pass<F> {
    /// The loss, a mean over rows and outputs.
    pub loss: f64,
    /// The network's output, `(rows, outputs)`.
    pub output: Array2<F>,
    /// The gradient of the loss in every parameter, in the order of [`Network::params`]; see
    /// [`Network::named`].
    pub grads: Vec<F>,
    /// The gradient of the loss in the input, `(rows, inputs)`.
    pub grad_input: Array2<F>,
}
