//! The tangent kernel, and training as it predicts.

use std::convert::Infallible;

use ndarray::{Array1, Array2, ArrayRef2, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Lanczos, normals};
use crate::chart::{Chart, Series};
use crate::numbers::norm;
use geartrain::error::same_shape;
use geartrain::loss::MeanSquaredError;
use geartrain::network::Workspace;
use geartrain::optim::Sgd;
use geartrain::{Error, Network, Optimizer, Scalar};

/// The empirical neural tangent kernel (Jacot et al. 2018) of a network on a batch: the Gram matrix
/// `K = J Jᵀ` of the gradients of all outputs in all trainable parameters.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TangentKernel {
    /// `K`, square and symmetric; output o of row r is at `r · outputs + o`.
    pub matrix: Array2<f64>,
}

impl TangentKernel {
    /// The kernel on the batch `x`, `(rows, inputs)`. Takes one backward pass for each entry of the
    /// output.
    ///
    /// # Errors
    /// As [`Network::vjp`].
    pub fn new<F: Scalar>(network: &Network<F>, x: &ArrayRef2<F>) -> Result<Self, Error> {
        let outputs = network.outputs();
        let unit = |o: usize| move |column: usize| if column == o { F::one() } else { F::zero() };
        let units: Vec<Array1<F>> = (0..outputs).map(|o| Array1::from_shape_fn(outputs, unit(o))).collect();
        TangentKernel::of_outputs(network, x, &units)
    }

    /// The kernel of one random combination of the outputs: as many backward passes as rows.
    pub(crate) fn projected<F: Scalar>(network: &Network<F>, x: &ArrayRef2<F>) -> Result<Self, Error> {
        let direction = normals(network.outputs(), &mut ChaCha8Rng::seed_from_u64(0));
        TangentKernel::of_outputs(network, x, &[direction.into_iter().map(F::of).collect()])
    }

    fn of_outputs<F: Scalar>(
        network: &Network<F>,
        x: &ArrayRef2<F>,
        directions: &[Array1<F>],
    ) -> Result<Self, Error> {
        let (rows, trainable) = (x.nrows(), network.layout().trainable());
        let count = trainable.iter().map(|range| range.len()).sum();
        let mut jacobian = Array2::zeros((rows * directions.len(), count));
        // BatchNorm couples the rows of a batch; other layers need a row at a time.
        let together = network.min_batch_size() > 1;
        for row in 0..rows {
            for (o, direction) in directions.iter().enumerate() {
                let mut dy = Array2::zeros((if together { rows } else { 1 }, network.outputs()));
                dy.row_mut(if together { row } else { 0 }).assign(direction);
                let inputs = if together { x.view() } else { x.slice_axis(Axis(0), (row..row + 1).into()) };
                let (grads, _) = network.vjp(&inputs, &dy)?;
                let entries = trainable.iter().flat_map(|range| &grads[range.clone()]);
                let into = jacobian.row_mut(row * directions.len() + o);
                into.into_iter().zip(entries).for_each(|(entry, g)| *entry = g.as_f64());
            }
        }
        Ok(TangentKernel { matrix: jacobian.dot(&jacobian.t()) })
    }

    /// The eigenvalues, largest first: the rates at which the components of the error decay.
    pub fn eigenvalues(&self) -> Vec<f64> {
        let n = self.matrix.nrows();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut lanczos = Lanczos::new(&normals(n, &mut rng));
        let product = |v: &[f64]| Ok::<_, Infallible>(self.matrix.dot(&Array1::from(v.to_vec())).to_vec());
        while let Ok(Some(())) = lanczos.step(&mut rng, product) {}
        lanczos.ritz().iter().map(|pair| pair.value).collect()
    }

