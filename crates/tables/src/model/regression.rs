//! Regression: numbers as targets.

use geartrain::Loss;
use geartrain::loss::{Huber, MeanAbsoluteError, MeanSquaredError, Poisson};
use ndarray::{Array2, ArrayRef2, Axis};
use serde::{Deserialize, Serialize};

use super::quantiles::Quantiles;
use super::task::{Task, sealed::Sealed};
use crate::encoder::quantile;
use crate::error::require;
use crate::table::Cells;
use crate::{ColumnType, Error, Scores, Table};

/// The loss of a regressor. Targets are standardised first, except for `Poisson`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RegressionLoss {
    /// Squared error: predicts the mean.
    #[default]
    Squared,
    /// Absolute error: predicts the median.
    Absolute,
    /// Squared up to this many standard deviations of the target, absolute above.
    Huber(f64),
    /// Pinball loss: predicts these quantiles, each between 0 and 1, in increasing order. Predicted
    /// quantiles never cross.
    Quantiles(Vec<f64>),
    /// Poisson deviance: predicts the mean of counts, which are at least 0.
    Poisson,
}

/// The options of a [`TabularRegressor`](crate::TabularRegressor).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegressionOptions {
    loss: RegressionLoss,
    extrapolate: bool,
}

impl super::Recipe<Regression> {
    /// The loss. Default: the squared error.
    pub fn loss(mut self, loss: RegressionLoss) -> Self {
        self.task.loss = loss;
        self
    }

    /// Whether predictions may lie outside the range of the training targets. Default: `false`.
    pub fn extrapolate(mut self, extrapolate: bool) -> Self {
        self.task.extrapolate = extrapolate;
        self
    }
}

/// Numbers as targets: the task of a [`TabularRegressor`](crate::TabularRegressor).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    loss: RegressionLoss,
    extrapolate: bool,
    targets: Vec<Target>,
}

/// One target column and its scale: `(t − center) / scale` is what the loss reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Target {
    name: String,
    center: f64,
    scale: f64,
    /// Range of the training rows.
    min: f64,
    max: f64,
    /// What the network begins with, scaled: the network's last layer starts at 0.
    start: Vec<f64>,
}

/// The largest target, whose square is finite with a margin.
const LARGEST: f64 = 1e100;

impl Regression {
    /// The levels of the quantiles; one level stands for other losses.
    fn levels(&self) -> usize {
        match &self.loss {
            RegressionLoss::Quantiles(levels) => levels.len(),
            _ => 1,
        }
    }
}

/// The numbers of a target column.
fn numbers<'a>(table: &'a Table, name: &str) -> Result<&'a [f64], Error> {
    let column = table.column(name)?;
    match column.cells() {
        Cells::Numbers(values) => Ok(values),
        _ => {
            let first = (0..column.len()).find_map(|row| Some((row, column.text(row)?)));
            let (row, text) = first.unwrap_or_default();
            let problem = format!("row {} (from 1) holds `{text}`", row + 1);
            Err(Error::WrongType { name: name.into(), expected: ColumnType::Number, problem })
        }
    }
}

impl Sealed for Regression {}

impl Task for Regression {
    type Options = RegressionOptions;
    const NAME: &'static str = "regressor";
    const ENSEMBLE_DROPOUT: f64 = 0.0;
    const STRATIFIED: bool = false;

