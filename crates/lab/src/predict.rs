//! What the theory of wide random networks says about one given network.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::batch::{Gradient, Pullback, Vector, normalised};
use super::flow::{Energy, Factor, Gain, Signal, in_all_networks, mean_of};
use super::moments::{Moments, Precision, evaluate_at, moments_of_all, products};
use super::trace::{Step, Trace};
use geartrain::{Error, Kind, Network, Scalar};

/// The theory's numbers for one network, layer by layer, in the same rows as its [`Measurement`](super::Measurement).
///
/// The theory takes from the network the order of its layers, the mean square of each weight and bias, and nothing else;
/// from the batch the mean squares and overlaps of its rows. Signals go up by the q map, row by row, each layer with its
/// own q. Gradients come down by `E φ'²` for an activation, by N·Var W for a linear layer, by 1/variance for
/// normalisation, and a skip connection adds the energies of its two paths.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// One row per layer.
    pub layers: Vec<LayerPrediction>,
    /// What this network has that the theory does not cover. Numbers that depend on it are `None`, or as the limit says.
    pub limits: Vec<Limit>,
}

/// Something that the theory does not cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What it is, and what that means for the prediction.
    pub what: String,
    /// The layers that it is about: their paths and names.
    pub layers: Vec<String>,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.layers[..] {
            [first, .., last] if self.layers.len() > 2 => {
                write!(f, "{first} to {last} ({} layers)", self.layers.len())?
            }
            layers => write!(f, "{}", layers.join(", "))?,
        }
        write!(f, ": {}", self.what)
    }
}

/// What the theory says about one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerPrediction {
    /// `q`, the mean square of the layer's output.
    pub q: Option<f64>,
    /// What the layer multiplies the squared length of the gradient by on its way from its output to its input.
    pub energy: Option<f64>,
    /// `|δ|` at the layer's output: that of a typical network of this width, e to the mean of `ln |δ|`. It falls behind the
    /// infinitely wide network as the logarithm of a product of many random factors falls behind that of its mean.
    pub gradient: Option<f64>,
    /// One standard deviation of `ln |δ|` between random networks of this width.
    pub deviation: f64,
}

impl Prediction {
    /// The [decades](super::Measurement::decades) between two of its layers, the first and the last of `stations`; `None`
    /// if the theory does not reach so far.
    pub fn decades(&self, stations: &[usize]) -> Option<f64> {
        let (&[first, ..], &[.., last]) = (stations, stations) else { return None };
        let decades = (self.layers[first].gradient? / self.layers[last].gradient?).log10();
        // 0 of 0
        (!decades.is_nan()).then_some(decades)
    }
}

/// Predicts for `network` on the batch `x` what [`measure_with_cotangent`](super::measure_with_cotangent) measures with the gradient `dy`,
/// `(rows, outputs)`, at the output.
///
/// # Errors
/// As [`Network::predict`]; [`Error::Shape`] if `dy` has another shape than the output.
pub fn predict<F: Scalar>(
    network: &Network<F>,
    x: ArrayView2<F>,
    dy: ArrayView2<F>,
) -> Result<Prediction, Error> {
    let trace = Trace::new(network, x)?;
    geartrain::error::same_shape("dy", trace.output.shape(), dy.shape())?;
    let steps = &trace.steps;
    let mut theory = Theory {
        steps,
        params: network.params(),
        factors: vec![None; steps.len()],
        layers: vec![LayerPrediction { q: None, energy: None, gradient: None, deviation: 0.0 }; steps.len()],
        limits: Vec::new(),
    };
    let (mut signal, mut energy) = (Signal::of(x), Energy::of(dy));
    if steps.iter().any(|step| matches!(step.kind, Kind::BatchNorm { .. })) {
        signal.batch = Some(Vector::Points(x.mapv(F::as_f64)));
        energy.batch = Some(Gradient::of(&dy.mapv(F::as_f64)));
    }
    theory.up(0, steps.len(), Some(signal));
    theory.limits_of_batch_norm();
    theory.down(0, steps.len(), Some(energy));
    Ok(Prediction { layers: theory.layers, limits: theory.limits })
}

