//! The predictions for the test rows of all splits, and their scores.

use std::ops::ControlFlow;

use geartrain::metrics::ConfusionMatrix;
use geartrain_tables::{
    Classification, Model, Progress, Recipe, Regression, RegressionLoss, Scores, Table, Task,
};
use ndarray::{Array2, Axis, s};

use super::Choice;
use crate::failure::{Failure, Outcome};

/// Scores by name.
pub type ByName<'a> = Vec<(&'a str, f64)>;

/// The predictions for the test rows, and what they are compared with.
pub enum Results {
    /// One for each target.
    Numbers(Vec<Numbers>),
    Classes(Classes),
}

/// Numbers of one target.
pub struct Numbers {
    pub target: String,
    pub actual: Vec<f64>,
    /// `(rows, 1)`, or a column for each quantile.
    pub predicted: Array2<f64>,
    /// The quantiles; empty for other losses.
    pub levels: Vec<f64>,
    scores: Scores,
}

/// Classes of the one target.
pub struct Classes {
    pub names: Vec<String>,
    pub confusion: ConfusionMatrix,
    /// Ten groups of predicted probabilities, without those that are empty.
    pub calibration: Vec<Group>,
    scores: Scores,
}

/// Predicted probabilities of about the same size, of all classes together.
pub struct Group {
    /// Their mean.
    pub predicted: f64,
    /// The share of them for which the row is of the class.
    pub share: f64,
    pub rows: usize,
}

/// The test rows of one split and the predictions for them: a column for each output.
pub struct Part<'a> {
    test: &'a Table,
    outputs: Vec<String>,
    predicted: Array2<f64>,
}

/// Called during a training, which it may end.
pub type Watch<'a> = dyn Fn(Progress) -> ControlFlow<()> + Sync + 'a;

/// A trained model.
pub type Fitted<T> = Result<Model<T>, geartrain_tables::Error>;

/// A task of the recipe with what the program needs of its models.
pub trait Predicts: Task {
    const KIND: &'static str;

    /// What the curves of the losses show.
    fn name_of_loss(choice: &Choice) -> &'static str;

    /// The best prediction that reads no column, in words.
    fn name_of_constant(choice: &Choice) -> &'static str;

    /// The recipe with the options of this task.
    fn with_choice(recipe: Recipe<Self>, choice: &Choice) -> Recipe<Self>;

    fn train(recipe: &Recipe<Self>, table: &Table, targets: &[String], watch: &Watch) -> Fitted<Self>;

    /// The names of the outputs.
    fn output_names(model: &Model<Self>) -> Vec<String>;

    /// Numbers or probabilities for the rows of `table`.
    fn predictions(model: &Model<Self>, table: &Table) -> Outcome<Array2<f64>>;

    /// The results of all splits together.
    fn compare(parts: &[Part<'_>], choice: &Choice) -> Outcome<Results>;
}

impl<'a> Part<'a> {
    /// The predictions of a model.
    pub fn of<T: Predicts>(model: &Model<T>, test: &'a Table) -> Outcome<Self> {
        Ok(Part { test, outputs: T::output_names(model), predicted: T::predictions(model, test)? })
    }

    /// The prediction that reads no column, for every row.
    pub fn constant<T: Predicts>(model: &Model<T>, test: &'a Table) -> Outcome<Self> {
        let constant = model.constant();
        let predicted = Array2::from_shape_fn((test.rows(), constant.len()), |(_, output)| constant[output]);
        Ok(Part { test, outputs: T::output_names(model), predicted })
    }
}

impl Choice {
    /// The weight of each test row.
    fn weights(&self, parts: &[Part<'_>]) -> Outcome<Vec<f64>> {
        let mut weights = Vec::new();
        for part in parts {
            match &self.weights {
                Some(name) if part.test.column(name).is_ok() => weights.extend(numbers(part.test, name)?),
                _ => weights.resize(weights.len() + part.test.rows(), 1.0),
            }
        }
        Ok(weights)
    }
}

/// The numbers of a column.
fn numbers<'a>(table: &'a Table, name: &str) -> Outcome<&'a [f64]> {
    let numbers = table.column(name)?.as_numbers();
    numbers.ok_or_else(|| Failure::other(format!("`{name}` must be a number column")))
}

impl Predicts for Regression {
    const KIND: &'static str = "regression";

