//! Training of a model: rows, encoder, members.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use geartrain::{Network, with_threads};
use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::folds::{CrossValidation, Folds};
use super::member::{self, MemberHistory, Plan};
use super::{Model, Recipe, Task};
use crate::encoder::Rows;
use crate::error::require;
use crate::table::Cells;
use crate::{ColumnType, Encoder, Error, Table};

/// How far a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Epochs that have ended, of all members together.
    pub done: usize,
    /// Epochs in all.
    pub total: usize,
}

/// How a model was trained: what a report shows besides encoder and targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrainingRecord {
    /// Rows of the table, and how many of them were used.
    pub rows: (usize, usize),
    pub seed: u64,
    pub plan: Plan,
    /// The weight column.
    pub weights: Option<String>,
    pub members: Vec<MemberHistory>,
}

impl<T: Task> Recipe<T> {
    /// Trains a model that predicts the column `target` from the other columns of `table`. Rows
    /// without a target are left out. The model is a function of recipe and rows: it does not
    /// depend on the order of rows or columns, nor on the number of threads.
    ///
    /// # Errors
    /// [`Error::MissingColumn`]; [`Error::WrongType`] and [`Error::Value`] for targets and weights;
    /// [`Error::NoData`] without rows or columns to learn from; [`Error::Argument`] for an invalid
    /// choice; [`Error::Diverged`].
    pub fn fit(&self, table: &Table, target: &str) -> Result<Model<T>, Error> {
        self.fit_with_progress(table, target, |_| ControlFlow::Continue(()))
    }

    /// As [`fit`](Recipe::fit), and calls `progress` after each epoch of each member and every 32
    /// steps within, from several threads. [`ControlFlow::Break`] ends the training of all members
    /// at the next step where they call it; each then keeps its best epoch so far, or its weights
    /// as they are without a complete epoch.
    ///
    /// # Errors
    /// As [`fit`](Recipe::fit).
    pub fn fit_with_progress(
        &self,
        table: &Table,
        target: &str,
        progress: impl Fn(Progress) -> ControlFlow<()> + Sync,
    ) -> Result<Model<T>, Error> {
        self.fit_all(table, &[target.to_string()], &progress)
    }

    /// Trains on all usable rows of `table`.
    pub(super) fn fit_all(
        &self,
        table: &Table,
        targets: &[String],
        progress: &(dyn Fn(Progress) -> ControlFlow<()> + Sync),
    ) -> Result<Model<T>, Error> {
        self.check()?;
        let usable = usable_rows(table, targets, self.weights.as_deref(), "fit")?;
        let selected;
        let train = if usable.len() == table.rows() {
            table
        } else {
            selected = table.select(&usable);
            &selected
        };
        let mut no_features = targets.iter().chain(&self.weights);
        let features = no_features.try_fold(train.clone(), |table, name| table.without(name))?;
        let encoder = Encoder::fit(&features, &self.encoder)?;
        let rows = encoder.bind(&features)?.encoded_once(features.rows());
        let weights = self.weights.as_deref().map(|name| weights(train, name)).transpose()?;
        let order = canonical_order(&rows, train, targets, weights)?;
        let task = T::fit(&self.task, train, targets, &order)?;
        let plan = Plan {
            hidden: self.hidden.clone(),
            dropout: self.dropout_in_use(),
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            batch: self.batch_for(order.len()),
            epochs: self.epochs_for(order.len()),
        };
        let (y, loss) = (task.encode(train)?, task.loss());
        let problem = member::Task {
            rows: &rows,
            targets: &y,
            weights,
            loss: &*loss,
            outputs: task.outputs(),
            may_learn_from_all: task.may_learn_from_all(),
        };
        let trained = self.train_members(&plan, &problem, order, progress)?;
        let (networks, members) = trained.into_iter().unzip();
        let rows = (table.rows(), usable.len());
        let weights = self.weights.clone();
        let training = TrainingRecord { rows, seed: self.seed, plan, weights, members };
        Ok(Model { encoder, task, networks, training })
    }

