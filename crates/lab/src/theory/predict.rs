//! The theory's prediction for a given network.

use ndarray::{Array1, Array2, ArrayRef2, ArrayView2, Axis};

use super::batch_norm::{Gradient, Pullback, Vector, normalised};
use super::flow::{Energy, Factor, Gain, Pair, Signal, in_all_networks};
use super::moments::{Moments, Precision, moments_of_all, products};
use super::overlap::{ByAngle, Fluctuation, Response};
use super::weights::WeightStatistics;
use crate::activation::evaluate_at;
use crate::numbers::{mean_power, normal_batch};
use crate::tape::{Step, Tape};
use geartrain::error::same_shape;
use geartrain::layer::Kind;
use geartrain::{Error, Network, Scalar};

/// The theory's numbers for one network, with the same rows as its
/// [`Measurement`](crate::Measurement).
///
/// The theory's inputs are the order of the layers, the mean square of each weight and bias, and
/// the mean squares and overlaps of the batch's rows. Signals follow the q map, row by row, with
/// each layer's own q. An activation multiplies the squared norm of the gradient by `E φ'²`, a
/// linear layer with N inputs by N·Var W, whatever its number of outputs, and a normalisation by
/// 1/variance. A skip connection adds the energies of its two paths.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// One row per layer.
    pub layers: Vec<LayerPrediction>,
    /// Properties of this network that the theory does not cover. Numbers that depend on them are
    /// `None`, or as the limit says.
    pub limits: Vec<Limit>,
}

/// A property of a network that the theory does not cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The property, and its effect on the prediction.
    pub what: String,
    /// The paths and names of the layers concerned.
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

/// The theory's numbers for one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LayerPrediction {
    /// `q`, the mean square of the layer's output.
    pub q: Option<f64>,
    /// The factor of the layer on the squared norm of the gradient.
    pub energy: Option<f64>,
    /// `|δ|` at the layer's output in a typical network of this width: e to the mean of `ln |δ|`.
    /// It is smaller than in the infinitely wide network, because the mean of the logarithm of a
    /// random product is below the logarithm of its mean.
    pub gradient: Option<f64>,
    /// The standard deviation of `ln |δ|` over random networks of this width.
    pub deviation: f64,
}

impl Prediction {
    /// `|δ|` of the layer `row`, relative to the layer `top`.
    pub fn relative_gradient(&self, row: usize, top: usize) -> Option<f64> {
        Some(self.layers[row].gradient? / self.layers[top].gradient?)
    }

    /// The standard deviation of `log₁₀` of the [relative
    /// gradient](Prediction::relative_gradient) over random networks of this width.
    pub fn relative_deviation(&self, row: usize, top: usize) -> f64 {
        let [row, top] = [row, top].map(|i| self.layers[i].deviation.powi(2));
        (row - top).max(0.0).sqrt() / 10_f64.ln()
    }

    /// The predicted [decades](crate::Measurement::decades) between the first and the last of
    /// `stations`; `None` if the theory does not cover all layers above the first.
    pub fn decades(&self, stations: &[usize]) -> Option<f64> {
        let (&[first, ..], &[.., last]) = (stations, stations) else { return None };
        let decades = self.relative_gradient(first, last)?.log10();
        // 0 of 0
        (!decades.is_nan()).then_some(decades)
    }
}

/// Predicts, for `network` on the batch `x`, `(rows, inputs)`, and the cotangent `dy`,
/// `(rows, outputs)`, the result of [`measure_with_cotangent`](crate::measure_with_cotangent).
///
/// # Errors
/// As [`Network::predict`]; [`Error::Shape`] if `dy` has another shape than the output.
pub fn predict<F: Scalar>(
    network: &Network<F>,
    x: &ArrayRef2<F>,
    dy: &ArrayRef2<F>,
) -> Result<Prediction, Error> {
    let tape = Tape::new(network, x.view())?;
    same_shape("dy", tape.output.shape(), dy.shape())?;
    Ok(predict_on(&tape, dy.view()))
}

