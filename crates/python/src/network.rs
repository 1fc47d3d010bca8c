//! Networks: predictions, gradients, model files.

use geartrain::Scalar;
use geartrain::io::{FileProblem, Loader, Predictor, TensorFile};
use geartrain::layers::LayerSpec;
use ndarray::{Array2, Axis};
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::border::{Number, Typed, detached, exception, file_exception, matrix, typed, vector};
use crate::objective::Objective;

/// Layers with their parameters in one flat vector.
#[pyclass(module = "geartrain._core", subclass)]
pub struct Network {
    pub network: Typed<geartrain::Network<f32>, geartrain::Network<f64>>,
}

/// The name, shape, start and end of a parameter, and whether optimizers change it.
type Place = (String, Vec<usize>, usize, usize, bool);

#[pymethods]
impl Network {
    /// A network of the layers in `spec` (JSON), for `inputs` features, initialised with `seed`.
    #[new]
    fn new(spec: &str, inputs: usize, dtype: &str, seed: u64) -> PyResult<Self> {
        fn build<F: Scalar>(spec: &LayerSpec, inputs: usize, seed: u64) -> PyResult<geartrain::Network<F>> {
            let network = geartrain::Network::from_layer(spec.build(), inputs).map_err(exception)?;
            Ok(network.with_seed(seed))
        }
        let spec: LayerSpec =
            serde_json::from_str(spec).map_err(|error| PyValueError::new_err(format!("layers: {error}")))?;
        let network = match dtype {
            f32::DTYPE => Typed::F32(build(&spec, inputs, seed)?),
            f64::DTYPE => Typed::F64(build(&spec, inputs, seed)?),
            got => {
                let message = format!("dtype must be 'float32' or 'float64', got {got:?}");
                return Err(PyValueError::new_err(message));
            }
        };
        Ok(Network { network })
    }

    /// Reads a model file: the network, and the text that `save` stored with it.
    #[staticmethod]
    fn load(path: &str, dtype: &str) -> PyResult<(Self, Option<String>)> {
        fn read<F: Scalar>(file: &TensorFile) -> PyResult<geartrain::Network<F>> {
            let predictor = Loader::new().convert().predictor_from::<F>(file).map_err(invalid)?;
            Ok(predictor.into_network())
        }
        let file = TensorFile::open(path).map_err(|error| file_exception(&error))?;
        let network = if dtype == f32::DTYPE { Typed::F32(read(&file)?) } else { Typed::F64(read(&file)?) };
        Ok((Network { network }, file.metadata(METADATA).map(str::to_string)))
    }

    /// The layers as JSON.
    #[getter]
    fn spec(&self) -> PyResult<String> {
        let spec = typed!(&self.network, network => LayerSpec::of(network.layer()));
        let spec = spec.ok_or_else(|| PyValueError::new_err("a layer has no spec"))?;
        serde_json::to_string(&spec).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    #[getter]
    fn inputs(&self) -> usize {
        typed!(&self.network, network => network.inputs())
    }

    #[getter]
    fn outputs(&self) -> usize {
        typed!(&self.network, network => network.outputs())
    }

    #[getter]
    fn dtype(&self) -> &'static str {
        match self.network {
            Typed::F32(_) => f32::DTYPE,
            Typed::F64(_) => f64::DTYPE,
        }
    }

    /// The places of the parameters in the flat vector. A weight is stored as `inputs × outputs`,
    /// row by row.
    fn layout(&self) -> Vec<Place> {
        let place = |(spec, range): (&geartrain::params::ParamSpec, std::ops::Range<usize>)| {
            let shape = spec.shape.iter().rev().copied().collect();
            (spec.name.clone(), shape, range.start, range.end, spec.trainable)
        };
        typed!(&self.network, network => network.layout().iter().map(place).collect())
    }

