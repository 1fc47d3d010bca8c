//! Polynomial decay.

use serde::Serialize;

use super::{Schedule, check_above_0, check_factor, check_length, formula_of_time};
use crate::Error;
use crate::settings::Settings;

/// `m + (b − m) (1 − t / T)^p` until T, and m after it, as Keras's `PolynomialDecay`; with m = 0 as
/// PyTorch's `PolynomialLR`.
///
/// ```
/// use geartrain::optim::schedule::{Polynomial, Schedule};
/// let schedule = Polynomial::new(4).power(2.0).end_rate(0.1);
/// assert_eq!(schedule.rate(1.1, 0, &[]), 1.1);
/// assert_eq!(schedule.rate(1.1, 2, &[]), 0.1 + 0.25);
/// assert_eq!(schedule.rate(1.1, 9, &[]), 0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Polynomial {
    length: u64,
    power: f64,
    end_rate: f64,
    cycle: bool,
}

impl Polynomial {
    /// T in epochs or steps, at least 1; p = 1, which is a straight line, and m = 0.
    pub fn new(length: u64) -> Self {
        Polynomial { length, power: 1.0, end_rate: 0.0, cycle: false }
    }

    /// The power p, a finite number above 0.
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// The learning rate m at T, a finite number ≥ 0.
    pub fn end_rate(mut self, end_rate: f64) -> Self {
        self.end_rate = end_rate;
        self
    }

    /// Whether T is replaced by its smallest multiple that is at least t, so that the learning rate
    /// jumps up after each multiple of T and decays again. Default: `false`.
    pub fn cycle(mut self, cycle: bool) -> Self {
        self.cycle = cycle;
        self
    }
}

impl Schedule for Polynomial {
    fn check(&self) -> Result<(), Error> {
        check_length("length of the polynomial", self.length)?;
        check_above_0("power", self.power)?;
        check_factor("end rate", self.end_rate)
    }

    fn rate(&self, base: f64, time: u64, _: &[f64]) -> f64 {
        let (time, length) = match self.cycle {
            // In f64, the multiple cannot overflow.
            true => (time as f64, self.length as f64 * time.div_ceil(self.length).max(1) as f64),
            false => (time.min(self.length) as f64, self.length as f64),
        };
        self.end_rate + (base - self.end_rate) * libm::pow((1.0 - time / length).max(0.0), self.power)
    }

    formula_of_time!(Polynomial);
}
