//! The multilayer perceptron, built in one call.

use std::sync::Arc;

use super::{BatchNorm, Dropout, LayerNorm, Linear, RMSNorm, ReLU, Residual, Sequential};
use crate::layer::Layer;
use crate::{Init, Scalar};

/// The normalisation before each activation of an [`Mlp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Norm {
    /// [`BatchNorm`] over the rows of a batch.
    Batch,
    /// [`LayerNorm`] over each row.
    Layer,
    /// [`RMSNorm`] over each row.
    Rms,
}

/// A builder of multilayer perceptrons: linear layers with an activation after each but the last.
///
/// Each hidden layer is `Linear`, normalisation, activation, `Dropout`, of which only the linear
/// layer and the activation are there by default.
///
/// ```
/// use geartrain::{layers::{Mlp, Tanh}, prelude::*};
///
/// let layers = Mlp::new(&[7, 64, 64, 1]).activation(Tanh).dropout(0.1).residual(true).build();
/// let network = Network::<f32>::new(layers)?;
/// assert_eq!((network.inputs(), network.outputs()), (7, 1));
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mlp<F> {
    widths: Vec<usize>,
    activation: Arc<dyn Layer<F>>,
    norm: Option<Norm>,
    dropout: Option<f64>,
    residual: bool,
    init: Option<Init>,
}

impl<F: Scalar> Mlp<F> {
    /// A perceptron with these widths, from the input to the output, and [`ReLU`] activations. With
    /// fewer than two widths there is no layer.
    pub fn new(widths: &[usize]) -> Self {
        Mlp {
            widths: widths.to_vec(),
            activation: Arc::new(ReLU),
            norm: None,
            dropout: None,
            residual: false,
            init: None,
        }
    }

    /// Sets the activation. Default: [`ReLU`].
    pub fn activation(mut self, activation: impl Layer<F> + 'static) -> Self {
        self.activation = Arc::new(activation);
        self
    }

    /// Normalises before each activation. Default: no normalisation.
    pub fn norm(mut self, norm: Norm) -> Self {
        self.norm = Some(norm);
        self
    }

    /// Sets the dropout probability of the hidden units in training. Default: no
    /// [`Dropout`] layers.
    pub fn dropout(mut self, p: f64) -> Self {
        self.dropout = Some(p);
        self
    }

    /// Whether a hidden layer that is as wide as the hidden layer before it has a skip connection
    /// ([`Residual`]). Default: false.
    pub fn residual(mut self, residual: bool) -> Self {
        self.residual = residual;
        self
    }

    /// Sets the initialisation of all weights, not of the biases. Default: that of [`Linear`].
    pub fn init(mut self, init: Init) -> Self {
        self.init = Some(init);
        self
    }

    /// The layers.
    pub fn build(self) -> Sequential<F> {
        let mut layers = Sequential::new();
        let hidden = self.widths.len().saturating_sub(2);
        for (i, pair) in self.widths.windows(2).enumerate() {
            let [inputs, outputs] = [pair[0], pair[1]];
            layers = if i == hidden {
                layers.then(self.linear(inputs, outputs))
            } else if self.residual && i > 0 && inputs == outputs {
                layers.then(Residual::new(self.hidden(Sequential::new(), inputs, outputs)))
            } else {
                self.hidden(layers, inputs, outputs)
            };
        }
        layers
    }

    fn linear(&self, inputs: usize, outputs: usize) -> Linear {
        let linear = Linear::new(inputs, outputs);
        self.init.map_or(linear.clone(), |init| linear.init(init))
    }

    /// `layers` and one hidden layer.
    fn hidden(&self, layers: Sequential<F>, inputs: usize, outputs: usize) -> Sequential<F> {
        let layers = layers.then(self.linear(inputs, outputs));
        let layers = match self.norm {
            None => layers,
            Some(Norm::Batch) => layers.then(BatchNorm::new(outputs)),
            Some(Norm::Layer) => layers.then(LayerNorm::new(outputs)),
            Some(Norm::Rms) => layers.then(RMSNorm::new(outputs)),
        };
        let layers = layers.then_shared(self.activation.clone());
        match self.dropout {
            None => layers,
            Some(p) => layers.then(Dropout::new(p)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;
    use crate::layers::Tanh;

    #[test]
    fn layers_come_in_order() {
        let layers = Mlp::<f64>::new(&[3, 8, 8, 2]).activation(Tanh).norm(Norm::Layer).dropout(0.2);
        let network = Network::new(layers.clone().build()).unwrap();
        let summary = network.summary().to_string();
        let places: Vec<_> =
            ["Linear(3, 8)", "LayerNorm(8)", "Tanh", "Dropout", "Linear(8, 8)", "Linear(8, 2)"]
                .map(|layer| summary.find(layer).unwrap_or_else(|| panic!("no {layer} in\n{summary}")))
                .to_vec();
        assert!(places.is_sorted(), "{summary}");
        let residual = Network::new(layers.residual(true).build()).unwrap().summary().to_string();
        assert_eq!(residual.matches("Residual").count(), 1, "{residual}");
    }

    #[test]
    fn one_pair_of_widths_is_a_linear_model() {
        let network = Network::<f32>::new(Mlp::new(&[4, 2]).init(Init::constant(0.0)).build()).unwrap();
        assert_eq!(network.params()[..8], [0.0; 8]);
        assert_eq!(network.params().len(), 10);
    }
}
