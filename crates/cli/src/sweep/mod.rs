//! `geartrain sweep`: independent jobs over a grid of settings, with the results in one file.
//!
//! | file | content |
//! |---|---|
//! | `study` | which jobs there are: their columns, settings, summary and picture |
//! | `results` | the file of results: resume, shards, merge |
//! | `gradients` | options and jobs of gradient sweeps |
//! | `training` | options and jobs of training sweeps |
//!
//! A job depends on its number and the options alone. Therefore the file of results holds the same
//! bytes for any number of threads, when an interrupted sweep is continued, when shards are
//! merged, and when another program runs the jobs, which needs [`Sweep`] and [`Results`] only.

mod gradients;
mod results;
mod study;
mod training;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use geartrain::with_threads;

use crate::failure::{Failure, Outcome};
use crate::train::network::at_least;
use crate::{interrupt, output};
pub use results::Results;
use results::{Shard, merge};
use study::Study;
use training::Trainer;

/// Run many independent networks, and collect their results in one CSV file
///
/// The file begins with a comment that describes the sweep. An interrupted sweep continues with the
/// same command. The shards of a sweep (--shard 1/4 to 4/4, with different --out) run on different
/// machines or as a job array, and `merge` joins their files. All of these give the same bytes.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Gradients(gradients::Options),
    Train(Box<training::Options>),
    Merge(MergeOptions),
}

/// Where the results of a sweep go, and which of its jobs to run.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Jobs and results")]
struct RunOptions {
    /// Write the results to this CSV file; if it holds a part of this sweep, run the rest
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Draw the results as SVG
    #[arg(long, value_name = "FILE", conflicts_with = "shard")]
    svg: Option<PathBuf>,

    /// Run only every N-th job, from the K-th on
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,

    /// Jobs to run at the same time [default: one per core]
    #[arg(long, value_name = "NUMBER", value_parser = at_least(1))]
    threads: Option<usize>,

    /// Print the results as a JSON array of objects
    #[arg(long, conflicts_with = "shard")]
    json: bool,

    /// Print no progress
    #[arg(long)]
    quiet: bool,
}

/// Join the files of the shards of a sweep
#[derive(Debug, clap::Args)]
struct MergeOptions {
    /// The files, which together hold all jobs
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,

    /// Write the results to this CSV file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Draw the results as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Print the results as a JSON array of objects
    #[arg(long)]
    json: bool,
}

/// The jobs of a sweep, ready to run.
pub struct Sweep<'a> {
    study: Study,
    /// The data of a training sweep.
    trainer: Option<Trainer>,
    options: &'a RunOptions,
}

impl<'a> Sweep<'a> {
    /// The sweep of a command, after all checks that need no file of results. A training sweep
    /// reads its data.
    ///
    /// # Errors
    /// If an option is invalid, the data cannot be read, or the command is `merge`, which runs no
    /// jobs.
    pub fn new(options: &'a Options) -> Outcome<Self> {
        match &options.command {
            Command::Gradients(options) => {
                Ok(Sweep { study: Study::Gradients(options.grid()?), trainer: None, options: &options.run })
            }
            Command::Train(options) => {
                let (study, trainer) = options.prepare()?;
                Ok(Sweep { study: Study::Training(study), trainer: Some(trainer), options: &options.run })
            }
            Command::Merge(_) => Err(Failure::option("`merge` has no jobs to run")),
        }
    }

    /// Opens the file of results, creates it, or finds which jobs it already holds.
    ///
    /// # Errors
    /// If the file belongs to another sweep, or cannot be read or written.
    pub fn open(&self) -> Outcome<Results> {
        output::check_writable(self.options.svg.as_deref(), [self.options.out.as_path()])?;
        let RunOptions { out, shard, quiet, .. } = self.options;
        Results::open(out, self.study.clone(), shard.unwrap_or_default(), *quiet)
    }

    /// Runs a job on the calling thread: its row of the file of results. `None` if `stop` was set
    /// before the job was complete.
    ///
    /// # Errors
    /// Any error of the network or the training, except that training diverged, which is a result.
    pub fn run(&self, job: usize, stop: &Arc<AtomicBool>) -> Outcome<Option<String>> {
        let result = with_threads(1, || match (&self.study, &self.trainer) {
            (Study::Gradients(grid), _) => gradients::run(grid, job).map(Some),
            (Study::Training(study), Some(trainer)) => trainer.run(study, job, stop),
            (Study::Training(_), None) => unreachable!("a training sweep has its data"),
        });
        let named = |failure: Failure| match failure.message() {
            Some(message) => Failure::other(format!("job {job}: {message}")),
            None => failure,
        };
        let cells = result.map_err(named)?;
        Ok(cells.map(|cells| format!("{},{cells}", self.study.setting(job))))
    }

    /// How many jobs to run at the same time in this process, if the options say so.
    pub fn threads(&self) -> Option<usize> {
        self.options.threads
    }

    /// Ends the sweep: writes the sorted file, and what else the options ask for.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] if jobs are missing; another failure if a file cannot be written.
    pub fn finish(&self, results: &mut Results) -> Outcome {
        let missing = results.pending().len();
        if missing > 0 {
            let out = self.options.out.display();
            output::note(&format!(
                "Interrupted: {missing} jobs are missing in {out}. The same command continues."
            ));
            return Err(Failure::Interrupted);
        }
        results.save()?;
        if self.options.shard.is_some() {
            return Ok(());
        }
        report(results, self.options.svg.as_deref(), self.options.json)
    }
}

/// Prints what the results say, and draws them.
fn report(results: &Results, svg: Option<&std::path::Path>, json: bool) -> Outcome {
    let (study, rows) = (results.study(), results.rows());
    if json {
        output::print(&format!("{}\n", study.json(&rows)))?;
    } else {
        output::print(&study.summary(&rows))?;
    }
    match svg {
        Some(path) => output::write_picture(path, &study.picture(&rows)?),
        None => Ok(()),
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Outcome {
    if let Command::Merge(options) = &options.command {
        let files = options.files.iter().chain([&options.out]).map(PathBuf::as_path);
        output::check_writable(options.svg.as_deref(), files)?;
        let results = merge(&options.files, &options.out)?;
        return report(&results, options.svg.as_deref(), options.json);
    }
    let sweep = Sweep::new(options)?;
    let mut results = sweep.open()?;
    let stop = interrupt::flag()?;
    run_on_threads(&sweep, &mut results, &stop)?;
    sweep.finish(&mut results)
}

/// Runs the jobs that `results` does not hold, until all are done, one fails, or `stop` is set.
fn run_on_threads(sweep: &Sweep, results: &mut Results, stop: &Arc<AtomicBool>) -> Outcome {
    let pending = results.pending();
    let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = sweep.threads().unwrap_or_else(cores).min(pending.len());
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (send, next, pending) = (send.clone(), &next, &pending);
            scope.spawn(move || {
                while let Some(&job) = pending.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) || send.send(sweep.run(job, stop)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        for row in receive {
            // The receiver is dropped after an error, which ends the threads.
            if let Some(row) = row? {
                results.record(&row)?;
            }
        }
        Ok(())
    })
}
