//! Models for tables of numbers, texts and gaps.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use geartrain_tables as tables;
use geartrain_tables::{
    ClassWeights, Column, Recipe, RegressionLoss, Table, TabularClassifier, TabularRegressor, Task,
};
use numpy::IntoPyArray;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::border::{detached, file_exception, vector};

/// A fitted model for tables.
#[pyclass(module = "geartrain._core")]
pub struct TableModel {
    model: Kind,
}

enum Kind {
    Regressor(TabularRegressor),
    Classifier(TabularClassifier),
}

/// Evaluates an expression for either kind of model.
macro_rules! either {
    ($kind:expr, $model:ident => $result:expr) => {
        match $kind {
            Kind::Regressor($model) => $result,
            Kind::Classifier($model) => $result,
        }
    };
}

/// The name of a column, and its numbers (a NumPy array of `float64`) or texts (a list of `str` and
/// `None`).
type PyColumn<'py> = (String, Bound<'py, PyAny>);

fn exception(error: tables::Error) -> PyErr {
    match error {
        tables::Error::File(error) => file_exception(&error),
        error => PyValueError::new_err(error.to_string()),
    }
}

fn table(columns: Vec<PyColumn<'_>>) -> PyResult<Table> {
    let mut all = Vec::with_capacity(columns.len());
    for (name, cells) in columns {
        all.push(match cells.extract::<Vec<Option<String>>>() {
            Ok(texts) => Column::texts(name, texts),
            Err(_) => {
                let numbers = vector::<f64>(&name, &cells)?;
                Column::numbers(name, numbers.as_array().to_vec())
            }
        });
    }
    Table::new(all.into_iter().collect::<Result<Vec<_>, _>>().map_err(exception)?).map_err(exception)
}

#[pymethods]
impl TableModel {
    /// Trains a model of the columns named in `targets` from the others.
    #[staticmethod]
    fn fit(
        py: Python<'_>,
        classifier: bool,
        columns: Vec<PyColumn<'_>>,
        targets: Vec<String>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let (table, options) = (table(columns)?, Options(options));
        let model = if classifier {
            let mut recipe = options.apply(TabularClassifier::recipe())?;
            if let Some(weights) = options.get::<Bound<'_, PyAny>>("class_weight")? {
                recipe = recipe.class_weights(match weights.extract::<BTreeMap<String, f64>>() {
                    Ok(weights) => ClassWeights::ByName(weights),
                    Err(_) => ClassWeights::Balanced,
                });
            }
            Kind::Classifier(train(py, |stop| recipe.fit_with_progress(&table, &targets[0], stop))?)
        } else {
            let mut recipe = options.apply(TabularRegressor::recipe())?;
            if let Some((name, numbers)) = options.get::<(String, Vec<f64>)>("loss")? {
                recipe = recipe.loss(match (name.as_str(), &numbers[..]) {
                    ("squared_error", _) => RegressionLoss::Squared,
                    ("absolute_error", _) => RegressionLoss::Absolute,
                    ("huber", [delta]) => RegressionLoss::Huber(*delta),
                    ("quantile", levels) => RegressionLoss::Quantiles(levels.to_vec()),
                    ("poisson", _) => RegressionLoss::Poisson,
                    _ => return Err(PyValueError::new_err(format!("no loss is called {name:?}"))),
                });
            }
            recipe = recipe.extrapolate(options.get("extrapolate")?.unwrap_or(false));
            let names: Vec<_> = targets.iter().map(String::as_str).collect();
            Kind::Regressor(train(py, |stop| recipe.fit_targets_with_progress(&table, &names, stop))?)
        };
        Ok(TableModel { model })
    }

    /// The predicted numbers, `(rows, outputs)`, or the probabilities of the classes.
    fn predict<'py>(&self, py: Python<'py>, columns: Vec<PyColumn<'py>>) -> PyResult<Bound<'py, PyAny>> {
        let table = table(columns)?;
        let y = detached(py, || {
            match &self.model {
                Kind::Regressor(model) => model.predict(&table),
                Kind::Classifier(model) => model.predict_proba(&table),
            }
            .map_err(exception)
        })?;
        Ok(y.into_pyarray(py).into_any())
    }

    /// The classes in the order of the probabilities; empty for a regressor.
    #[getter]
    fn classes(&self) -> Vec<String> {
        match &self.model {
            Kind::Regressor(_) => Vec::new(),
            Kind::Classifier(model) => model.classes().to_vec(),
        }
    }

    /// The names of the columns that the model reads.
    #[getter]
    fn inputs(&self) -> Vec<String> {
        either!(&self.model, model => model.encoder().inputs().map(|(name, _)| name.to_string()).collect())
    }

    /// Every choice of the recipe, and the reason.
    fn report(&self) -> String {
        either!(&self.model, model => model.report())
    }

    /// Scores by name on a table with the targets.
    fn score(&self, columns: Vec<PyColumn<'_>>) -> PyResult<Vec<(String, f64)>> {
        let table = table(columns)?;
        let scores = either!(&self.model, model => model.score(&table)).map_err(exception)?;
        Ok(scores.iter().map(|(name, score)| (name.to_string(), score)).collect())
    }

    /// The importance of each column with its standard error, the largest first.
    fn importance(
        &self,
        py: Python<'_>,
        columns: Vec<PyColumn<'_>>,
        repeats: usize,
        seed: u64,
    ) -> PyResult<Vec<(String, f64, f64)>> {
        let table = table(columns)?;
        let importance = detached(py, || {
            either!(&self.model, model => model.importance(&table, repeats, seed)).map_err(exception)
        })?;
        Ok(importance.into_iter().map(|i| (i.column, i.mean, i.standard_error)).collect())
    }

    fn save(&self, path: &str) -> PyResult<()> {
        either!(&self.model, model => model.save(path)).map_err(exception)
    }

    /// Reads a model file.
    #[staticmethod]
    fn load(path: &str, classifier: bool) -> PyResult<Self> {
        let model = match classifier {
            true => Kind::Classifier(TabularClassifier::load(path).map_err(exception)?),
            false => Kind::Regressor(TabularRegressor::load(path).map_err(exception)?),
        };
        Ok(TableModel { model })
    }
}

