//! Layers with their parameters: checked once, then run.

mod jacobian;

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, ArrayViewD, ArrayViewMut2, ArrayViewMutD};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::cache::{Buffer, Cache};
use crate::error::{LayerProblem, same_shape};
use crate::flat::Flat;
use crate::layer::{Backward, Forward, Layer, Mode};
use crate::params::{self, Layout, ParamsMut};
use crate::summary::Summary;
use crate::{Error, Loss, Scalar};
use geartrain_kernels::flushing;

pub use jacobian::{AutodiffMode, Jacobian};

/// A layer (most often a [`Sequential`](crate::layers::Sequential)) together with the one flat vector of its parameters.
///
/// `F` is `f32` or `f64`. A clone has parameters of its own and shares the layers, which never change.
///
/// ```
/// use geartrain::prelude::*;
/// use ndarray::array;
///
/// let layers = Sequential::new().then(Linear::new(2, 8)).then(Tanh).then(Linear::new(8, 1));
/// let network = Network::<f32>::new(layers, 2)?.with_seed(7);
/// let y = network.predict(array![[0.5, -1.0], [2.0, 0.0]].view())?;
/// assert_eq!(y.dim(), (2, 1));
///
/// let pass = network.loss_and_gradients(&MeanSquaredError, array![[0.5, -1.0]].view(), array![[1.0]].view())?;
/// assert_eq!(pass.grads.len(), network.params().len());
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Network<F> {
    layer: Arc<dyn Layer<F>>,
    inputs: usize,
    outputs: usize,
    min_batch_size: usize,
    layout: Arc<Layout>,
    params: Flat<F>,
}

impl<F: Scalar> Network<F> {
    /// Checks that every layer fits the one before it when the first reads `inputs` features per row, and initialises
    /// the parameters with seed 0 ([`with_seed`](Network::with_seed) takes another).
    ///
    /// # Errors
    /// [`Error::Layer`] with the path of the layer that does not fit and both sizes, [`Error::TooLarge`],
    /// [`Error::DuplicateParameter`], and [`Error::Argument`] for an initialisation that cannot be.
    pub fn new(layer: impl Layer<F> + 'static, inputs: usize) -> Result<Self, Error> {
        Network::from_layer(Arc::new(layer), inputs)
    }

    /// [`new`](Network::new) for a shared layer, such as one from
    /// [`LayerSpec::build`](crate::layers::LayerSpec::build).
    ///
    /// # Errors
    /// As [`new`](Network::new).
    pub fn from_layer(layer: Arc<dyn Layer<F>>, inputs: usize) -> Result<Self, Error> {
        let zeros = |layout: &Layout| Ok::<_, Error>(vec![F::zero(); layout.len()]);
        Ok(Network::from_params(layer, inputs, zeros)?.with_seed(0))
    }

    /// [`from_layer`](Network::from_layer) with the parameters that `params` returns for the layout.
    pub(crate) fn from_params<E: From<Error>>(
        layer: Arc<dyn Layer<F>>,
        inputs: usize,
        params: impl FnOnce(&Layout) -> Result<Vec<F>, E>,
    ) -> Result<Self, E> {
        let outputs = output_features(&*layer, inputs)?;
        let layout = Layout::new::<F>(layer.params())?;
        for (spec, _) in layout.iter() {
            spec.init.check()?;
        }
        let params = Flat::from(&params(&layout)?[..]);
        let min_batch_size = min_batch_size(&*layer);
        Ok(Network { layer, inputs, outputs, min_batch_size, layout: Arc::new(layout), params })
    }

    /// The same network with its parameters drawn anew: the same seed gives the same numbers on every machine.
    pub fn with_seed(mut self, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (spec, range) in self.layout.iter() {
            spec.init.fill(spec, &mut self.params[range], &mut rng);
        }
        self
    }

    /// Features per row that the network reads.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Features per row that it writes.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Rows that a batch must have to train on: 2 with a [`BatchNorm`](crate::layers::BatchNorm) inside, else 1.
    pub fn min_batch_size(&self) -> usize {
        self.min_batch_size
    }

    /// The outermost layer.
    pub fn layer(&self) -> &dyn Layer<F> {
        &*self.layer
    }

