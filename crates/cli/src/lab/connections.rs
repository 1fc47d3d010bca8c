//! Connections with limits: a client that sends or reads nothing loses its connection.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

/// Connections at the same time. A browser opens up to six per server.
const MOST: usize = 64;
/// Time for a client to send the head of a request, and idle time between requests.
const HEAD: Duration = Duration::from_secs(20);
/// Time for a client to read what is ready for it.
const READ: Duration = Duration::from_secs(30);
/// Time for open connections, such as a training that is being watched, to end.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Serves `router` until `stop` is ready.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MOST));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.expect("never closed");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // Too many open files, for instance.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(READ));
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // The client may go away at any time.
            let _ = connection.await;
            drop(place);
        });
    }
    let _ = timeout(PATIENCE, graceful.shutdown()).await;
}
