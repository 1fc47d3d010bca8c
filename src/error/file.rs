//! Errors of model files.

use std::fmt;
use std::path::Path;

use super::Shape;

/// A problem with a model file, and its path.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct FileError {
    /// The file's path, or the name given for bytes in memory.
    pub path: String,
    /// The problem.
    #[source]
    pub problem: FileProblem,
}

/// A problem with a model file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The operating system refused.
    #[error("cannot {doing}: {source}")]
    Io {
        /// The operation, such as `write`.
        doing: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The path is that of a folder or a device.
    #[error("this is not a file")]
    NotAFile,
    /// The file to be replaced is write protected.
    #[error("the file is write protected")]
    ReadOnly,
    /// A `.pt` or `.pth` file of `torch.save`: a pickle, which can run code when it is opened.
    #[error(
        "a file of torch.save holds a pickle, which only Python can read; in PyTorch, save as safetensors: \
         safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")"
    )]
    Pickle,
    /// The bytes do not follow the rules of their format.
    #[error("not a valid {format} file: {reason}")]
    Format {
        /// The format that was expected.
        format: &'static str,
        /// The rule that is broken.
        reason: String,
    },
    /// A name occurs twice.
    #[error("the name `{name}` occurs twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The format reserves this name.
    #[error("no tensor can have the name `{name}` in a {format} file")]
    ReservedName {
        /// The name.
        name: String,
        /// The format.
        format: &'static str,
    },
    /// A tensor that was asked for does not exist.
    #[error("there is no tensor `{name}`; the tensors are {}", known.join(", "))]
    UnknownTensor {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The file was written by a newer version of this crate.
    #[error("the file has format version {got}, but this version of geartrain reads up to {newest}")]
    NewerVersion {
        /// The file's version.
        got: u32,
        /// The newest version that can be read.
        newest: u32,
    },
    /// The weights are stored in another order.
    #[error("the weights are laid out as {got:?}, expected {expected:?}")]
    WeightLayout {
        /// The order that this crate reads.
        expected: &'static str,
        /// The order of the file.
        got: String,
    },
    /// The description of the model is invalid.
    #[error("the description of the model cannot be used: {reason}")]
    Description {
        /// Why not.
        reason: String,
    },
    /// The file holds weights, but no architecture.
    #[error(
        "the file has no architecture (neither PyTorch nor networks with custom layers save one); build the network \
         and use `load_weights`"
    )]
    NoArchitecture,
    /// The file holds tensors, but not the state of a training.
    #[error("the file is not a checkpoint: {reason}")]
    NotACheckpoint {
        /// What it lacks.
        reason: String,
    },
    /// The checkpoint is from a training with other data or settings.
    #[error("the checkpoint belongs to another training: {setting} was {saved}, now it is {given}")]
    OtherTraining {
        /// The setting that differs, as in `batch size`.
        setting: String,
        /// Its value in the checkpoint.
        saved: String,
        /// Its value now.
        given: String,
    },
    /// The model has scalers, without which the network predicts other values.
    #[error("the model scales its inputs or outputs; load it as a `Predictor`")]
    Scaled,
    /// The tensors in the file are not the parameters of the network.
    #[error("the file does not fit the network: {0}")]
    Mismatch(Mismatch),
    /// The format has no such layer.
    #[error("layer {path} ({layer}) cannot be written as {format}", path = if path.is_empty() { "at the root" } else { path })]
    Unsupported {
        /// Where the layer is, as in `3.body.0`; empty for the outermost layer.
        path: String,
        /// The layer's name.
        layer: String,
        /// The format.
        format: &'static str,
    },
    /// A number is NaN or infinite.
    #[error("`{name}` at {index:?} is {value}, which is not finite in the requested type")]
    NonFinite {
        /// The tensor.
        name: String,
        /// The entry's index in the tensor's shape.
        index: Vec<usize>,
        /// The value found there.
        value: f64,
    },
}

impl FileProblem {
    /// The problem of the file at `path`.
    pub fn at(self, path: impl AsRef<Path>) -> FileError {
        FileError { path: path.as_ref().display().to_string(), problem: self }
    }

    /// A description of a model, or the state of a training, that is invalid for this `reason`.
    pub(crate) fn description(reason: impl fmt::Display) -> Self {
        FileProblem::Description { reason: reason.to_string() }
    }

    pub(crate) fn io(doing: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| FileProblem::Io { doing, source }
    }
}

/// Every difference between the tensors in a file and the parameters of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Parameters of the network that the file does not have.
    pub missing: Vec<String>,
    /// Tensors in the file that the network does not have.
    pub unexpected: Vec<String>,
    /// Tensors of another shape: name, the parameter's shape and the tensor's.
    pub shapes: Vec<(String, Shape, Shape)>,
    /// Tensors of another number type: name, the network's type and the tensor's.
    pub types: Vec<(String, String, String)>,
}

impl Mismatch {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        *self == Mismatch::default()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self
            .shapes
            .iter()
            .map(|(name, expected, got)| format!("`{name}` should be {expected}, is {got}"));
        let types =
            self.types.iter().map(|(name, expected, got)| format!("`{name}` should be {expected}, is {got}"));
        let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let parts = [
            ("missing", quoted(&self.missing)),
            ("unexpected", quoted(&self.unexpected)),
            ("wrong shape", shapes.collect()),
            ("wrong type (`Loader::convert` converts floating-point numbers)", types.collect()),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(title, list)| format!("{title}: {}", list.join(", ")))
            .collect();
        f.write_str(&parts.join("; "))?;
        let only_names = self.shapes.is_empty() && self.types.is_empty();
        if only_names && !self.missing.is_empty() && !self.unexpected.is_empty() {
            f.write_str("; `Loader::rename` maps other names")?;
        }
        Ok(())
    }
}
