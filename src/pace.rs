//! Whether several threads are faster than one, from measured durations.
//!
//! What a hand-over costs depends on the machine and the moment: cores that share no cache, or a
//! busy process on one of them, can make two threads slower than one. So from time to time a few
//! passes run the other way, and the faster way is kept. Results do not depend on it.

use std::time::Instant;

use geartrain_kernels::{threads, with_threads};

/// Passes of a trial, after one that fills the caches.
const TRIAL: usize = 5;

/// Passes between trials: at first, and at most.
const FEW: usize = 16;
const MANY: usize = 512;

/// The share of the time by which the other way must be faster.
const CLEAR: f64 = 0.97;

/// Decides pass by pass.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Whether passes use all threads, trials aside.
    shares: bool,
    is_trial: bool,
    /// Passes until the next trial or the end of this one.
    left: usize,
    between: usize,
    /// The last durations, and the place of the oldest.
    last: [f64; TRIAL],
    oldest: usize,
    /// The median duration before the trial.
    before: f64,
}

impl Default for Pace {
    fn default() -> Self {
        let (shares, is_trial) = (true, false);
        Pace { shares, is_trial, left: FEW, between: FEW, last: [0.0; TRIAL], oldest: 0, before: 0.0 }
    }
}

impl PartialEq for Pace {
    /// Durations are no part of what owns them: always equal.
    fn eq(&self, _: &Pace) -> bool {
        true
    }
}

impl Pace {
    /// Runs `pass` of `size` equal parts of work, such as rows, on all threads or on one.
    pub fn run<T>(&mut self, size: usize, pass: impl FnOnce() -> T) -> T {
        if threads() == 1 {
            return pass();
        }
        let start = Instant::now();
        let result = if self.shares() { pass() } else { with_threads(1, pass) };
        self.took(start.elapsed().as_secs_f64() / size.max(1) as f64);
        result
    }

    /// Whether the next pass should use all threads.
    fn shares(&self) -> bool {
        self.shares != self.is_trial
    }

