//! The description of a model in its file, besides the weights: a JSON text in the metadata.

use serde::{Deserialize, Serialize};

use super::{FileProblem, TensorFile, header};
use crate::Scalar;
use crate::data::StandardScaler;
use crate::layers::LayerSpec;

/// The key of the description in the metadata.
const KEY: &str = "geartrain";

/// The version of the description that this crate writes, and the newest that it reads.
///
/// 1: no `classes` and no `fill`.
const VERSION: u32 = 2;

/// The order of the numbers of a weight in the file. A file with another order is refused: a square
/// matrix does not show that it is transposed.
const WEIGHT_LAYOUT: &str = "outputs x inputs, row-major";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    version: u32,
    weights: String,
    /// Features per row that the network reads.
    pub inputs: usize,
    /// `None` if the network contains a custom layer.
    pub architecture: Option<LayerSpec>,
    pub x_scale: Option<StandardScaler>,
    pub y_scale: Option<StandardScaler>,
    pub feature_names: Vec<String>,
    pub target_names: Vec<String>,
    #[serde(default)]
    pub classes: Vec<String>,
    /// The values that stand in for missing features.
    #[serde(default)]
    pub fill: Option<Vec<f64>>,
}

/// The part that every version has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Description {
    pub fn new<F: Scalar>(predictor: &super::Predictor<F>) -> Self {
        let network = predictor.network();
        Description {
            version: VERSION,
            weights: WEIGHT_LAYOUT.into(),
            inputs: network.inputs(),
            architecture: LayerSpec::of(network.layer()),
            x_scale: predictor.x_scale().cloned(),
            y_scale: predictor.y_scale().cloned(),
            feature_names: predictor.feature_names().to_vec(),
            target_names: predictor.target_names().to_vec(),
            classes: predictor.classes().to_vec(),
            fill: predictor.fill().map(<[f64]>::to_vec),
        }
    }

    /// Puts the description into a file, unless it cannot be read again (layers nested too deeply
    /// for JSON).
    pub fn write(&self, file: &mut TensorFile) -> Result<(), FileProblem> {
        let json = serde_json::to_string(self).map_err(FileProblem::description)?;
        file.set_metadata(KEY, json);
        match Description::read(file)? {
            Some(read) if read == *self => Ok(()),
            _ => Err(FileProblem::Description {
                reason: "its layers are nested too deeply for the file format".into(),
            }),
        }
    }

    /// The description in a file; `None` for a file of another program.
    pub fn read(file: &TensorFile) -> Result<Option<Self>, FileProblem> {
        let Some(json) = file.metadata(KEY) else { return Ok(None) };
        if let Some(name) = header::first_duplicate(json).map_err(FileProblem::description)? {
            return Err(FileProblem::DuplicateName { name });
        }
        let Version { version } = serde_json::from_str(json).map_err(FileProblem::description)?;
        if version > VERSION {
            return Err(FileProblem::NewerVersion { got: version, newest: VERSION });
        }
        let description: Description = serde_json::from_str(json).map_err(FileProblem::description)?;
        if description.weights != WEIGHT_LAYOUT {
            return Err(FileProblem::WeightLayout { expected: WEIGHT_LAYOUT, got: description.weights });
        }
        Ok(Some(description))
    }
}
