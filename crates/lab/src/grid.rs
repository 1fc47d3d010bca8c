//! Grids of random networks: independent measurements over depth, width, σw, σb, activation, steps
//! of training and seed.

use serde::{Deserialize, Serialize};

use crate::measure::{Measurement, measure_on};
use crate::numbers::{mean_and_error, normal_batch};
use crate::phase_map::{MapAxis, PhaseMap};
use crate::tape::Tape;
use crate::theory::edge_of_chaos::{Critical, edge_of_chaos};
use crate::theory::predict::predict_on;
use geartrain::error::require;
use geartrain::layers::{LayerSpec, Linear, Sequential};
use geartrain::loss::MeanSquaredError;
use geartrain::network::Workspace;
use geartrain::optim::Sgd;
use geartrain::{Error, Init, Network, Optimizer};

/// A grid of stacks of equal layers: every combination of its values is a job, which depends on no
/// other job.
///
/// ```
/// use geartrain::layers::LayerSpec;
/// use geartrain_lab::Grid;
/// let grid = Grid {
///     activations: vec![LayerSpec::Tanh],
///     depths: vec![10],
///     widths: vec![32],
///     sigma_w: vec![0.8, 2.5],
///     sigma_b: vec![0.05],
///     seeds: 2,
///     rows: 8,
///     steps: vec![0],
///     rate: 0.02,
///     predict: false,
/// };
/// let decades = (0..grid.jobs()).map(|job| Ok(grid.setting(job).measure(&grid)?.decades));
/// let decades = decades.collect::<Result<Vec<_>, geartrain::Error>>()?;
/// // in order, gradients vanish; in chaos, they explode
/// assert!(decades[0] < 0.0 && decades[1] < 0.0 && decades[2] > 0.0 && decades[3] > 0.0);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Elementwise activations.
    pub activations: Vec<LayerSpec>,
    /// Numbers of linear layers, with an activation between each two.
    pub depths: Vec<usize>,
    /// Units of each layer.
    pub widths: Vec<usize>,
    /// Values of `σw`: weights are normal with standard deviation `σw / √width`.
    pub sigma_w: Vec<f64>,
    /// Values of `σb`: biases are normal with standard deviation `σb`.
    pub sigma_b: Vec<f64>,
    /// Networks per combination, with the seeds 0, 1, …
    pub seeds: u64,
    /// Rows of the random batch.
    pub rows: usize,
    /// Steps of training before the measurement: 0 for the random network itself. Training is
    /// gradient descent on this batch with standard normal targets.
    pub steps: Vec<u64>,
    /// The learning rate, for the mean squared error.
    pub rate: f64,
    /// Whether to predict as well, which takes much longer than measuring.
    pub predict: bool,
}

/// One job of a [`Grid`].
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The activation.
    pub activation: LayerSpec,
    /// Linear layers.
    pub depth: usize,
    /// Units of each layer.
    pub width: usize,
    /// `σw`.
    pub sigma_w: f64,
    /// `σb`.
    pub sigma_b: f64,
    /// Steps of training.
    pub steps: u64,
    /// The seed of the weights, the batch, its targets and the gradient at the output.
    pub seed: u64,
}

/// The result of a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decades {
    /// `log₁₀` of the gradient's norm at the first layer over that at the last
    /// ([`Measurement::decades`]); −∞ if no gradient arrives, NaN if the signal is not finite or
    /// training diverges.
    pub decades: f64,
    /// The same as predicted; `None` if the grid does not [predict](Grid::predict), or where the
    /// theory does not cover the network.
    pub predicted: Option<f64>,
}

impl Grid {
    /// The number of jobs: the product of the numbers of values.
    pub fn jobs(&self) -> usize {
        self.sizes().iter().product()
    }

    /// How many values each dimension has, the slowest first.
    fn sizes(&self) -> [usize; 7] {
        let seeds = usize::try_from(self.seeds).unwrap_or(usize::MAX);
        let Grid { activations, depths, widths, sigma_w, sigma_b, steps, .. } = self;
        let [activations, depths, widths] = [activations.len(), depths.len(), widths.len()];
        [activations, depths, widths, steps.len(), sigma_w.len(), sigma_b.len(), seeds]
    }

