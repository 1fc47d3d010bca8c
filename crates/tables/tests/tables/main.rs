//! Tables from CSV text to predictions.

mod as_written;
mod csv;
mod encoder;
mod hostile;
mod model;
mod numpy;
mod onnx;
mod predictions;
