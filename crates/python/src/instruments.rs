//! The gradient check and the instruments of the laboratory.

use geartrain::Network as Trained;
use geartrain_lab as lab;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::border::{Number, Typed, detached, exception, matrix, typed};
use crate::network::Network;
use crate::objective::Objective;

/// One row of a table of layers, by column.
type Rows<'py> = Vec<Bound<'py, PyDict>>;

/// Compares all gradients of a `float64` network with central differences. Returns whether they
/// agree, and the report.
#[pyfunction]
pub fn gradcheck(
    py: Python<'_>,
    network: &Network,
    loss: (String, Vec<f64>),
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
) -> PyResult<(bool, String)> {
    let Typed::F64(network) = &network.network else {
        return Err(pyo3::exceptions::PyTypeError::new_err("gradcheck needs a network of float64"));
    };
    let loss = Objective::plain(&loss.0, &loss.1, network.outputs())?;
    let (x, y) = (matrix::<f64>("X", x)?, matrix::<f64>("y", y)?);
    let (x, y) = (x.as_array(), y.as_array());
    let check = || geartrain::gradcheck::network(network, &loss, &x, &y).map_err(exception);
    let report = detached(py, check)?;
    Ok((report.passed(), report.to_string()))
}

/// One forward and one backward pass: norms of signals, gradients and weights of each layer.
#[pyfunction]
pub fn measure<'py>(
    py: Python<'py>,
    network: &Network,
    loss: (String, Vec<f64>),
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
) -> PyResult<Rows<'py>> {
    fn run<'py, F: Number>(
        py: Python<'py>,
        network: &Trained<F>,
        loss: &(String, Vec<f64>),
        (x, y): (&Bound<'py, PyAny>, &Bound<'py, PyAny>),
    ) -> PyResult<Rows<'py>> {
        let loss = Objective::<F>::plain(&loss.0, &loss.1, network.outputs())?;
        let (x, y) = (matrix::<F>("X", x)?, matrix::<F>("y", y)?);
        let (x, y) = (x.as_array(), y.as_array());
        let measured = detached(py, || lab::measure(network, &loss, &x, &y).map_err(exception))?;
        let rows = measured.layers.iter().map(|layer| {
            let row = PyDict::new(py);
            row.set_item("path", &layer.path)?;
            row.set_item("layer", &layer.layer)?;
            row.set_item("output_norm", layer.output.norm)?;
            row.set_item("output_mean", layer.output.mean)?;
            row.set_item("output_variance", layer.output.variance)?;
            row.set_item("gradient", layer.gradient)?;
            row.set_item("gain", layer.gain)?;
            Ok(row)
        });
        rows.collect()
    }
    typed!(&network.network, network => run(py, network, &loss, (x, y)))
}

/// The predicted signal, factor and gradient of each layer, for the batch `x` and a random
/// gradient at the output. Numbers outside the theory are `None`.
#[pyfunction]
pub fn predict<'py>(py: Python<'py>, network: &Network, x: &Bound<'py, PyAny>) -> PyResult<Rows<'py>> {
    fn run<'py, F: Number>(
        py: Python<'py>,
        network: &Trained<F>,
        x: &Bound<'py, PyAny>,
    ) -> PyResult<Rows<'py>> {
        let x = matrix::<F>("X", x)?;
        let x = x.as_array();
        let dy = lab::normal_batch(x.nrows(), network.outputs(), 1);
        let predicted = detached(py, || lab::predict(network, &x, &dy).map_err(exception))?;
        let rows = predicted.layers.iter().map(|layer| {
            let row = PyDict::new(py);
            row.set_item("q", layer.q)?;
            row.set_item("energy", layer.energy)?;
            row.set_item("gradient", layer.gradient)?;
            row.set_item("deviation", layer.deviation)?;
            Ok(row)
        });
        rows.collect()
    }
    typed!(&network.network, network => run(py, network, x))
}

/// Measurement, prediction and diagnosis of `network` on the batch `x`: the diagnosis in words, the
/// picture as SVG, the page as HTML, and the data as JSON.
#[pyfunction]
pub fn report(
    py: Python<'_>,
    network: &Network,
    x: &Bound<'_, PyAny>,
    title: &str,
) -> PyResult<(String, String, String, String)> {
    fn run<F: Number>(
        py: Python<'_>,
        network: &Trained<F>,
        x: &Bound<'_, PyAny>,
        title: &str,
    ) -> PyResult<(String, String, String, String)> {
        let x = matrix::<F>("X", x)?;
        let x = x.as_array();
        detached(py, || {
            let experiment =
                lab::Experiment::of(title, std::slice::from_ref(network), &x).map_err(exception)?;
            let diagnosis = experiment.diagnosis.to_string();
            let experiments = vec![experiment];
            let (spectra, recordings, courses) = (Vec::new(), Vec::new(), Vec::new());
            let report = lab::Report { title: title.into(), experiments, spectra, recordings, courses };
            Ok((diagnosis, report.gradients_svg(), report.html(), report.json()))
        })
    }
    typed!(&network.network, network => run(py, network, x, title))
}
