//! The gradient of a residual network by path length.

use ndarray::{Array2, ArrayRef2, ArrayView2};

use crate::numbers::{entries, norm};
use crate::tape::Tape;
use geartrain::error::same_shape;
use geartrain::layer::Kind;
use geartrain::{Error, Network, Scalar};

/// The gradient of a residual network, split by the number of branches on a path (Veit et al.
/// 2016).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PathSpectrum {
    /// `|G_k|`, the norm of the contribution of all paths through exactly k branches to the
    /// gradient at the network's input.
    pub lengths: Vec<f64>,
    /// The norm of the sum of all contributions, which is the gradient.
    pub total: f64,
}

/// Splits the gradient at the input of `network`, for the gradient `dy`, `(rows, outputs)`, at its
/// output, by path length. Only skip connections on the main path count. The result is exact: every
/// part of the gradient is propagated around each branch and through it, so that the cost grows
/// with the square of the depth.
///
/// # Errors
/// As [`Network::predict`]; [`Error::Shape`] if `dy` has another shape than the output.
pub fn path_spectrum<F: Scalar>(
    network: &Network<F>,
    x: &ArrayRef2<F>,
    dy: &ArrayRef2<F>,
) -> Result<PathSpectrum, Error> {
    let mut tape = Tape::new(network, x.view())?;
    same_shape("dy", tape.output.shape(), dy.shape())?;
    Ok(path_spectrum_on(&mut tape, dy.view()))
}

/// The same on a recorded pass; `dy` must have the shape of its output.
pub(crate) fn path_spectrum_on<F: Scalar>(tape: &mut Tape<F>, dy: ArrayView2<F>) -> PathSpectrum {
    let back =
        |tape: &mut Tape<F>, begin, end, dy| tape.backward_between(begin, end, dy, &mut |_, _, _| {}).matrix;
    let mut parts = vec![dy.as_standard_layout().into_owned()];
    let mut end = tape.steps.len();
    while end > 0 {
        let i = end - 1;
        if let (Kind::Residual { scale }, Some(body)) = (tape.steps[i].kind, tape.steps[i].body) {
            // every part continues around the branch, and through it as a longer path
            let branch = |part: &Array2<F>| back(tape, body, i, part.mapv(|v| F::of(scale) * v));
            let longer: Vec<_> = parts.iter().map(branch).collect();
            parts.push(Array2::zeros(tape.steps[i].x.dim()));
            parts[1..].iter_mut().zip(longer).for_each(|(part, longer)| *part += &longer);
            end = body;
        } else {
            parts = parts.into_iter().map(|part| back(tape, i, end, part)).collect();
            end = i;
        }
    }
    let total = parts.iter().fold(Array2::<F>::zeros(tape.input.dim()), |sum, part| sum + part);
    let lengths = parts.iter().map(|part| norm(entries(part))).collect();
    PathSpectrum { lengths, total: norm(entries(&total)) }
}
