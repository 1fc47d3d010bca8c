//! Singular values, gradient correlations and path lengths, measured and predicted.

use ndarray::{Array2, ArrayRef2, ArrayView2};

use crate::correlation::gradient_correlation_on;
use crate::experiment::Experiment;
use crate::numbers::{norm, normal_batch};
use crate::paths::path_spectrum_on;
use crate::singular_values::{matrix_spread, singular_values};
use crate::tape::{Step, Tape};
use crate::theory::formulas::{path_energies, relu_kernel, relu_slope_kernel};
use crate::theory::moments::moments;
use geartrain::error::require;
use geartrain::layer::Kind;
use geartrain::layers::LayerSpec;
use geartrain::{Error, Network, Scalar};

/// Whether the networks of an [`Experiment`] treat all directions and all inputs alike, and which
/// paths carry their gradients.
///
/// ```
/// use geartrain::prelude::*;
/// use geartrain_lab as lab;
/// let block = |net: Sequential<f64>, _| {
///     net.then(ReLU).then(Linear::new(32, 32).init(Init::he_normal()))
/// };
/// let start = Sequential::new().then(Linear::new(32, 32));
/// let network = Network::new((0..6).fold(start, block))?;
/// let x = lab::normal_batch(16, 32, 1);
/// let experiment = lab::Experiment::at_initialisation("relu", &network, &x, 1)?;
/// let spectra = lab::Spectra::of(&experiment, &[network], &x)?;
/// // each of the six layers adds 1 for its weights and 1 for its slopes
/// assert!((spectra.seeds[0].spreads[0].predicted.unwrap() - 12.0).abs() < 1.5);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Spectra {
    /// The experiment's name.
    pub name: String,
    /// One entry per network.
    pub seeds: Vec<NetworkSpectra>,
}

/// The spectra of one network. Lists by station have an entry for each of
/// [`Measurement::stations`](crate::Measurement::stations), from the input.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NetworkSpectra {
    /// The singular values, largest first, of the Jacobian of the last station's output in the
    /// first's, at the first row of the batch. Empty for all networks but the first, and with
    /// BatchNorm, where a single row has no Jacobian.
    pub singular_values: Vec<f64>,
    /// By station, the [`spread`](crate::spread) of the singular values of the Jacobian of the last
    /// station's output in this one's; empty with BatchNorm. The prediction is that of
    /// [`jacobian_spread`](crate::formulas::jacobian_spread) with each layer's own q and, instead
    /// of an ensemble, the spread of the weight matrix. It covers plain stacks of one width far
    /// above the number of layers.
    pub spreads: Vec<Comparison>,
    /// By station, the [gradient correlation](crate::gradient_correlation). The prediction covers
    /// networks whose blocks are a ReLU and a linear layer without bias, with or without a skip
    /// connection: for each pair of rows, the product of Cho and Saul's kernels from their cosine
    /// at the first station.
    pub correlations: Vec<Comparison>,
    /// The share of paths through k = 0, 1, … branches in the gradient's energy at the input; empty
    /// without skip connections on the main path. The prediction is that of
    /// [`path_energies`](crate::formulas::path_energies).
    pub path_shares: Vec<Comparison>,
}

/// A measured value beside its prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The measured value.
    pub measured: f64,
    /// The predicted value; `None` where the theory does not apply.
    pub predicted: Option<f64>,
}

/// The number of rows compared with each other: 496 pairs.
const ROWS: usize = 32;

impl Spectra {
    /// Analyses the networks that `experiment` measured on the batch `x`, `(rows, inputs)`. Uses
    /// the first 32 rows.
    ///
    /// # Errors
    /// As [`Network::predict`]; [`Error::Argument`] if there are not as many networks as in the
    /// experiment.
    pub fn of<F: Scalar>(
        experiment: &Experiment,
        networks: &[Network<F>],
        x: &ArrayRef2<F>,
    ) -> Result<Self, Error> {
        let expected = experiment.measured.seeds.len();
        require(networks.len() == expected, "networks", "as many as in the experiment", networks.len())?;
        let x = x.slice(ndarray::s![..x.nrows().min(ROWS), ..]);
        let inside = |(seed, network)| spectra_of(experiment, seed, network, x);
        let seeds = networks.iter().enumerate().map(inside).collect::<Result<_, Error>>()?;
        Ok(Spectra { name: experiment.name.clone(), seeds })
    }
}

