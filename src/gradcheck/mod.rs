//! Gradient checks of layers, networks, losses, functions and graphs.
//!
//! An analytic gradient is compared, entry by entry, with the central difference (f(x + h) − f(x −
//! h)) / 2h in `f64`. Tolerances are those of `torch.autograd.gradcheck`: an entry passes if
//! |analytic − numeric| ≤ 1e-5 + 1e-3 · |numeric|. The step is h = 1e-6 · max(1, |x|). The report
//! contains the largest *relative* error, which is about 1e-9 if the derivation is right.
//!
//! Where a function has a kink, such as ReLU at 0, no difference quotient is right; where it curves
//! within a step, or where rounding errors are large, a quotient is inaccurate. All show
//! themselves: quotients with h and h/2 then disagree. The check tries smaller steps and a larger
//! one before it reports an entry as wrong, then moves to another point, and finally reports which
//! of them it is.
//!
//! ```
//! use geartrain::{gradcheck, prelude::*};
//! let layer = Sequential::new().then(Linear::new(3, 4)).then(Tanh).then(Linear::new(4, 2));
//! let report = gradcheck::layer(layer, 3)?;
//! assert!(report.passed(), "{report}");
//! assert!(report.worst().unwrap().relative_error < 1e-7);
//! # Ok::<(), geartrain::Error>(())
//! ```

mod contract;
mod difference;
mod report;

use std::sync::Arc;

use ndarray::{Array2, ArrayRef2, ShapeBuilder};

use self::difference::{Case, central_differences};
use crate::error::same_shape;
use crate::graph::{self, Graph};
use crate::params::{Layout, ParamSpec};
use crate::{Error, Init, Layer, Loss, Network};

pub use report::{Check, Entry, Report};

/// The settings of a check. [`Gradcheck::new`] has the tolerances of `torch.autograd.gradcheck`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Gradcheck {
    /// The step h of the central difference at numbers up to 1; h · |x| at larger ones. Default:
    /// 1e-6.
    pub step: f64,
    /// Absolute tolerance. Default: 1e-5.
    pub atol: f64,
    /// Relative tolerance. Default: 1e-3.
    pub rtol: f64,
    /// Seed of the random inputs, weights and directions. Default: 0.
    pub seed: u64,
    /// Whether a row's output depends on the other rows of its batch, as in batch normalisation, or
    /// on its position, as in dropout: then a batch is not compared with its rows one by one.
    /// Default: false.
    pub mixes_rows: bool,
}

impl Default for Gradcheck {
    fn default() -> Self {
        Gradcheck::new()
    }
}

/// Checks `layer`, with `inputs` input features, against its whole contract with the default
/// settings; see [`Gradcheck::layer`].
///
/// # Errors
/// Those of [`Network::with_inputs`].
pub fn layer(layer: impl Layer<f64> + 'static, inputs: usize) -> Result<Report, Error> {
    Gradcheck::default().layer(layer, inputs)
}

/// Checks the gradient of a whole network with its loss with the default settings; see
/// [`Gradcheck::network`].
///
/// # Errors
/// Those of [`Network::loss_and_gradients`].
pub fn network(
    network: &Network<f64>,
    loss: &dyn Loss<f64>,
    x: &ArrayRef2<f64>,
    target: &ArrayRef2<f64>,
) -> Result<Report, Error> {
    Gradcheck::default().network(network, loss, x, target)
}

/// Checks the gradient of a loss with the default settings; see [`Gradcheck::loss`].
///
/// # Errors
/// Those of [`Loss::check`].
///
/// ```
/// use geartrain::{gradcheck, loss::Huber};
/// use ndarray::array;
/// let report = gradcheck::loss(&Huber::new(0.5), &array![[0.2, -3.0]], &array![[0.0, 1.0]])?;
/// assert!(report.passed(), "{report}");
/// # Ok::<(), geartrain::Error>(())
/// ```
pub fn loss(loss: &dyn Loss<f64>, output: &ArrayRef2<f64>, target: &ArrayRef2<f64>) -> Result<Report, Error> {
    Gradcheck::default().loss(loss, output, target)
}

impl Gradcheck {
    /// The default settings.
    pub const fn new() -> Self {
        Gradcheck { step: 1e-6, atol: 1e-5, rtol: 1e-3, seed: 0, mixes_rows: false }
    }

    /// Sets [`step`](Gradcheck::step), a number above 0.
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// Sets the absolute tolerance.
    pub fn atol(mut self, atol: f64) -> Self {
        self.atol = atol;
        self
    }