    fn name_of_loss(choice: &Choice) -> &'static str {
        match choice.loss {
            RegressionLoss::Squared => "mean squared error (target in standard deviations)",
            RegressionLoss::Absolute => "mean absolute error (target in standard deviations)",
            RegressionLoss::Huber(_) => "mean Huber error (target in standard deviations)",
            RegressionLoss::Quantiles(_) => "mean pinball error (target in standard deviations)",
            _ => "mean Poisson loss (target relative to its mean)",
        }
    }

    fn name_of_constant(choice: &Choice) -> &'static str {
        match choice.loss {
            RegressionLoss::Absolute => "median",
            RegressionLoss::Quantiles(_) => "quantiles",
            _ => "mean",
        }
    }

    fn with_choice(recipe: Recipe<Self>, choice: &Choice) -> Recipe<Self> {
        recipe.loss(choice.loss.clone())
    }

    fn train(recipe: &Recipe<Self>, table: &Table, targets: &[String], watch: &Watch) -> Fitted<Self> {
        let names: Vec<&str> = targets.iter().map(String::as_str).collect();
        recipe.fit_targets_with_progress(table, &names, watch)
    }

    fn output_names(model: &Model<Self>) -> Vec<String> {
        model.output_names()
    }

    fn predictions(model: &Model<Self>, table: &Table) -> Outcome<Array2<f64>> {
        Ok(model.predict(table)?)
    }

    fn compare(parts: &[Part<'_>], choice: &Choice) -> Outcome<Results> {
        let weights = choice.weights(parts)?;
        let levels = match &choice.loss {
            RegressionLoss::Quantiles(levels) => levels.clone(),
            _ => Vec::new(),
        };
        let each = levels.len().max(1);
        let of_target = |(i, target): (usize, &String)| {
            let (mut actual, mut predicted) = (Vec::new(), Array2::zeros((0, each)));
            for part in parts {
                actual.extend(numbers(part.test, target)?);
                let own = part.predicted.slice(s![.., i * each..(i + 1) * each]);
                predicted.append(Axis(0), own).expect("as many columns");
            }
            let scores = Scores::of_numbers(&choice.loss, &actual, &predicted, &weights);
            Ok(Numbers { target: target.clone(), actual, predicted, levels: levels.clone(), scores })
        };
        let results = choice.targets.iter().enumerate().map(of_target);
        Ok(Results::Numbers(results.collect::<Outcome<Vec<_>>>()?))
    }
}

impl Predicts for Classification {
    const KIND: &'static str = "classification";

    fn name_of_loss(_: &Choice) -> &'static str {
        "cross-entropy"
    }

    fn name_of_constant(_: &Choice) -> &'static str {
        "most frequent class"
    }

    fn with_choice(recipe: Recipe<Self>, choice: &Choice) -> Recipe<Self> {
        recipe.class_weights(choice.class_weights.clone())
    }

    fn train(recipe: &Recipe<Self>, table: &Table, targets: &[String], watch: &Watch) -> Fitted<Self> {
        recipe.fit_with_progress(table, &targets[0], watch)
    }

    fn output_names(model: &Model<Self>) -> Vec<String> {
        model.classes().to_vec()
    }

    fn predictions(model: &Model<Self>, table: &Table) -> Outcome<Array2<f64>> {
        Ok(model.predict_proba(table)?)
    }

    /// A fold may not know all classes: their probability is then 0.
    fn compare(parts: &[Part<'_>], choice: &Choice) -> Outcome<Results> {
        let target = &choice.targets[0];
        let mut truths = Vec::new();
        for part in parts {
            let column = part.test.column(target)?;
            truths.extend((0..part.test.rows()).filter_map(|row| column.text(row)));
        }
        let mut names: Vec<String> = truths.clone();
        names.extend(parts.iter().flat_map(|part| part.outputs.iter().cloned()));
        names.sort();
        names.dedup();
        let place = |name: &String| names.binary_search(name).expect("collected above");
        let mut probabilities = Array2::zeros((0, names.len()));
        for part in parts {
            let mut all = Array2::zeros((part.test.rows(), names.len()));
            for (name, column) in part.outputs.iter().zip(part.predicted.columns()) {
                all.column_mut(place(name)).assign(&column);
            }
            probabilities.append(Axis(0), all.view()).expect("as many columns");
        }
        let actual: Vec<usize> = truths.iter().map(place).collect();
        let index = Array2::from_shape_fn((actual.len(), 1), |(row, _)| actual[row] as f64);
        let confusion = ConfusionMatrix::from_probabilities(&probabilities, &index)?;
        let scores = Scores::of_classes(&actual, &probabilities, &choice.weights(parts)?);
        let calibration = calibration(&actual, &probabilities);
        Ok(Results::Classes(Classes { names, confusion, calibration, scores }))
    }
}

