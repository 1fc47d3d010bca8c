//! Helpers of several test modules.

use geartrain::data::{Dataset, toy};
use geartrain::optim::{Adam, AdamW, Optimizer, RMSprop};
use geartrain::prelude::*;

pub const BAD: [f64; 3] = [-1.0, f64::NAN, f64::INFINITY];

pub fn sine(rows: usize) -> Dataset<f64> {
    toy::sine(rows, 0.1, 1).unwrap()
}

pub fn training<'a>(sgd: Sgd<f64>) -> Training<'a, f64, MeanSquaredError, Sgd<f64>> {
    Training::new(MeanSquaredError, sgd).epochs(3).progress(false)
}

#[track_caller]
pub fn assert_argument(result: Result<(), Error>, expected: &str) {
    match result {
        Err(Error::Argument { argument, .. }) => assert_eq!(argument, expected),
        other => panic!("{other:?}"),
    }
}

/// Every optimizer with this learning rate.
pub fn optimizers(rate: f64) -> [Box<dyn Optimizer<f64>>; 5] {
    let momentum = Box::new(Sgd::new(rate).momentum(0.9));
    [
        Box::new(Sgd::new(rate)),
        momentum,
        Box::new(Adam::new(rate)),
        Box::new(AdamW::new(rate)),
        Box::new(RMSprop::new(rate)),
    ]
}
