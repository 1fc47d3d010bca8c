//! `geartrain export`: a saved model in another format.

use std::path::PathBuf;

use geartrain::Predictor;

use crate::failure::{Failure, Outcome};
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
    if geartrain_tables::model_kind(&options.model)?.is_some() {
        return Err(Failure::other(format!(
            "{}: a model of the recipe for tables cannot be exported yet; train with --recipe network",
            options.model.display()
        )));
    }
    let model = Predictor::<f32>::load(&options.model)?;
    model.export_onnx(&options.onnx)?;
    output::note(&format!("The model is in {}", options.onnx.display()));
    Ok(())
}
