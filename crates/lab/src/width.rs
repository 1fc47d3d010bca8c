//! Width: parametrisations, and whether changes keep their size in wider networks.

use ndarray::{Array2, ArrayRef2};

use crate::numbers::{entries, rms};
use crate::tape::Tape;
use geartrain::error::require;
use geartrain::layer::Kind;
use geartrain::network::Workspace;
use geartrain::optim::ParamGroup;
use geartrain::params::ParamSpec;
use geartrain::{Error, Loss, Network, Optimizer, Scalar};

/// How initial weights and learning rates change with the width of a network.
///
/// With r_in and r_out, the inputs and outputs of a layer over those of the same layer in a base
/// network (1 at the network's own inputs and outputs), a weight has these factors:
///
/// | | initial weights | rate of gradient descent | rate of Adam |
/// |---|---|---|---|
/// | standard | 1 | 1 | 1 |
/// | NTK | 1 | 1 / r_in | 1 / √r_in |
/// | muP | 1/√r at the output, else 1 | r_out / r_in | 1 / r_in |
///
/// A bias has the rate r_out in muP with gradient descent, else 1. In the NTK parametrisation
/// (Jacot et al. 2018), features do not change in wide networks. In muP (Yang and Hu 2021), every
/// layer's activations change by a number that does not depend on the width, so that the best rate
/// of a small network is that of a large one.
///
/// ```
/// use geartrain::{optim::Sgd, prelude::*};
/// use geartrain_lab::{Parametrization, UpdateRule};
/// let build = |width| {
///     let layers = Sequential::new().then(Linear::new(8, width)).then(ReLU);
///     let layers = layers.then(Linear::new(width, width)).then(ReLU);
///     Network::<f32>::new(layers.then(Linear::new(width, 1)))
/// };
/// let (base, mut network) = (build(64)?, build(1024)?);
/// Parametrization::MuP.initialise(&mut network, &base)?;
/// let groups = Parametrization::MuP.groups(&network, &base, UpdateRule::Gradient)?;
/// let sgd = groups.into_iter().fold(Sgd::<f32>::new(0.1), Sgd::group); // the best rate of `base`
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parametrization {
    /// Initialisation by the number of inputs, one learning rate.
    Standard,
    /// Neural tangent parametrisation.
    Ntk,
    /// Maximal update parametrisation.
    MuP,
}

/// The kind of update that an optimizer makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateRule {
    /// In proportion to the gradient, as SGD.
    Gradient,
    /// Of a size that does not depend on the size of the gradient, as Adam.
    Adaptive,
}

impl Parametrization {
    /// Scales the initial weights of `network`, whose layers are those of `base` with other widths.
    ///
    /// # Errors
    /// [`Error::Argument`] if the two do not have the same parameters in other sizes.
    pub fn initialise<F: Scalar>(self, network: &mut Network<F>, base: &Network<F>) -> Result<(), Error> {
        if self != Parametrization::MuP {
            return Ok(());
        }
        for (spec, [inputs, outputs]) in ratios(network, base)? {
            if spec.shape.len() == 2 && inputs > outputs {
                let factor = F::of((outputs / inputs).sqrt());
                network.param_mut(&spec.name)?.mapv_inplace(|w| factor * w);
            }
        }
        Ok(())
    }

    /// The learning rates of `network` relative to those of `base`, as groups for an optimizer.
    /// Only tensors with a factor other than 1 have a group.
    ///
    /// # Errors
    /// As [`initialise`](Parametrization::initialise).
    pub fn groups<F: Scalar>(
        self,
        network: &Network<F>,
        base: &Network<F>,
        rule: UpdateRule,
    ) -> Result<Vec<ParamGroup>, Error> {
        let group = |(spec, ratios): (ParamSpec, [f64; 2])| {
            let factor = self.rate(spec.shape.len() == 2, ratios, rule);
            (factor != 1.0).then(|| ParamGroup::named(spec.name).learning_rate_factor(factor))
        };
        Ok(ratios(network, base)?.into_iter().filter_map(group).collect())
    }

    /// The factor of a tensor's learning rate.
    fn rate(self, is_matrix: bool, [inputs, outputs]: [f64; 2], rule: UpdateRule) -> f64 {
        let inputs = if is_matrix { inputs } else { 1.0 };
        match (self, rule) {
            (Parametrization::Standard, _) => 1.0,
            (Parametrization::Ntk, UpdateRule::Gradient) => 1.0 / inputs,
            (Parametrization::Ntk, UpdateRule::Adaptive) => 1.0 / inputs.sqrt(),
            (Parametrization::MuP, UpdateRule::Gradient) => outputs / inputs,
            (Parametrization::MuP, UpdateRule::Adaptive) => 1.0 / inputs,
        }
    }

    /// The slopes of `ln change` against `ln width` after one step, as [`CoordinateCheck::slopes`],
    /// of a network of at least one hidden layer, whose widths grow together.
    ///
    /// The gradient at a hidden layer is as large as a weight of the output layer: width^g with
    /// g = −½, or −1 in muP. A layer with rate width^c changes its output by width^(c + g) from a
    /// fixed input and by width^(c + g + 1) from a hidden layer; the change of the layers below
    /// passes through it unchanged. (For adaptive rules, g is 0 there.) The change of the last
    /// hidden layer is aligned with the output weights and changes the logits by width^(1 + g +
    /// slope).
    pub fn slopes(self, hidden: usize, rule: UpdateRule) -> Vec<f64> {
        let weight = if self == Parametrization::MuP { -1.0 } else { -0.5 };
        let gradient = if rule == UpdateRule::Gradient { weight } else { 0.0 };
        let wide = std::f64::consts::E;
        let rate = |ratios| self.rate(true, ratios, rule).ln();
        let mut slopes = vec![rate([1.0, wide]) + gradient];
        for layer in 1..hidden {
            slopes.push((rate([wide, wide]) + gradient + 1.0).max(slopes[layer - 1]));
        }
        let last = slopes.last().copied().unwrap_or(0.0);
        slopes.push((rate([wide, 1.0]) + 1.0).max(1.0 + weight + last));
        slopes
    }
}

