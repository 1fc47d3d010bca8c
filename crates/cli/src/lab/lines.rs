//! Answers that come piece by piece: one JSON value per line, for as long as the page listens.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde_json::Value;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Lines that may wait for a slow reader.
const WAITING: usize = 4;

/// What the page reads.
pub struct Lines(Receiver<String>);

/// What a computation, on a thread of its own, writes to.
#[derive(Clone)]
pub struct Writer(Sender<String>);

/// Both ends of an answer.
pub fn lines() -> (Writer, Lines) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Writer(sender), Lines(receiver))
}

impl Writer {
    /// Whether nobody reads any more: the page was closed or asks something else by now.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Writes a line, after those that still wait. False if nobody reads any more.
    pub fn write(&self, line: &Value) -> bool {
        self.0.blocking_send(format!("{line}\n")).is_ok()
    }

    /// Writes a line if none has to wait for it. False if it was not written.
    pub fn offer(&self, line: &Value) -> bool {
        self.0.try_send(format!("{line}\n")).is_ok()
    }
}

#[cfg(test)]
impl Lines {
    /// The next line, for a reader that is not a page.
    pub fn next_line(&mut self) -> Option<String> {
        self.0.blocking_recv()
    }
}

impl Stream for Lines {
    type Item = Result<String, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|line| line.map(Ok))
    }
}

impl IntoResponse for Lines {
    fn into_response(self) -> Response {
        let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")];
        (headers, Body::from_stream(self)).into_response()
    }
}