/// 1/σ² of normal rows is an inverse χ² with one degree of freedom fewer than rows, whose variance is finite above 4.
const FEWEST_ROWS: usize = 6;

/// The largest sum of 1/width over layers of BatchNorm of which no more than a tenth of a decade comes: measured with tanh at
/// widths 64 to 512.
const MOST_LAYERS_BY_WIDTH: f64 = 1.0 / 3.0;

struct Theory<'t, 'n, F> {
    steps: &'t [Step<'n, F>],
    params: &'t [F],
    factors: Vec<Option<Factor>>,
    layers: Vec<LayerPrediction>,
    limits: Vec<Limit>,
}

impl<F: Scalar> Theory<'_, '_, F> {
    /// The signal from step `begin` to `end`.
    fn up(&mut self, begin: usize, end: usize, mut signal: Option<Signal>) -> Option<Signal> {
        let mut i = begin;
        while i < end {
            // a skip connection comes after its body: look for one that begins here
            let skip = (i..end).rev().find(|&s| self.steps[s].body == Some(i));
            if let Some(s) = skip {
                let branch = self.up(i, s, signal.clone());
                signal = self.add(s, signal, branch);
                i = s;
            } else {
                signal = self.pass(i, signal);
            }
            self.layers[i].q = signal.as_ref().map(Signal::mean_square);
            i += 1;
        }
        signal
    }

