//! The contract of a layer: the trait, the arguments of its passes, and its description.
//!
//! | item | in one sentence |
//! |---|---|
//! | [`Layer`] | a function of `(params, x)` with its two derivatives |
//! | [`Forward`], [`Backward`], [`Jvp`], [`BackwardJvp`] | the arguments of the passes |
//! | [`Mode`] | training or prediction |
//! | [`Description`], [`Child`], [`Kind`] | what a layer is: name, kind, options, children |

use std::any::{Any, type_name};
use std::fmt::Debug;
use std::sync::Arc;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::error::LayerProblem;
use crate::params::{ParamSpec, count};
use crate::{Scalar, random};

pub use crate::cache::{Buffer, Cache};

/// A pure function of `(params, x)`. A layer contains its sizes and options, but no weights.
///
/// The weights are a slice of the network's flat parameter vector and are passed to every call.
/// Whatever a pass saves for a later one is in the caller's [`Cache`]. Matrices hold one sample per
/// row. The caller has checked all shapes with [`output_features`](Layer::output_features) and
/// allocated the outputs, so a pass neither fails nor allocates. Outputs hold arbitrary numbers
/// before they are written.
///
/// A container calls its children in order (forward) or in reverse (backward), and is a layer
/// itself.
///
/// The example `custom_layer` shows a user's layer;
/// [`gradcheck::layer`](crate::gradcheck::layer) checks one against this contract.
pub trait Layer<F: Scalar>: Debug + Send + Sync {
    /// The number of output features per row for `inputs` input features.
    ///
    /// # Errors
    /// If the input width does not match, or the layer was built with invalid arguments. The caller
    /// adds the layer's path and name.
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem>;

    /// Name, kind, options, parameters and children. Default: the type's name, no parameters, and
    /// nothing else is known.
    fn describe(&self) -> Description<'_, F> {
        Description::opaque::<Self>()
    }

    /// Writes `y = f(x; params)`. In [`Mode::Train`], also saves in `cache` what the other passes
    /// need besides `x` and `y`.
    fn forward(&self, pass: Forward<'_, F>);

    /// The vector-Jacobian product (reverse mode): from `dy = ∂L/∂y`, writes `∂L/∂params` to every
    /// entry of `grads`, and `∂L/∂x` to every entry of `dx` if it is requested.
    fn backward(&self, pass: Backward<'_, F>);

    /// The Jacobian-vector product (forward mode): writes the first-order change `dy` of the output
    /// for a change `dx` of the input and `dparams` of the parameters.
    ///
    /// # Errors
    /// [`LayerProblem::NoJvp`], the default, if the layer has no forward mode.
    fn jvp(&self, pass: Jvp<'_, F>) -> Result<(), LayerProblem> {
        let _ = pass;
        Err(LayerProblem::NoJvp)
    }

    /// The derivative of [`backward`](Layer::backward) along a direction (forward over reverse),
    /// for Hessian-vector products. With a dot for the change along the direction of the last
    /// [`jvp`](Layer::jvp): from `dy` and its change `dy_dot`, writes the change of `∂L/∂params` to
    /// every entry of `grads_dot`, and `∂L/∂x` and its change to `dx` if they are requested.
    ///
    /// # Errors
    /// [`LayerProblem::NoBackwardJvp`], the default, if the layer has no second derivatives.
    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let _ = pass;
        Err(LayerProblem::NoBackwardJvp)
    }

    /// Updates the non-trainable parameters, such as running means, from the last training pass.
    /// Called after a successful optimizer step. Default: nothing. Containers call it for their
    /// children.
    fn update_running_stats(&self, params: &mut [F], cache: &mut Cache<F>) {
        let _ = (params, cache);
    }
}

/// The arguments of [`Layer::forward`].
#[derive(Debug)]
pub struct Forward<'a, F> {
    /// The layer's parameters.
    pub params: &'a [F],
    /// The input, `(rows, inputs)`.
    pub x: ArrayView2<'a, F>,
    /// The output, `(rows, outputs)`: to be written.
    pub y: ArrayViewMut2<'a, F>,
    /// Memory for what the pass saves.
    pub cache: &'a mut Cache<F>,
    /// Training or prediction.
    pub mode: Mode,
}

/// The arguments of [`Layer::backward`].
#[derive(Debug)]
pub struct Backward<'a, F> {
    /// The layer's parameters.
    pub params: &'a [F],
    /// The input of the forward pass, `(rows, inputs)`.
    pub x: ArrayView2<'a, F>,
    /// The output of the forward pass, `(rows, outputs)`.
    pub y: ArrayView2<'a, F>,
    /// `∂L/∂y`, `(rows, outputs)`.
    pub dy: ArrayView2<'a, F>,
    /// `∂L/∂params`, in the order of `params`: to be written.
    pub grads: &'a mut [F],
    /// `∂L/∂x`, `(rows, inputs)`: to be written. `None` if it is not needed, as for the first layer
    /// of a network in training.
    pub dx: Option<ArrayViewMut2<'a, F>>,
    /// The values saved by the forward pass. A backward pass may use further buffers for its own
    /// work.
    pub cache: &'a mut Cache<F>,
}

