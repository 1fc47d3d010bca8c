//! The gradient noise scale.

use ndarray::{ArrayRef2, Axis};

use crate::curvature::{Estimate, dot};
use geartrain::error::require;
use geartrain::network::Workspace;
use geartrain::{Error, Loss, Network, Scalar};

/// The noise of the gradient at one point (McCandlish et al. 2018).
///
/// With Σ the covariance of the gradients of single rows and G their mean, the *noise scale*
/// `tr Σ / |G|²` is the batch size at which noise and signal of a batch's gradient are equal. Much
/// smaller batches need as many times more steps; much larger ones save nearly none.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct NoiseScale {
    /// `tr Σ`, unbiased.
    pub trace: f64,
    /// `|G|²`, unbiased: it may be negative where noise dominates.
    pub squared_norm: Estimate,
    /// `tr Σ / |G|²` in rows. `None` where `|G|²` is not three standard errors above 0, because the
    /// quotient of two such numbers means nothing.
    pub rows: Option<Estimate>,
}

/// The noise scale of `network` on the batch `x` with `target`, from the gradients of `parts` equal
/// parts of the batch, whose rows must be in random order. Costs about as much as one gradient of
/// the whole batch. Standard errors are those of the jackknife over the parts.
///
/// # Errors
/// [`Error::Argument`] unless there are at least 4 parts, with rows for each; as
/// [`Network::gradients`].
pub fn noise_scale<F: Scalar>(
    network: &Network<F>,
    loss: &dyn Loss<F>,
    x: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
    parts: usize,
) -> Result<NoiseScale, Error> {
    require(parts >= 4 && parts <= x.nrows(), "parts", "from 4 to the number of rows", parts)?;
    let rows = x.nrows() / parts;
    let mut workspace = Workspace::new();
    let mut gradients: Vec<Vec<f64>> = Vec::with_capacity(parts);
    for part in 0..parts {
        let rows = part * rows..(part + 1) * rows;
        let part = |matrix: &ArrayRef2<F>| matrix.slice_axis(Axis(0), rows.clone().into()).to_owned();
        network.gradients(loss, &part(x), &part(target), &mut workspace, None)?;
        gradients.push(workspace.grads.iter().map(|g| g.as_f64()).collect());
    }
    let mut total = vec![0.0; gradients[0].len()];
    for gradient in &gradients {
        total.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
    }
    // With K_ij = g_i · g_j: the mean of K_ii is |G|² + tr Σ / rows, and that of K_ij is |G|².
    let own: Vec<f64> = gradients.iter().map(|g| dot(g, g)).collect();
    let others: Vec<f64> = gradients.iter().zip(&own).map(|(g, own)| dot(g, &total) - own).collect();
    let (n, sum_own, sum_others) = (parts as f64, own.iter().sum::<f64>(), others.iter().sum::<f64>());
    let of = |own: f64, others: f64, n: f64| {
        let (own, squared_norm) = (own / n, others / (n * (n - 1.0)));
        let trace = rows as f64 * (own - squared_norm);
        [squared_norm, trace, trace / squared_norm]
    };
    let [squared_norm, trace, scale] = of(sum_own, sum_others, n);
    let without: Vec<[f64; 3]> =
        (0..parts).map(|i| of(sum_own - own[i], sum_others - 2.0 * others[i], n - 1.0)).collect();
    let error = |k: usize| {
        let mean = without.iter().map(|w| w[k]).sum::<f64>() / n;
        ((n - 1.0) / n * without.iter().map(|w| (w[k] - mean).powi(2)).sum::<f64>()).sqrt()
    };
    let squared_norm = Estimate { value: squared_norm, error: error(0) };
    let reliable = squared_norm.value > 3.0 * squared_norm.error;
    let rows = reliable.then(|| Estimate { value: scale, error: error(2) });
    Ok(NoiseScale { trace, squared_norm, rows })
}
