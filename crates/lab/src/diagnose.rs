//! A diagnosis of a network's gradients, in words.

use std::fmt;

use ndarray::{ArrayRef2, ArrayView2};

use crate::decomposition::Decomposition;
use crate::measure::{LayerMeasurement, Measurement, Units, measure_on};
use crate::remedies::{Remedy, remedies};
use crate::tape::Tape;
use crate::theory::predict::{Limit, Prediction, predict_on};
use geartrain::error::same_shape;
use geartrain::layer::Kind;
use geartrain::{Error, Network, Scalar};

/// The largest change of the gradient, in decades from the last to the first layer, that counts as
/// healthy: a learning rate that suits one of them still moves the other.
const DECADES: f64 = 2.0;

/// Changes between this many decades and [`DECADES`] are called borderline.
const BORDERLINE: f64 = 1.0;

/// The result of [`diagnose`]. It prints as a text.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The problems found; empty for a healthy network. A change of one to two decades is not a
    /// finding, but the text calls it borderline.
    pub findings: Vec<Finding>,
    /// Possible remedies, each measured on a changed network. The most effective ones come first.
    pub remedies: Vec<Remedy>,
    /// The properties of this network that the theory does not cover.
    pub limits: Vec<Limit>,
    /// The measured [ratio](Measurement::ratio) per layer.
    pub ratio: f64,
    /// The measured [decades](Measurement::decades) from the last layer to the first.
    pub decades: f64,
    /// The predicted decades; `None` where the theory does not cover the whole network.
    pub predicted_decades: Option<f64>,
    /// The number of steps between [stations](Measurement::stations), over which `ratio` is a mean.
    pub steps: usize,
    /// The causes of the change, including the widths.
    pub cause: Cause,
}

/// A problem.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// The gradient loses more than two decades from the last layer to the first.
    Vanishing(Cause),
    /// The gradient gains more than two decades from the last layer to the first.
    Exploding(Cause),
    /// More than 70 % of a layer's units pass no gradient of the batch. (50 % are normal in a deep
    /// ReLU layer, whose rows have become alike.)
    DeadUnits {
        /// The path and name of the activation with the most dead units.
        layer: String,
        /// The fraction of its units that are dead.
        fraction: f64,
    },
    /// No gradient reaches the first layer, although no units are dead.
    Lost {
        /// The path and name of the layer below which the gradient is 0.
        layer: String,
        /// Whether all its weights are 0. Otherwise, the gradient underflows.
        zero_weights: bool,
    },
    /// More than half of the slopes of a layer are below a twentieth of the steepest slope.
    Saturated {
        /// The path and name of the activation with the most saturated units.
        layer: String,
        /// The fraction of its slopes below that bound.
        fraction: f64,
    },
    /// The batch is too small for BatchNorm: its statistics are noisy, and gradients grow faster.
    SmallBatch {
        /// The path and name of the first BatchNorm layer.
        layer: String,
        /// Rows in the batch.
        rows: usize,
    },
    /// The sums of the skip connections increase the signal's energy more than a hundredfold.
    GrowingSum {
        /// The number of skip connections on the main path.
        blocks: usize,
        /// The mean growth of the signal's mean square per block.
        growth: f64,
    },
}

/// The causes of the gradient's change: geometric means, over the steps from station to station, of
/// factors on the squared norm of the gradient. Their product is the squared ratio.
///
/// Of a linear layer's factor N·Var W, with N inputs and M outputs, M·Var W belongs to the weights
/// and N/M to the widths; see [`Decomposition`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cause {
    /// `E φ'²` of the activations.
    pub slopes: f64,
    /// `M·Var W` of the linear layers, which is `σw²` for square layers.
    pub weights: f64,
    /// `N/M` of the linear layers.
    pub widths: f64,
    /// Normalisation and skip connections.
    pub others: f64,
    /// Dependence of the gradient on the weights.
    pub alignment: f64,
    /// The number of steps between stations.
    pub steps: usize,
    /// The number of units of the first and of the last station.
    pub units: (usize, usize),
    /// Whether any linear layer is not square.
    uneven: bool,
}

/// Diagnoses `network` on the batch `x`, `(rows, inputs)`, with the gradient `dy`,
/// `(rows, outputs)`, at its output: a random one, or that of a loss.
///
/// Remedies are measured on the same batch, on networks of the same sizes. Where a remedy changes
/// the initialisation, new weights are drawn.
///
/// ```
/// use geartrain::prelude::*;
/// use geartrain_lab as lab;
/// let deep = |net: Sequential<f64>, _| {
///     net.then(Linear::new(32, 32).init(Init::xavier_normal())).then(Sigmoid)
/// };
/// let network = Network::new((0..12).fold(Sequential::new(), deep))?;
/// let (x, dy) = (lab::normal_batch(16, 32, 1), lab::normal_batch(16, 32, 2));
/// let diagnosis = lab::diagnose(&network, &x, &dy)?;
/// assert!(matches!(diagnosis.findings[0], lab::Finding::Vanishing(_)));
/// println!("{diagnosis}");
/// # Ok::<(), geartrain::Error>(())
/// ```
///
/// # Errors
/// As [`measure_with_cotangent`](crate::measure_with_cotangent).
pub fn diagnose<F: Scalar>(
    network: &Network<F>,
    x: &ArrayRef2<F>,
    dy: &ArrayRef2<F>,
) -> Result<Diagnosis, Error> {
    let mut tape = Tape::new(network, x.view())?;
    same_shape("dy", tape.output.shape(), dy.shape())?;
    let dy = dy.view();
    let measured = measure_on(&mut tape, dy);
    let predicted = predict_on(&tape, dy);
    diagnose_on(&tape, dy, &measured, &predicted)
}