    fn fit(
        options: &RegressionOptions,
        table: &Table,
        names: &[String],
        order: &[usize],
    ) -> Result<Self, Error> {
        match &options.loss {
            RegressionLoss::Huber(delta) => {
                require(delta.is_finite() && *delta > 0.0, "Huber", "a finite number above 0", delta)?;
            }
            RegressionLoss::Quantiles(levels) => {
                let inside = levels.iter().all(|&level| level > 0.0 && level < 1.0);
                let increasing = !levels.is_empty() && levels.is_sorted_by(|a, b| a < b);
                let got = format_args!("{levels:?}");
                require(inside && increasing, "Quantiles", "increasing numbers between 0 and 1", got)?;
            }
            _ => {}
        }
        let target = |name: &String| {
            let values = numbers(table, name)?;
            for &row in order {
                let lowest = if options.loss == RegressionLoss::Poisson { 0.0 } else { -LARGEST };
                if !(lowest..=LARGEST).contains(&values[row]) {
                    let expected = match options.loss {
                        RegressionLoss::Poisson => "a count from 0 to 1e100",
                        _ => "a number from -1e100 to 1e100",
                    };
                    let (name, got) = (name.clone(), values[row].to_string());
                    return Err(Error::Value { name, row: row + 1, expected, got });
                }
            }
            let count = order.len() as f64;
            let mean = order.iter().map(|&row| values[row]).sum::<f64>() / count;
            let variance = order.iter().map(|&row| (values[row] - mean).powi(2)).sum::<f64>() / count;
            let or_one = |scale: f64| if scale > 0.0 { scale } else { 1.0 };
            let (center, scale) = match options.loss {
                RegressionLoss::Poisson => (0.0, or_one(mean)),
                _ => (mean, or_one(variance.sqrt())),
            };
            let mut sorted: Vec<f64> = order.iter().map(|&row| values[row]).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let at = |level: &f64| (quantile(&sorted, *level) - center) / scale;
            let start = match &options.loss {
                RegressionLoss::Absolute => vec![at(&0.5)],
                RegressionLoss::Quantiles(levels) => levels.iter().map(at).collect(),
                _ => vec![0.0],
            };
            let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
            Ok(Target { name: name.clone(), center, scale, min, max, start })
        };
        let targets = names.iter().map(target).collect::<Result<_, Error>>()?;
        Ok(Regression { loss: options.loss.clone(), extrapolate: options.extrapolate, targets })
    }

    fn targets(&self) -> Vec<String> {
        self.targets.iter().map(|target| target.name.clone()).collect()
    }

    fn outputs_by_name(&self) -> Vec<String> {
        let names = |target: &Target| match &self.loss {
            RegressionLoss::Quantiles(levels) => {
                levels.iter().map(|level| format!("{}[{level}]", target.name)).collect()
            }
            _ => vec![target.name.clone()],
        };
        self.targets.iter().flat_map(names).collect()
    }

    fn encode(&self, table: &Table) -> Result<Array2<f32>, Error> {
        let levels = self.levels();
        let mut y = Array2::zeros((table.rows(), self.outputs()));
        for (t, target) in self.targets.iter().enumerate() {
            for (row, &value) in numbers(table, &target.name)?.iter().enumerate() {
                for (level, start) in target.start.iter().enumerate() {
                    y[(row, t * levels + level)] = ((value - target.center) / target.scale - start) as f32;
                }
            }
        }
        Ok(y)
    }

    fn outputs(&self) -> usize {
        self.targets.len() * self.levels()
    }

    fn loss(&self) -> Box<dyn Loss<f32>> {
        match &self.loss {
            RegressionLoss::Squared => Box::new(MeanSquaredError),
            RegressionLoss::Absolute => Box::new(MeanAbsoluteError),
            RegressionLoss::Huber(delta) => Box::new(Huber::new(*delta)),
            RegressionLoss::Quantiles(levels) => Box::new(Quantiles::new(levels)),
            RegressionLoss::Poisson => Box::new(Poisson),
        }
    }

    fn may_learn_from_all(&self) -> bool {
        self.loss != RegressionLoss::Poisson
    }

    fn decode(&self, outputs: &ArrayRef2<f32>) -> Array2<f64> {
        let levels = self.levels();
        let mut predictions = outputs.mapv(f64::from);
        for ((_, column), value) in predictions.indexed_iter_mut() {
            let (target, level) = (&self.targets[column / levels], column % levels);
            *value += target.start[level];
            if self.loss == RegressionLoss::Poisson {
                *value = libm::exp(*value);
            }
            *value = target.center + target.scale * *value;
            if !self.extrapolate {
                *value = value.clamp(target.min, target.max);
            }
        }
        predictions
    }

    fn constant(&self) -> Vec<f64> {
        let poisson = self.loss == RegressionLoss::Poisson;
        // The mean of counts is their scale, unless all are 0.
        let start = |t: &Target, start: f64| match poisson {
            true => t.scale.min(t.max),
            false => t.center + t.scale * start,
        };
        self.targets.iter().flat_map(|t| t.start.iter().map(move |&s| start(t, s))).collect()
    }

