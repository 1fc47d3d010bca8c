//! What the course of a training run shows, in words and as a chart.

use std::fmt;

use super::{TrainingCourse, TrainingRecord};
use crate::chart::{Chart, Series};
use crate::curvature::Estimate;

/// The band of `sharpness / threshold` that counts as the edge of stability.
const EDGE: std::ops::RangeInclusive<f64> = 0.9..=1.12;
/// The least number of measurements in a row that count as hovering.
const HOVERING: usize = 3;
/// The update-to-weight ratio below which a layer is not learning: `f32` numbers are 6e-8 apart.
const STILL: f64 = 1e-6;
/// The update-to-weight ratio above which single steps are large.
const LARGE: f64 = 0.1;
/// The change of the tangent kernel below which a network trains as its linearisation.
const LAZY: f64 = 0.1;

/// A property of a training run. `{}` prints a sentence or two.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TrainingFinding {
    /// The sharpness hovers at the largest stable one.
    EdgeOfStability {
        /// The first measurement at the edge.
        since: u64,
        /// The mean of `sharpness / threshold` since then.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
        /// Measurements since then.
        measurements: usize,
        /// Whether training batches are smaller than the measured rows.
        small_batches: bool,
    },
    /// The sharpness is above the largest stable one at the end.
    Unstable {
        /// `sharpness / threshold`.
        ratio: f64,
    },
    /// The sharpness is below half the largest stable one at the end.
    Stable {
        /// `threshold / sharpness`.
        room: f64,
    },
    /// The weights of a layer hardly change.
    NotLearning {
        /// The tensor's name.
        tensor: String,
        /// The norm of its last update over that of the weights.
        ratio: f64,
    },
    /// The weights of a layer change by more than a tenth in one step.
    LargeUpdates {
        /// The tensor's name.
        tensor: String,
        /// The norm of its last update over that of the weights.
        ratio: f64,
    },
    /// The batch is far below the noise scale.
    NoisyBatch {
        /// Rows of a batch.
        batch: usize,
        /// The noise scale.
        noise: Estimate,
    },
    /// The batch is far above the noise scale.
    LargeBatch {
        /// Rows of a batch.
        batch: usize,
        /// The noise scale.
        noise: Estimate,
    },
    /// The tangent kernel has hardly changed.
    Lazy {
        /// Its relative change.
        change: f64,
    },
    /// Many units of an activation are dead.
    DeadUnits {
        /// Path and name of the activation.
        layer: String,
        /// The fraction of dead units.
        fraction: f64,
    },
    /// Most slopes of an activation are saturated.
    Saturated {
        /// Path and name of the activation.
        layer: String,
        /// The fraction of saturated slopes.
        fraction: f64,
    },
}

impl TrainingCourse {
    /// What the measurements show, the most important first.
    pub fn findings(&self) -> Vec<TrainingFinding> {
        let Some(last) = self.records.last() else { return Vec::new() };
        let mut findings: Vec<_> = self.stability(last).into_iter().collect();
        for (tensor, ratio) in last.updates.iter().cloned() {
            if ratio < STILL {
                findings.push(TrainingFinding::NotLearning { tensor, ratio });
            } else if ratio > LARGE {
                findings.push(TrainingFinding::LargeUpdates { tensor, ratio });
            }
        }
        for (layer, dead, saturated) in last.units.iter().cloned() {
            if dead >= 0.25 {
                findings.push(TrainingFinding::DeadUnits { layer, fraction: dead });
            } else if saturated >= 0.6 && dead == 0.0 {
                findings.push(TrainingFinding::Saturated { layer, fraction: saturated });
            }
        }
        let batch = self.batch_rows;
        if let Some(noise) = last.noise.and_then(|noise| noise.rows).filter(|_| batch > 0) {
            // the statement holds at both ends of the error bar
            if noise.value - 2.0 * noise.error > 4.0 * batch as f64 {
                findings.push(TrainingFinding::NoisyBatch { batch, noise });
            } else if noise.value + 2.0 * noise.error < batch as f64 / 4.0 {
                findings.push(TrainingFinding::LargeBatch { batch, noise });
            }
        }
        let trained = last.step > self.records[0].step && last.loss < 0.5 * self.records[0].loss;
        if trained && last.kernel_change < LAZY {
            findings.push(TrainingFinding::Lazy { change: last.kernel_change });
        }
        findings
    }

    fn stability(&self, last: &TrainingRecord) -> Option<TrainingFinding> {
        let ratio = last.stability()?;
        let at_edge = |record: &&TrainingRecord| record.stability().is_some_and(|r| EDGE.contains(&r));
        let hovering: Vec<&TrainingRecord> = self.records.iter().rev().take_while(at_edge).collect();
        if hovering.len() >= HOVERING {
            let ratios: Vec<f64> = hovering.iter().filter_map(|record| record.stability()).collect();
            let measurements = ratios.len();
            let mean = Estimate::of(&ratios);
            return Some(TrainingFinding::EdgeOfStability {
                since: hovering.last().map_or(0, |record| record.step),
                mean: mean.value,
                deviation: mean.error * (measurements as f64).sqrt(),
                measurements,
                small_batches: self.batch_rows < self.rows,
            });
        }
        if ratio > *EDGE.end() {
            return Some(TrainingFinding::Unstable { ratio });
        }
        (ratio < 0.5 && last.sharpness > 0.0).then(|| TrainingFinding::Stable { room: ratio.recip() })
    }

