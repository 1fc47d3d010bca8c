//! Classification: the levels of one column as classes.

use std::collections::BTreeMap;

use geartrain::Loss;
use geartrain::data::{DataError, DataProblem};
use geartrain::loss::CrossEntropy;
use ndarray::{Array2, ArrayRef2};
use serde::{Deserialize, Serialize};

use super::recipe::DROPOUT;
use super::task::{Task, sealed::Sealed};
use crate::encoder::codes_and_texts;
use crate::error::{list, require};
use crate::table::Cells;
use crate::table::levels::MISSING;
use crate::{ColumnType, Error, Scores, Table};

/// How much the classes count in the loss of a classifier.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ClassWeights {
    /// Each row counts the same.
    #[default]
    Equal,
    /// Each class counts the same: a row of a class counts *n* / (classes × rows of the class).
    Balanced,
    /// Weights by class name; 1 for others.
    ByName(BTreeMap<String, f64>),
}

/// The options of a [`TabularClassifier`](crate::TabularClassifier).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassificationOptions {
    weights: ClassWeights,
}

impl super::Recipe<Classification> {
    /// How much each class counts. Default: as many times as it has rows. Other weights change the
    /// predicted probabilities: they are those of a table in which the classes have these shares.
    pub fn class_weights(mut self, weights: ClassWeights) -> Self {
        self.task.weights = weights;
        self
    }
}

/// One of several classes as target: the task of a [`TabularClassifier`](crate::TabularClassifier).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    target: String,
    classes: Vec<String>,
    /// Training rows of each class.
    counts: Vec<usize>,
    weights: Option<Vec<f64>>,
}

/// The most classes.
const MOST_CLASSES: usize = 10_000;
/// With fewer rows than this, each may be of another class.
const FEW_ROWS: usize = 10;

impl Classification {
    pub(crate) fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The class of every row of `table`.
    fn indices(&self, table: &Table) -> Result<Vec<usize>, Error> {
        let (codes, texts) = codes_and_texts(table.column(&self.target)?, ColumnType::Category);
        let classes: Vec<Option<usize>> =
            texts.iter().map(|text| self.classes.binary_search(text).ok()).collect();
        let class = |(row, &code): (usize, &u32)| {
            let text = if code == MISSING { "a missing cell" } else { &texts[code as usize] };
            let found = if code == MISSING { None } else { classes[code as usize] };
            found.ok_or_else(|| Error::Value {
                name: self.target.clone(),
                row: row + 1,
                expected: "a class of the training rows",
                got: text.into(),
            })
        };
        codes.iter().enumerate().map(class).collect()
    }
}

impl Sealed for Classification {}

impl Task for Classification {
    type Options = ClassificationOptions;
    const NAME: &'static str = "classifier";
    const ENSEMBLE_DROPOUT: f64 = DROPOUT;
    const STRATIFIED: bool = true;

    fn fit(
        options: &ClassificationOptions,
        table: &Table,
        targets: &[String],
        order: &[usize],
    ) -> Result<Self, Error> {
        let target = targets.first().cloned().unwrap_or_default();
        let (codes, texts) = codes_and_texts(table.column(&target)?, ColumnType::Category);
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for &row in order {
            // Rows with a missing target are left out before.
            *by_name.entry(&texts[codes[row] as usize]).or_default() += 1;
        }
        let classes: Vec<String> = by_name.keys().map(|class| class.to_string()).collect();
        let counts: Vec<usize> = by_name.into_values().collect();
        let got = format_args!("{} in column `{target}`", classes.len());
        require((2..=MOST_CLASSES).contains(&classes.len()), "number of classes", "from 2 to 10,000", got)?;
        let numeric = matches!(table.column(&target)?.cells(), Cells::Numbers(_));
        let too_many = if numeric { 2 * classes.len() > order.len() } else { classes.len() == order.len() };
        if too_many && order.len() >= FEW_ROWS {
            let problem = DataProblem::TooManyClasses { classes: classes.len(), rows: order.len() };
            return Err(geartrain::Error::from(DataError::from(problem)).into());
        }
        let weights = match &options.weights {
            ClassWeights::Equal => None,
            ClassWeights::Balanced => {
                let share = order.len() as f64 / classes.len() as f64;
                Some(counts.iter().map(|&count| share / count as f64).collect())
            }
            ClassWeights::ByName(weights) => {
                for (name, &weight) in weights {
                    let got = format_args!("`{name}`; the classes are {}", list(&classes));
                    require(classes.contains(name), "class_weights", "names of classes", got)?;
                    let got = format_args!("{weight} for `{name}`");
                    require(
                        weight.is_finite() && weight > 0.0,
                        "class weight",
                        "a finite number above 0",
                        got,
                    )?;
                }
                Some(classes.iter().map(|class| weights.get(class).copied().unwrap_or(1.0)).collect())
            }
        };
        Ok(Classification { target, classes, counts, weights })
    }

