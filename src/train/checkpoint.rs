//! Checkpoints: training state on disk, from which a run resumes bit for bit.
//!
//! A checkpoint is a safetensors file. Vectors with the layout of the parameters are stored by the
//! parameters' names: `weights/…`, `average/…` (the moving average), `best/…` (the best weights of
//! early stopping) and `optimizer/first/…` and so on for each vector of the optimizer's state.
//! `history` has one row per epoch; `numbers` holds the learning rate and the epoch's sum of losses
//! so far. Both are `F64`, because JSON has neither NaN nor infinities. The rest is JSON in the
//! metadata.
//!
//! Version 1 had no averages, and stored the settings of the loss, the optimizer, the schedule,
//! clipping and early stopping as text of no fixed form, of which only the name is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::{Array1, Array2, Ix1, Ix2};
use serde::{Deserialize, Serialize};

use super::early_stopping::Watch;
use super::history::Epoch;
use super::rows::{Rows, fingerprint};
use super::run::{Position, Run};
use super::training::{Training, Unit};
use crate::io::{FileError, FileProblem, Loader, Mismatch, TensorFile};
use crate::optim::State;
use crate::params::{self, Layout};
use crate::settings::Settings;
use crate::{Error, Loss, Network, Optimizer, Scalar, random};

/// The version that is written, and the newest that is read.
const VERSION: u32 = 2;
/// The metadata's key.
const KEY: &str = "geartrain.checkpoint";
/// Prefixes of the last weights, the moving average, the best weights and the optimizer's state.
const WEIGHTS: &str = "weights/";
const AVERAGE: &str = "average/";
const BEST: &str = "best/";
const OPTIMIZER: &str = "optimizer/";
const HISTORY: &str = "history";
const NUMBERS: &str = "numbers";

/// Everything but the tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    version: u32,
    settings: RunSettings,
    epoch: usize,
    batch: usize,
    step: u64,
    optimizer_steps: Option<u64>,
    /// The optimizer's vectors in the file; the others are empty.
    optimizer_vectors: Vec<String>,
}

/// Everything that must be equal to resume, by name. Options without a value are left out.
pub(super) type RunSettings = BTreeMap<String, Settings>;

/// Settings whose text had no fixed form in version 1.
const NAMED: [&str; 5] = ["clipping", "early stopping", "loss", "optimizer", "schedule"];

/// Copies the weights in the checkpoint at `path` into `network`: those that the network would have
/// if training had ended there, which are the best ones with early stopping, else the average if
/// one is kept, else the last ones.
///
/// Use this to continue with another optimizer or other data, which [`Training::resume`] refuses.
///
/// # Errors
/// [`Error::File`]. The network is then unchanged.
pub fn load_checkpoint_weights<F: Scalar>(
    path: impl AsRef<Path>,
    network: &mut Network<F>,
) -> Result<(), Error> {
    let load = || {
        let mut file = TensorFile::open(&path)?;
        Notes::read(&file).map_err(|problem| problem.at(&path))?;
        let groups = [BEST, AVERAGE, WEIGHTS].map(|group| file.split_off(group));
        let weights =
            groups.into_iter().find(|group| group.names().next().is_some()).unwrap_or_else(TensorFile::new);
        Loader::new().params(&weights, network.layout()).map_err(|problem| problem.at(&path))
    };
    let weights = load().map_err(Error::from)?;
    network.params_mut().copy_from_slice(&weights);
    Ok(())
}

