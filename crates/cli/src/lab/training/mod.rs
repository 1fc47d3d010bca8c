//! The tab "Training": trains on a thread of its own and streams the progress to the page.

mod control;
mod picture;
mod run;
mod settings;
mod steered;
mod table;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::lab::lines::{Lines, lines};
use crate::lab::reply::{Problem, Question, compute, within};
use control::{Control, Order, Steering};
use run::{Job, Model};
use settings::{FASTEST, MOST_MOMENTUM, Settings};

pub fn routes() -> Router {
    Router::new()
        .route("/api/training", get(status).post(train))
        .route("/api/training/preview", post(preview))
        .route("/api/training/{id}", post(order))
        .route("/api/training/{id}/model.safetensors", get(weights))
        .route("/api/training/{id}/history.csv", get(history))
}

/// Training runs at the same time, paused ones included: threads and memory are finite, and a
/// browser opens at most six connections to one server.
const MOST: usize = 4;
static PLACES: Semaphore = Semaphore::const_new(MOST);

/// Previews computed at the same time.
static PREVIEWS: Semaphore = Semaphore::const_new(2);

/// Finished runs whose weights are kept for download.
const KEPT: usize = 16;
static JOBS: Mutex<VecDeque<Arc<Job>>> = Mutex::new(VecDeque::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

fn jobs() -> MutexGuard<'static, VecDeque<Arc<Job>>> {
    JOBS.lock().unwrap_or_else(|poison| poison.into_inner())
}

async fn status() -> Json<Value> {
    Json(json!({ "running": MOST - PLACES.available_permits(), "most": MOST }))
}

/// The picture of the untrained network, and every error in the settings.
async fn preview(Question(settings): Question<Settings>) -> Result<Lines, Problem> {
    let place = PREVIEWS.acquire().await.expect("never closed");
    start(Job::new(0, Control::default()), place, settings, Some(0)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    settings: Settings,
    order: Order,
}

async fn train(Question(asked): Question<Asked>) -> Result<Lines, Problem> {
    let Ok(place) = PLACES.try_acquire() else {
        let error = format!(
            "{MOST} trainings are open already, which is all this server allows. Stop one, or close its page, and try again."
        );
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, error));
    };
    let job = Job::new(NEXT.fetch_add(1, Ordering::Relaxed), Control::new(asked.order));
    let lines = start(job.clone(), place, asked.settings, None).await?;
    let mut jobs = jobs();
    jobs.push_back(job);
    // the oldest whose thread has ended
    if jobs.len() > KEPT
        && let Some(old) = jobs.iter().position(|job| Arc::strong_count(job) == 1)
    {
        jobs.remove(old);
    }
    Ok(lines)
}

/// Checks the settings, then trains to the end or until the page closes the connection; for
/// `epochs` if given.
async fn start(
    job: Arc<Job>,
    place: SemaphorePermit<'static>,
    settings: Settings,
    epochs: Option<usize>,
) -> Result<Lines, Problem> {
    let optimizer = settings.optimizer();
    let mut prepared = compute(move || settings.prepare()).await?;
    prepared.epochs = epochs.unwrap_or(prepared.epochs);
    let (writer, lines) = lines();
    let work = move || {
        // released however the thread ends
        let _place = place;
        run::train(prepared, optimizer, &job, &writer);
    };
    let thread = thread::Builder::new().name("training".into()).spawn(work);
    thread.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error))?;
    Ok(lines)
}

fn find(id: u64) -> Result<Arc<Job>, Problem> {
    let gone = "this run is no longer kept; run it again: the same settings give the same weights";
    jobs().iter().find(|job| job.id == id).cloned().ok_or_else(|| Problem::new(StatusCode::GONE, gone))
}

#[derive(Deserialize)]
struct Ordered {
    order: Option<Order>,
    #[serde(flatten)]
    steering: Steering,
}

async fn order(Path(id): Path<u64>, Question(ordered): Question<Ordered>) -> Result<StatusCode, Problem> {
    let job = find(id)?;
    within("learning_rate", ordered.steering.learning_rate.unwrap_or(0.0), 0.0, FASTEST)?;
    within("momentum", ordered.steering.momentum.unwrap_or(0.0), 0.0, MOST_MOMENTUM)?;
    job.control.steer(ordered.steering);
    if let Some(order) = ordered.order {
        job.control.give(order);
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn weights(Path(id): Path<u64>) -> Result<impl IntoResponse, Problem> {
    let bytes =
        model(id)?.weights().map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    Ok(file("model.safetensors", "application/octet-stream", bytes))
}

async fn history(Path(id): Path<u64>) -> Result<impl IntoResponse, Problem> {
    Ok(file("history.csv", "text/csv; charset=utf-8", model(id)?.history()))
}

fn model(id: u64) -> Result<Arc<Model>, Problem> {
    let busy = "training is running: pause it first";
    find(id)?.model().ok_or_else(|| Problem::new(StatusCode::CONFLICT, busy))
}

fn file(name: &str, kind: &'static str, bytes: impl IntoResponse) -> impl IntoResponse {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], bytes)
}
