//! How strictly a file is read.

use std::collections::HashSet;
use std::path::Path;

use super::description::Description;
use super::number;
use super::{FileProblem, Mismatch, Predictor, TensorFile};
use crate::params::{self, Layout};
use crate::{Error, Network, Scalar};

/// Reads models and weights from safetensors files.
///
/// By default every tensor must be there, in the shape and the number type of the network, nothing else may be there, and
/// every number must be finite. What is different is listed in one error, and nothing is changed.
///
/// ```no_run
/// use geartrain::{Loader, Predictor};
/// // A model of f64 numbers, rounded to f32.
/// let model: Predictor<f32> = Loader::new().convert().predictor("model.safetensors")?;
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loader {
    convert: bool,
    allow_non_finite: bool,
}

impl Loader {
    /// Strict.
    pub fn new() -> Self {
        Loader::default()
    }

    /// Takes `F16`, `BF16`, `F32` and `F64` alike and rounds to the network's type.
    pub fn convert(mut self) -> Self {
        self.convert = true;
        self
    }

    /// Takes NaN and infinities.
    pub fn allow_non_finite(mut self) -> Self {
        self.allow_non_finite = true;
        self
    }

    /// The model in the file at `path`, which [`Predictor::save`] or [`Network::save`] wrote.
    ///
    /// # Errors
    /// [`Error::File`] with what is wrong: see [`FileProblem`](super::FileProblem).
    pub fn predictor<F: Scalar>(&self, path: impl AsRef<Path>) -> Result<Predictor<F>, Error> {
        let file = TensorFile::open(&path)?;
        Ok(self.predictor_from(&file).map_err(|problem| problem.at(path))?)
    }

    /// Writes the weights in the file at `path` into `network`. It may come from this crate or, for instance, from
    /// PyTorch's `safetensors.torch.save_file(model.state_dict(), path)`, whose `num_batches_tracked` are passed over.
    ///
    /// Only names and shapes are compared: where both agree, a `Tanh` network takes the weights of a `ReLU` network.
    ///
    /// # Errors
    /// [`Error::File`] with what is wrong. The network is then what it was.
    pub fn weights<F: Scalar>(&self, path: impl AsRef<Path>, network: &mut Network<F>) -> Result<(), Error> {
        let file = TensorFile::open(&path)?;
        Ok(self.weights_from(&file, network).map_err(|problem| problem.at(path))?)
    }

    /// [`predictor`](Loader::predictor) for contents in memory.
    ///
    /// # Errors
    /// What is wrong.
    pub fn predictor_from<F: Scalar>(&self, file: &TensorFile) -> Result<Predictor<F>, FileProblem> {
        let description = Description::read(file)?.ok_or(FileProblem::NoArchitecture)?;
        let architecture = description.architecture.ok_or(FileProblem::NoArchitecture)?;
        let params = |layout: &Layout| self.params(file, layout);
        let network = Network::from_params(architecture.build(), description.inputs, params)?;
        let mut predictor =
            Predictor::new(network).named(description.feature_names, description.target_names)?;
        if let Some(scale) = description.x_scale {
            predictor = predictor.with_x_scale(scale)?;
        }
        if let Some(scale) = description.y_scale {
            predictor = predictor.with_y_scale(scale)?;
        }
        Ok(predictor)
    }

    /// [`weights`](Loader::weights) for contents in memory.
    ///
    /// # Errors
    /// What is wrong. The network is then what it was.
    pub fn weights_from<F: Scalar>(
        &self,
        file: &TensorFile,
        network: &mut Network<F>,
    ) -> Result<(), FileProblem> {
        Description::read(file)?;
        let params = self.params(file, network.layout())?;
        network.params_mut().copy_from_slice(&params);
        Ok(())
    }

    /// The flat vector of the parameters in `layout`. No memory is taken for it before the file is known to have them all.
    pub(crate) fn params<F: Scalar>(
        &self,
        file: &TensorFile,
        layout: &Layout,
    ) -> Result<Vec<F>, FileProblem> {
        let mismatch = self.compare::<F>(file, layout);
        if !mismatch.is_empty() {
            return Err(FileProblem::Mismatch(mismatch));
        }
        let mut flat = vec![F::zero(); layout.len()];
        for (spec, range) in layout.iter() {
            let tensor = &file.tensors[&spec.name];
            let values = number::decode(tensor.dtype, &tensor.bytes).expect("compared: floating point");
            let mut view = params::view_mut(spec, &mut flat[range]);
            view.iter_mut().zip(values).for_each(|(entry, value)| *entry = value);
        }
        match layout.check_finite("weight", &flat) {
            Err(Error::NonFinite { name, index, value, .. }) if !self.allow_non_finite => {
                Err(FileProblem::NonFinite { name, index, value })
            }
            _ => Ok(flat),
        }
    }

    fn compare<F: Scalar>(&self, file: &TensorFile, layout: &Layout) -> Mismatch {
        let mut mismatch = Mismatch::default();
        let expected = number::dtype::<F>();
        for (spec, _) in layout.iter() {
            let Some(tensor) = file.tensors.get(&spec.name) else {
                mismatch.missing.push(spec.name.clone());
                continue;
            };
            if tensor.shape != spec.shape {
                let shapes = (spec.shape[..].into(), tensor.shape[..].into());
                mismatch.shapes.push((spec.name.clone(), shapes.0, shapes.1));
            }
            if tensor.dtype != expected && !(self.convert && number::is_float(tensor.dtype)) {
                mismatch.types.push((spec.name.clone(), number::name(expected), number::name(tensor.dtype)));
            }
        }
        let names: HashSet<&str> = layout.iter().map(|(spec, _)| spec.name.as_str()).collect();
        let known = |name: &str| names.contains(name);
        // PyTorch's BatchNorm counts its batches, which only matters there for a momentum that is None.
        let counter = |name: &str| {
            name.strip_suffix("num_batches_tracked")
                .is_some_and(|layer| known(&format!("{layer}running_mean")))
        };
        let unexpected = file.names().filter(|name| !known(name) && !counter(name));
        mismatch.unexpected = unexpected.map(String::from).collect();
        mismatch
    }
}
