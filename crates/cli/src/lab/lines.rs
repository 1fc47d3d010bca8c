//! Streamed answers: one JSON value per line, until the page closes the connection.

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

/// The reading end, the body of the response.
pub struct Lines(Receiver<String>);

/// The writing end, for a computation on another thread.
#[derive(Clone)]
pub struct Writer(Sender<String>);

/// Both ends of an answer.
pub fn lines() -> (Writer, Lines) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Writer(sender), Lines(receiver))
}

impl Writer {
    /// Whether the page has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Writes a line; blocks while too many wait. False if the connection is closed.
    pub fn write(&self, line: &Value) -> bool {
        self.0.blocking_send(format!("{line}\n")).is_ok()
    }

    /// Writes a line unless it would block. False if it was not written.
    pub fn offer(&self, line: &Value) -> bool {
        self.0.try_send(format!("{line}\n")).is_ok()
    }
}

#[cfg(test)]
impl Lines {
    /// The next line, for tests.
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
