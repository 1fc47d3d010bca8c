//! `geartrain export`: a saved model in another format.

use std::path::PathBuf;

use geartrain::Predictor;
use geartrain_tables::{TabularClassifier, TabularRegressor};

use crate::failure::Outcome;
use crate::output;

/// Convert a saved model to ONNX, for onnxruntime and other programs
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The model, as saved by `geartrain train --save`
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// The ONNX file to write
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
}

pub fn run(options: &Options) -> Outcome {
    output::check_writable([options.onnx.as_path()], [options.model.as_path()])?;
    match geartrain_tables::model_kind(&options.model)?.as_deref() {
        Some("classifier") => TabularClassifier::load(&options.model)?.export_onnx(&options.onnx)?,
        Some(_) => TabularRegressor::load(&options.model)?.export_onnx(&options.onnx)?,
        None => Predictor::<f32>::load(&options.model)?.export_onnx(&options.onnx)?,
    }
    output::note(&format!("The model is in {}", options.onnx.display()));
    Ok(())
}
