//! Whether several threads are faster than one, from measured durations.
//!
//! What a hand-over costs depends on the machine and the moment: cores that share no cache, or a
//! busy process on one of them, can make two threads slower than one. So from time to time a few
//! passes run the other way, and the faster way is kept. Results do not depend on it.

/// Passes of a trial, after one that fills the caches.
const TRIAL: usize = 5;

/// Passes between trials: at first, and at most.
const FEW: usize = 16;
const MANY: usize = 512;

/// The share of the time by which the other way must be faster.
const CLEAR: f64 = 0.97;

/// Decides pass by pass.
#[derive(Debug, Clone)]
pub(super) struct Pace {
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

impl Pace {
    /// Whether the next pass should use all threads.
    pub fn shares(&self) -> bool {
        self.shares != self.is_trial
    }

    /// Takes the duration of a pass, per row.
    pub fn took(&mut self, duration: f64) {
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
    use super::*;

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
}
