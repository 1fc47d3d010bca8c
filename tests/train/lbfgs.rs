//! L-BFGS: its options, its errors, and networks trained with it.

use std::ops::ControlFlow;

use geartrain::data::toy;
use geartrain::optim::{Iteration, Lbfgs, MinimumReason, Objective};
use geartrain::prelude::*;

use crate::support::{BAD, assert_argument};

/// `Σ i (x_i − i)²` over `i` from 1.
fn parabola(x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
    let mut value = 0.0;
    for (i, (x, g)) in x.iter().zip(gradient).enumerate() {
        let (curvature, distance) = ((i + 1) as f64, x - (i + 1) as f64);
        *g = 2.0 * curvature * distance;
        value += curvature * distance * distance;
    }
    Ok(value)
}

fn network<F: Scalar>() -> Network<F> {
    let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
    Network::new(layers).unwrap().with_seed(3)
}

#[test]
fn a_network_learns_a_sine_in_both_number_types() {
    fn check<F: Scalar>(limit: f64) {
        let data = toy::sine::<F>(80, 0.0, 1).unwrap();
        let mut network = network::<F>();
        let before = network.loss(&MeanSquaredError, data.x(), data.y()).unwrap();
        let minimum = Lbfgs::new().max_iterations(300).fit(&mut network, &MeanSquaredError, &data).unwrap();
        let after = network.loss(&MeanSquaredError, data.x(), data.y()).unwrap();
        assert_eq!(after, minimum.value, "the network holds the best weights");
        assert!(after < limit && limit < before, "{before} → {after}: {minimum:?}");
    }
    check::<f64>(1e-5);
    check::<f32>(1e-4);
}

#[test]
fn a_line_that_keeps_falling_is_followed_in_steps_that_grow_fivefold() {
    let mut tried = Vec::new();
    let falling = |x: &[f64], gradient: &mut [f64]| {
        tried.push(x[0]);
        gradient[0] = -1.0;
        Ok(-x[0])
    };
    Lbfgs::new().max_iterations(1).minimize(&mut [0.0], falling).unwrap();
    // Each step lies four times the last increase beyond the step before, as in the paper.
    assert_eq!(tried[..5], [0.0, 1.0, 5.0, 21.0, 85.0]);
}

/// The steps that one line search from 0 tries on `line`, which returns a value and a slope.
fn tried(line: impl Fn(f64) -> (f64, f64)) -> Vec<f64> {
    let mut tried = Vec::new();
    let objective = |x: &[f64], gradient: &mut [f64]| {
        tried.push(x[0]);
        let (value, slope) = line(x[0]);
        gradient[0] = slope;
        Ok(value)
    };
    Lbfgs::new().max_iterations(1).minimize(&mut [0.0], objective).unwrap();
    tried
}

#[test]
fn a_step_that_decreases_too_little_does_not_become_the_start_of_the_interval() {
    let tried = tried(|step| match step {
        0.0 => (0.0, -1.0),
        1.0 => (-1e-5, 0.0),
        _ => (-1.0, 0.0),
    });
    // The modified function of the paper is larger at 1 than at 0, so the next step is the minimum
    // of the cubic between both; the value alone is smaller, with a minimum beyond 1.
    assert_eq!(tried[..2], [0.0, 1.0]);
    assert!((tried[2] - 1.0 / 3.0).abs() < 1e-3, "{tried:?}");
}

#[test]
fn an_interval_that_shrinks_slowly_is_bisected() {
    let tried = tried(|step| if step < 0.9 { (-step, -1.0) } else { (1000.0, 2000.0) });
    // The cubics end close to the lower end, which leaves almost the whole interval twice.
    assert!(tried[2] < 0.01 && tried[2] < tried[3] && tried[3] < 0.01, "{tried:?}");
    assert_eq!(tried[4], tried[3] + 0.5 * (1.0 - tried[3]));
}