/// The same for a recorded pass with its measurement and its prediction.
pub(crate) fn diagnose_on<F: Scalar>(
    tape: &Tape<F>,
    dy: ArrayView2<F>,
    measured: &Measurement,
    predicted: &Prediction,
) -> Result<Diagnosis, Error> {
    let cause = Cause::of(measured);
    let findings = findings(measured, cause, tape.input.nrows());
    let remedies = if findings.is_empty() { Vec::new() } else { remedies(tape, dy, measured)? };
    Ok(Diagnosis {
        findings,
        remedies,
        ratio: measured.ratio(),
        decades: measured.decades(),
        predicted_decades: predicted.decades(&measured.stations()),
        steps: cause.steps,
        limits: predicted.limits.clone(),
        cause,
    })
}

fn findings(measured: &Measurement, cause: Cause, rows: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let decades = measured.decades();
    if decades.is_finite() && decades <= -DECADES {
        findings.push(Finding::Vanishing(cause));
    } else if decades >= DECADES {
        findings.push(Finding::Exploding(cause));
    }
    let named = |i: usize| format!("{} ({})", measured.layers[i].path, measured.layers[i].layer);
    let worst = |fraction: &dyn Fn(&Units) -> f64| {
        let fractions =
            measured.layers.iter().enumerate().filter_map(|(i, l)| Some((i, fraction(l.units.as_ref()?))));
        fractions.max_by(|a, b| a.1.total_cmp(&b.1))
    };
    if let Some((i, fraction)) = worst(&|units| units.dead).filter(|worst| worst.1 > 0.7) {
        findings.push(Finding::DeadUnits { layer: named(i), fraction });
    }
    let at = |l: &LayerMeasurement| l.gradient > 0.0 && l.input_gradient == 0.0;
    if findings.is_empty()
        && !decades.is_finite()
        && let Some(i) = measured.layers.iter().rposition(at)
    {
        let zero_weights = measured.layers[i].weights.is_some_and(|weights| weights.norm == 0.0);
        findings.push(Finding::Lost { layer: named(i), zero_weights });
    }
    // slopes of exactly 0 are not saturation: half of those of a healthy ReLU are 0
    if let Some((i, fraction)) = worst(&|units| units.saturated - units.off).filter(|worst| worst.1 > 0.5) {
        findings.push(Finding::Saturated { layer: named(i), fraction });
    }
    let batch_norm = measured.layers.iter().position(|l| matches!(l.kind, Kind::BatchNorm { .. }));
    if let Some(i) = batch_norm.filter(|_| rows < 16) {
        findings.push(Finding::SmallBatch { layer: named(i), rows });
    }
    let mean_square = |l: &LayerMeasurement| l.output.norm.powi(2) / l.outputs as f64;
    let skips: Vec<_> = measured
        .layers
        .iter()
        .filter(|l| l.nesting == 0 && matches!(l.kind, Kind::Residual { .. }))
        .collect();
    if let [first, .., last] = skips[..] {
        let growth = mean_square(last) / mean_square(first);
        if growth > 100.0 {
            let growth = growth.powf(1.0 / (skips.len() - 1) as f64);
            findings.push(Finding::GrowingSum { blocks: skips.len(), growth });
        }
    }
    findings
}

impl Cause {
    fn of(measured: &Measurement) -> Self {
        let parts = measured.decompose();
        // factors on the squared norm: squares of the mean ratios
        let mean = |part: fn(&Decomposition) -> f64| {
            (2.0 * parts.iter().map(part).sum::<f64>() / parts.len().max(1) as f64).exp()
        };
        let units = |station: Option<usize>| station.map_or(0, |station| measured.layers[station].outputs);
        Cause {
            slopes: mean(|p| p.slopes),
            weights: mean(|p| p.weights),
            widths: mean(|p| p.widths),
            others: mean(|p| p.others),
            alignment: mean(|p| p.alignment),
            steps: parts.len(),
            units: (units(parts.first().map(|p| p.lower)), units(parts.last().map(|p| p.upper))),
            uneven: parts.iter().any(|p| p.widths != 0.0),
        }
    }

    /// The total of one of the factors over all steps, in decades of the gradient's norm.
    pub fn decades(&self, factor: f64) -> f64 {
        self.steps as f64 * factor.log10() / 2.0
    }
}

