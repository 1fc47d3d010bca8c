//! Curvature of the loss: eigenvalues, trace and diagonal of its Hessian.

mod density;
mod kernel;
mod lanczos;

use std::fmt;
use std::ops::Range;

use ndarray::ArrayRef2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::numbers::{mean_and_error, norm};
use geartrain::error::{require, same_shape};
use geartrain::network::Workspace;
use geartrain::{Error, Loss, Network, Scalar};

pub use density::EigenvalueDensity;
pub use kernel::{Linearisation, TangentKernel, linearise};
pub(crate) use lanczos::{Lanczos, dot};

/// The matrix whose curvature is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurvatureMatrix {
    /// The Hessian of the loss.
    Hessian,
    /// The Gauss–Newton matrix `Jᵀ (∂²L/∂y²) J`: the Hessian without the curvature of the network
    /// itself. It has no negative eigenvalues for the losses of geartrain.
    GaussNewton,
}

/// A number that was estimated from random samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

impl Estimate {
    /// The mean of `samples` and its standard error, which is infinite for one sample.
    pub(crate) fn of(samples: &[f64]) -> Self {
        let (value, error) = mean_and_error(samples);
        Estimate { value, error: if samples.len() < 2 { f64::INFINITY } else { error } }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ± {:.3}", self.value, self.error)
    }
}

/// The curvature of a network's loss on a batch, in all trainable parameters or in those of one
/// layer. Everything is computed from products with vectors, each of which costs two to four
/// gradients of the batch; the matrix itself is never formed.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
/// use geartrain_lab::Curvature;
/// let data = toy::sine::<f64>(64, 0.1, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
/// let network = Network::new(layers)?;
/// let mut curvature = Curvature::new(&network, &MeanSquaredError, data.x(), data.y());
/// let top = curvature.top(3)?;
/// // gradient descent with a learning rate above 2/λ diverges from a minimum of this curvature
/// println!("sharpness {:.2} ± {:.0e}, 2/λ = {:.3}", top.values[0], top.errors[0], 2.0 /
/// top.values[0]); println!("trace {}", curvature.trace(20)?);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug)]
pub struct Curvature<'a, F> {
    network: &'a Network<F>,
    loss: &'a dyn Loss<F>,
    x: &'a ArrayRef2<F>,
    target: &'a ArrayRef2<F>,
    matrix: CurvatureMatrix,
    /// The parameters that count, as ranges of the flat vector.
    ranges: Vec<Range<usize>>,
    /// Factors of the rows and columns.
    scale: Option<Vec<f64>>,
    start: Option<Vec<f64>>,
    tolerance: f64,
    max_products: usize,
    seed: u64,
    workspace: Workspace<F>,
    vector: Vec<F>,
    product: Vec<F>,
}

/// The largest eigenvalues of a matrix, with their vectors.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Eigenpairs {
    /// The eigenvalues, largest first.
    pub values: Vec<f64>,
    /// `|A u − λ u|` for each: A has an eigenvalue at most so far from λ.
    pub errors: Vec<f64>,
    /// The unit eigenvectors u, in the order of [`Network::params`].
    pub vectors: Vec<Vec<f64>>,
    /// The smallest eigenvalue found, an upper bound of the smallest one.
    pub smallest: f64,
    /// Products with a vector that this took.
    pub products: usize,
}

impl<'a, F: Scalar> Curvature<'a, F> {
    /// The Hessian of `loss` for `network` on the batch `x`, `(rows, inputs)`, with `target`, in
    /// all trainable parameters, in training mode: `BatchNorm` uses the batch's statistics, and
    /// `Dropout` has one fixed mask.
    pub fn new(
        network: &'a Network<F>,
        loss: &'a dyn Loss<F>,
        x: &'a ArrayRef2<F>,
        target: &'a ArrayRef2<F>,
    ) -> Self {
        Curvature {
            network,
            loss,
            x,
            target,
            matrix: CurvatureMatrix::Hessian,
            ranges: network.layout().trainable().to_vec(),
            scale: None,
            start: None,
            tolerance: 1e-6,
            max_products: 200,
            seed: 0,
            workspace: Workspace::new(),
            vector: vec![F::zero(); network.params().len()],
            product: vec![F::zero(); network.params().len()],
        }
    }

    /// Sets the matrix. Default: [`CurvatureMatrix::Hessian`].
    pub fn matrix(mut self, matrix: CurvatureMatrix) -> Self {
        self.matrix = matrix;
        self
    }

