//! The routes: the files of the page, embedded in the program, and the questions of each tab.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::lab::security::{self, Hosts};
use crate::lab::{chain, flow, training};

/// The size limit of a request in bytes, enough for a pasted table.
const LARGEST_REQUEST: usize = 2 << 20;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// The files of the page: path, content type, text.
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
    ("/panels.css", CSS, include_str!("page/panels.css")),
    ("/flow.css", CSS, include_str!("page/flow.css")),
    ("/training.css", CSS, include_str!("page/training.css")),
    ("/lines.js", SCRIPT, include_str!("page/lines.js")),
    ("/form.js", SCRIPT, include_str!("page/form.js")),
    ("/plot.js", SCRIPT, include_str!("page/plot.js")),
    ("/flow.js", SCRIPT, include_str!("page/flow.js")),
    ("/training.js", SCRIPT, include_str!("page/training.js")),
];

/// All routes, behind the checks of [`security`], for a server on `port`.
pub fn router(port: u16) -> Router {
    let mut router = Router::new();
    for &(path, kind, text) in PAGE {
        router = router.route(path, get(move || async move { (headers(kind), text) }));
    }
    router
        .merge(chain::routes())
        .merge(flow::routes())
        .merge(training::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "Not found.") })
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .layer(from_fn_with_state(Hosts::new(port), security::check))
}

/// No caching: a new build must not run with the scripts of an old one.
fn headers(kind: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}
