//! The results as text and as JSON.

use geartrain::{ConfusionMatrix, Error};
use serde_json::{Value, json};

use crate::experiment::Outcome;

/// Accuracy, of each fold where there are several, and which class was taken for which.
pub fn text(outcomes: &[Outcome], classes: &[String]) -> Result<String, Error> {
    let rows: usize = outcomes.iter().map(|outcome| outcome.test.rows()).sum();
    let mut text = format!("{rows} test rows\n");
    if outcomes.len() > 1 {
        for (i, outcome) in outcomes.iter().enumerate() {
            text += &format!("fold {:<3} accuracy {:.4}\n", i + 1, outcome.confusion.accuracy());
        }
        text += &format!("mean     accuracy {:.4}\n", mean_accuracy(outcomes));
    } else {
        text += &format!("accuracy {:.4}\n", mean_accuracy(outcomes));
    }
    for (i, outcome) in outcomes.iter().enumerate() {
        let title = if outcomes.len() > 1 { format!("fold {}\n", i + 1) } else { String::new() };
        text += &format!("\n{title}{}\n", outcome.confusion.table(classes)?);
    }
    Ok(text)
}

/// The results as one JSON object on one line.
pub fn json(outcomes: &[Outcome], classes: &[String], folds: bool) -> String {
    let each: Vec<Value> = outcomes.iter().map(|outcome| object(&outcome.confusion)).collect();
    let result = if folds {
        json!({"test": null, "classes": classes, "folds": each, "mean_accuracy": mean_accuracy(outcomes)})
    } else {
        json!({"test": each[0], "classes": classes, "folds": null, "mean_accuracy": null})
    };
    format!("{result}\n")
}

pub fn mean_accuracy(outcomes: &[Outcome]) -> f64 {
    outcomes.iter().map(|outcome| outcome.confusion.accuracy()).sum::<f64>() / outcomes.len() as f64
}

fn object(confusion: &ConfusionMatrix) -> Value {
    let rows: Vec<Vec<usize>> = confusion.counts().rows().into_iter().map(|row| row.to_vec()).collect();
    json!({"accuracy": confusion.accuracy(), "confusion": rows})
}
