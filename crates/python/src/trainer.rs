//! Training with scikit-learn's update rules: an epoch of mini-batches, or L-BFGS.

use std::ops::Range;

use geartrain::Error;
use geartrain::loss::{Loss, Weighted};
use geartrain::network::Workspace;
use geartrain::optim::{Lbfgs, MinimumReason};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice};
use numpy::PyArray1;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use crate::border::{Number, Signals, Typed, detached, exception, matrix, vector};
use crate::network::{Network, with_threads};
use crate::objective::Objective;

/// Evaluates an expression for the number type of two [`Typed`] values, which must be the same.
macro_rules! both {
    (($first:expr, $second:expr), ($a:ident, $b:ident) => $result:expr) => {
        match ($first, $second) {
            (Typed::F32($a), Typed::F32($b)) => $result,
            (Typed::F64($a), Typed::F64($b)) => $result,
            _ => Err(other_type()),
        }
    };
}

/// A loss with L2 regularisation, and the memory of its passes.
#[pyclass(module = "geartrain._core")]
pub struct Trainer {
    run: Typed<Run<f32>, Run<f64>>,
    threads: Option<usize>,
}

struct Run<F: Number> {
    loss: Objective<F>,
    /// The strength of the L2 regularisation of all weight matrices.
    alpha: f64,
    seed: u64,
    steps: u64,
    workspace: Workspace<F>,
    x: Array2<F>,
    y: Array2<F>,
    weights: Vec<f64>,
}

#[pymethods]
impl Trainer {
    /// A trainer with the loss called `loss.0`, whose options are `loss.1`.
    #[new]
    #[pyo3(signature = (network, loss, alpha, seed, threads=None))]
    fn new(
        network: &Network,
        loss: (String, Vec<f64>),
        alpha: f64,
        seed: u64,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let run = match &network.network {
            Typed::F32(network) => Typed::F32(Run::new(&loss, network.outputs(), alpha, seed)?),
            Typed::F64(network) => Typed::F64(Run::new(&loss, network.outputs(), alpha, seed)?),
        };
        Ok(Trainer { run, threads })
    }

    /// One epoch over the rows `order` (or all, in order) in batches of `batch_size` rows. Returns
    /// the mean loss before each update, or NaN if a number overflowed; the network then keeps its
    /// last finite weights.
    #[pyo3(signature = (network, optimizer, x, y, batch_size, order=None, weights=None))]
    #[expect(clippy::too_many_arguments, reason = "arguments by name, from Python")]
    fn epoch(
        &mut self,
        py: Python<'_>,
        mut network: PyRefMut<'_, Network>,
        mut optimizer: PyRefMut<'_, crate::optimizer::Optimizer>,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        batch_size: usize,
        order: Option<&Bound<'_, PyAny>>,
        weights: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<f64> {
        both!((&mut self.run, &mut network.network), (run, network) => {
            let (x, y) = (matrix("X", x)?, matrix("y", y)?);
            let order = order.map(|order| vector("order", order)).transpose()?;
            let weights = weights.map(|weights| vector("weights", weights)).transpose()?;
            let rows = Rows {
                x: x.as_array(),
                y: y.as_array(),
                weights: weights.as_ref().map(|weights| weights.as_array()),
                order: order.as_ref().map(|order| order.as_array()),
            };
            rows.check()?;
            let (rule, batch_size) = (Number::rule(&mut optimizer), batch_size.max(1));
            detached(py, || with_threads(self.threads, || run.epoch(network, rule, &rows, batch_size)))
        })
    }

    /// The loss on all rows, without regularisation, in prediction mode.
    #[pyo3(signature = (network, x, y, weights=None))]
    fn loss(
        &self,
        py: Python<'_>,
        network: &Network,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<f64> {
        both!((&self.run, &network.network), (run, network) => {
            let (x, y) = (matrix("X", x)?, matrix("y", y)?);
            let weights = weights.map(|weights| vector("weights", weights)).transpose()?;
            let weights = weights.as_ref().map(|weights| weights.as_array());
            let data = (x.as_array(), y.as_array(), weights);
            detached(py, || with_threads(self.threads, || run.loss(network, data).map_err(exception)))
        })
    }

    /// Minimises the loss of all rows by L-BFGS. Returns the loss, the iterations, whether it
    /// converged, and the loss after each iteration.
    #[pyo3(signature = (network, x, y, max_iter, max_fun, tol, weights=None, callback=None))]
    #[expect(clippy::too_many_arguments, reason = "arguments by name, from Python")]
    fn lbfgs(
        &mut self,
        py: Python<'_>,
        mut network: PyRefMut<'_, Network>,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        max_iter: usize,
        max_fun: usize,
        tol: f64,
        weights: Option<&Bound<'_, PyAny>>,
        callback: Option<Py<PyAny>>,
    ) -> PyResult<(f64, usize, String)> {
        let options = Lbfgs::new().max_iterations(max_iter).max_evaluations(max_fun).gradient_tolerance(tol);
        both!((&mut self.run, &mut network.network), (run, network) => {
            let (x, y) = (matrix("X", x)?, matrix("y", y)?);
            let weights = weights.map(|weights| vector("weights", weights)).transpose()?;
            let weights = weights.as_ref().map(|weights| weights.as_array());
            let data = (x.as_array(), y.as_array(), weights);
            detached(py, || with_threads(self.threads, || run.lbfgs(network, data, &options, callback)))
        })
    }
}

fn other_type() -> PyErr {
    pyo3::exceptions::PyTypeError::new_err("the network has another dtype than the one of this trainer")
}

/// Inputs, targets and weights of rows.
type Data<'a, F> = (ArrayView2<'a, F>, ArrayView2<'a, F>, Option<ArrayView1<'a, f64>>);

/// The training data, and the order of its rows.
struct Rows<'a, F> {
    x: ArrayView2<'a, F>,
    y: ArrayView2<'a, F>,
    weights: Option<ArrayView1<'a, f64>>,
    order: Option<ArrayView1<'a, i64>>,
}

