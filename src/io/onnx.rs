//! Models as ONNX files, for onnxruntime and others.

mod proto;

use std::path::Path;

use prost::Message;
use proto::{Attribute, Dimension, Node, Tensor, TensorShape, TensorType, Type, ValueInfo};

use super::{FileProblem, Predictor, atomic, number};
use crate::data::StandardScaler;
use crate::layer::Layer;
use crate::layers::{LayerSpec, SELU};
use crate::{Error, Network, Scalar};

/// The version of the operators: the first with `Gelu`.
const OPERATORS: i64 = 20;
/// The version of the file format that came with these operators.
const FORMAT: i64 = 9;
const FLOAT: i32 = 1;
const INT64: i32 = 7;
const DOUBLE: i32 = 11;

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
        let network = self.network();
        let Some(layers) = LayerSpec::of(network.layer()) else {
            let (path, layer) = first_without_spec(network.layer()).expect("one of them has no spec");
            return Err(FileProblem::Unsupported { path, layer, format: "ONNX" });
        };
        let mut graph = Graph { network, nodes: Vec::new(), constants: Vec::new() };
        let mut value = "x".to_string();
        if let Some(scale) = self.x_scale() {
            value = graph.scaled(value, "x", scale, ["Sub", "Div"]);
        }
        value = graph.layer(&layers, "", value)?;
        if let Some(scale) = self.y_scale() {
            value = graph.scaled(value, "y", scale, ["Mul", "Add"]);
        }
        // The last node made the last value, unless nothing was done at all.
        match graph.nodes.last_mut() {
            Some(last) => last.output = vec!["y".into()],
            None => drop(graph.named_node("Identity", vec![value], Vec::new(), "y".into())),
        }
        let model = proto::Model {
            ir_version: FORMAT,
            producer_name: "geartrain".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPERATORS }],
            graph: Some(proto::Graph {
                name: "model".into(),
                node: graph.nodes,
                initializer: graph.constants,
                input: vec![matrix("x", network.inputs())],
                output: vec![matrix("y", network.outputs())],
            }),
        };
        Ok(model.encode_to_vec())
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

struct Graph<'a, F> {
    network: &'a Network<F>,
    nodes: Vec<Node>,
    constants: Vec<Tensor>,
}

impl<F: Scalar> Graph<'_, F> {
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
                let eps = self.constant(
                    path,
                    "eps",
                    FLOAT,
                    vec![],
                    number::encode([eps.unwrap_or(F::epsilon().as_f64()) as f32].into_iter()),
                );
                let axes = self.constant(path, "axes", INT64, vec![1], (-1_i64).to_le_bytes().to_vec());
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
                    let scale = self.constant(
                        path,
                        "scale",
                        FLOAT,
                        vec![],
                        number::encode([*scale as f32].into_iter()),
                    );
                    branch = self.node("Mul", vec![branch, scale], vec![]);
                }
                self.node("Add", vec![x, branch], vec![])
            }
        })
    }

    /// Adds a constant of the layer at `path` and returns its name.
    fn constant(
        &mut self,
        path: &str,
        name: &str,
        data_type: i32,
        dims: Vec<i64>,
        raw_data: Vec<u8>,
    ) -> String {
        let name = join(path, name);
        self.constants.push(Tensor { dims, data_type, name: name.clone(), raw_data });
        name
    }

    fn sequence(&mut self, layers: &[LayerSpec], path: &str, x: String) -> Result<String, FileProblem> {
        let layers = layers.iter().enumerate();
        layers.into_iter().try_fold(x, |x, (i, layer)| self.layer(layer, &join(path, &i.to_string()), x))
    }

    /// `value` transformed in `f64` by two operations, with the means and the standard deviations
    /// of `scale` as their second operands: `(x − mean) / std` or `y · std + mean`.
    fn scaled(&mut self, value: String, part: &str, scale: &StandardScaler, operations: [&str; 2]) -> String {
        let [mean, std] = [("mean", scale.mean()), ("std", scale.std())].map(|(what, numbers)| {
            let name = format!("{part}_{what}");
            let raw_data = number::encode(numbers.iter().copied());
            let dims = vec![numbers.len() as i64];
            self.constants.push(Tensor { dims, data_type: DOUBLE, name: name.clone(), raw_data });
            name
        });
        let operands = if operations[0] == "Sub" { [mean, std] } else { [std, mean] };
        let mut value = self.node("Cast", vec![value], vec![integer("to", DOUBLE.into())]);
        for (operation, operand) in operations.into_iter().zip(operands) {
            value = self.node(operation, vec![value, operand], vec![]);
        }
        self.node("Cast", vec![value], vec![integer("to", FLOAT.into())])
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
                    return Err(FileProblem::NonFinite { name, index, value: value.as_f64() });
                }
            }
            self.constants.push(Tensor {
                dims: tensor.shape().iter().map(|&size| size as i64).collect(),
                data_type: FLOAT,
                raw_data: number::encode(tensor.iter().map(|value| value.as_f64() as f32)),
                name: name.clone(),
            });
            inputs.push(name);
        }
        Ok(inputs)
    }

    /// Adds a node and returns the name of its output.
    fn node(&mut self, operation: &str, inputs: Vec<String>, attributes: Vec<Attribute>) -> String {
        let output = format!("value_{}", self.nodes.len());
        self.named_node(operation, inputs, attributes, output)
    }

    fn named_node(
        &mut self,
        operation: &str,
        input: Vec<String>,
        attribute: Vec<Attribute>,
        output: String,
    ) -> String {
        let name = format!("{operation}_{}", self.nodes.len());
        let output_list = vec![output.clone()];
        self.nodes.push(Node { input, output: output_list, name, op_type: operation.into(), attribute });
        output
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}.{name}") }
}

fn attribute(name: &str) -> Attribute {
    Attribute { name: name.into(), f: None, i: None, s: None, r#type: 0 }
}

fn float(name: &str, value: f64) -> Attribute {
    Attribute { f: Some(value as f32), r#type: 1, ..attribute(name) }
}

fn integer(name: &str, value: i64) -> Attribute {
    Attribute { i: Some(value), r#type: 2, ..attribute(name) }
}

fn text(name: &str, value: &str) -> Attribute {
    Attribute { s: Some(value.into()), r#type: 3, ..attribute(name) }
}

/// An `f32` matrix of any number of rows.
fn matrix(name: &str, columns: usize) -> ValueInfo {
    let rows = Dimension { dim_value: None, dim_param: Some("rows".into()) };
    let columns = Dimension { dim_value: Some(columns as i64), dim_param: None };
    let shape = Some(TensorShape { dim: vec![rows, columns] });
    let tensor_type = Some(TensorType { elem_type: FLOAT, shape });
    ValueInfo { name: name.into(), r#type: Some(Type { tensor_type }) }
}
