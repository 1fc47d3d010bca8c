//! The border between Rust and Python: errors, files, panics, signals, number types.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use geartrain::io::{FileError, FileProblem, atomic};
use geartrain::{Error, Scalar};
use numpy::{Element, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::optimizer::Optimizer;

/// `f32` and `f64`, in both languages.
pub trait Number: Scalar + Element {
    /// NumPy's name of the type.
    const DTYPE: &'static str;

    /// The update rule for this type.
    fn rule(optimizer: &mut Optimizer) -> &mut dyn geartrain::Optimizer<Self>;
}

impl Number for f32 {
    const DTYPE: &'static str = "float32";

    fn rule(optimizer: &mut Optimizer) -> &mut dyn geartrain::Optimizer<f32> {
        &mut *optimizer.single
    }
}

impl Number for f64 {
    const DTYPE: &'static str = "float64";

    fn rule(optimizer: &mut Optimizer) -> &mut dyn geartrain::Optimizer<f64> {
        &mut *optimizer.double
    }
}

/// A value for one of the two number types.
pub enum Typed<S, D> {
    /// `float32`.
    F32(S),
    /// `float64`.
    F64(D),
}

/// Evaluates an expression for the number type of a [`Typed`] value.
macro_rules! typed {
    ($value:expr, $name:ident => $result:expr) => {
        match $value {
            $crate::border::Typed::F32($name) => $result,
            $crate::border::Typed::F64($name) => $result,
        }
    };
}
pub(crate) use typed;

/// The exception for `error`: that of a callback unchanged, otherwise `ValueError`.
pub fn exception(error: Error) -> PyErr {
    match error {
        Error::Callback { source, .. } => match source.downcast::<PyErr>() {
            Ok(exception) => *exception,
            Err(source) => PyValueError::new_err(source.to_string()),
        },
        error => PyValueError::new_err(error.to_string()),
    }
}

/// `FileNotFoundError`, `PermissionError` or another `OSError` for what the operating system
/// refuses, `ValueError` for a wrong file.
pub fn file_exception(error: &FileError) -> PyErr {
    match &error.problem {
        FileProblem::Io { source, .. } => std::io::Error::new(source.kind(), error.to_string()).into(),
        _ => PyValueError::new_err(error.to_string()),
    }
}

/// Writes a file as a whole or not at all.
#[pyfunction]
pub fn write(path: &str, bytes: &[u8]) -> PyResult<()> {
    atomic::write(path, bytes).map_err(|error| file_exception(&error))
}

/// Runs `work` without the interpreter's lock. A panic becomes a `RuntimeError`.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> PyResult<T> + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(PyRuntimeError::new_err(format!("internal error of geartrain: {text}")))
    })
}

/// Asks the interpreter for pending signals, such as Ctrl-C, at intervals that cost nothing.
pub struct Signals(Instant);

impl Signals {
    const INTERVAL: Duration = Duration::from_millis(40);

    pub fn new() -> Self {
        Signals(Instant::now())
    }

    /// `KeyboardInterrupt` after Ctrl-C.
    pub fn check(&mut self) -> PyResult<()> {
        if self.0.elapsed() < Self::INTERVAL {
            return Ok(());
        }
        let result = Python::attach(|py| py.check_signals());
        self.0 = Instant::now();
        result
    }
}

/// `array` as a matrix of `F`, without a copy.
pub fn matrix<'py, F: Number>(name: &str, array: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArray2<'py, F>> {
    let matrix = array.cast::<PyArray2<F>>().map_err(|_| wrong(name, 2, F::DTYPE, array))?;
    Ok(matrix.try_readonly()?)
}

/// `array` as a vector of `T`, without a copy.
pub fn vector<'py, T: Element>(name: &str, array: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArray1<'py, T>> {
    let dtype = std::any::type_name::<T>();
    let vector = array.cast::<numpy::PyArray1<T>>().map_err(|_| wrong(name, 1, dtype, array))?;
    Ok(vector.try_readonly()?)
}

fn wrong(name: &str, dimensions: usize, dtype: &str, array: &Bound<'_, PyAny>) -> PyErr {
    let text = |name| array.getattr(name).map_or_else(|_| "none".to_string(), |value| value.to_string());
    let kind = array.get_type().name().map_or_else(|_| "?".to_string(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "{name}: expected a NumPy array of {dtype} with {dimensions} dimension(s), got {kind} of dtype {} and shape {}",
        text("dtype"),
        text("shape")
    ))
}