/// The arguments of [`Layer::jvp`].
#[derive(Debug)]
pub struct Jvp<'a, F> {
    /// The layer's parameters.
    pub params: &'a [F],
    /// The change of the parameters, in the order of `params`.
    pub dparams: &'a [F],
    /// The input of the forward pass, `(rows, inputs)`.
    pub x: ArrayView2<'a, F>,
    /// The output of the forward pass, `(rows, outputs)`.
    pub y: ArrayView2<'a, F>,
    /// The change of the input, `(rows, inputs)`.
    pub dx: ArrayView2<'a, F>,
    /// The change of the output, `(rows, outputs)`: to be written.
    pub dy: ArrayViewMut2<'a, F>,
    /// The values saved by the forward pass.
    pub cache: &'a mut Cache<F>,
}

/// The arguments of [`Layer::backward_jvp`].
#[derive(Debug)]
pub struct BackwardJvp<'a, F> {
    /// The layer's parameters.
    pub params: &'a [F],
    /// The change of the parameters: `dparams` of the forward-mode pass.
    pub params_dot: &'a [F],
    /// The input of the forward pass, `(rows, inputs)`.
    pub x: ArrayView2<'a, F>,
    /// The change of the input, `(rows, inputs)`: `dx` of the forward-mode pass.
    pub x_dot: ArrayView2<'a, F>,
    /// The output of the forward pass, `(rows, outputs)`.
    pub y: ArrayView2<'a, F>,
    /// `∂L/∂y`, `(rows, outputs)`.
    pub dy: ArrayView2<'a, F>,
    /// The change of `∂L/∂y`.
    pub dy_dot: ArrayView2<'a, F>,
    /// The change of `∂L/∂params`, in the order of `params`: to be written.
    pub grads_dot: &'a mut [F],
    /// `∂L/∂x` and its change, `(rows, inputs)` each: to be written.
    pub dx: Option<[ArrayViewMut2<'a, F>; 2]>,
    /// The values saved by the forward pass.
    pub cache: &'a mut Cache<F>,
}

/// The purpose of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A backward or forward-mode pass follows: everything it needs is saved.
    Train {
        /// The seed of all randomness in this pass and layer: the same key gives the same
        /// [`Dropout`](crate::layers::Dropout) mask. [`child`](Mode::child) derives one key per
        /// child.
        key: u64,
    },
    /// Only the output is needed: nothing is saved, so memory does not grow with depth, and nothing
    /// is random.
    Predict,
}

impl Mode {
    /// The mode of a container's child at `index`: the same, with its own key.
    pub fn child(self, index: usize) -> Mode {
        match self {
            Mode::Train { key } => Mode::Train { key: random::mix(key, index as u64) },
            Mode::Predict => Mode::Predict,
        }
    }
}

/// The description of a layer, for summaries, error messages, model files and the gradient
/// laboratory.
///
/// ```
/// use geartrain::layer::{Description, Kind};
/// let description = Description::<f32>::named("Scale(3)").input_features(3);
/// assert_eq!((description.name.as_str(), description.kind), ("Scale(3)", Kind::Opaque));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Description<'a, F> {
    /// The layer in a few words, such as `Linear(7, 64)`.
    pub name: String,
    /// What kind of function it is. Default: [`Kind::Opaque`].
    pub kind: Kind,
    /// The layer's options as data from which it can be built again. geartrain's layers use
    /// [`LayerSpec`](crate::layers::LayerSpec), which model files contain; containers leave it out,
    /// because their specs follow from `kind` and `children`. Default: `None`.
    pub spec: Option<Box<dyn Any>>,
    /// The parameters of the layer itself, in the order of `params`. Those of
    /// the children follow, in order. Default: none.
    pub params: Vec<ParamSpec>,
    /// The layers inside it, in order. Default: none.
    pub children: Vec<Child<'a, F>>,
    /// The least number of rows in a training batch that the layer itself needs, whatever its
    /// children need. Default: 1.
    pub min_batch_size: usize,
    /// The input width, if the layer accepts only one. Default: `None`.
    pub input_features: Option<usize>,
    /// Whether the layer itself, whatever its children do, computes each row of the output from the
    /// same row of the input, without randomness. A network of such layers computes a large
    /// training batch in [slices](crate::network::Slices). Default: `false`.
    pub row_by_row: bool,
}

