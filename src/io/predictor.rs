//! A trained network with everything it needs to predict from raw data.

use std::path::Path;

use ndarray::{Array1, Array2, ArrayRef2, Axis};

use super::description::Description;
use super::{FileProblem, Loader, TensorFile};
use crate::data::{Csv, DataError, DataProblem, Missing, Note, Scaling, StandardScaler};
use crate::error::{require, same_shape};
use crate::layer::Kind;
use crate::layers::LayerSpec;
use crate::{Error, Layer, Network, Scalar, metrics};

/// A network together with its scalers, the names of its columns and classes, and the values for
/// missing features: what is saved after training and predicts from raw data.
///
/// [`Training::fit_predictor`](crate::Training::fit_predictor) scales, trains and makes one;
/// [`with_scaling`](Predictor::with_scaling) makes one of a network that was trained on data scaled
/// by a [`Scaling`].
///
/// ```
/// use geartrain::{data::toy, prelude::*};
/// let data = toy::sine::<f64>(50, 0.1, 1)?.named(["angle"], ["sine"])?;
/// let layers = Sequential::new().then(Linear::new(1, 8)).then(Tanh).then(Linear::new(8, 1));
/// let network = Network::<f32>::new(layers)?;
/// let mut training = Training::new(MeanSquaredError, Adam::new(0.01)).epochs(5).progress(false);
/// let model = training.fit_predictor(network, &data)?;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("model.safetensors");
/// model.save(&path)?;
/// let loaded = Predictor::<f32>::load(&path)?;
/// assert_eq!(loaded.feature_names(), ["angle"]);
/// assert_eq!(loaded.predict(data.x())?, model.predict(data.x())?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Predictor<F> {
    network: Network<F>,
    x_scale: Option<StandardScaler>,
    y_scale: Option<StandardScaler>,
    feature_names: Vec<String>,
    target_names: Vec<String>,
    classes: Vec<String>,
    fill: Option<Vec<f64>>,
}

/// The predictions of a model for each row of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Rows × outputs, in the units of the targets; NaN in a row without a prediction.
    pub y: Array2<f64>,
    /// For a classifier, the index of each row's class; `None` in a row without a prediction.
    pub classes: Option<Vec<Option<usize>>>,
    /// Gaps that were filled, and rows without a prediction.
    pub notes: Vec<Note>,
}

impl<F: Scalar> Predictor<F> {
    /// A network that reads and writes unscaled numbers, whose columns are called `x0`, `x1`, … and
    /// `y0`, `y1`, …
    pub fn new(network: Network<F>) -> Self {
        let names = |letter: char, count: usize| (0..count).map(|i| format!("{letter}{i}")).collect();
        let (feature_names, target_names) = (names('x', network.inputs()), names('y', network.outputs()));
        Predictor {
            network,
            x_scale: None,
            y_scale: None,
            feature_names,
            target_names,
            classes: Vec::new(),
            fill: None,
        }
    }

    /// The same with the scalers, names, classes and fill values of the data that the network was
    /// trained on.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit the columns of the network.
    pub fn with_scaling(self, scaling: Scaling) -> Result<Self, Error> {
        let Scaling { x, y, feature_names, target_names, classes, fill } = scaling;
        let mut model = self.with_x_scale(x)?;
        if let Some(y) = y {
            model = model.with_y_scale(y)?;
        }
        let columns = if classes.len() == model.network.outputs() { classes.clone() } else { target_names };
        model = model.named(feature_names, columns)?;
        if !classes.is_empty() {
            model = model.with_classes(classes)?;
        }
        match fill {
            Some(fill) => model.with_fill(fill),
            None => Ok(model),
        }
    }

    /// The same, for a network that was trained on inputs transformed by `scaler`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `scaler` has another number of columns than the network's inputs.
    pub fn with_x_scale(mut self, scaler: StandardScaler) -> Result<Self, Error> {
        same_shape("columns of x_scale", &[self.network.inputs()], &[scaler.mean().len()])?;
        self.x_scale = Some(scaler);
        Ok(self)
    }

    /// The same, for a network that was trained on targets transformed by `scaler`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `scaler` has another number of columns than the network's outputs.
    pub fn with_y_scale(mut self, scaler: StandardScaler) -> Result<Self, Error> {
        same_shape("columns of y_scale", &[self.network.outputs()], &[scaler.mean().len()])?;
        self.y_scale = Some(scaler);
        Ok(self)
    }

    /// The same with names for the columns that the network reads and writes. The outputs of
    /// a classifier go by the names of its classes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of names differs from the number of columns.
    pub fn named<S: Into<String>, T: Into<String>>(
        mut self,
        features: impl IntoIterator<Item = S>,
        targets: impl IntoIterator<Item = T>,
    ) -> Result<Self, Error> {
        self.feature_names = features.into_iter().map(Into::into).collect();
        self.target_names = targets.into_iter().map(Into::into).collect();
        same_shape("feature names", &[self.network.inputs()], &[self.feature_names.len()])?;
        same_shape("target names", &[self.network.outputs()], &[self.target_names.len()])?;
        Ok(self)
    }

