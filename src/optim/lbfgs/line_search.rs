//! The line search of Moré and Thuente, "Line search algorithms with guaranteed sufficient
//! decrease", ACM Transactions on Mathematical Software 20 (1994).
//!
//! φ(α) = f(x + α d) is the objective along the direction, ψ(α) = φ(α) − φ(0) − μ α φ'(0) the same
//! above the line of sufficient decrease.

/// μ: the sufficient decrease, as a share of the initial slope.
const DECREASE: f64 = 1e-3;
/// η: the largest remaining slope, as a share of the initial slope.
const CURVATURE: f64 = 0.9;
/// The relative width of the interval below which it counts as a point.
const WIDTH: f64 = 0.1;
/// The largest step.
const MAX_STEP: f64 = 1e10;

/// A point on the line: the step α, φ(α) and φ'(α).
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    pub step: f64,
    pub value: f64,
    pub slope: f64,
}

impl Trial {
    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.slope.is_finite()
    }

    /// ψ instead of φ, up to a constant.
    fn above(self, line: f64) -> Trial {
        Trial { value: self.value - self.step * line, slope: self.slope - line, ..self }
    }
}

/// The next step after a trial.
pub(super) enum Next {
    /// Evaluate this step.
    Try(f64),
    /// The last trial satisfies the conditions, or is the best that rounding permits.
    Accept,
    /// There is no better step.
    Fail,
}

/// The search for one step length.
pub(super) struct LineSearch {
    start: Trial,
    /// The end of the interval with the smallest value so far, and the other end.
    best: Trial,
    other: Trial,
    /// Whether a minimiser lies between both ends.
    bracketed: bool,
    /// Whether ψ instead of φ decides: until a step has a value below the line and a slope ≥ 0.
    auxiliary: bool,
    /// The bounds of the next step.
    bounds: (f64, f64),
    /// The widths of the last two intervals.
    widths: (f64, f64),
    /// The smallest step at which the objective is not finite.
    ceiling: f64,
}

impl LineSearch {
    /// A search from `start`, at step 0, whose first trial is `step`.
    pub fn new(start: Trial, step: f64) -> Self {
        LineSearch {
            start,
            best: start,
            other: start,
            bracketed: false,
            auxiliary: true,
            bounds: (0.0, 5.0 * step),
            widths: (2.0 * MAX_STEP, MAX_STEP),
            ceiling: f64::INFINITY,
        }
    }

    /// The next step after `trial`.
    pub fn next(&mut self, trial: Trial) -> Next {
        if !trial.is_finite() {
            self.ceiling = self.ceiling.min(trial.step);
            return self.below_ceiling(trial.step);
        }
        let line = DECREASE * self.start.slope;
        let limit = self.start.value + trial.step * line;
        if self.auxiliary && trial.value <= limit && trial.slope >= 0.0 {
            self.auxiliary = false;
        }
        let at_end = trial.step == MAX_STEP && trial.value <= limit && trial.slope <= line;
        let satisfied = trial.value <= limit && trial.slope.abs() <= CURVATURE * -self.start.slope;
        if self.is_exhausted(trial.step) || at_end || satisfied {
            return Next::Accept;
        }
        let step = if self.auxiliary && trial.value <= self.best.value && trial.value > limit {
            (self.best, self.other) = (self.best.above(line), self.other.above(line));
            let step = self.update(trial.above(line));
            (self.best, self.other) = (self.best.above(-line), self.other.above(-line));
            step
        } else {
            self.update(trial)
        };
        let step = self.shrink(step).clamp(0.0, MAX_STEP);
        match self.is_exhausted(step) {
            false => self.below_ceiling(step),
            true if self.best.step == trial.step => Next::Accept,
            true => Next::Try(self.best.step),
        }
    }

    /// Tries `step`, or halfway from the best step to the smallest one that has overflowed.
    fn below_ceiling(&self, step: f64) -> Next {
        let halfway = 0.5 * (self.best.step + self.ceiling);
        match step < self.ceiling {
            true => Next::Try(step),
            false if halfway > self.best.step => Next::Try(halfway),
            false => Next::Fail,
        }
    }

    /// The step with the smallest value so far, if that is smaller than at the start.
    pub fn best_step(&self) -> Option<f64> {
        (self.best.value < self.start.value).then_some(self.best.step)
    }

    /// Whether `step` is at a bound of the interval, or the interval has shrunk to a point.
    fn is_exhausted(&self, step: f64) -> bool {
        let (min, max) = self.bounds;
        self.bracketed && (step <= min || step >= max || max - min <= WIDTH * max)
    }

    /// Bisects an interval that did not become a third smaller in two trials, and sets the bounds
    /// of the next step.
    fn shrink(&mut self, step: f64) -> f64 {
        let (best, other) = (self.best.step, self.other.step);
        if !self.bracketed {
            self.bounds = (step + 1.1 * (step - best), step + 4.0 * (step - best));
            return step;
        }
        let width = (other - best).abs();
        let slow = width >= 0.66 * self.widths.0;
        self.widths = (self.widths.1, width);
        self.bounds = (best.min(other), best.max(other));
        if slow { best + 0.5 * (other - best) } else { step }
    }

