//! What is wrong with a network's gradients, in words with its own numbers, and what would help.

use std::fmt;

use ndarray::ArrayView2;

use super::measure::{Measurement, measure_with_cotangent};
use super::predict::predict;
use super::remedies::{Remedy, remedies};
use geartrain::{Error, Kind, Network, Scalar};

/// Fewer decades than this between the first and the last layer are called healthy: a learning rate that suits one of
/// them still moves the other.
const DECADES: f64 = 2.0;

/// What [`diagnose`] found. Printed, it is a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// What is wrong; nothing if the network is healthy.
    pub findings: Vec<Finding>,
    /// What might help, each tried out on a changed network. Those that help most come first.
    pub remedies: Vec<Remedy>,
    /// What the theory does not cover in this network.
    pub limits: Vec<super::Limit>,
    /// The mean ratio per layer and the decades from last to first layer, as measured.
    pub ratio: f64,
    /// See [`Measurement::decades`].
    pub decades: f64,
    /// The same in theory, where it covers the whole network.
    pub predicted_decades: Option<f64>,
    /// The number of steps between stations that the ratio is a mean over.
    pub steps: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// The gradient loses more than two decades on its way down.
    Vanishing(Cause),
    /// It gains more than two.
    Exploding(Cause),
    /// More than seven tenths of a layer's units let no gradient of the batch pass. (Half of them do so in any deep ReLU
    /// layer, where all rows have become alike.)
    DeadUnits {
        /// The activation with the most dead units: its path and its name.
        layer: String,
        /// The fraction of its units that are dead.
        fraction: f64,
    },
    /// Nothing of the gradient reaches the first layer, although no units are dead.
    Lost {
        /// The layer at which it becomes 0: its path and its name.
        layer: String,
        /// Whether all its weights are 0. If not, the gradient is smaller than numbers of its type can be.
        zero_weights: bool,
    },
    /// More than half of the slopes of a layer are below a twentieth of the steepest.
    Saturated {
        /// The activation with the most saturated units: its path and its name.
        layer: String,
        /// The fraction of slopes.
        fraction: f64,
    },
    /// Batch normalisation over so few rows that its statistics are noise, and gradients grow faster.
    SmallBatch {
        /// The first such layer: its path and its name.
        layer: String,
        /// Rows in the batch.
        rows: usize,
    },
    /// The sums of many skip connections make signals grow more than a hundredfold in energy.
    GrowingSum {
        /// Skip connections on the main path.
        blocks: usize,
        /// Mean growth of the mean square of the signal per block.
        growth: f64,
    },
}

/// Mean factors, per step from station to station, of the squared length of the gradient: their product is the square of
/// the ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cause {
    /// `E φ'²` of the activations.
    pub slopes: f64,
    /// `σw²` of the linear layers.
    pub weights: f64,
    /// Of normalisation and skip connections.
    pub others: f64,
    /// Of gradients that are not independent of the weights.
    pub alignment: f64,
}

/// Examines `network` on the batch `x`, with the gradient `dy`, `(rows, outputs)`, at its output: random, or that of a
/// loss.
///
/// Remedies are tried out on networks of the same sizes, drawn anew where the remedy changes the initialisation, and
/// measured with the same batch.
///
/// ```
/// use geartrain::prelude::*;
/// use geartrain_lab as lab;
/// let deep = |net: Sequential<f64>, _| net.then(Linear::new(32, 32).init(Init::xavier_normal())).then(Sigmoid);
/// let network = Network::new((0..12).fold(Sequential::new(), deep), 32)?;
/// let (x, dy) = (lab::normal_batch(16, 32, 1), lab::normal_batch(16, 32, 2));
/// let diagnosis = lab::diagnose(&network, x.view(), dy.view())?;
/// assert!(matches!(diagnosis.findings[0], lab::Finding::Vanishing(_)));
/// println!("{diagnosis}");
/// # Ok::<(), geartrain::Error>(())
/// ```
///
/// # Errors
/// As [`measure_with_cotangent`].
pub fn diagnose<F: Scalar>(
    network: &Network<F>,
    x: ArrayView2<F>,
    dy: ArrayView2<F>,
) -> Result<Diagnosis, Error> {
    let measured = measure_with_cotangent(network, x, dy)?;
    let predicted = predict(network, x, dy)?;
    let findings = findings(&measured, x.nrows());
    let remedies = if findings.is_empty() { Vec::new() } else { remedies(network, x, dy, &measured)? };
    Ok(Diagnosis {
        findings,
        remedies,
        ratio: measured.ratio(),
        decades: measured.decades(),
        predicted_decades: predicted.decades(&measured.stations()),
        steps: measured.stations().len().saturating_sub(1),
        limits: predicted.limits,
    })
}