    /// The same as a classifier, whose classes have these names.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a class for every output, or two for a single output.
    pub fn with_classes<S: Into<String>>(
        mut self,
        classes: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        self.classes = classes.into_iter().map(Into::into).collect();
        same_shape("classes", &[self.network.outputs().max(2)], &[self.classes.len()])?;
        Ok(self)
    }

    /// The same with a value for each feature, which stands in for a missing one.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values differs from the network's inputs;
    /// [`Error::Argument`] for a value that is not finite.
    pub fn with_fill(mut self, fill: Vec<f64>) -> Result<Self, Error> {
        same_shape("fill values", &[self.network.inputs()], &[fill.len()])?;
        if let Some(value) = fill.iter().find(|value| !value.is_finite()) {
            require(false, "fill", "finite numbers", value)?;
        }
        self.fill = Some(fill);
        Ok(self)
    }

    /// The network, which reads and writes scaled numbers.
    pub fn network(&self) -> &Network<F> {
        &self.network
    }

    /// The network alone.
    pub fn into_network(self) -> Network<F> {
        self.network
    }

    /// The scaler of the inputs.
    pub fn x_scale(&self) -> Option<&StandardScaler> {
        self.x_scale.as_ref()
    }

    /// The scaler of the outputs.
    pub fn y_scale(&self) -> Option<&StandardScaler> {
        self.y_scale.as_ref()
    }

    /// The names of the columns that the network reads.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The names of the columns that the network writes.
    pub fn target_names(&self) -> &[String] {
        &self.target_names
    }

    /// The names of the classes; empty unless this is a classifier.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The value that stands in for each missing feature.
    pub fn fill(&self) -> Option<&[f64]> {
        self.fill.as_deref()
    }

    /// The prediction for each row of raw data `x`, `(rows, inputs)`: `(rows, outputs)`, in the
    /// units of the targets. Scaling is done in `f64` and the result has the type of `x`, whatever
    /// the type of the network: pass `f64` for numbers with many digits.
    ///
    /// # Errors
    /// As [`Network::predict`]; [`Error::Data`] if a number is not finite, scaled or unscaled.
    pub fn predict<G: Scalar>(&self, x: &ArrayRef2<G>) -> Result<Array2<G>, Error> {
        let z = match &self.x_scale {
            Some(scaler) => cast(&scaler.transform(x)?)?,
            None => cast(x)?,
        };
        let y = self.network.predict(&z)?.mapv(|value| G::of(value.as_f64()));
        match &self.y_scale {
            Some(scaler) => Ok(scaler.inverse_transform(&y)?),
            None => Ok(y),
        }
    }

    /// The index of the predicted class of each row of raw data `x`, `(rows, inputs)`.
    ///
    /// Of several outputs, the class of the largest is predicted. A single output is the logit of
    /// class 1, which is predicted above 0; if the last layer is `Sigmoid`, it is the probability,
    /// and class 1 is predicted above 0.5.
    ///
    /// # Errors
    /// As [`predict`](Predictor::predict); [`Error::Argument`] for a single output of a custom last
    /// layer, where a logit and a probability look alike.
    pub fn predict_classes<G: Scalar>(&self, x: &ArrayRef2<G>) -> Result<Array1<usize>, Error> {
        self.classes_of(&self.predict(x)?)
    }

    fn classes_of<G: Scalar>(&self, output: &ArrayRef2<G>) -> Result<Array1<usize>, Error> {
        match ends_with_sigmoid(self.network.layer()) {
            Some(true) => metrics::classes_from_probabilities(output),
            None if output.ncols() == 1 => {
                let expected = "a network whose last layer is known, to tell a logit from a probability";
                Err(require(false, "network", expected, "a custom last layer").unwrap_err())
            }
            _ => metrics::classes_from_logits(output),
        }
    }

