//! Layers as data: what a model file says about the architecture.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::layers::*;
use crate::{Layer, Scalar};

/// A layer of this crate as data. [`Layer::spec`] tells it, [`build`](LayerSpec::build) makes the layer again.
///
/// Everything that a layer computes from is here, but not how it was initialised: that only matters before training. A
/// layer of a user's own has no such form.
///
/// ```
/// use geartrain::{LayerSpec, prelude::*};
/// let layers = Sequential::<f32>::new().then(Linear::new(2, 3)).then(Tanh);
/// let spec = layers.spec().unwrap();
/// assert_eq!(spec.build::<f64>().spec(), Some(spec));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum LayerSpec {
    /// [`Linear`].
    Linear {
        /// Features read per row.
        inputs: usize,
        /// Features written per row.
        outputs: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// [`Sigmoid`].
    Sigmoid,
    /// [`Tanh`].
    Tanh,
    /// [`ReLU`].
    ReLU,
    /// [`LeakyReLU`].
    LeakyReLU {
        /// The slope below 0.
        negative_slope: f64,
    },
    /// [`ELU`].
    ELU {
        /// Minus the limit for very negative numbers.
        alpha: f64,
    },
    /// [`SELU`].
    SELU,
    /// [`GELU`].
    GELU,
    /// [`GELUTanh`].
    GELUTanh,
    /// [`SiLU`].
    SiLU,
    /// [`Softplus`].
    Softplus,
    /// [`Identity`].
    Identity,
    /// [`Softmax`].
    Softmax,
    /// [`LayerNorm`].
    LayerNorm {
        /// Features per row.
        features: usize,
        /// ε.
        eps: f64,
    },
    /// [`BatchNorm`].
    BatchNorm {
        /// Features per row.
        features: usize,
        /// ε.
        eps: f64,
        /// The share of the newest batch in the running statistics.
        momentum: f64,
    },
    /// [`Dropout`].
    Dropout {
        /// The probability of dropping.
        p: f64,
    },
    /// [`Sequential`].
    Sequential {
        /// The layers in order.
        layers: Vec<LayerSpec>,
    },
    /// [`Residual`].
    Residual {
        /// What the branch is multiplied by before it is added.
        scale: f64,
        /// The layers of the branch in order.
        body: Vec<LayerSpec>,
    },
}

impl LayerSpec {
    /// The layer that this describes. Whether its sizes fit is found out by [`Network::new`](crate::Network::new).
    pub fn build<F: Scalar>(&self) -> Arc<dyn Layer<F>> {
        match self {
            LayerSpec::Linear { inputs, outputs, bias: true } => Arc::new(Linear::new(*inputs, *outputs)),
            LayerSpec::Linear { inputs, outputs, bias: false } => {
                Arc::new(Linear::new(*inputs, *outputs).without_bias())
            }
            LayerSpec::Sigmoid => Arc::new(Sigmoid),
            LayerSpec::Tanh => Arc::new(Tanh),
            LayerSpec::ReLU => Arc::new(ReLU),
            LayerSpec::LeakyReLU { negative_slope } => Arc::new(LeakyReLU::new(*negative_slope)),
            LayerSpec::ELU { alpha } => Arc::new(ELU::new(*alpha)),
            LayerSpec::SELU => Arc::new(SELU),
            LayerSpec::GELU => Arc::new(GELU),
            LayerSpec::GELUTanh => Arc::new(GELUTanh),
            LayerSpec::SiLU => Arc::new(SiLU),
            LayerSpec::Softplus => Arc::new(Softplus),
            LayerSpec::Identity => Arc::new(Identity),
            LayerSpec::Softmax => Arc::new(Softmax),
            LayerSpec::LayerNorm { features, eps } => Arc::new(LayerNorm::new(*features).eps(*eps)),
            LayerSpec::BatchNorm { features, eps, momentum } => {
                Arc::new(BatchNorm::new(*features).eps(*eps).momentum(*momentum))
            }
            LayerSpec::Dropout { p } => Arc::new(Dropout::new(*p)),
            LayerSpec::Sequential { layers } => Arc::new(sequence(layers)),
            LayerSpec::Residual { scale, body } => Arc::new(Residual::new(sequence(body)).scale(*scale)),
        }
    }
}

fn sequence<F: Scalar>(layers: &[LayerSpec]) -> Sequential<F> {
    layers.iter().fold(Sequential::new(), |sequence, layer| sequence.then_shared(layer.build()))
}

/// The path and name of the first layer, in `layer` and all inside it, that has no [`LayerSpec`].
#[cfg(feature = "onnx")]
pub(crate) fn first_without_spec<F: Scalar>(layer: &dyn Layer<F>, inputs: usize) -> Option<(String, String)> {
    if layer.spec().is_some() {
        return None;
    }
    let inside = layer.children(inputs).into_iter().find_map(|child| {
        let (path, name) = first_without_spec(child.layer, child.inputs)?;
        Some((if path.is_empty() { child.name } else { format!("{}.{path}", child.name) }, name))
    });
    Some(inside.unwrap_or_else(|| (String::new(), layer.name())))
}