    /// The job with this index. The seed changes fastest, then σb, σw, the steps, the width, the
    /// depth and the activation.
    ///
    /// # Panics
    /// If `job` is not below [`jobs`](Grid::jobs).
    pub fn setting(&self, job: usize) -> Setting {
        let mut index = [0; 7];
        let mut rest = job;
        for (index, size) in index.iter_mut().zip(self.sizes()).rev() {
            (*index, rest) = (rest % size, rest / size);
        }
        assert_eq!(rest, 0, "job {job} of {}", self.jobs());
        let [activation, depth, width, steps, sigma_w, sigma_b, seed] = index;
        Setting {
            activation: self.activations[activation].clone(),
            depth: self.depths[depth],
            width: self.widths[width],
            sigma_w: self.sigma_w[sigma_w],
            sigma_b: self.sigma_b[sigma_b],
            steps: self.steps[steps],
            seed: seed as u64,
        }
    }

    /// The measured phase diagrams, one for each activation, depth, width and number of steps (the
    /// axis of time): `log₁₀` of the gradient's change per layer, averaged over the seeds, in the
    /// plane of σw and σb, with the edge of chaos of the theory. `decades` has one value per job,
    /// in order.
    ///
    /// # Errors
    /// [`Error::Argument`] if an activation is not elementwise, or the number of values is not that
    /// of the jobs.
    pub fn phase_maps(&self, decades: &[f64]) -> Result<Vec<PhaseMap>, Error> {
        require(decades.len() == self.jobs(), "decades", "one value per job", decades.len())?;
        let mut cells = decades.chunks(self.sizes()[6].max(1));
        let mut maps = Vec::new();
        for activation in &self.activations {
            let layer = activation.build::<f64>();
            let edge: Vec<_> = edge_of_chaos(&*layer, 40.0, 400)?.iter().map(Critical::sigmas).collect();
            let shapes = self.depths.iter().flat_map(|d| self.widths.iter().map(move |w| (d, w)));
            for ((depth, width), steps) in shapes.flat_map(|shape| self.steps.iter().map(move |s| (shape, s)))
            {
                let layers = (*depth.max(&2) - 1) as f64;
                let after = if *steps > 0 { format!(", {steps} steps") } else { String::new() };
                let size = self.sigma_w.len() * self.sigma_b.len();
                let per_layer = |seeds: &[f64]| mean_and_error(seeds).0 / layers;
                maps.push(PhaseMap {
                    title: format!("{}, {depth} layers of {width}{after}", layer.describe().name),
                    x: MapAxis::linear("σw", &self.sigma_w),
                    y: MapAxis::linear("σb", &self.sigma_b),
                    values: cells.by_ref().take(size).map(per_layer).collect(),
                    curve: edge.clone(),
                });
            }
        }
        Ok(maps)
    }
}

