//! Run, pause, one step: orders of the page to a training.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use serde::Deserialize;

/// What the page wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    #[default]
    Run,
    Pause,
    /// One step, that is one batch, and then a pause.
    Step,
}

/// The last order, as training finds it between two steps.
#[derive(Debug, Default)]
pub struct Control {
    order: Mutex<Order>,
    given: Condvar,
    /// Whether there is more to do than to go on: all that a running training looks at.
    held: AtomicBool,
}

impl Control {
    pub fn new(order: Order) -> Self {
        Control {
            order: Mutex::new(order),
            given: Condvar::new(),
            held: AtomicBool::new(order != Order::Run),
        }
    }

    pub fn give(&self, order: Order) {
        *self.order() = order;
        self.held.store(order != Order::Run, Ordering::Relaxed);
        self.given.notify_all();
    }

    /// Whether training is to pause after the step that it has just done.
    pub fn pauses(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// A step is done: waits until there is to be another. False if `given_up` says so meanwhile.
    pub fn wait(&self, given_up: impl Fn() -> bool) -> bool {
        /// How long a training that pauses may not notice that its page was closed.
        const LOOK: Duration = Duration::from_millis(200);
        let mut order = self.order();
        if *order == Order::Step {
            *order = Order::Pause;
        }
        while *order == Order::Pause {
            if given_up() {
                return false;
            }
            let waited = self.given.wait_timeout(order, LOOK);
            order = waited.unwrap_or_else(|poison| poison.into_inner()).0;
        }
        true
    }

    /// Does nothing for so long, or until an order comes.
    pub fn rest(&self, time: Duration) {
        let order = self.order();
        if *order == Order::Run {
            let _ = self.given.wait_timeout(order, time);
        }
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}