impl<'a, F: Scalar> Description<'a, F> {
    /// A description with only a name.
    pub fn named(name: impl Into<String>) -> Self {
        Description {
            name: name.into(),
            kind: Kind::Opaque,
            spec: None,
            params: Vec::new(),
            children: Vec::new(),
            min_batch_size: 1,
            input_features: None,
            row_by_row: false,
        }
    }

    /// A description with only the name of the type `L`, without its path.
    pub fn opaque<L: ?Sized>() -> Self {
        let path = type_name::<L>();
        let end = path.find('<').unwrap_or(path.len());
        Description::named(path[..end].rsplit("::").next().unwrap_or(path))
    }

    /// Sets [`kind`](Description::kind).
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets [`spec`](Description::spec).
    pub fn spec(mut self, spec: impl Any) -> Self {
        self.spec = Some(Box::new(spec));
        self
    }

    /// Sets [`params`](Description::params).
    pub fn params(mut self, params: impl IntoIterator<Item = ParamSpec>) -> Self {
        self.params = params.into_iter().collect();
        self
    }

    /// Adds a child called `name`: the prefix of its parameters' names.
    pub fn child(mut self, name: impl Into<String>, layer: &'a Arc<dyn Layer<F>>) -> Self {
        self.children.push(Child { name: name.into(), layer });
        self
    }

    /// Sets [`min_batch_size`](Description::min_batch_size).
    pub fn min_batch_size(mut self, rows: usize) -> Self {
        self.min_batch_size = rows;
        self
    }

    /// Sets [`input_features`](Description::input_features).
    pub fn input_features(mut self, inputs: impl Into<Option<usize>>) -> Self {
        self.input_features = inputs.into();
        self
    }

    /// Sets [`row_by_row`](Description::row_by_row) to `true`.
    pub fn row_by_row(mut self) -> Self {
        self.row_by_row = true;
        self
    }

    /// The parameters of the layer and of all layers inside it, in the order of `params`. The name
    /// of a child is a prefix of its parameters' names.
    pub fn all_params(&self) -> Vec<ParamSpec> {
        let children = self.children.iter().flat_map(|child| {
            let params = child.layer.describe().all_params();
            params.into_iter().map(|spec| spec.inside(&child.name))
        });
        self.params.iter().cloned().chain(children).collect()
    }

    /// The number of entries of [`all_params`](Description::all_params), saturating at
    /// `usize::MAX`.
    pub fn param_count(&self) -> usize {
        let children = self.children.iter().map(|child| child.layer.describe().param_count());
        children.fold(count(&self.params), usize::saturating_add)
    }

    /// The children, each with its input width, if this layer reads `inputs` features: in a
    /// [`Kind::Sequential`], what the child before it writes, and otherwise `inputs`. Ends before
    /// the first child that does not fit.
    pub fn children_reading(&self, inputs: usize) -> impl Iterator<Item = (&Child<'a, F>, usize)> {
        let mut next = Some(inputs);
        self.children.iter().map_while(move |child| {
            let inputs = next?;
            if self.kind == Kind::Sequential {
                next = child.layer.output_features(inputs).ok();
            }
            Some((child, inputs))
        })
    }
}

/// A layer inside another.
#[derive(Debug, Clone)]
pub struct Child<'a, F> {
    /// Its name in paths: `0`, `1`, … in a `Sequential`, `body` in a `Residual`.
    pub name: String,
    /// The layer, as an `Arc` so that another network can share it.
    pub layer: &'a Arc<dyn Layer<F>>,
}

/// What kind of function a layer is. The gradient laboratory (crate `geartrain-lab`) uses it to
/// open containers and to predict how a layer changes signals and gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// `y = φ(x)`, each number by itself. Every [`Elementwise`](crate::layers::Elementwise) has
    /// this kind.
    Elementwise,
    /// `y = x Wᵀ + b` with parameters `weight`, `outputs × inputs`, and optionally `bias`.
    Linear,
    /// The children one after the other.
    Sequential,
    /// `y = x + scale · child(x)`.
    Residual {
        /// The factor of the only child's output.
        scale: f64,
    },
    /// Each row shifted to mean 0 and scaled to variance 1; parameters `weight` and `bias`.
    LayerNorm {
        /// Added to the variance.
        eps: f64,
    },
    /// Each row scaled to mean square 1; parameter `weight`.
    RMSNorm {
        /// Added to the mean square.
        eps: f64,
    },
    /// Each column shifted to mean 0 and scaled to variance 1; parameters `weight` and `bias`, and
    /// the non-trainable `running_mean` and `running_var`.
    BatchNorm {
        /// Added to the variance.
        eps: f64,
    },
    /// Not known.
    Opaque,
}
