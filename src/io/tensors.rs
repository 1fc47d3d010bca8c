//! Named tensors, in memory and in the safetensors format.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use serde_json::json;

use super::header::{self, Header};
use super::number::{self, Dtype};
use super::{FileError, FileProblem, Mismatch, atomic};
use crate::Scalar;

pub(super) const FORMAT: &str = "safetensors";

/// The key under which the format keeps its metadata, among the names of the tensors.
const METADATA: &str = "__metadata__";

/// Named tensors and a few named texts: the contents of a safetensors file.
///
/// In the file, every tensor lies in row-major order, and the same contents give the same bytes.
/// Names are only names: `../x` is a name like any other.
///
/// ```
/// use geartrain::io::TensorFile;
/// use ndarray::array;
/// let mut file = TensorFile::new();
/// file.insert("0.weight", array![[1.0_f32, 2.0]].view().into_dyn())?;
/// let read = TensorFile::parse(&file.to_bytes()?)?;
/// assert_eq!(read.get::<f32>("0.weight")?, array![[1.0, 2.0]].into_dyn());
/// # Ok::<(), geartrain::io::FileProblem>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorFile {
    metadata: BTreeMap<String, String>,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Little-endian numbers, row after row.
    pub bytes: Vec<u8>,
}

impl TensorFile {
    /// No tensors.
    pub fn new() -> Self {
        TensorFile::default()
    }

    /// Adds a tensor, as `F32` or `F64`.
    ///
    /// # Errors
    /// [`FileProblem::DuplicateName`], and [`FileProblem::ReservedName`] for `__metadata__`.
    pub fn insert<F: Scalar>(&mut self, name: &str, tensor: ArrayViewD<F>) -> Result<(), FileProblem> {
        if name == METADATA {
            return Err(FileProblem::ReservedName { name: name.into(), format: FORMAT });
        }
        if self.tensors.contains_key(name) {
            return Err(FileProblem::DuplicateName { name: name.into() });
        }
        let bytes = number::encode(tensor.iter().copied());
        let tensor = Tensor { dtype: number::dtype::<F>(), shape: tensor.shape().to_vec(), bytes };
        self.tensors.insert(name.into(), tensor);
        Ok(())
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`FileProblem::UnknownTensor`]; [`FileProblem::Mismatch`] if its numbers are not of type
    /// `F`.
    pub fn get<F: Scalar>(&self, name: &str) -> Result<ArrayD<F>, FileProblem> {
        let tensor = self.find(name)?;
        if tensor.dtype != number::dtype::<F>() {
            return Err(wrong_type::<F>(name, tensor.dtype));
        }
        self.get_rounded(name)
    }

    /// The tensor called `name`, of any number type, rounded to `F`.
    ///
    /// # Errors
    /// [`FileProblem::UnknownTensor`]; [`FileProblem::Mismatch`] if it holds neither floating-point
    /// numbers nor integers.
    pub fn get_rounded<F: Scalar>(&self, name: &str) -> Result<ArrayD<F>, FileProblem> {
        let tensor = self.find(name)?;
        let values = number::decode(tensor.dtype, &tensor.bytes);
        let values = values.ok_or_else(|| wrong_type::<F>(name, tensor.dtype))?;
        Ok(ArrayD::from_shape_vec(IxDyn(&tensor.shape), values).expect("as many numbers as the shape says"))
    }

    /// The names of the tensors, in order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Sets a text of the metadata.
    pub fn set_metadata(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.metadata.insert(key.into(), text.into());
    }

    /// The metadata text under `key`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Removes the tensors whose names begin with `prefix` and returns them without it.
    pub fn split_off(&mut self, prefix: &str) -> TensorFile {
        let mut part = TensorFile::new();
        for (name, tensor) in std::mem::take(&mut self.tensors) {
            match name.strip_prefix(prefix) {
                Some(rest) => part.tensors.insert(rest.into(), tensor),
                None => self.tensors.insert(name, tensor),
            };
        }
        part
    }

