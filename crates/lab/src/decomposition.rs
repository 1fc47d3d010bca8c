//! The causes of the gradient's change from layer to layer.

use crate::measure::Measurement;
use geartrain::layer::Kind;

/// The causes of the gradient's change between two neighbouring [stations](Measurement::stations),
/// as natural logarithms that add up to that of the ratio:
/// `ln |δ_lower| / |δ_upper| = slopes + weights + widths + others + alignment`.
///
/// A linear layer with N inputs and M outputs multiplies the squared norm of an independent
/// gradient by N·Var W. This factor has two parts. M·Var W is the change of a single unit's squared
/// gradient, and N/M the change of the number of units.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Decomposition {
    /// The lower station, an index into [`Measurement::layers`].
    pub lower: usize,
    /// The upper station.
    pub upper: usize,
    /// The rms slope of the activations between them.
    pub slopes: f64,
    /// The weights of the linear layers: `½ ln(M·Var W)`, which is `ln σw` in a square layer.
    pub weights: f64,
    /// The widths of the linear layers: `½ ln(N/M)`, which is 0 in a square layer. `weights +
    /// widths` is `½ ln(N·Var W)`; initialisations that scale by the number of inputs keep this
    /// sum the same for all widths.
    pub widths: f64,
    /// All other layers: 1/σ of a normalisation, `√(1 + s² branch²)` of a skip connection.
    pub others: f64,
    /// The remainder: nearly 0 where the gradient is independent of the weights, as the theory
    /// assumes. Not 0 in `x + relu(Wx)` or after training.
    pub alignment: f64,
}

impl Decomposition {
    /// `ln |δ_lower| / |δ_upper|`.
    pub fn log_ratio(&self) -> f64 {
        self.slopes + self.weights + self.widths + self.others + self.alignment
    }
}

impl Measurement {
    /// Splits each change of the gradient from [station](Measurement::stations) to station into its
    /// causes, from the input of the network to its output.
    pub fn decompose(&self) -> Vec<Decomposition> {
        let stations = self.stations();
        let split = |ends: &[usize]| {
            let (lower, upper) = (ends[0], ends[1]);
            let mut parts = Decomposition {
                lower,
                upper,
                slopes: 0.0,
                weights: 0.0,
                widths: 0.0,
                others: 0.0,
                alignment: 0.0,
            };
            let mut inputs = self.layers[lower].outputs;
            for layer in self.layers[lower + 1..=upper].iter().filter(|layer| layer.nesting == 0) {
                let gain = layer.gain.ln();
                match layer.kind {
                    Kind::Elementwise => parts.slopes += gain,
                    Kind::Linear => {
                        let widths = (inputs as f64 / layer.outputs as f64).ln() / 2.0;
                        parts.widths += widths;
                        parts.weights += gain - widths;
                    }
                    _ => parts.others += gain,
                }
                parts.alignment += layer.alignment().ln();
                inputs = layer.outputs;
            }
            parts
        };
        stations.windows(2).map(split).collect()
    }
}
