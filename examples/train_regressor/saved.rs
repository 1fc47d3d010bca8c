//! The model in a file: keep it after training, and use it later.

use std::error::Error;
use std::path::{Path, PathBuf};

use geartrain::prelude::*;

use crate::csv::{self, CsvOptions};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The model in a file")]
pub struct SavedOptions {
    /// Save the trained model with its scales and names, as safetensors
    #[arg(long, value_name = "FILE", conflicts_with_all = ["folds", "load"])]
    save: Option<PathBuf>,

    /// Train nothing: use this saved model, for --predict or --export-onnx
    #[arg(long, value_name = "FILE", conflicts_with_all = ["csv", "toy", "folds", "json"])]
    load: Option<PathBuf>,

    /// Print what the loaded model predicts for each row of this CSV file, as CSV
    #[arg(long, value_name = "FILE", requires = "load", group = "file")]
    predict: Option<PathBuf>,

    /// Write the model for onnxruntime and others (needs the feature `onnx`)
    #[arg(long, value_name = "FILE", conflicts_with = "folds")]
    export_onnx: Option<PathBuf>,
}

impl SavedOptions {
    /// Fails for what this program cannot do, before it takes time to train.
    pub fn check(&self) -> Result<(), String> {
        if self.export_onnx.is_some() && cfg!(not(feature = "onnx")) {
            return Err("--export-onnx needs a build with ONNX: \
                 cargo run --release --features onnx --example train_regressor"
                .into());
        }
        if self.load.is_some() && self.predict.is_none() && self.export_onnx.is_none() {
            return Err("--load needs --predict or --export-onnx: what to do with the model".into());
        }
        Ok(())
    }

    /// Does what is to be done with the model to be loaded; false if there is none.
    pub fn use_saved(&self, format: &CsvOptions) -> Result<bool, Box<dyn Error>> {
        let Some(path) = &self.load else { return Ok(false) };
        let model = Predictor::<f32>::load(path)?;
        self.keep(&model)?;
        if let Some(table) = &self.predict {
            let x = format.format("").load_features::<f32, _>(table, model.feature_names());
            let y = model.predict(x.map_err(csv::in_words_of_the_command_line)?.view())?;
            let mut text = line(model.target_names().iter().map(|name| cell(name)));
            y.rows().into_iter().for_each(|row| text += &line(row.iter().map(f32::to_string)));
            output::print(&text)?;
        }
        Ok(true)
    }

    /// Writes the model into the files that were asked for.
    pub fn keep(&self, model: &Predictor<f32>) -> Result<(), Box<dyn Error>> {
        if let Some(path) = &self.save {
            model.save(path)?;
        }
        if let Some(path) = &self.export_onnx {
            export(model, path)?;
        }
        Ok(())
    }
}

#[cfg(feature = "onnx")]
fn export(model: &Predictor<f32>, path: &Path) -> Result<(), geartrain::Error> {
    model.export_onnx(path)
}

#[cfg(not(feature = "onnx"))]
fn export(_: &Predictor<f32>, _: &Path) -> Result<(), geartrain::Error> {
    unreachable!("checked before training")
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(",") + "\n"
}

/// A name as a cell of a CSV file.
fn cell(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.into()
    }
}
