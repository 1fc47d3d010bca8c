//! L-BFGS: a quasi-Newton method for objectives without noise.

mod history;
mod line_search;

use std::ops::ControlFlow;

use self::history::Corrections;
use self::line_search::{LineSearch, Next, Trial};
use crate::error::require;
use crate::{Error, Scalar};

/// Limited-memory BFGS (Liu and Nocedal 1989) with the line search of Moré and Thuente (1994),
/// iterate for iterate as `scipy.optimize.minimize(method="L-BFGS-B")` without bounds.
///
/// With the differences `s_k = x_{k+1} − x_k` and `y_k = ∇f(x_{k+1}) − ∇f(x_k)` of the last
/// iterations, it approximates the inverse Hessian H and steps along `d = −H ∇f(x)`. The step
/// length α satisfies the strong Wolfe conditions:
///
/// ```text
/// f(x + α d) ≤ f(x) + 10⁻³ α ∇f(x)·d
/// |∇f(x + α d)·d| ≤ 0.9 |∇f(x)·d|
/// ```
///
/// The objective must return the same value for the same `x`: all rows in every evaluation, and no
/// dropout. It then needs far fewer passes over the data than stochastic methods, which makes it
/// the method of choice for up to a few thousand rows. [`minimize`](Lbfgs::minimize) takes any
/// function of a flat vector; [`fit`](Lbfgs::fit) trains a network.
///
/// ```
/// use geartrain::optim::Lbfgs;
///
/// // Rosenbrock's function, with its minimum at (1, 1)
/// let mut x = [-1.2, 1.0];
/// let minimum = Lbfgs::new().minimize(&mut x, |x: &[f64], gradient: &mut [f64]| {
///     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
///     gradient.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
///     Ok(a * a + 100.0 * b * b)
/// })?;
/// assert!(minimum.converged());
/// assert!((x[0] - 1.0).abs() < 1e-4);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Lbfgs {
    max_iterations: usize,
    max_evaluations: usize,
    memory: usize,
    gradient_tolerance: f64,
    value_tolerance: f64,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Lbfgs::new()
    }
}

impl Lbfgs {
    /// SciPy's defaults: a memory of 10, at most 15,000 iterations and evaluations, a gradient
    /// tolerance of 1e-5 and a value tolerance of 2.22e-9.
    pub fn new() -> Self {
        Lbfgs {
            max_iterations: 15_000,
            max_evaluations: 15_000,
            memory: 10,
            gradient_tolerance: 1e-5,
            value_tolerance: 1e7 * f64::EPSILON,
        }
    }

    /// The most iterations. Default: 15,000.
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// The most evaluations of the objective, tested after each iteration. Default: 15,000.
    pub fn max_evaluations(mut self, evaluations: usize) -> Self {
        self.max_evaluations = evaluations;
        self
    }

    /// The number of differences that approximate the Hessian, at least 1. Default: 10.
    pub fn memory(mut self, memory: usize) -> Self {
        self.memory = memory;
        self
    }

    /// Stops when no entry of the gradient is larger than this, a finite number ≥ 0. Default: 1e-5.
    pub fn gradient_tolerance(mut self, tolerance: f64) -> Self {
        self.gradient_tolerance = tolerance;
        self
    }

    /// Stops when an iteration reduces the value f by at most this times
    /// `max(|f_k|, |f_{k+1}|, 1)`; a finite number ≥ 0. Default: 2.22e-9, 10⁷ times the precision
    /// of `f64`.
    pub fn value_tolerance(mut self, tolerance: f64) -> Self {
        self.value_tolerance = tolerance;
        self
    }

    /// Checks that every option is in its domain.
    ///
    /// # Errors
    /// [`Error::Argument`] with the name, the domain and the value.
    pub fn check(&self) -> Result<(), Error> {
        require(self.memory > 0, "memory", "at least 1", self.memory)?;
        super::at_least_0("gradient tolerance", self.gradient_tolerance)?;
        super::at_least_0("value tolerance", self.value_tolerance)
    }