/// The same on a recorded pass; `dy` must have the shape of its output.
pub(crate) fn predict_on<F: Scalar>(tape: &Tape<F>, dy: ArrayView2<F>) -> Prediction {
    let (steps, x) = (&tape.steps, tape.input.view());
    let mut theory = Theory {
        steps,
        params: tape.network.params(),
        factors: vec![None; steps.len()],
        layers: vec![LayerPrediction { q: None, energy: None, gradient: None, deviation: 0.0 }; steps.len()],
        limits: Vec::new(),
    };
    let width = steps.iter().map(|step| step.y.ncols()).max().unwrap_or(1);
    let mut signal = Signal::of(x, width);
    let mut energy = Energy::of(dy, signal.pairs.len());
    if steps.iter().any(|step| matches!(step.kind, Kind::BatchNorm { .. })) {
        signal.batch = Some(Vector::Points(x.mapv(F::as_f64)));
        energy.batch = Some(Gradient::of(&dy.mapv(F::as_f64)));
    }
    theory.up(0, steps.len(), Some(signal));
    theory.limits_of_batch_norm();
    theory.limits_of_narrow_networks();
    theory.down(0, steps.len(), Some(energy));
    Prediction { layers: theory.layers, limits: theory.limits }
}

/// For normal rows, 1/σ² is an inverse χ² with `rows − 1` degrees of freedom, whose variance is
/// finite above 4.
const FEWEST_ROWS: usize = 6;

/// The largest sum of 1/width over BatchNorm layers for which finite-width corrections stay below a
/// tenth of a decade, measured with tanh at widths 64 to 512.
const LARGEST_SUM_OF_INVERSE_WIDTHS: f64 = 1.0 / 3.0;

/// The sum of 1/width over layers above which predictions are approximate.
const MOST_LAYERS_PER_WIDTH: f64 = 0.5;

/// Added to the step's index for the noise of pairs of rows, which is independent of that of `q`.
const PAIRS_SEED: u64 = 1 << 32;

struct Theory<'t, 'n, F> {
    steps: &'t [Step<'n, F>],
    params: &'t [F],
    factors: Vec<Option<Factor>>,
    layers: Vec<LayerPrediction>,
    limits: Vec<Limit>,
}