    /// The prediction for every row of a CSV file: `options` say what the file looks like, the
    /// model says which columns it reads. Other columns may hold anything.
    ///
    /// A gap is filled with the model's own [value](Predictor::fill) for the feature, if it was
    /// trained on data read with [`Missing::Mean`] or [`Missing::Median`]. For another model, it is
    /// an error with [`Missing::Error`], and the mean over the training rows stands in for it with
    /// [`Missing::Mean`] or [`Missing::Median`]. With [`Missing::DropRows`] the row stays and has
    /// no prediction.
    ///
    /// # Errors
    /// [`Error::Data`] as [`Csv::load_inputs`], and as [`predict`](Predictor::predict).
    ///
    /// ```no_run
    /// use geartrain::{Predictor, data::Csv};
    /// let model = Predictor::<f32>::load("model.safetensors")?;
    /// let predictions = model.predict_csv("new.csv", &Csv::default())?;
    /// for note in &predictions.notes {
    ///     eprintln!("{note}");
    /// }
    /// println!("{}", predictions.y);
    /// # Ok::<(), geartrain::Error>(())
    /// ```
    pub fn predict_csv(&self, path: impl AsRef<Path>, options: &Csv) -> Result<Predictions, Error> {
        let fills = matches!(options.missing_policy(), Missing::Mean | Missing::Median);
        let means = self.x_scale.as_ref().filter(|_| fills).map(|scaler| scaler.mean().to_vec());
        let fill = self.fill.clone().or(means);
        let inputs = options.load_inputs::<f64, _>(path, &self.feature_names, fill.as_deref())?;
        let is_complete = |row: &usize| !inputs.x.row(*row).iter().any(|value| value.is_nan());
        let complete: Vec<usize> = (0..inputs.x.nrows()).filter(is_complete).collect();
        let mut y = Array2::from_elem((inputs.x.nrows(), self.network.outputs()), f64::NAN);
        let mut classes = (!self.classes.is_empty()).then(|| vec![None; inputs.x.nrows()]);
        if !complete.is_empty() {
            let predicted = self.predict(&inputs.x.select(Axis(0), &complete))?;
            for (&row, values) in complete.iter().zip(predicted.rows()) {
                y.row_mut(row).assign(&values);
            }
            if let Some(classes) = &mut classes {
                for (&row, class) in complete.iter().zip(self.classes_of(&predicted)?) {
                    classes[row] = Some(class);
                }
            }
        }
        Ok(Predictions { y, classes, notes: inputs.notes })
    }

    /// Saves the model as a safetensors file, which PyTorch reads as well: weights by PyTorch's
    /// names and in its shapes, everything else in the metadata. Writes the file whole or not at
    /// all ([`atomic::write`](super::atomic::write)).
    ///
    /// A network with a custom layer is saved without its architecture; load it with
    /// [`Network::load_weights`].
    ///
    /// # Errors
    /// [`Error::File`] with what is wrong. An old file at `path` is then unchanged.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let file = self.to_tensors().map_err(|problem| problem.at(&path))?;
        Ok(file.save(path)?)
    }

    /// The contents of the file that [`save`](Predictor::save) writes.
    ///
    /// # Errors
    /// [`FileProblem::Description`] for layers nested too deeply, [`FileProblem::ReservedName`] for
    /// a parameter called `__metadata__`.
    pub fn to_tensors(&self) -> Result<TensorFile, FileProblem> {
        let mut file = TensorFile::new();
        for (name, tensor) in self.network.named(self.network.params()) {
            file.insert(name, tensor)?;
        }
        Description::new(self).write(&mut file)?;
        Ok(file)
    }

    /// Loads a model that [`save`](Predictor::save) wrote, of the same number type. [`Loader`] has
    /// less strict ways.
    ///
    /// # Errors
    /// As [`Loader::predictor`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Loader::new().predictor(path)
    }
}

impl<F: Scalar> Network<F> {
    /// Saves weights and architecture: a [`Predictor`] without scalers or names.
    ///
    /// # Errors
    /// As [`Predictor::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        Predictor::new(self.clone()).save(path)
    }

    /// Loads a network that [`save`](Network::save) wrote, of the same number type.
    ///
    /// # Errors
    /// As [`Loader::predictor`], and [`FileProblem::Scaled`] for a model with scalers: the network
    /// alone would predict something else than the model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let predictor = Predictor::load(&path)?;
        if predictor.x_scale.is_some() || predictor.y_scale.is_some() {
            return Err(FileProblem::Scaled.at(path).into());
        }
        Ok(predictor.network)
    }

    /// Loads the weights in the file at `path`, strictly; see [`Loader::weights`].
    ///
    /// # Errors
    /// As [`Loader::weights`]. The network is then unchanged.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        Loader::new().weights(path, self)
    }
}

/// Whether the last layer is `Sigmoid`; `None` for a custom layer.
fn ends_with_sigmoid<F: Scalar>(layer: &dyn Layer<F>) -> Option<bool> {
    let description = layer.describe();
    match description.kind {
        Kind::Sequential => {
            description.children.last().map_or(Some(false), |child| ends_with_sigmoid(&**child.layer))
        }
        Kind::Residual { .. } => Some(false),
        _ => Some(matches!(description.spec?.downcast_ref()?, LayerSpec::Sigmoid)),
    }
}

/// `x` rounded to `F`, in which it must be finite if it was before.
fn cast<G: Scalar, F: Scalar>(x: &ArrayRef2<G>) -> Result<Array2<F>, Error> {
    let narrow = x.mapv(|value| F::of(value.as_f64()));
    let lost = narrow.indexed_iter().find(|&(index, value)| !value.is_finite() && x[index].is_finite());
    match lost {
        None => Ok(narrow),
        Some(((row, column), _)) => {
            let text = format!("x[[{row}, {column}]] = {:e}", x[[row, column]].as_f64());
            let problem = DataProblem::NotFiniteCell { text, number: std::any::type_name::<F>() };
            Err(DataError::from(problem).into())
        }
    }
}