    /// The members, each with validation rows of its own.
    fn train_members(
        &self,
        plan: &Plan,
        problem: &member::Task<'_>,
        mut order: Vec<usize>,
        progress: &(dyn Fn(Progress) -> ControlFlow<()> + Sync),
    ) -> Result<Vec<(Network<f32>, MemberHistory)>, Error> {
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        let held = (self.validation * order.len() as f64).round() as usize;
        let held = held.min(order.len() - 1);
        let (done, total) = (AtomicUsize::new(0), plan.epochs * self.members);
        let report = |ended: bool| {
            let done = done.fetch_add(usize::from(ended), Ordering::Relaxed) + usize::from(ended);
            progress(Progress { done, total })
        };
        let train = |member: usize| {
            // Cyclic blocks of the shuffled rows.
            let mut rows = order.clone();
            rows.rotate_left(member * held % order.len());
            let (validation, fit) = rows.split_at(held);
            // An odd factor: different seeds and members never meet within 2³² members.
            let seed = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(member as u64);
            plan.train(problem, fit, validation, seed, &report)
        };
        side_by_side(self.threads, self.members, train).into_iter().collect()
    }

    /// Trains a model on all folds but one and scores it on that one, for each fold. Folds are
    /// trained side by side if a model has a single network. Rows without a target are in no fold:
    /// their predictions are NaN. A class that the training rows of a fold lack has probability 0
    /// there.
    ///
    /// # Errors
    /// As [`fit`](Recipe::fit) and [`Model::score`]; [`Error::Argument`] if `folds` has another
    /// number of rows.
    pub fn cross_validate(
        &self,
        table: &Table,
        target: &str,
        folds: &Folds,
    ) -> Result<CrossValidation, Error> {
        self.check()?;
        require(folds.rows() == table.rows(), "folds", "for the rows of the table", folds.rows())?;
        let targets = [target.to_string()];
        let usable = usable_rows(table, &targets, self.weights.as_deref(), "cross_validate")?;
        // The training rows of a fold may lack a class of the table.
        let whole = T::fit(&self.task, table, &targets, &usable)?;
        let names = whole.outputs_by_name();
        let run = |fold: usize| {
            let (train, mut test) = folds.split(fold);
            test.retain(|row| usable.binary_search(row).is_ok());
            if test.is_empty() {
                let reason = format!("no row of fold {fold} has a target");
                return Err(Error::NoData { what: "cross_validate", reason });
            }
            let model = self.fit(&table.select(&train), target)?;
            let held_out = table.select(&test);
            let predicted = model.predict_numbers(&held_out)?;
            let mut predictions = Array2::zeros((test.len(), names.len()));
            for (name, column) in model.task.outputs_by_name().iter().zip(predicted.columns()) {
                if let Some(place) = names.iter().position(|own| own == name) {
                    predictions.column_mut(place).assign(&column);
                }
            }
            let scores = whole.score(&predictions, &held_out, &model.weights_of(&held_out)?)?;
            Ok((scores, test, predictions))
        };
        // An ensemble has members to share among the threads.
        let threads = if self.members == 1 { self.threads } else { Some(1) };
        let folds: Vec<_> =
            side_by_side(threads, folds.count(), run).into_iter().collect::<Result<_, Error>>()?;
        let mut predictions = Array2::from_elem((table.rows(), names.len()), f64::NAN);
        let mut scores = Vec::new();
        for (score, test, predicted) in folds {
            for (row, predicted) in test.into_iter().zip(predicted.rows()) {
                predictions.row_mut(row).assign(&predicted);
            }
            scores.push(score);
        }
        Ok(CrossValidation { folds: scores, predictions })
    }
}

impl Recipe<super::Regression> {
    /// As [`fit`](Recipe::fit), for several columns at once.
    ///
    /// # Errors
    /// As [`fit`](Recipe::fit).
    pub fn fit_targets(&self, table: &Table, targets: &[&str]) -> Result<Model<super::Regression>, Error> {
        self.fit_targets_with_progress(table, targets, |_| ControlFlow::Continue(()))
    }

    /// As [`fit_targets`](Recipe::fit_targets), with `progress` as in
    /// [`fit_with_progress`](Recipe::fit_with_progress).
    ///
    /// # Errors
    /// As [`fit`](Recipe::fit).
    pub fn fit_targets_with_progress(
        &self,
        table: &Table,
        targets: &[&str],
        progress: impl Fn(Progress) -> ControlFlow<()> + Sync,
    ) -> Result<Model<super::Regression>, Error> {
        require(!targets.is_empty(), "targets", "at least one name", "none")?;
        let targets: Vec<String> = targets.iter().map(|target| target.to_string()).collect();
        self.fit_all(table, &targets, &progress)
    }
}

