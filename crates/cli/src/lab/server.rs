//! What is served: the page, embedded in the program, and one address for each question a room may ask.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::lab::security::{self, Hosts};
use crate::lab::{chain, flow, training};

/// The largest request, enough for a pasted table; a room may ask for less.
pub const LARGEST_REQUEST: usize = 2 << 20;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// The files of the page: path, kind, text.
const PAGE: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("page/index.html")),
    ("/icon.svg", PICTURE, include_str!("page/icon.svg")),
    ("/style.css", CSS, include_str!("page/style.css")),
    ("/theme.js", SCRIPT, include_str!("page/theme.js")),
    ("/main.js", SCRIPT, include_str!("page/main.js")),
    ("/common.js", SCRIPT, include_str!("page/common.js")),
    ("/chain.css", CSS, include_str!("page/chain.css")),
    ("/chain.js", SCRIPT, include_str!("page/chain.js")),
    ("/player.js", SCRIPT, include_str!("page/player.js")),
    ("/rooms.css", CSS, include_str!("page/rooms.css")),
    ("/lines.js", SCRIPT, include_str!("page/lines.js")),
    ("/form.js", SCRIPT, include_str!("page/form.js")),
    ("/plot.js", SCRIPT, include_str!("page/plot.js")),
    ("/flow.js", SCRIPT, include_str!("page/flow.js")),
    ("/training.js", SCRIPT, include_str!("page/training.js")),
];

/// Everything, behind the checks of [`security`]. `port` is where it listens.
pub fn router(port: u16) -> Router {
    let mut router = Router::new();
    for &(path, kind, text) in PAGE {
        router = router.route(path, get(move || async move { (headers(kind), text) }));
    }
    router
        .merge(chain::routes())
        .merge(flow::routes())
        .merge(training::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is nothing here.") })
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .layer(from_fn_with_state(Hosts::new(port), security::check))
}

/// A new build must not meet the scripts of an old one in the browser's cache.
fn headers(kind: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}
