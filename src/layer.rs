//! The contract of a layer, and nothing else.

use std::fmt::Debug;
use std::sync::Arc;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::cache::Cache;
use crate::error::LayerProblem;
use crate::params::ParamSpec;
use crate::{Error, LayerSpec, Scalar, random};

/// A layer is a pure function of `(params, x)`: it owns its sizes, never its weights.
///
/// The weights are a slice of the network's one flat vector, handed to every call; whatever a pass has to remember is
/// in the caller's [`Cache`]. Matrices hold one sample per row. Whoever calls has checked the shapes with
/// [`output_features`](Layer::output_features) and made the matrices to be written, so a pass can neither fail nor
/// allocate. `y` and `dx` may hold anything before they are written.
///
/// A container calls the layers inside it in order (forward) or in reverse (backward) and so is a layer itself.
/// To write one of your own, see the example `custom_layer` and put it through [`gradcheck::layer`](crate::gradcheck::layer).
pub trait Layer<F: Scalar>: Debug + Send + Sync {
    /// Features written per row when `inputs` are read.
    ///
    /// # Errors
    /// [`Error::layer`] when this layer cannot read so many, or was made with arguments that cannot be.
    fn output_features(&self, inputs: usize) -> Result<usize, Error>;

    /// What this layer learns, in the order in which it lies in `params`. The only list of parameters there is.
    fn params(&self) -> Vec<ParamSpec> {
        Vec::new()
    }

    /// The layer in a few words for tables and errors, such as `Linear(7, 64)`. Default: the type's name.
    fn name(&self) -> String {
        let path = std::any::type_name::<Self>();
        let end = path.find('<').unwrap_or(path.len());
        path[..end].rsplit("::").next().unwrap_or(path).to_string()
    }

    /// The layers inside this one when it reads `inputs` features. Default: none.
    fn children(&self, inputs: usize) -> Vec<Child<'_, F>> {
        let _ = inputs;
        Vec::new()
    }

    /// The layer as data, from which the same layer can be built again: what a model file keeps of it. Default: none, and
    /// then a file holds the weights but not the architecture.
    fn spec(&self) -> Option<LayerSpec> {
        None
    }

    /// The layers inside this one, to be used in another network as well, if it holds them so. Default: none.
    fn shared(&self) -> &[Arc<dyn Layer<F>>] {
        &[]
    }

    /// What kind of function this is, for those who reason about a layer instead of running it. Default: not known.
    fn kind(&self) -> Kind {
        Kind::Opaque
    }

    /// Rows that a batch to train on must have because of this layer itself, the layers inside it not counted. Default: 1.
    fn smallest_batch(&self) -> usize {
        1
    }

    /// `y = f(x; params)`. Under [`Mode::Train`], keeps in `cache` what `backward` needs besides `x` and `y`.
    fn forward(&self, params: &[F], x: ArrayView2<F>, y: ArrayViewMut2<F>, cache: &mut Cache<F>, mode: Mode);

    /// The vector-Jacobian product: from `dy = ∂L/∂y`, writes `∂L/∂params` over all of `grads`, and `∂L/∂x` over all
    /// of `dx` if anyone wants it (nobody does for the first layer of a network in training).
    fn backward(
        &self,
        params: &[F],
        saved: Saved<'_, F>,
        dy: ArrayView2<F>,
        grads: &mut [F],
        dx: Option<ArrayViewMut2<F>>,
    );

    /// The Jacobian-vector product, forward mode: writes the change `dy` of the output when the input changes by `dx`
    /// and the parameters by `dparams`, to first order.
    ///
    /// # Errors
    /// [`LayerProblem::NoTangent`] from layers that do not implement it, which is the default.
    fn tangent(
        &self,
        params: &[F],
        dparams: &[F],
        saved: Saved<'_, F>,
        dx: ArrayView2<F>,
        dy: ArrayViewMut2<F>,
    ) -> Result<(), Error> {
        let _ = (params, dparams, saved, dx, dy);
        Err(Error::layer(self.name(), LayerProblem::NoTangent))
    }

    /// Folds what the last training pass saw into the parameters that are not trainable, such as running means. Called
    /// after an optimizer step that succeeded. Default: nothing, which is right for every layer without such parameters;
    /// containers pass it on.
    fn fold_statistics(&self, params: &mut [F], cache: &mut Cache<F>) {
        let _ = (params, cache);
    }
}

/// What the forward pass leaves for the backward pass: its input, its output, and the layer's cache.
#[derive(Debug)]
pub struct Saved<'a, F> {
    /// The input of the forward pass.
    pub x: ArrayView2<'a, F>,
    /// Its output.
    pub y: ArrayView2<'a, F>,
    /// The cache that it wrote. The backward pass may use its buffers for its own work.
    pub cache: &'a mut Cache<F>,
}

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To go back through: everything that `backward` needs is kept.
    Train {
        /// What all randomness of this pass and this layer follows from: the same key gives the same
        /// [`Dropout`](crate::layers::Dropout) mask. Each layer gets a key of its own by [`child`](Mode::child).
        key: u64,
    },
    /// Only for its output: nothing is kept, so that memory does not grow with depth, and nothing is random.
    Predict,
}

impl Mode {
    /// The mode for the layer at `index` among those inside a container: the same, with a key of its own.
    pub fn child(self, index: usize) -> Mode {
        match self {
            Mode::Train { key } => Mode::Train { key: random::mix(key, index as u64) },
            Mode::Predict => Mode::Predict,
        }
    }
}

/// A layer inside another, as [`Layer::children`] lists it.
#[derive(Debug)]
pub struct Child<'a, F> {
    /// Its name in paths: `0`, `1`, … in a `Sequential`, `body` in a `Residual`.
    pub name: String,
    /// The layer.
    pub layer: &'a dyn Layer<F>,
    /// Features per row that it reads.
    pub inputs: usize,
}

/// What kind of function a layer is: what the gradient laboratory (crate `geartrain-lab`) needs to look inside a container
/// and to predict how a layer changes signals and gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// `y = φ(x)` on every number alone. Whatever implements [`Elementwise`](crate::layers::Elementwise) is this.
    Elementwise,
    /// `y = x Wᵀ + b`, its parameters being `weight`, `outputs × inputs`, and perhaps `bias`.
    Linear,
    /// Its children one after the other.
    Sequence,
    /// `y = x + scale · child(x)`.
    Skip {
        /// What the only child's output is multiplied by.
        scale: f64,
    },
    /// Every row brought to mean 0 and variance 1; parameters `weight` and `bias`.
    LayerNorm {
        /// What is added to the variance.
        eps: f64,
    },
    /// The same for every column.
    BatchNorm {
        /// What is added to the variance.
        eps: f64,
    },
    /// Nothing is known about it.
    Opaque,
}