fn calibration(actual: &[usize], probabilities: &Array2<f64>) -> Vec<Group> {
    const GROUPS: usize = 10;
    // Number, sum of the probabilities, and rows of the class.
    let mut sums = [(0, 0.0, 0); GROUPS];
    for ((row, class), &p) in probabilities.indexed_iter() {
        let (rows, predicted, right) = &mut sums[((p * GROUPS as f64) as usize).min(GROUPS - 1)];
        (*rows, *predicted, *right) = (*rows + 1, *predicted + p, *right + usize::from(actual[row] == class));
    }
    let full = sums.into_iter().filter(|(rows, ..)| *rows > 0);
    let group = |(rows, predicted, right)| {
        let count = rows as f64;
        Group { predicted: predicted / count, share: right as f64 / count, rows }
    };
    full.map(group).collect()
}

impl Numbers {
    /// The scores by name, R² first; NaN where one is undefined.
    pub fn scores(&self) -> ByName<'_> {
        let undefined = |name: &str| name == "r2" && self.actual.len() < 2;
        let scores = self.scores.iter();
        best_known_first(scores.map(|(name, value)| (name, if undefined(name) { f64::NAN } else { value })))
    }

    /// Actual and predicted numbers; of several quantiles, the one closest to the median.
    pub fn points(&self) -> Vec<(f64, f64)> {
        let distance = |&level: &usize| (self.levels[level] - 0.5).abs();
        let middle = (0..self.levels.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let predicted = self.predicted.column(middle.unwrap_or(0));
        self.actual.iter().copied().zip(predicted.iter().copied()).collect()
    }
}

impl Classes {
    /// The scores by name, the accuracy first.
    pub fn scores(&self) -> ByName<'_> {
        best_known_first(self.scores.iter())
    }
}

fn best_known_first<'a>(scores: impl Iterator<Item = (&'a str, f64)>) -> ByName<'a> {
    let mut scores: Vec<_> = scores.collect();
    scores.sort_by_key(|(name, _)| !["r2", "accuracy"].contains(name));
    scores
}

impl Results {
    /// The name of the score that importances are about.
    pub fn loss(&self) -> &str {
        let scores = match self {
            Results::Numbers(targets) => &targets[0].scores,
            Results::Classes(classes) => &classes.scores,
        };
        match scores.iter().next() {
            Some(("rmse", _)) => "RMSE",
            Some((name, _)) => name,
            None => "error",
        }
    }

    /// The scores of each target, with the target's name if there are several.
    pub fn scores(&self) -> Vec<(Option<&str>, ByName<'_>)> {
        match self {
            Results::Numbers(targets) => {
                let several = targets.len() > 1;
                let named = targets.iter().map(|t| (several.then_some(t.target.as_str()), t.scores()));
                named.collect()
            }
            Results::Classes(classes) => vec![(None, classes.scores())],
        }
    }
}
