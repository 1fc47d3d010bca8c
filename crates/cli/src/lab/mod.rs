//! `geartrain lab`: the lab page, which shows chain rule, gradient flow and training in a browser.
//!
//! | file | content |
//! |---|---|
//! | `server` | the routes: the files of the page and the questions of each tab |
//! | `connections` | accepts connections, with limits for slow clients |
//! | `security` | refuses requests of other pages and other computers |
//! | `reply` | questions and problems as JSON |
//! | `lines` | answers as a stream of JSON lines |
//! | `chain`, `flow`, `training` | the three tabs |
//! | `page/` | the page itself: HTML, CSS and JavaScript |

mod chain;
mod connections;
mod flow;
mod lines;
mod reply;
mod security;
mod server;
mod training;

use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use reply::number;

use crate::failure::{Failure, Outcome};
use crate::output;

/// Open the lab page: chain rule, gradient flow and training in a browser
///
/// Serves the page on this computer only. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The port on 127.0.0.1; 0 chooses a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

pub fn run(options: &Options) -> Outcome {
    let runtime = Runtime::new()?;
    let served = runtime.block_on(serve(options.port));
    runtime.shutdown_timeout(connections::PATIENCE);
    served
}

/// Serves until Ctrl-C.
async fn serve(port: u16) -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| Failure::other(format!("cannot listen on 127.0.0.1:{port}: {error}")))?;
    let port = listener.local_addr()?.port();
    output::print(&format!("The lab is open at http://127.0.0.1:{port} (Ctrl-C ends it)\n"))?;
    connections::serve(listener, server::router(port), async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await;
    Ok(())
}