impl Setting {
    /// The network: `depth` linear layers of `width` units with the activation between them.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn network(&self) -> Result<Network<f64>, Error> {
        let weight = Init::lecun_normal().gain(self.sigma_w);
        let bias = Init::normal(self.sigma_b);
        let linear = || Linear::new(self.width, self.width).init(weight).bias_init(bias);
        let activation = self.activation.build();
        let layer = |net: Sequential<f64>, _| net.then_shared(activation.clone()).then(linear());
        let layers = (1..self.depth).fold(Sequential::new().then(linear()), layer);
        Ok(Network::new(layers)?.with_seed(self.seed))
    }

    /// Trains this network if it has steps, and measures it on a batch of standard normal numbers,
    /// with a standard normal gradient at the output. Reads the rows, the rate and whether to
    /// predict from `grid`.
    ///
    /// # Errors
    /// As [`Network::new`]; [`Error::Argument`] if `grid` has no rows, or the rate is invalid.
    pub fn measure(&self, grid: &Grid) -> Result<Decades, Error> {
        require(grid.rows > 0, "rows", "at least 1", 0)?;
        let mut network = self.network()?;
        let batch = |from| normal_batch(grid.rows, self.width, from + self.seed);
        let [x, dy, target] = [1_000, 2_000, 3_000].map(batch);
        let (mut sgd, mut workspace) = (Sgd::new(grid.rate), Workspace::new());
        Optimizer::<f64>::check(&sgd)?;
        for _ in 0..self.steps {
            let loss = network.gradients(&MeanSquaredError, &x, &target, &mut workspace, None)?;
            if !loss.is_finite() || sgd.step(network.params_mut(), &workspace.grads).is_err() {
                return Ok(Decades { decades: f64::NAN, predicted: None });
            }
        }
        let mut tape = Tape::new(&network, x.view())?;
        let measurement: Measurement = measure_on(&mut tape, dy.view());
        let predicted = grid.predict.then(|| predict_on(&tape, dy.view()).decades(&measurement.stations()));
        Ok(Decades { decades: measurement.decades(), predicted: predicted.flatten() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid {
            activations: vec![LayerSpec::Tanh, LayerSpec::ReLU],
            depths: vec![3, 5],
            widths: vec![8],
            sigma_w: vec![0.5, 1.0, 2.0],
            sigma_b: vec![0.0, 0.1],
            seeds: 2,
            rows: 4,
            steps: vec![0],
            rate: 0.02,
            predict: false,
        }
    }

    #[test]
    fn steps_are_the_axis_of_time() {
        let start = Grid { activations: vec![LayerSpec::Tanh], depths: vec![5], widths: vec![16], ..grid() };
        let grid = Grid { steps: vec![0, 10, 300], rate: 0.1, ..start.clone() };
        let all = |grid: &Grid| -> Vec<f64> {
            (0..grid.jobs()).map(|job| grid.setting(job).measure(grid).unwrap().decades).collect()
        };
        let decades = all(&grid);
        let maps = grid.phase_maps(&decades).unwrap();
        let titles: Vec<&str> = maps.iter().map(|map| map.title.as_str()).collect();
        assert_eq!(
            titles,
            ["Tanh, 5 layers of 16", "Tanh, 5 layers of 16, 10 steps", "Tanh, 5 layers of 16, 300 steps"]
        );
        // the first panel is that of the random networks, and each step moves on from there
        assert_eq!(maps[0], start.phase_maps(&all(&start)).unwrap()[0]);
        let moved = |map: &PhaseMap| -> f64 {
            map.values.iter().zip(&maps[0].values).map(|(a, b)| (a - b).abs()).sum()
        };
        assert!(moved(&maps[1]) > 0.0 && moved(&maps[2]) > 3.0 * moved(&maps[1]), "{decades:?}");
        // a rate far above the edge of stability diverges: the cell is empty
        let wild = Grid { steps: vec![300], rate: 1e6, ..start };
        assert!(wild.setting(wild.jobs() - 1).measure(&wild).unwrap().decades.is_nan());
        assert!(wild.setting(0).measure(&Grid { rate: -1.0, ..wild.clone() }).is_err());
    }

    #[test]
    fn every_combination_is_one_job() {
        let grid = grid();
        assert_eq!(grid.jobs(), 2 * 2 * 3 * 2 * 2);
        let settings: Vec<_> = (0..grid.jobs()).map(|job| grid.setting(job)).collect();
        assert!(settings.iter().enumerate().all(|(i, setting)| !settings[..i].contains(setting)));
        let first = (settings[0].sigma_w, settings[0].sigma_b, settings[0].seed);
        assert_eq!((first, settings[1].seed, settings[2].sigma_b), ((0.5, 0.0, 0), 1, 0.1));
    }

    #[test]
    fn the_map_holds_the_mean_over_seeds_per_layer() {
        let grid = grid();
        let decades: Vec<f64> = (0..grid.jobs()).map(|job| job as f64).collect();
        let maps = grid.phase_maps(&decades).unwrap();
        assert_eq!(maps.len(), 4);
        // depth 3 has two steps between stations, and the first cell the jobs 0 and 1
        assert_eq!(maps[0].values[..2], [0.25, 1.25]);
        // depth 5 has four steps; twelve jobs before it
        assert_eq!(maps[1].values[0], 12.5 / 4.0);
        // the edge of chaos of ReLU is the point σw = √2, σb = 0
        assert!(maps[2].curve.iter().all(|&(w, b)| (w - 2_f64.sqrt()).abs() < 1e-12 && b == 0.0));
        assert!(grid.phase_maps(&decades[1..]).is_err());
    }

    #[test]
    fn a_prediction_is_near_the_measurement() {
        let grid = Grid { depths: vec![10], widths: vec![64], predict: true, ..grid() };
        let results: Vec<_> = (0..grid.seeds as usize).map(|job| grid.setting(job).measure(&grid)).collect();
        for result in results {
            let Decades { decades, predicted } = result.unwrap();
            assert!((decades - predicted.unwrap()).abs() < 0.3, "{decades}, {predicted:?}");
        }
    }
}
