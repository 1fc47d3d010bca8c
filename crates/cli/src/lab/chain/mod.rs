//! The tab "Chain rule": a formula as a graph, with every number of its forward and backward pass.

mod export;
mod story;

use std::collections::HashMap;

use axum::Router;
use axum::extract::Query;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use geartrain::graph::{Gradients, Graph};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::lab::reply::{Answer, Problem, Question, number};
use story::Story;

/// The limit for a formula, in characters.
const LONGEST_FORMULA: usize = 4000;
/// The step of the central differences.
const STEP: f64 = 1e-5;

pub fn routes() -> Router {
    Router::new().route("/api/chain", post(answer)).route("/api/chain/export", get(exported))
}

#[derive(Deserialize)]
struct Asked {
    formula: String,
    /// Values by name. Names that the formula does not contain are ignored.
    inputs: HashMap<String, f64>,
    /// Whether to send the layout of the picture, which depends on the formula only.
    drawing: bool,
}

async fn answer(Question(asked): Question<Asked>) -> Result<Response, Problem> {
    let body = Answer::compute(move || run(&asked).map(|run| run.to_string())).await?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

#[derive(Deserialize)]
struct Exported {
    formula: String,
    /// A JSON object.
    inputs: String,
}

/// The run as one HTML file that works offline.
async fn exported(Query(asked): Query<Exported>) -> Result<Response, Problem> {
    let inputs = serde_json::from_str(&asked.inputs).map_err(|error| Problem::in_field("inputs", error))?;
    let asked = Asked { formula: asked.formula, inputs, drawing: true };
    let page = Answer::compute(move || Ok(export::page(&run(&asked)?))).await?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"chain-rule.html\""),
    ];
    Ok((headers, page).into_response())
}

/// All three passes, and the steps of the animation.
fn run(asked: &Asked) -> Result<Value, Problem> {
    let mut graph = read(&asked.formula)?;
    let names: Vec<String> = graph.input_names().map(str::to_owned).collect();
    let failed = |error| Problem::in_field("formula", error);
    for (place, name) in names.iter().enumerate() {
        // Different default values make derivatives easy to tell apart.
        let unasked = [2.0, 3.0, 1.0][place % 3];
        graph.set(name, asked.inputs.get(name).copied().unwrap_or(unasked)).map_err(failed)?;
    }
    let value = graph.forward().map_err(failed)?;
    let reverse = graph.backward().map_err(failed)?;
    let forward = graph.gradients_forward_mode().map_err(failed)?;
    let central = graph.central_difference(STEP).map_err(failed)?;
    let trace = graph.trace().map_err(failed)?;
    let story = Story::new(&graph, &trace);
    let drawing = if asked.drawing { Some(graph.drawing().map_err(failed)?) } else { None };
    let inputs: Vec<Value> = names
        .iter()
        .map(|name| {
            json!({
                "name": name,
                "value": graph.value(name.as_str()).map_or(Value::Null, number),
                "reverse": number(reverse[name.as_str()]),
                "forward": number(forward[name.as_str()]),
                "central": number(central[name.as_str()]),
            })
        })
        .collect();
    Ok(json!({
        "formula": asked.formula.trim(),
        "inputs": inputs,
        "value": number(value),
        "step": STEP,
        "nodes": story.nodes,
        "edges": story.edges,
        "steps": story.steps,
        "disagreement": {
            "forward": number(disagreement(&reverse, &forward)),
            "central": number(disagreement(&reverse, &central)),
        },
        "operations": {
            "value": graph.operation_count(),
            "reverse": reverse.operations().total(),
            "forward": forward.operations().total(),
            "central": central.operations().total(),
        },
        "warnings": central.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "not_finite": trace.non_finite.as_ref().map(ToString::to_string),
        "drawing": drawing.as_ref().map(story::picture),
    }))
}

fn read(formula: &str) -> Result<Graph, Problem> {
    let length = formula.chars().count();
    if length > LONGEST_FORMULA {
        let error = format!("the formula has {length} characters; this page takes at most {LONGEST_FORMULA}");
        return Err(Problem::too_large("formula", error));
    }
    let graph = Graph::parse(formula)
        .map_err(|error| Problem::in_field("formula", &error).at(error.pointer.clone()))?;
    let (nodes, limit) = (graph.len(), Graph::LARGEST_DRAWING);
    if nodes > limit {
        let error = format!("the formula has {nodes} nodes; this page draws at most {limit}");
        return Err(Problem::too_large("formula", error));
    }
    Ok(graph)
}

/// The largest difference between two computations of the same gradients: relative for large
/// gradients, absolute below 1.
fn disagreement(one: &Gradients, other: &Gradients) -> f64 {
    let difference =
        |(a, b): (f64, f64)| if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()).max(1.0) };
    let pairs = one.iter().zip(other.iter()).map(|((_, a), (_, b))| (a, b));
    // Unlike `f64::max`, this keeps a NaN.
    pairs.map(difference).fold(0.0, |worst, next| if next > worst || next.is_nan() { next } else { worst })
}
