//! Reproduces results of the literature on signals and gradients in random networks: predicted, measured, pass or fail.
//!
//! ```text
//! cargo run --release --example reproduce -- --list
//! cargo run --release --example reproduce                  # the quick ones
//! cargo run --release --example reproduce -- all           # with training
//! cargo run --release --example reproduce -- sigmoid tanh
//! ```

mod jacobians;
#[path = "../common/output.rs"]
mod output;
mod signals;
mod training;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Reproduces results of the literature; fails if one does not come out")]
struct Options {
    /// Names of experiments, `quick` or `all`
    #[arg(default_value = "quick")]
    names: Vec<String>,
    /// Lists the experiments instead
    #[arg(long)]
    list: bool,
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
    /// Measured is below the predicted.
    Below,
    /// Measured is above the predicted.
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
}

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let log = geartrain_lab::Log::of_logs(values);
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

fn main() -> ExitCode {
    output::exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if options.list {
        let line = |e: &Experiment| {
            format!("{:14} {} {}\n", e.name, if e.quick { "quick" } else { "slow " }, e.what)
        };
        return Ok(output::print(&EXPERIMENTS.iter().map(line).collect::<String>())?);
    }
    for name in &options.names {
        if !["quick", "all"].contains(&name.as_str()) && EXPERIMENTS.iter().all(|e| e.name != name) {
            return Err(format!("no experiment is called `{name}`; --list shows them").into());
        }
    }
    let wanted = |e: &&Experiment| {
        options.names.iter().any(|name| name == e.name || name == "all" || (name == "quick" && e.quick))
    };
    let mut failures = 0;
    for experiment in EXPERIMENTS.iter().filter(wanted) {
        let heading = format!("  {:46} {:>12} {:>22}", "", "predicted", "measured");
        output::print(&format!("\n{}: {}\n{heading}\n", experiment.name, experiment.what))?;
        for row in (experiment.run)()? {
            let (sign, tolerance) = match row.check {
                Check::Within(tolerance) => ("", format!("tolerance {}", number(tolerance))),
                Check::Below => ("< ", String::new()),
                Check::Above => ("> ", String::new()),
            };
            let predicted = format!("{sign}{}", number(row.predicted));
            let error = if row.error > 0.0 { format!(" ± {}", number(row.error)) } else { String::new() };
            let measured = number(row.measured) + &error;
            let verdict = if row.passes() { "pass" } else { "FAIL" };
            let what = row.what.as_str();
            output::print(&format!("  {what:46} {predicted:>12} {measured:>22}  {verdict}  {tolerance}\n"))?;
            failures += usize::from(!row.passes());
        }
    }
    if failures > 0 {
        return Err(format!("{failures} rows failed").into());
    }
    Ok(output::print("\nAll as predicted.\n")?)
}

fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-4 { format!("{value:.6e}") } else { format!("{value:.4}") }
}
