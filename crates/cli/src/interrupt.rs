//! Ctrl-C: stop after the current step and keep the result.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, Outcome};
use crate::output;

/// Watches for Ctrl-C and SIGTERM. The first one sets the flag, the second one ends the program.
///
/// # Errors
/// If the process already has a handler.
pub fn flag() -> Outcome<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = flag.clone();
    let handler = move || {
        if shared.swap(true, Ordering::Relaxed) {
            exit(Failure::Interrupted.code().into());
        }
        output::note("Interrupted: stopping after this step. Press Ctrl-C again to stop at once.");
    };
    ctrlc::set_handler(handler).map_err(Failure::other)?;
    Ok(flag)
}
