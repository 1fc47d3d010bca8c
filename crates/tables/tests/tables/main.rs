//! Tables from CSV text to predictions.

mod csv;
mod encoder;
mod hostile;
mod model;
mod numpy;
mod onnx;
mod predictions;
