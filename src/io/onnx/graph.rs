//! ONNX graphs under construction.

use std::path::Path;

use prost::Message;

use super::proto::{
    Attribute, Dimension, Graph, Model, Node, OperatorSet, Tensor, TensorShape, TensorType, Type, ValueInfo,
};
use crate::io::{FileError, atomic};

/// The version of the operators: the first with `Gelu`.
const OPERATORS: i64 = 20;
/// The version of the file format that came with these operators.
const FORMAT: i64 = 9;
/// The domain of the operators for classical models, and their version.
const ML: (&str, i64) = ("ai.onnx.ml", 2);

/// The type of the entries of an input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnnxType {
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// Text in UTF-8.
    Text,
}

/// The value of an attribute of a node.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum OnnxAttribute {
    /// A number.
    Float(f32),
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
    /// Several numbers.
    Floats(Vec<f32>),
    /// Several integers.
    Integers(Vec<i64>),
    /// Several texts.
    Texts(Vec<String>),
}

/// Entries of a constant, row after row.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum OnnxConstant {
    /// `f32`.
    F32(Vec<f32>),
    /// `f64`.
    F64(Vec<f64>),
    /// `i64`.
    I64(Vec<i64>),
}

/// An ONNX model under construction (operators of version 20, and of version 2 of `ai.onnx.ml`): a
/// program adds its own operations before and after a [`network`](OnnxGraph::network). Values are
/// known by their names.
///
/// ```
/// use geartrain::io::{OnnxConstant, OnnxGraph, OnnxType};
/// use geartrain::prelude::*;
/// let network = Network::<f32>::new(Linear::new(3, 1))?;
/// let mut graph = OnnxGraph::new();
/// let x = graph.input("x", OnnxType::F32, 3);
/// let half = graph.constant(&[1], OnnxConstant::F32(vec![0.5]));
/// let x = graph.node("Mul", &[&x, &half], vec![]);
/// let y = graph.network(&network, "", &x).expect("a layer that ONNX has");
/// graph.output("y", &y, OnnxType::F32, 1);
/// assert!(!graph.to_bytes().is_empty());
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct OnnxGraph {
    graph: Graph,
}

impl OnnxGraph {
    /// An empty graph.
    pub fn new() -> Self {
        OnnxGraph { graph: Graph { name: "model".into(), ..Graph::default() } }
    }

    /// Adds an input, a matrix with any number of rows, and returns its name.
    pub fn input(&mut self, name: &str, entries: OnnxType, columns: usize) -> String {
        self.graph.input.push(matrix(name, entries, columns));
        name.into()
    }

    /// Makes `value` an output called `name`: a matrix with as many rows as the inputs.
    pub fn output(&mut self, name: &str, value: &str, entries: OnnxType, columns: usize) {
        self.graph.output.push(matrix(name, entries, columns));
        // The last node writes the output itself, if it made this value.
        match self.graph.node.last_mut() {
            Some(last) if last.output == [value] => last.output = vec![name.into()],
            _ => self.push("Identity", &[value], vec![], name.into()),
        }
    }

    /// Adds a constant and returns its name. The entries are as many as the product of `shape`.
    pub fn constant(&mut self, shape: &[usize], entries: OnnxConstant) -> String {
        let name = format!("constant_{}", self.graph.initializer.len());
        self.named_constant(name, shape, entries)
    }

    /// Adds a node and returns the name of its output. The operation of another domain than ONNX's
    /// own has the domain before it: `ai.onnx.ml.LabelEncoder`.
    pub fn node(
        &mut self,
        operation: &str,
        inputs: &[&str],
        attributes: Vec<(&str, OnnxAttribute)>,
    ) -> String {
        let output = format!("value_{}", self.graph.node.len());
        self.push(operation, inputs, attributes, output.clone());
        output
    }