    fn targets(&self) -> Vec<String> {
        vec![self.target.clone()]
    }

    fn outputs_by_name(&self) -> Vec<String> {
        self.classes.clone()
    }

    fn encode(&self, table: &Table) -> Result<Array2<f32>, Error> {
        let classes: Vec<f32> = self.indices(table)?.into_iter().map(|class| class as f32).collect();
        Ok(Array2::from_shape_vec((classes.len(), 1), classes).expect("one column"))
    }

    fn outputs(&self) -> usize {
        self.classes.len()
    }

    fn loss(&self) -> Box<dyn Loss<f32>> {
        match &self.weights {
            None => Box::new(CrossEntropy),
            Some(weights) => Box::new(CrossEntropy.class_weights(weights.clone())),
        }
    }

    fn may_learn_from_all(&self) -> bool {
        // A classifier that separates its training rows becomes too sure of itself.
        false
    }

    fn decode(&self, outputs: &ArrayRef2<f32>) -> Array2<f64> {
        let mut probabilities = outputs.mapv(f64::from);
        for mut row in probabilities.rows_mut() {
            let largest = row.fold(f64::NEG_INFINITY, |max, &z| max.max(z));
            row.mapv_inplace(|z| libm::exp(z - largest));
            let sum = row.sum();
            row /= sum;
        }
        probabilities
    }

    fn constant(&self) -> Vec<f64> {
        let rows: usize = self.counts.iter().sum();
        self.counts.iter().map(|&count| count as f64 / rows as f64).collect()
    }

    fn finish(&self, _: &mut Array2<f64>) {}

    fn score(&self, predictions: &ArrayRef2<f64>, table: &Table, weights: &[f64]) -> Result<Scores, Error> {
        Ok(Scores::of_classes(&self.indices(table)?, predictions, weights))
    }

    #[cfg(feature = "onnx")]
    fn onnx(&self, graph: &mut geartrain::io::OnnxGraph, outputs: &[String]) {
        use geartrain::io::{OnnxAttribute, OnnxType};
        let mut probabilities = Vec::new();
        for output in outputs {
            let logits = super::onnx::to_f64(graph, output);
            probabilities.push(graph.node("Softmax", &[&logits], vec![("axis", OnnxAttribute::Integer(1))]));
        }
        let mean = super::onnx::mean(graph, &probabilities);
        graph.output("probabilities", &mean, OnnxType::F64, self.classes.len());
        let index = graph.node("ArgMax", &["probabilities"], vec![("axis", OnnxAttribute::Integer(1))]);
        let keys = OnnxAttribute::Integers((0..self.classes.len() as i64).collect());
        let values = OnnxAttribute::Texts(self.classes.clone());
        let attributes = vec![("keys_int64s", keys), ("values_strings", values)];
        let class = graph.node("ai.onnx.ml.LabelEncoder", &[&index], attributes);
        graph.output("class", &class, OnnxType::Text, 1);
    }

    fn describe(&self) -> String {
        let shown = 20;
        let mut classes: Vec<String> = self
            .classes
            .iter()
            .zip(&self.counts)
            .take(shown)
            .map(|(class, count)| format!("`{class}` ({count} rows)"))
            .collect();
        if self.classes.len() > shown {
            classes.push(format!("{} more", self.classes.len() - shown));
        }
        let weights = if self.weights.is_some() { " with class weights" } else { "" };
        let classes = classes.join(", ");
        format!("predicts `{}`, one of {classes}; minimises the cross-entropy{weights}", self.target)
    }
}
