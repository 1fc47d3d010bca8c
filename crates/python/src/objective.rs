//! Losses with scikit-learn's conventions.

use geartrain::loss::{
    BinaryCrossEntropyWithLogits, CrossEntropy, Huber, Loss, MeanAbsoluteError, MeanSquaredError, Quantile,
};
use geartrain::{Error, Scalar};
use ndarray::{ArrayRef2, Axis, Zip};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A loss whose value and gradient have factors of their own: scikit-learn sums the gradients of
/// several outputs, whatever it does with their losses.
#[derive(Debug)]
pub struct Objective<F: Scalar> {
    /// One loss for all columns, or one per column.
    losses: Vec<Box<dyn Loss<F>>>,
    value: f64,
    gradient: f64,
}

impl<F: Scalar> Objective<F> {
    /// The loss called `name`, for `outputs` columns: the value that scikit-learn reports, and the
    /// gradient of the sum over the outputs.
    pub fn new(name: &str, options: &[f64], outputs: usize) -> PyResult<Self> {
        let columns = outputs as f64;
        let plain = Objective::plain(name, options, outputs)?;
        let (value, gradient) = match name {
            "squared_error" => (0.5, 0.5 * columns),
            "log_loss" => (1.0, 1.0),
            "binary_log_loss" | "poisson" => (columns, columns),
            _ => (1.0, columns),
        };
        Ok(Objective { value, gradient, ..plain })
    }

    /// The loss called `name` as geartrain defines it: a mean over rows and outputs.
    pub fn plain(name: &str, options: &[f64], outputs: usize) -> PyResult<Self> {
        let losses: Vec<Box<dyn Loss<F>>> = match (name, options) {
            ("squared_error", _) => vec![Box::new(MeanSquaredError)],
            ("absolute_error", _) => vec![Box::new(MeanAbsoluteError)],
            ("huber", [delta]) => vec![Box::new(Huber::new(*delta))],
            ("quantile", [_, ..]) => {
                let level = |i| Box::new(Quantile::new(options[i % options.len()])) as Box<dyn Loss<F>>;
                (0..outputs).map(level).collect()
            }
            ("poisson", _) => vec![Box::new(HalfPoissonDeviance)],
            ("log_loss", _) => vec![Box::new(CrossEntropy)],
            ("binary_log_loss", _) => vec![Box::new(BinaryCrossEntropyWithLogits)],
            _ => {
                let message = format!("no loss is called {name:?} with the options {options:?}");
                return Err(PyValueError::new_err(message));
            }
        };
        Ok(Objective { losses, value: 1.0, gradient: 1.0 })
    }

    /// The mean of `of` over the losses of single columns.
    fn mean(
        &self,
        output: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        of: impl Fn(&dyn Loss<F>, &ArrayRef2<F>, &ArrayRef2<F>) -> f64,
    ) -> f64 {
        let columns = output.axis_chunks_iter(Axis(1), 1).zip(target.axis_chunks_iter(Axis(1), 1));
        let sum: f64 = self.losses.iter().zip(columns).map(|(loss, (o, t))| of(&**loss, &o, &t)).sum();
        sum / self.losses.len() as f64
    }
}

impl<F: Scalar> Loss<F> for Objective<F> {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        if let [loss] = &self.losses[..] {
            return loss.check(output, target);
        }
        Loss::<F>::check(&MeanSquaredError, output, target)?;
        let columns = output.axis_chunks_iter(Axis(1), 1).zip(target.axis_chunks_iter(Axis(1), 1));
        self.losses.iter().zip(columns).try_for_each(|(loss, (o, t))| loss.check(&o, &t))
    }

    fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
        self.value
            * match &self.losses[..] {
                [loss] => loss.value(output, target),
                _ => self.mean(output, target, |loss, o, t| loss.value(o, t)),
            }
    }

    fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64 {
        let (value, factor) = match &self.losses[..] {
            [loss] => (loss.gradient(output, target, doutput), self.gradient),
            losses => {
                let columns = output.axis_chunks_iter(Axis(1), 1).zip(target.axis_chunks_iter(Axis(1), 1));
                for ((loss, (o, t)), mut d) in
                    losses.iter().zip(columns).zip(doutput.axis_chunks_iter_mut(Axis(1), 1))
                {
                    loss.gradient(&o, &t, &mut d);
                }
                let value = self.mean(output, target, |loss, o, t| loss.value(o, t));
                (value, self.gradient / losses.len() as f64)
            }
        };
        if factor != 1.0 {
            *doutput *= F::of(factor);
        }
        self.value * value
    }

    fn total_weight(&self, target: &ArrayRef2<F>) -> Option<f64> {
        if let [loss] = &self.losses[..] {
            return loss.total_weight(target);
        }
        // All columns have the same rows; each row of a column counts the same.
        let mut columns = self.losses.iter().zip(target.axis_chunks_iter(Axis(1), 1));
        let total = target.nrows() as f64;
        columns.all(|(loss, t)| loss.total_weight(&t) == Some(total)).then_some(total)
    }

    fn expects_logits(&self) -> bool {
        self.losses[0].expects_logits()
    }
}

/// Half the Poisson deviance of the rate `eᶻ`: the mean of `eᶻ − t z + t ln t − t`, which is 0
/// where the rate is the count t.
#[derive(Debug)]
struct HalfPoissonDeviance;

impl HalfPoissonDeviance {
    fn term<F: Scalar>(z: F, t: F) -> (f64, F) {
        let (z, t) = (z.as_f64(), t.as_f64());
        let entropy = if t > 0.0 { t * t.ln() } else { 0.0 };
        (z.exp() - t * z + entropy - t, F::of(z.exp() - t))
    }
}

impl<F: Scalar> Loss<F> for HalfPoissonDeviance {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        geartrain::loss::Poisson.check(output, target)
    }

    fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
        let sum = Zip::from(output).and(target).fold(0.0, |sum, &z, &t| sum + Self::term(z, t).0);
        sum / output.len() as f64
    }

    fn total_weight(&self, target: &ArrayRef2<F>) -> Option<f64> {
        Some(target.nrows() as f64)
    }

    fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64 {
        let (mut sum, scale) = (0.0, F::of(1.0 / output.len() as f64));
        // L = Σ (eᶻ − t z + …) / n, so ∂L/∂z = (eᶻ − t) / n
        Zip::from(doutput).and(output).and(target).for_each(|d, &z, &t| {
            let (value, slope) = Self::term(z, t);
            sum += value;
            *d = scale * slope;
        });
        sum / output.len() as f64
    }
}