    /// Minimises `objective` from `x`, and leaves in `x` the best point found. Allocates
    /// `2 · memory + 5` vectors as long as `x`.
    ///
    /// # Errors
    /// Those of [`check`](Lbfgs::check); [`Error::NonFiniteLoss`] if the value or the gradient at
    /// the start is NaN or infinite; any error of the objective, with the last iterate in `x`.
    pub fn minimize<F: Scalar>(
        &self,
        x: &mut [F],
        mut objective: impl Objective<F>,
    ) -> Result<Minimum, Error> {
        self.check()?;
        let mut state = State::new(x, &mut objective)?;
        let mut corrections = Corrections::new(self.memory);
        let reason = loop {
            if let Some(reason) = self.reason_to_stop(&state) {
                break reason;
            }
            let before = state.minimum.value;
            let mut slope = state.descend(&corrections);
            if slope >= 0.0 {
                // Rounding errors have spoilt the approximation.
                corrections.clear();
                slope = state.descend(&corrections);
            }
            if !state.search(&mut objective, slope)? {
                if corrections.is_empty() {
                    break MinimumReason::LineSearch;
                }
                corrections.clear();
                continue;
            }
            state.minimum.iterations += 1;
            state.minimum.gradient = largest(&state.gradient);
            if objective.after_iteration(&state.iteration()).is_break() {
                break MinimumReason::Callback;
            }
            let scale = before.abs().max(state.minimum.value.abs()).max(1.0);
            if state.minimum.gradient > self.gradient_tolerance
                && before - state.minimum.value <= self.value_tolerance * scale
            {
                break MinimumReason::Value;
            }
            corrections.push(state.x, &state.last_x, &state.gradient, &state.last_gradient);
        };
        Ok(Minimum { reason, ..state.minimum })
    }

    fn reason_to_stop<F>(&self, state: &State<'_, F>) -> Option<MinimumReason> {
        let Minimum { gradient, iterations, evaluations, .. } = state.minimum;
        if gradient <= self.gradient_tolerance {
            Some(MinimumReason::Gradient)
        } else if iterations >= self.max_iterations {
            Some(MinimumReason::Iterations)
        } else if evaluations >= self.max_evaluations && iterations > 0 {
            Some(MinimumReason::Evaluations)
        } else {
            None
        }
    }
}

/// A function to minimise. Closures `(x, gradient) -> Result<value, Error>` are objectives.
pub trait Objective<F> {
    /// Returns the value at `x`, and overwrites `gradient` with the gradient. A value that is not
    /// finite makes the line search shorten its step.
    ///
    /// # Errors
    /// Any; it ends the minimisation.
    fn evaluate(&mut self, x: &[F], gradient: &mut [F]) -> Result<f64, Error>;

    /// Called after every iteration, to observe or stop. Default: continues.
    fn after_iteration(&mut self, iteration: &Iteration<'_, F>) -> ControlFlow<()> {
        let _ = iteration;
        ControlFlow::Continue(())
    }
}

impl<F, E: FnMut(&[F], &mut [F]) -> Result<f64, Error>> Objective<F> for E {
    fn evaluate(&mut self, x: &[F], gradient: &mut [F]) -> Result<f64, Error> {
        self(x, gradient)
    }
}

/// An iteration that has just been completed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Iteration<'a, F> {
    /// The iterate.
    pub x: &'a [F],
    /// The value there.
    pub value: f64,
    /// Iterations done, including this one.
    pub iteration: usize,
    /// Evaluations of the objective so far.
    pub evaluations: usize,
}

/// The result of a minimisation.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Minimum {
    /// The value at the best point found.
    pub value: f64,
    /// The magnitude of the largest entry of the gradient there.
    pub gradient: f64,
    /// Iterations done.
    pub iterations: usize,
    /// Evaluations of the objective.
    pub evaluations: usize,
    /// The reason for the end.
    pub reason: MinimumReason,
}

impl Minimum {
    /// Whether one of the tolerances was reached.
    pub fn converged(&self) -> bool {
        matches!(self.reason, MinimumReason::Gradient | MinimumReason::Value)
    }
}

/// The reason for the end of a minimisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MinimumReason {
    /// The gradient is within its tolerance.
    Gradient,
    /// The last iteration reduced the value by no more than its tolerance.
    Value,
    /// The iterations are used up.
    Iterations,
    /// The evaluations are used up.
    Evaluations,
    /// [`Objective::after_iteration`] stopped it.
    Callback,
    /// No smaller value was found along the steepest descent: the gradient is wrong, or rounding
    /// errors prevent progress.
    LineSearch,
}

