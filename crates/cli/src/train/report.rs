//! The results as text and as JSON.

use geartrain::metrics::ConfusionMatrix;
use serde_json::{Value, json};

use super::Options;
use super::experiment::{Scores, Trained, join};
use super::task::{Problem, Task};
use crate::failure::Outcome;
use crate::output::{LONGEST_NAME, quoted_name, shortened};

/// The most classes with a printed confusion matrix.
const READABLE_CLASSES: usize = 20;
/// The most classes with a confusion matrix in the JSON object.
pub const JSON_CLASSES: usize = 50;
/// Lines of folds and of confused classes at most.
const MOST_LINES: usize = 20;

/// The results of all trained networks; several are the folds of a cross-validation.
pub fn report(
    options: &Options,
    problem: &Problem,
    trained: &[Trained],
    interrupted: bool,
) -> Outcome<String> {
    let folds = options.folds.is_some();
    let mut text = match (&problem.task, options.json) {
        (Task::Regression, false) => regression_text(trained, folds, &problem.target)?,
        (Task::Classification(classes), false) => classification_text(trained, folds, classes)?,
        (task, true) => {
            let (kind, mut fields) = match task {
                Task::Regression => ("regression", regression_json(trained, folds)?),
                Task::Classification(classes) => {
                    ("classification", classification_json(trained, folds, classes)?)
                }
            };
            fields["task"] = kind.into();
            fields["target"] = problem.target.as_str().into();
            fields["rows"] = problem.data.rows().into();
            fields["test_rows"] = test_rows(trained).into();
            fields["interrupted"] = interrupted.into();
            fields.to_string()
        }
    };
    text.push('\n');
    Ok(text)
}

/// The rows of the folds of a cross-validation in a [`score_table`], and of their mean.
pub fn fold_rows(folds: &[Vec<f64>]) -> Vec<(String, Vec<f64>)> {
    let shown = folds.iter().take(MOST_LINES).enumerate();
    let mut rows: Vec<_> = shown.map(|(i, scores)| (format!("fold {}", i + 1), scores.clone())).collect();
    if folds.len() > MOST_LINES {
        rows.push((format!("and {} more folds", folds.len() - MOST_LINES), Vec::new()));
    }
    let mean = |i: usize| mean(&folds.iter().map(|fold| fold[i]).collect::<Vec<_>>());
    rows.push(("mean of folds".into(), (0..folds[0].len()).map(mean).collect()));
    rows
}

/// Rows of scores under their names.
pub fn score_table(heading: &str, names: &[String], rows: &[(String, Vec<f64>)]) -> String {
    let longest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let width = longest.max(heading.chars().count());
    let mut text = format!("{heading:width$}");
    names.iter().for_each(|name| text += &format!("  {name:>10}"));
    for (name, values) in rows {
        let mut line = format!("{name:width$}");
        for (value, name) in values.iter().zip(names) {
            let width = name.chars().count().max(10);
            line += &format!("  {:>width$}", short(*value));
        }
        text += &format!("\n{}", line.trim_end());
    }
    text
}

fn regression_text(trained: &[Trained], folds: bool, target: &str) -> Outcome<String> {
    let (network, baseline) = pooled_scores(trained)?;
    let values = |Scores { r2, rmse, mae }| vec![r2, rmse, mae];
    let mut rows = Vec::new();
    let names = if folds {
        let each = trained.iter().map(|one| Ok(values(one.scores()?))).collect::<Outcome<Vec<_>>>()?;
        rows = fold_rows(&each);
        ["all folds together", "linear baseline, together"]
    } else {
        ["network", "linear baseline"]
    };
    let pooled = names.into_iter().zip([Some(network), baseline]);
    rows.extend(pooled.filter_map(|(name, scores)| Some((name.to_string(), values(scores?)))));
    let heading = format!("{} test rows", test_rows(trained));
    let mut text = score_table(&heading, &["R²", "RMSE", "MAE"].map(String::from), &rows);
    text += &format!("\nRMSE and MAE are in the unit of {}.", quoted_name(target));
    match baseline {
        None => text += "\nNo linear baseline: least squares would take too long with this many columns.",
        Some(baseline) if baseline.rmse < network.rmse => {
            text += "\nThe linear baseline is better than the network. Try --early-stopping 20, a smaller \
                     network (--hidden 8) or more weight decay (--weight-decay 0.1).";
        }
        Some(_) => {}
    }
    Ok(text)
}

fn regression_json(trained: &[Trained], folds: bool) -> Outcome<Value> {
    let (network, baseline) = pooled_scores(trained)?;
    let each = trained.iter().map(Trained::scores).collect::<Outcome<Vec<_>>>()?;
    let parts = (each.iter().copied().map(object).collect(), object(Scores::mean(&each)));
    let mut fields = by_fold(object(network), folds.then_some(parts));
    fields["baseline"] = json!(baseline.map(object));
    Ok(fields)
}

