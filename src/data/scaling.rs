//! Everything that is learned from the training rows and belongs to the model.

use ndarray::{Array2, ArrayView2};

use super::dataset::Dataset;
use super::scaler::StandardScaler;
use crate::Scalar;
use crate::error::data::DataError;

/// The scalers of inputs and targets with the names, classes and fill values of a data set: learned
/// from the training rows, applied to any rows, and kept with the model by
/// [`Predictor::with_scaling`](crate::Predictor::with_scaling).
///
/// Inputs are scaled to mean 0 and standard deviation 1, and so are targets, except class indices.
/// Scaling is done in `f64`, then rounded: read large numbers such as time stamps as `f64`, and
/// train in `f32`.
///
/// ```
/// use geartrain::{data::{Csv, Scaling}, prelude::*};
///
/// let csv = Csv::new("mpg").drop_columns(["name"]);
/// let cars = Dataset::<f64>::from_csv("data/auto-mpg.csv", &csv)?;
/// let (train, test) = cars.split(0.2, 7)?;
/// let scaling = Scaling::fit(&train)?;
/// let train: Dataset<f32> = scaling.apply(&train)?;
/// let watched: Dataset<f32> = scaling.apply(&test)?;
///
/// let layers = Sequential::new().then(Linear::new(7, 8)).then(Tanh).then(Linear::new(8, 1));
/// let mut network = Network::new(layers)?;
/// let training = Training::new(MeanSquaredError, Adam::new(0.01)).epochs(3).progress(false);
/// training.validation(&watched).fit(&mut network, &train)?;
/// let model = Predictor::new(network).with_scaling(scaling)?;
/// assert_eq!(model.feature_names()[0], "cyl");
/// assert_eq!(model.predict(test.x())?.dim(), (78, 1));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    pub(crate) x: StandardScaler,
    pub(crate) y: Option<StandardScaler>,
    pub(crate) feature_names: Vec<String>,
    pub(crate) target_names: Vec<String>,
    pub(crate) classes: Vec<String>,
    pub(crate) fill: Option<Vec<f64>>,
}

impl Scaling {
    /// Learns from the training rows. A data set with [`classes`](Dataset::classes) keeps its
    /// targets. Gaps are filled with the mean or median of these rows before the scale is learned.
    ///
    /// # Errors
    /// As [`StandardScaler::fit`].
    pub fn fit<F: Scalar>(train: &Dataset<F>) -> Result<Self, DataError> {
        let filled = train.fill().map(|_| train.clone().learn_fill());
        let train = filled.as_ref().unwrap_or(train);
        let y = train.classes().is_empty().then(|| StandardScaler::fit(train.y())).transpose()?;
        Ok(Scaling::from_scalers(StandardScaler::fit(train.x())?, y, train))
    }

    /// Scalers that were fitted elsewhere, such as on rows of several machines, with the names,
    /// classes and fill values of `names`. A data set with [`classes`](Dataset::classes) has no
    /// `y`.
    pub fn from_scalers<F: Scalar>(x: StandardScaler, y: Option<StandardScaler>, names: &Dataset<F>) -> Self {
        Scaling {
            x,
            y,
            feature_names: names.feature_names().to_vec(),
            target_names: names.target_names().to_vec(),
            classes: names.classes().to_vec(),
            fill: names.fill().map(<[f64]>::to_vec),
        }
    }

    /// The same rows scaled, then rounded to `G`. Gaps get the fill values of the training rows.
    ///
    /// # Errors
    /// As [`StandardScaler::transform`].
    pub fn apply<F: Scalar, G: Scalar>(&self, data: &Dataset<F>) -> Result<Dataset<G>, DataError> {
        let round = |array: Array2<F>| array.mapv(|value| G::of(value.as_f64()));
        let filled = data.fill().map(|_| self.fill_gaps(data.clone())).transpose()?;
        let data = filled.as_ref().unwrap_or(data);
        let y = match &self.y {
            Some(scaler) => scaler.transform(data.y())?,
            None => data.y().to_owned(),
        };
        let mut scaled = data.with_values(round(self.x.transform(data.x())?), round(y));
        if let Some(gaps) = &mut scaled.gaps {
            let values = ArrayView2::from_shape((1, data.features()), gaps.values()).expect("one row");
            *gaps = gaps.with_values(self.x.transform(&values)?.into_raw_vec_and_offset().0);
        }
        Ok(scaled)
    }

    /// The same rows, unscaled, with the fill values of the training rows in the gaps; with the
    /// means of the training rows if those were read without fill values.
    ///
    /// # Errors
    /// [`DataProblem::ColumnCount`](super::DataProblem) if the number of features differs.
    pub fn fill_gaps<F: Scalar>(&self, data: Dataset<F>) -> Result<Dataset<F>, DataError> {
        match &self.fill {
            Some(fill) => data.with_fill(fill),
            None => data.with_fill(&self.x.mean().to_vec()),
        }
    }

    /// The scaler of the inputs.
    pub fn x(&self) -> &StandardScaler {
        &self.x
    }

    /// The scaler of the targets; `None` for classes.
    pub fn y(&self) -> Option<&StandardScaler> {
        self.y.as_ref()
    }

    /// The names of features and targets that were constant in the training rows. Such a column
    /// teaches nothing: a program should warn about it.
    pub fn constant_columns(&self) -> Vec<&str> {
        let pick = |scaler: &StandardScaler, names| -> Vec<&str> {
            let names: &Vec<String> = names;
            scaler.constant_columns().iter().map(|&column| names[column].as_str()).collect()
        };
        let targets = self.y.as_ref().map(|scaler| pick(scaler, &self.target_names));
        [pick(&self.x, &self.feature_names), targets.unwrap_or_default()].concat()
    }
}
