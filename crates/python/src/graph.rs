//! The scalar computational graph.

use geartrain::graph;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A formula as a graph of elementary operations, which shows each step of the chain rule.
#[pyclass(module = "geartrain")]
pub struct Graph {
    graph: graph::Graph,
    formula: String,
    gradients: Option<graph::Gradients>,
}

fn exception(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[pymethods]
impl Graph {
    /// The graph of a formula such as `(w*x + b)**2`.
    #[new]
    fn new(formula: &str) -> PyResult<Self> {
        let graph = graph::Graph::parse(&formula.replace("**", "^")).map_err(exception)?;
        Ok(Graph { graph, formula: formula.to_string(), gradients: None })
    }

    /// The names of the inputs.
    #[getter]
    fn inputs(&self) -> Vec<String> {
        self.graph.input_names().map(str::to_string).collect()
    }

    /// The value and the gradient of each input, for the inputs given by name.
    #[pyo3(signature = (**inputs))]
    fn run<'py>(
        &mut self,
        py: Python<'py>,
        inputs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<(f64, Bound<'py, PyDict>)> {
        let mut values = Vec::new();
        for (name, value) in inputs.into_iter().flat_map(|inputs| inputs.iter()) {
            values.push((name.extract::<String>()?, value.extract::<f64>()?));
        }
        let borrowed: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let value = self.graph.run(&borrowed).map_err(exception)?;
        let gradients = self.graph.backward().map_err(exception)?;
        let by_name = PyDict::new(py);
        for (name, gradient) in gradients.iter() {
            by_name.set_item(name, gradient)?;
        }
        self.gradients = Some(gradients);
        Ok((value, by_name))
    }

    /// The value of the node called `name`, after `run`.
    fn value(&self, name: &str) -> PyResult<f64> {
        self.graph.value(name).map_err(exception)
    }

    /// The derivative of the output in the node called `name`, after `run`.
    fn gradient(&self, name: &str) -> PyResult<f64> {
        self.graph.gradient(name).map_err(exception)
    }

    /// Both passes as a table, after `run`.
    fn trace(&self) -> PyResult<String> {
        Ok(self.graph.trace().map_err(exception)?.to_string())
    }

    /// The picture, with the numbers of both passes after `run`.
    fn to_svg(&self) -> PyResult<String> {
        self.graph.to_svg().map_err(exception)
    }

    fn _repr_svg_(&self) -> PyResult<String> {
        self.to_svg()
    }

    fn __repr__(&self) -> String {
        format!("Graph({:?})", self.formula)
    }
}