    /// Which parameter lies where in the flat vector.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The flat vector of all parameters, in the order of [`layout`](Network::layout).
    pub fn params(&self) -> &[F] {
        &self.params
    }

    /// The flat vector to be changed, as optimizers take it.
    pub fn params_mut(&mut self) -> ParamsMut<'_, F> {
        ParamsMut { values: &mut self.params, layout: &self.layout }
    }

    /// The parameter called `name`, such as `0.weight`, in its own shape (`outputs × inputs` for a weight).
    ///
    /// # Errors
    /// [`Error::UnknownParameter`].
    pub fn param(&self, name: &str) -> Result<ArrayViewD<'_, F>, Error> {
        let (spec, range) = self.layout.find(name)?;
        Ok(params::view(spec, &self.params[range]))
    }

    /// The parameter called `name`, to be written.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`].
    pub fn param_mut(&mut self, name: &str) -> Result<ArrayViewMutD<'_, F>, Error> {
        let (spec, range) = self.layout.find(name)?;
        Ok(params::view_mut(spec, &mut self.params[range]))
    }

    /// Writes the parameter called `name` from `values`, read row by row.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`]; [`Error::Shape`] if there are not as many numbers as the parameter has.
    pub fn set_param(&mut self, name: &str, values: &[F]) -> Result<(), Error> {
        let (spec, range) = self.layout.find(name)?;
        same_shape(&format!("values of `{name}`"), &[spec.len()], &[values.len()])?;
        let mut tensor = params::view_mut(spec, &mut self.params[range]);
        tensor.iter_mut().zip(values).for_each(|(entry, &value)| *entry = value);
        Ok(())
    }

    /// The tensors of a flat vector that belongs to this network (its parameters, or gradients), by name.
    ///
    /// # Panics
    /// If `flat` has not [`params().len()`](Network::params) numbers.
    pub fn named<'a>(&'a self, flat: &'a [F]) -> impl Iterator<Item = (&'a str, ArrayViewD<'a, F>)> {
        assert_eq!(flat.len(), self.params.len(), "a flat vector of this network");
        self.layout.iter().map(|(spec, range)| (spec.name.as_str(), params::view(spec, &flat[range])))
    }

    /// A table of the layers: path, layer, output shape, parameters and how many of them are trainable; and the totals.
    pub fn summary(&self) -> Summary {
        Summary::new(self)
    }

    /// The output for each row of `x`, `(rows, inputs)`: `(rows, outputs)`. Uses two buffers, whatever the depth.
    ///
    /// Always in [`Mode::Predict`]: `Dropout` drops nothing, and `BatchNorm` uses its running statistics.
    ///
    /// # Errors
    /// [`Error::Layer`] if `x` has another number of columns than the first layer reads.
    pub fn predict(&self, x: ArrayView2<F>) -> Result<Array2<F>, Error> {
        self.check_input(x)?;
        let mut y = Array2::zeros((x.nrows(), self.outputs));
        let (params, cache, mode) = (&self.params[..], &mut Cache::new(), Mode::Predict);
        self.layer.forward(Forward { params, x, y: y.view_mut(), cache, mode });
        Ok(y)
    }

    /// The loss on `x` against `target`.
    ///
    /// # Errors
    /// As [`predict`](Network::predict), and whatever the loss refuses.
    pub fn loss(&self, loss: &dyn Loss<F>, x: ArrayView2<F>, target: ArrayView2<F>) -> Result<f64, Error> {
        let output = self.predict(x)?;
        loss.check(&output, &target)?;
        Ok(loss.value(&output, &target))
    }

    /// One forward and one backward pass of training, with everything that came out of them. Random layers use key 0;
    /// see [`Workspace::key`] for another.
    ///
    /// # Errors
    /// As [`loss`](Network::loss), and [`Error::Layer`] for a batch too small to train on.
    pub fn loss_and_gradients(
        &self,
        loss: &dyn Loss<F>,
        x: ArrayView2<F>,
        target: ArrayView2<F>,
    ) -> Result<Pass<F>, Error> {
        let mut workspace = Workspace::new().flush_subnormals(false);
        let mut grad_input = Array2::zeros(x.dim());
        let loss = self.gradients(loss, x, target, &mut workspace, Some(grad_input.view_mut()))?;
        let Workspace { output, grads, .. } = workspace;
        Ok(Pass { loss, output: output.view().to_owned(), grads: grads.to_vec(), grad_input })
    }

    /// The same without any new memory once `workspace` has served a batch of this size: returns the loss, leaves the
    /// gradients in [`workspace.grads`](Workspace::grads) and, if asked for, that of the input in `dx`.
    ///
    /// # Errors
    /// As [`loss_and_gradients`](Network::loss_and_gradients).
    pub fn gradients(
        &self,
        loss: &dyn Loss<F>,
        x: ArrayView2<F>,
        target: ArrayView2<F>,
        workspace: &mut Workspace<F>,
        dx: Option<ArrayViewMut2<F>>,
    ) -> Result<f64, Error> {
        self.run_forward(x, workspace)?;
        let Workspace { cache, output, doutput, grads, flush, .. } = workspace;
        loss.check(&output.view(), &target)?;
        let value = loss.gradient(&output.view(), &target, &mut doutput.resize(x.nrows(), self.outputs));
        flushing(*flush, || self.run_backward(x, output.view(), doutput.view(), cache, grads, dx));
        Ok(value)
    }

    /// The forward pass of training, whose intermediate results stay in `workspace`.
    fn run_forward(&self, x: ArrayView2<F>, workspace: &mut Workspace<F>) -> Result<(), Error> {
        self.check_input(x)?;
        self.check_batch(x.nrows())?;
        let Workspace { cache, output, key, .. } = workspace;
        let y = output.resize(x.nrows(), self.outputs);
        self.layer.forward(Forward { params: &self.params, x, y, cache, mode: Mode::Train { key: *key } });
        Ok(())
    }

    /// The backward pass that belongs to [`run_forward`](Network::run_forward).
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
        if workspace.output.view().nrows() == 0 || workspace.grads.len() != self.params.len() {
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
    pub fn check_input(&self, x: ArrayView2<F>) -> Result<(), Error> {
        if x.ncols() != self.inputs {
            output_features(&*self.layer, x.ncols())?;
            // A layer that accepts any width does not fail, but the parameters after it fit only one.
            return same_shape("columns of x", &[self.inputs], &[x.ncols()]);
        }
        Ok(())
    }
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

/// What one forward and backward pass of a network gave.
#[derive(Debug, Clone)]
pub struct Pass<F> {
    /// The loss, a mean over rows and outputs.
    pub loss: f64,
    /// The network's output, `(rows, outputs)`.
    pub output: Array2<F>,
    /// The gradient of the loss in every parameter, laid out as [`Network::params`]. [`Network::named`] takes it apart.
    pub grads: Vec<F>,
    /// The gradient of the loss in the input, `(rows, inputs)`.
    pub grad_input: Array2<F>,
}

/// Memory for training passes, made once and used again: the caches of all layers, the output, and the gradients.
#[derive(Debug, Clone)]
pub struct Workspace<F> {
    cache: Cache<F>,
    output: Buffer<F>,
    doutput: Buffer<F>,
    /// What the randomness of the next training passes follows from: 0 until it is set. Passes with the same key have
    /// the same `Dropout` masks; `fit` sets another for every step, from its seed.
    pub key: u64,
    /// The gradient of the loss in every parameter, as the last pass left it.
    pub grads: Flat<F>,
    /// What the running statistics were before the last step's were folded in.
    statistics: Vec<F>,
    flush: bool,
}

impl<F: Scalar> Default for Workspace<F> {
    fn default() -> Self {
        Workspace::new()
    }
}

impl<F: Scalar> Workspace<F> {
    /// No memory yet: it grows in the first pass.
    pub fn new() -> Self {
        Workspace {
            cache: Cache::new(),
            output: Buffer::default(),
            doutput: Buffer::default(),
            key: 0,
            grads: Flat::new(),
            statistics: Vec::new(),
            flush: true,
        }
    }

    /// Whether gradients that vanish are set to 0 before they reach the subnormal numbers, which slow many processors
    /// down a hundredfold. The default is `true`: in an `f32` network the gradient behind an activation is 0 where it
    /// would be smaller than 2⁻¹⁰⁰, 7.9e-31. Networks of `f64` are never touched, nor is
    /// [`loss_and_gradients`](Network::loss_and_gradients).
    pub fn flush_subnormals(mut self, flush: bool) -> Self {
        self.flush = flush;
        self
    }
}
