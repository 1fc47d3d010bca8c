//! Learning rate schedules.

use geartrain::optim::schedule::*;
use geartrain::prelude::*;

use crate::support::*;

#[test]
fn schedules_accept_every_epoch_and_refuse_invalid_arguments() {
    assert_argument(Step::new(0, 0.5).check(), "step size");
    assert_argument(Cosine::new(0).check(), "length of the cosine");
    assert_argument(WarmUp::new(0).check(), "length of the warm-up");
    assert_argument(Chain::new(Constant::new(1.0)).then(0, Constant::new(0.5)).check(), "start in a chain");
    assert_argument(Chain::new(Constant::new(1.0)).then(3, Step::new(0, 0.5)).check(), "step size");
    for bad in [0.0, -0.5, f64::INFINITY, f64::NAN] {
        assert_argument(Exponential::new(bad).check(), "gamma");
        assert_argument(Step::new(3, bad).check(), "gamma");
    }
    for bad in BAD {
        assert_argument(Constant::new(bad).check(), "factor");
        assert_argument(Cosine::new(5).min_rate(bad).check(), "smallest rate");
        assert_argument(WarmUp::new(5).from(bad).check(), "start factor");
        assert_argument(WarmUp::new(5).to(bad).check(), "end factor");
        assert_argument(ReduceOnPlateau::default().factor(bad).check(), "factor");
        assert_argument(ReduceOnPlateau::default().threshold(bad).check(), "threshold");
    }
    let schedules: [Box<dyn Schedule>; 8] = [
        Box::new(Constant::new(0.5)),
        Box::new(Step::new(1, 0.5)),
        Box::new(Exponential::new(0.9)),
        Box::new(Cosine::new(7).min_rate(0.01)),
        Box::new(Cosine::new(u64::MAX)),
        Box::new(WarmUp::new(u64::MAX)),
        Box::new(ReduceOnPlateau::default()),
        Box::new(Chain::new(WarmUp::new(5)).then(u64::MAX, Cosine::new(1))),
    ];
    for schedule in schedules {
        schedule.check().unwrap();
        for epoch in [0, 1, 100, u64::MAX - 1, u64::MAX] {
            for base in [0.0, 0.1] {
                let rate = schedule.rate(base, epoch, &[f64::NAN, 1.0, f64::INFINITY]);
                assert!((0.0..=0.1).contains(&rate), "{schedule:?} in epoch {epoch}: {rate}");
            }
        }
    }
}

#[test]
fn a_warm_up_may_be_longer_than_the_training() {
    let mut network = Network::new(Linear::new(1, 1), 1).unwrap();
    let mut training = training(Sgd::new(0.1)).schedule(WarmUp::new(10).from(0.0));
    let history = training.fit(&mut network, &sine(8)).unwrap();
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert_eq!(rates, [0.0, 0.1 * 0.1, 0.1 * 0.2]);
    // The optimizer has its own rate again, so a second run warms up the same way.
    let again = training.fit(&mut network, &sine(8)).unwrap();
    assert_eq!(again.epochs.iter().map(|epoch| epoch.learning_rate).collect::<Vec<_>>(), rates);
}
