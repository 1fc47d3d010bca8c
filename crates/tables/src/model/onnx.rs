//! Models as ONNX files.

use std::path::Path;

use geartrain::io::{FileProblem, OnnxConstant, OnnxGraph, atomic};

use super::{Model, Task};
use crate::Error;

impl<T: Task> Model<T> {
    /// Writes the model as an ONNX file, whole or not at all. It reads the columns of a table, and
    /// predicts as this model does: encoding, networks, the mean over the members, and the units of
    /// the targets are operations of ONNX (version 20) and `ai.onnx.ml` (version 2).
    ///
    /// There is one input per column, `(rows, 1)`, with the column's name:
    /// - *number*: `f64`, NaN for missing;
    /// - *category* and *yes/no*: text, empty for missing; a number as its shortest text;
    /// - *date*: `f64`, days since 1970-01-01 with the time of day as a fraction, NaN for missing,
    ///   in the years −9999 to 9999.
    ///
    /// A regressor writes `y`, `f64`, `(rows, outputs)`; a classifier writes `probabilities`,
    /// `f64`, `(rows, classes)`, and `class`, text, `(rows, 1)`.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn export_onnx(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let bytes = self.to_onnx().map_err(|problem| problem.at(&path))?;
        Ok(atomic::write(path, &bytes)?)
    }

    /// The contents of the file that [`export_onnx`](Model::export_onnx) writes.
    ///
    /// # Errors
    /// [`FileProblem::NonFinite`] for a weight that is not finite.
    pub fn to_onnx(&self) -> Result<Vec<u8>, FileProblem> {
        let mut graph = OnnxGraph::new();
        let x = self.encoder.onnx(&mut graph);
        let networks = self.networks.iter().enumerate();
        let outputs = networks.map(|(i, network)| graph.network(network, &format!("members.{i}"), &x));
        let outputs: Vec<String> = outputs.collect::<Result<_, _>>()?;
        self.task.onnx(&mut graph, &outputs);
        Ok(graph.to_bytes())
    }
}

/// The code of `f64`, for `Cast`.
const DOUBLE: i64 = 11;

/// The outputs of one network in `f64`.
pub(super) fn to_f64(graph: &mut OnnxGraph, output: &str) -> String {
    graph.node("Cast", &[output], vec![("to", geartrain::io::OnnxAttribute::Integer(DOUBLE))])
}

/// The mean of the members' predictions. onnxruntime has no `Mean` of `f64`.
pub(super) fn mean(graph: &mut OnnxGraph, predictions: &[String]) -> String {
    let (first, others) = predictions.split_first().expect("a model has members");
    if others.is_empty() {
        return first.clone();
    }
    let add = |sum: String, prediction: &String| graph.node("Add", &[&sum, prediction], vec![]);
    let sum = others.iter().fold(first.clone(), add);
    let count = graph.constant(&[], OnnxConstant::F64(vec![predictions.len() as f64]));
    graph.node("Div", &[&sum, &count], vec![])
}
