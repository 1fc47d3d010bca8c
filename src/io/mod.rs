//! Models in files: safetensors for this crate and PyTorch; with the feature `onnx`, ONNX for
//! onnxruntime and others; with the feature `npy`, arrays of NumPy.
//!
//! | file | what it holds |
//! |---|---|
//! | `predictor` | [`Predictor`]: a network with its scalers, names and fill values |
//! | `loader` | [`Loader`]: how strictly a file is read, and under which names |
//! | `description` | the JSON text that describes a model besides its weights |
//! | `tensors` | [`TensorFile`]: named tensors, in the safetensors format |
//! | `header` | the header of such a file, checked before anything else is read |
//! | `onnx` | [`Predictor`] as an ONNX model, `OnnxGraph` |
//! | `npy`, `npz` | arrays of NumPy, alone and in archives |
//! | `number` | the number types of tensors |
//! | [`atomic`] | writes a file whole or not at all |

pub mod atomic;
mod description;
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

pub use crate::error::file::{FileError, FileProblem, Mismatch};
pub use atomic::check_writable;
pub use loader::Loader;
#[cfg(feature = "onnx")]
pub use onnx::{OnnxAttribute, OnnxConstant, OnnxGraph, OnnxType};
pub use predictor::{Predictions, Predictor};
pub use tensors::TensorFile;
