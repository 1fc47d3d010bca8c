//! Learning rate schedules.

use std::ops::ControlFlow;

use geartrain::optim::schedule::*;
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, StepEnd};

use crate::support::*;

#[test]
fn schedules_accept_every_epoch_and_refuse_invalid_arguments() {
    assert_argument(Step::new(0, 0.5).check(), "step size");
    assert_argument(Cosine::new(0).check(), "length of the cosine");
    assert_argument(WarmUp::new(0).check(), "length of the warm-up");
    assert!((WarmUp::new(4).rate(0.3, 0, &[]) - 0.1).abs() < 1e-15, "a third by default");
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
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    let mut training = training(Sgd::new(0.1)).schedule(WarmUp::new(10).from(0.0));
    let history = training.fit(&mut network, &sine(8)).unwrap();
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert_eq!(rates, [0.0, 0.1 * 0.1, 0.1 * 0.2]);
    // The optimizer has its own rate again, so a second run warms up the same way.
    let again = training.fit(&mut network, &sine(8)).unwrap();
    assert_eq!(again.epochs.iter().map(|epoch| epoch.learning_rate).collect::<Vec<_>>(), rates);
}

/// The rates before each epoch and after the last, with a base of 0.1.
fn rates(schedule: &dyn Schedule, losses: &[f64]) -> Vec<f64> {
    (0..=losses.len()).map(|epoch| schedule.rate(0.1, epoch as u64, &losses[..epoch])).collect()
}

