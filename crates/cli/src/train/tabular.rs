//! Training with the recipe for tables: columns of any type, text, dates and gaps.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use geartrain::metrics;
use geartrain::metrics::ConfusionMatrix;
use geartrain_tables::{Classification, Column, ColumnType, Folds, Model, Recipe, Regression, Table, Task};
use ndarray::{Array2, Axis};
use serde_json::{Map, Value, json};

use super::task::Kind;
use super::{Options, report};
use crate::failure::{Failure, Outcome};
use crate::output::shortened;
use crate::{interrupt, output, picture};

/// The predictions for the test rows, and what they are compared with.
pub enum Results {
    /// Actual and predicted numbers.
    Numbers { rows: Vec<(f64, f64)> },
    Classes {
        classes: Vec<String>,
        confusion: ConfusionMatrix,
        /// The mean of −ln p of the true class.
        log_loss: f64,
    },
}

/// One split of the rows.
struct Split {
    train: Table,
    test: Table,
}

/// A task of the recipe with what the program needs of its models.
trait Predicts: Task {
    const KIND: &'static str;
    /// The loss of the learning curves.
    const LOSS: &'static str;

    /// The predictions of all splits together, each by the model of its split.
    fn results(models: &[&Model<Self>], splits: &[Split], target: &str) -> Outcome<Results>;

    /// The same for the constant prediction that is best on the training rows.
    fn best_constant(splits: &[Split], target: &str) -> Outcome<Results>;
}

/// Trains on the table at `path` and reports.
pub fn run(options: &Options, path: &Path) -> Outcome {
    let mut table = options.table.tabular(path)?;
    let target = options.table.target.as_deref().unwrap_or_default();
    let column = table.column(target)?;
    let cells = || (0..table.rows()).filter_map(|row| column.text(row));
    let numbers = column.column_type() == ColumnType::Number
        || column.column_type() == ColumnType::Identifier && cells().all(is_number);
    let first = cells().next();
    let second = cells().find(|text| Some(text) != first.as_ref());
    let two = cells().all(|text| Some(&text) == first.as_ref() || Some(&text) == second.as_ref());
    let decided = if numbers && !two { Kind::Regression } else { Kind::Classification };
    let kind = options.task.unwrap_or(decided);
    if options.task.is_none() && !options.quiet {
        let (task, other) = match kind {
            Kind::Regression => ("regression", "classification"),
            Kind::Classification => ("classification", "regression"),
        };
        let hint = if numbers { format!(" (--task {other} overrides this)") } else { String::new() };
        let (name, kind, why) = (shortened(target, 40), column.column_type(), column.reason());
        output::note(&format!("Task: {task}, because `{name}` is a {kind} column ({why}){hint}"));
    }
    // A target is never left out, and classes are names, also where they look like numbers.
    let wanted = match (kind, column.column_type()) {
        (Kind::Regression, ColumnType::Identifier) => Some(ColumnType::Number),
        (Kind::Classification, ColumnType::Number | ColumnType::Identifier) => Some(ColumnType::Category),
        _ => None,
    };
    if let Some(wanted) = wanted {
        table = table.with_type(target, wanted)?;
    }
    match kind {
        Kind::Regression => train::<Regression>(options, table, target),
        Kind::Classification => train::<Classification>(options, table, target),
    }
}

fn is_number(text: String) -> bool {
    text.parse::<f64>().is_ok()
}

