//! Initialisation of parameters.

use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Uniform};

use crate::error::require;
use crate::params::ParamSpec;
use crate::{Error, Scalar, random};

/// How a parameter is drawn, from its fan-in *n* and fan-out *m* (the inputs and outputs of its
/// layer).
///
/// | scheme | normal: standard deviation | uniform: bound | source |
/// |---|---|---|---|
/// | Xavier (Glorot) | √(2 / (n + m)) | √(6 / (n + m)) | Glorot and Bengio 2010 |
/// | He (Kaiming) | √(2 / n) | √(6 / n) | He et al. 2015 |
/// | LeCun | √(1 / n) | √(3 / n) | LeCun et al. 1998 |
///
/// A uniform scheme has the variance of the normal one: (bound)² / 3. Numbers are drawn in `f64`
/// and rounded, so an `f32` network starts where the `f64` network with the same seed does.
///
/// ```
/// use geartrain::{Init, layers::Linear};
/// let layer = Linear::new(7, 64).init(Init::he_normal());
/// let wide = Linear::new(7, 64).init(Init::orthogonal().gain(4.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Init {
    scheme: Scheme,
    gain: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scheme {
    Constant,
    Normal(Scale),
    Uniform(Scale),
    Orthogonal,
}

/// The standard deviation of a draw.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Fixed(f64),
    Xavier,
    He,
    LeCun,
    TorchLinear,
}

impl Scale {
    fn standard_deviation(self, (inputs, outputs): (usize, usize)) -> f64 {
        let (inputs, outputs) = (inputs as f64, outputs as f64);
        match self {
            Scale::Fixed(deviation) => deviation,
            Scale::Xavier => (2.0 / (inputs + outputs)).sqrt(),
            Scale::He => (2.0 / inputs).sqrt(),
            Scale::LeCun => (1.0 / inputs).sqrt(),
            Scale::TorchLinear => (1.0 / (3.0 * inputs)).sqrt(),
        }
    }
}

impl Init {
    const fn new(scheme: Scheme) -> Self {
        Init { scheme, gain: 1.0 }
    }

    /// Every entry is `value`.
    pub const fn constant(value: f64) -> Self {
        Init { scheme: Scheme::Constant, gain: value }
    }

    /// Normal with mean 0 and this standard deviation.
    pub const fn normal(standard_deviation: f64) -> Self {
        Init::new(Scheme::Normal(Scale::Fixed(standard_deviation)))
    }

    /// Xavier (Glorot) normal: variance 2 / (n + m).
    pub const fn xavier_normal() -> Self {
        Init::new(Scheme::Normal(Scale::Xavier))
    }

    /// Xavier (Glorot) uniform: bound √(6 / (n + m)).
    pub const fn xavier_uniform() -> Self {
        Init::new(Scheme::Uniform(Scale::Xavier))
    }

    /// He (Kaiming) normal: variance 2 / n.
    pub const fn he_normal() -> Self {
        Init::new(Scheme::Normal(Scale::He))
    }

    /// He (Kaiming) uniform: bound √(6 / n).
    pub const fn he_uniform() -> Self {
        Init::new(Scheme::Uniform(Scale::He))
    }

    /// LeCun normal: variance 1 / n.
    pub const fn lecun_normal() -> Self {
        Init::new(Scheme::Normal(Scale::LeCun))
    }

    /// LeCun uniform: bound √(3 / n).
    pub const fn lecun_uniform() -> Self {
        Init::new(Scheme::Uniform(Scale::LeCun))
    }

    /// Orthonormal rows or columns, whichever are fewer, uniform over all such matrices (Saxe et
    /// al. 2014).
    pub const fn orthogonal() -> Self {
        Init::new(Scheme::Orthogonal)
    }

    /// PyTorch's default for the weight and the bias of `Linear`: uniform with bound 1 / √n, that
    /// is variance 1 / (3n).
    pub const fn torch_linear() -> Self {
        Init::new(Scheme::Uniform(Scale::TorchLinear))
    }

    /// The same scheme with every entry multiplied by `gain`.
    pub const fn gain(self, gain: f64) -> Self {
        Init { scheme: self.scheme, gain: self.gain * gain }
    }

    /// Checks that every number is finite and no standard deviation is negative.
    pub(crate) fn check(self) -> Result<(), Error> {
        require(self.gain.is_finite(), "gain", "a finite number", self.gain)?;
        if let Scheme::Normal(Scale::Fixed(deviation)) = self.scheme {
            let holds = deviation.is_finite() && deviation >= 0.0;
            require(holds, "standard deviation", "a finite number ≥ 0", deviation)?;
        }
        Ok(())
    }

    /// Draws `spec`'s tensor into `values`, which lie in column-major order.
    pub(crate) fn fill<F: Scalar>(self, spec: &ParamSpec, values: &mut [F], rng: &mut ChaCha8Rng) {
        let columns = spec.shape.last().copied().unwrap_or(1);
        let shape = (spec.len() / columns.max(1), columns);
        let drawn = match self.scheme {
            Scheme::Constant => Array2::ones(shape),
            Scheme::Normal(scale) => {
                let deviation = scale.standard_deviation(spec.fans);
                Array2::from_shape_simple_fn(shape, || deviation * random::normal(rng))
            }
            Scheme::Uniform(scale) => {
                let bound = 3_f64.sqrt() * scale.standard_deviation(spec.fans);
                let uniform = Uniform::new(-bound, bound).expect("fans are finite and positive");
                Array2::from_shape_simple_fn(shape, || uniform.sample(rng))
            }
            Scheme::Orthogonal => orthogonal(shape, rng),
        };
        for (value, &draw) in values.iter_mut().zip(drawn.t()) {
            *value = F::of(self.gain * draw);
        }
    }
}

/// The Q factor of a Gaussian matrix by modified Gram-Schmidt, each vector done twice so that
/// rounding does not spoil the angles. Without the signs that a QR routine may flip, Q is uniform
/// (Mezzadri 2007).
fn orthogonal((rows, columns): (usize, usize), rng: &mut ChaCha8Rng) -> Array2<f64> {
    if rows > columns {
        return orthogonal((columns, rows), rng).reversed_axes();
    }
    let mut q = Array2::from_shape_simple_fn((rows, columns), || random::normal(rng));
    for i in 0..rows {
        let (done, mut rest) = q.view_mut().split_at(ndarray::Axis(0), i);
        let mut vector = rest.row_mut(0);
        for _ in 0..2 {
            for unit in done.rows() {
                let overlap = unit.dot(&vector);
                vector.scaled_add(-overlap, &unit);
            }
            let length = f64::sqrt(vector.dot(&vector));
            vector /= length;
        }
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn orthogonal_matrices_have_orthonormal_rows_or_columns() {
        for shape in [(5, 5), (3, 8), (8, 3), (1, 4), (64, 64)] {
            let q = orthogonal(shape, &mut ChaCha8Rng::seed_from_u64(1));
            assert_eq!(q.dim(), shape);
            let product = if shape.0 > shape.1 { q.t().dot(&q) } else { q.dot(&q.t()) };
            let error = &product - &Array2::<f64>::eye(shape.0.min(shape.1));
            assert!(error.iter().all(|e| e.abs() < 1e-14), "{shape:?}: {error}");
        }
    }
}
