//! Models in files: safetensors with a description as JSON.

use std::path::Path;

use geartrain::io::TensorFile;
use serde::{Deserialize, Serialize};

use super::fit::TrainingRecord;
use super::{Model, Task};
use crate::{Encoder, Error};

/// The key of the metadata under which the description is stored.
const KEY: &str = "geartrain.tables";
/// The version of the description that is written, and the newest that is read.
const VERSION: u32 = 1;

/// The contents of a file besides the weights.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description<T> {
    version: u32,
    kind: String,
    /// Names of the network's inputs, for readers of other programs.
    inputs: Vec<String>,
    encoder: Encoder,
    task: T,
    training: TrainingRecord,
}

/// The fields of every version.
#[derive(Deserialize)]
struct Head {
    version: u32,
    kind: String,
}

/// The prefix of the tensors of one member: `members.0.`, as in an `nn.ModuleList` of
/// `nn.Sequential`s.
fn prefix(member: usize) -> String {
    format!("members.{member}.")
}

impl<T: Task> Model<T> {
    /// Saves the model in one safetensors file, whole or not at all: the weights of member *i* as
    /// `members.i.0.weight` and so on, with PyTorch's shapes; encoder, targets and the course of
    /// training as JSON in the metadata, under `geartrain.tables`.
    ///
    /// # Errors
    /// [`Error::File`]. An old file at `path` is then unchanged.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let mut file = TensorFile::new();
        for (member, network) in self.networks.iter().enumerate() {
            for (name, tensor) in network.named(network.params()) {
                file.insert(&(prefix(member) + name), tensor).map_err(|problem| problem.at(path))?;
            }
        }
        let description = Description {
            version: VERSION,
            kind: T::NAME.into(),
            inputs: self.encoder.names(),
            encoder: self.encoder.clone(),
            task: self.task.clone(),
            training: self.training.clone(),
        };
        let json = serde_json::to_string(&description).map_err(|error| broken(path, error.to_string()))?;
        file.set_metadata(KEY, json);
        Ok(file.save(path)?)
    }

    /// Loads a model that [`save`](Model::save) wrote. Its predictions are those of the saved
    /// model, bit for bit.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read; [`Error::Model`] if it holds no model, or one of
    /// another kind.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut file = TensorFile::open(path)?;
        let Some(json) = file.metadata(KEY) else {
            return Err(broken(path, "this file holds no model for tables".into()));
        };
        let unreadable = |error: serde_json::Error| broken(path, format!("unreadable description: {error}"));
        let head: Head = serde_json::from_str(json).map_err(unreadable)?;
        if head.version > VERSION {
            let problem =
                format!("version {} is newer than {VERSION}, the newest this program reads", head.version);
            return Err(broken(path, problem));
        }
        if head.kind != T::NAME {
            return Err(broken(path, format!("expected a {}, got a {}", T::NAME, head.kind)));
        }
        let Description { encoder, task, training, .. }: Description<T> =
            serde_json::from_str(json).map_err(unreadable)?;
        if training.members.is_empty() {
            return Err(broken(path, "it has no networks".into()));
        }
        let mut networks = Vec::new();
        for member in 0..training.members.len() {
            let part = file.split_off(&prefix(member));
            // The file's own tensors bound the memory that its description may ask for.
            let mut widths = vec![encoder.width()];
            widths.extend(&training.plan.hidden);
            widths.push(task.outputs());
            let mut tensors = Vec::new();
            for (layer, sizes) in widths.windows(2).enumerate() {
                for (kind, shape) in [("weight", vec![sizes[1], sizes[0]]), ("bias", vec![sizes[1]])] {
                    let name = format!("{}.{kind}", 3 * layer);
                    let tensor = part.get::<f32>(&name).map_err(|problem| problem.at(path))?;
                    if tensor.shape() != shape {
                        let got = tensor.shape();
                        let problem = format!(
                            "tensor `{}{name}`: expected shape {shape:?}, got {got:?}",
                            prefix(member)
                        );
                        return Err(broken(path, problem));
                    }
                    tensors.push((name, tensor));
                }
            }
            let mut network = training.plan.network(encoder.width(), task.outputs(), 0)?;
            for (name, tensor) in tensors {
                network.param_mut(&name)?.assign(&tensor);
            }
            networks.push(network);
        }
        Ok(Model { encoder, task, networks, training })
    }
}

/// The kind of the model for tables in a file: `regressor` or `classifier`. `None` for a file
/// without one, such as that of a [`Predictor`](geartrain::Predictor).
///
/// # Errors
/// [`Error::File`] if the file cannot be read; [`Error::Model`] for an unreadable description.
pub fn model_kind(path: impl AsRef<Path>) -> Result<Option<String>, Error> {
    let path = path.as_ref();
    let file = TensorFile::open(path)?;
    let Some(json) = file.metadata(KEY) else { return Ok(None) };
    let head: Head = serde_json::from_str(json)
        .map_err(|error| broken(path, format!("unreadable description: {error}")))?;
    Ok(Some(head.kind))
}

fn broken(path: &Path, problem: String) -> Error {
    Error::Model { path: path.display().to_string(), problem }
}