    /// `|K − K₀| / |K₀|` in the Frobenius norm: the change of the kernel since `K₀`, an earlier
    /// kernel of the same size. It falls as one over the width in networks so wide that they train
    /// as their linearisation does.
    pub fn change_from(&self, earlier: &TangentKernel) -> f64 {
        let length = |matrix: &Array2<f64>| norm(&matrix.iter().copied().collect::<Vec<_>>());
        length(&(&self.matrix - &earlier.matrix)) / length(&earlier.matrix)
    }

    /// The mean squared errors of the linearised network over `steps` steps of gradient descent
    /// with the learning rate `rate` on the whole batch, from the errors `output − target` before,
    /// `(rows, outputs)`; the first is that of the start. With m errors e, a step is
    /// `e ← e − (2 rate / m) K e`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many errors as rows of the kernel.
    pub fn training_curve(
        &self,
        errors: &ArrayRef2<f64>,
        rate: f64,
        steps: usize,
    ) -> Result<Vec<f64>, Error> {
        same_shape("errors", &[self.matrix.nrows()], &[errors.len()])?;
        let mut e: Array1<f64> = errors.iter().copied().collect();
        let m = e.len() as f64;
        let mut curve = vec![e.dot(&e) / m];
        for _ in 0..steps {
            let change = self.matrix.dot(&e);
            e.scaled_add(-2.0 * rate / m, &change);
            curve.push(e.dot(&e) / m);
        }
        Ok(curve)
    }
}

/// Training of a network beside that of its linearisation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Linearisation {
    /// The mean squared error before each step and at the end.
    pub losses: Vec<f64>,
    /// The same as the tangent kernel at the start predicts.
    pub predicted: Vec<f64>,
    /// The kernel at the start.
    pub kernel: TangentKernel,
    /// The relative change of the kernel over training.
    pub kernel_change: f64,
}

impl Linearisation {
    /// A chart of both training curves. An SVG document.
    pub fn svg(&self, title: &str) -> String {
        self.chart(title).svg(true)
    }

    pub(crate) fn chart(&self, title: &str) -> Chart {
        let line =
            |losses: &[f64]| losses.iter().enumerate().map(|(i, l)| (i as f64, l.log10(), 0.0)).collect();
        let real = Series {
            name: "network".into(),
            note: format!("its kernel changes by {:.1} %", 100.0 * self.kernel_change),
            line: line(&self.losses),
            ..Series::default()
        };
        let predicted = Series {
            name: "linearised".into(),
            note: "by the tangent kernel at the start".into(),
            line: line(&self.predicted),
            colour: 1,
            dashed: true,
            ..Series::default()
        };
        Chart {
            title: title.into(),
            x_label: "step of gradient descent".into(),
            y_label: "loss".into(),
            logarithmic: true,
            series: vec![real, predicted],
        }
    }
}

/// Trains a copy of `network` by gradient descent on the whole batch, on the mean squared error,
/// and predicts its training curve from the tangent kernel at the start.
///
/// # Errors
/// As [`Network::loss_and_gradients`] and [`Optimizer::step`], also if training diverges.
pub fn linearise<F: Scalar>(
    network: &Network<F>,
    x: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
    rate: f64,
    steps: usize,
) -> Result<Linearisation, Error> {
    let mut trained = network.clone();
    let pass = network.loss_and_gradients(&MeanSquaredError, x, target)?;
    let kernel = TangentKernel::new(network, x)?;
    let errors = pass.output.mapv(F::as_f64) - target.mapv(F::as_f64);
    let predicted = kernel.training_curve(&errors, rate, steps)?;
    let (mut sgd, mut workspace, mut losses) = (Sgd::new(rate), Workspace::new(), Vec::new());
    for _ in 0..steps {
        losses.push(trained.gradients(&MeanSquaredError, x, target, &mut workspace, None)?);
        sgd.step(trained.params_mut(), &workspace.grads)?;
    }
    losses.push(trained.gradients(&MeanSquaredError, x, target, &mut workspace, None)?);
    let kernel_change = TangentKernel::new(&trained, x)?.change_from(&kernel);
    Ok(Linearisation { losses, predicted, kernel, kernel_change })
}
