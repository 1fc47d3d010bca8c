//! Questions and error replies as JSON: `{"error": …, "field": …}`.

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// An error reply. The page shows the message beside the field.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(skip)]
    status: StatusCode,
    error: String,
    /// The field of the form, by its name in the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The text with a caret below the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, error: impl ToString) -> Self {
        Self { status, error: error.to_string(), field: None, pointer: None }
    }

    /// The value of a field is invalid.
    pub fn in_field(field: &str, error: impl ToString) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(StatusCode::BAD_REQUEST, error) }
    }

    /// The value of a field exceeds a limit of the page.
    pub fn too_large(field: &str, error: impl ToString) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, ..Self::in_field(field, error) }
    }

    /// Points at a place in the field's text.
    pub fn at(self, pointer: String) -> Self {
        Self { pointer: Some(pointer), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

/// Refuses a value outside the range of its field.
pub fn within<T: PartialOrd + Display>(field: &str, value: T, least: T, most: T) -> Result<T, Problem> {
    if value >= least && value <= most {
        return Ok(value);
    }
    Err(Problem::in_field(field, format!("must be from {least} to {most}, got {value}")))
}

/// Time for a client to send the body of a request.
const BODY: Duration = Duration::from_secs(20);

/// Large answers that are computed or sent at the same time.
static ANSWERS: Semaphore = Semaphore::const_new(8);

/// A large answer. It keeps its permit until the client has read it, so only a few exist at a time.
pub struct Answer {
    bytes: Option<Bytes>,
    _permit: SemaphorePermit<'static>,
}

impl Answer {
    /// Waits for a permit, then computes the answer.
    pub async fn compute<T: Into<Bytes> + Send + 'static>(
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<Body, Problem> {
        let permit = ANSWERS.acquire().await.expect("never closed");
        let bytes = compute(work).await?.into();
        Ok(Body::from_stream(Answer { bytes: Some(bytes), _permit: permit }))
    }
}

impl Stream for Answer {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.bytes.take().map(Ok))
    }
}

/// A question as JSON. For this content type, browsers require the server's consent before another
/// page may send it.
pub struct Question<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Question<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match timeout(BODY, Json::<T>::from_request(request, state)).await {
            Ok(Ok(Json(question))) => Ok(Self(question)),
            Ok(Err(rejection)) => Err(Problem::new(status(&rejection), rejection.body_text())),
            Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request is incomplete")),
        }
    }
}

/// Invalid questions are 400; other statuses stay, such as 413 for a body that is too large.
fn status(rejection: &JsonRejection) -> StatusCode {
    match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    }
}

/// Runs a computation on a thread that may block.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the computation failed")),
    }
}

/// A number in JSON; NaN and infinities are the strings `NaN`, `inf` and `-inf`.
pub fn number(x: f64) -> Value {
    if x.is_finite() { Value::from(x) } else { Value::from(x.to_string()) }
}
