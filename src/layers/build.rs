//! From a layer to its [`LayerSpec`] and back.

use std::sync::Arc;

use super::*;
use crate::Scalar;
use crate::layer::{Kind, Layer};

impl LayerSpec {
    /// The spec of `layer`, or `None` if it or a layer inside it has none.
    pub fn of<F: Scalar>(layer: &dyn Layer<F>) -> Option<Self> {
        let description = layer.describe();
        let mut specs = description.children.iter().map(|child| LayerSpec::of(&**child.layer));
        let names = description.children.iter().map(|child| child.name.as_str());
        // The layer built from the spec calls its children "0", "1", … or "body": only then do the
        // names of the parameters agree.
        match description.kind {
            Kind::Sequential if names.clone().enumerate().all(|(i, name)| name == i.to_string()) => {
                Some(LayerSpec::Sequential { layers: specs.collect::<Option<_>>()? })
            }
            Kind::Residual { scale } if names.clone().eq(["body"]) => match specs.next()?? {
                LayerSpec::Sequential { layers: body } => Some(LayerSpec::Residual { scale, body }),
                _ => None,
            },
            _ => description.spec?.downcast().ok().map(|spec| *spec),
        }
    }

    /// The layer with these options. [`Network`](crate::Network) checks whether its sizes fit.
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
            LayerSpec::RMSNorm { features, eps } => Arc::new(RMSNorm::new(*features).eps(*eps)),
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
