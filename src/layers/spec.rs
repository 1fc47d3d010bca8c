//! The options of geartrain's layers as data.

use serde::{Deserialize, Serialize};

/// A layer of this crate as data: [`of`](LayerSpec::of) reads it from a layer,
/// [`build`](LayerSpec::build) makes the layer.
///
/// A spec has everything that a layer's output depends on, but not its initialisation, which
/// matters only before training. User-defined layers have no spec.
///
/// ```
/// use geartrain::{layers::LayerSpec, prelude::*};
/// let layers = Sequential::<f32>::new().then(Linear::new(2, 3)).then(Tanh);
/// let spec = LayerSpec::of(&layers).unwrap();
/// assert_eq!(LayerSpec::of(&*spec.build::<f64>()), Some(spec));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum LayerSpec {
    /// [`Linear`](super::Linear).
    Linear {
        /// Input features per row.
        inputs: usize,
        /// Output features per row.
        outputs: usize,
        /// Whether it has a bias.
        bias: bool,
    },
    /// [`Sigmoid`](super::Sigmoid).
    Sigmoid,
    /// [`Tanh`](super::Tanh).
    Tanh,
    /// [`ReLU`](super::ReLU).
    ReLU,
    /// [`LeakyReLU`](super::LeakyReLU).
    LeakyReLU {
        /// The slope below 0.
        negative_slope: f64,
    },
    /// [`ELU`](super::ELU).
    ELU {
        /// Minus the limit at −∞.
        alpha: f64,
    },
    /// [`SELU`](super::SELU).
    SELU,
    /// [`GELU`](super::GELU).
    GELU,
    /// [`GELUTanh`](super::GELUTanh).
    GELUTanh,
    /// [`SiLU`](super::SiLU).
    SiLU,
    /// [`Softplus`](super::Softplus).
    Softplus,
    /// [`Identity`](super::Identity).
    Identity,
    /// [`Softmax`](super::Softmax).
    Softmax,
    /// [`LayerNorm`](super::LayerNorm).
    LayerNorm {
        /// Features per row.
        features: usize,
        /// ε.
        eps: f64,
    },
    /// [`RMSNorm`](super::RMSNorm).
    RMSNorm {
        /// Features per row.
        features: usize,
        /// ε; `None` for the machine epsilon of the number type.
        eps: Option<f64>,
    },
    /// [`BatchNorm`](super::BatchNorm).
    BatchNorm {
        /// Features per row.
        features: usize,
        /// ε.
        eps: f64,
        /// The weight of the newest batch in the running statistics.
        momentum: f64,
    },
    /// [`Dropout`](super::Dropout).
    Dropout {
        /// The probability of dropping.
        p: f64,
    },
    /// [`Sequential`](super::Sequential).
    Sequential {
        /// The layers in order.
        layers: Vec<LayerSpec>,
    },
    /// [`Residual`](super::Residual).
    Residual {
        /// The factor of the branch.
        scale: f64,
        /// The layers of the branch in order.
        body: Vec<LayerSpec>,
    },
}
