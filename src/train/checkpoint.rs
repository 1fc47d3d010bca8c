//! A training in a file: written while it runs, so that it can go on after a crash as if there had been none.
//!
//! The file is a safetensors file. Vectors that are laid out as the parameters are there by the parameters' names:
//! `weights/…`, `best/…` (those that early stopping will give back) and one group for each vector of the optimizer's
//! memory. `history` has a row per epoch and `numbers` the learning rate and the sum of losses so far; both are `F64`, as
//! JSON knows neither NaN nor infinities. The rest is JSON in the metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::{Array1, Array2, Ix1, Ix2};
use serde::{Deserialize, Serialize};

use super::early_stopping::Watch;
use super::history::Epoch;
use super::run::{Position, Run};
use super::training::Training;
use crate::data::Dataset;
use crate::io::{FileError, FileProblem, Mismatch, TensorFile};
use crate::optim::Memory;
use crate::params::{self, Layout};
use crate::{Error, Loader, Loss, Network, Optimizer, Scalar, random};

/// The version of the format that is written, and the newest that is read.
const VERSION: u32 = 1;
/// The metadata's key.
const KEY: &str = "geartrain.checkpoint";
/// The last weights, the best weights, and the start of the optimizer's groups.
const WEIGHTS: &str = "weights/";
const BEST: &str = "best/";
const OPTIMIZER: &str = "optimizer/";
const HISTORY: &str = "history";
const NUMBERS: &str = "numbers";

/// What is not a tensor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    version: u32,
    settings: Settings,
    epoch: usize,
    batch: usize,
    step: u64,
    optimizer_steps: Option<u64>,
    /// Which vectors the optimizer has; the others are still empty.
    optimizer_vectors: Vec<String>,
}

/// Everything that must be the same when training goes on. Choices that were not made are left out.
pub(super) type Settings = BTreeMap<String, String>;

/// Writes the weights in the checkpoint at `path` into `network`, and nothing else: the best ones if the training had early
/// stopping and a best epoch, else the last ones. This is the way to take over the weights of a training with another
/// optimizer or other data, which [`Training::resume`] refuses.
///
/// # Errors
/// [`Error::File`] with what is wrong. The network is then what it was.
pub fn load_checkpoint_weights<F: Scalar>(
    path: impl AsRef<Path>,
    network: &mut Network<F>,
) -> Result<(), Error> {
    let load = || {
        let mut file = TensorFile::open(&path)?;
        Notes::read(&file).map_err(|problem| problem.at(&path))?;
        let (last, best) = (file.split_off(WEIGHTS), file.split_off(BEST));
        let weights = if best.names().next().is_some() { best } else { last };
        Loader::new().params(&weights, network.layout()).map_err(|problem| problem.at(&path))
    };
    let weights = load().map_err(Error::from)?;
    network.params_mut().copy_from_slice(&weights);
    Ok(())
}