#[test]
fn a_plateau_below_0_is_reduced_like_one_above_0() {
    let plateau = ReduceOnPlateau::default().patience(2);
    let above = rates(&plateau, &[1.0; 12]);
    assert_eq!(above, rates(&plateau, &[-1.0; 12]));
    assert_eq!(above.iter().filter(|&&rate| rate == 0.1).count(), 4, "{above:?}");
    approx::assert_relative_eq!(above[12], 1e-4, max_relative = 1e-14);
    // Losses that get worse are no improvement; those that get better by more than the threshold
    // are.
    let sequence = |losses: [f64; 6]| rates(&plateau, &losses)[6];
    assert_eq!(sequence([-6.0, -5.0, -4.0, -3.0, -2.0, -1.0]), sequence([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    assert!(sequence([-6.0, -5.0, -4.0, -3.0, -2.0, -1.0]) < 0.1);
    assert_eq!(sequence([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]), 0.1);
    assert_eq!(sequence([3.0, 2.0, 1.0, 0.0, -1.0, -2.0]), 0.1);
    assert!(sequence([-1.0, -1.00005, -1.00006, -1.00007, -1.00008, -1.00009]) < 0.1);
    assert_eq!(sequence([f64::NEG_INFINITY; 6]), sequence([1.0; 6]));
}

#[test]
fn plateaus_at_the_edges_of_their_arguments() {
    let new = ReduceOnPlateau::default;
    // Patience 0 reduces after the first epoch without an improvement, and an equal loss is none.
    let eager = new().patience(0).factor(0.5);
    assert_eq!(rates(&eager, &[1.0, 1.0, 0.5, 0.5]), [0.1, 0.1, 0.05, 0.05, 0.025]);
    // With threshold 0, every smaller loss is an improvement; with 0.5, it must halve.
    let falling = [1.0, 0.9, 0.8, 0.4];
    assert_eq!(rates(&new().patience(0).threshold(0.0), &falling), [0.1; 5]);
    let halving = rates(&new().patience(0).factor(0.5).threshold(0.5), &falling);
    assert_eq!(halving, [0.1, 0.1, 0.05, 0.025, 0.025]);
    // During cooldown, bad epochs do not count.
    let cool = rates(&eager.cooldown(2), &[1.0; 6]);
    assert_eq!(cool, [0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025]);
    // The smallest rate is reached but not passed; reductions by less than 1e-8 are skipped.
    assert_eq!(rates(&eager.min_rate(0.04), &[1.0; 4]), [0.1, 0.1, 0.05, 0.04, 0.04]);
    assert_eq!(eager.rate(1.9e-8, 2, &[1.0, 1.0]), 1.9e-8);
    assert!(eager.rate(2.1e-8, 2, &[1.0, 1.0]) < 1.2e-8);
    for (factor, threshold) in [(f64::MIN_POSITIVE, 0.0), (1.0 - 1e-16, 1.0 - 1e-16)] {
        assert!(new().factor(factor).threshold(threshold).check().is_ok());
    }
    assert_argument(new().factor(1.0).check(), "factor");
    assert_argument(new().factor(0.0).check(), "factor");
    assert_argument(new().threshold(1.0).check(), "threshold");
    assert_argument(new().min_rate(-0.1).check(), "smallest rate");
}

#[test]
fn a_followed_schedule_reads_each_loss_once() {
    let losses = [1.0, 1.0, 1.0, 0.4, 0.4, f64::NAN, 0.1, 0.1, 0.1, -1.0, -1.0, -1.0, -1.0];
    let plateau = ReduceOnPlateau::default().patience(1).cooldown(1).factor(0.5);
    let chain = Chain::new(WarmUp::new(3)).then(3, plateau).then(9, plateau.patience(0));
    for schedule in [&plateau as &dyn Schedule, &chain, &Box::new(chain.clone())] {
        let expected = rates(schedule, &losses);
        assert!(expected.windows(2).filter(|pair| pair[0] != pair[1]).count() >= 2, "{expected:?}");
        let mut follow = schedule.follow(0.1);
        // Losses that were read before are not read again.
        let mut seen = losses;
        for (epoch, &rate) in expected.iter().enumerate() {
            assert_eq!(follow(epoch as u64, &seen[..epoch]), rate, "{schedule:?}, epoch {epoch}");
            seen[..epoch].fill(-1e9);
        }
        // A run that resumes reads all losses at once.
        assert_eq!(schedule.follow(0.1)(13, &losses), expected[13]);
    }
}

#[test]
fn gammas_above_1_let_the_rate_grow() {
    let (step, exponential) = (Step::new(2, 2.0), Exponential::new(2.0));
    assert_eq!(rates(&step, &[0.0; 5]), [0.1, 0.1, 0.2, 0.2, 0.4, 0.4]);
    assert_eq!(rates(&exponential, &[0.0; 3]), [0.1, 0.2, 0.4, 0.8]);
    assert!(step.check().is_ok() && exponential.check().is_ok());
    // A rate that grows out of range is an error of its step, and names the rate.
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    let mut training = training(Sgd::new(1e-300)).schedule(Exponential::new(1e300));
    assert_argument(training.fit(&mut network, &sine(8)).map(drop), "learning rate");
}

#[test]
fn a_pointer_to_a_schedule_is_a_schedule() {
    fn check<S: Schedule>(schedule: S, base: f64, expected: f64) {
        assert!(schedule.check().is_ok() && !schedule.uses_losses());
        assert_eq!(schedule.rate(base, 3, &[]), expected);
        assert_eq!(schedule.settings(), Step::new(2, 0.5).settings());
    }
    let mut step = Step::new(2, 0.5);
    check(Box::new(step) as Box<dyn Schedule>, 0.2, 0.1);
    check::<&Step>(&step, 0.2, 0.1);
    check::<&mut Step>(&mut step, 0.2, 0.1);
    let bad: Box<dyn Schedule> = Box::new(Step::new(0, 0.5));
    assert_argument(Schedule::check(&bad), "step size");
    assert_argument(Schedule::check(&&Step::new(0, 0.5)), "step size");
    assert!((Box::new(ReduceOnPlateau::default()) as Box<dyn Schedule>).uses_losses());
}

#[test]
fn polynomials_refuse_arguments_outside_their_domain() {
    assert_argument(Polynomial::new(0).check(), "length of the polynomial");
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_argument(Polynomial::new(3).power(bad).check(), "power");
        assert_argument(Exponential::new(0.5).every(bad).check(), "every");
    }
    for bad in BAD {
        assert_argument(Polynomial::new(3).end_rate(bad).check(), "end rate");
    }
    for time in [0, 1, u64::MAX - 1, u64::MAX] {
        for cycle in [false, true] {
            for length in [1, 7, u64::MAX] {
                let rate = Polynomial::new(length).cycle(cycle).rate(0.1, time, &[]);
                assert!((0.0..=0.1).contains(&rate), "{length} {time} {rate}");
            }
        }
    }
}

/// Records the learning rate of every step.
#[derive(Default)]
struct Rates(Vec<f64>);

impl Callback<f64> for Rates {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, f64>) -> CallbackResult {
        self.0.push(*step.learning_rate);
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn a_schedule_per_step_changes_the_rate_at_every_step() {
    // 3 epochs of 3 batches
    let (data, mut network, mut rates) =
        (sine(9), Network::new(Linear::new(1, 1)).unwrap(), Rates::default());
    let schedule = Chain::new(WarmUp::new(4).from(0.0)).then(4, Cosine::new(5));
    let training = training(Sgd::new(0.1)).batch_size(3).schedule_per_step(schedule.clone());
    let history = training.callback(&mut rates).fit(&mut network, &data).unwrap();
    let expected: Vec<f64> = (0..9).map(|step| schedule.rate(0.1, step, &[])).collect();
    assert_eq!(rates.0, expected);
    assert_eq!(expected[..5], [0.0, 0.025, 0.05, 0.1 * 0.75, 0.1]);
    assert_eq!(history.epochs[2].learning_rate, expected[8]);
}

#[test]
fn a_schedule_that_uses_losses_is_refused_per_step() {
    #[derive(Debug)]
    struct Own;
    impl Schedule for Own {
        fn check(&self) -> Result<(), Error> {
            Ok(())
        }
        fn rate(&self, base: f64, _: u64, _: &[f64]) -> f64 {
            base
        }
    }
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    let mut refuse = |training: Training<'_, f64, MeanSquaredError, Sgd<f64>>| {
        let mut training = training;
        assert_argument(training.fit(&mut network, &sine(4)).map(drop), "schedule per step");
    };
    let plateau = ReduceOnPlateau::default;
    refuse(training(Sgd::new(0.1)).schedule_per_step(plateau()));
    refuse(training(Sgd::new(0.1)).schedule_per_step(Chain::new(WarmUp::new(5)).then(5, plateau())));
    refuse(training(Sgd::new(0.1)).schedule_per_step(Own));
    training(Sgd::new(0.1)).schedule(Own).fit(&mut network, &sine(4)).unwrap();
}
