//! Training sweeps: learning rates × widths × folds × seeds on one table.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use geartrain::data::Dataset;
use geartrain_lab::{LogMean, MapAxis, PhaseMap};
use serde::{Deserialize, Serialize};

use super::RunOptions;
use super::study::numbers;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::table::{self, TableOptions};
use crate::train::experiment::Split;
use crate::train::network::{ModelOptions, at_least};
use crate::train::task::{Kind, Problem, Task};

/// Train a network on a table with each learning rate, width, fold and seed
///
/// Every other option is that of `geartrain train` with a network of your own design.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    table: TableOptions,

    /// Predict numbers or classes [default: decided by the target column]
    #[arg(long, value_enum, help_heading = "Data")]
    task: Option<Kind>,

    /// Learning rates, separated by commas [default: that of --learning-rate]
    #[arg(long, value_name = "RATES", value_delimiter = ',', help_heading = "Sweep")]
    rates: Vec<f64>,

    /// Widths, each for all layers of --hidden [default: those of --hidden]
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', value_parser = at_least(1), help_heading = "Sweep")]
    widths: Vec<usize>,

    /// Test on each of K parts of the rows, and train on the others [default: test on a fifth]
    #[arg(long, value_name = "K", value_parser = at_least(2), help_heading = "Sweep")]
    folds: Option<usize>,

    /// Networks per combination, with the seeds --seed and following
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Sweep")]
    seeds: u64,

    #[command(flatten)]
    model: ModelOptions,

    #[command(flatten)]
    pub run: RunOptions,
}

/// Everything that the results depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingStudy {
    /// Rows, columns and a hash of all numbers.
    data: String,
    pub target: String,
    classification: bool,
    rates: Vec<f64>,
    widths: Vec<usize>,
    /// 1: one split, which tests on a fifth of the rows.
    folds: usize,
    seeds: u64,
    /// All options of network and training, of which the sweep replaces rate, width and seed.
    options: serde_json::Value,
}

/// The data of a sweep in this process.
pub struct Trainer {
    task: Task,
    features: usize,
    splits: Vec<(Dataset<f64>, Dataset<f64>)>,
    options: ModelOptions,
}

impl Options {
    /// Reads the table and splits its rows.
    pub fn prepare(&self) -> Outcome<(TrainingStudy, Trainer)> {
        let options = self.model.clone();
        let hidden = &options.hidden;
        let rates = if self.rates.is_empty() { vec![options.learning_rate] } else { self.rates.clone() };
        let widths = match (&self.widths[..], &hidden[..]) {
            ([], [first, rest @ ..]) if rest.iter().all(|width| width == first) => vec![*first],
            (_, []) => return Err(Failure::option("a sweep needs at least one hidden layer in --hidden")),
            ([], _) => return Err(Failure::option("--hidden has several widths: choose those of --widths")),
            (widths, _) => widths.to_vec(),
        };
        let Problem { task, reason, data, target, .. } =
            Problem::read(&self.table, self.task, None, options.seed, false)?;
        if let Some(reason) = reason.filter(|_| !self.run.quiet) {
            output::note(&reason);
        }
        table::print_notes(data.notes());
        let splits = match self.folds {
            Some(folds) => data.folds(folds, options.seed)?,
            None => vec![data.split(0.2, options.seed)?],
        };
        let study = TrainingStudy {
            data: fingerprint(&data),
            target: output::shortened(&target, 100),
            classification: matches!(task, Task::Classification(_)),
            rates,
            widths,
            folds: splits.len(),
            seeds: self.seeds,
            options: serde_json::to_value(&options).expect("numbers and texts"),
        };
        Ok((study, Trainer { task, features: data.features(), splits, options }))
    }
}

impl TrainingStudy {
    pub fn jobs(&self) -> usize {
        let seeds = usize::try_from(self.seeds).unwrap_or(usize::MAX);
        [self.rates.len(), self.widths.len(), self.folds, seeds].into_iter().product()
    }