fn train<T: Predicts>(options: &Options, table: Table, target: &str) -> Outcome
where
    Recipe<T>: Default,
{
    let table = with_targets(&table, target)?;
    let splits = splits::<T>(options, &table, target)?;
    if !options.quiet && !options.json {
        output::print(&format!("{table}\n"))?;
    } else {
        let left_out =
            |column: &&Column| column.column_type() == ColumnType::Identifier && column.name() != target;
        for column in table.columns().filter(left_out) {
            output::note(&format!("note: `{}`: {}", shortened(column.name(), 40), column.reason()));
        }
    }
    let recipe = Recipe::<T>::default().seed(options.model.seed).ensemble(options.ensemble);
    let linear = recipe.clone().linear().ensemble(1);
    let stop = interrupt::flag()?;
    let (mut models, mut baselines) = (Vec::new(), Vec::new());
    for (i, split) in splits.iter().enumerate() {
        let name = match options.folds {
            Some(count) => format!("fold {} of {count}", i + 1),
            None => "training".into(),
        };
        let model = fit(&recipe, split, target, &stop, (!options.quiet).then_some(&name))?;
        let interrupted = stop.load(Ordering::Relaxed);
        // An interrupted fold is incomplete; an interrupted single run is the result.
        if !interrupted || options.folds.is_none() {
            models.push(model);
        }
        if interrupted {
            break;
        }
        baselines.push(linear.fit(&split.train, target)?);
    }
    let interrupted = stop.load(Ordering::Relaxed);
    if models.is_empty() {
        output::note("Interrupted in the first fold: there are no results.");
        return Err(Failure::Interrupted);
    }
    let done = &splits[..models.len()];
    let network = T::results(&models.iter().collect::<Vec<_>>(), done, target)?;
    let mut lines = vec![(if options.ensemble > 1 { "ensemble" } else { "network" }, network)];
    if baselines.len() == models.len() {
        lines.push(("linear model", T::results(&baselines.iter().collect::<Vec<_>>(), done, target)?));
    }
    lines.push((
        if T::KIND == "regression" { "mean" } else { "most frequent class" },
        T::best_constant(done, target)?,
    ));
    let each = match options.folds {
        None => None,
        Some(_) => Some(
            models
                .iter()
                .zip(done)
                .map(|(model, split)| T::results(&[model], std::slice::from_ref(split), target))
                .collect::<Outcome<Vec<_>>>()?,
        ),
    };
    let rows = (table.rows(), done.iter().map(|split| split.test.rows()).sum::<usize>());
    let text = match options.json {
        true => json_text::<T>(&lines, each.as_deref(), target, rows, interrupted),
        false => text(&lines, each.as_deref(), target, rows.1)?,
    };
    output::print(&(text + "\n"))?;
    if !options.quiet && !options.json && options.folds.is_none() {
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
        output::write(path, picture::draw_tabular(&losses, T::LOSS, &lines[0].1, target)?)?;
        output::note(&format!("The picture is in {}", path.display()));
    }
    if interrupted {
        output::note("Interrupted: the results are those of the model as it was then.");
        return Err(Failure::Interrupted);
    }
    Ok(())
}

/// The rows that have a target; how many have none goes to stderr.
fn with_targets(table: &Table, target: &str) -> Outcome<Table> {
    let column = table.column(target)?;
    let rows: Vec<usize> = (0..table.rows()).filter(|&row| column.text(row).is_some()).collect();
    let missing = table.rows() - rows.len();
    if missing == 0 {
        return Ok(table.clone());
    }
    output::note(&format!("{missing} rows without `{}` are left out", shortened(target, 40)));
    Ok(table.select(&rows))
}

/// The splits into training and test rows: one, or one for each fold.
fn splits<T: Predicts>(options: &Options, table: &Table, target: &str) -> Outcome<Vec<Split>> {
    if let Some(path) = &options.test {
        let test = options.table.tabular_as(path, table)?;
        return Ok(vec![Split { train: table.clone(), test: with_targets(&test, target)? }]);
    }
    let count = options.folds.unwrap_or_else(|| table.rows().clamp(2, 5));
    let seed = options.model.seed;
    let folds = match T::KIND {
        "regression" => Folds::shuffled(table.rows(), count, seed)?,
        _ => Folds::stratified(table.column(target)?, count, seed)?,
    };
    let split = |fold| {
        let (train, test) = folds.split(fold);
        Split { train: table.select(&train), test: table.select(&test) }
    };
    Ok((0..options.folds.unwrap_or(1)).map(split).collect())
}

/// Trains on one split, with a line of progress called `name` on a terminal.
fn fit<T: Predicts>(
    recipe: &Recipe<T>,
    split: &Split,
    target: &str,
    stop: &AtomicBool,
    name: Option<&String>,
) -> Outcome<Model<T>> {
    let start = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let progress = |progress: geartrain_tables::Progress| {
        if let Some(name) = name.filter(|_| terminal) {
            let (done, total) = (progress.done, progress.total);
            let left = start.elapsed().as_secs_f64() / done as f64 * (total - done) as f64;
            eprint!("\r{name}: epoch {done} of {total}, {left:.0} s left \x1b[K");
        }
        if stop.load(Ordering::Relaxed) {
            return std::ops::ControlFlow::Break(());
        }
        std::ops::ControlFlow::Continue(())
    };
    let model = recipe.fit_with_progress(&split.train, target, progress)?;
    if let Some(name) = name {
        let seconds = start.elapsed().as_secs_f64();
        output::note(&format!("{}{name}: {seconds:.1} s", if terminal { "\r\x1b[K" } else { "" }));
    }
    Ok(model)
}

impl Predicts for Regression {
    const KIND: &'static str = "regression";
    const LOSS: &'static str = "mean squared error (target in standard deviations)";