#[test]
fn every_reason_to_stop_is_told() {
    let run = |lbfgs: Lbfgs| lbfgs.minimize(&mut [9.0, -4.0, 7.0], parabola).unwrap();
    let gradient = run(Lbfgs::new().value_tolerance(0.0).gradient_tolerance(1e-8));
    assert_eq!(gradient.reason, MinimumReason::Gradient);
    assert!(gradient.gradient <= 1e-8 && gradient.converged());
    assert_eq!(run(Lbfgs::new().value_tolerance(10.0)).reason, MinimumReason::Value);
    let iterations = run(Lbfgs::new().max_iterations(2));
    assert_eq!((iterations.reason, iterations.iterations), (MinimumReason::Iterations, 2));
    let evaluations = run(Lbfgs::new().max_evaluations(3));
    assert_eq!((evaluations.reason, evaluations.evaluations), (MinimumReason::Evaluations, 3));
    assert!(!evaluations.converged());
    let wrong = |x: &[f64], gradient: &mut [f64]| {
        let value = parabola(x, gradient);
        gradient.iter_mut().for_each(|g| *g = -*g);
        value
    };
    let mut x = [9.0, -4.0, 7.0];
    let minimum = Lbfgs::new().minimize(&mut x, wrong).unwrap();
    assert_eq!((minimum.reason, x), (MinimumReason::LineSearch, [9.0, -4.0, 7.0]));
}

#[test]
fn a_callback_stops_at_its_iterate() {
    struct Third(Vec<f64>);
    impl Objective<f64> for &mut Third {
        fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
            parabola(x, gradient)
        }

        fn after_iteration(&mut self, iteration: &Iteration<'_, f64>) -> ControlFlow<()> {
            self.0 = iteration.x.to_vec();
            if iteration.iteration == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    let (mut x, mut third) = ([9.0, -4.0, 7.0, 0.0], Third(Vec::new()));
    let minimum = Lbfgs::new().minimize(&mut x, &mut third).unwrap();
    assert_eq!((minimum.reason, minimum.iterations), (MinimumReason::Callback, 3));
    assert_eq!(third.0, x);
}

#[test]
fn a_step_into_infinity_is_shortened() {
    // −ln x + x, infinite from 0 downward, with its minimum at 1
    let barrier = |x: &[f64], gradient: &mut [f64]| {
        gradient[0] = 1.0 - 1.0 / x[0];
        Ok(if x[0] > 0.0 { x[0] - x[0].ln() } else { f64::INFINITY })
    };
    for start in [1e-3, 0.6, 40.0, 1e4] {
        let mut x = [start];
        let minimum = Lbfgs::new().minimize(&mut x, barrier).unwrap();
        assert!(minimum.converged() && (x[0] - 1.0).abs() < 1e-4, "{start}: {x:?}, {minimum:?}");
    }
}

#[test]
fn wrong_options_and_starts_are_refused() {
    let check = |lbfgs: Lbfgs, name| assert_argument(lbfgs.check(), name);
    check(Lbfgs::new().memory(0), "memory");
    for bad in BAD {
        check(Lbfgs::new().gradient_tolerance(bad), "gradient tolerance");
        check(Lbfgs::new().value_tolerance(bad), "value tolerance");
    }
    let nan = |_: &[f64], _: &mut [f64]| Ok(f64::NAN);
    let result = Lbfgs::new().minimize(&mut [1.0], nan);
    assert!(matches!(result, Err(Error::NonFiniteLoss { .. })), "{result:?}");
}

#[test]
fn an_error_of_the_objective_leaves_the_last_iterate() {
    let mut evaluations = 0;
    let failing = |x: &[f64], gradient: &mut [f64]| {
        evaluations += 1;
        if evaluations == 2 {
            return Err(Error::NonFiniteLoss { value: f64::NAN });
        }
        parabola(x, gradient)
    };
    let mut x = [9.0, -4.0];
    assert!(Lbfgs::new().minimize(&mut x, failing).is_err());
    assert_eq!(x, [9.0, -4.0]);
}

#[test]
fn running_statistics_are_refused() {
    let data = toy::sine::<f64>(20, 0.0, 1).unwrap();
    let layers = Sequential::new().then(Linear::new(1, 4)).then(BatchNorm::new(4));
    let mut network = Network::new(layers.then(Linear::new(4, 1))).unwrap();
    let result = Lbfgs::new().fit(&mut network, &MeanSquaredError, &data);
    let message = result.unwrap_err().to_string();
    assert!(message.contains("1.running_mean"), "{message}");
}
