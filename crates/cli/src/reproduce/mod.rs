//! `geartrain reproduce`: results of the literature on random networks, predicted and measured.

mod jacobians;
mod signals;
mod training;

use std::error::Error;

use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::output;

/// Reproduce results of the literature on gradients: predicted, measured, pass or fail
///
/// Fails with exit code 1 if a measurement is outside its tolerance.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Names of experiments, `quick` or `all` (with training, several minutes)
    #[arg(value_name = "NAME", default_value = "quick")]
    names: Vec<String>,

    /// List the experiments
    #[arg(long)]
    list: bool,

    /// Print a JSON array: {"name", "what", "rows": [{"what", "predicted", "measured", ...}]}
    #[arg(long)]
    json: bool,
}

/// One number of an experiment.
struct Row {
    what: String,
    predicted: f64,
    measured: f64,
    /// Standard error over the seeds; 0 where nothing is random.
    error: f64,
    check: Check,
}

/// When a row passes.
enum Check {
    /// Measured and predicted are at most this far apart.
    Within(f64),
    /// Measured is less than predicted.
    Below,
    /// Measured is greater than predicted.
    Above,
}

impl Row {
    fn new(what: impl Into<String>, predicted: f64, (measured, error): (f64, f64), check: Check) -> Self {
        Row { what: what.into(), predicted, measured, error, check }
    }

    fn passes(&self) -> bool {
        match self.check {
            Check::Within(tolerance) => (self.measured - self.predicted).abs() <= tolerance,
            Check::Below => self.measured < self.predicted,
            Check::Above => self.measured > self.predicted,
        }
    }

    fn line(&self) -> String {
        let (sign, tolerance) = match self.check {
            Check::Within(tolerance) => ("", format!("tolerance {}", number(tolerance))),
            Check::Below => ("< ", String::new()),
            Check::Above => ("> ", String::new()),
        };
        let predicted = format!("{sign}{}", number(self.predicted));
        let error = if self.error > 0.0 { format!(" ± {}", number(self.error)) } else { String::new() };
        let measured = number(self.measured) + &error;
        let verdict = if self.passes() { "pass" } else { "FAIL" };
        format!("  {:46} {predicted:>12} {measured:>22}  {verdict}  {tolerance}\n", self.what)
    }

    fn json(&self) -> Value {
        let (check, tolerance) = match self.check {
            Check::Within(tolerance) => ("within", Some(tolerance)),
            Check::Below => ("below", None),
            Check::Above => ("above", None),
        };
        json!({
            "what": self.what, "predicted": self.predicted, "measured": self.measured, "error": self.error,
            "check": check, "tolerance": tolerance, "passes": self.passes(),
        })
    }
}

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let log = geartrain_lab::LogMean::of_logs(values);
    (log.mean, log.error)
}

type Rows = Result<Vec<Row>, Box<dyn Error>>;

struct Experiment {
    name: &'static str,
    what: &'static str,
    quick: bool,
    run: fn() -> Rows,
}

const fn quick(name: &'static str, what: &'static str, run: fn() -> Rows) -> Experiment {
    Experiment { name, what, quick: true, run }
}

const fn slow(name: &'static str, what: &'static str, run: fn() -> Rows) -> Experiment {
    Experiment { name, what, quick: false, run }
}

const EXPERIMENTS: [Experiment; 16] = [
    quick("chain", "the chain rule through ten sigmoids of one unit", signals::chain),
    quick("sigmoid", "a sigmoid network at Xavier initialisation, 512 wide, 20 deep", signals::sigmoid),
    quick("relu", "ReLU networks below and at He initialisation (He et al. 2015)", signals::relu),
    quick("tanh", "tanh networks in order, at the edge and in chaos (Poole et al. 2016)", signals::tanh),
    quick("selu", "a SELU network at LeCun initialisation (Klambauer et al. 2017)", signals::selu),
    quick(
        "depth-scale",
        "how deep two inputs can be told apart (Schoenholz et al. 2017)",
        signals::depth_scale,
    ),
    quick("residual", "residual sums double; scaled by 1/√depth they do not", signals::residual),
    quick(
        "normalisation",
        "BatchNorm explodes ReLU; LayerNorm does not cure sigmoid (Yang et al. 2019)",
        signals::normalisation,
    ),
    quick("euler", "weight gradients are blind in ReLU networks", signals::euler),
    quick("jacobian", "spread of singular values (Pennington et al. 2017)", jacobians::spread),
    quick(
        "shattering",
        "gradients of different inputs part with depth (Balduzzi et al. 2017)",
        jacobians::shattering,
    ),
    quick(
        "linear-mode",
        "deep linear learning does not slow down with depth (Saxe et al. 2014)",
        training::linear_mode,
    ),
    slow("he", "22 and 30 ReLU layers: Xavier stalls, He learns (He et al. 2015)", training::he),
    slow("sigmoid-depth", "training sigmoid networks of growing depth", training::sigmoid_depth),
    slow("cures", "what makes ten sigmoid layers train", training::cures),
    slow(
        "degradation",
        "plain against residual networks of growing depth (He et al. 2016)",
        training::degradation,
    ),
];

pub fn run(options: &Options) -> Outcome {
    if options.list {
        let line = |e: &Experiment| {
            format!("{:14} {} {}\n", e.name, if e.quick { "quick" } else { "slow " }, e.what)
        };
        return output::print(&EXPERIMENTS.iter().map(line).collect::<String>());
    }
    for name in &options.names {
        if !["quick", "all"].contains(&name.as_str()) && EXPERIMENTS.iter().all(|e| e.name != name) {
            return Err(Failure::option(format!("unknown experiment `{name}`; --list shows the known ones")));
        }
    }
    let wanted = |e: &&Experiment| {
        options.names.iter().any(|name| name == e.name || name == "all" || (name == "quick" && e.quick))
    };
    let mut failures = 0;
    let mut results = Vec::new();
    for experiment in EXPERIMENTS.iter().filter(wanted) {
        let heading = format!("  {:46} {:>12} {:>22}", "", "predicted", "measured");
        if !options.json {
            output::print(&format!("\n{}: {}\n{heading}\n", experiment.name, experiment.what))?;
        }
        let rows = (experiment.run)()?;
        failures += rows.iter().filter(|row| !row.passes()).count();
        if options.json {
            let rows: Value = rows.iter().map(Row::json).collect();
            results.push(json!({ "name": experiment.name, "what": experiment.what, "rows": rows }));
        } else {
            output::print(&rows.iter().map(Row::line).collect::<String>())?;
        }
    }
    if options.json {
        output::print(&format!("{}\n", Value::from(results)))?;
    }
    match failures {
        0 if options.json => Ok(()),
        0 => output::print("\nAll measurements are within their tolerances.\n"),
        1 => Err(Failure::other("1 measurement is outside its tolerance")),
        _ => Err(Failure::other(format!("{failures} measurements are outside their tolerances"))),
    }
}

fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-4 { format!("{value:.6e}") } else { format!("{value:.4}") }
}