    fn results(models: &[&Model<Self>], splits: &[Split], target: &str) -> Outcome<Results> {
        let mut rows = Vec::new();
        for (model, split) in models.iter().zip(splits) {
            let predicted = model.predict(&split.test)?;
            rows.extend(numbers(&split.test, target)?.into_iter().zip(predicted.column(0).to_vec()));
        }
        Ok(Results::Numbers { rows })
    }

    fn best_constant(splits: &[Split], target: &str) -> Outcome<Results> {
        let mut rows = Vec::new();
        for split in splits {
            let train = numbers(&split.train, target)?;
            let mean = train.iter().sum::<f64>() / train.len() as f64;
            rows.extend(numbers(&split.test, target)?.into_iter().map(|actual| (actual, mean)));
        }
        Ok(Results::Numbers { rows })
    }
}

/// The numbers of a column.
fn numbers(table: &Table, name: &str) -> Outcome<Vec<f64>> {
    let column = table.column(name)?;
    let number = |row| column.text(row).and_then(|text| text.parse::<f64>().ok());
    (0..table.rows())
        .map(|row| number(row).ok_or_else(|| Failure::other(format!("`{name}` must be a number column"))))
        .collect()
}

impl Predicts for Classification {
    const KIND: &'static str = "classification";
    const LOSS: &'static str = "cross-entropy";

    fn results(models: &[&Model<Self>], splits: &[Split], target: &str) -> Outcome<Results> {
        let predict = |fold: usize| {
            let probabilities = models[fold].predict_proba(&splits[fold].test)?;
            Ok((models[fold].classes().to_vec(), probabilities))
        };
        classes(splits, target, predict)
    }

    fn best_constant(splits: &[Split], target: &str) -> Outcome<Results> {
        let predict = |fold: usize| {
            let train = texts(&splits[fold].train, target)?;
            let mut names = train.clone();
            names.sort();
            names.dedup();
            let share = |name: &String| {
                train.iter().filter(|class| *class == name).count() as f64 / train.len() as f64
            };
            let shares: Vec<f64> = names.iter().map(share).collect();
            let rows = splits[fold].test.rows();
            Ok((names, Array2::from_shape_fn((rows, shares.len()), |(_, class)| shares[class])))
        };
        classes(splits, target, predict)
    }
}

/// The classes of a column.
fn texts(table: &Table, name: &str) -> Outcome<Vec<String>> {
    let column = table.column(name)?;
    Ok((0..table.rows()).filter_map(|row| column.text(row)).collect())
}

/// The predictions of all folds. A fold may not know all classes: their probability is then 0.
fn classes(
    splits: &[Split],
    target: &str,
    predict: impl Fn(usize) -> Outcome<(Vec<String>, Array2<f64>)>,
) -> Outcome<Results> {
    let truths = splits.iter().map(|split| texts(&split.test, target)).collect::<Outcome<Vec<_>>>()?;
    let predictions = (0..splits.len()).map(predict).collect::<Outcome<Vec<_>>>()?;
    let mut names: Vec<String> = truths.iter().flatten().cloned().collect();
    names.extend(predictions.iter().flat_map(|(own, _)| own.iter().cloned()));
    names.sort();
    names.dedup();
    let place = |name: &String| names.binary_search(name).expect("collected above");
    let mut all = Array2::zeros((0, names.len()));
    let mut index = Array2::zeros((0, 1));
    for (truth, (own, probabilities)) in truths.iter().zip(&predictions) {
        let mut part = Array2::zeros((truth.len(), names.len()));
        for (column, name) in own.iter().enumerate() {
            part.column_mut(place(name)).assign(&probabilities.column(column));
        }
        all.append(Axis(0), part.view()).expect("as many columns");
        for name in truth {
            index.push_row(ndarray::aview1(&[place(name) as f64])).expect("one column");
        }
    }
    let log_loss = metrics::log_loss(&all, &index)?;
    let confusion = ConfusionMatrix::from_probabilities(&all, &index)?;
    Ok(Results::Classes { classes: names, confusion, log_loss })
}