impl fmt::Display for Cause {
    /// The factors that differ from 1 and their product: `E[φ'²] · σw² = 0.045 · 1.000 = 0.045`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause { slopes, weights, widths, others, alignment, uneven, .. } = *self;
        let close = |value: f64| (value - 1.0).abs() < 0.05;
        let factors = [
            ("E[φ'²]", slopes, slopes != 1.0),
            (if uneven { "M·Var W" } else { "σw²" }, weights, weights != 1.0),
            ("N/M", widths, uneven),
            ("skip and normalisation", others, !close(others)),
            ("alignment", alignment, !close(alignment)),
        ];
        let factors: Vec<_> = factors.iter().filter(|(.., shown)| *shown).collect();
        let join = |texts: Vec<String>| texts.join(" · ");
        let names = join(factors.iter().map(|f| f.0.to_string()).collect());
        let values = join(factors.iter().map(|f| format!("{:.3}", f.1)).collect());
        let product = slopes * weights * widths * others * alignment;
        match factors.len() {
            0 => write!(f, "{product:.3}"),
            1 => write!(f, "{names} = {product:.3}"),
            _ => write!(f, "{names} = {values} = {product:.3}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |fraction: f64| (100.0 * fraction).round();
        match self {
            Finding::Vanishing(cause) => {
                write!(f, "Vanishing: each layer multiplies the squared norm of the gradient by {cause}.")
            }
            Finding::Exploding(cause) => {
                write!(f, "Exploding: each layer multiplies the squared norm of the gradient by {cause}.")
            }
            Finding::DeadUnits { layer, fraction } => write!(
                f,
                "Dead units: {}% of the units of {layer} have slope 0 for every row and pass no gradient.",
                percent(*fraction)
            ),
            Finding::Lost { layer, zero_weights: true } => {
                write!(f, "Lost: no gradient passes {layer}, because all its weights are 0.")
            }
            Finding::Lost { layer, .. } => {
                write!(f, "Lost: at {layer} the gradient underflows to 0.")
            }
            Finding::Saturated { layer, fraction } => write!(
                f,
                "Saturation: {}% of the slopes of {layer} are below a twentieth of its steepest slope.",
                percent(*fraction)
            ),
            Finding::SmallBatch { layer, rows } => write!(
                f,
                "Small batch: {layer} estimates mean and variance from {rows} rows. Gradients grow faster than with \
                 large batches, and the output of each row depends on the others."
            ),
            Finding::GrowingSum { blocks, growth } => write!(
                f,
                "Growing sum: over {blocks} skip connections, the mean square of the signal grows by a factor of \
                 {growth:.2} per block, because the branches are not scaled."
            ),
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnosis { ratio, decades, steps, cause, .. } = self;
        let is_labelled = self.findings.is_empty() && *steps > 0;
        if is_labelled {
            write!(f, "{}: ", if decades.abs() < BORDERLINE { "Healthy" } else { "Borderline" })?;
        }
        if *steps == 0 {
            write!(
                f,
                "Fewer than two linear layers or blocks on the main path, so there is nothing to compare"
            )?;
        } else if decades.is_finite() {
            write!(
                f,
                "{} layer, from the output to the input, the gradient changes by a factor of {ratio:.3}, \
                 over {steps} layer{} by {decades:+.2} decades",
                if is_labelled { "per" } else { "Per" },
                if *steps == 1 { "" } else { "s" }
            )?;
        } else {
            let no = if is_labelled { "no" } else { "No" };
            write!(f, "{no} gradient reaches the first of {} layers", steps + 1)?;
        }
        match self.predicted_decades.filter(|_| *steps > 0) {
            Some(decades) => writeln!(f, " (theory: {decades:+.2}).")?,
            None => writeln!(f, ".")?,
        }
        if cause.uneven && decades.is_finite() {
            let (bottom, top) = cause.units;
            let [widths, slopes, weights, rest] =
                [cause.widths, cause.slopes, cause.weights, cause.others * cause.alignment]
                    .map(|factor| cause.decades(factor));
            writeln!(
                f,
                "Widths: {top} at the output end, {bottom} at the input end. Of the {decades:+.2} decades, the \
                 widths contribute {widths:+.2}, slopes {slopes:+.2}, weights {weights:+.2}, all else {rest:+.2}. \
                 The root mean square of the gradient per unit changes by {:+.2} decades. (A layer with N inputs and M outputs multiplies the squared norm by N·Var W = N/M · M·Var W, here {:.3} \
                 on average.)",
                decades - widths,
                cause.widths * cause.weights
            )?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if !self.remedies.is_empty() {
            writeln!(f, "Remedies, each measured on a changed network:")?;
        }
        for remedy in &self.remedies {
            writeln!(f, "- {remedy}")?;
        }
        for limit in &self.limits {
            writeln!(f, "Not covered by the theory: {limit}.")?;
        }
        Ok(())
    }
}