    /// The name of the score that is compared.
    pub fn score(&self) -> &'static str {
        if self.classification { "accuracy" } else { "r2" }
    }

    pub fn columns(&self) -> &'static str {
        match self.classification {
            true => "job,learning_rate,width,fold,seed,outcome,epochs,train_loss,accuracy",
            false => "job,learning_rate,width,fold,seed,outcome,epochs,train_loss,r2,rmse,mae",
        }
    }

    /// Indices of rate, width, fold and seed: the seed changes fastest.
    fn indices(&self, job: usize) -> (usize, usize, usize, u64) {
        let (rest, seed) = (job as u64 / self.seeds, job as u64 % self.seeds);
        let (rest, fold) = (rest as usize / self.folds, rest as usize % self.folds);
        (rest / self.widths.len(), rest % self.widths.len(), fold, seed)
    }

    pub fn setting(&self, job: usize) -> String {
        let (rate, width, fold, seed) = self.indices(job);
        format!("{:?},{},{},{seed}", self.rates[rate], self.widths[width], fold + 1)
    }

    /// The mean score of each rate and width, in order of the jobs, with its standard error; NaN
    /// where a training diverged.
    fn scores(&self, rows: &[&str]) -> Vec<LogMean> {
        let scores = numbers(self.columns(), rows, self.score());
        // The mean and its error are those of given numbers, whatever they mean.
        scores.chunks(self.folds * self.seeds as usize).map(LogMean::of_logs).collect()
    }

    /// The mean score of each rate and width, best first.
    pub fn table(&self, rows: &[&str]) -> String {
        let mut ranked: Vec<_> = self.scores(rows).into_iter().enumerate().collect();
        // Diverged ones last.
        let key = |mean: f64| if mean.is_nan() { f64::NEG_INFINITY } else { mean };
        ranked.sort_by(|(_, a), (_, b)| key(b.mean).total_cmp(&key(a.mean)));
        let mut text =
            format!("{:>13} {:>7} {:>10} {:>10}\n", "learning rate", "width", self.score(), "± error");
        for (i, LogMean { mean, error }) in ranked {
            let (rate, width) = (self.rates[i / self.widths.len()], self.widths[i % self.widths.len()]);
            let score = if mean.is_nan() { "diverged".to_string() } else { format!("{mean:.4}") };
            let error = if mean.is_nan() { String::new() } else { format!("{error:.4}") };
            let _ = writeln!(text, "{rate:>13} {width:>7} {score:>10} {error:>10}");
        }
        text
    }

    /// The mean score in the plane of learning rate and width.
    pub fn map(&self, rows: &[&str]) -> PhaseMap {
        let widths: Vec<f64> = self.widths.iter().map(|&width| width as f64).collect();
        PhaseMap {
            title: format!("{} on test rows", self.score()),
            x: MapAxis::logarithmic("learning rate", &self.rates),
            y: MapAxis::logarithmic("width", &widths),
            values: self.scores(rows).iter().map(|score| score.mean).collect(),
            curve: Vec::new(),
        }
    }
}

impl Trainer {
    /// The cells of the results of a job; `None` if it was stopped.
    pub fn run(&self, study: &TrainingStudy, job: usize, stop: &Arc<AtomicBool>) -> Outcome<Option<String>> {
        let (rate, width, fold, seed) = study.indices(job);
        let mut options = self.options.clone();
        options.learning_rate = study.rates[rate];
        options.hidden.fill(study.widths[width]);
        options.seed = options.seed.wrapping_add(seed);
        let network = options.network(self.features, self.task.outputs())?;
        let split = Split::new(self.splits[fold].clone(), &options)?;
        let trained = match split.train_alone(network, &self.task, &options, true, stop.clone()) {
            Ok(trained) => trained,
            Err(Failure::Diverged(_)) => {
                let empty = ",".repeat(if study.classification { 2 } else { 4 });
                return Ok(Some(format!("diverged,{empty}")));
            }
            Err(failure) => return Err(failure),
        };
        if trained.was_interrupted() {
            return Ok(None);
        }
        let epochs = trained.history.epochs.len();
        let loss = trained.history.train_losses().last().map_or(String::new(), |loss| format!("{loss:?}"));
        let scores = if study.classification {
            format!("{:?}", trained.confusion()?.accuracy())
        } else {
            let scores = trained.scores()?;
            format!("{:?},{:?},{:?}", scores.r2, scores.rmse, scores.mae)
        };
        Ok(Some(format!("trained,{epochs},{loss},{scores}")))
    }
}

/// Rows, columns and a hash (FNV-1a) of the bits of all numbers.
fn fingerprint(data: &Dataset<f64>) -> String {
    let bytes = data.x().into_iter().chain(data.y()).flat_map(|value| value.to_bits().to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{} rows of {} + {} columns, hash {hash:016x}", data.rows(), data.features(), data.outputs())
}