impl<F: Number> Rows<'_, F> {
    fn count(&self) -> usize {
        self.order.map_or(self.x.nrows(), |order| order.len())
    }

    /// The row at a place of the order.
    fn row(&self, place: usize) -> usize {
        self.order.map_or(place, |order| order[place] as usize)
    }

    fn check(&self) -> PyResult<()> {
        let rows = self.x.nrows();
        let weights = self.weights.map_or(rows, |weights| weights.len());
        let inside = |&row: &i64| usize::try_from(row).is_ok_and(|row| row < rows);
        if self.y.nrows() == rows && weights == rows && self.order.is_none_or(|o| o.iter().all(inside)) {
            return Ok(());
        }
        Err(PyIndexError::new_err(format!(
            "X has {rows} rows, y {}, the weights {weights}; the order must name rows of X",
            self.y.nrows()
        )))
    }
}

/// Copies `weights` to `scaled` with a mean of 1, and returns their sum.
fn scale(weights: impl Iterator<Item = f64>, scaled: &mut Vec<f64>) -> f64 {
    scaled.clear();
    scaled.extend(weights);
    let sum: f64 = scaled.iter().sum();
    if sum > 0.0 {
        let factor = scaled.len() as f64 / sum;
        scaled.iter_mut().for_each(|weight| *weight *= factor);
    }
    sum
}

impl<F: Number> Run<F> {
    fn new(loss: &(String, Vec<f64>), outputs: usize, alpha: f64, seed: u64) -> PyResult<Self> {
        Ok(Run {
            loss: Objective::new(&loss.0, &loss.1, outputs)?,
            alpha,
            seed,
            steps: 0,
            workspace: Workspace::new(),
            x: Array2::zeros((0, 0)),
            y: Array2::zeros((0, 0)),
            weights: Vec::new(),
        })
    }

    fn epoch(
        &mut self,
        network: &mut geartrain::Network<F>,
        optimizer: &mut dyn geartrain::Optimizer<F>,
        rows: &Rows<'_, F>,
        batch_size: usize,
    ) -> PyResult<f64> {
        let (count, matrices, mut signals) = (rows.count(), weight_matrices(network), Signals::new());
        let has_statistics = network.layout().iter().any(|(spec, _)| !spec.trainable);
        let (mut start, mut total) = (0, 0.0);
        while start < count {
            signals.check()?;
            let mut end = (start + batch_size).min(count);
            if count - end < network.min_batch_size() {
                // Too few rows would be left for a batch of their own.
                end = count;
            }
            let batch = start..end;
            start = end;
            let result = self.step(network, optimizer, rows, batch.clone(), &matrices);
            let result = result.and_then(|loss| {
                if has_statistics {
                    network.update_running_stats(&mut self.workspace)?;
                }
                Ok(loss)
            });
            match result {
                Ok(loss) if loss.is_finite() => total += loss * batch.len() as f64,
                Ok(_) | Err(Error::NonFinite { .. }) => return Ok(f64::NAN),
                Err(error) => return Err(exception(error)),
            }
        }
        Ok(total / count as f64)
    }