    /// Moves the end of the interval to `trial`, and returns the next step: the minimiser of a
    /// cubic or quadratic interpolation, chosen by the four cases of section 4 of the paper.
    fn update(&mut self, trial: Trial) -> f64 {
        let (best, other) = (self.best, self.other);
        let opposite = trial.slope * best.slope.signum() < 0.0;
        let step = if trial.value > best.value {
            // Case 1: a larger value, so the minimiser is between both.
            let cubic = cubic_minimum(best, trial);
            let slope = (best.value - trial.value) / (trial.step - best.step) + best.slope;
            let quadratic = best.step + best.slope / slope / 2.0 * (trial.step - best.step);
            self.bracketed = true;
            if (cubic - best.step).abs() < (quadratic - best.step).abs() {
                cubic
            } else {
                cubic + (quadratic - cubic) / 2.0
            }
        } else if opposite {
            // Case 2: a smaller value and a slope of the opposite sign: between both as well.
            self.bracketed = true;
            let (cubic, secant) = (cubic_minimum(trial, best), secant(best, trial));
            if (cubic - trial.step).abs() > (secant - trial.step).abs() { cubic } else { secant }
        } else if trial.slope.abs() < best.slope.abs() {
            // Case 3: a smaller value and a smaller slope: beyond the trial.
            let (cubic, secant) = (self.cubic_beyond(trial), secant(best, trial));
            let cubic_is_nearer = (cubic - trial.step).abs() < (secant - trial.step).abs();
            if self.bracketed {
                let step = if cubic_is_nearer { cubic } else { secant };
                let limit = trial.step + 0.66 * (other.step - trial.step);
                if trial.step > best.step { step.min(limit) } else { step.max(limit) }
            } else {
                let farther = (cubic - trial.step).abs() > (secant - trial.step).abs();
                (if farther { cubic } else { secant }).clamp(self.bounds.0, self.bounds.1)
            }
        } else if self.bracketed {
            // Case 4: a smaller value and a slope that does not fall: use the other end.
            cubic_minimum(trial, other)
        } else if trial.step > best.step {
            self.bounds.1
        } else {
            self.bounds.0
        };
        if trial.value > best.value {
            self.other = trial;
        } else {
            if opposite {
                self.other = best;
            }
            self.best = trial;
        }
        step
    }

    /// The minimiser of the cubic through the best point and `trial` if it is beyond `trial`, else
    /// the bound on that side.
    fn cubic_beyond(&self, trial: Trial) -> f64 {
        let (theta, scale) = theta(self.best, trial);
        let root = (theta / scale).powi(2) - self.best.slope / scale * (trial.slope / scale);
        let gamma = scale * root.max(0.0).sqrt();
        let gamma = if trial.step > self.best.step { -gamma } else { gamma };
        let share = ((gamma - trial.slope) + theta) / ((gamma + (self.best.slope - trial.slope)) + gamma);
        if share < 0.0 && gamma != 0.0 {
            trial.step + share * (self.best.step - trial.step)
        } else if trial.step > self.best.step {
            self.bounds.1
        } else {
            self.bounds.0
        }
    }
}

/// θ of the cubic through `a` and `b`, and the scale that keeps its square from overflowing.
fn theta(a: Trial, b: Trial) -> (f64, f64) {
    let theta = 3.0 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
    (theta, theta.abs().max(a.slope.abs()).max(b.slope.abs()))
}

/// The minimiser between `from` and `to` of the cubic with their values and slopes.
fn cubic_minimum(from: Trial, to: Trial) -> f64 {
    let (theta, scale) = theta(from, to);
    let root = ((theta / scale).powi(2) - from.slope / scale * (to.slope / scale)).sqrt();
    let gamma = if to.step < from.step { -scale * root } else { scale * root };
    let share = ((gamma - from.slope) + theta) / (((gamma - from.slope) + gamma) + to.slope);
    from.step + share * (to.step - from.step)
}

/// The zero of the line through the slopes of both points.
fn secant(best: Trial, trial: Trial) -> f64 {
    trial.step + trial.slope / (trial.slope - best.slope) * (best.step - trial.step)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Fixture {
        searches: Vec<Search>,
    }

    /// The value and slope at step 0; step, value and slope of each trial; the step after them.
    #[derive(Deserialize)]
    struct Search {
        start: (f64, f64),
        trials: Vec<(f64, f64, f64)>,
        next: Option<f64>,
    }

    /// The answers of the fixture are random numbers, which reach every branch.
    #[test]
    fn every_step_is_that_of_scipy() {
        let text = include_str!("../../../tests/fixtures/line_search.json");
        let Fixture { searches } = serde_json::from_str(text).unwrap();
        assert_eq!(searches.len(), 200);
        for (number, Search { start: (value, slope), trials, next }) in searches.into_iter().enumerate() {
            let mut search = LineSearch::new(Trial { step: 0.0, value, slope }, trials[0].0);
            let steps = trials.iter().skip(1).map(|&(step, ..)| Some(step)).chain([next]);
            for (trial, (&(step, value, slope), expected)) in trials.iter().zip(steps).enumerate() {
                match (search.next(Trial { step, value, slope }), expected) {
                    (Next::Accept, None) => {}
                    (Next::Try(step), Some(expected)) => {
                        let error = (step - expected).abs() / expected;
                        assert!(error < 1e-9, "search {number}, trial {trial}: {step}, SciPy {expected}");
                    }
                    (Next::Try(step), None) => {
                        panic!("search {number}, trial {trial}: {step}, SciPy accepts")
                    }
                    (_, expected) => panic!("search {number}, trial {trial}: ended, SciPy {expected:?}"),
                }
            }
        }
    }
}
