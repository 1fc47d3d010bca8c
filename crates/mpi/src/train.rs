//! `geartrain-mpi train`: one training on the rows of all ranks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use geartrain::data::{Csv, Dataset, Missing, Order, Scaling, StandardScaler};
use geartrain::metrics::{self, ConfusionMatrix};
use geartrain::prelude::*;
use geartrain::train::History;
use geartrain::with_threads;
use geartrain_cli::{AnyTraining, Failure, ModelOptions, Outcome, check_writable, print};
use serde_json::{Value, json};

use crate::files::{read_csv, read_npy};
use crate::shard::Shard;
use crate::team::{RankError, Team};

/// Train a network on a table, of which every rank reads and holds a part
///
/// The model is that of `geartrain train` with the same options, bit for bit, for any number of
/// ranks. A fifth of the rows is held out for the test. Validation and test rows are on every rank.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Options {
    /// A CSV file with a header line, or the inputs in a .npy file; {rank} in the name stands for
    /// the rank, if every rank has a file of its own
    #[arg(value_name = "FILE")]
    file: String,

    /// The column to predict, of a CSV file
    #[arg(long, value_name = "COLUMN", required_unless_present = "targets", help_heading = "Data")]
    target: Option<String>,

    /// The targets of a .npy file, in another one
    #[arg(long, value_name = "FILE", conflicts_with = "target", help_heading = "Data")]
    targets: Option<String>,

    /// Columns of a CSV file to leave out, separated by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Data")]
    drop: Vec<String>,

    /// The target is a class; every different value is a class
    #[arg(long, conflicts_with = "targets", help_heading = "Data")]
    classification: bool,

    #[command(flatten)]
    model: ModelOptions,

    /// Cut batches into slices of at least this many rows, which the ranks share [default: 256, and
    /// no slices with more than 65536 parameters]
    #[arg(long, value_name = "ROWS", help_heading = "Network and training")]
    slice_rows: Option<usize>,

    /// Threads of each rank
    #[arg(long, value_name = "NUMBER", default_value_t = 1, help_heading = "Network and training")]
    threads: usize,

    /// Write a checkpoint, from rank 0
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    checkpoint: Option<PathBuf>,

    /// Epochs between checkpoints
    #[arg(long, value_name = "EPOCHS", default_value_t = 10, help_heading = "Results")]
    checkpoint_every: usize,

    /// Continue from a checkpoint, which only rank 0 needs to have, with any number of ranks
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    resume: Option<PathBuf>,

    /// Save the model, from rank 0
    #[arg(long, value_name = "MODEL", help_heading = "Results")]
    save: Option<PathBuf>,

    /// Print the results as one JSON object
    #[arg(long, help_heading = "Results")]
    json: bool,

    /// Print no progress
    #[arg(long, help_heading = "Results")]
    quiet: bool,
}

/// Which of all rows are for the test, for early stopping and for training: those of `geartrain
/// train`.
struct Parts {
    test: Vec<usize>,
    held_out: Vec<usize>,
    training: Vec<usize>,
}

impl Parts {
    fn new(rows: usize, options: &ModelOptions) -> Outcome<Self> {
        let (test, rest) = split(rows, options.seed)?;
        let (held_out, training) = match options.stops_early() {
            false => (Vec::new(), (0..rest.len()).collect()),
            true => split(rest.len(), options.seed)?,
        };
        let of_all = |rows: Vec<usize>| rows.into_iter().map(|row| rest[row]).collect();
        Ok(Parts { test, held_out: of_all(held_out), training: of_all(training) })
    }
}

/// A fifth of the rows, and the others, as [`Dataset::split`].
fn split(rows: usize, seed: u64) -> Outcome<(Vec<usize>, Vec<usize>)> {
    let fifth = (0.2 * rows as f64).round() as usize;
    if fifth == 0 || fifth == rows {
        return Err(Failure::other(format!("{rows} rows are too few to split")));
    }
    let mut order = Order::new(rows, rows, seed).map_err(Failure::other)?;
    order.shuffle(0);
    let order = order.rows(0);
    Ok((order[..fifth].to_vec(), order[fifth..].to_vec()))
}

