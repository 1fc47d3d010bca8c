//! Changed copies of a network.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, ShapeBuilder};

use crate::activation::evaluate;
use crate::tape::Tape;
use geartrain::layer::Kind;
use geartrain::layers::{Linear, Residual, Sequential};
use geartrain::{Error, Init, Layer, Network, Scalar};

/// A layer with its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Part<F> {
    pub layer: Arc<dyn Layer<F>>,
    /// Features per row of its input.
    pub inputs: usize,
    pub params: Vec<F>,
}

/// The layers of a network, for changing and reassembling. They are shared with the original.
#[derive(Debug, Clone)]
pub(crate) struct Parts<F> {
    pub list: Vec<Part<F>>,
}

impl<F: Scalar> Parts<F> {
    /// The layers of `network`; `None` if its outermost layer is not a `Sequential`.
    pub fn of(network: &Network<F>) -> Option<Self> {
        let parts = Parts::inside(network.layer(), network.inputs(), network.params());
        (network.layer().describe().kind == Kind::Sequential && !parts.list.is_empty()).then_some(parts)
    }

    fn inside(sequence: &dyn Layer<F>, mut inputs: usize, params: &[F]) -> Self {
        let mut start = 0;
        let mut part = |layer: &Arc<dyn Layer<F>>| {
            let end = start + layer.describe().param_count();
            let part = Part { layer: layer.clone(), inputs, params: params[start..end].to_vec() };
            (start, inputs) = (end, layer.output_features(inputs).unwrap_or(inputs));
            part
        };
        Parts { list: sequence.describe().children.iter().map(|child| part(child.layer)).collect() }
    }

    /// A network of these layers in sequence, with their parameters.
    pub fn build(self) -> Result<Network<F>, Error> {
        let inputs = self.list.first().map_or(0, |part| part.inputs);
        let (layer, params) = self.sequence();
        let mut network = Network::with_inputs(layer, inputs)?;
        network.params_mut().copy_from_slice(&params);
        Ok(network)
    }

    fn sequence(self) -> (Sequential<F>, Vec<F>) {
        let start = (Sequential::new(), Vec::new());
        self.list.into_iter().fold(start, |(layers, mut params), part| {
            params.extend(part.params);
            (layers.then_shared(part.layer), params)
        })
    }

    /// Applies `change` to every list of layers: the outermost one and the bodies of skip
    /// connections.
    pub fn changed(self, change: &dyn Fn(Vec<Part<F>>) -> Vec<Part<F>>) -> Self {
        let list = self.list.into_iter().map(|part| match part.layer.describe().kind {
            Kind::Residual { scale } => part.with_body(scale, |body| body.changed(change)),
            _ => part,
        });
        Parts { list: change(list.collect()) }
    }
}

impl<F: Scalar> Part<F> {
    /// A new layer with parameters drawn with `seed`.
    pub fn new(layer: impl Layer<F> + 'static, inputs: usize, seed: u64) -> Self {
        let layer: Arc<dyn Layer<F>> = Arc::new(layer);
        let params = match Network::from_layer(layer.clone(), inputs) {
            Ok(network) => network.with_seed(seed).params().to_vec(),
            Err(_) => Vec::new(), // `build` returns the same error
        };
        Part { layer, inputs, params }
    }

    /// `x + scale · body(x)`.
    pub fn skip(body: Vec<Part<F>>, scale: f64) -> Self {
        let inputs = body.first().map_or(0, |part| part.inputs);
        let (body, params) = Parts { list: body }.sequence();
        Part { layer: Arc::new(Residual::new(body).scale(scale)), inputs, params }
    }

    /// For a skip connection, the same with a changed body and another scale.
    pub fn with_body(&self, scale: f64, change: impl FnOnce(Parts<F>) -> Parts<F>) -> Self {
        let Some(child) = self.layer.describe().children.pop() else { return self.clone() };
        if child.layer.describe().kind != Kind::Sequential {
            return self.clone();
        }
        Part::skip(change(Parts::inside(&**child.layer, self.inputs, &self.params)).list, scale)
    }

    /// The number of outputs of a linear layer; `None` for other layers.
    pub fn linear(&self) -> Option<usize> {
        (self.layer.describe().kind == Kind::Linear)
            .then(|| self.layer.output_features(self.inputs).ok())
            .flatten()
    }

    /// For a linear layer, one of the same size with new weights and a normal bias of variance
    /// `bias_variance`.
    pub fn drawn(&self, weight: Init, bias_variance: f64, seed: u64) -> Self {
        let Some(outputs) = self.linear() else { return self.clone() };
        let bias = Init::normal(bias_variance.sqrt());
        Part::new(Linear::new(self.inputs, outputs).init(weight).bias_init(bias), self.inputs, seed)
    }

    /// For a linear layer, one whose bias subtracts `level` from every input: `W (h − level)`.
    pub fn centred(mut self, level: f64) -> Self {
        let Some(outputs) = self.linear() else { return self };
        let (weight, bias) = self.params.split_at_mut(outputs * self.inputs);
        let weight =
            ArrayView2::from_shape((outputs, self.inputs).f(), &*weight).expect("a linear layer's weight");
        for (bias, row) in bias.iter_mut().zip(weight.rows()) {
            *bias = F::of(-level) * row.iter().copied().sum::<F>();
        }
        self
    }
}

/// The first activation of a network, and its value and slope at 0.
pub(crate) fn activation_at_zero<'n, F: Scalar>(tape: &Tape<'n, F>) -> Option<(&'n dyn Layer<F>, f64, f64)> {
    let step = tape.steps.iter().find(|step| step.kind == Kind::Elementwise)?;
    let (value, slope) = evaluate(step.layer, Array2::zeros((1, 1)).view());
    Some((step.layer, value[[0, 0]].as_f64(), slope[[0, 0]].as_f64()))
}