    /// Takes the duration of a pass, per part of its work.
    fn took(&mut self, duration: f64) {
        self.last[self.oldest] = duration;
        self.oldest = (self.oldest + 1) % TRIAL;
        self.left -= 1;
        if self.left > 0 {
            return;
        }
        let mut sorted = self.last;
        sorted.sort_by(f64::total_cmp);
        let median = sorted[TRIAL / 2];
        if !self.is_trial {
            (self.is_trial, self.before, self.left) = (true, median, TRIAL + 1);
            return;
        }
        // After a change, trials come often again.
        let is_better = median < CLEAR * self.before;
        self.shares ^= is_better;
        self.between = if is_better { FEW } else { (2 * self.between).min(MANY) };
        (self.is_trial, self.left) = (false, self.between);
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::layers::{BatchNorm, Dropout, LayerNorm, Linear, Residual, Sequential, Tanh};
    use crate::loss::MeanSquaredError;
    use crate::network::Workspace;
    use crate::optim::{Adam, Optimizer};
    use crate::{Network, Scalar};

    /// The share of passes on all threads, and the time over that of the faster way. Some passes,
    /// `noisy` apart, take ten times as long.
    fn run(pace: &mut Pace, shared: f64, alone: f64, noisy: usize) -> (f64, f64) {
        let (passes, mut shares, mut time) = (5000, 0, 0.0);
        for pass in 1..=passes {
            let duration = if pace.shares() { shared } else { alone };
            shares += usize::from(pace.shares());
            time += duration;
            pace.took(if pass % noisy == 0 { 10.0 * duration } else { duration });
        }
        (shares as f64 / passes as f64, time / (passes as f64 * shared.min(alone)))
    }

    #[test]
    fn the_faster_way_is_kept_and_trials_cost_little() {
        for (shared, alone) in [(5.0, 9.0), (20.0, 8.0), (1000.0, 1900.0), (4.0, 2.0), (1.0, 1.1)] {
            for noisy in [7, 100, usize::MAX] {
                let mut pace = Pace::default();
                run(&mut pace, shared, alone, noisy);
                let (shares, slowdown) = run(&mut pace, shared, alone, noisy);
                assert_eq!(shares > 0.5, shared < alone, "{shared} {alone} {noisy}: {shares}");
                assert!(slowdown < 1.03, "{shared} {alone} {noisy}: {slowdown}");
            }
        }
    }

    #[test]
    fn it_follows_a_change() {
        let mut pace = Pace::default();
        for (shared, alone) in [(5.0, 9.0), (20.0, 9.0), (5.0, 9.0)] {
            run(&mut pace, shared, alone, 100);
            let (shares, _) = run(&mut pace, shared, alone, 100);
            assert!(if shared < alone { shares > 0.9 } else { shares < 0.1 }, "{shares}");
        }
    }

    #[test]
    fn equal_ways_stay_shared() {
        let mut pace = Pace::default();
        assert!(run(&mut pace, 9.0, 9.0, usize::MAX).0 > 0.9);
    }

    /// Losses, gradients and final weights of training passes, of which pass `i` runs on all
    /// threads if `shares(i)`.
    fn trained<F: Scalar>(layers: Sequential<F>, rows: usize, shares: impl Fn(usize) -> bool) -> Vec<u64> {
        let mut network = Network::new(layers).unwrap().with_seed(4);
        let numbers = |columns| {
            Array2::from_shape_fn((rows, columns), |(i, j)| {
                F::of(((i * 31 + j * 71) % 257) as f64 / 99.0 - 1.0)
            })
        };
        let (x, target) = (numbers(network.inputs()), numbers(network.outputs()));
        let (mut optimizer, mut workspace, mut bits) = (Adam::new(0.01), Workspace::new(), Vec::new());
        for pass in 0..6 {
            workspace.key = pass as u64;
            workspace.pace = Pace { shares: shares(pass), ..Pace::default() };
            let mut dx = Array2::zeros(x.dim());
            let wants_dx = (pass % 3 == 2).then(|| dx.view_mut());
            let loss = network.gradients(&MeanSquaredError, &x, &target, &mut workspace, wants_dx).unwrap();
            optimizer.step(network.params_mut(), &workspace.grads).unwrap();
            network.update_running_stats(&mut workspace).unwrap();
            bits.push(loss.to_bits());
            bits.extend(workspace.grads.iter().chain(&dx).map(|number| number.as_f64().to_bits()));
        }
        bits.extend(network.params().iter().map(|number| number.as_f64().to_bits()));
        bits
    }

    fn any_choice_has_the_same_bits<F: Scalar>() {
        let linear = |n| Sequential::new().then(Linear::new(n, n)).then(Tanh);
        let slices = || Sequential::new().then(Linear::new(5, 17)).then(Tanh).then(Linear::new(17, 3));
        let parts = || (0..9).fold(Sequential::new(), |layers, _| layers.then(linear(128)));
        let residual = || {
            let block = linear(128).then(Residual::new(linear(128)).scale(0.5));
            (0..5).fold(Sequential::new(), |layers, _| layers.then(Residual::new(block.clone())))
        };
        let whole = || {
            let block = linear(150).then(LayerNorm::new(150)).then(Dropout::new(0.3));
            linear(150).then(BatchNorm::new(150)).then(Residual::new(block)).then(Linear::new(150, 2))
        };
        let cases = [
            ("slices", &slices as &dyn Fn() -> Sequential<F>, 1500),
            ("parts", &parts, 70),
            ("residual", &residual, 70),
            ("whole", &whole, 300),
        ];
        let choices: [fn(usize) -> bool; 2] = [|pass| pass % 2 == 0, |pass| pass % 2 == 1];
        for (name, layers, rows) in cases {
            let one = with_threads(1, || trained(layers(), rows, |_| true));
            for threads in [2, 3] {
                for shares in choices {
                    let trained = with_threads(threads, || trained(layers(), rows, shares));
                    assert!(trained == one, "{name}, {threads} threads");
                }
            }
        }
    }

    #[test]
    fn results_do_not_depend_on_the_choice() {
        any_choice_has_the_same_bits::<f32>();
        any_choice_has_the_same_bits::<f64>();
    }
}