    /// As [`node`](OnnxGraph::node), with several outputs.
    pub fn node_with_outputs(
        &mut self,
        operation: &str,
        inputs: &[&str],
        attributes: Vec<(&str, OnnxAttribute)>,
        outputs: usize,
    ) -> Vec<String> {
        let first = self.node(operation, inputs, attributes);
        let more = (1..outputs).map(|i| format!("{first}_{i}"));
        let names: Vec<String> = std::iter::once(first.clone()).chain(more).collect();
        if let Some(node) = self.graph.node.last_mut() {
            node.output = names.clone();
        }
        names
    }

    /// Writes the model to a file, whole or not at all ([`atomic::write`]).
    ///
    /// # Errors
    /// As [`atomic::write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        atomic::write(path, &self.to_bytes())
    }

    /// The contents of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let own = OperatorSet { domain: String::new(), version: OPERATORS };
        let ml = OperatorSet { domain: ML.0.into(), version: ML.1 };
        let uses_ml = self.graph.node.iter().any(|node| node.domain == ML.0);
        let model = Model {
            ir_version: FORMAT,
            producer_name: "geartrain".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            opset_import: std::iter::once(own).chain(uses_ml.then_some(ml)).collect(),
            graph: Some(self.graph.clone()),
        };
        model.encode_to_vec()
    }

    pub(super) fn named_constant(&mut self, name: String, shape: &[usize], entries: OnnxConstant) -> String {
        let (data_type, raw_data) = match entries {
            OnnxConstant::F32(values) => (1, values.into_iter().flat_map(f32::to_le_bytes).collect()),
            OnnxConstant::F64(values) => (11, values.into_iter().flat_map(f64::to_le_bytes).collect()),
            OnnxConstant::I64(values) => (7, values.into_iter().flat_map(i64::to_le_bytes).collect()),
        };
        let dims = shape.iter().map(|&size| size as i64).collect();
        self.graph.initializer.push(Tensor { dims, data_type, name: name.clone(), raw_data });
        name
    }

    fn push(
        &mut self,
        operation: &str,
        inputs: &[&str],
        attributes: Vec<(&str, OnnxAttribute)>,
        output: String,
    ) {
        let (domain, operation) = operation.rsplit_once('.').unwrap_or(("", operation));
        self.graph.node.push(Node {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![output],
            name: format!("{operation}_{}", self.graph.node.len()),
            op_type: operation.into(),
            attribute: attributes.into_iter().map(|(name, value)| attribute(name, value)).collect(),
            domain: domain.into(),
        });
    }
}

fn attribute(name: &str, value: OnnxAttribute) -> Attribute {
    let name = name.to_string();
    let bytes = |text: String| text.into_bytes();
    match value {
        OnnxAttribute::Float(f) => Attribute { name, f: Some(f), r#type: 1, ..Attribute::default() },
        OnnxAttribute::Integer(i) => Attribute { name, i: Some(i), r#type: 2, ..Attribute::default() },
        OnnxAttribute::Text(s) => Attribute { name, s: Some(bytes(s)), r#type: 3, ..Attribute::default() },
        OnnxAttribute::Floats(floats) => Attribute { name, floats, r#type: 6, ..Attribute::default() },
        OnnxAttribute::Integers(ints) => Attribute { name, ints, r#type: 7, ..Attribute::default() },
        OnnxAttribute::Texts(texts) => {
            let strings = texts.into_iter().map(bytes).collect();
            Attribute { name, strings, r#type: 8, ..Attribute::default() }
        }
    }
}

/// A matrix of any number of rows.
fn matrix(name: &str, entries: OnnxType, columns: usize) -> ValueInfo {
    let rows = Dimension { dim_value: None, dim_param: Some("rows".into()) };
    let columns = Dimension { dim_value: Some(columns as i64), dim_param: None };
    let shape = Some(TensorShape { dim: vec![rows, columns] });
    let elem_type = match entries {
        OnnxType::F32 => 1,
        OnnxType::Text => 8,
        OnnxType::F64 => 11,
    };
    let tensor_type = Some(TensorType { elem_type, shape });
    ValueInfo { name: name.into(), r#type: Some(Type { tensor_type }) }
}
