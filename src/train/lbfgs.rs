//! Full-batch training with L-BFGS.

use crate::data::Dataset;
use crate::error::require;
use crate::network::Workspace;
use crate::optim::{Lbfgs, Minimum};
use crate::{Error, Loss, Network, Scalar};

impl Lbfgs {
    /// Trains `network` on all rows of `data` at once. Random layers use the same key in every
    /// evaluation, so dropout would train one fixed part of the network.
    ///
    /// ```
    /// use geartrain::optim::Lbfgs;
    /// use geartrain::{data::toy, prelude::*};
    ///
    /// let data = toy::sine::<f64>(100, 0.0, 1)?;
    /// let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
    /// let mut network = Network::new(layers)?;
    /// let minimum = Lbfgs::new().max_iterations(200).fit(&mut network, &MeanSquaredError, &data)?;
    /// assert!(minimum.value < 1e-3);
    /// # Ok::<(), geartrain::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`minimize`](Lbfgs::minimize); [`Error::Argument`] for a network with running statistics
    /// (`BatchNorm`), which need mini-batches; data or weights that are not finite or do not fit
    /// the network or the loss. The network keeps its last finite weights.
    pub fn fit<F: Scalar>(
        &self,
        network: &mut Network<F>,
        loss: &dyn Loss<F>,
        data: &Dataset<F>,
    ) -> Result<Minimum, Error> {
        for (spec, _) in network.layout().iter() {
            require(spec.trainable, "network", "without running statistics for L-BFGS", &spec.name)?;
        }
        network.layout().check_finite("weight", network.params())?;
        data.check_finite()?;
        let mut workspace = Workspace::new();
        let mut x = network.params().to_vec();
        let result = self.minimize(&mut x, |x: &[F], gradient: &mut [F]| {
            network.params_mut().copy_from_slice(x);
            let value = network.gradients(loss, data.x(), data.y(), &mut workspace, None)?;
            gradient.copy_from_slice(&workspace.grads);
            Ok(value)
        });
        network.params_mut().copy_from_slice(&x);
        result
    }
}