impl<F: Scalar> Theory<'_, '_, F> {
    /// The signal after step `end − 1`, for `signal` at the input of step `begin`.
    fn up(&mut self, begin: usize, end: usize, mut signal: Option<Signal>) -> Option<Signal> {
        let mut i = begin;
        while i < end {
            // a skip connection is listed after its body: find the outermost one that begins here
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

    /// The signal after step `i`. Records the step's factor on gradients.
    fn pass(&mut self, i: usize, signal: Option<Signal>) -> Option<Signal> {
        let step = &self.steps[i];
        match step.kind {
            Kind::Linear => {
                let weights = WeightStatistics::of(step, self.params);
                let inputs = step.x.ncols() as f64;
                let gain = inputs * weights.square;
                let below = signal.as_ref().map(|signal| (signal.rows.clone(), signal.mean_square()));
                let signal = signal.map(|signal| weights.apply(signal, inputs));
                let mut rows = in_all_networks(&vec![Gain::even(gain); step.x.nrows()]);
                let mut of_weights = 1.0;
                if let Some(((below, square), signal)) = below.zip(signal.as_ref()) {
                    of_weights = (gain * square / signal.mean_square()).clamp(0.0, 1.0);
                    for ((line, row), gains) in rows.indexed_iter_mut() {
                        // the excess along z belongs to h in the proportion in which z comes from h
                        // and not from the bias
                        let share =
                            (gain * below[[line, row]].0 / signal.rows[[line, row]].0).clamp(0.0, 1.0);
                        gains.excess = if share.is_nan() { gain } else { gain * share };
                        gains.energy_of_excess = gains.excess * one_by(inputs, line);
                    }
                }
                let share = if of_weights.is_nan() { 1.0 } else { of_weights };
                let fluctuation = Fluctuation::Linear { inputs, share };
                self.factors[i] = Some(Factor { rows, fluctuation, batch: Some(Pullback::Gain(gain)) });
                signal
            }
            Kind::Elementwise => {
                let signal = signal?;
                if !signal.normal {
                    self.limit(i, "its input is not normally distributed, so its effect is not predicted");
                    return None;
                }
                if signal.mean().powi(2) > largest_mean(step.x.ncols()) * signal.mean_square() {
                    self.limit(i, "its inputs have a common mean, for instance from equal biases; the theory requires mean 0");
                    return None;
                }
                let q = signal.mean_square();
                // results come from the infinitely wide network; the noise of the others exceeds
                // the rough precision
                let (wide, finite) = signal.rows.view().split_at(Axis(0), 1);
                let of = |rows: ArrayView2<(f64, f64)>, precision| {
                    let all: Vec<f64> = rows.iter().map(|row| row.0).chain([q]).collect();
                    moments_of_all(step.layer, &all, precision)
                };
                let mut all = of(wide, Precision::Fine);
                let typical = all.pop().expect("one result per q");
                all.extend(of(finite, Precision::Rough));
                all.pop();
                let all = Array2::from_shape_vec(signal.rows.dim(), all).expect("one result per row");
                let c = if q > 0.0 { (signal.overlap / q).clamp(-1.0, 1.0) } else { 1.0 };
                let pair = products(step.layer, q, c);
                let units = step.y.ncols() as f64;
                let chi = typical.slope_square;
                let mut all_pairs = vec![(c, [pair.slopes, pair.slope_squares, pair.value_squares])];
                if !signal.pairs.is_empty() {
                    let by_angle = ByAngle::new(|c| products(step.layer, q, c));
                    let correlations = signal.pairs.iter().map(Pair::correlation);
                    all_pairs = correlations.map(|c| (c, by_angle.at(c))).collect();
                }
                let count = all_pairs.len() as f64;
                let pairs =
                    all_pairs.iter().map(|(_, [slopes, squares, _])| (slopes / chi, squares / (chi * chi)));
                let pairs = pairs.collect();
                let value_squares = all_pairs.iter().map(|(_, [.., values])| values).sum::<f64>() / count;
                // the mean of φ² over finitely many units fluctuates
                let relative = |fourth: f64, square: f64| (fourth / (square * square) - 1.0).max(0.0);
                let correlation =
                    relative(value_squares, typical.square) / relative(typical.fourth, typical.square);
                let correlation = if correlation.is_finite() { correlation.min(1.0) } else { 0.0 };
                let finite = |ratio: f64| if ratio.is_finite() { ratio } else { 1.0 };
                let Moments { square, growth, both_square, stretch_square, .. } = typical;
                let response = Response {
                    growth: finite(growth * q / square),
                    slope: finite((stretch_square / chi - 1.0) / 2.0),
                    both: finite(both_square / (square * chi)),
                    stretch: finite(stretch_square / chi),
                    along: finite(growth * growth * q / (square * chi)),
                    likeness: all_pairs.iter().map(|(c, _)| c * c).sum::<f64>() / count,
                    noise: finite(relative(typical.fourth, typical.square)) / units,
                    correlation,
                };
                let mut gains = in_all_networks(&vec![Gain::even(0.0); step.x.nrows()]);
                for ((line, row), gain) in gains.indexed_iter_mut() {
                    *gain = Gain::of(&all[[line, row]], signal.rows[[line, row]].0, one_by(units, line));
                }
                let points = signal.batch.map(|batch| evaluate_at(step.layer, &batch.points(i as u64)));
                let (values, slopes) = points.unzip();
                self.factors[i] = Some(Factor {
                    rows: gains,
                    fluctuation: Fluctuation::Activation {
                        units,
                        kurtosis: typical.slope_kurtosis(),
                        pairs,
                        response,
                    },
                    batch: slopes.map(Pullback::Slopes),
                });
                let rows = all.mapv(|m| (m.square, m.mean));
                let noise = normal_batch(2 * signal.pairs.len(), step.y.ncols(), PAIRS_SEED + i as u64);
                let pairs = Pair::activated(&signal.pairs, &noise, |z| evaluate_at(step.layer, z).0);
                let signal = Signal { rows, overlap: pair.values, pairs, normal: false, batch: None };
                if let Some(values) = values {
                    return Some(signal.with(Some(Vector::Points(values))));
                }
                let scatter =
                    |m: &Moments| if m.square > 0.0 { relative(m.fourth, m.square) / units } else { 0.0 };
                Some(signal.scattered(&all.map(scatter), correlation, i as u64))
            }
            Kind::LayerNorm { eps } | Kind::RMSNorm { eps } => {
                let signal = signal?;
                // RMSNorm divides by the root mean square and keeps the mean
                let centred = f64::from(u8::from(matches!(step.kind, Kind::LayerNorm { .. })));
                let ones = |name| {
                    step.tensor(name, self.params).map(|t| (mean_power(t.iter(), 1), mean_power(t.iter(), 2)))
                };
                let (gamma_mean, gamma) = ones("weight").unwrap_or((1.0, 1.0));
                let kept = (1.0 - centred) * gamma_mean;
                let (beta, beta_square) = ones("bias").unwrap_or((0.0, 0.0));
                let variance = |q: f64, mean: f64| eps + q - centred * mean * mean;
                let gains = signal.rows.mapv(|(q, mean)| gamma / variance(q, mean));
                let scales: Array1<f64> = gains.row(0).mapv(f64::sqrt);
                let batch = signal.batch.as_ref().map(|batch| {
                    let means = batch.means().insert_axis(Axis(1));
                    let squares = batch.squares() - centred * means.dot(&means.t());
                    Vector::Normal(squares * &scales * scales.view().insert_axis(Axis(1)) + beta_square)
                });
                let square = centred * signal.mean() * signal.mean();
                let correlation = (signal.overlap - square) / (signal.mean_square() - square);
                let overlap = beta_square + gamma * correlation;
                let pair = |pair: &Pair| {
                    let [a, b] = pair.means;
                    let [of_a, of_b] = [0, 1].map(|i| variance(pair.squares[i], pair.means[i]).sqrt());
                    let product = beta_square + gamma * (pair.product - centred * a * b) / (of_a * of_b);
                    let means = [beta + kept * a / of_a, beta + kept * b / of_b];
                    Pair { squares: [gamma + beta_square; 2], means, product }
                };
                let pairs = signal.pairs.iter().map(pair).collect();
                let signal = Signal {
                    rows: signal.rows.mapv(|(q, mean)| {
                        (gamma + beta_square, beta + kept * mean / variance(q, mean).sqrt())
                    }),
                    overlap,
                    pairs,
                    normal: signal.normal,
                    batch: None,
                };
                self.factors[i] = Some(Factor {
                    // the output does not depend on the signal's norm: no gradient along it
                    rows: gains.mapv(|gain| Gain { excess_of_energy: -gain, ..Gain::even(gain) }),
                    fluctuation: Fluctuation::None,
                    batch: Some(Pullback::Rows(scales)),
                });
                Some(signal.with(batch))
            }
            Kind::BatchNorm { eps } => {
                let signal = signal?;
                let (mut points, mut scales) = normalised(signal.batch.clone()?.points(i as u64), eps);
                let normal = points.clone();
                // point j takes γ and β of feature j, cyclically
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
                    fluctuation: Fluctuation::None,
                    batch: Some(Pullback::Normalise(normal, scales)),
                });
                Some(signal.with(Some(Vector::Points(points))))
            }
            _ => {
                self.limit(i, "unknown to the theory");
                None
            }
        }
    }

