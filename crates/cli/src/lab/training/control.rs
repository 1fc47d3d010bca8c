//! Orders of the page to a training run: run, pause, one step; another learning rate or momentum.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use serde::Deserialize;

/// An order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    #[default]
    Run,
    Pause,
    /// One step (one batch), then pause.
    Step,
}

/// A learning rate and a momentum chosen during training; `None` leaves that of before.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Steering {
    pub learning_rate: Option<f64>,
    pub momentum: Option<f64>,
}

/// The last order, which training reads between two steps.
#[derive(Debug, Default)]
pub struct Control {
    steering: Mutex<Steering>,
    order: Mutex<Order>,
    given: Condvar,
    /// Whether the order is anything but to run: a running training reads only this.
    held: AtomicBool,
}

impl Control {
    pub fn new(order: Order) -> Self {
        Control {
            steering: Mutex::default(),
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

    /// Takes the values that are given.
    pub fn steer(&self, to: Steering) {
        let mut steering = self.steering.lock().unwrap_or_else(|poison| poison.into_inner());
        steering.learning_rate = to.learning_rate.or(steering.learning_rate);
        steering.momentum = to.momentum.or(steering.momentum);
    }

    /// The values of the page.
    pub fn steering(&self) -> Steering {
        *self.steering.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Whether to pause after the current step.
    pub fn pauses(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// After a step: waits for the order to go on. False if `given_up` returns true meanwhile.
    pub fn wait(&self, given_up: impl Fn() -> bool) -> bool {
        /// The interval between checks whether the page is closed.
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

    /// Waits for this time or until an order arrives.
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