impl<F: Scalar, L: Loss<F>, O: Optimizer<F>> Training<'_, F, L, O> {
    /// What a checkpoint of this training says of it.
    pub(super) fn settings(&mut self, data: &Dataset<F>) -> Settings {
        let mut settings = vec![
            ("batch size", self.batch_size.to_string()),
            ("learning rate", self.optimizer.learning_rate().to_string()),
            ("loss", format!("{:?}", self.loss)),
            ("measured values", self.history.names().join(", ")),
            ("optimizer", self.optimizer.memory().rule),
            ("seed", self.seed.to_string()),
            ("training data", fingerprint(data)),
        ];
        settings.extend(self.validation.map(|data| ("validation data", fingerprint(data))));
        settings.extend(self.sample_weights.map(|weights| {
            let bits = hash(weights.iter().copied());
            ("sample weights", format!("{} weights, hash {bits:016x}", weights.len()))
        }));
        settings.extend(self.schedule.as_ref().map(|schedule| ("schedule", format!("{schedule:?}"))));
        settings.extend(self.clip.map(|clip| ("clipping", format!("{clip:?}"))));
        settings.extend(self.early_stopping.as_ref().map(|early| ("early stopping", format!("{early:?}"))));
        settings.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }

    /// Writes a checkpoint, if there is a place for it and it is not there already.
    pub(super) fn save(&mut self, run: &mut Run<'_, F>, settings: &Settings) -> Result<(), Error> {
        if let Some((path, _)) = self.checkpoint.clone()
            && run.saved != Some(run.position)
        {
            let file = self.capture(run, settings).map_err(|problem| problem.at(&path))?;
            file.save(&path)?;
            run.saved = Some(run.position);
        }
        Ok(())
    }

    /// Puts everything back as it was when the checkpoint at `path` was written, or changes nothing and says why.
    /// `batches` is their number in an epoch.
    pub(super) fn restore(
        &mut self,
        path: &Path,
        run: &mut Run<'_, F>,
        settings: &Settings,
        batches: usize,
    ) -> Result<(), FileError> {
        let file = TensorFile::open(path)?;
        self.restore_from(file, run, settings, batches).map_err(|problem| problem.at(path))
    }

    /// Everything, as a file.
    fn capture(&mut self, run: &Run<'_, F>, settings: &Settings) -> Result<TensorFile, FileProblem> {
        let mut file = TensorFile::new();
        let layout = run.network.layout();
        insert(&mut file, WEIGHTS, layout, run.network.params())?;
        if let Some(best) = &run.best {
            insert(&mut file, BEST, layout, best)?;
        }
        let numbers = Array1::from(vec![self.optimizer.learning_rate(), run.position.loss_sum]);
        file.insert(NUMBERS, numbers.view().into_dyn())?;
        let shape = (self.history.epochs.len(), self.history.names().len());
        let values = self.history.epochs.iter().flat_map(Epoch::values).collect();
        let history = Array2::from_shape_vec(shape, values).expect("every epoch has every value");
        file.insert(HISTORY, history.view().into_dyn())?;

        let Memory { steps, vectors, .. } = self.optimizer.memory();
        let optimizer_steps = steps.copied();
        let mut optimizer_vectors = Vec::new();
        for (name, vector) in vectors.into_iter().filter(|(_, vector)| !vector.is_empty()) {
            insert(&mut file, &group(name), layout, vector)?;
            optimizer_vectors.push(name.to_string());
        }
        let Position { epoch, batch, step, .. } = run.position;
        let settings = settings.clone();
        let notes =
            Notes { version: VERSION, settings, epoch, batch, step, optimizer_steps, optimizer_vectors };
        file.set_metadata(KEY, serde_json::to_string(&notes).expect("texts and whole numbers"));
        Ok(file)
    }

    fn restore_from(
        &mut self,
        mut file: TensorFile,
        run: &mut Run<'_, F>,
        settings: &Settings,
        batches: usize,
    ) -> Result<(), FileProblem> {
        let notes = Notes::read(&file)?;
        same_settings(&notes.settings, settings)?;
        let layout = run.network.layout();
        let weights = Loader::new().params(&file.split_off(WEIGHTS), layout)?;
        let epochs = self.epochs_from(&file)?;
        let numbers = file.get::<f64>(NUMBERS)?.into_dimensionality::<Ix1>().ok();
        let Some(&[rate, loss_sum]) = numbers.as_ref().and_then(|numbers| numbers.as_slice()) else {
            return Err(broken("`numbers` has not two entries"));
        };
        let position = Position { epoch: notes.epoch, batch: notes.batch, step: notes.step, loss_sum };
        let steps = notes.epoch.checked_mul(batches).and_then(|steps| steps.checked_add(notes.batch));
        if epochs.len() != notes.epoch || notes.batch > batches || steps != usize::try_from(notes.step).ok() {
            return Err(broken("epoch, batch and step do not belong together"));
        }

        let mut history = self.history.clone();
        history.epochs = epochs;
        let watch = self.early_stopping.as_ref().map(|early| Watch::new(early, &history)).transpose()?;
        history.best = watch.as_ref().and_then(Watch::best);
        let best = history.best.map(|_| Loader::new().params(&file.split_off(BEST), layout)).transpose()?;

        let Memory { steps, vectors, .. } = self.optimizer.memory();
        if steps.is_some() != notes.optimizer_steps.is_some() {
            return Err(broken("the number of the optimizer's steps"));
        }
        if !notes.optimizer_vectors.iter().all(|there| vectors.iter().any(|(name, _)| name == there)) {
            return Err(broken("a vector that the optimizer does not have"));
        }
        let mut saved = Vec::new();
        for (name, _) in &vectors {
            let is_there = notes.optimizer_vectors.iter().any(|there| there == name);
            let part = file.split_off(&group(name));
            if !is_there && part.names().next().is_some() {
                return Err(broken("a vector of the optimizer that its list leaves out"));
            }
            // A second moment may have overflowed without harm.
            let loader = Loader::new().allow_non_finite();
            saved.push(if is_there { loader.params(&part, layout)? } else { Vec::new() });
        }
        let expected = BTreeSet::from([HISTORY, NUMBERS]);
        let unexpected = file.names().filter(|name| !expected.contains(name)).map(String::from).collect();
        let mismatch = Mismatch { unexpected, ..Mismatch::default() };
        if !mismatch.is_empty() {
            return Err(FileProblem::Mismatch(mismatch));
        }

        // Everything is there: nothing can fail from here on.
        if let (Some(steps), Some(saved)) = (steps, notes.optimizer_steps) {
            *steps = saved;
        }
        for ((_, vector), saved) in vectors.into_iter().zip(saved) {
            *vector = saved;
        }
        self.optimizer.set_learning_rate(rate);
        self.history = history;
        run.network.params_mut().copy_from_slice(&weights);
        run.best = best;
        run.watch = watch;
        run.position = position;
        Ok(())
    }

    fn epochs_from(&self, file: &TensorFile) -> Result<Vec<Epoch>, FileProblem> {
        let names = self.history.names().len();
        match file.get::<f64>(HISTORY)?.into_dimensionality::<Ix2>() {
            Ok(table) if table.ncols() == names => {
                let (metrics, validation) = (self.history.metrics.len(), self.history.has_validation());
                let row =
                    |row: ndarray::ArrayView1<f64>| Epoch::from_values(&row.to_vec(), metrics, validation);
                Ok(table.rows().into_iter().map(row).collect())
            }
            _ => Err(broken("`history` has not one column for each measured value")),
        }
    }
}