/// The current iterate, the one before it, and the search direction.
struct State<'x, F> {
    x: &'x mut [F],
    gradient: Vec<F>,
    last_x: Vec<F>,
    last_gradient: Vec<F>,
    direction: Vec<F>,
    minimum: Minimum,
}

/// Evaluations of one line search, after which the best step so far is taken.
const MAX_TRIALS: usize = 20;

impl<'x, F: Scalar> State<'x, F> {
    /// Evaluates the start.
    fn new(x: &'x mut [F], objective: &mut impl Objective<F>) -> Result<Self, Error> {
        let zeros = || vec![F::zero(); x.len()];
        let [mut gradient, last_x, last_gradient, direction] = std::array::from_fn(|_| zeros());
        let value = objective.evaluate(x, &mut gradient)?;
        let largest = largest(&gradient);
        for number in [value, largest] {
            if !number.is_finite() {
                return Err(Error::NonFiniteLoss { value: number });
            }
        }
        let reason = MinimumReason::Iterations;
        let minimum = Minimum { value, gradient: largest, iterations: 0, evaluations: 1, reason };
        Ok(State { x, gradient, last_x, last_gradient, direction, minimum })
    }

    /// Sets the direction `−H ∇f`, and returns its slope `∇f · d`.
    fn descend(&mut self, corrections: &Corrections<F>) -> f64 {
        self.direction.copy_from_slice(&self.gradient);
        corrections.multiply(&mut self.direction);
        self.direction.iter_mut().for_each(|d| *d = -*d);
        dot(&self.gradient, &self.direction)
    }

    /// Moves along the direction to a point that satisfies the strong Wolfe conditions. Returns
    /// false, at the old iterate, if there is none.
    fn search(&mut self, objective: &mut impl Objective<F>, slope: f64) -> Result<bool, Error> {
        if slope >= 0.0 {
            return Ok(false);
        }
        self.last_x.copy_from_slice(self.x);
        self.last_gradient.copy_from_slice(&self.gradient);
        let start = Trial { step: 0.0, value: self.minimum.value, slope };
        // The first direction is the bare gradient, whose length says nothing about the distance.
        let norm = dot(&self.direction, &self.direction).sqrt();
        let mut step = if self.minimum.iterations == 0 { (1.0 / norm).min(1e10) } else { 1.0 };
        let mut search = LineSearch::new(start, step);
        for _ in 0..MAX_TRIALS {
            let trial = self.evaluate(objective, step)?;
            match search.next(trial) {
                Next::Try(next) => step = next,
                Next::Accept => {
                    self.minimum.value = trial.value;
                    return Ok(true);
                }
                Next::Fail => break,
            }
        }
        if let Some(step) = search.best_step() {
            self.minimum.value = self.evaluate(objective, step)?.value;
            return Ok(true);
        }
        self.x.copy_from_slice(&self.last_x);
        self.gradient.copy_from_slice(&self.last_gradient);
        Ok(false)
    }

    /// Evaluates the objective a `step` along the direction.
    fn evaluate(&mut self, objective: &mut impl Objective<F>, step: f64) -> Result<Trial, Error> {
        let length = F::of(step);
        for ((x, &last), &d) in self.x.iter_mut().zip(&self.last_x).zip(&self.direction) {
            *x = last + length * d;
        }
        self.minimum.evaluations += 1;
        let value = objective.evaluate(self.x, &mut self.gradient);
        if value.is_err() {
            self.x.copy_from_slice(&self.last_x);
        }
        let slope = dot(&self.gradient, &self.direction);
        Ok(Trial { step, value: value?, slope })
    }

    fn iteration(&self) -> Iteration<'_, F> {
        let Minimum { value, iterations, evaluations, .. } = self.minimum;
        Iteration { x: self.x, value, iteration: iterations, evaluations }
    }
}

/// The magnitude of the largest entry; NaN if an entry is NaN.
fn largest<F: Scalar>(values: &[F]) -> f64 {
    geartrain_kernels::max_magnitude(values).as_f64()
}

/// `a · b`, accumulated in `f64` in a fixed order: eight sums of every eighth product.
fn dot<F: Scalar>(a: &[F], b: &[F]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane].as_f64() * b[lane].as_f64();
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a.as_f64() * b.as_f64()).sum();
    sums.iter().sum::<f64>() + rest
}