    /// One batch. Returns its loss before the update.
    fn step(
        &mut self,
        network: &mut geartrain::Network<F>,
        optimizer: &mut dyn geartrain::Optimizer<F>,
        rows: &Rows<'_, F>,
        batch: Range<usize>,
        matrices: &[Range<usize>],
    ) -> Result<f64, Error> {
        self.workspace.key = self.seed ^ self.steps.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.steps += 1;
        let size = batch.len();
        let mut sum = size as f64;
        if let Some(weights) = rows.weights {
            sum = scale(batch.clone().map(|place| weights[rows.row(place)]), &mut self.weights);
        }
        let places = Slice::from(batch.clone());
        let (x, y) = if rows.order.is_none() {
            (rows.x.slice_axis(Axis(0), places), rows.y.slice_axis(Axis(0), places))
        } else {
            gather(rows.x, batch.clone().map(|place| rows.row(place)), &mut self.x);
            gather(rows.y, batch.map(|place| rows.row(place)), &mut self.y);
            let first = Slice::from(..size);
            (self.x.slice_axis(Axis(0), first), self.y.slice_axis(Axis(0), first))
        };
        let loss: &dyn Loss<F> = match rows.weights {
            Some(_) => &Weighted::new(&self.loss, &self.weights),
            None => &self.loss,
        };
        let loss = network.gradients(loss, &x, &y, &mut self.workspace, None)?;
        let penalty = penalise(self.alpha, sum, matrices, network.params(), &mut self.workspace.grads);
        if loss.is_finite() {
            optimizer.step(network.params_mut(), &self.workspace.grads)?;
        }
        Ok(loss + penalty)
    }

    /// The loss on all rows, without regularisation.
    fn loss(&self, network: &geartrain::Network<F>, (x, y, weights): Data<'_, F>) -> Result<f64, Error> {
        match weights {
            None => network.loss(&self.loss, &x, &y),
            Some(weights) => {
                let mut scaled = Vec::new();
                scale(weights.iter().copied(), &mut scaled);
                network.loss(&Weighted::new(&self.loss, &scaled), &x, &y)
            }
        }
    }

    fn lbfgs(
        &mut self,
        network: &mut geartrain::Network<F>,
        (x, y, weights): Data<'_, F>,
        lbfgs: &Lbfgs,
        callback: Option<Py<PyAny>>,
    ) -> PyResult<(f64, usize, String)> {
        let mut sum = x.nrows() as f64;
        if let Some(weights) = weights {
            sum = scale(weights.iter().copied(), &mut self.weights);
        }
        let mut start = network.params().to_vec();
        let mut objective = Full {
            matrices: weight_matrices(network),
            block: block_rows(network),
            network: &mut *network,
            workspace: &mut self.workspace,
            loss: &self.loss,
            data: (x, y),
            weights: weights.is_some().then_some(&self.weights[..]),
            alpha: self.alpha,
            sum,
            signals: Signals::new(),
            callback,
            failed: None,
        };
        let result = lbfgs.minimize(&mut start, &mut objective);
        let failed = objective.failed.take();
        network.params_mut().copy_from_slice(&start);
        if let Some(exception) = failed {
            return Err(exception);
        }
        let minimum = result.map_err(exception)?;
        let reason = match minimum.reason {
            MinimumReason::Iterations => "iterations",
            MinimumReason::Evaluations => "evaluations",
            MinimumReason::LineSearch => "line search",
            MinimumReason::Callback => "callback",
            _ => "converged",
        };
        Ok((minimum.value, minimum.iterations, reason.to_string()))
    }
}

/// The loss of all rows as a function of the flat vector.
struct Full<'a, F: Number> {
    network: &'a mut geartrain::Network<F>,
    workspace: &'a mut Workspace<F>,
    loss: &'a Objective<F>,
    data: (ArrayView2<'a, F>, ArrayView2<'a, F>),
    /// One per row, with a mean of 1.
    weights: Option<&'a [f64]>,
    matrices: Vec<Range<usize>>,
    /// The rows of a pass.
    block: usize,
    alpha: f64,
    sum: f64,
    signals: Signals,
    callback: Option<Py<PyAny>>,
    failed: Option<PyErr>,
}