    /// A copy of the flat vector.
    fn params<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        typed!(&self.network, network => PyArray1::from_slice(py, network.params()).into_any())
    }

    fn set_params(&mut self, params: &Bound<'_, PyAny>) -> PyResult<()> {
        typed!(&mut self.network, network => set_params(network, params))
    }

    fn summary(&self) -> String {
        typed!(&self.network, network => network.summary().to_string())
    }

    /// The output for `x` with the flat vector `params`, through `link`: `identity`, `logistic`,
    /// `softmax` or `exp`. `None` if `x` contains NaN or infinities.
    #[pyo3(signature = (x, params, link="identity", threads=None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        params: &Bound<'py, PyAny>,
        link: &str,
        threads: Option<usize>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        typed!(&self.network, network => predict(py, network, x, params, link, threads))
    }

    /// The loss, and the gradients of all parameters and of `x`.
    fn loss_and_gradients<'py>(
        &self,
        py: Python<'py>,
        loss: (String, Vec<f64>),
        x: &Bound<'py, PyAny>,
        y: &Bound<'py, PyAny>,
    ) -> PyResult<(f64, Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        typed!(&self.network, network => {
            let loss = Objective::plain(&loss.0, &loss.1, network.outputs())?;
            let (x, y) = (matrix("X", x)?, matrix("y", y)?);
            let (x, y) = (x.as_array(), y.as_array());
            let pass = detached(py, || network.loss_and_gradients(&loss, &x, &y).map_err(exception))?;
            let (grads, grad_input) = (pass.grads.into_pyarray(py), pass.grad_input.into_pyarray(py));
            Ok((pass.loss, grads.into_any(), grad_input.into_any()))
        })
    }

    /// The gradient of `Σ dy · y` in the input.
    fn input_gradient<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        dy: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        typed!(&self.network, network => {
            let (x, dy) = (matrix("X", x)?, matrix("dy", dy)?);
            let (x, dy) = (x.as_array(), dy.as_array());
            let (_, dx) = detached(py, || network.vjp(&x, &dy).map_err(exception))?;
            Ok(dx.into_pyarray(py).into_any())
        })
    }

    /// Writes a model file, with a text for `load`.
    #[pyo3(signature = (path, text=None))]
    fn save(&self, path: &str, text: Option<&str>) -> PyResult<()> {
        let file = typed!(&self.network, network => Predictor::new(network.clone()).to_tensors());
        let mut file = file.map_err(invalid)?;
        if let Some(text) = text {
            file.set_metadata(METADATA, text);
        }
        file.save(path).map_err(|error| file_exception(&error))
    }

    /// The network as an ONNX model.
    fn to_onnx<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = typed!(&self.network, network => Predictor::new(network.clone()).to_onnx());
        Ok(PyBytes::new(py, &bytes.map_err(invalid)?))
    }
}

/// The key of the text that the Python package stores in model files.
const METADATA: &str = "geartrain.python";

fn invalid(problem: FileProblem) -> PyErr {
    PyValueError::new_err(problem.to_string())
}

/// Copies a flat NumPy vector into the network.
pub fn set_params<F: Number>(network: &mut geartrain::Network<F>, params: &Bound<'_, PyAny>) -> PyResult<()> {
    let params = vector::<F>("params", params)?;
    let params = params.as_slice()?;
    check_length(network, params)?;
    network.params_mut().copy_from_slice(params);
    Ok(())
}

fn check_length<F: Number>(network: &geartrain::Network<F>, params: &[F]) -> PyResult<()> {
    let (expected, got) = (network.params().len(), params.len());
    if expected == got {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("params: expected {expected} numbers, got {got}")))
}

/// Runs `work` with at most `threads` threads, or one per core.
pub fn with_threads<T>(threads: Option<usize>, work: impl FnOnce() -> T) -> T {
    match threads {
        Some(threads) => geartrain::with_threads(threads, work),
        None => work(),
    }
}

fn predict<'py, F: Number>(
    py: Python<'py>,
    network: &geartrain::Network<F>,
    x: &Bound<'py, PyAny>,
    params: &Bound<'py, PyAny>,
    link: &str,
    threads: Option<usize>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (x, params) = (matrix::<F>("X", x)?, vector::<F>("params", params)?);
    let (x, params) = (x.as_array(), params.as_slice()?);
    check_length(network, params)?;
    let work = || {
        if !x.iter().all(|x| x.is_finite()) {
            return Ok(None);
        }
        // The estimator's arrays are the truth: they may have been assigned since the last call.
        // All are compared, because a loop without an early exit runs in vector registers.
        let pairs = network.params().iter().zip(params);
        let same = pairs.fold(true, |same, (own, other)| same & (own == other));
        let moved = (!same).then(|| {
            let mut moved = network.clone();
            moved.params_mut().copy_from_slice(params);
            moved
        });
        let network = moved.as_ref().unwrap_or(network);
        let mut y = with_threads(threads, || network.predict(&x)).map_err(exception)?;
        apply_link(link, &mut y);
        Ok(Some(y))
    };
    // Releasing the lock costs more than a small prediction.
    let y = if x.len() < 256 { work()? } else { detached(py, work)? };
    Ok(y.map(|y| y.into_pyarray(py).into_any()))
}

/// From scores to predictions.
fn apply_link<F: Number>(link: &str, y: &mut Array2<F>) {
    match link {
        "logistic" => y.mapv_inplace(|z| F::one() / (F::one() + (-z).exp())),
        "exp" => y.mapv_inplace(F::exp),
        "softmax" => {
            for mut row in y.axis_iter_mut(Axis(0)) {
                let largest = row.fold(F::neg_infinity(), |max, &z| max.max(z));
                row.mapv_inplace(|z| (z - largest).exp());
                let sum = row.sum();
                row.mapv_inplace(|e| e / sum);
            }
        }
        _ => {}
    }
}
