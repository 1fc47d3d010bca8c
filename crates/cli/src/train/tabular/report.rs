//! The results of the recipe for tables as text and as JSON.

use geartrain_tables::Importance;
use serde_json::{Map, Value, json};

use super::results::{ByName, Predicts, Results};
use super::{Choice, Measured};
use crate::failure::Outcome;
use crate::output::{LONGEST_NAME, quoted_name, shortened};
use crate::train::report;

/// A table of scores for each target, and for classes the confusion matrix.
pub fn text(measured: &Measured, choice: &Choice) -> Outcome<String> {
    let Measured { lines, each, test_rows, .. } = measured;
    let results = &lines[0].1;
    let mut parts = Vec::new();
    let mut loses = false;
    for (i, (target, scores)) in results.scores().into_iter().enumerate() {
        let values = |results: &Results| -> Vec<f64> {
            results.scores()[i].1.iter().map(|(_, value)| *value).collect()
        };
        let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
        if let Some(each) = each {
            rows = report::fold_rows(&each.iter().map(values).collect::<Vec<_>>());
        }
        rows.extend(lines.iter().map(|(name, results)| ((*name).to_string(), values(results))));
        let mut heading = format!("{test_rows} test rows");
        if let Some(target) = target {
            heading = format!("{}, {heading}", shortened(target, LONGEST_NAME));
        }
        let names: Vec<String> = scores.iter().map(|(name, _)| title(name)).collect();
        parts.push(report::score_table(&heading, &names, &rows));
        // The loss comes after R² or the accuracy, if there is one.
        let first = usize::from(["r2", "accuracy"].contains(&scores[0].0)).min(scores.len() - 1);
        let linear = lines.iter().find(|(name, _)| *name == LINEAR).map(|(_, linear)| values(linear)[first]);
        loses |= linear.is_some_and(|linear| linear < scores[first].1);
    }
    let mut text = parts.join("\n\n");
    if loses {
        text += "\nThe linear model is better than the network. An ensemble may be better than both: --ensemble 8.";
    }
    if choice.weights.is_some() {
        text += "\nScores are weighted.";
    }
    match results {
        Results::Numbers(targets) => {
            let units = match &targets[..] {
                [only] => format!("the unit of {}", quoted_name(&only.target)),
                _ => "the units of the targets".into(),
            };
            let errors =
                if targets[0].levels.is_empty() { "RMSE and MAE are" } else { "The pinball error is" };
            text += &format!("\n{errors} in {units}.");
        }
        Results::Classes(classes) => {
            text += &format!("\n\n{}", report::confusion_text(&classes.confusion, &classes.names)?);
        }
    }
    Ok(text)
}

/// The most important columns, one per line.
pub fn importances(measured: &Measured) -> Option<String> {
    const MOST: usize = 10;
    let all = measured.importances.as_ref()?;
    let loss = measured.lines[0].1.loss();
    let mut text =
        format!("Importance: rise of the {loss} on test rows if the column is shuffled, ± standard error");
    let width = all.iter().take(MOST).map(|i| i.column.chars().count()).max().unwrap_or(0).min(LONGEST_NAME);
    for one in all.iter().take(MOST) {
        let (name, mean) = (shortened(&one.column, LONGEST_NAME), report::short(one.mean));
        text += &format!("\n  {name:width$}  {mean:>10} ± {}", report::short(one.standard_error));
    }
    if all.len() > MOST {
        text += &format!("\n  and {} more columns", all.len() - MOST);
    }
    Some(text)
}

/// The name of the linear baseline.
pub const LINEAR: &str = "linear model";

/// A score's name as a heading.
fn title(name: &str) -> String {
    match name {
        "r2" => "R²".into(),
        "rmse" | "mae" => name.to_uppercase(),
        other => other.into(),
    }
}

/// One JSON object.
pub fn json_text<T: Predicts>(measured: &Measured, choice: &Choice) -> String {
    let Measured { lines, each, importances, rows, test_rows, interrupted } = measured;
    let importance = |one: &Importance| json!({ "column": one.column, "mean": one.mean, "standard_error": one.standard_error });
    let folds = each.as_ref().map(|each| (each.iter().map(object).collect(), mean(each)));
    let mut fields = report::by_fold(object(&lines[0].1), folds);
    let baseline = lines.iter().find(|(name, _)| *name == LINEAR).map(|(_, results)| object(results));
    let classes = match &lines[0].1 {
        Results::Classes(classes) => json!(classes.names),
        Results::Numbers(_) => Value::Null,
    };
    let target = match &choice.targets[..] {
        [only] => json!(only),
        several => json!(several),
    };
    fields["task"] = T::KIND.into();
    fields["target"] = target;
    fields["rows"] = json!(rows);
    fields["test_rows"] = json!(test_rows);
    fields["interrupted"] = json!(interrupted);
    fields["classes"] = classes;
    fields["baseline"] = json!(baseline);
    fields["constant"] = object(&lines[lines.len() - 1].1);
    fields["importance"] =
        json!(importances.as_ref().map(|all| all.iter().map(importance).collect::<Vec<_>>()));
    fields.to_string()
}

/// A score's name as a key.
fn key(name: &str) -> String {
    name.replace(['-', ' '], "_")
}

/// Scores by name, by target if there are several.
fn by_target(scores: Vec<(Option<&str>, Map<String, Value>)>) -> Map<String, Value> {
    let mut all = Map::new();
    for (target, scores) in scores {
        match target {
            Some(target) => {
                all.insert(target.into(), Value::Object(scores));
            }
            None => all.extend(scores),
        }
    }
    all
}

fn object(results: &Results) -> Value {
    let values = |(target, scores): (_, ByName<'_>)| {
        (target, scores.into_iter().map(|(name, value)| (key(name), json!(value))).collect())
    };
    let mut fields = by_target(results.scores().into_iter().map(values).collect());
    if let Results::Classes(classes) = results
        && classes.names.len() <= report::JSON_CLASSES
    {
        fields.insert("confusion".into(), report::counts(&classes.confusion));
    }
    Value::Object(fields)
}

/// The mean of each score over the folds.
fn mean(each: &[Results]) -> Value {
    let all: Vec<_> = each.iter().map(Results::scores).collect();
    let mut means = Vec::new();
    for (i, (target, scores)) in all[0].iter().enumerate() {
        let of_score = |(j, (name, _)): (usize, &(&str, f64))| {
            let sum: f64 = all.iter().map(|fold| fold[i].1[j].1).sum();
            (key(name), json!(sum / each.len() as f64))
        };
        means.push((*target, scores.iter().enumerate().map(of_score).collect()));
    }
    Value::Object(by_target(means))
}
