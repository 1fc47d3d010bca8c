//! How strictly a file is read.

use std::collections::HashSet;
use std::path::Path;

use super::description::Description;
use super::number;
use super::{FileProblem, Mismatch, Predictor, TensorFile};
use crate::network::lay_out;
use crate::params::{self, Layout};
use crate::{Error, Network, Scalar};

/// Reads models and weights from safetensors files.
///
/// By default the file must hold every tensor of the network, in its shape and number type, and no
/// other; every number must be finite. One error lists all differences, and nothing is changed.
///
/// ```no_run
/// use geartrain::{io::Loader, Network, Predictor, prelude::*};
/// // A model of f64 numbers, rounded to f32.
/// let model: Predictor<f32> = Loader::new().convert().predictor("model.safetensors")?;
///
/// // Weights of a PyTorch module with layers called `fc1` and `fc2`.
/// let layers = Sequential::new().then(Linear::new(3, 8)).then(ReLU).then(Linear::new(8, 1));
/// let mut network = Network::<f32>::new(layers)?;
/// Loader::new().rename("fc1", "0").rename("fc2", "2").weights("torch.safetensors", &mut network)?;
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loader {
    convert: bool,
    allow_non_finite: bool,
    renames: Vec<(String, String)>,
}

impl Loader {
    /// Strict, with the file's own names.
    pub fn new() -> Self {
        Loader::default()
    }

    /// Accepts `F16`, `BF16`, `F32` and `F64` and rounds to the network's type.
    pub fn convert(mut self) -> Self {
        self.convert = true;
        self
    }

    /// Accepts NaN and infinities.
    pub fn allow_non_finite(mut self) -> Self {
        self.allow_non_finite = true;
        self
    }

    /// Reads the tensors of the layer called `from` in the file as those of the layer `to` of the
    /// network: `fc1.weight` as `0.weight`. Both are the names up to a dot, or whole names. An
    /// empty `to` removes the name and its dot. Of several renames that apply, the first is used;
    /// each must apply to at least one tensor.
    pub fn rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.renames.push((from.into(), to.into()));
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

    /// Writes the weights in the file at `path` into `network`. The file may come from this crate
    /// or from PyTorch's `safetensors.torch.save_file(model.state_dict(), path)`, whose
    /// `num_batches_tracked` are ignored. [`rename`](Loader::rename) maps other names.
    ///
    /// Only names and shapes are compared: the weights of a `ReLU` network fit a `Tanh` network.
    ///
    /// # Errors
    /// [`Error::File`] with what is wrong. The network is then unchanged.
    pub fn weights<F: Scalar>(&self, path: impl AsRef<Path>, network: &mut Network<F>) -> Result<(), Error> {
        let file = TensorFile::open(&path)?;
        Ok(self.weights_from(&file, network).map_err(|problem| problem.at(path))?)
    }

    /// [`predictor`](Loader::predictor) for contents in memory.
    ///
    /// # Errors
    /// [`FileProblem`] with what is wrong.
    pub fn predictor_from<F: Scalar>(&self, file: &TensorFile) -> Result<Predictor<F>, FileProblem> {
        let description = Description::read(file)?.ok_or(FileProblem::NoArchitecture)?;
        let architecture = description.architecture.as_ref().ok_or(FileProblem::NoArchitecture)?;
        let (layer, inputs) = (architecture.build(), description.inputs);
        let layout = lay_out(&*layer, inputs).map_err(FileProblem::description)?;
        let params = self.params(file, &layout)?;
        let network =
            Network::from_params(layer, inputs, layout, &params).map_err(FileProblem::description)?;
        assemble(network, description).map_err(FileProblem::description)
    }

    /// [`weights`](Loader::weights) for contents in memory.
    ///
    /// # Errors
    /// [`FileProblem`] with what is wrong. The network is then unchanged.
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

    /// The flat vector of the parameters in `layout`, allocated once the file is known to hold them
    /// all.
    pub(crate) fn params<F: Scalar>(
        &self,
        file: &TensorFile,
        layout: &Layout,
    ) -> Result<Vec<F>, FileProblem> {
        let renamed;
        let file = if self.renames.is_empty() {
            file
        } else {
            renamed = self.renamed(file)?;
            &renamed
        };
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

    /// The same tensors under their new names.
    fn renamed(&self, file: &TensorFile) -> Result<TensorFile, FileProblem> {
        let mut used = vec![false; self.renames.len()];
        let mut renamed = TensorFile::new();
        for (name, tensor) in &file.tensors {
            let new_name = self.renames.iter().zip(&mut used).find_map(|((from, to), used)| {
                let rest = name
                    .strip_prefix(from.as_str())
                    .filter(|rest| rest.is_empty() || rest.starts_with('.'))?;
                *used = true;
                Some(if to.is_empty() {
                    rest.trim_start_matches('.').to_string()
                } else {
                    format!("{to}{rest}")
                })
            });
            let name = new_name.unwrap_or_else(|| name.clone());
            if renamed.tensors.insert(name.clone(), tensor.clone()).is_some() {
                return Err(FileProblem::DuplicateName { name });
            }
        }
        match self.renames.iter().zip(used).find(|(_, used)| !used) {
            None => Ok(renamed),
            Some(((name, _), _)) => Err(FileProblem::UnknownTensor {
                name: name.clone(),
                known: file.tensors.keys().cloned().collect(),
            }),
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
        // PyTorch's BatchNorm counts its batches, which only matters there if momentum is None.
        let counter = |name: &str| {
            name.strip_suffix("num_batches_tracked")
                .is_some_and(|layer| known(&format!("{layer}running_mean")))
        };
        let unexpected = file.names().filter(|name| !known(name) && !counter(name));
        mismatch.unexpected = unexpected.map(String::from).collect();
        mismatch
    }
}

/// The predictor of `network` with everything else that its file says.
fn assemble<F: Scalar>(network: Network<F>, description: Description) -> Result<Predictor<F>, Error> {
    let mut predictor = Predictor::new(network).named(description.feature_names, description.target_names)?;
    if let Some(scaler) = description.x_scale {
        predictor = predictor.with_x_scale(scaler)?;
    }
    if let Some(scaler) = description.y_scale {
        predictor = predictor.with_y_scale(scaler)?;
    }
    if !description.classes.is_empty() {
        predictor = predictor.with_classes(description.classes)?;
    }
    if let Some(fill) = description.fill {
        predictor = predictor.with_fill(fill)?;
    }
    Ok(predictor)
}
