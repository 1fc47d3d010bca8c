//! Model files: what is written, what is read, and what other programs read and write.

mod hostile_bytes;
mod interop;
mod model_files;
mod onnx;
mod predictions;
mod torch_model;
