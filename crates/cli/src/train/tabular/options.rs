//! The options of the recipe for tables.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ValueEnum;
use geartrain_tables::{ClassWeights, RegressionLoss};

use crate::table::is_numpy;
use crate::train::network::at_least;

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum Recipe {
    /// Encode columns of any type, and train with the defaults that suit most tables
    Tables,
    /// Train the network of the options, on columns of numbers
    Network,
}

/// The choices of the recipe for tables. One of them, several targets, or a file of NumPy imply it.
#[derive(Debug, clap::Args)]
pub struct RecipeOptions {
    /// How to train [default: tables if a column holds text, the file is NumPy's, there are several
    /// targets, or one of the following options is given; else network]
    #[arg(long, value_enum, help_heading = "Recipe")]
    pub recipe: Option<Recipe>,

    /// Average this many networks, each with other validation rows; 8 is a good choice
    #[arg(long, value_name = "NETWORKS", default_value_t = 1, help_heading = "Recipe", value_parser = at_least(1))]
    pub ensemble: usize,

    /// What a regression minimises [default: squared]
    ///
    /// squared: the squared error; predicts the mean
    /// absolute: the absolute error; predicts the median
    /// huber or huber=D: squared up to D standard deviations of the target (1), absolute beyond
    /// quantile=L,M,...: the pinball error; predicts these quantiles, such as 0.1,0.5,0.9
    /// poisson: the Poisson deviance; predicts the mean of counts
    #[arg(long, value_name = "LOSS", value_parser = loss, verbatim_doc_comment, help_heading = "Recipe")]
    pub loss: Option<RegressionLoss>,

    /// How much a class counts: `balanced` for the same in all, or CLASS=WEIGHT; repeatable
    #[arg(long, value_name = "CLASS=WEIGHT", value_parser = class_weight, help_heading = "Recipe")]
    class_weight: Vec<ClassWeight>,

    /// The column with the weight of each row, at least 0, in training and in scores
    #[arg(long, value_name = "COLUMN", help_heading = "Recipe")]
    pub weight_column: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum ClassWeight {
    Balanced,
    Of(String, f64),
}

impl RecipeOptions {
    /// Those given options that only the recipe for tables has.
    pub fn of_tables(&self, targets: &[String], file: Option<&Path>) -> Vec<&'static str> {
        let given = [
            (self.ensemble > 1, "--ensemble"),
            (self.loss.is_some(), "--loss"),
            (!self.class_weight.is_empty(), "--class-weight"),
            (self.weight_column.is_some(), "--weight-column"),
            (targets.len() > 1, "several targets"),
            (file.is_some_and(is_numpy), "a file of NumPy"),
        ];
        given.into_iter().filter(|(given, _)| *given).map(|(_, name)| name).collect()
    }

    /// The weights of the classes; `None` if none are given.
    ///
    /// # Errors
    /// A message for `balanced` beside weights, and for two weights of one class.
    pub fn class_weights(&self) -> Result<Option<ClassWeights>, String> {
        match &self.class_weight[..] {
            [] => return Ok(None),
            [ClassWeight::Balanced] => return Ok(Some(ClassWeights::Balanced)),
            _ => {}
        }
        let mut weights = BTreeMap::new();
        for weight in &self.class_weight {
            let ClassWeight::Of(class, weight) = weight else {
                return Err("--class-weight balanced leaves no other weights to give".into());
            };
            if weights.insert(class.clone(), *weight).is_some() {
                return Err(format!("--class-weight gives the class `{class}` two weights"));
            }
        }
        Ok(Some(ClassWeights::ByName(weights)))
    }
}

fn loss(text: &str) -> Result<RegressionLoss, String> {
    let number = |text: &str| text.trim().parse::<f64>().map_err(|_| format!("`{text}` is no number"));
    match text.split_once('=') {
        None => match text {
            "squared" => Ok(RegressionLoss::Squared),
            "absolute" => Ok(RegressionLoss::Absolute),
            "huber" => Ok(RegressionLoss::Huber(1.0)),
            "poisson" => Ok(RegressionLoss::Poisson),
            _ => Err("expected squared, absolute, huber, huber=D, quantile=L,M,... or poisson".into()),
        },
        Some(("huber", delta)) => match number(delta)? {
            delta if delta.is_finite() && delta > 0.0 => Ok(RegressionLoss::Huber(delta)),
            _ => Err("huber needs a number above 0".into()),
        },
        Some(("quantile", levels)) => {
            let mut levels = levels.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
            levels.sort_unstable_by(f64::total_cmp);
            let inside = levels.iter().all(|&level| level > 0.0 && level < 1.0);
            match inside && levels.is_sorted_by(|a, b| a < b) {
                true => Ok(RegressionLoss::Quantiles(levels)),
                false => Err("quantile needs different numbers between 0 and 1".into()),
            }
        }
        Some((name, _)) => Err(format!("`{name}` takes no number")),
    }
}

fn class_weight(text: &str) -> Result<ClassWeight, String> {
    if text == "balanced" {
        return Ok(ClassWeight::Balanced);
    }
    let (class, weight) = text.rsplit_once('=').ok_or("write `balanced` or CLASS=WEIGHT")?;
    match weight.parse::<f64>() {
        Ok(weight) if weight.is_finite() && weight > 0.0 => Ok(ClassWeight::Of(class.into(), weight)),
        _ => Err(format!("`{weight}` is no weight: write a number above 0 behind the last `=`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_by_name() {
        assert_eq!(loss("huber=1.5").unwrap(), RegressionLoss::Huber(1.5));
        assert_eq!(loss("quantile=0.9, 0.1").unwrap(), RegressionLoss::Quantiles(vec![0.1, 0.9]));
        for wrong in
            ["huber=0", "quantile=0.5,0.5", "quantile=1", "quantile=", "mean", "squared=2", "quantile"]
        {
            assert!(loss(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn class_weights_by_name() {
        assert_eq!(class_weight("a=b=2").unwrap(), ClassWeight::Of("a=b".into(), 2.0));
        for wrong in ["a", "a=0", "a=-1", "a=inf", "a="] {
            assert!(class_weight(wrong).is_err(), "{wrong}");
        }
    }
}
