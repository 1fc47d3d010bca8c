//! How a question is read and how a problem is told: as JSON `{"error": …, "field": …}`.

use std::convert::Infallible;
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

/// What went wrong, in words that the page shows beside the field they are about.
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

    /// A field holds what the library cannot use.
    pub fn in_field(field: &str, error: impl ToString) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(StatusCode::BAD_REQUEST, error) }
    }

    /// A field holds more than the page allows.
    pub fn too_large(field: &str, error: impl ToString) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, ..Self::in_field(field, error) }
    }

    /// Shows the place in the field's text.
    pub fn at(self, pointer: String) -> Self {
        Self { pointer: Some(pointer), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

/// Time for a client to send the body of a request.
const BODY: Duration = Duration::from_secs(20);

/// Large answers that are computed or sent at the same time.
static ANSWERS: Semaphore = Semaphore::const_new(8);

/// A large answer. Only a few exist at a time: each one keeps its permit until the client has read it.
pub struct Answer {
    bytes: Option<Bytes>,
    _permit: SemaphorePermit<'static>,
}

impl Answer {
    /// Waits until there is room for another answer, and computes it.
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

/// A question as JSON. (Asking for that content type also makes browsers ask first before another page may send it.)
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

/// The page tells apart what is too large from what is wrong.
fn status(rejection: &JsonRejection) -> StatusCode {
    match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    }
}

/// Runs a computation where it does not keep other pages waiting.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the computation broke off")),
    }
}

/// A number in JSON, which has no NaN and no infinities: they become the strings `NaN`, `inf` and `-inf`.
pub fn number(x: f64) -> Value {
    if x.is_finite() { Value::from(x) } else { Value::from(x.to_string()) }
}