fn findings(measured: &Measurement, rows: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let decades = measured.decades();
    if decades.is_finite() && decades <= -DECADES {
        findings.push(Finding::Vanishing(Cause::of(measured)));
    } else if decades >= DECADES {
        findings.push(Finding::Exploding(Cause::of(measured)));
    }
    let named = |i: usize| format!("{} ({})", measured.layers[i].path, measured.layers[i].layer);
    let worst = |fraction: &dyn Fn(&super::Units) -> f64| {
        let fractions =
            measured.layers.iter().enumerate().filter_map(|(i, l)| Some((i, fraction(l.units.as_ref()?))));
        fractions.max_by(|a, b| a.1.total_cmp(&b.1))
    };
    if let Some((i, fraction)) = worst(&|units| units.dead).filter(|worst| worst.1 > 0.7) {
        findings.push(Finding::DeadUnits { layer: named(i), fraction });
    }
    let at = |l: &super::LayerMeasurement| l.gradient > 0.0 && l.input_gradient == 0.0;
    if findings.is_empty()
        && !decades.is_finite()
        && let Some(i) = measured.layers.iter().rposition(at)
    {
        let zero_weights = measured.layers[i].weights.is_some_and(|weights| weights.norm == 0.0);
        findings.push(Finding::Lost { layer: named(i), zero_weights });
    }
    // a ReLU that is off is not saturated: half of its slopes are 0 in the best of networks
    if let Some((i, fraction)) = worst(&|units| units.saturated - units.off).filter(|worst| worst.1 > 0.5) {
        findings.push(Finding::Saturated { layer: named(i), fraction });
    }
    let batch_norm = measured.layers.iter().position(|l| matches!(l.kind, Kind::BatchNorm { .. }));
    if let Some(i) = batch_norm.filter(|_| rows < 16) {
        findings.push(Finding::SmallBatch { layer: named(i), rows });
    }
    let squares = |l: &super::LayerMeasurement| l.output.norm.powi(2);
    let skips: Vec<_> = measured
        .layers
        .iter()
        .filter(|l| l.nesting == 0 && matches!(l.kind, Kind::Residual { .. }))
        .collect();
    if let [first, .., last] = skips[..] {
        let growth = squares(last) / squares(first);
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
        // energies: squares of ratios
        let mean = |part: fn(&super::Decomposition) -> f64| {
            (2.0 * parts.iter().map(part).sum::<f64>() / parts.len().max(1) as f64).exp()
        };
        Cause {
            slopes: mean(|p| p.slopes),
            weights: mean(|p| p.weights),
            others: mean(|p| p.others),
            alignment: mean(|p| p.alignment),
        }
    }
}

impl fmt::Display for Cause {
    /// `E[φ'²]·σw² = 0.045·1.00 = 0.045`, with what else there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factors = [
            ("E[φ'²]", self.slopes),
            ("σw²", self.weights),
            ("skip and normalisation", self.others),
            ("alignment", self.alignment),
        ];
        let close = |value: f64| (value - 1.0).abs() < 0.05;
        let factors: Vec<_> = factors
            .iter()
            .enumerate()
            .filter(|(i, (_, v))| if *i < 2 { *v != 1.0 } else { !close(*v) })
            .map(|(_, f)| f)
            .collect();
        let join = |texts: Vec<String>| texts.join(" · ");
        let names = join(factors.iter().map(|f| f.0.to_string()).collect());
        let values = join(factors.iter().map(|f| format!("{:.3}", f.1)).collect());
        let product = self.slopes * self.weights * self.others * self.alignment;
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
                write!(f, "Vanishing: each layer keeps, of the gradient's squared length, {cause}.")
            }
            Finding::Exploding(cause) => {
                write!(f, "Exploding: each layer multiplies the gradient's squared length by {cause}.")
            }
            Finding::DeadUnits { layer, fraction } => write!(
                f,
                "Dead units: {}% of the units of {layer} pass no gradient of any row.",
                percent(*fraction)
            ),
            Finding::Lost { layer, zero_weights: true } => {
                write!(f, "Lost: no gradient passes {layer}, because all its weights are 0.")
            }
            Finding::Lost { layer, .. } => {
                write!(f, "Lost: at {layer} the gradient becomes smaller than numbers of its type can be.")
            }
            Finding::Saturated { layer, fraction } => write!(
                f,
                "Saturation: {}% of the slopes of {layer} are below a twentieth of its steepest.",
                percent(*fraction)
            ),
            Finding::SmallBatch { layer, rows } => write!(
                f,
                "Small batch: {layer} takes its mean and variance from {rows} rows. Gradients grow faster than with large \
                 batches, and the output of a row depends on its neighbours."
            ),
            Finding::GrowingSum { blocks, growth } => write!(
                f,
                "Growing sum: over {blocks} skip connections the mean square of the signal grows {growth:.2}-fold per \
                 block, because the branches are not scaled."
            ),
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            write!(f, "Healthy: ")?;
        }
        let Diagnosis { ratio, decades, steps, .. } = self;
        let changes = if *decades < 0.0 { "loses" } else { "gains" };
        if decades.is_finite() {
            write!(
                f,
                "from layer to layer down, the gradient is multiplied by {ratio:.3}; over {steps} layers it "
            )?;
            write!(f, "{changes} {:.2} decades", decades.abs())?;
        } else {
            write!(f, "no gradient reaches the first of {} layers", steps + 1)?;
        }
        match self.predicted_decades {
            Some(decades) => writeln!(f, " (theory: {decades:+.2}).")?,
            None => writeln!(f, ".")?,
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if !self.remedies.is_empty() {
            writeln!(f, "Tried out on this network:")?;
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
