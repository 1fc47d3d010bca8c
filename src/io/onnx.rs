//! Models as ONNX files, for onnxruntime and others.

mod graph;
mod proto;

use std::path::Path;

pub use graph::{OnnxAttribute, OnnxConstant, OnnxGraph, OnnxType};

use super::{FileProblem, Predictor, atomic};
use crate::data::StandardScaler;
use crate::layer::Layer;
use crate::layers::{LayerSpec, SELU};
use crate::{Error, Network, Scalar};

/// Codes of number types, for `Cast`.
const FLOAT: i64 = 1;
const DOUBLE: i64 = 11;

impl<F: Scalar> Predictor<F> {
    /// Writes the model as an ONNX file (operators of version 20), whole or not at all
    /// ([`atomic::write`](super::atomic::write)).
    ///
    /// It reads `x`, any number of rows of raw data, and writes `y`, both of `f32`, in prediction
    /// mode: `Dropout` does nothing and `BatchNorm` uses its running statistics. Weights of `f64`
    /// are rounded to `f32`; the scales are applied in `f64`, as by
    /// [`predict`](Predictor::predict).
    ///
    /// # Errors
    /// [`Error::File`] with [`FileProblem::Unsupported`] and the path of a layer that is not of
    /// this crate, [`FileProblem::NonFinite`] for a weight that is no finite `f32`, and as
    /// [`atomic::write`](super::atomic::write).
    pub fn export_onnx(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let bytes = self.to_onnx().map_err(|problem| problem.at(&path))?;
        Ok(atomic::write(path, &bytes)?)
    }

    /// The contents of the file that [`export_onnx`](Predictor::export_onnx) writes.
    ///
    /// # Errors
    /// [`FileProblem`] for a layer without a counterpart in ONNX.
    pub fn to_onnx(&self) -> Result<Vec<u8>, FileProblem> {
        let mut graph = OnnxGraph::new();
        let mut value = graph.input("x", OnnxType::F32, self.network().inputs());
        if let Some(scale) = self.x_scale() {
            value = scaled(&mut graph, &value, "x", scale, ["Sub", "Div"]);
        }
        value = graph.network(self.network(), "", &value)?;
        if let Some(scale) = self.y_scale() {
            value = scaled(&mut graph, &value, "y", scale, ["Mul", "Add"]);
        }
        graph.output("y", &value, OnnxType::F32, self.network().outputs());
        Ok(graph.to_bytes())
    }
}

/// The path and name of the first layer, among `layer` and all inside it, that has no spec.
fn first_without_spec<F: Scalar>(layer: &dyn Layer<F>) -> Option<(String, String)> {
    if LayerSpec::of(layer).is_some() {
        return None;
    }
    let description = layer.describe();
    let inside = description.children.iter().find_map(|child| {
        let (path, name) = first_without_spec(&**child.layer)?;
        Some((if path.is_empty() { child.name.clone() } else { format!("{}.{path}", child.name) }, name))
    });
    Some(inside.unwrap_or((String::new(), description.name)))
}

impl OnnxGraph {
    /// Adds the layers of `network`, in prediction mode, and returns the name of their output. `x`
    /// is an `f32` matrix. The parameters are constants, whose names begin with `path`, unless it
    /// is empty.
    ///
    /// # Errors
    /// [`FileProblem::Unsupported`] with the path of a layer that is not of this crate;
    /// [`FileProblem::NonFinite`] for a weight that is no finite `f32`.
    pub fn network<F: Scalar>(
        &mut self,
        network: &Network<F>,
        path: &str,
        x: &str,
    ) -> Result<String, FileProblem> {
        let Some(layers) = LayerSpec::of(network.layer()) else {
            let (path, layer) = first_without_spec(network.layer()).expect("one of them has no spec");
            return Err(FileProblem::Unsupported { path, layer, format: "ONNX" });
        };
        Layers { network, prefix: path, graph: self }.layer(&layers, "", x.into())
    }
}

/// The layers of a network on their way into a graph.
struct Layers<'a, F> {
    network: &'a Network<F>,
    prefix: &'a str,
    graph: &'a mut OnnxGraph,
}