    fn finish(&self, mean: &mut Array2<f64>) {
        let levels = self.levels();
        if levels > 1 {
            for mut row in mean.rows_mut() {
                for mut quantiles in row.exact_chunks_mut(levels) {
                    quantiles.as_slice_mut().expect("row-major").sort_unstable_by(f64::total_cmp);
                }
            }
        }
    }

    fn score(&self, predictions: &ArrayRef2<f64>, table: &Table, weights: &[f64]) -> Result<Scores, Error> {
        let mut scores = Scores::default();
        for (target, predicted) in
            self.targets.iter().zip(predictions.axis_chunks_iter(Axis(1), self.levels()))
        {
            let actual = numbers(table, &target.name)?;
            for (score, value) in Scores::of_numbers(&self.loss, actual, &predicted, weights).iter() {
                let label = match self.targets.len() {
                    1 => score.to_string(),
                    _ => format!("{score} {}", target.name),
                };
                scores.push(label, value);
            }
        }
        Ok(scores)
    }

    #[cfg(feature = "onnx")]
    fn onnx(&self, graph: &mut geartrain::io::OnnxGraph, outputs: &[String]) {
        use geartrain::io::{OnnxAttribute, OnnxConstant, OnnxType};
        let count = self.outputs();
        let row = |graph: &mut geartrain::io::OnnxGraph, value: &dyn Fn(&Target, usize) -> f64| {
            let values = self.targets.iter().flat_map(|t| (0..t.start.len()).map(move |i| value(t, i)));
            graph.constant(&[1, count], OnnxConstant::F64(values.collect()))
        };
        let start = row(graph, &|target, level| target.start[level]);
        let center = row(graph, &|target, _| target.center);
        let scale = row(graph, &|target, _| target.scale);
        let range = match self.extrapolate {
            true => None,
            false => Some((row(graph, &|target, _| target.min), row(graph, &|target, _| target.max))),
        };
        let mut predictions = Vec::new();
        for output in outputs {
            let output = super::onnx::to_f64(graph, output);
            let mut value = graph.node("Add", &[&output, &start], vec![]);
            if self.loss == RegressionLoss::Poisson {
                value = graph.node("Exp", &[&value], vec![]);
            }
            value = graph.node("Mul", &[&value, &scale], vec![]);
            value = graph.node("Add", &[&value, &center], vec![]);
            if let Some((min, max)) = &range {
                value = graph.node("Max", &[&value, min], vec![]);
                value = graph.node("Min", &[&value, max], vec![]);
            }
            predictions.push(value);
        }
        let mut mean = super::onnx::mean(graph, &predictions);
        let levels = self.levels();
        if levels > 1 {
            // Sorted within each target: quantiles do not cross.
            let shape = |graph: &mut geartrain::io::OnnxGraph, value: &str, columns: usize| {
                let shape = graph.constant(&[2], OnnxConstant::I64(vec![-1, columns as i64]));
                graph.node("Reshape", &[value, &shape], vec![])
            };
            let each = shape(graph, &mean, levels);
            let all = graph.constant(&[1], OnnxConstant::I64(vec![levels as i64]));
            let attributes = vec![("largest", OnnxAttribute::Integer(0))];
            let sorted = graph.node_with_outputs("TopK", &[&each, &all], attributes, 2);
            mean = shape(graph, &sorted[0], count);
        }
        graph.output("y", &mean, OnnxType::F64, count);
    }

    fn describe(&self) -> String {
        let loss = match &self.loss {
            RegressionLoss::Squared => "squared error".into(),
            RegressionLoss::Absolute => "absolute error".into(),
            RegressionLoss::Huber(delta) => format!("Huber error with delta {delta}"),
            RegressionLoss::Quantiles(levels) => format!("pinball error of the quantiles {levels:?}"),
            RegressionLoss::Poisson => "Poisson deviance".into(),
        };
        let range = |t: &Target| format!("`{}`, from {} to {} in training", t.name, t.min, t.max);
        let clip = match self.extrapolate {
            true => "",
            false => "; predictions are kept in this range",
        };
        let targets: Vec<String> = self.targets.iter().map(range).collect();
        format!("predicts {}{clip}; minimises the {loss}", targets.join("; "))
    }
}
