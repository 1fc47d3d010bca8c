//! The density of eigenvalues.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Curvature, Estimate, Lanczos, normals};
use crate::chart::{Chart, Series};
use geartrain::error::require;
use geartrain::{Error, Scalar};

/// The distribution of a matrix's eigenvalues, estimated by stochastic Lanczos quadrature (Ubaru et
/// al. 2017; Ghorbani et al. 2019): from each of several random vectors, some Lanczos steps give
/// nodes and weights that integrate polynomials over the eigenvalues.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EigenvalueDensity {
    /// For each random vector, eigenvalues and the fraction of all eigenvalues near each; the
    /// fractions of one vector sum to 1.
    pub probes: Vec<Vec<(f64, f64)>>,
    /// The number of eigenvalues.
    pub dimension: usize,
}

impl<F: Scalar> Curvature<'_, F> {
    /// The density of eigenvalues from `probes` random vectors with `steps` products each; 10 and
    /// 40 resolve outliers and the shape of the bulk.
    ///
    /// # Errors
    /// As [`product`](Curvature::product); [`Error::Argument`] for 0 probes or steps.
    pub fn density(&mut self, probes: usize, steps: usize) -> Result<EigenvalueDensity, Error> {
        require(probes > 0, "probes", "at least 1", probes)?;
        require(steps > 0, "steps", "at least 1", steps)?;
        let dimension = self.dimension();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut density = EigenvalueDensity { probes: Vec::new(), dimension };
        for _ in 0..probes {
            let mut lanczos = Lanczos::new(&normals(dimension, &mut rng));
            while lanczos.len() < steps {
                if lanczos.step(&mut rng, |vector| self.short_product(vector))?.is_none() {
                    break;
                }
            }
            density.probes.push(lanczos.ritz().iter().map(|pair| (pair.value, pair.weight)).collect());
        }
        Ok(density)
    }
}

impl EigenvalueDensity {
    /// The smallest and the largest node.
    pub fn range(&self) -> (f64, f64) {
        let nodes = self.probes.iter().flatten().map(|(value, _)| *value);
        nodes.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    }

    /// The mean of `f` over all eigenvalues.
    pub fn mean(&self, f: impl Fn(f64) -> f64) -> Estimate {
        let of = |nodes: &Vec<(f64, f64)>| nodes.iter().map(|(value, weight)| weight * f(*value)).sum();
        Estimate::of(&self.probes.iter().map(of).collect::<Vec<f64>>())
    }

    /// The density at `value`, per unit of the eigenvalue, smoothed by a normal distribution with
    /// the standard deviation `width`.
    pub fn at(&self, value: f64, width: f64) -> f64 {
        let bell = |node: f64| (-0.5 * ((value - node) / width).powi(2)).exp();
        self.mean(bell).value / (width * std::f64::consts::TAU.sqrt())
    }

    /// The smoothed density at `points` equally spaced eigenvalues over the whole range, as pairs.
    pub fn curve(&self, points: usize) -> Vec<(f64, f64)> {
        let (low, high) = self.range();
        let width = ((high - low) / 100.0).max(1e-3 * high.abs().max(low.abs())).max(1e-12);
        let (low, high) = (low - 4.0 * width, high + 4.0 * width);
        let place = |i: usize| low + (high - low) * i as f64 / (points.max(2) - 1) as f64;
        (0..points).map(place).map(|value| (value, self.at(value, width))).collect()
    }

    /// A chart of the density on a logarithmic scale: single eigenvalues show as small peaks. An
    /// SVG document.
    pub fn svg(&self, title: &str) -> String {
        self.chart(title).svg(true)
    }

    pub(crate) fn chart(&self, title: &str) -> Chart {
        let curve = self.curve(400);
        // a hundredth of a single eigenvalue is noise
        let largest = curve.iter().fold(0.0, |max: f64, p| max.max(p.1));
        let floor = (largest * 1e-6).log10();
        let line = curve.iter().map(|(value, density)| (*value, density.log10().max(floor), 0.0)).collect();
        let (low, high) = self.range();
        let note = format!("{} from {low:.2} to {high:.2}", self.dimension);
        let series = Series { name: "density".into(), note, line, ..Series::default() };
        Chart {
            title: title.into(),
            x_label: "eigenvalue".into(),
            y_label: "density".into(),
            logarithmic: true,
            series: vec![series],
        }
    }
}