    fn pass(&mut self, i: usize, signal: Option<Signal>) -> Option<Signal> {
        let step = &self.steps[i];
        match step.kind {
            Kind::Linear => {
                let weights = WeightStatistics::of(step, self.params);
                let inputs = step.x.ncols() as f64;
                let gain = inputs * weights.square;
                let below = signal.as_ref().map(|signal| signal.rows.clone());
                let signal = signal.map(|signal| weights.apply(signal, inputs));
                let mut rows = in_all_networks(&vec![Gain::even(gain); step.x.nrows()]);
                if let Some((below, signal)) = below.zip(signal.as_ref()) {
                    for ((line, row), gains) in rows.indexed_iter_mut() {
                        // along h the gradient is what it is along z, as far as z comes from h and not from the bias
                        let share =
                            (gain * below[[line, row]].0 / signal.rows[[line, row]].0).clamp(0.0, 1.0);
                        gains.excess = if share.is_nan() { gain } else { gain * share };
                        gains.energy_of_excess = gains.excess * one_by(inputs, line);
                    }
                }
                // |Wᵀv|² is a sum of `inputs` squares of normal numbers
                self.factors[i] = Some(Factor {
                    rows,
                    correlation: 1.0,
                    one: 2.0 / inputs,
                    two: (0.0, 2.0 / inputs),
                    batch: Some(Pullback::Gain(gain)),
                });
                signal
            }
            Kind::Elementwise => {
                let signal = signal?;
                if !signal.normal {
                    self.limit(i, "reads values that are not normally distributed, so what it does to them is not predicted");
                    return None;
                }
                if signal.mean().powi(2) > 0.25 * signal.mean_square() {
                    self.limit(i, "reads values that have a common mean, for instance from biases that are alike; the theory is for mean 0");
                    return None;
                }
                let q = signal.mean_square();
                // what is printed comes from the first line; the others have noise that is far larger
                let (wide, finite) = signal.rows.view().split_at(Axis(0), 1);
                let of = |rows: ArrayView2<(f64, f64)>, precision| {
                    let all: Vec<f64> = rows.iter().map(|row| row.0).chain([q]).collect();
                    moments_of_all(step.layer, &all, precision)
                };
                let mut all = of(wide, Precision::Fine);
                let typical = all.pop().expect("as many as there are q");
                all.extend(of(finite, Precision::Rough));
                all.pop();
                let all = Array2::from_shape_vec(signal.rows.dim(), all).expect("as many as there are rows");
                let c = if q > 0.0 { (signal.overlap / q).clamp(-1.0, 1.0) } else { 1.0 };
                let pair = products(step.layer, q, c);
                // Σ φ'² δ² over units, whose δ are normal: E δ_r² δ_s² = 1 + 2ρ²
                let units = step.y.ncols() as f64;
                let shared = (pair.slope_squares / typical.slope_square.powi(2) - 1.0) / units;
                let mut gains = in_all_networks(&vec![Gain::even(0.0); step.x.nrows()]);
                for ((line, row), gain) in gains.indexed_iter_mut() {
                    *gain = all[[line, row]].gain(signal.rows[[line, row]].0, one_by(units, line));
                }
                let points = signal.batch.map(|batch| evaluate_at(step.layer, &batch.points(i as u64)));
                let (values, slopes) = points.unzip();
                self.factors[i] = Some(Factor {
                    rows: gains,
                    correlation: pair.slopes / typical.slope_square,
                    one: 3.0 * (typical.slope_kurtosis() - 1.0) / units,
                    two: (shared, 2.0 * shared),
                    batch: slopes.map(Pullback::Slopes),
                });
                let rows = all.mapv(|m| (m.square, m.mean));
                let signal = Signal { rows, overlap: pair.values, normal: false, batch: None };
                if let Some(values) = values {
                    return Some(signal.with(Some(Vector::Points(values))));
                }
                // a mean of φ² over so many units scatters
                let relative = |fourth: f64, square: f64| (fourth / (square * square) - 1.0).max(0.0);
                let scatter =
                    |m: &Moments| if m.square > 0.0 { relative(m.fourth, m.square) / units } else { 0.0 };
                let correlation =
                    relative(pair.value_squares, typical.square) / relative(typical.fourth, typical.square);
                let correlation = if correlation.is_finite() { correlation.min(1.0) } else { 0.0 };
                Some(signal.scattered(&all.map(scatter), correlation, i as u64))
            }
            Kind::LayerNorm { eps } => {
                let signal = signal?;
                let ones = |name| step.tensor(name, self.params).map(|t| (mean(t, 1), mean(t, 2)));
                let (_, gamma) = ones("weight").unwrap_or((1.0, 1.0));
                let (beta, beta_square) = ones("bias").unwrap_or((0.0, 0.0));
                let gains = signal.rows.mapv(|(q, mean)| gamma / (eps + q - mean * mean));
                let scales: Array1<f64> = gains.row(0).mapv(f64::sqrt);
                let batch = signal.batch.as_ref().map(|batch| {
                    let means = batch.means().insert_axis(Axis(1));
                    let squares = batch.squares() - means.dot(&means.t());
                    Vector::Normal(squares * &scales * scales.view().insert_axis(Axis(1)) + beta_square)
                });
                let mean = signal.mean();
                let correlation = (signal.overlap - mean * mean) / (signal.mean_square() - mean * mean);
                let overlap = beta_square + gamma * correlation;
                let signal = Signal {
                    rows: in_all_networks(&vec![(gamma + beta_square, beta); step.x.nrows()]),
                    overlap,
                    normal: signal.normal,
                    batch: None,
                };
                self.factors[i] = Some(Factor {
                    // nothing passes along the signal, whose length is lost
                    rows: gains.mapv(|gain| Gain { excess_of_energy: -gain, ..Gain::even(gain) }),
                    correlation: 1.0,
                    one: 0.0,
                    two: (0.0, 0.0),
                    batch: Some(Pullback::Rows(scales)),
                });
                Some(signal.with(batch))
            }
            Kind::BatchNorm { eps } => {
                let signal = signal?;
                let (mut points, mut scales) = normalised(signal.batch.clone()?.points(i as u64), eps);
                let normal = points.clone();
                // the points have their γ and β from the layer's features in turn
                let features = step.x.ncols();
                for (name, is_gamma) in [("weight", true), ("bias", false)] {
                    let Some(values) = step.tensor(name, self.params) else { continue };
                    for (j, mut point) in points.columns_mut().into_iter().enumerate() {
                        let value = values[j % features].as_f64();
                        if is_gamma {
                            point *= value;
                            scales[j] *= value;
                        } else {
                            point += value;
                        }
                    }
                }
                self.factors[i] = Some(Factor {
                    rows: in_all_networks(&vec![Gain::even(1.0); step.x.nrows()]),
                    correlation: 1.0,
                    one: 0.0,
                    two: (0.0, 0.0),
                    batch: Some(Pullback::Normalise(normal, scales)),
                });
                Some(signal.with(Some(Vector::Points(points))))
            }
            _ => {
                self.limit(i, "nothing is known about this layer");
                None
            }
        }
    }