fn spectra_of<F: Scalar>(
    experiment: &Experiment,
    seed: usize,
    network: &Network<F>,
    x: ArrayView2<F>,
) -> Result<NetworkSpectra, Error> {
    let stations = experiment.stations();
    let mut tape = Tape::new(network, x)?;
    let (mut values, mut spreads) = (Vec::new(), Vec::new());
    if network.min_batch_size() == 1 && !stations.is_empty() {
        let jacobians = station_jacobians(&tape, &stations)?;
        let predicted = predicted_spreads(&tape, &stations);
        let measured = jacobians.iter().map(matrix_spread);
        spreads = compared(measured, predicted);
        if seed == 0 {
            values = singular_values(&jacobians[0]);
        }
    }
    let by_layer = gradient_correlation_on(&mut tape, seed as u64);
    let correlations =
        compared(stations.iter().map(|&row| by_layer[row]), predicted_correlations(&tape, &stations));

    let skips: Vec<usize> = (0..tape.steps.len())
        .filter(|&i| tape.steps[i].nesting == 0 && tape.steps[i].body.is_some())
        .collect();
    let mut path_shares = Vec::new();
    if !skips.is_empty() {
        let dy = normal_batch(x.nrows(), network.outputs(), 1_000 + seed as u64);
        let spectrum = path_spectrum_on(&mut tape, dy.view());
        let energy = |&row: &usize| Some(experiment.predicted[seed].layers[row].energy? - 1.0);
        let branches: Option<Vec<f64>> = skips.iter().map(energy).collect();
        let energies = spectrum.lengths.iter().map(|length| length * length).collect();
        path_shares = compared(shares(energies), branches.map(|c| shares(path_energies(&c))));
    }
    Ok(NetworkSpectra { singular_values: values, spreads, correlations, path_shares })
}

fn compared(measured: impl IntoIterator<Item = f64>, predicted: Option<Vec<f64>>) -> Vec<Comparison> {
    let at = |i| predicted.as_ref().map(|predicted: &Vec<f64>| predicted[i]);
    measured.into_iter().enumerate().map(|(i, measured)| Comparison { measured, predicted: at(i) }).collect()
}

fn shares(energies: Vec<f64>) -> Vec<f64> {
    let total: f64 = energies.iter().sum();
    energies.iter().map(|energy| energy / total).collect()
}

/// The Jacobians of the last station's output in each station's, at the first row of the batch.
fn station_jacobians<F: Scalar>(tape: &Tape<F>, stations: &[usize]) -> Result<Vec<Array2<F>>, Error> {
    let top = stations[stations.len() - 1];
    let row = tape.input.row(0);
    let width = tape.steps[top].y.ncols();
    // row i of the batch is the same input, with unit i as its output
    let rows = row.broadcast((width, row.len())).expect("one row, repeated");
    let mut tape = Tape::new(tape.network, rows)?;
    let mut jacobians = vec![Array2::zeros((0, 0)); stations.len()];
    tape.backward_between(0, top + 1, Array2::eye(width), &mut |i, _, passing| {
        if let Ok(station) = stations.binary_search(&i) {
            jacobians[station] = passing.dy.matrix.clone();
        }
    });
    Ok(jacobians)
}

/// In a plain stack, the spreads of the weight matrices and the `E φ'⁴ / (E φ'²)² − 1` of the
/// activations add up.
fn predicted_spreads<F: Scalar>(tape: &Tape<F>, stations: &[usize]) -> Option<Vec<f64>> {
    let (first, top) = (stations[0], stations[stations.len() - 1]);
    let mut sum = 0.0;
    let mut spreads = Vec::new();
    for (i, step) in tape.steps.iter().enumerate().take(top + 1).skip(first).rev() {
        if stations.contains(&i) {
            spreads.push(sum);
        }
        let square = step.x.ncols() == step.y.ncols() || i == first;
        sum += match step.kind {
            Kind::Linear if square => {
                let weight = step.tensor("weight", tape.network.params())?.to_vec();
                let weight = Array2::from_shape_vec((step.x.ncols(), step.y.ncols()), weight);
                matrix_spread(&weight.expect("(inputs, outputs)"))
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

/// The product of the blocks' correlations above each station, averaged over pairs of rows.
fn predicted_correlations<F: Scalar>(tape: &Tape<F>, stations: &[usize]) -> Option<Vec<f64>> {
    let first = *stations.first()?;
    let mut branches = Vec::new();
    let mut i = first + 1;
    while i < tape.steps.len() {
        let (branch, next) = relu_block(tape, i)?;
        branches.push(branch);
        i = next;
    }
    // the last station is the output, or one block below it
    let output_is_station = branches.len() + 1 == stations.len();
    if !output_is_station && branches.len() != stations.len() {
        return None;
    }
    let mut sums = vec![0.0; stations.len()];
    let cosines = cosines(tape.steps[first].y.view());
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
        if output_is_station {
            sums[factors.len()] += 1.0;
        }
        let mut product = 1.0;
        for (sum, factor) in sums.iter_mut().zip(&factors).rev() {
            product *= factor;
            *sum += product;
        }
    }
    Some(sums.iter().map(|sum| sum / cosines.len() as f64).collect())
}

/// A ReLU and a linear layer without bias at step `i`: the energy of the branch if they are the
/// body of a skip connection, and the step after the block.
fn relu_block<F: Scalar>(tape: &Tape<F>, i: usize) -> Option<(Option<f64>, usize)> {
    let [relu, linear] = tape.steps.get(i..i + 2)? else { return None };
    let params = tape.network.params();
    let no_bias = linear.tensor("bias", params).is_none_or(|bias| bias.iter().all(F::is_zero));
    if LayerSpec::of(relu.layer) != Some(LayerSpec::ReLU) || linear.kind != Kind::Linear || !no_bias {
        return None;
    }
    if linear.nesting == 0 {
        return Some((None, i + 2));
    }
    match tape.steps.get(i + 2)? {
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
