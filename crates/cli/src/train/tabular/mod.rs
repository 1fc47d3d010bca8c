//! Training with the recipe for tables: columns of any type, text, dates and gaps.
//!
//! | file | content |
//! |---|---|
//! | `options` | the options of the recipe |
//! | `results` | predictions for test rows, and their scores |
//! | `report` | the results as text and as JSON |

mod options;
mod report;
pub mod results;

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use geartrain_tables::{
    ClassWeights, Classification, Column, ColumnType, Folds, Importance, Model, Regression, RegressionLoss,
    Table,
};

pub use options::{Recipe, RecipeOptions};
use results::{Part, Predicts, Results};

use super::Options;
use super::task::Kind;
use crate::failure::{Failure, Outcome};
use crate::output::quoted_name;
use crate::{interrupt, output, picture};

/// What to predict, and what counts.
pub struct Choice {
    targets: Vec<String>,
    loss: RegressionLoss,
    class_weights: ClassWeights,
    /// The column with the weights of the rows.
    weights: Option<String>,
}

/// One split of the rows.
struct Split {
    train: Table,
    test: Table,
}

/// The results of a training.
struct Measured {
    /// Those of the network, of the linear model if it was trained, and of the constant prediction.
    lines: Vec<(&'static str, Results)>,
    /// Those of the network for each fold of a cross-validation.
    each: Option<Vec<Results>>,
    /// The importance of each column for a single network or ensemble, the largest first.
    importances: Option<Vec<Importance>>,
    rows: usize,
    test_rows: usize,
    interrupted: bool,
}

/// Test rows of which importances are measured, and how often each column is shuffled.
const SHUFFLED: (usize, usize) = (2000, 5);

/// Trains on the table at `path` and reports.
pub fn run(options: &Options, path: &Path) -> Outcome {
    let recipe = &options.recipe;
    let choice = Choice {
        targets: options.table.targets.clone(),
        loss: recipe.loss.clone().unwrap_or_default(),
        class_weights: recipe.class_weights().map_err(Failure::option)?.unwrap_or_default(),
        weights: recipe.weight_column.clone(),
    };
    let keep: Vec<String> = choice.targets.iter().chain(&choice.weights).cloned().collect();
    let mut table = options.table.tabular(path, &keep)?;
    let kind = decide(options, &choice, &table)?;
    // A target is never left out, and classes are names, also where they look like numbers.
    for target in &choice.targets {
        let wanted = match (kind, table.column(target)?.column_type()) {
            (Kind::Regression, ColumnType::Identifier) => Some(ColumnType::Number),
            (Kind::Classification, ColumnType::Number | ColumnType::Identifier) => Some(ColumnType::Category),
            _ => None,
        };
        if let Some(wanted) = wanted {
            table = table.with_type(target, wanted)?;
        }
    }
    match kind {
        Kind::Regression => train::<Regression>(options, &choice, table),
        Kind::Classification => train::<Classification>(options, &choice, table),
    }
}

/// Regression or classification, by the options and the target.
fn decide(options: &Options, choice: &Choice, table: &Table) -> Outcome<Kind> {
    let [target, others @ ..] = &choice.targets[..] else { return Err(Failure::option("give a --target")) };
    let column = table.column(target)?;
    for name in others.iter().chain(&choice.weights) {
        table.column(name)?;
    }
    if choice.weights.as_ref().is_some_and(|weights| choice.targets.contains(weights)) {
        return Err(Failure::option("--weight-column and --target name the same column"));
    }
    let weighs_classes = choice.class_weights != ClassWeights::Equal;
    let implied = match (options.recipe.loss.is_some() || !others.is_empty(), weighs_classes) {
        (true, true) => {
            return Err(Failure::option(
                "--class-weight is for a classification, and --loss and several targets are for a regression",
            ));
        }
        (true, false) => Some(Kind::Regression),
        (false, true) => Some(Kind::Classification),
        (false, false) => None,
    };
    if let (Some(chosen), Some(implied)) = (options.task, implied)
        && chosen != implied
    {
        return Err(Failure::option(match implied {
            Kind::Regression => {
                "--loss and several targets are for a regression, not for --task classification"
            }
            Kind::Classification => "--class-weight is for a classification, not for --task regression",
        }));
    }
    if let Some(known) = options.task.or(implied) {
        return Ok(known);
    }
    let cells = || (0..table.rows()).filter_map(|row| column.text(row));
    let is_number = |text: String| text.parse::<f64>().is_ok();
    let numbers = column.column_type() == ColumnType::Number
        || column.column_type() == ColumnType::Identifier && cells().all(is_number);
    let first = cells().next();
    let second = cells().find(|text| Some(text) != first.as_ref());
    let two = cells().all(|text| Some(&text) == first.as_ref() || Some(&text) == second.as_ref());
    let (kind, task, other) = match numbers && !two {
        true => (Kind::Regression, "regression", "classification"),
        false => (Kind::Classification, "classification", "regression"),
    };
    if !options.quiet {
        let hint = if numbers { format!(" (--task {other} overrides this)") } else { String::new() };
        let (name, column_type, why) = (quoted_name(target), column.column_type(), column.reason());
        output::note(&format!("Task: {task}, because {name} is a {column_type} column ({why}){hint}"));
    }
    Ok(kind)
}

fn train<T: Predicts>(options: &Options, choice: &Choice, table: Table) -> Outcome {
    let table = usable(&table, choice)?;
    let splits = splits::<T>(options, choice, &table)?;
    if !options.quiet && !options.json {
        output::print(&format!("{table}\n"))?;
    } else {
        let left_out = |column: &&Column| {
            column.column_type() == ColumnType::Identifier
                && !choice.targets.iter().any(|name| name == column.name())
        };
        for column in table.columns().filter(left_out) {
            output::note(&format!("note: {}: {}", quoted_name(column.name()), column.reason()));
        }
    }
    let ensemble = options.recipe.ensemble;
    let mut recipe = Model::<T>::recipe().seed(options.model.seed).ensemble(ensemble);
    if let Some(name) = &choice.weights {
        recipe = recipe.weight_column(name);
    }
    let recipe = T::with_choice(recipe, choice);
    let linear = recipe.clone().linear().ensemble(1);
    let stop = interrupt::flag()?;
    let (mut models, mut baselines) = (Vec::new(), Vec::new());
    for (i, split) in splits.iter().enumerate() {
        let name = match options.folds {
            Some(count) => format!("fold {} of {count}", i + 1),
            None => "training".into(),
        };
        let name = (!options.quiet).then_some(&name[..]);
        let model = fit::<T>(&recipe, split, choice, &stop, name)?;
        let interrupted = stop.load(Ordering::Relaxed);
        // An interrupted fold is incomplete; an interrupted single run is the result.
        if !interrupted || options.folds.is_none() {
            models.push(model);
        }
        if interrupted {
            break;
        }
        baselines.push(T::train(&linear, &split.train, &choice.targets, &|_| ControlFlow::Continue(()))?);
    }
    let interrupted = stop.load(Ordering::Relaxed);
    if models.is_empty() {
        output::note("Interrupted in the first fold: there are no results.");
        return Err(Failure::Interrupted);
    }
    let measured = measure(options, choice, (&models, &baselines), &splits, table.rows(), interrupted)?;
    let text = match options.json {
        true => report::json_text::<T>(&measured, choice),
        false => report::text(&measured, choice)?,
    };
    output::print(&(text + "\n"))?;
    if !options.quiet && !options.json && options.folds.is_none() {
        if let Some(text) = report::importances(&measured) {
            output::print(&format!("\n{text}\n"))?;
        }
        output::print(&format!("\n{}", models[0].report()))?;
    }
    if let Some(path) = &options.save {
        models[0].save(path)?;
        output::note(&format!("The model is in {}", path.display()));
    }
    if let Some(path) = &options.svg {
        let members = models.iter().flat_map(Model::histories);
        let losses: Vec<_> =
            members.map(|member| [member.train_loss.clone(), member.validation_loss.clone()]).collect();
        let (loss, results) = (T::name_of_loss(choice), &measured.lines[0].1);
        let svg = picture::draw_tabular(&losses, loss, results, measured.importances.as_deref())?;
        output::write_picture(path, &svg)?;
    }
    if interrupted {
        output::note("Interrupted: the results are those of the model as it was then.");
        return Err(Failure::Interrupted);
    }
    Ok(())
}

/// The results of the models, of the linear models if there is one for each, and of the constant
/// predictions, on the test rows of the splits.
fn measure<T: Predicts>(
    options: &Options,
    choice: &Choice,
    (models, baselines): (&[Model<T>], &[Model<T>]),
    splits: &[Split],
    rows: usize,
    interrupted: bool,
) -> Outcome<Measured> {
    let tests = || splits.iter().map(|split| &split.test);
    let together = |models: &[Model<T>]| {
        let parts = models.iter().zip(tests()).map(|(model, test)| Part::of(model, test));
        T::compare(&parts.collect::<Outcome<Vec<_>>>()?, choice)
    };
    let name = if options.recipe.ensemble > 1 { "ensemble" } else { "network" };
    let mut lines = vec![(name, together(models)?)];
    if baselines.len() == models.len() {
        lines.push((report::LINEAR, together(baselines)?));
    }
    let constants = models.iter().zip(tests()).map(|(model, test)| Part::constant(model, test));
    lines.push((T::name_of_constant(choice), T::compare(&constants.collect::<Outcome<Vec<_>>>()?, choice)?));
    let one = |(model, test)| T::compare(&[Part::of::<T>(model, test)?], choice);
    let each = options.folds.map(|_| models.iter().zip(tests()).map(one).collect::<Outcome<Vec<_>>>());
    let test_rows = tests().take(models.len()).map(Table::rows).sum();
    let importances = match (models, splits) {
        ([model], [split]) if !interrupted => {
            let rows: Vec<usize> = (0..split.test.rows().min(SHUFFLED.0)).collect();
            Some(model.importance(&split.test.select(&rows), SHUFFLED.1, options.model.seed)?)
        }
        _ => None,
    };
    Ok(Measured { lines, each: each.transpose()?, importances, rows, test_rows, interrupted })
}

/// The rows that have all targets and a weight; how many are left out goes to stderr.
fn usable(table: &Table, choice: &Choice) -> Outcome<Table> {
    let mut usable = vec![true; table.rows()];
    for target in &choice.targets {
        let column = table.column(target)?;
        usable.iter_mut().enumerate().for_each(|(row, usable)| *usable &= column.text(row).is_some());
    }
    if let Some(name) = &choice.weights
        && let Some(weights) = table.column(name).ok().and_then(|column| column.as_numbers())
    {
        // A weight below 0 is an error when training begins.
        usable
            .iter_mut()
            .zip(weights)
            .for_each(|(usable, weight)| *usable &= !weight.is_nan() && *weight != 0.0);
    }
    let rows: Vec<usize> = (0..table.rows()).filter(|&row| usable[row]).collect();
    let missing = table.rows() - rows.len();
    if missing == 0 {
        return Ok(table.clone());
    }
    let weight = if choice.weights.is_some() { " or with weight 0" } else { "" };
    let targets = output::listed(&choice.targets);
    output::note(&format!("{missing} rows without {targets}{weight} are left out"));
    Ok(table.select(&rows))
}

/// The splits into training and test rows: one, or one for each fold.
fn splits<T: Predicts>(options: &Options, choice: &Choice, table: &Table) -> Outcome<Vec<Split>> {
    if let Some(path) = &options.test {
        let test = options.table.tabular_as(path, table)?;
        return Ok(vec![Split { train: table.clone(), test: usable(&test, choice)? }]);
    }
    let count = options.folds.unwrap_or_else(|| table.rows().clamp(2, 5));
    let seed = options.model.seed;
    let folds = match T::STRATIFIED {
        false => Folds::shuffled(table.rows(), count, seed)?,
        true => Folds::stratified(table.column(&choice.targets[0])?, count, seed)?,
    };
    let split = |fold| {
        let (train, test) = folds.split(fold);
        Split { train: table.select(&train), test: table.select(&test) }
    };
    Ok((0..options.folds.unwrap_or(1)).map(split).collect())
}

/// Trains on one split, with a line of progress called `name` on a terminal.
fn fit<T: Predicts>(
    recipe: &geartrain_tables::Recipe<T>,
    split: &Split,
    choice: &Choice,
    stop: &AtomicBool,
    name: Option<&str>,
) -> Outcome<Model<T>> {
    let start = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let progress = |progress: geartrain_tables::Progress| {
        if let Some(name) = name.filter(|_| terminal) {
            let (done, total) = (progress.done, progress.total);
            let left = match done {
                0 => String::new(),
                _ => {
                    let left = start.elapsed().as_secs_f64() / done as f64 * (total - done) as f64;
                    format!(", {left:.0} s left")
                }
            };
            eprint!("\r{name}: epoch {done} of {total}{left} \x1b[K");
        }
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let model = T::train(recipe, &split.train, &choice.targets, &progress)?;
    if let Some(name) = name {
        let seconds = start.elapsed().as_secs_f64();
        output::note(&format!("{}{name}: {seconds:.1} s", if terminal { "\r\x1b[K" } else { "" }));
    }
    Ok(model)
}