impl<F: Scalar, L: Loss<F>, O: Optimizer<F>> Training<'_, F, L, O> {
    /// The settings that a checkpoint of this training stores.
    pub(super) fn settings(&self, training_data: String, network: &Network<F>) -> RunSettings {
        let text = |text: String| Settings::from(text);
        let mut settings = vec![
            ("batch size", text(self.batch_size.to_string())),
            ("learning rate", text(self.optimizer.learning_rate().to_string())),
            ("loss", self.loss.settings()),
            ("measured values", text(self.history.names().join(", "))),
            ("optimizer", self.optimizer.settings()),
            ("seed", text(self.seed.to_string())),
            ("training data", text(training_data)),
        ];
        settings.extend(self.validation.map(|data| ("validation data", text(fingerprint(data)))));
        settings.extend(self.sample_weights.map(|weights| {
            let hash = random::hash(weights.iter().copied());
            ("sample weights", text(format!("{} weights, hash {hash:016x}", weights.len())))
        }));
        settings.extend(self.schedule.as_ref().map(|(schedule, unit)| match unit {
            Unit::Epoch => ("schedule", schedule.settings()),
            Unit::Step => ("schedule per step", schedule.settings()),
        }));
        settings.extend(self.clip.map(|clip| ("clipping", clip.settings())));
        let early_stopping = self.early_stopping.as_ref();
        settings
            .extend(early_stopping.map(|early| ("early stopping", Settings::new("EarlyStopping", early))));
        let slices = network.least_slice_rows();
        settings.extend(slices.map(|rows| ("rows of slices", text(rows.to_string()))));
        let average = self.average_decay.map(|decay| text(decay.to_string()));
        settings.extend(average.map(|decay| ("decay of the average weights", decay)));
        settings.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }

    /// Writes a checkpoint, if there is a path and no checkpoint of this position, in the one
    /// process of the run that writes.
    pub(super) fn save(
        &self,
        run: &mut Run<'_, F>,
        settings: &RunSettings,
        rows: &mut dyn Rows<F>,
    ) -> Result<(), Error> {
        if let Some((path, _)) = &self.checkpoint
            && run.saved != Some(run.position)
        {
            let save = || {
                let file = self.capture(run, settings).map_err(|problem| problem.at(path))?;
                Ok(file.save(path)?)
            };
            let saved = if rows.writes() { save() } else { Ok(()) };
            rows.agree(saved)?;
            run.saved = Some(run.position);
        }
        Ok(())
    }

    /// Restores the checkpoint at `path`, or changes nothing and returns an error. `batches` is the
    /// number of batches in an epoch.
    pub(super) fn restore(
        &mut self,
        path: &Path,
        run: &mut Run<'_, F>,
        settings: &RunSettings,
        batches: usize,
    ) -> Result<(), FileError> {
        let file = TensorFile::open(path)?;
        self.restore_from(file, run, settings, batches).map_err(|problem| problem.at(path))
    }

    /// The checkpoint.
    fn capture(&self, run: &Run<'_, F>, settings: &RunSettings) -> Result<TensorFile, FileProblem> {
        let mut file = TensorFile::new();
        let layout = run.network.layout();
        insert(&mut file, WEIGHTS, layout, run.network.params())?;
        if let Some(average) = &run.average {
            insert(&mut file, AVERAGE, layout, average)?;
        }
        if let Some(best) = &run.best {
            insert(&mut file, BEST, layout, best)?;
        }
        let numbers = Array1::from(vec![self.optimizer.learning_rate(), run.position.loss_sum]);
        file.insert(NUMBERS, numbers.view().into_dyn())?;
        let shape = (self.history.epochs.len(), self.history.names().len());
        let values = self.history.epochs.iter().flat_map(Epoch::values).collect();
        let history = Array2::from_shape_vec(shape, values).expect("every epoch has every value");
        file.insert(HISTORY, history.view().into_dyn())?;

        let State { steps: optimizer_steps, vectors } = self.optimizer.state();
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
        settings: &RunSettings,
        batches: usize,
    ) -> Result<(), FileProblem> {
        let notes = Notes::read(&file)?;
        notes.same_settings(settings)?;
        let layout = run.network.layout();
        let weights = Loader::new().params(&file.split_off(WEIGHTS), layout)?;
        let average = self.average_decay.map(|_| Loader::new().params(&file.split_off(AVERAGE), layout));
        let average = average.transpose()?;
        let epochs = self.epochs_from(&file)?;
        let numbers = file.get::<f64>(NUMBERS)?.into_dimensionality::<Ix1>().ok();
        let Some(&[rate, loss_sum]) = numbers.as_ref().and_then(|numbers| numbers.as_slice()) else {
            return Err(broken("`numbers` must have two entries"));
        };
        let position = Position { epoch: notes.epoch, batch: notes.batch, step: notes.step, loss_sum };
        let steps = notes.epoch.checked_mul(batches).and_then(|steps| steps.checked_add(notes.batch));
        if epochs.len() != notes.epoch || notes.batch > batches || steps != usize::try_from(notes.step).ok() {
            return Err(broken("epoch, batch and step contradict each other"));
        }

        let mut history = self.history.clone();
        history.epochs = epochs;
        let watch = self.early_stopping.as_ref().map(|early| Watch::new(early, &history)).transpose();
        let watch = watch.map_err(FileProblem::description)?;
        history.best = watch.as_ref().and_then(Watch::best);
        let best = history.best.map(|_| Loader::new().params(&file.split_off(BEST), layout)).transpose()?;

        let State { steps, vectors } = self.optimizer.state();
        if steps.is_some() != notes.optimizer_steps.is_some() {
            return Err(broken("the optimizer's number of steps is missing or unexpected"));
        }
        if let Some(unknown) =
            notes.optimizer_vectors.iter().find(|saved| vectors.iter().all(|(name, _)| name != saved))
        {
            return Err(broken(&format!("the optimizer has no vector `{unknown}`")));
        }
        let mut state = State { steps: notes.optimizer_steps, vectors: Vec::new() };
        for (name, _) in vectors {
            let is_listed = notes.optimizer_vectors.iter().any(|saved| saved == name);
            let part = file.split_off(&group(name));
            if !is_listed && part.names().next().is_some() {
                return Err(broken(&format!("the optimizer's vector `{name}` is not listed")));
            }
            // A second moment that overflowed is harmless.
            let loader = Loader::new().allow_non_finite();
            state.vectors.push((name, if is_listed { loader.params(&part, layout)? } else { Vec::new() }));
        }
        let expected = BTreeSet::from([HISTORY, NUMBERS]);
        let unexpected = file.names().filter(|name| !expected.contains(name)).map(String::from).collect();
        let mismatch = Mismatch { unexpected, ..Mismatch::default() };
        if !mismatch.is_empty() {
            return Err(FileProblem::Mismatch(mismatch));
        }

        // Nothing can fail from here on.
        self.optimizer.set_state(state);
        self.optimizer.set_learning_rate(rate);
        self.history = history;
        run.network.params_mut().copy_from_slice(&weights);
        run.average = average;
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
            _ => Err(broken("`history` must have one column per measured value")),
        }
    }
}