    /// The contents of the file.
    ///
    /// # Errors
    /// [`FileProblem::Format`] if names and metadata are too long for the format (100 MB).
    pub fn to_bytes(&self) -> Result<Vec<u8>, FileProblem> {
        // The widest numbers first, so that every tensor is aligned to its own.
        let mut tensors: Vec<_> = self.tensors.iter().collect();
        tensors.sort_by_key(|(_, tensor)| Reverse(tensor.dtype.bitsize()));
        let mut header = serde_json::Map::new();
        if !self.metadata.is_empty() {
            header.insert(METADATA.into(), json!(self.metadata));
        }
        let mut start = 0;
        for (name, Tensor { dtype, shape, bytes }) in &tensors {
            let end = start + bytes.len();
            let entry = json!({"dtype": number::name(*dtype), "shape": shape, "data_offsets": [start, end]});
            header.insert(name.to_string(), entry);
            start = end;
        }
        let mut header = serde_json::Value::from(header).to_string();
        while header.len() % 8 != 0 {
            header.push(' ');
        }
        if header.len() as u64 > header::LONGEST {
            let reason = format!("{} bytes of names and metadata, at most 100 MB are allowed", header.len());
            return Err(FileProblem::Format { format: FORMAT, reason });
        }
        let mut file = Vec::with_capacity(8 + header.len() + start);
        file.extend((header.len() as u64).to_le_bytes());
        file.extend(header.as_bytes());
        for (_, tensor) in tensors {
            file.extend(&tensor.bytes);
        }
        Ok(file)
    }

    /// Writes the file, whole or not at all (see [`atomic::write`]).
    ///
    /// # Errors
    /// As [`atomic::write`] and [`to_bytes`](TensorFile::to_bytes).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        atomic::write(path, &self.to_bytes().map_err(|problem| problem.at(path))?)
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`FileProblem::Io`], [`FileProblem::NotAFile`], and as [`parse`](TensorFile::parse).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let open = |path: &Path| {
            let (file, len) = open_file(path)?;
            TensorFile::read(file, len)
        };
        open(path.as_ref()).map_err(|problem| problem.at(path))
    }

    /// Reads the contents of a file. Any bytes are safe: sizes are checked before allocation.
    ///
    /// # Errors
    /// [`FileProblem::Format`], [`FileProblem::DuplicateName`] and [`FileProblem::Pickle`].
    pub fn parse(bytes: &[u8]) -> Result<Self, FileProblem> {
        TensorFile::read(bytes, bytes.len() as u64)
    }

    fn find(&self, name: &str) -> Result<&Tensor, FileProblem> {
        self.tensors.get(name).ok_or_else(|| FileProblem::UnknownTensor {
            name: name.into(),
            known: self.tensors.keys().cloned().collect(),
        })
    }

    fn read(mut reader: impl Read, len: u64) -> Result<Self, FileProblem> {
        let mut length = Vec::new();
        reader.by_ref().take(8).read_to_end(&mut length).map_err(FileProblem::io("read"))?;
        let format = |reason: String| FileProblem::Format { format: FORMAT, reason };
        // Neither start could be the length of a header, and both are those of torch.save, new and
        // old.
        let pickled = length.starts_with(b"PK\x03\x04") || length.starts_with(b"\x80\x02");
        let header_len = match <[u8; 8]>::try_from(&length[..]).map(u64::from_le_bytes) {
            Ok(header_len) if header_len <= header::LONGEST.min(len.saturating_sub(8)) => header_len,
            _ if pickled => return Err(FileProblem::Pickle),
            Ok(header_len) => {
                return Err(format(format!("a header of {header_len} bytes in a file of {len}")));
            }
            Err(_) => {
                return Err(format(format!(
                    "it has {} bytes, fewer than the 8 of the header's length",
                    length.len()
                )));
            }
        };
        let mut json = Vec::new();
        reader.by_ref().take(header_len).read_to_end(&mut json).map_err(FileProblem::io("read"))?;
        let Header { metadata, tensors: entries } = header::parse(&json, len - 8 - header_len)?;
        let mut tensors = BTreeMap::new();
        for entry in entries {
            let mut bytes = vec![0; entry.len];
            reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => format("it became shorter while it was read".into()),
                _ => FileProblem::io("read")(error),
            })?;
            tensors.insert(entry.name, Tensor { dtype: entry.dtype, shape: entry.shape, bytes });
        }
        Ok(TensorFile { metadata, tensors })
    }
}

/// The regular file at `path`, and its length.
pub(super) fn open_file(path: &Path) -> Result<(File, u64), FileProblem> {
    // Tested before opening: opening a pipe waits for its other end.
    if !fs::metadata(path).map_err(FileProblem::io("open"))?.is_file() {
        return Err(FileProblem::NotAFile);
    }
    let file = File::open(path).map_err(FileProblem::io("open"))?;
    let len = file.metadata().map_err(FileProblem::io("open"))?.len();
    Ok((file, len))
}

/// The tensor called `name` does not hold numbers of type `F`.
fn wrong_type<F: Scalar>(name: &str, got: Dtype) -> FileProblem {
    let types = vec![(name.into(), number::name(number::dtype::<F>()), number::name(got))];
    FileProblem::Mismatch(Mismatch { types, ..Mismatch::default() })
}