    /// Where the batch's rows are too few for BatchNorm's means, or its layers too many for their width.
    fn limits_of_batch_norm(&mut self) {
        let all: Vec<usize> =
            (0..self.steps.len()).filter(|&i| matches!(self.steps[i].kind, Kind::BatchNorm { .. })).collect();
        let narrow: f64 = all.iter().map(|&i| 1.0 / self.steps[i].x.ncols() as f64).sum();
        for i in all {
            if self.steps[i].x.nrows() < FEWEST_ROWS {
                self.limit(i, "over so few rows 1/σ² has no variance, so that a few features decide over the gradient of a layer; \
                     the prediction is the mean over many more");
            }
            if narrow > MOST_LAYERS_BY_WIDTH {
                self.limit(i, "prediction is for wide layers, and these are many for their width: the rows' covariance strays, and \
                     gradients depend on the weights they meet; saturating activations such as tanh make about 0.3 decades more by \
                     layers / width of it");
            }
        }
    }

    fn limit(&mut self, i: usize, what: &str) {
        let layer = format!("{} {}", self.steps[i].path, self.steps[i].layer.describe().name);
        match self.limits.iter_mut().find(|limit| limit.what == what) {
            Some(limit) => limit.layers.push(layer),
            None => self.limits.push(Limit { what: what.into(), layers: vec![layer] }),
        }
    }

    /// The signal behind a skip connection.
    fn add(&mut self, i: usize, x: Option<Signal>, branch: Option<Signal>) -> Option<Signal> {
        let step = &self.steps[i];
        let Kind::Residual { scale } = step.kind else { unreachable!("only skip connections have a body") };
        let (x, branch) = (x?, branch?);
        if !branch.normal {
            self.limit(i, "the branch does not end in a linear layer, so the two paths of the gradient are not independent; \
                 the prediction adds them as if they were, which is too little");
        }
        // E (x + s b)² = E x² + s² E b² + 2 s E x E b: fresh weights make x and b independent but for their means
        let mut rows = x.rows.clone();
        rows.zip_mut_with(&branch.rows, |x, &(bq, bm)| {
            let (q, m) = *x;
            *x = (q + scale * scale * bq + 2.0 * scale * m * bm, m + scale * bm);
        });
        let overlap = x.overlap + scale * scale * branch.overlap + 2.0 * scale * x.mean() * branch.mean();
        let batch = x.batch.as_ref().zip(branch.batch.as_ref()).map(|(x, branch)| {
            let means = x.means().insert_axis(Axis(1)).dot(&branch.means().insert_axis(Axis(0)));
            Vector::Normal(x.squares() + scale * scale * branch.squares() + scale * (&means + &means.t()))
        });
        let normal = x.normal && branch.normal;
        Some(Signal { rows, overlap, normal, batch: None }.with(batch))
    }

