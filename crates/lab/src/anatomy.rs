//! What lengths do not show: directions, inputs and paths, measured and predicted.

use ndarray::{Array2, ArrayView2, Axis};

use super::experiment::Experiment;
use super::formulas::{path_energies, relu_kernel, relu_slope_kernel};
use super::jacobian::{gradient_correlation, path_spectrum, singular_values};
use super::measure::{norm, normal_batch, rows};
use super::moments::moments;
use super::trace::{Step, Trace};
use geartrain::error::require;
use geartrain::layer::Kind;
use geartrain::layers::LayerSpec;
use geartrain::{Error, Network, Scalar};

/// Whether the networks of an [`Experiment`] treat all directions and all inputs alike, and which paths carry their
/// gradients.
///
/// ```
/// use geartrain::prelude::*;
/// use geartrain_lab as lab;
/// let block = |net: Sequential<f64>, _| net.then(ReLU).then(Linear::new(32, 32).init(Init::he_normal()));
/// let network = Network::new((0..6).fold(Sequential::new().then(Linear::new(32, 32)), block), 32)?;
/// let x = lab::normal_batch(16, 32, 1);
/// let experiment = lab::Experiment::at_initialisation("relu", &network, x.view(), 1)?;
/// let anatomy = lab::Anatomy::of(&experiment, &[network], x.view())?;
/// // six layers, each of which adds 1 for its weights and 1 for its slopes
/// assert!((anatomy.seeds[0].spreads[0].predicted.unwrap() - 12.0).abs() < 1.5);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Anatomy {
    /// The experiment's name.
    pub name: String,
    /// One entry per network.
    pub seeds: Vec<Inside>,
}

/// What was found inside one network. Lists by station have an entry for each of
/// [`Measurement::stations`](super::Measurement::stations), from the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Inside {
    /// The singular values, largest first, of the Jacobian of the last station's output in the first's, at the first row of
    /// the batch. Empty for all but the first network, and with BatchNorm, where a row has no Jacobian of its own.
    pub singular_values: Vec<f64>,
    /// By station, the [`spread`](super::spread) of the singular values of the Jacobian of the last station's output in this one's; empty
    /// with BatchNorm. The prediction is that of [`jacobian_spread`](super::formulas::jacobian_spread) with each layer's
    /// own q and, instead of an ensemble, the spread of each weight matrix itself. It covers plain stacks of one width, and
    /// needs a width far above the number of layers.
    pub spreads: Vec<Compared>,
    /// By station, the [`gradient_correlation`]. The prediction covers networks whose blocks are a ReLU and a linear layer
    /// without bias, with a skip connection or not: for each pair of rows, the product of Cho and Saul's kernels from their
    /// cosine at the first station.
    pub correlations: Vec<Compared>,
    /// The share of the gradient's energy at the input that came through k branches, k = 0, 1, …; empty without skip
    /// connections on the main path. The prediction is that of [`path_energies`].
    pub path_shares: Vec<Compared>,
}

/// Something measured, and what the theory says about it; `None` where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// The measured value.
    pub measured: f64,
    /// The predicted one.
    pub predicted: Option<f64>,
}

/// Rows that are compared with each other: enough for 496 pairs.
const ROWS: usize = 32;

impl Anatomy {
    /// Looks inside `networks`, those that `experiment` measured on the batch `x`. Of the batch, at most 32 rows count.
    ///
    /// # Errors
    /// As [`Network::predict`]; [`Error::Argument`] if there are not as many networks as in the experiment.
    pub fn of<F: Scalar>(
        experiment: &Experiment,
        networks: &[Network<F>],
        x: ArrayView2<F>,
    ) -> Result<Self, Error> {
        let expected = experiment.measured.seeds.len();
        require(networks.len() == expected, "networks", "those of the experiment", networks.len())?;
        let x = x.slice_move(ndarray::s![..x.nrows().min(ROWS), ..]);
        let inside = |(seed, network)| inside(experiment, seed, network, x);
        let seeds = networks.iter().enumerate().map(inside).collect::<Result<_, Error>>()?;
        Ok(Anatomy { name: experiment.name.clone(), seeds })
    }
}