/// Runs the command on all ranks of `team`.
///
/// # Errors
/// The same on every rank.
pub fn run(team: &Team, options: &Options, stop: Arc<AtomicBool>) -> Outcome {
    let first = team.rank() == 0;
    // The files of all ranks.
    let files = || [Some(&options.file), options.targets.as_ref()].into_iter().flatten();
    let of_rank = |rank: usize| files().map(move |path| path.replace("{rank}", &rank.to_string()));
    let inputs: Vec<String> = (0..team.size()).flat_map(of_rank).collect();
    let outputs = || check_writable(options.save.as_deref(), inputs.iter().map(Path::new));
    let message = |failure: Failure| failure.message().unwrap_or("interrupted").to_string();
    team.agree(if first { outputs().map_err(message) } else { Ok(()) })?;
    let data = read(team, options)?;
    let counts = team.gather(&[data.rows()]);
    let rows = counts.iter().flatten().sum();
    let Parts { test, held_out, training } = Parts::new(rows, &options.model)?;

    let raw = Shard::new(team, &data, training.clone())?;
    let everywhere = |rows: &[usize]| -> Outcome<Dataset<f64>> {
        let fetched = raw.fetch(|_| rows.to_vec())?;
        let (x, y) = fetched.view().split_at(ndarray::Axis(1), data.features());
        let named =
            Dataset::new(x.to_owned(), y.to_owned())?.named(data.feature_names(), data.target_names())?;
        Ok(if options.classification { named.with_classes(data.classes())? } else { named })
    };
    let scaling = fit_scaling(team, &raw, &data)?;
    let test = everywhere(&test)?;
    let watched = if held_out.is_empty() { test.clone() } else { everywhere(&held_out)? };
    let watched: Dataset<f32> = scaling.apply(&watched)?;
    drop(raw);
    let scaled = team.agree(scaling.apply::<f64, f32>(&data).map_err(|error| error.to_string()))?;
    drop(data);

    let mut network = options.model.network(test.features(), test.classes().len().max(1))?;
    if let Some(rows) = options.slice_rows {
        network = network.slice_rows(rows);
    }
    warn(team, &network, options, training.len());
    let mut shard = Shard::new(team, &scaled, training)?;
    drop(scaled);
    let loss: &dyn Loss<f32> = if options.classification { &CrossEntropy } else { &MeanSquaredError };
    let mut fitting = options.model.training(&loss, &watched, options.quiet || !first, stop)?;
    if let Some(path) = &options.checkpoint {
        fitting = fitting.checkpoint(path, options.checkpoint_every);
    }
    let copy = options.resume.as_ref().map(|path| copy_checkpoint(team, path)).transpose()?;
    let history = with_threads(options.threads, || fit(fitting, copy.as_ref(), &mut network, &mut shard));
    copy.iter().for_each(|path| drop(std::fs::remove_file(path)));
    let history = history?;
    if first {
        let model = Predictor::new(network).with_scaling(scaling)?;
        report(team, options, rows, &history, &model, &test)?;
        if let Some(path) = &options.save {
            model.save(path)?;
        }
    }
    Ok(())
}

fn read(team: &Team, options: &Options) -> Result<Dataset<f64>, RankError> {
    match (&options.targets, &options.target) {
        (Some(targets), _) => read_npy(team, &options.file, targets),
        (None, target) => {
            let csv = Csv::new(target.as_deref().unwrap_or_default());
            // Every rank must come to the same columns.
            let csv = csv.drop_columns(&options.drop).keep_index(true).missing(Missing::Error);
            read_csv(team, &options.file, &csv, options.classification)
        }
    }
}