impl Results {
    /// A score by name; NaN where it is undefined, `None` where there is no such score.
    pub fn score(&self, name: &str) -> Option<f64> {
        self.scores().into_iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    fn scores(&self) -> Vec<(&'static str, f64)> {
        match self {
            Results::Numbers { rows } => {
                let column = |side: fn(&(f64, f64)) -> f64| {
                    Array2::from_shape_fn((rows.len(), 1), |(row, _)| side(&rows[row]))
                };
                let (actual, predicted) = (column(|row| row.0), column(|row| row.1));
                let scores = super::experiment::Scores::new(&predicted, &actual);
                let (r2, rmse, mae) = scores
                    .map_or((f64::NAN, f64::NAN, f64::NAN), |scores| (scores.r2, scores.rmse, scores.mae));
                vec![("r2", r2), ("rmse", rmse), ("mae", mae)]
            }
            Results::Classes { confusion, log_loss, .. } => {
                vec![("accuracy", confusion.accuracy()), ("log_loss", *log_loss)]
            }
        }
    }
}

/// A table of scores, and for classes the confusion matrix.
fn text(
    lines: &[(&str, Results)],
    each: Option<&[Results]>,
    target: &str,
    test_rows: usize,
) -> Outcome<String> {
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    let values = |results: &Results| results.scores().into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    if let Some(each) = each {
        let folds: Vec<_> = each.iter().map(values).collect();
        rows.extend(
            folds
                .iter()
                .take(report::MOST_LINES)
                .enumerate()
                .map(|(i, v)| (format!("fold {}", i + 1), v.clone())),
        );
        let mean = |i: usize| folds.iter().map(|fold| fold[i]).sum::<f64>() / folds.len() as f64;
        rows.push(("mean of folds".into(), (0..folds[0].len()).map(mean).collect()));
    }
    rows.extend(lines.iter().map(|(name, results)| ((*name).to_string(), values(results))));
    let heading = format!("{test_rows} test rows");
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(heading.len());
    let names = lines[0].1.scores().into_iter().map(|(name, _)| match name {
        "r2" => "R²".to_string(),
        "rmse" | "mae" => name.to_uppercase(),
        "log_loss" => "log-loss".into(),
        other => other.to_string(),
    });
    let mut text = format!("{heading:width$}");
    names.for_each(|name| text += &format!("  {name:>10}"));
    for (name, values) in rows {
        text += &format!("\n{name:width$}");
        values.iter().for_each(|&value| text += &format!("  {:>10}", report::short(value)));
    }
    let loses = lines[0].1.scores().last().zip(lines.get(1)).is_some_and(|(&(name, _), (other, results))| {
        let score = |results: &Results| results.score(if name == "mae" { "rmse" } else { name });
        *other == "linear model" && score(results) < score(&lines[0].1)
    });
    if loses {
        text += "\nThe linear model is better than the network. An ensemble may be better than both: --ensemble 8.";
    }
    match &lines[0].1 {
        Results::Numbers { .. } => {
            text +=
                &format!("\nRMSE and MAE are in the unit of `{}`.", shortened(target, report::LONGEST_NAME));
        }
        Results::Classes { classes, confusion, .. } => {
            text += &format!("\n\n{}", report::confusion_text(confusion, classes)?);
        }
    }
    Ok(text)
}

fn json_text<T: Predicts>(
    lines: &[(&str, Results)],
    each: Option<&[Results]>,
    target: &str,
    (rows, test_rows): (usize, usize),
    interrupted: bool,
) -> String {
    let object = |results: &Results| {
        let scores = results.scores().into_iter().map(|(name, value)| (name.to_string(), json!(value)));
        let mut fields: Map<String, Value> = scores.collect();
        if let Results::Classes { classes, confusion, .. } = results
            && classes.len() <= report::JSON_CLASSES
        {
            let counts = confusion.counts();
            fields.insert("confusion".into(), counts.rows().into_iter().map(|row| row.to_vec()).collect());
        }
        Value::Object(fields)
    };
    let network = object(&lines[0].1);
    let baselines: Map<String, Value> =
        lines[1..].iter().map(|(name, results)| ((*name).to_string(), object(results))).collect();
    let mean = each.map(|each| {
        let mean = |(name, _): (&str, f64)| {
            let sum: f64 = each.iter().filter_map(|fold| fold.score(name)).sum();
            (name.to_string(), json!(sum / each.len() as f64))
        };
        Value::Object(each[0].scores().into_iter().map(mean).collect())
    });
    let classes = match &lines[0].1 {
        Results::Classes { classes, .. } => json!(classes),
        Results::Numbers { .. } => Value::Null,
    };
    json!({
        "task": T::KIND,
        "target": target,
        "rows": rows,
        "test_rows": test_rows,
        "interrupted": interrupted,
        "classes": classes,
        "test": if each.is_some() { Value::Null } else { network.clone() },
        "folds": each.map(|each| each.iter().map(object).collect::<Vec<_>>()),
        "mean": mean,
        "pooled": if each.is_some() { network } else { Value::Null },
        "baseline": baselines.get("linear model"),
        "constant": object(&lines[lines.len() - 1].1),
    })
    .to_string()
}