fn inside<F: Scalar>(
    experiment: &Experiment,
    seed: usize,
    network: &Network<F>,
    x: ArrayView2<F>,
) -> Result<Inside, Error> {
    let stations = experiment.stations();
    let trace = Trace::new(network, x)?;
    let (mut values, mut spreads) = (Vec::new(), Vec::new());
    if network.min_batch_size() == 1 && !stations.is_empty() {
        let jacobians = station_jacobians(network, x, &stations)?;
        let predicted = predicted_spreads(&trace, &stations);
        let measured = jacobians.iter().map(matrix_spread);
        spreads = compared(measured, predicted);
        if seed == 0 {
            values = singular_values(jacobians[0].view());
        }
    }
    let by_layer = gradient_correlation(network, x, seed as u64)?;
    let correlations =
        compared(stations.iter().map(|&row| by_layer[row]), predicted_correlations(&trace, &stations));

    let skips: Vec<usize> = (0..trace.steps.len())
        .filter(|&i| trace.steps[i].nesting == 0 && trace.steps[i].body.is_some())
        .collect();
    let mut path_shares = Vec::new();
    if !skips.is_empty() {
        let dy = normal_batch(x.nrows(), network.outputs(), 1_000 + seed as u64);
        let spectrum = path_spectrum(network, x, dy.view())?;
        let energy = |&row: &usize| Some(experiment.predicted[seed].layers[row].energy? - 1.0);
        let branches: Option<Vec<f64>> = skips.iter().map(energy).collect();
        let energies = spectrum.lengths.iter().map(|length| length * length).collect();
        path_shares = compared(shares(energies), branches.map(|c| shares(path_energies(&c))));
    }
    Ok(Inside { singular_values: values, spreads, correlations, path_shares })
}

fn compared(measured: impl IntoIterator<Item = f64>, predicted: Option<Vec<f64>>) -> Vec<Compared> {
    let at = |i| predicted.as_ref().map(|predicted: &Vec<f64>| predicted[i]);
    measured.into_iter().enumerate().map(|(i, measured)| Compared { measured, predicted: at(i) }).collect()
}

fn shares(energies: Vec<f64>) -> Vec<f64> {
    let total: f64 = energies.iter().sum();
    energies.iter().map(|energy| energy / total).collect()
}

/// The Jacobians of the last station's output in each station's, at the first row of `x`.
fn station_jacobians<F: Scalar>(
    network: &Network<F>,
    x: ArrayView2<F>,
    stations: &[usize],
) -> Result<Vec<Array2<F>>, Error> {
    let top = stations[stations.len() - 1];
    let row = x.index_axis(Axis(0), 0);
    let width = Trace::new(network, x.slice(ndarray::s![..1, ..]))?.steps[top].y.ncols();
    // row i of the batch is the same x, asked for unit i
    let mut trace = Trace::new(network, row.broadcast((width, row.len())).expect("a row can be repeated"))?;
    let mut jacobians = vec![Array2::zeros((0, 0)); stations.len()];
    trace.backward_between(0, top + 1, Array2::eye(width), &mut |i, _, passing| {
        if let Ok(station) = stations.binary_search(&i) {
            jacobians[station] = passing.dy.matrix.clone();
        }
    });
    Ok(jacobians)
}

/// The [`spread`](super::spread) of a matrix's singular values s without computing them: `Σ s² = |A|²` and `Σ s⁴ = |AᵀA|²`.
fn matrix_spread<F: Scalar>(matrix: &Array2<F>) -> f64 {
    let length = norm(rows(matrix));
    let unit = matrix.mapv(|v| v.as_f64() / length);
    let gram = if matrix.nrows() < matrix.ncols() { unit.dot(&unit.t()) } else { unit.t().dot(&unit) };
    gram.nrows() as f64 * gram.iter().map(|g| g * g).sum::<f64>() - 1.0
}

