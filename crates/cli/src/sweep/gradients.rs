//! Gradient sweeps: grids of random networks, measured by the laboratory.

use std::str::FromStr;

use geartrain_lab::{Decades, Grid, Setting};

use super::RunOptions;
use crate::design;
use crate::failure::{Failure, Outcome};
use crate::train::network::at_least;

/// The columns of the results.
pub const COLUMNS: &str = "job,activation,depth,width,steps,sigma_w,sigma_b,seed,decades,predicted";

/// Measure the gradients of random networks over depth, width, σw, σb and activation
///
/// `decades` is log₁₀ of the gradient's norm at the first layer over that at the last. The picture
/// shows its mean per layer in the plane of σw and σb, with the edge of chaos of the theory.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Activations, separated by commas: sigmoid, tanh, relu, leaky_relu, elu, selu, gelu, silu
    #[arg(long, value_delimiter = ',', default_value = "tanh")]
    activations: Vec<String>,

    /// Numbers of layers
    #[arg(long, value_delimiter = ',', default_value = "20", value_parser = at_least(2))]
    depths: Vec<usize>,

    /// Units of each layer
    #[arg(long, value_delimiter = ',', default_value = "128", value_parser = at_least(1))]
    widths: Vec<usize>,

    /// Values of σw, separated by commas, or FROM:TO:COUNT; weights have the standard deviation σw
    /// / √width
    #[arg(long, value_name = "NUMBERS", default_value = "0.5:3:11")]
    sigma_w: Numbers,

    /// Values of σb, the standard deviation of the biases
    #[arg(long, value_name = "NUMBERS", default_value = "0:1:6")]
    sigma_b: Numbers,

    /// Networks per combination, with different seeds
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,

    /// Rows of the random batch
    #[arg(long, default_value_t = 16, value_parser = at_least(1))]
    rows: usize,

    /// Steps of training before the measurement: each number is a picture of its own
    #[arg(long, value_delimiter = ',', default_value = "0")]
    steps: Vec<u64>,

    /// Learning rate of this training, for the mean squared error on random targets
    #[arg(long, default_value_t = 0.02)]
    rate: f64,

    /// Predict as well, which takes much longer than measuring
    #[arg(long)]
    predict: bool,

    #[command(flatten)]
    pub run: RunOptions,
}

impl Options {
    pub fn grid(&self) -> Outcome<Grid> {
        let activation = |name: &String| Ok(design::activation(name)?.0);
        let activations = self.activations.iter().map(activation).collect::<Result<_, String>>();
        let grid = Grid {
            activations: activations.map_err(Failure::option)?,
            depths: self.depths.clone(),
            widths: self.widths.clone(),
            sigma_w: self.sigma_w.0.clone(),
            sigma_b: self.sigma_b.0.clone(),
            seeds: self.seeds,
            rows: self.rows,
            steps: self.steps.clone(),
            rate: self.rate,
            predict: self.predict,
        };
        if grid.sigma_w.iter().chain(&grid.sigma_b).any(|sigma| !sigma.is_finite() || *sigma < 0.0) {
            return Err(Failure::option("--sigma-w and --sigma-b must be finite numbers ≥ 0"));
        }
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return Err(Failure::option("--rate must be a finite number above 0"));
        }
        Ok(grid)
    }
}

/// Numbers separated by commas, or equally spaced from one to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers(Vec<f64>);

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| format!("`{text}` is no number"));
        let Some((from, rest)) = text.split_once(':') else {
            return text.split(',').map(number).collect::<Result<_, _>>().map(Numbers);
        };
        let (to, count) = rest.split_once(':').ok_or("write FROM:TO:COUNT")?;
        let (from, to) = (number(from)?, number(to)?);
        let count = count.parse::<u32>().ok().filter(|&count| count >= 2);
        let count = count.ok_or("COUNT must be a whole number, at least 2")?;
        let step = |i| from + (to - from) * f64::from(i) / f64::from(count - 1);
        Ok(Numbers((0..count).map(step).collect()))
    }
}

/// The cells of the settings of a job.
pub fn setting(grid: &Grid, job: usize) -> String {
    let Setting { activation, depth, width, sigma_w, sigma_b, steps, seed } = grid.setting(job);
    let found = design::activations().into_iter().find(|(_, spec, _)| *spec == activation);
    let name = found.map_or("", |(name, ..)| name);
    format!("{name},{depth},{width},{steps},{sigma_w:?},{sigma_b:?},{seed}")
}

/// The cells of the results of a job.
pub fn run(grid: &Grid, job: usize) -> Outcome<String> {
    let Decades { decades, predicted } = grid.setting(job).measure(grid)?;
    let predicted = predicted.map_or(String::new(), |predicted| format!("{predicted:?}"));
    Ok(format!("{decades:?},{predicted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_listed_or_equally_spaced() {
        let parse = |text: &str| text.parse().map(|Numbers(numbers)| numbers);
        assert_eq!(parse("0.5, 2").unwrap(), [0.5, 2.0]);
        assert_eq!(parse("0:1:5").unwrap(), [0.0, 0.25, 0.5, 0.75, 1.0]);
        for wrong in ["", "a", "0:1", "0:1:1", "0:1:x", "0:x:2"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