impl Notes {
    fn read(file: &TensorFile) -> Result<Self, FileProblem> {
        let text = file.metadata(KEY).ok_or_else(|| broken("its metadata do not describe a training run"))?;
        let notes: serde_json::Value =
            serde_json::from_str(text).map_err(|error| broken(&error.to_string()))?;
        // First, because everything else may differ in another version.
        let version = notes["version"].as_u64().ok_or_else(|| broken("it has no version"))?;
        if version > u64::from(VERSION) {
            let got = u32::try_from(version).unwrap_or(u32::MAX);
            return Err(FileProblem::NewerVersion { got, newest: VERSION });
        }
        serde_json::from_value(notes).map_err(|error| broken(&error.to_string()))
    }

    /// Fails with the first difference.
    fn same_settings(&self, given: &RunSettings) -> Result<(), FileProblem> {
        let names: BTreeSet<&String> = self.settings.keys().chain(given.keys()).collect();
        for name in names {
            let (saved, given) = (self.settings.get(name), given.get(name));
            let name_only = self.version == 1 && NAMED.contains(&name.as_str());
            let same = match name_only {
                true => saved.map(Settings::name) == given.map(Settings::name),
                false => saved == given,
            };
            if !same {
                let text = |value: Option<&Settings>| value.map_or("none".to_string(), Settings::to_string);
                let (saved, given) = (text(saved), text(given));
                return Err(FileProblem::OtherTraining { setting: name.clone(), saved, given });
            }
        }
        Ok(())
    }
}

fn broken(reason: &str) -> FileProblem {
    FileProblem::NotACheckpoint { reason: reason.to_string() }
}

/// The prefix of the tensors of one vector of the optimizer's state.
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