/// In a plain stack, spreads add up: that of each weight matrix, and `E φ'⁴ / (E φ'²)² − 1` of each activation.
fn predicted_spreads<F: Scalar>(trace: &Trace<F>, stations: &[usize]) -> Option<Vec<f64>> {
    let (first, top) = (stations[0], stations[stations.len() - 1]);
    let mut sum = 0.0;
    let mut spreads = Vec::new();
    for (i, step) in trace.steps.iter().enumerate().take(top + 1).skip(first).rev() {
        if stations.contains(&i) {
            spreads.push(sum);
        }
        let square = step.x.ncols() == step.y.ncols() || i == first;
        sum += match step.kind {
            Kind::Linear if square => {
                let weight = step.tensor("weight", trace.network.params())?.to_vec();
                let weight = Array2::from_shape_vec((step.x.ncols(), step.y.ncols()), weight);
                matrix_spread(&weight.expect("inputs by outputs"))
            }
            Kind::Elementwise => {
                let row = step.x.row(0).mapv(F::as_f64);
                moments(step.layer, row.dot(&row) / row.len() as f64).slope_kurtosis() - 1.0
            }
            _ => return None,
        };
    }
    spreads.reverse();
    Some(spreads)
}

/// The product of the blocks' correlations above each station, as a mean over pairs of rows.
fn predicted_correlations<F: Scalar>(trace: &Trace<F>, stations: &[usize]) -> Option<Vec<f64>> {
    let first = *stations.first()?;
    let mut branches = Vec::new();
    let mut i = first + 1;
    while i < trace.steps.len() {
        let (branch, next) = relu_block(trace, i)?;
        branches.push(branch);
        i = next;
    }
    // the block above the last station leads to the output, which is no station
    if branches.len() != stations.len() {
        return None;
    }
    let mut sums = vec![0.0; stations.len()];
    let cosines = cosines(trace.steps[first].y.view());
    for &cosine in &cosines {
        let mut c = cosine;
        let factors: Vec<f64> = branches
            .iter()
            .map(|branch| {
                // a plain block has no path around its branch
                let (around, through) = branch.map_or((0.0, 1.0), |energy| (1.0, energy));
                let mix = |around_: f64, through_: f64| {
                    (around * around_ + through * through_) / (around + through)
                };
                let factor = mix(1.0, relu_slope_kernel(c));
                c = mix(c, relu_kernel(c));
                factor
            })
            .collect();
        let mut product = 1.0;
        for (sum, factor) in sums.iter_mut().zip(&factors).rev() {
            product *= factor;
            *sum += product;
        }
    }
    Some(sums.iter().map(|sum| sum / cosines.len() as f64).collect())
}

/// A ReLU and a linear layer without bias at step `i`: nothing, or the energy of the branch if they are the body of a skip
/// connection; and the step after the block.
fn relu_block<F: Scalar>(trace: &Trace<F>, i: usize) -> Option<(Option<f64>, usize)> {
    let [relu, linear] = trace.steps.get(i..i + 2)? else { return None };
    let params = trace.network.params();
    let no_bias = linear.tensor("bias", params).is_none_or(|bias| bias.iter().all(F::is_zero));
    if LayerSpec::of(relu.layer) != Some(LayerSpec::ReLU) || linear.kind != Kind::Linear || !no_bias {
        return None;
    }
    if linear.nesting == 0 {
        return Some((None, i + 2));
    }
    match trace.steps.get(i + 2)? {
        Step { kind: Kind::Residual { scale }, body: Some(body), nesting: 0, .. } if *body == i => {
            let weight = norm(linear.tensor("weight", params)?);
            Some((Some((scale * weight).powi(2) / (2.0 * linear.y.ncols() as f64)), i + 3))
        }
        _ => None,
    }
}

/// The cosines between all pairs of rows.
fn cosines<F: Scalar>(matrix: ArrayView2<F>) -> Vec<f64> {
    let mut unit = matrix.mapv(F::as_f64);
    for mut row in unit.rows_mut() {
        let length = norm(&row.to_vec());
        row /= if length > 0.0 { length } else { 1.0 };
    }
    let gram = unit.dot(&unit.t());
    (0..gram.nrows()).flat_map(|r| (0..r).map(move |s| (r, s))).map(|pair| gram[pair]).collect()
}