impl Notes {
    fn read(file: &TensorFile) -> Result<Self, FileProblem> {
        let text = file.metadata(KEY).ok_or_else(|| broken("no training is described in its metadata"))?;
        let notes: serde_json::Value =
            serde_json::from_str(text).map_err(|error| broken(&error.to_string()))?;
        // Before anything else, because another version may look different everywhere else.
        let version = notes["version"].as_u64().ok_or_else(|| broken("it has no version"))?;
        if version > u64::from(VERSION) {
            let got = u32::try_from(version).unwrap_or(u32::MAX);
            return Err(FileProblem::NewerVersion { got, newest: VERSION });
        }
        serde_json::from_value(notes).map_err(|error| broken(&error.to_string()))
    }
}

fn broken(reason: &str) -> FileProblem {
    FileProblem::NotACheckpoint { reason: reason.to_string() }
}

/// What the names of one vector of the optimizer begin with.
fn group(vector: &str) -> String {
    format!("{OPTIMIZER}{vector}/")
}

/// Adds a flat vector, tensor by tensor.
fn insert<F: Scalar>(
    file: &mut TensorFile,
    group: &str,
    layout: &Layout,
    flat: &[F],
) -> Result<(), FileProblem> {
    layout.iter().try_for_each(|(spec, range)| {
        file.insert(&format!("{group}{}", spec.name), params::view(spec, &flat[range]))
    })
}

/// Names the first difference.
fn same_settings(saved: &Settings, given: &Settings) -> Result<(), FileProblem> {
    let value =
        |settings: &Settings, name: &str| settings.get(name).map_or("none", String::as_str).to_string();
    let names: BTreeSet<&String> = saved.keys().chain(given.keys()).collect();
    for name in names {
        let (saved, given) = (value(saved, name), value(given, name));
        if saved != given {
            return Err(FileProblem::OtherTraining { setting: name.clone(), saved, given });
        }
    }
    Ok(())
}

/// Sizes and a hash of all numbers.
fn fingerprint<F: Scalar>(data: &Dataset<F>) -> String {
    let bits = hash(data.x().iter().chain(data.y().iter()).map(|value| value.as_f64()));
    format!("{} rows of {} + {} columns, hash {bits:016x}", data.rows(), data.features(), data.outputs())
}

fn hash(values: impl Iterator<Item = f64>) -> u64 {
    values.fold(0, |hash, value| random::mix(hash, value.to_bits()))
}
