//! `geartrain train`: train a network on a table, test it, and save it.
//!
//! | file | content |
//! |---|---|
//! | `options` | the options of the command |
//! | `task` | regression or classification; reading the data |
//! | `network` | the options of the network and its training |
//! | `experiment` | one split of the rows: scaling, training, testing |
//! | `baseline` | linear least squares, for comparison |
//! | `report` | the results as text and as JSON |
//! | `tabular` | the recipe for tables, without options of the network |

mod baseline;
pub mod experiment;
pub mod network;
mod options;
pub mod report;
pub mod tabular;
pub mod task;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use clap::ArgMatches;
use clap::parser::ValueSource;

pub use options::Options;

use crate::failure::{Failure, Outcome};
use crate::{interrupt, output, picture, table};
use experiment::Split;
use tabular::Recipe;
use task::{Problem, Task};

/// Options that need the recipe `network`.
const DESIGN: [&str; 15] = [
    "hidden",
    "activation",
    "residual",
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "momentum",
    "weight_decay",
    "early_stopping",
    "dropout",
    "norm",
    "missing",
    "keep_index",
];

/// Runs the command; `given` tells which options are on the command line.
pub fn run(options: &Options, given: &ArgMatches) -> Outcome {
    output::check_writable(options.outputs(), options.inputs())?;
    let design = DESIGN.iter().any(|id| given.value_source(id) == Some(ValueSource::CommandLine));
    let file = options.table.file.as_deref();
    let of_tables = options.recipe.of_tables(&options.table.targets, file);
    let recipe = match options.recipe.recipe {
        Some(Recipe::Network) if !of_tables.is_empty() => {
            let message = format!("the recipe network takes no {}", of_tables.join(", "));
            return Err(Failure::option(message));
        }
        None if !of_tables.is_empty() || options.table.chooses_types() => Some(Recipe::Tables),
        recipe => recipe,
    };
    if recipe == Some(Recipe::Tables) {
        return match file {
            Some(path) if !design => tabular::run(options, path),
            _ => Err(Failure::option(
                "the recipe for tables needs a FILE, and takes no options of the network, --missing or \
                 --keep-index",
            )),
        };
    }
    let refuses_text = recipe.is_none() && !design;
    let (test, seed) = (options.test.as_deref(), options.model.seed);
    let problem = Problem::read(&options.table, options.task, test, seed, refuses_text);
    let mut problem = match (problem, &options.table.file) {
        (Err(Failure::TextColumns), Some(path)) => return tabular::run(options, path),
        (problem, _) => problem?,
    };
    if let Some(reason) = problem.reason.as_ref().filter(|_| !options.quiet) {
        output::note(reason);
    }
    if let Task::Classification(classes) = &mut problem.task
        && let [only] = &classes[..]
    {
        let name = output::quoted_name(only);
        output::note(&format!("warning: every row is of the class {name}: there is nothing to learn"));
        // With a single output the network would return the logit of class 1.
        classes.push(format!("not {only}"));
        problem.data = problem.data.with_classes(&*classes)?;
        problem.test = problem.test.map(|test| test.with_classes(&*classes)).transpose()?;
    }
    table::print_notes(problem.data.notes());
    let Problem { task, data, .. } = &problem;
    let network = options.model.network(data.features(), task.outputs())?;
    if !options.quiet && !options.json {
        output::print(&format!("{}\n", network.summary()))?;
    }
    let splits = splits(options, &problem)?;
    warn_about_constants(&splits);

    let stop = interrupt::flag()?;
    let count = splits.len();
    let mut trained = Vec::new();
    for (i, split) in splits.into_iter().enumerate() {
        if options.folds.is_some() && !options.quiet {
            output::note(&format!("fold {} of {count}", i + 1));
        }
        let one = split.train(network.clone(), task, &options.model, options.quiet, stop.clone())?;
        one.history.warnings.iter().for_each(|warning| output::note(&format!("warning: {warning}")));
        let interrupted = one.was_interrupted();
        // An interrupted fold is incomplete; an interrupted single run is the result.
        if !interrupted || options.folds.is_none() {
            trained.push(one);
        }
        if interrupted || stop.load(Ordering::Relaxed) {
            break;
        }
    }
    let interrupted = stop.load(Ordering::Relaxed);
    if trained.is_empty() {
        output::note("Interrupted in the first fold: there are no results.");
        return Err(Failure::Interrupted);
    }
    output::print(&report::report(options, &problem, &trained, interrupted)?)?;
    if let Some(path) = &options.save {
        trained[0].model.save(path)?;
        output::note(&format!("The model is in {}", path.display()));
    }
    if let Some(path) = &options.svg {
        output::write_picture(path, &picture::draw(options, &problem, &trained)?)?;
    }
    match (interrupted, trained[0].history.epochs.len()) {
        (false, _) => Ok(()),
        (true, epochs) => {
            let what = match options.folds {
                Some(folds) => format!("the results are those of {} of {folds} folds", trained.len()),
                None => format!("the results are those of the model after {epochs} complete epochs"),
            };
            output::note(&format!("Interrupted: {what}."));
            Err(Failure::Interrupted)
        }
    }
}

/// The splits into training and test rows: one, or one for each fold.
fn splits(options: &Options, problem: &Problem) -> Outcome<Vec<Split>> {
    let (data, seed) = (&problem.data, options.model.seed);
    let parts = match (options.folds, &problem.test) {
        (Some(folds), _) => data.folds(folds, seed)?,
        (None, Some(test)) => vec![(data.clone(), test.clone())],
        (None, None) => vec![data.split(0.2, seed)?],
    };
    let split = |part| Ok(Split::new(part, &options.model)?);
    parts.into_iter().map(split).collect()
}

/// Warns about columns from which nothing can be learned.
fn warn_about_constants(splits: &[Split]) {
    let mut names = BTreeSet::new();
    for split in splits {
        names.extend(split.scaling.constant_columns());
    }
    if !names.is_empty() {
        let list = output::listed(&names.into_iter().collect::<Vec<_>>());
        output::note(&format!("warning: columns without information, constant in the training rows: {list}"));
    }
}
