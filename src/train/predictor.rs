//! Scale, train, and keep what belongs together, in one call.

use super::Training;
use crate::data::{Dataset, Scaling};
use crate::{Error, Loss, Network, Optimizer, Predictor, Scalar};

impl<F: Scalar, L: Loss<F>, O: Optimizer<F>> Training<'_, F, L, O> {
    /// Scales the rows of `data`, trains `network` on them, and returns it with its scalers, the
    /// names of columns and classes, and fill values: a model that predicts from unscaled rows.
    ///
    /// Targets are scaled as well, unless they are class indices ([`Dataset::classes`]). Scaling is
    /// done in the type of `data`: `f64` keeps the digits of numbers such as time stamps. The
    /// [history](Training::history) stays here.
    ///
    /// A [validation](Training::validation) set has to be scaled like the training rows: fit
    /// a [`Scaling`], apply it to both, train with [`fit`](Training::fit) and use
    /// [`Predictor::with_scaling`].
    ///
    /// # Errors
    /// As [`fit`](Training::fit); [`Error::Data`] for numbers that are not finite.
    ///
    /// ```
    /// use geartrain::{data::Csv, prelude::*};
    ///
    /// let fish = Dataset::<f64>::from_csv_classes("data/iris.csv", &Csv::new("species"))?;
    /// let layers = Sequential::new().then(Linear::new(4, 8)).then(Tanh).then(Linear::new(8, 3));
    /// let mut training = Training::new(CrossEntropy, Adam::new(0.02)).epochs(40).progress(false);
    /// let model = training.fit_predictor(Network::<f32>::new(layers)?, &fish)?;
    /// let first = model.predict_classes(fish.x())?[0];
    /// assert_eq!(model.classes()[first], "setosa");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn fit_predictor<G: Scalar>(
        &mut self,
        mut network: Network<F>,
        data: &Dataset<G>,
    ) -> Result<Predictor<F>, Error> {
        let scaling = Scaling::fit(data)?;
        self.fit(&mut network, &scaling.apply(data)?)?;
        Predictor::new(network).with_scaling(scaling)
    }
}