    /// Limits of BatchNorm: batches of few rows, and deep narrow networks.
    fn limits_of_batch_norm(&mut self) {
        let all: Vec<usize> =
            (0..self.steps.len()).filter(|&i| matches!(self.steps[i].kind, Kind::BatchNorm { .. })).collect();
        let narrow: f64 = all.iter().map(|&i| 1.0 / self.steps[i].x.ncols() as f64).sum();
        for i in all {
            if self.steps[i].x.nrows() < FEWEST_ROWS {
                self.limit(
                    i,
                    "over so few rows 1/σ² has infinite variance, so that a few features dominate the gradient; \
                     the prediction is a mean over many more features",
                );
            }
            if narrow > LARGEST_SUM_OF_INVERSE_WIDTHS {
                self.limit(
                    i,
                    "too many BatchNorm layers for this width: finite-width corrections are no longer negligible, \
                     with tanh about 0.3 decades times layers / width",
                );
            }
        }
    }

    /// Limits of deep narrow networks with activations: corrections beyond the first order in 1/N.
    fn limits_of_narrow_networks(&mut self) {
        let linear = self.steps.iter().filter(|step| step.nesting == 0 && step.kind == Kind::Linear);
        let narrow: f64 = linear.skip(1).map(|step| 1.0 / step.x.ncols() as f64).sum();
        let batch_norm = self.steps.iter().any(|step| matches!(step.kind, Kind::BatchNorm { .. }));
        if narrow < MOST_LAYERS_PER_WIDTH + 1e-9 || batch_norm {
            return;
        }
        for i in 0..self.steps.len() {
            if self.steps[i].kind == Kind::Elementwise {
                self.limit(
                    i,
                    "more than 0.5 layers per unit of width, so that the prediction is approximate",
                );
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

    /// The signal after a skip connection.
    fn add(&mut self, i: usize, x: Option<Signal>, branch: Option<Signal>) -> Option<Signal> {
        let step = &self.steps[i];
        let Kind::Residual { scale } = step.kind else { unreachable!("only skip connections have a body") };
        let (x, branch) = (x?, branch?);
        if !branch.normal {
            self.limit(
                i,
                "the branch does not end in a linear layer, so the gradients of the two paths are not independent; \
                 the prediction assumes independence and is too small",
            );
        }
        // E (x + s b)² = E x² + s² E b² + 2 s E x E b: with fresh weights, x and b correlate only
        // by their means
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
        let pair = |(x, branch): (&Pair, &Pair)| {
            let sum = |i: usize| {
                let cross = 2.0 * scale * x.means[i] * branch.means[i];
                (
                    x.squares[i] + scale * scale * branch.squares[i] + cross,
                    x.means[i] + scale * branch.means[i],
                )
            };
            let cross = scale * (x.means[0] * branch.means[1] + x.means[1] * branch.means[0]);
            Pair {
                squares: [sum(0).0, sum(1).0],
                means: [sum(0).1, sum(1).1],
                product: x.product + scale * scale * branch.product + cross,
            }
        };
        let pairs = x.pairs.iter().zip(&branch.pairs).map(pair).collect();
        Some(Signal { rows, overlap, pairs, normal, batch: None }.with(batch))
    }

    /// The gradient at the input of step `begin`, for `energy` at the output of step `end − 1`.
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
                // the direction of the sum is that of neither part
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

/// The largest squared mean over `units` units, relative to their mean square, that is compatible
/// with mean 0. In narrow layers it is three standard deviations of a mean over so few units.
fn largest_mean(units: usize) -> f64 {
    (9.0 / units.max(1) as f64).clamp(0.25, 0.9)
}

/// 1/width, and 0 for the infinitely wide network in the first line of [`Signal::rows`].
fn one_by(width: f64, line: usize) -> f64 {
    if line == 0 { 0.0 } else { 1.0 / width }
}
