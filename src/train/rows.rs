//! Where the rows of a training run are, and where its gradients are computed.

use std::fmt::Debug;

use ndarray::{Array2, ArrayView2, Axis};

use crate::data::{Batch, Dataset, Order};
use crate::network::Workspace;
use crate::{Error, Loss, Network, Scalar, random};

/// The rows of a training run, for [`Training::fit_rows`](super::Training::fit_rows): in one data
/// set, or on several machines, each of which runs the same training with its part of the rows.
///
/// All processes of a run call the same methods in the same order, and every method that returns
/// numbers must return the same bits in all of them. The order of rows comes from
/// [`Training`](super::Training); implementations only find the rows.
pub trait Rows<F: Scalar>: Debug {
    /// Rows in all places together.
    fn rows(&self) -> usize;

    /// A text that differs if the numbers differ, and does not depend on where the rows are. A
    /// checkpoint stores it.
    ///
    /// # Errors
    /// If another process failed.
    fn fingerprint(&mut self) -> Result<String, Error>;

    /// Checks the rows before the first step: that `network` and `loss` accept them, and that all
    /// numbers are finite, unless `allow_non_finite`.
    ///
    /// # Errors
    /// The same in every process.
    fn check(
        &mut self,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        allow_non_finite: bool,
    ) -> Result<(), Error>;

    /// Prepares the batch `index` of `order`, which has been shuffled for its epoch.
    ///
    /// # Errors
    /// If rows cannot be had.
    fn load(
        &mut self,
        order: &Order,
        index: usize,
        network: &Network<F>,
        loss: &dyn Loss<F>,
    ) -> Result<(), Error>;

    /// The inputs and targets of the batch, or the part of them that this process holds.
    fn batch(&self) -> (ArrayView2<'_, F>, ArrayView2<'_, F>);

    /// The loss of the whole batch; writes its gradient to
    /// [`workspace.grads`](Workspace::grads).
    ///
    /// # Errors
    /// As [`Network::gradients`].
    fn gradients(
        &mut self,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        workspace: &mut Workspace<F>,
    ) -> Result<f64, Error>;

    /// The network's outputs for all rows, and their targets, for metrics on the training rows.
    ///
    /// # Errors
    /// As [`Network::predict`], or because no process has all rows.
    fn predict(&self, network: &Network<F>) -> Result<(Array2<F>, Array2<F>), Error>;

    /// Whether the stop flag is set in any process. Default: `stop`, that of this process.
    fn stops(&mut self, stop: bool) -> bool {
        stop
    }

    /// Whether this process writes checkpoints. Default: `true`.
    fn writes(&self) -> bool {
        true
    }

    /// The result of this process, or the error of another one. Default: `result`.
    ///
    /// # Errors
    /// In every process, if one has an error.
    fn agree(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        result
    }
}

/// All rows in one data set, computed here.
#[derive(Debug)]
pub(super) struct LocalRows<'a, F> {
    data: &'a Dataset<F>,
    batch: Batch<F>,
}

impl<'a, F: Scalar> LocalRows<'a, F> {
    pub fn new(data: &'a Dataset<F>) -> Self {
        LocalRows { data, batch: Batch::new(data, 0) }
    }
}

impl<F: Scalar> Rows<F> for LocalRows<'_, F> {
    fn rows(&self) -> usize {
        self.data.rows()
    }

    fn fingerprint(&mut self) -> Result<String, Error> {
        Ok(fingerprint(self.data))
    }

    fn check(
        &mut self,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        allow_non_finite: bool,
    ) -> Result<(), Error> {
        check(self.data, network, loss, allow_non_finite)
    }

    fn load(&mut self, order: &Order, index: usize, _: &Network<F>, _: &dyn Loss<F>) -> Result<(), Error> {
        if self.batch.capacity() < order.largest() {
            self.batch = Batch::new(self.data, order.largest());
        }
        self.batch.load(self.data, order, index);
        Ok(())
    }

    fn batch(&self) -> (ArrayView2<'_, F>, ArrayView2<'_, F>) {
        self.batch.get(self.data)
    }

    fn gradients(
        &mut self,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        workspace: &mut Workspace<F>,
    ) -> Result<f64, Error> {
        let (x, y) = self.batch.get(self.data);
        network.gradients(loss, &x, &y, workspace, None)
    }

    fn predict(&self, network: &Network<F>) -> Result<(Array2<F>, Array2<F>), Error> {
        Ok((network.predict(self.data.x())?, self.data.y().to_owned()))
    }
}

/// Finds every error of `data` that can be found before the first step.
pub(super) fn check<F: Scalar>(
    data: &Dataset<F>,
    network: &Network<F>,
    loss: &dyn Loss<F>,
    allow_non_finite: bool,
) -> Result<(), Error> {
    if !allow_non_finite {
        data.check_finite()?;
    }
    let output = network.predict(&data.x().slice_axis(Axis(0), (..1).into()))?;
    // All targets at once, so that an error names the row of the data, not of a shuffled batch.
    let outputs = output.broadcast((data.rows(), network.outputs())).expect("one row, repeated");
    loss.check(&outputs, data.y())
}

/// The sizes, and a hash of all numbers.
pub(super) fn fingerprint<F: Scalar>(data: &Dataset<F>) -> String {
    let hash = random::hash(data.x().iter().chain(data.y().iter()).map(|value| value.as_f64()));
    format!("{} rows of {} + {} columns, hash {hash:016x}", data.rows(), data.features(), data.outputs())
}