    /// A chart of the sharpness beside the largest stable one over the steps of training. An SVG
    /// document.
    pub fn svg(&self) -> String {
        self.chart().svg(true)
    }

    pub(crate) fn chart(&self) -> Chart {
        let over_steps = |value: &dyn Fn(&TrainingRecord) -> Option<f64>| -> Vec<(f64, f64, f64)> {
            let point = |record: &TrainingRecord| value(record).map(|v| (record.step as f64, v, 0.0));
            self.records.iter().filter_map(point).collect()
        };
        let series = |name: &str, note: &str, colour: usize| Series {
            name: name.into(),
            note: note.into(),
            colour,
            ..Series::default()
        };
        let measured = over_steps(&|record| Some(record.sharpness));
        let sharpness = Series {
            points: measured.clone(),
            line: measured,
            ..series("sharpness", "largest eigenvalue of the Hessian", 0)
        };
        let stable = Series {
            line: over_steps(&|record| record.threshold),
            dashed: true,
            ..series("largest stable one", "2/η for gradient descent", 1)
        };
        let along = Series {
            line: over_steps(&|record| Some(record.along_gradient)),
            ..series("along the gradient", "curvature in its direction", 2)
        };
        Chart {
            title: format!("{}: sharpness during training", self.name),
            x_label: "step".into(),
            y_label: "curvature".into(),
            logarithmic: false,
            series: vec![sharpness, stable, along],
        }
    }
}

impl TrainingCourse {
    /// The measurements as a table, one line each.
    pub(crate) fn table(&self) -> String {
        let mut table = format!(
            "{:>8} {:>11} {:>10} {:>10} {:>7} {:>10} {:>12} {:>9} {:>7}\n",
            "step", "loss", "rate", "sharpness", "of edge", "|gradient|", "noise, rows", "update", "kernel"
        );
        for record in &self.records {
            let stability = record.stability().map_or("-".into(), |ratio| format!("{ratio:.2}"));
            let noise = record.noise.and_then(|noise| noise.rows);
            let noise = noise.map_or("-".into(), |rows| format!("{:.0} ± {:.0}", rows.value, rows.error));
            let update = record.updates.iter().map(|(_, ratio)| *ratio).reduce(f64::min);
            let update = update.map_or("-".into(), |ratio| format!("{ratio:.1e}"));
            table += &format!(
                "{:>8} {:>11.4e} {:>10.3e} {:>10.3} {stability:>7} {:>10.2e} {noise:>12} {update:>9} {:>6.0}%\n",
                record.step,
                record.loss,
                record.learning_rate,
                record.sharpness,
                record.gradient,
                100.0 * record.kernel_change
            );
        }
        table
    }
}

impl fmt::Display for TrainingCourse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table())?;
        self.findings().iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_string();
    for chunk in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.extend(chunk.iter().map(|digit| char::from(*digit)));
    }
    text
}

impl fmt::Display for TrainingFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainingFinding::EdgeOfStability { since, mean, deviation, measurements, small_batches } => {
                write!(
                    f,
                    "This rate is at the edge of stability since step {}: the largest eigenvalue hovers at \
                     {mean:.2} ± {deviation:.2} times the largest stable one ({measurements} measurements). A smaller \
                     rate will not train faster.",
                    grouped(*since)
                )?;
                if *small_batches {
                    write!(f, " (Training uses smaller batches; their noise also limits the sharpness.)")?;
                }
                Ok(())
            }
            TrainingFinding::Unstable { ratio } => write!(
                f,
                "The largest eigenvalue is {ratio:.2} times the largest stable one: steps along its direction \
                 overshoot, and the loss oscillates or diverges until the sharpness falls. A rate {ratio:.1} times \
                 smaller is stable here."
            ),
            TrainingFinding::Stable { room } => write!(
                f,
                "The rate is stable: it could be {room:.1} times larger before it meets the edge of stability at \
                 this sharpness."
            ),
            TrainingFinding::NotLearning { tensor, ratio } => {
                write!(f, "`{tensor}`: an update is {ratio:.0e} of the weights, so that it is not learning.")
            }
            TrainingFinding::LargeUpdates { tensor, ratio } => write!(
                f,
                "`{tensor}`: a single update is {:.0} % of the weights; a smaller rate keeps what was learned.",
                100.0 * ratio
            ),
            TrainingFinding::NoisyBatch { batch, noise } => write!(
                f,
                "A batch of {batch} is {:.0} times below the noise scale of {:.0} ± {:.0} rows: four times the batch \
                 would need little more than a quarter of the steps.",
                noise.value / *batch as f64,
                noise.value,
                noise.error
            ),
            TrainingFinding::LargeBatch { batch, noise } => write!(
                f,
                "A batch of {batch} is {:.0} times above the noise scale of {:.0} ± {:.0} rows: a quarter of the \
                 batch would need hardly more steps.",
                *batch as f64 / noise.value,
                noise.value,
                noise.error
            ),
            TrainingFinding::Lazy { change } => write!(
                f,
                "The tangent kernel has changed by {:.1} %: the network trains nearly as its linearisation and has \
                 learned no new features.",
                100.0 * change
            ),
            TrainingFinding::DeadUnits { layer, fraction } => {
                write!(f, "{:.0} % of the units of {layer} are dead on all measured rows.", 100.0 * fraction)
            }
            TrainingFinding::Saturated { layer, fraction } => write!(
                f,
                "{:.0} % of the slopes of {layer} are below a twentieth of its steepest slope.",
                100.0 * fraction
            ),
        }
    }
}
