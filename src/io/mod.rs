//! Models in files: safetensors for this crate and for PyTorch, ONNX (feature `onnx`) for onnxruntime and others, and
//! arrays of NumPy (feature `npy`).
//!
//! | file | what it holds |
//! |---|---|
//! | `predictor` | [`Predictor`]: a network with the scales and names that belong to it; save and load |
//! | `loader` | [`Loader`]: how strictly a file is read |
//! | `description` | what the file says about its model besides the weights |
//! | `tensors` | [`TensorFile`]: named tensors, in the safetensors format |
//! | `header` | the first part of such a file, checked before anything is believed |
//! | `onnx` | [`Predictor`] as an ONNX model |
//! | `npy`, `npz` | arrays of NumPy, alone and in archives |
//! | `number` | the number types of tensors |
//! | [`atomic`] | writes a file whole or not at all |
//! | `error` | [`FileError`]: everything that can be wrong with a file |

pub mod atomic;
mod description;
mod error;
mod header;
mod loader;
#[cfg(feature = "npy")]
pub mod npy;
#[cfg(feature = "npy")]
mod npz;
mod number;
#[cfg(feature = "onnx")]
mod onnx;
mod predictor;
mod tensors;

pub use error::{FileError, FileProblem, Mismatch};
pub use loader::Loader;
pub use predictor::Predictor;
pub use tensors::TensorFile;
