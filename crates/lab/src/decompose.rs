//! Why a gradient changes from layer to layer.

use super::measure::Measurement;
use geartrain::Kind;

/// What changed the gradient between two neighbouring [stations](Measurement::stations), as natural logarithms that add
/// up to that of the ratio: `ln |δ_lower| / |δ_upper| = slopes + weights + others + alignment`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decomposition {
    /// The lower station, an index into [`Measurement::layers`].
    pub lower: usize,
    /// The upper one.
    pub upper: usize,
    /// Of the rms slope of the activations between them.
    pub slopes: f64,
    /// Of the gain of the linear layers, `|W| / √outputs`, which is σw for random weights.
    pub weights: f64,
    /// Of everything else: 1/σ of normalisation, `√(1 + s² branch²)` of a skip connection.
    pub others: f64,
    /// What is left: nearly 0 where the gradient is independent of the weights it meets, as all theory assumes. Not 0 in
    /// `x + relu(Wx)`, nor after training.
    pub alignment: f64,
}

impl Decomposition {
    /// `ln |δ_lower| / |δ_upper|`.
    pub fn log_ratio(&self) -> f64 {
        self.slopes + self.weights + self.others + self.alignment
    }
}

impl Measurement {
    /// Splits each change of the gradient from [station](Measurement::stations) to station into its causes, from the
    /// bottom of the network up.
    pub fn decompose(&self) -> Vec<Decomposition> {
        let stations = self.stations();
        let split = |ends: &[usize]| {
            let (lower, upper) = (ends[0], ends[1]);
            let mut parts =
                Decomposition { lower, upper, slopes: 0.0, weights: 0.0, others: 0.0, alignment: 0.0 };
            for layer in self.layers[lower + 1..=upper].iter().filter(|layer| layer.nesting == 0) {
                let part = match layer.kind {
                    Kind::Elementwise => &mut parts.slopes,
                    Kind::Linear => &mut parts.weights,
                    _ => &mut parts.others,
                };
                *part += layer.gain.ln();
                parts.alignment += layer.alignment().ln();
            }
            parts
        };
        stations.windows(2).map(split).collect()
    }
}
