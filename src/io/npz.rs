//! Archives of NumPy (`.npz`): a zip file with a `.npy` file for every array.

use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;

use ndarray::{Array2, ArrayD, Axis, Ix1, Ix2};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::tensors::open_file;
use super::{FileError, FileProblem, TensorFile, atomic, npy};
use crate::data::Dataset;
use crate::{Error, Scalar};

const FORMAT: &str = "npz";

impl TensorFile {
    /// Reads the arrays of an `.npz` file, compressed or not. Such a file has no metadata.
    ///
    /// [`Loader::weights_from`](super::Loader::weights_from) loads them into a network.
    ///
    /// # Errors
    /// [`FileProblem::Format`] and [`FileProblem::Io`].
    pub fn open_npz(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let read = |path: &Path| read(open_file(path)?.0);
        read(path.as_ref()).map_err(|problem| problem.at(path))
    }

    /// [`open_npz`](TensorFile::open_npz) for bytes in memory. Any bytes are safe.
    ///
    /// # Errors
    /// [`FileProblem::Format`].
    pub fn parse_npz(bytes: &[u8]) -> Result<Self, FileProblem> {
        read(Cursor::new(bytes))
    }

    /// Writes the tensors, without the metadata, as an uncompressed `.npz` file, whole or not at
    /// all ([`atomic::write`]).
    ///
    /// # Errors
    /// As [`atomic::write`], and [`FileProblem::Format`] for a tensor that NumPy cannot hold.
    pub fn save_npz(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        atomic::write(&path, &self.to_npz().map_err(|problem| problem.at(&path))?)
    }

    /// The contents of the file that [`save_npz`](TensorFile::save_npz) writes.
    ///
    /// # Errors
    /// [`FileProblem::Format`] for a tensor that NumPy cannot hold.
    pub fn to_npz(&self) -> Result<Vec<u8>, FileProblem> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, tensor) in &self.tensors {
            let bytes = npy::encode(tensor).ok_or_else(|| wrong(format!("NumPy cannot hold `{name}`")))?;
            let large = bytes.len() as u64 >= u64::from(u32::MAX);
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            archive.start_file(format!("{name}.npy"), options.large_file(large)).map_err(wrong)?;
            archive.write_all(&bytes).map_err(FileProblem::io("write"))?;
        }
        Ok(archive.finish().map_err(wrong)?.into_inner())
    }
}

impl<F: Scalar> Dataset<F> {
    /// The arrays `x`, `(rows, features)`, and `y`, `(rows, outputs)` or `(rows,)`, of an `.npz`
    /// file. Floating-point numbers, integers and booleans are rounded to `F`.
    ///
    /// # Errors
    /// [`Error::File`] with what is wrong with the file, and as [`Dataset::new`].
    pub fn from_npz(path: impl AsRef<Path>) -> Result<Self, Error> {
        let file = TensorFile::open_npz(&path)?;
        let matrix = |name| matrix(name, file.get_rounded(name)?);
        let x = matrix("x").map_err(|problem: FileProblem| problem.at(&path))?;
        let y = matrix("y").map_err(|problem: FileProblem| problem.at(&path))?;
        Ok(Dataset::new(x, y)?)
    }

    /// Writes the arrays `x` and `y`, without the names of their columns, as an `.npz` file.
    ///
    /// # Errors
    /// As [`TensorFile::save_npz`].
    pub fn save_npz(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let mut file = TensorFile::new();
        for (name, array) in [("x", self.x()), ("y", self.y())] {
            file.insert(name, array.view().into_dyn()).map_err(|problem| problem.at(&path))?;
        }
        Ok(file.save_npz(path)?)
    }
}

/// Two dimensions, or one that becomes a column.
fn matrix<F: Scalar>(name: &str, array: ArrayD<F>) -> Result<Array2<F>, FileProblem> {
    match array.ndim() {
        1 => Ok(array.into_dimensionality::<Ix1>().expect("one dimension").insert_axis(Axis(1))),
        2 => Ok(array.into_dimensionality::<Ix2>().expect("two dimensions")),
        other => Err(wrong(format!("`{name}` has {other} dimensions, expected 1 or 2"))),
    }
}

fn read(reader: impl Read + Seek) -> Result<TensorFile, FileProblem> {
    let mut archive = ZipArchive::new(reader).map_err(wrong)?;
    let mut file = TensorFile::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(wrong)?;
        let name = entry.name().map_err(wrong)?;
        let Some(name) = name.strip_suffix(".npy").map(String::from) else {
            return Err(wrong(format!("`{name}` is not an array")));
        };
        let len = entry.size();
        let tensor = npy::parse_from(entry, len).map_err(|problem| match problem {
            FileProblem::Format { reason, .. } => wrong(format!("`{name}`: {reason}")),
            other => other,
        })?;
        if file.tensors.insert(name.clone(), tensor).is_some() {
            return Err(FileProblem::DuplicateName { name });
        }
    }
    Ok(file)
}

fn wrong(reason: impl std::fmt::Display) -> FileProblem {
    FileProblem::Format { format: FORMAT, reason: reason.to_string() }
}