    /// Sets the relative tolerance.
    pub fn rtol(mut self, rtol: f64) -> Self {
        self.rtol = rtol;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets [`mixes_rows`](Gradcheck::mixes_rows).
    pub fn mixes_rows(mut self, mixes_rows: bool) -> Self {
        self.mixes_rows = mixes_rows;
        self
    }

    /// Puts `layer`, reading `inputs` features, through the whole contract of [`Layer`] at random
    /// weights and inputs: central differences in every parameter and input, alone and between
    /// other layers (inside a `Residual` where the width is kept), of the output and of the
    /// gradients (second derivatives, if the layer has them); the same gradients from a second
    /// backward pass; twice `dy` gives twice the gradients and zero gives zero; every entry of `y`,
    /// `grads` and `dx` is written; `dx` can be left out; a batch equals its rows one by one;
    /// strided and transposed inputs equal their copies; a small batch after a large one with the
    /// same cache; and ⟨v, Ju⟩ = ⟨Jᵀv, u⟩ between forward and reverse mode.
    ///
    /// # Errors
    /// Those of [`Network::with_inputs`].
    pub fn layer(&self, layer: impl Layer<f64> + 'static, inputs: usize) -> Result<Report, Error> {
        contract::check(self, Arc::new(layer), inputs)
    }

    /// Checks `∂loss/∂(every parameter and input)` of `network` on `x` and `target`.
    ///
    /// # Errors
    /// Those of [`Network::loss_and_gradients`].
    pub fn network(
        &self,
        network: &Network<f64>,
        loss: &dyn Loss<f64>,
        x: &ArrayRef2<f64>,
        target: &ArrayRef2<f64>,
    ) -> Result<Report, Error> {
        network.loss(loss, x, target)?;
        let layout = with_input(network.layer().describe().all_params(), x.dim())?;
        let run = |at: &[f64]| {
            let (params, input) = at.split_at(network.params().len());
            let mut moved = network.clone();
            moved.params_mut().copy_from_slice(params);
            moved.loss_and_gradients(loss, &matrix(x.dim(), input), target).expect("tried above")
        };
        let check = central_differences(
            self,
            Case {
                layout: &layout,
                at: network.params().iter().chain(columns(x)).copied().collect(),
                cotangent: &[1.0],
                fixed: false,
                outputs: &mut |at| vec![run(at).loss],
                gradient: &mut |at| {
                    let pass = run(at);
                    pass.grads.iter().chain(columns(&pass.grad_input.view())).copied().collect()
                },
            },
        );
        Ok(Report { checks: vec![check] })
    }

    /// Checks `∂loss/∂output` of `loss` at `output` and `target`, and its derivative along a
    /// direction.
    ///
    /// # Errors
    /// Those of [`Loss::check`].
    pub fn loss(
        &self,
        loss: &dyn Loss<f64>,
        output: &ArrayRef2<f64>,
        target: &ArrayRef2<f64>,
    ) -> Result<Report, Error> {
        loss.check(output, target)?;
        let dim = output.dim();
        let check = central_differences(
            self,
            Case {
                layout: &with_input(Vec::new(), dim)?,
                at: columns(output).copied().collect(),
                cotangent: &[1.0],
                fixed: false,
                outputs: &mut |at| vec![loss.value(&matrix(dim, at), target)],
                gradient: &mut |at| {
                    let mut doutput = Array2::zeros(dim);
                    loss.gradient(&matrix(dim, at), target, &mut doutput);
                    columns(&doutput.view()).copied().collect()
                },
            },
        );
        Ok(Report { checks: vec![check, self.second_derivative(loss, output, target)] })
    }

    /// Compares `gradient_jvp` with central differences of the gradient: with the symmetric second
    /// derivative S, the gradient of u · ∇L is S u.
    fn second_derivative(
        &self,
        loss: &dyn Loss<f64>,
        output: &ArrayRef2<f64>,
        target: &ArrayRef2<f64>,
    ) -> Check {
        let (name, dim) = ("second derivative", output.dim());
        let direction = output.mapv(|z| (7.0 * z + 1.0).cos());
        let product = |at: &[f64]| {
            let mut change = Array2::zeros(dim);
            loss.gradient_jvp(&matrix(dim, at), target, &direction, &mut change).map(|()| change)
        };
        let at: Vec<f64> = columns(output).copied().collect();
        if let Err(error) = product(&at) {
            return Check::new(name, true, format!("not checked: {error}"));
        }
        let check = central_differences(
            self,
            Case {
                layout: &with_input(Vec::new(), dim).expect("a matrix"),
                at,
                cotangent: &columns(&direction).copied().collect::<Vec<_>>(),
                fixed: false,
                outputs: &mut |at| {
                    let mut doutput = Array2::zeros(dim);
                    loss.gradient(&matrix(dim, at), target, &mut doutput);
                    columns(&doutput).copied().collect()
                },
                gradient: &mut |at| columns(&product(at).expect("it ran above")).copied().collect(),
            },
        );
        Check { name, ..check }
    }

    /// Checks whether `gradient` is the gradient of the scalar function `f` at `at`.
    ///
    /// ```
    /// use geartrain::gradcheck::Gradcheck;
    /// // f = (w x + b)² at w = 2, x = 3, b = 1
    /// let f = |at: &[f64]| (at[0] * at[1] + at[2]).powi(2);
    /// let report = Gradcheck::default().function(f, &[2.0, 3.0, 1.0], &[42.0, 28.0, 14.0])?;
    /// assert!(report.passed());
    /// # Ok::<(), geartrain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if the numbers of derivatives and of variables differ.
    pub fn function(&self, f: impl Fn(&[f64]) -> f64, at: &[f64], gradient: &[f64]) -> Result<Report, Error> {
        same_shape("gradient", &[at.len()], &[gradient.len()])?;
        let check = central_differences(
            self,
            Case {
                layout: &with_input(Vec::new(), (at.len(), 1))?,
                at: at.to_vec(),
                cotangent: &[1.0],
                fixed: true,
                outputs: &mut |at| vec![f(at)],
                gradient: &mut |_| gradient.to_vec(),
            },
        );
        Ok(Report { checks: vec![check] })
    }

    /// Checks the gradient of a scalar graph in every input, at their current values: against
    /// central differences, against forward mode, and against a second backward pass.
    ///
    /// ```
    /// use geartrain::{gradcheck::Gradcheck, graph::Graph};
    /// let mut graph = Graph::parse("(w*x + b)^2")?;
    /// graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)])?;
    /// assert!(Gradcheck::default().graph(&graph)?.passed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`graph::Error::MissingInputs`] for an input without a value.
    pub fn graph(&self, graph: &Graph) -> Result<Report, graph::Error> {
        let names: Vec<&str> = graph.input_names().collect();
        let at = names.iter().map(|&name| graph.value(name)).collect::<Result<Vec<f64>, _>>()?;
        // One tensor of all inputs, so that an error counts relative to the largest of their
        // gradients.
        let layout = with_input(Vec::new(), (at.len(), 1)).expect("it is small");
        let run = |at: &[f64]| {
            let mut graph = graph.clone();
            let inputs: Vec<_> = names.iter().copied().zip(at.iter().copied()).collect();
            graph.run(&inputs).map(|value| (value, graph))
        };
        let (_, mut here) = run(&at)?;
        let in_order = |gradients: graph::Gradients| gradients.iter().map(|(_, g)| g).collect::<Vec<f64>>();
        let first = in_order(here.backward()?);
        let second = in_order(here.backward()?);
        let forward = in_order(here.gradients_forward_mode()?);
        let mut differences = central_differences(
            self,
            Case {
                layout: &layout,
                at,
                cotangent: &[1.0],
                fixed: false,
                outputs: &mut |at| vec![run(at).expect("it ran above").0],
                gradient: &mut |at| {
                    let (_, mut graph) = run(at).expect("it ran above");
                    in_order(graph.backward().expect("forward has run"))
                },
            },
        );
        if let Some(entry) = &mut differences.worst {
            entry.name = names[entry.index[0]].to_string();
            entry.index.clear();
        }
        let twice = contract::equal("backward twice gives the same", &second, &first);
        let modes = contract::close("forward mode equals reverse mode", &forward, &first);
        Ok(Report { checks: vec![differences, twice, modes] })
    }
}

/// The layout of some parameters followed by an input matrix.
fn with_input(mut specs: Vec<ParamSpec>, (rows, columns): (usize, usize)) -> Result<Layout, Error> {
    specs.push(ParamSpec::new("input", &[rows, columns], Init::constant(0.0)));
    Layout::new::<f64>(specs)
}

/// The entries of `x` column by column, the order of tensors in flat vectors.
fn columns(x: &ArrayRef2<f64>) -> impl Iterator<Item = &f64> {
    x.t().into_iter()
}

/// The inverse of [`columns`].
fn matrix(shape: (usize, usize), columns: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec(shape.f(), columns.to_vec()).expect("as many entries as the layout says")
}