/// Options of a recipe by name; `None` and missing ones keep the recipe's choice.
struct Options<'a, 'py>(&'a Bound<'py, PyDict>);

impl<'py> Options<'_, 'py> {
    fn get<T: for<'a> FromPyObject<'a, 'py>>(&self, name: &str) -> PyResult<Option<T>> {
        match self.0.get_item(name)?.filter(|value| !value.is_none()) {
            Some(value) => value
                .extract()
                .map(Some)
                .map_err(|_| PyValueError::new_err(format!("{name}: unexpected value {value}"))),
            None => Ok(None),
        }
    }

    fn apply<T: Task>(&self, mut recipe: Recipe<T>) -> PyResult<Recipe<T>> {
        if let Some(members) = self.get("ensemble")? {
            recipe = recipe.ensemble(members);
        }
        if let Some(seed) = self.get("seed")? {
            recipe = recipe.seed(seed);
        }
        if let Some(widths) = self.get::<Vec<usize>>("hidden_layer_sizes")? {
            recipe = recipe.hidden(&widths);
        }
        if let Some(p) = self.get("dropout")? {
            recipe = recipe.dropout(p);
        }
        if let Some(rate) = self.get("learning_rate_init")? {
            recipe = recipe.learning_rate(rate);
        }
        if let Some(decay) = self.get("weight_decay")? {
            recipe = recipe.weight_decay(decay);
        }
        if let Some(rows) = self.get("batch_size")? {
            recipe = recipe.batch_size(rows);
        }
        if let Some(epochs) = self.get("epochs")? {
            recipe = recipe.epochs(epochs);
        }
        if let Some(fraction) = self.get("validation_fraction")? {
            recipe = recipe.validation(fraction);
        }
        if let Some(threads) = self.get("n_threads")? {
            recipe = recipe.threads(threads);
        }
        if let Some(name) = self.get::<String>("weight_column")? {
            recipe = recipe.weight_column(name);
        }
        Ok(recipe)
    }
}

/// Runs `fit` on a thread of its own, while this one waits for Ctrl-C: then all members keep their
/// best epoch so far.
fn train<M: Send>(
    py: Python<'_>,
    fit: impl FnOnce(&(dyn Fn(tables::Progress) -> ControlFlow<()> + Sync)) -> Result<M, tables::Error> + Send,
) -> PyResult<M> {
    let stop = AtomicBool::new(false);
    detached(py, || {
        std::thread::scope(|scope| {
            let (ended, end) = mpsc::channel::<()>();
            let stop = &stop;
            let handle = scope.spawn(move || {
                // Dropped when training ends, also after a panic.
                let _ended = ended;
                fit(&|_| match stop.load(Ordering::Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            });
            let interval = Duration::from_millis(40);
            while end.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
                if Python::attach(|py| py.check_signals()).is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            match handle.join() {
                Ok(model) => model.map_err(exception),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    })
}