impl<F: Scalar> Layers<'_, F> {
    /// Adds the nodes of a layer that reads `x`, and returns the name of what it writes.
    fn layer(&mut self, layer: &LayerSpec, path: &str, x: String) -> Result<String, FileProblem> {
        Ok(match layer {
            LayerSpec::Linear { bias, .. } => {
                let names: &[&str] = if *bias { &["weight", "bias"] } else { &["weight"] };
                let inputs = self.with_params(x, path, names)?;
                self.node("Gemm", inputs, vec![integer("transB", 1)])
            }
            LayerSpec::Sigmoid => self.node("Sigmoid", vec![x], vec![]),
            LayerSpec::Tanh => self.node("Tanh", vec![x], vec![]),
            LayerSpec::ReLU => self.node("Relu", vec![x], vec![]),
            LayerSpec::LeakyReLU { negative_slope } => {
                self.node("LeakyRelu", vec![x], vec![float("alpha", *negative_slope)])
            }
            LayerSpec::ELU { alpha } => self.node("Elu", vec![x], vec![float("alpha", *alpha)]),
            LayerSpec::SELU => {
                let constants = vec![float("alpha", SELU::ALPHA), float("gamma", SELU::SCALE)];
                self.node("Selu", vec![x], constants)
            }
            LayerSpec::GELU => self.node("Gelu", vec![x], vec![]),
            LayerSpec::GELUTanh => self.node("Gelu", vec![x], vec![text("approximate", "tanh")]),
            LayerSpec::SiLU => {
                let sigmoid = self.node("Sigmoid", vec![x.clone()], vec![]);
                self.node("Mul", vec![x, sigmoid], vec![])
            }
            LayerSpec::Softplus => self.node("Softplus", vec![x], vec![]),
            LayerSpec::Softmax => self.node("Softmax", vec![x], vec![integer("axis", -1)]),
            LayerSpec::LayerNorm { eps, .. } => {
                let inputs = self.with_params(x, path, &["weight", "bias"])?;
                self.node("LayerNormalization", inputs, vec![integer("axis", -1), float("epsilon", *eps)])
            }
            LayerSpec::RMSNorm { eps, .. } => {
                // RMSNormalization came with a later version of the operators, so it is written
                // out.
                let eps = self.number(eps.unwrap_or(F::epsilon().as_f64()));
                let axes = self.graph.constant(&[1], OnnxConstant::I64(vec![-1]));
                let square = self.node("Mul", vec![x.clone(), x.clone()], vec![]);
                let mean = self.node("ReduceMean", vec![square, axes], vec![]);
                let sum = self.node("Add", vec![mean, eps], vec![]);
                let root = self.node("Sqrt", vec![sum], vec![]);
                let normal = self.node("Div", vec![x, root], vec![]);
                let inputs = self.with_params(normal, path, &["weight"])?;
                self.node("Mul", inputs, vec![])
            }
            LayerSpec::BatchNorm { eps, .. } => {
                let inputs = self.with_params(x, path, &["weight", "bias", "running_mean", "running_var"])?;
                self.node("BatchNormalization", inputs, vec![float("epsilon", *eps)])
            }
            LayerSpec::Identity | LayerSpec::Dropout { .. } => x,
            LayerSpec::Sequential { layers } => self.sequence(layers, path, x)?,
            LayerSpec::Residual { scale, body } => {
                let mut branch = self.sequence(body, &join(path, "body"), x.clone())?;
                if *scale != 1.0 {
                    let scale = self.number(*scale);
                    branch = self.node("Mul", vec![branch, scale], vec![]);
                }
                self.node("Add", vec![x, branch], vec![])
            }
        })
    }

    fn sequence(&mut self, layers: &[LayerSpec], path: &str, x: String) -> Result<String, FileProblem> {
        let layers = layers.iter().enumerate();
        layers.into_iter().try_fold(x, |x, (i, layer)| self.layer(layer, &join(path, &i.to_string()), x))
    }

    /// A constant number.
    fn number(&mut self, value: f64) -> String {
        self.graph.constant(&[], OnnxConstant::F32(vec![value as f32]))
    }

    /// `x` and the parameters `names` of the layer at `path`, as the inputs of a node.
    fn with_params(&mut self, x: String, path: &str, names: &[&str]) -> Result<Vec<String>, FileProblem> {
        let mut inputs = vec![x];
        for name in names {
            let name = join(path, name);
            let tensor = self.network.param(&name).map_err(FileProblem::description)?;
            for (index, value) in tensor.indexed_iter() {
                if !(value.as_f64() as f32).is_finite() {
                    let index = ndarray::Dimension::slice(&index).to_vec();
                    let name = join(self.prefix, &name);
                    return Err(FileProblem::NonFinite { name, index, value: value.as_f64() });
                }
            }
            let values = tensor.iter().map(|value| value.as_f64() as f32).collect();
            let (name, shape) = (join(self.prefix, &name), tensor.shape().to_vec());
            inputs.push(self.graph.named_constant(name, &shape, OnnxConstant::F32(values)));
        }
        Ok(inputs)
    }

    /// Adds a node and returns the name of its output.
    fn node(
        &mut self,
        operation: &str,
        inputs: Vec<String>,
        attributes: Vec<(&str, OnnxAttribute)>,
    ) -> String {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.graph.node(operation, &inputs, attributes)
    }
}

/// `value` transformed in `f64` by two operations, with the means and the standard deviations of
/// `scale` as their second operands: `(x − mean) / std` or `y · std + mean`.
fn scaled(
    graph: &mut OnnxGraph,
    value: &str,
    part: &str,
    scale: &StandardScaler,
    operations: [&str; 2],
) -> String {
    let [mean, std] = [("mean", scale.mean()), ("std", scale.std())].map(|(what, numbers)| {
        let entries = OnnxConstant::F64(numbers.to_vec());
        graph.named_constant(format!("{part}_{what}"), &[numbers.len()], entries)
    });
    let operands = if operations[0] == "Sub" { [mean, std] } else { [std, mean] };
    let mut value = graph.node("Cast", &[value], vec![("to", OnnxAttribute::Integer(DOUBLE))]);
    for (operation, operand) in operations.into_iter().zip(operands) {
        value = graph.node(operation, &[&value, &operand], vec![]);
    }
    graph.node("Cast", &[&value], vec![("to", OnnxAttribute::Integer(FLOAT))])
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}.{name}") }
}

fn float(name: &str, value: f64) -> (&str, OnnxAttribute) {
    (name, OnnxAttribute::Float(value as f32))
}

fn integer(name: &str, value: i64) -> (&str, OnnxAttribute) {
    (name, OnnxAttribute::Integer(value))
}

fn text<'a>(name: &'a str, value: &str) -> (&'a str, OnnxAttribute) {
    (name, OnnxAttribute::Text(value.into()))
}