/// The scores of all test rows together, under the name `test`; those of a cross-validation under
/// the name `pooled`, with those of each fold and their mean.
pub fn by_fold(all: Value, folds: Option<(Value, Value)>) -> Value {
    match folds {
        None => json!({ "test": all, "folds": null, "mean": null, "pooled": null }),
        Some((each, mean)) => json!({ "test": null, "folds": each, "mean": mean, "pooled": all }),
    }
}

/// The scores of all test predictions together: of the network and of the linear baseline.
pub fn pooled_scores(trained: &[Trained]) -> Outcome<(Scores, Option<Scores>)> {
    let (prediction, target) = join(trained, |one| Some(&one.predicted)).expect("every network predicts");
    let network = Scores::new(&prediction, &target)?;
    let baseline = join(trained, |one| one.baseline.as_ref());
    Ok((network, baseline.map(|(prediction, target)| Scores::new(&prediction, &target)).transpose()?))
}

/// Undefined scores become null.
fn object(Scores { r2, rmse, mae }: Scores) -> Value {
    json!({ "r2": r2, "rmse": rmse, "mae": mae })
}

/// The accuracy and the confusion matrix.
fn classification_text(trained: &[Trained], folds: bool, classes: &[String]) -> Outcome<String> {
    let all = pooled_confusion(trained)?;
    let heading = format!("{} test rows", test_rows(trained));
    let scores = if folds {
        let each: Vec<_> = accuracies(trained)?.into_iter().map(|accuracy| vec![accuracy]).collect();
        let mut rows = fold_rows(&each);
        rows.push(("all folds together".into(), vec![all.accuracy()]));
        score_table(&heading, &["accuracy".into()], &rows)
    } else {
        format!("{heading}\naccuracy {:.4}", all.accuracy())
    };
    Ok(format!("{scores}\n\n{}", confusion_text(&all, classes)?))
}

/// The confusion matrix, or the most frequent confusions of many classes.
pub fn confusion_text(all: &ConfusionMatrix, classes: &[String]) -> Outcome<String> {
    let names: Vec<String> = classes.iter().map(|name| shortened(name, LONGEST_NAME)).collect();
    Ok(if names.len() <= READABLE_CLASSES { all.table(&names)? } else { confusions(all, &names) })
}

fn classification_json(trained: &[Trained], folds: bool, classes: &[String]) -> Outcome<Value> {
    let object = |confusion: ConfusionMatrix| {
        let counts = (classes.len() <= JSON_CLASSES).then(|| counts(&confusion));
        json!({ "accuracy": confusion.accuracy(), "confusion": counts })
    };
    let each = trained.iter().map(|one| Ok(object(one.confusion()?))).collect::<Outcome<Value>>()?;
    let mean = json!({ "accuracy": mean(&accuracies(trained)?) });
    let mut fields = by_fold(object(pooled_confusion(trained)?), folds.then_some((each, mean)));
    fields["classes"] = json!(classes);
    Ok(fields)
}

/// A row of counts for each true class.
pub fn counts(confusion: &ConfusionMatrix) -> Value {
    confusion.counts().rows().into_iter().map(|row| row.to_vec()).collect()
}

/// The confusion matrix of all test predictions together.
pub fn pooled_confusion(trained: &[Trained]) -> Outcome<ConfusionMatrix> {
    let (prediction, target) = join(trained, |one| Some(&one.predicted)).expect("every network predicts");
    Ok(ConfusionMatrix::from_logits(&prediction, &target)?)
}

fn accuracies(trained: &[Trained]) -> Outcome<Vec<f64>> {
    trained.iter().map(|one| Ok(one.confusion()?.accuracy())).collect()
}

/// The most frequent confusions, for more classes than a table can show.
fn confusions(all: &ConfusionMatrix, names: &[String]) -> String {
    let counts = all.counts();
    let wrong = counts.indexed_iter().filter(|&((truth, said), &count)| truth != said && count > 0);
    let mut wrong: Vec<_> = wrong.collect();
    wrong.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
    let line = |&((truth, said), count): &((usize, usize), &usize)| {
        format!("{count:>6} rows of `{}` predicted as `{}`", names[truth], names[said])
    };
    let mut lines = vec![format!("{} classes. The most frequent confusions:", names.len())];
    lines.extend(wrong.iter().take(MOST_LINES).map(line));
    if wrong.len() > MOST_LINES {
        lines.push(format!("and {} more pairs of classes", wrong.len() - MOST_LINES));
    }
    lines.join("\n")
}

fn test_rows(trained: &[Trained]) -> usize {
    trained.iter().map(|one| one.test.rows()).sum()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// About four significant digits.
pub fn short(number: f64) -> String {
    match number.abs() {
        size if size.is_nan() => "undefined".into(),
        size if size != 0.0 && !(1e-3..1e5).contains(&size) => format!("{number:.3e}"),
        size if size >= 100.0 => format!("{number:.1}"),
        _ => format!("{number:.4}"),
    }
}
