//! A trained network with all that it needs to predict from raw data.

use std::path::Path;

use ndarray::{Array2, ArrayRef2};

use super::description::Description;
use super::{FileProblem, Loader, TensorFile};
use crate::data::Standardize;
use crate::error::same_shape;
use crate::{Error, Network, Scalar};

/// A network together with the scales of its inputs and outputs and the names of their columns: what is saved after
/// training and predicts from raw data.
///
/// ```
/// use geartrain::{data::{Standardize, toy}, prelude::*};
/// let data = toy::sine::<f64>(50, 0.1, 1)?;
/// let scale = Standardize::fit(data.x())?;
/// let network = Network::new(Sequential::new().then(Linear::new(1, 8)).then(Tanh).then(Linear::new(8, 1)))?;
/// // ... train on scale.transform(data.x()) ...
/// let model = Predictor::new(network).with_x_scale(scale)?.named(["angle"], ["sine"])?;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("model.safetensors");
/// model.save(&path)?;
/// let loaded = Predictor::<f64>::load(&path)?;
/// assert_eq!(loaded.predict(&data.x())?, model.predict(&data.x())?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Predictor<F> {
    network: Network<F>,
    x_scale: Option<Standardize>,
    y_scale: Option<Standardize>,
    feature_names: Vec<String>,
    target_names: Vec<String>,
}

impl<F: Scalar> Predictor<F> {
    /// A network that reads and writes unscaled numbers, whose columns are called `x0`, `x1`, … and `y0`, `y1`, …
    pub fn new(network: Network<F>) -> Self {
        let names = |letter: char, count: usize| (0..count).map(|i| format!("{letter}{i}")).collect();
        let (feature_names, target_names) = (names('x', network.inputs()), names('y', network.outputs()));
        Predictor { network, x_scale: None, y_scale: None, feature_names, target_names }
    }

    /// The same, for a network that was trained on inputs transformed by `scale`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `scale` has another number of columns than the network reads.
    pub fn with_x_scale(mut self, scale: Standardize) -> Result<Self, Error> {
        same_shape("columns of x_scale", &[self.network.inputs()], &[scale.mean().len()])?;
        self.x_scale = Some(scale);
        Ok(self)
    }

    /// The same, for a network that was trained on targets transformed by `scale`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `scale` has another number of columns than the network writes.
    pub fn with_y_scale(mut self, scale: Standardize) -> Result<Self, Error> {
        same_shape("columns of y_scale", &[self.network.outputs()], &[scale.mean().len()])?;
        self.y_scale = Some(scale);
        Ok(self)
    }

    /// The same with names for the columns that the network reads and writes; in a classifier, the latter are the classes.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many names as columns.
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

    /// The network, which reads and writes scaled numbers.
    pub fn network(&self) -> &Network<F> {
        &self.network
    }

    /// The network alone.
    pub fn into_network(self) -> Network<F> {
        self.network
    }

    /// The scale of the inputs.
    pub fn x_scale(&self) -> Option<&Standardize> {
        self.x_scale.as_ref()
    }

    /// The scale of the outputs.
    pub fn y_scale(&self) -> Option<&Standardize> {
        self.y_scale.as_ref()
    }

    /// The names of the columns that it reads.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The names of the columns that it writes.
    pub fn target_names(&self) -> &[String] {
        &self.target_names
    }

    /// The prediction for each row of raw data `x`, `(rows, inputs)`: `(rows, outputs)`, in the units of the targets.
    ///
    /// # Errors
    /// As [`Network::predict`], and [`Error::Data`] if a scale meets a number that is not finite.
    pub fn predict(&self, x: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        let y = match &self.x_scale {
            Some(scale) => self.network.predict(&scale.transform(x.view())?)?,
            None => self.network.predict(x)?,
        };
        match &self.y_scale {
            Some(scale) => Ok(scale.inverse(y.view())?),
            None => Ok(y),
        }
    }

    /// Saves the model as a safetensors file, which PyTorch and others read, too: weights by PyTorch's names and in its
    /// shapes, everything else in the metadata. Writes the file whole or not at all ([`atomic::write`](super::atomic::write)).
    ///
    /// A network with a layer of a user's own is saved without its architecture and loaded with
    /// [`Network::load_weights`].
    ///
    /// # Errors
    /// [`Error::File`] with what is wrong. An old file at `path` is then as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let file = self.to_tensors().map_err(|problem| problem.at(&path))?;
        Ok(file.save(path)?)
    }

    /// The contents of the file that [`save`](Predictor::save) writes.
    ///
    /// # Errors
    /// What stands against it.
    pub fn to_tensors(&self) -> Result<TensorFile, FileProblem> {
        let mut file = TensorFile::new();
        for (name, tensor) in self.network.named(self.network.params()) {
            file.insert(name, tensor)?;
        }
        Description::new(self).write(&mut file)?;
        Ok(file)
    }

    /// Loads a model that [`save`](Predictor::save) wrote, from numbers of the same type. [`Loader`] is less strict.
    ///
    /// # Errors
    /// As [`Loader::predictor`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Loader::new().predictor(path)
    }
}

impl<F: Scalar> Network<F> {
    /// Saves weights and architecture: a [`Predictor`] without scales or names. See [`Predictor::save`].
    ///
    /// # Errors
    /// As [`Predictor::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        Predictor::new(self.clone()).save(path)
    }

    /// Loads a network that [`save`](Network::save) wrote, from numbers of the same type.
    ///
    /// # Errors
    /// As [`Loader::predictor`], and [`FileProblem::Scaled`] for a model with scales: the network alone would give other
    /// predictions than the model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let predictor = Predictor::load(&path)?;
        if predictor.x_scale.is_some() || predictor.y_scale.is_some() {
            return Err(FileProblem::Scaled.at(path).into());
        }
        Ok(predictor.network)
    }

    /// Takes over the weights in the file at `path`, strictly; see [`Loader::weights`], which also comes less strict.
    ///
    /// # Errors
    /// As [`Loader::weights`]. The network is then what it was.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        Loader::new().weights(path, self)
    }
}