impl<F: Number> geartrain::optim::Objective<F> for &mut Full<'_, F> {
    fn evaluate(&mut self, params: &[F], gradient: &mut [F]) -> Result<f64, Error> {
        self.network.params_mut().copy_from_slice(params);
        gradient.fill(F::zero());
        let (x, y) = self.data;
        let blocks = x.axis_chunks_iter(Axis(0), self.block).zip(y.axis_chunks_iter(Axis(0), self.block));
        let mut loss = 0.0;
        for (block, (x_block, y_block)) in blocks.enumerate() {
            self.signals.check().map_err(|source| Error::Callback {
                epoch: 1,
                step: 0,
                source: source.into(),
            })?;
            let (first, rows) = (block * self.block, x_block.nrows());
            let weighted =
                self.weights.map(|weights| Weighted::new(self.loss, &weights[first..first + rows]));
            let objective = weighted.as_ref().map_or(self.loss as &dyn Loss<F>, |weighted| weighted);
            // The mean over all rows: L = Σ_b n_b/n L_b.
            let share = rows as f64 / x.nrows() as f64;
            loss += share * self.network.gradients(objective, &x_block, &y_block, self.workspace, None)?;
            for (sum, &of_block) in gradient.iter_mut().zip(&self.workspace.grads[..]) {
                *sum += F::of(share) * of_block;
            }
        }
        Ok(loss + penalise(self.alpha, self.sum, &self.matrices, params, gradient))
    }

    /// The callback receives the iteration, the loss and the parameters, and stops with a true
    /// result.
    fn after_iteration(&mut self, at: &geartrain::optim::Iteration<'_, F>) -> std::ops::ControlFlow<()> {
        let Some(callback) = &self.callback else { return std::ops::ControlFlow::Continue(()) };
        let answer = Python::attach(|py| {
            let params = PyArray1::from_slice(py, at.x);
            callback.call1(py, (at.iteration, at.value, params))?.is_truthy(py)
        });
        match answer {
            Ok(false) => std::ops::ControlFlow::Continue(()),
            Ok(true) => std::ops::ControlFlow::Break(()),
            Err(exception) => {
                self.failed = Some(exception);
                std::ops::ControlFlow::Break(())
            }
        }
    }
}

/// The rows of a pass over all rows: few enough to ask for Ctrl-C about every 50 ms.
fn block_rows<F: Number>(network: &geartrain::Network<F>) -> usize {
    const PRODUCTS: usize = 1 << 28;
    (PRODUCTS / network.params().len().max(1)).max(512)
}

/// The places of the weight matrices, which L2 regularisation penalises.
fn weight_matrices<F: Number>(network: &geartrain::Network<F>) -> Vec<Range<usize>> {
    network.layout().iter().filter(|(spec, _)| spec.shape.len() == 2).map(|(_, range)| range).collect()
}

/// Adds the gradient of `α/2 |W|² / sum` to `grads`, and returns its value.
fn penalise<F: Number>(
    alpha: f64,
    sum: f64,
    matrices: &[Range<usize>],
    params: &[F],
    grads: &mut [F],
) -> f64 {
    if alpha == 0.0 || sum == 0.0 {
        return 0.0;
    }
    // Independent sums, so that additions need not wait for each other.
    const SUMS: usize = 8;
    let (factor, mut squares) = (F::of(alpha / sum), [F::zero(); SUMS]);
    for range in matrices {
        let (grads, more_grads) = grads[range.clone()].as_chunks_mut::<SUMS>();
        let (weights, more_weights) = params[range.clone()].as_chunks::<SUMS>();
        for (grads, weights) in grads.iter_mut().zip(weights) {
            for i in 0..SUMS {
                grads[i] += factor * weights[i];
                squares[i] += weights[i] * weights[i];
            }
        }
        for ((grad, &weight), squares) in more_grads.iter_mut().zip(more_weights).zip(&mut squares) {
            *grad += factor * weight;
            *squares += weight * weight;
        }
    }
    let squares = squares.into_iter().fold(F::zero(), |sum, squares| sum + squares);
    0.5 * alpha * squares.as_f64() / sum
}

/// Copies rows to the first rows of `to`.
fn gather<F: Number>(
    from: ArrayView2<'_, F>,
    rows: impl ExactSizeIterator<Item = usize>,
    to: &mut Array2<F>,
) {
    if to.nrows() < rows.len() || to.ncols() != from.ncols() {
        *to = Array2::zeros((rows.len(), from.ncols()));
    }
    let columns = from.ncols();
    match (from.as_slice(), to.as_slice_mut()) {
        (Some(from), Some(to)) if columns > 0 => {
            for (row, to) in rows.zip(to.chunks_exact_mut(columns)) {
                to.copy_from_slice(&from[row * columns..][..columns]);
            }
        }
        _ => rows.zip(to.axis_iter_mut(Axis(0))).for_each(|(row, mut to)| to.assign(&from.row(row))),
    }
}