/// The rows of `table` that have all targets and, if there is a weight column, a weight above 0.
pub(super) fn usable_rows(
    table: &Table,
    targets: &[String],
    weights: Option<&str>,
    what: &'static str,
) -> Result<Vec<usize>, Error> {
    let mut usable = vec![true; table.rows()];
    for target in targets {
        match table.column(target)?.cells() {
            Cells::Numbers(values) | Cells::Dates(values) => {
                usable.iter_mut().zip(values).for_each(|(usable, value)| *usable &= !value.is_nan());
            }
            Cells::Texts { codes, .. } => {
                let missing = crate::table::levels::MISSING;
                usable.iter_mut().zip(codes).for_each(|(usable, &code)| *usable &= code != missing);
            }
        }
    }
    if let Some(name) = weights {
        usable.iter_mut().zip(self::weights(table, name)?).for_each(|(usable, &w)| *usable &= w > 0.0);
    }
    let rows: Vec<usize> = (0..table.rows()).filter(|&row| usable[row]).collect();
    if rows.is_empty() {
        let with_weight = if weights.is_some() { " and a weight above 0" } else { "" };
        let reason = format!("no row has a value in {}{with_weight}", crate::error::list(targets));
        return Err(Error::NoData { what, reason });
    }
    Ok(rows)
}

/// The numbers of a weight column; NaN for missing.
pub(super) fn weights<'a>(table: &'a Table, name: &str) -> Result<&'a [f64], Error> {
    match table.column(name)?.cells() {
        Cells::Numbers(weights) => match weights.iter().position(|&weight| weight < 0.0) {
            None => Ok(weights),
            Some(row) => Err(Error::Value {
                name: name.into(),
                row: row + 1,
                expected: "a weight of at least 0",
                got: weights[row].to_string(),
            }),
        },
        _ => Err(Error::WrongType {
            name: name.into(),
            expected: ColumnType::Number,
            problem: "it does not hold numbers".into(),
        }),
    }
}

/// The rows of a table, sorted by their contents, so that training does not depend on their order
/// in the file.
fn canonical_order(
    rows: &Rows<'_>,
    table: &Table,
    targets: &[String],
    weights: Option<&[f64]>,
) -> Result<Vec<usize>, Error> {
    // FNV-1a over 64-bit words. Rows with equal contents may change places; others meet by chance
    // only.
    let add = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01B3).rotate_left(29);
    let mut keys = vec![0xCBF2_9CE4_8422_2325_u64; table.rows()];
    let mut encoded = vec![0.0; rows.width()];
    for (row, key) in keys.iter_mut().enumerate() {
        rows.encode(row, &mut encoded);
        *key = encoded.iter().fold(*key, |key, x| add(key, x.to_bits().into()));
        *key = weights.map_or(*key, |weights| add(*key, weights[row].to_bits()));
    }
    for target in targets {
        match table.column(target)?.cells() {
            Cells::Numbers(values) | Cells::Dates(values) => {
                keys.iter_mut().zip(values).for_each(|(key, value)| *key = add(*key, value.to_bits()));
            }
            Cells::Texts { codes, levels } => {
                let hash = |text: &str| text.bytes().fold(0, |hash, byte| add(hash, byte.into()));
                let hashes: Vec<u64> = levels.iter().map(hash).collect();
                let missing = 0;
                for (key, &code) in keys.iter_mut().zip(codes) {
                    *key = add(*key, hashes.get(code as usize).copied().unwrap_or(missing));
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..table.rows()).collect();
    order.sort_by_key(|&row| keys[row]);
    Ok(order)
}

/// Runs `jobs` jobs on at most `threads` threads, one per core by default, and returns their
/// results in order. Each job computes on one thread; a single job may use all.
fn side_by_side<R: Send>(threads: Option<usize>, jobs: usize, job: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = threads.unwrap_or_else(cores).min(jobs);
    if threads <= 1 {
        return (0..jobs).map(job).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<R>>> = Mutex::new((0..jobs).map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= jobs {
                        return;
                    }
                    let result = with_threads(1, || job(index));
                    results.lock().expect("no job panics with the lock")[index] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("a panic ends the scope");
    results.into_iter().map(|result| result.expect("every job ran")).collect()
}