    /// The gradient from step `end` down to `begin`.
    fn down(&mut self, begin: usize, mut end: usize, mut energy: Option<Energy>) -> Option<Energy> {
        while end > begin {
            let i = end - 1;
            let above = energy.as_ref().map(Energy::log_total);
            if let Some(energy) = &energy {
                let (mean, variance) = energy.logarithm();
                self.layers[i].gradient = Some((mean / 2.0).exp());
                self.layers[i].deviation = variance.sqrt() / 2.0;
            }
            if let (Kind::Residual { scale }, Some(body)) = (self.steps[i].kind, self.steps[i].body) {
                // what is along the sum is along neither of its parts
                energy = energy.map(Energy::without_excess);
                let branch = self.down(body, i, energy.clone().map(|energy| energy.scaled(scale * scale)));
                let width = self.steps[i].x.ncols() as f64;
                energy = energy.zip(branch).map(|(x, branch)| x.plus(branch, width));
                end = body;
            } else {
                energy = energy.zip(self.factors[i].as_ref()).map(|(energy, factor)| energy.times(factor));
                end = i;
            }
            let below = energy.as_ref().map(Energy::log_total);
            self.layers[i].energy = below.zip(above).map(|(below, above)| (below - above).exp());
        }
        energy
    }
}

/// Mean squares of a linear layer's weights.
struct WeightStatistics {
    /// Of all entries.
    square: f64,
    /// Over units i: means of b², of b·s and of s², and of b and s, with s_i = Σ_j W_ij.
    bias_square: f64,
    bias_sum: f64,
    sum_square: f64,
    bias: f64,
    sum: f64,
}

impl WeightStatistics {
    fn of<F: Scalar>(step: &Step<F>, params: &[F]) -> Self {
        let weight = step.tensor("weight", params).unwrap_or_default();
        let outputs = step.y.ncols();
        // column-major: entry (i, j) of `outputs × inputs` is number i + j · outputs
        let mut sums = vec![0.0; outputs];
        for column in weight.chunks_exact(outputs.max(1)) {
            sums.iter_mut().zip(column).for_each(|(sum, w)| *sum += w.as_f64());
        }
        let bias = step.tensor("bias", params).unwrap_or_default();
        let n = outputs.max(1) as f64;
        let products = bias.iter().zip(&sums).map(|(b, s)| b.as_f64() * s).sum::<f64>() / n;
        WeightStatistics {
            square: mean(weight, 2),
            bias_square: mean(bias, 2),
            bias_sum: products,
            sum_square: sums.iter().map(|s| s * s).sum::<f64>() / n,
            bias: mean(bias, 1),
            sum: sums.iter().sum::<f64>() / n,
        }
    }

    /// `z = W h + b`. What all entries of h have in common, their mean m, acts like a bias: z = W (h − m) + (b + m s).
    fn apply(&self, signal: Signal, inputs: f64) -> Signal {
        let gain = inputs * self.square;
        let shared = |m: f64| self.bias_square + 2.0 * m * self.bias_sum + m * m * self.sum_square;
        let row = |&(q, m): &(f64, f64)| (gain * (q - m * m) + shared(m), self.bias + m * self.sum);
        let m = signal.mean();
        let overlap = gain * (signal.overlap - m * m) + shared(m);
        let batch = signal.batch.as_ref().map(|batch| Vector::Normal(self.covariance(batch, gain)));
        Signal { rows: signal.rows.map(row), overlap, normal: true, batch }
    }

    /// The same for every pair of rows.
    fn covariance(&self, h: &Vector, gain: f64) -> Array2<f64> {
        let m = h.means().insert_axis(Axis(1));
        let (product, sum) = (m.dot(&m.t()), &m + &m.t());
        gain * (h.squares() - &product) + self.bias_square + self.bias_sum * sum + self.sum_square * product
    }
}

/// 1 / width, and 0 for the infinitely wide network in the first line of [`Signal::rows`].
fn one_by(width: f64, line: usize) -> f64 {
    if line == 0 { 0.0 } else { 1.0 / width }
}

/// The mean of `values` to a power; 0 for none.
fn mean<F: Scalar>(values: &[F], power: i32) -> f64 {
    mean_of(values.iter(), power)
}