/// The scaling of the training rows. Every rank fits some of the columns.
fn fit_scaling(team: &Team, raw: &Shard<'_, f64>, data: &Dataset<f64>) -> Outcome<Scaling> {
    let (columns, first) = raw.fetch_columns()?;
    let fit = || {
        if columns.ncols() == 0 {
            return Ok(Value::Null);
        }
        let scaler = StandardScaler::fit(&columns).map_err(|error| error.to_string())?;
        serde_json::to_value(scaler).map_err(|error| error.to_string())
    };
    let fitted = team.agree(fit())?;
    let parts = team.gather(json!([first, fitted]).to_string().as_bytes());
    let (mut mean, mut std, mut constant) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let (first, fitted): (usize, Value) = serde_json::from_slice(&part).map_err(Failure::other)?;
        let numbers = |name: &str| fitted[name].as_array().cloned().unwrap_or_default();
        mean.extend(numbers("mean"));
        std.extend(numbers("std"));
        constant.extend(numbers("constant").iter().filter_map(Value::as_u64).map(|c| c as usize + first));
    }
    let scaler = |columns: std::ops::Range<usize>| {
        let constant = constant.iter().filter(|column| columns.contains(column));
        let constant: Vec<usize> = constant.map(|column| column - columns.start).collect();
        let (mean, std) = (&mean[columns.clone()], &std[columns.clone()]);
        serde_json::from_value(json!({ "mean": mean, "std": std, "constant": constant }))
    };
    let x = scaler(0..data.features()).map_err(Failure::other)?;
    let y = data.classes().is_empty().then(|| scaler(data.features()..mean.len()));
    Ok(Scaling::from_scalers(x, y.transpose().map_err(Failure::other)?, data))
}

/// Says so if ranks have nothing to do.
fn warn(team: &Team, network: &Network<f32>, options: &Options, rows: usize) {
    let slices = network.slices(options.model.batch_size.min(rows)).count();
    if team.rank() == 0 && slices < team.size() {
        geartrain_cli::note(&format!(
            "warning: a batch has {slices} slice{} for {} ranks; larger batches (--batch-size) or smaller slices \
             (--slice-rows) use more ranks, except with dropout or BatchNorm",
            if slices == 1 { "" } else { "s" },
            team.size()
        ));
    }
}

/// A copy of the checkpoint of rank 0 for this rank.
fn copy_checkpoint(team: &Team, path: &Path) -> Outcome<PathBuf> {
    let read = || std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let bytes = team.agree(if team.rank() == 0 { read() } else { Ok(Vec::new()) })?;
    let bytes = team.broadcast(bytes);
    let copy = std::env::temp_dir().join(format!("geartrain-mpi-{}.safetensors", std::process::id()));
    team.agree(std::fs::write(&copy, bytes).map_err(|error| format!("{}: {error}", copy.display())))?;
    Ok(copy)
}

fn fit(
    mut training: AnyTraining<'_>,
    resume: Option<&PathBuf>,
    network: &mut Network<f32>,
    shard: &mut Shard<'_, f32>,
) -> Outcome<History> {
    if let Some(path) = resume {
        training = training.resume(path);
    }
    Ok(training.fit_rows(network, shard)?)
}

fn report(
    team: &Team,
    options: &Options,
    rows: usize,
    history: &History,
    model: &Predictor<f32>,
    test: &Dataset<f64>,
) -> Outcome {
    let predicted = model.predict(test.x())?;
    let scores = if options.classification {
        json!({ "accuracy": ConfusionMatrix::from_logits(&predicted, test.y())?.accuracy() })
    } else {
        let rmse = metrics::root_mean_squared_error(&predicted, test.y())?;
        json!({ "r2": metrics::r2(&predicted, test.y())?, "rmse": rmse })
    };
    let epochs = history.epochs.len();
    if options.json {
        let object = json!({
            "ranks": team.size(), "rows": rows, "epochs": epochs, "test": scores,
            "train_losses": history.train_losses(), "validation_losses": history.validation_losses(),
            "stopped": format!("{:?}", history.stop_reason),
        });
        print(&format!("{object}\n"))
    } else {
        let loss =
            history.train_losses().last().map_or(String::new(), |loss| format!(", training loss {loss:.6}"));
        print(&format!("{rows} rows on {} ranks, {epochs} epochs{loss}, test {scores}\n", team.size()))
    }
}

/// Random rows for the bench: inputs, and a smooth function of them.
pub(crate) fn random_rows(rows: usize, features: usize, seed: u64) -> Result<Dataset<f32>, geartrain::Error> {
    let x = geartrain::data::toy::friedman1::<f32>(rows, 0.1, seed)?;
    let wide = ndarray::Array2::from_shape_fn((rows, features), |(r, c)| x.x()[[r, c % x.features()]]);
    Ok(Dataset::new(wide, x.y().to_owned())?)
}