    /// The block of the trainable parameters of the layer or parameter called `name`, such as `2`
    /// or
    /// `2.weight`. Default: all trainable parameters.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`] if there are none.
    pub fn layer(mut self, name: &str) -> Result<Self, Error> {
        let inside = |parameter: &str| {
            parameter.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let layout = self.network.layout();
        let chosen = layout.iter().filter(|(spec, _)| spec.trainable && inside(&spec.name));
        self.ranges = chosen.map(|(_, range)| range).collect();
        if self.ranges.is_empty() {
            layout.find(name)?;
        }
        Ok(self)
    }

    /// Measures `D A D` instead of A, where D is diagonal with `factors`, in the order of
    /// [`Network::params`]: with `1/√p` for a preconditioner p, the curvature that an optimizer
    /// such as Adam descends on.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many factors as parameters.
    pub fn scaled(mut self, factors: Vec<f64>) -> Result<Self, Error> {
        same_shape("factors", &[self.network.params().len()], &[factors.len()])?;
        self.scale = Some(factors);
        Ok(self)
    }

    /// Sets a first guess of the top eigenvector, in the order of [`Network::params`], such as that
    /// of an earlier step of training. Default: random.
    ///
    /// # Errors
    /// [`Error::Shape`] if it has another length than the parameters.
    pub fn start(mut self, vector: Vec<f64>) -> Result<Self, Error> {
        same_shape("start", &[self.network.params().len()], &[vector.len()])?;
        self.start = Some(vector);
        Ok(self)
    }

    /// Sets the relative error of eigenvalues at which [`top`](Curvature::top) stops. Default:
    /// 1e-6.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the number of products after which [`top`](Curvature::top) stops in any case; the
    /// errors are then larger. Default: 200.
    pub fn max_products(mut self, products: usize) -> Self {
        self.max_products = products;
        self
    }

    /// Sets the seed of random vectors. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The number of rows of the matrix: the number of parameters that count.
    pub fn dimension(&self) -> usize {
        self.ranges.iter().map(|range| range.len()).sum()
    }

    /// The matrix times `vector`, both in the order of [`Network::params`]. Entries of parameters
    /// that do not count are ignored, and 0 in the product.
    ///
    /// # Errors
    /// As [`Network::hessian_vector_product`].
    pub fn product(&mut self, vector: &[f64]) -> Result<Vec<f64>, Error> {
        same_shape("vector", &[self.network.params().len()], &[vector.len()])?;
        let product = self.short_product(&self.shorten(vector))?;
        Ok(self.lengthen(&product))
    }

    /// The entries that count.
    fn shorten(&self, vector: &[f64]) -> Vec<f64> {
        self.ranges.iter().map(|range| &vector[range.clone()]).collect::<Vec<_>>().concat()
    }

    fn lengthen(&self, short: &[f64]) -> Vec<f64> {
        let (mut vector, mut rest) = (vec![0.0; self.network.params().len()], short);
        for range in &self.ranges {
            let (values, after) = rest.split_at(range.len());
            vector[range.clone()].copy_from_slice(values);
            rest = after;
        }
        vector
    }

    fn short_product(&mut self, short: &[f64]) -> Result<Vec<f64>, Error> {
        let scaled = |mut vector: Vec<f64>, scale: &Option<Vec<f64>>| {
            let factors = scale.iter().flatten();
            vector.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
            vector
        };
        let long = scaled(self.lengthen(short), &self.scale);
        self.vector.iter_mut().zip(long).for_each(|(to, value)| *to = F::of(value));
        let multiply = match self.matrix {
            CurvatureMatrix::Hessian => Network::hessian_vector_product,
            CurvatureMatrix::GaussNewton => Network::gauss_newton_vector_product,
        };
        let Curvature { network, loss, x, target, workspace, vector, product, .. } = self;
        multiply(network, *loss, x, target, vector, workspace, product)?;
        let product = self.product.iter().map(|value| value.as_f64()).collect();
        Ok(self.shorten(&scaled(product, &self.scale)))
    }

    /// The `k` largest eigenvalues and their vectors, by the Lanczos method with full
    /// orthogonalisation. Stops when every error is below [`tolerance`](Curvature::tolerance) times
    /// the largest magnitude of an eigenvalue.
    ///
    /// # Errors
    /// As [`product`](Curvature::product).
    pub fn top(&mut self, k: usize) -> Result<Eigenpairs, Error> {
        let n = self.dimension();
        require(k > 0 && k <= n, "k", "from 1 to the number of parameters", k)?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let start = self.start.as_ref().map(|start| self.shorten(start));
        let start = start.filter(|start| start.iter().any(|v| *v != 0.0));
        let mut lanczos = Lanczos::new(&start.unwrap_or_else(|| normals(n, &mut rng)));
        let most = self.max_products.max(k);
        loop {
            let whole = lanczos.step(&mut rng, |vector| self.short_product(vector))?.is_none();
            let done = whole || lanczos.len() >= most;
            // The eigenvalues of the small matrix cost more than a product once it is large.
            if !done && (lanczos.len() < k || lanczos.len() > 20 && !lanczos.len().is_multiple_of(5)) {
                continue;
            }
            let pairs = lanczos.ritz();
            let size = pairs.iter().fold(0.0, |max: f64, pair| max.max(pair.value.abs()));
            if !size.is_finite() {
                return Err(Error::NonFiniteLoss { value: size });
            }
            let settled =
                pairs[..k.min(pairs.len())].iter().all(|pair| pair.residual <= self.tolerance * size);
            if done || settled {
                let found = &pairs[..k.min(pairs.len())];
                return Ok(Eigenpairs {
                    values: found.iter().map(|pair| pair.value).collect(),
                    errors: found.iter().map(|pair| pair.residual).collect(),
                    vectors: found.iter().map(|pair| self.lengthen(&lanczos.vector(pair))).collect(),
                    smallest: pairs.last().map_or(f64::NAN, |pair| pair.value),
                    products: lanczos.len(),
                });
            }
        }
    }

    /// The trace, from `samples` products with random signs (Hutchinson 1990).
    ///
    /// # Errors
    /// As [`product`](Curvature::product); [`Error::Argument`] for fewer than two samples.
    pub fn trace(&mut self, samples: usize) -> Result<Estimate, Error> {
        let mut traces = Vec::new();
        self.sample(samples, |signs, product| traces.push(dot(signs, product)))?;
        Ok(Estimate::of(&traces))
    }

    /// The diagonal, in the order of [`Network::params`], from `samples` products with random signs
    /// (Bekas et al. 2007). Parameters that do not count have 0 ± 0.
    ///
    /// # Errors
    /// As [`trace`](Curvature::trace).
    pub fn diagonal(&mut self, samples: usize) -> Result<Vec<Estimate>, Error> {
        let n = self.dimension();
        let (mut sums, mut squares) = (vec![0.0; n], vec![0.0; n]);
        self.sample(samples, |signs, product| {
            for (i, (sign, p)) in signs.iter().zip(product).enumerate() {
                sums[i] += sign * p;
                squares[i] += p * p;
            }
        })?;
        let count = samples as f64;
        let means: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let errors: Vec<f64> = means
            .iter()
            .zip(&squares)
            .map(|(mean, square)| ((square / count - mean * mean).max(0.0) / (count - 1.0)).sqrt())
            .collect();
        let all = self.lengthen(&means).into_iter().zip(self.lengthen(&errors));
        Ok(all.map(|(value, error)| Estimate { value, error }).collect())
    }

    /// Calls `take` with random signs and the product with them.
    fn sample(&mut self, samples: usize, mut take: impl FnMut(&[f64], &[f64])) -> Result<(), Error> {
        require(samples >= 2, "samples", "at least 2", samples)?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        for _ in 0..samples {
            let signs: Vec<f64> =
                (0..self.dimension()).map(|_| if rng.random() { 1.0 } else { -1.0 }).collect();
            take(&signs, &self.short_product(&signs)?);
        }
        Ok(())
    }

    /// `dᵀ A d / dᵀ d`, the curvature along `direction` (in the order of [`Network::params`]), such
    /// as the gradient or a step of an optimizer; 0 for a direction of 0. A step of gradient
    /// descent reduces the quadratic model of the loss if the learning rate is below 2 over the
    /// curvature along the gradient. That is *not* the largest eigenvalue: during training the two
    /// differ by large factors, except where the gradient lies in the sharpest direction.
    ///
    /// # Errors
    /// As [`product`](Curvature::product).
    pub fn along(&mut self, direction: &[F]) -> Result<f64, Error> {
        same_shape("direction", &[self.network.params().len()], &[direction.len()])?;
        let direction = self.shorten(&direction.iter().map(|d| d.as_f64()).collect::<Vec<_>>());
        let length = norm(&direction);
        if length == 0.0 {
            return Ok(0.0);
        }
        let unit: Vec<f64> = direction.iter().map(|d| d / length).collect();
        Ok(dot(&unit, &self.short_product(&unit)?))
    }
}

/// `n` standard normal numbers.
fn normals(n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..n).map(|_| StandardNormal.sample(rng)).collect()
}
