//! `lbfgs.json`: iterates, iterations and evaluations of SciPy's L-BFGS-B.

use std::ops::ControlFlow;

use geartrain::Error;
use geartrain::optim::{Iteration, Lbfgs, Objective};

use crate::fixture::*;

/// The value, and the gradient into the second argument.
type Function = fn(&[f64], &mut [f64]) -> f64;

fn function(name: &str) -> Function {
    match name {
        "rosenbrock" => |x, gradient| {
            let mut value = 0.0;
            for (x, gradient) in x.chunks(2).zip(gradient.chunks_mut(2)) {
                let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
                gradient.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
                value += a * a + 100.0 * b * b;
            }
            value
        },
        "beale" => |x, gradient| {
            gradient.fill(0.0);
            let mut value = 0.0;
            for (i, c) in [(1, 1.5), (2, 2.25), (3, 2.625)] {
                let d = c - x[0] * (1.0 - x[1].powi(i));
                value += d * d;
                gradient[0] += 2.0 * d * (x[1].powi(i) - 1.0);
                gradient[1] += 2.0 * d * (x[0] * f64::from(i) * x[1].powi(i - 1));
            }
            value
        },
        "powell" => |x, gradient| {
            let (a, b, c, d) = (x[0] + 10.0 * x[1], x[2] - x[3], x[1] - 2.0 * x[2], x[0] - x[3]);
            gradient.copy_from_slice(&[
                2.0 * a + 40.0 * d.powi(3),
                20.0 * a + 4.0 * c.powi(3),
                10.0 * b - 8.0 * c.powi(3),
                -10.0 * b - 40.0 * d.powi(3),
            ]);
            a.powi(2) + 5.0 * b.powi(2) + c.powi(4) + 10.0 * d.powi(4)
        },
        "quadratic" => |x, gradient| {
            let mut value = 0.0;
            let last = (x.len() - 1) as f64;
            for (i, (&x, gradient)) in x.iter().zip(gradient).enumerate() {
                let scale = 10_f64.powf(4.0 * i as f64 / last);
                *gradient = scale * x;
                value += 0.5 * scale * x * x;
            }
            value
        },
        "wall" => |x, gradient| {
            let sum: f64 = x.iter().sum();
            for (gradient, x) in gradient.iter_mut().zip(x) {
                *gradient = 4.0 * (4.0 * x).exp() - 3.0 + 0.2 * sum;
            }
            x.iter().map(|x| (4.0 * x).exp() - 3.0 * x).sum::<f64>() + 0.1 * sum * sum
        },
        "waves" => |x, gradient| {
            for (gradient, x) in gradient.iter_mut().zip(x) {
                *gradient = x - 6.0 * (2.0 * x).sin();
            }
            x.iter().map(|x| 0.5 * x * x + 3.0 * (2.0 * x).cos()).sum()
        },
        other => panic!("no function is called {other}"),
    }
}

/// A function that records its iterates.
struct Recorder {
    function: Function,
    iterates: Vec<(Vec<f64>, f64, usize)>,
}

impl Objective<f64> for &mut Recorder {
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        Ok((self.function)(x, gradient))
    }

    fn after_iteration(&mut self, iteration: &Iteration<'_, f64>) -> ControlFlow<()> {
        self.iterates.push((iteration.x.to_vec(), iteration.value, iteration.evaluations));
        ControlFlow::Continue(())
    }
}

#[test]
fn iterates_are_those_of_scipy() {
    for (number, case) in cases(&load("lbfgs")).iter().enumerate() {
        let name = text(&case["function"]);
        let mut x = numbers(&case["start"]);
        let mut recorder = Recorder { function: function(name), iterates: Vec::new() };
        let minimum = Lbfgs::new().memory(count(&case["memory"])).minimize(&mut x, &mut recorder).unwrap();
        assert!(minimum.converged(), "{name}: {minimum:?}");
        let counts = (minimum.iterations, minimum.evaluations);
        let expected = (count(&case["iterations"]), count(&case["evaluations"]));
        println!("case {number}, {name}: {counts:?}, SciPy {expected:?}");
        for (i, expected) in case["iterates"].as_array().unwrap().iter().enumerate() {
            let (x, value, evaluations) = &recorder.iterates[i];
            let what = format!("case {number}, {name}, iteration {i}");
            assert_close(&what, x, &expected["x"], 1e-8, 1e-3);
            assert_close(&format!("{what}, value"), [value], &expected["value"], 1e-8, 1e-6);
            assert_eq!(*evaluations, count(&expected["evaluations"]), "{what}");
        }
        assert_eq!(counts, expected, "case {number}, {name}");
    }
}