/// The specs of the trainable parameters, each with its inputs and outputs over those in `base`.
fn ratios<F: Scalar>(network: &Network<F>, base: &Network<F>) -> Result<Vec<(ParamSpec, [f64; 2])>, Error> {
    let pairs = || network.layout().iter().zip(base.layout().iter());
    let same = network.layout().iter().count() == base.layout().iter().count()
        && pairs().all(|((a, _), (b, _))| a.name == b.name && a.shape.len() == b.shape.len());
    require(same, "base", "a network of the same layers in other widths", base.layer().describe().name)?;
    let of = |((a, _), (b, _)): ((&ParamSpec, _), (&ParamSpec, _))| {
        let ratio = |axis: usize| match (a.shape.get(axis), b.shape.get(axis)) {
            (Some(a), Some(b)) => *a as f64 / *b as f64,
            _ => 1.0,
        };
        (a.clone(), [ratio(1), ratio(0)])
    };
    Ok(pairs().filter(|((spec, _), _)| spec.trainable).map(of).collect())
}

/// How much training changes each layer at several widths (Yang and Hu 2021): the last linear layer
/// gives the logits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CoordinateCheck {
    /// The widths.
    pub widths: Vec<usize>,
    /// For each width, the root mean square change of the output of each linear layer, and its
    /// geometric mean over the seeds.
    pub changes: Vec<Vec<f64>>,
    /// For each width, the mean loss after training.
    pub losses: Vec<f64>,
}

impl CoordinateCheck {
    /// The slope of `ln change` against `ln width` for each linear layer, by least squares: 0 if
    /// the change does not depend on the width.
    pub fn slopes(&self) -> Vec<f64> {
        let xs: Vec<f64> = self.widths.iter().map(|width| (*width as f64).ln()).collect();
        let of = |layer: usize| {
            let ys: Vec<f64> = self.changes.iter().map(|changes| changes[layer].ln()).collect();
            slope(&xs, &ys)
        };
        (0..self.changes.first().map_or(0, Vec::len)).map(of).collect()
    }
}

/// The slope of the line through the points by least squares.
pub(crate) fn slope(xs: &[f64], ys: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (x_mean, y_mean) = (mean(xs), mean(ys));
    let products: f64 = xs.iter().zip(ys).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    products / xs.iter().map(|x| (x - x_mean).powi(2)).sum::<f64>()
}

/// Trains networks of several widths for a few steps on one batch and measures how much the output
/// of each linear layer changes.
///
/// `start` makes a network of a width and a seed, with its optimizer. Predictions
/// ([`Parametrization::slopes`]) hold after one step.
///
/// # Errors
/// Those of `start`; [`Error::Argument`] for fewer than two widths, no seed or no step; as
/// [`Network::gradients`] and [`Optimizer::step`].
pub fn coordinate_check<F: Scalar, O: Optimizer<F>>(
    widths: &[usize],
    seeds: u64,
    steps: usize,
    loss: &dyn Loss<F>,
    x: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
    start: impl Fn(usize, u64) -> Result<(Network<F>, O), Error>,
) -> Result<CoordinateCheck, Error> {
    require(widths.len() >= 2, "widths", "at least two", widths.len())?;
    require(seeds > 0 && steps > 0, "seeds and steps", "at least 1", seeds.min(steps as u64))?;
    let mut check = CoordinateCheck { widths: widths.to_vec(), changes: Vec::new(), losses: Vec::new() };
    for &width in widths {
        let (mut logs, mut losses) = (Vec::new(), 0.0);
        for seed in 0..seeds {
            let (mut network, mut optimizer) = start(width, seed)?;
            let before = linear_outputs(&network, x)?;
            let mut workspace = Workspace::new();
            for _ in 0..steps {
                network.gradients(loss, x, target, &mut workspace, None)?;
                optimizer.step(network.params_mut(), &workspace.grads)?;
            }
            losses += network.gradients(loss, x, target, &mut workspace, None)? / seeds as f64;
            let after = linear_outputs(&network, x)?;
            logs.resize(before.len(), 0.0);
            for (log, (before, after)) in logs.iter_mut().zip(before.iter().zip(&after)) {
                *log += rms(entries(&(after - before))).ln() / seeds as f64;
            }
        }
        check.changes.push(logs.into_iter().map(f64::exp).collect());
        check.losses.push(losses);
    }
    Ok(check)
}

/// The output of every linear layer.
fn linear_outputs<F: Scalar>(network: &Network<F>, x: &ArrayRef2<F>) -> Result<Vec<Array2<F>>, Error> {
    let tape = Tape::new(network, x.view())?;
    let linear = tape.steps.iter().filter(|step| step.kind == Kind::Linear);
    Ok(linear.map(|step| step.y.to_owned()).collect())
}
