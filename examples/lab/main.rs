//! The lab page: drag an input and watch the chain rule, in a browser, on this crate's own engine.
//!
//! ```text
//! cargo run --release --example lab
//! ```

mod chain;
mod choices;
#[path = "../common/design.rs"]
mod design;
mod flow;
mod lines;
mod reply;
mod security;
mod server;
mod training;

use std::error::Error;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Serves the lab page on this computer, and to nobody else. Ctrl-C ends it.
#[derive(Parser)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How long open connections, such as a training that is being watched, may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let served = runtime.block_on(serve(arguments.port));
    runtime.shutdown_timeout(PATIENCE);
    served
}

/// Serves until Ctrl-C.
async fn serve(port: u16) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}"))?;
    let port = listener.local_addr()?.port();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, server::router(port)).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let serving = tokio::spawn(serving.into_future());
    // Whoever started it may have closed the pipe; the page works all the same.
    let _ = writeln!(io::stdout(), "The lab is open at http://127.0.0.1:{port} (Ctrl-C ends it)");
    tokio::signal::ctrl_c().await?;
    let _ = stop.send(());
    match tokio::time::timeout(PATIENCE, serving).await {
        Ok(served) => Ok(served??),
        Err(_) => Ok(()),
    }
}
