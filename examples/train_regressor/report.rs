//! The results as text and as JSON.

use serde_json::{Value, json};

use crate::experiment::{Outcome, Scores};

/// The results as a table. Errors are in the unit of `target`.
pub fn text(outcomes: &[Outcome], target: &str) -> String {
    let mut lines = Vec::new();
    if let [one] = outcomes {
        lines.push(("network".to_string(), one.test));
        lines.push(("linear baseline".to_string(), one.baseline));
    } else {
        for (i, outcome) in outcomes.iter().enumerate() {
            lines.push((format!("fold {}", i + 1), outcome.test));
        }
        lines.push(("mean".to_string(), mean(outcomes, |o| o.test)));
        lines.push(("linear baseline, mean".to_string(), mean(outcomes, |o| o.baseline)));
    }
    let rows: usize = outcomes.iter().map(|outcome| outcome.predicted.nrows()).sum();
    let heading = format!("{rows} test rows");
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(heading.len());
    let mut text = format!("{heading:width$}  {:>8}  {:>10}  {:>10}\n", "R²", "RMSE", "MAE");
    for (name, Scores { r2, rmse, mae }) in lines {
        text += &format!("{name:width$}  {r2:>8.4}  {:>10}  {:>10}\n", short(rmse), short(mae));
    }
    text + &format!("RMSE and MAE are in the unit of `{target}`.\n")
}

/// The results as one JSON object on one line.
pub fn json(outcomes: &[Outcome], folds: bool) -> String {
    let baseline = object(mean(outcomes, |outcome| outcome.baseline));
    let result = if folds {
        let each: Vec<Value> = outcomes.iter().map(|outcome| object(outcome.test)).collect();
        let mean_r2 = mean(outcomes, |outcome| outcome.test).r2;
        json!({"test": null, "baseline": baseline, "folds": each, "mean_r2": mean_r2})
    } else {
        json!({"test": object(outcomes[0].test), "baseline": baseline, "folds": null, "mean_r2": null})
    };
    format!("{result}\n")
}

/// Scores that are not finite become null, which is what JSON has for them.
fn object(Scores { r2, rmse, mae }: Scores) -> Value {
    json!({"r2": r2, "rmse": rmse, "mae": mae})
}

fn mean(outcomes: &[Outcome], scores: fn(&Outcome) -> Scores) -> Scores {
    Scores::mean(&outcomes.iter().map(scores).collect::<Vec<_>>())
}

/// Four significant digits or so, whatever the unit.
fn short(number: f64) -> String {
    match number.abs() {
        size if size != 0.0 && !(1e-3..1e5).contains(&size) => format!("{number:.3e}"),
        size if size >= 100.0 => format!("{number:.1}"),
        _ => format!("{number:.4}"),
    }
}
