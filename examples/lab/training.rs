//! The room "Training".

use axum::Router;

pub fn routes() -> Router {
    Router::new()
}
