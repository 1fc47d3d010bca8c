//! `geartrain reproduce`: results of the literature on random networks, predicted and measured.

use geartrain_lab::reproduce::{Check, EXPERIMENTS, Experiment, Interruption, NOT_REPRODUCED, Row, Rows};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::{interrupt, output};

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

pub fn run(options: &Options) -> Outcome {
    if options.list {
        let line = |e: &Experiment| {
            format!("{:17} {} {}\n", e.name, if e.slow { "slow " } else { "quick" }, title(e))
        };
        let absent = |(what, instead): &(&str, &str)| format!("- {what}: {instead}\n");
        return output::print(&format!(
            "{}\nNot reproduced:\n{}",
            EXPERIMENTS.iter().map(line).collect::<String>(),
            NOT_REPRODUCED.iter().map(absent).collect::<String>()
        ));
    }
    for name in &options.names {
        if !["quick", "all"].contains(&name.as_str()) && EXPERIMENTS.iter().all(|e| e.name != name) {
            return Err(Failure::option(format!("unknown experiment `{name}`; --list shows the known ones")));
        }
    }
    let wanted = |e: &&Experiment| {
        options.names.iter().any(|name| name == e.name || name == "all" || (name == "quick" && !e.slow))
    };
    let stop = interrupt::flag()?;
    let mut rows = Vec::new();
    let mut results = Vec::new();
    let mut interrupted = false;
    for experiment in EXPERIMENTS.iter().filter(wanted) {
        let heading = format!("  {:46} {:>12} {:>22}", "", "predicted", "measured");
        if !options.json {
            output::print(&format!("\n{}: {}\n{heading}\n", experiment.name, title(experiment)))?;
        }
        let first = rows.len();
        let mut printed = Ok(());
        let receive = |row: Row| {
            if !options.json && printed.is_ok() {
                printed = output::print(&line(&row));
            }
            rows.push(row);
        };
        let run = experiment.run(&mut Rows::new(stop.clone(), receive));
        printed?;
        match run {
            Ok(()) => {}
            Err(Interruption::Failed(error)) => return Err(error.into()),
            Err(Interruption::Stopped) => {
                interrupted = true;
                break;
            }
        }
        results.push(json!({
            "name": experiment.name,
            "what": experiment.what,
            "source": experiment.source,
            "rows": rows[first..].iter().map(row_json).collect::<Value>(),
        }));
    }
    let complete = results.len();
    if options.json {
        output::print(&format!("{}\n", Value::from(results)))?;
    }
    if interrupted {
        let plural = if complete == 1 { "" } else { "s" };
        output::note(&format!(
            "Interrupted: the results are those of {complete} complete experiment{plural}."
        ));
        return Err(Failure::Interrupted);
    }
    match rows.iter().filter(|row| !row.passes()).count() {
        0 if options.json => Ok(()),
        0 => output::print("\nAll measurements are within their tolerances.\n"),
        1 => Err(Failure::other("1 measurement is outside its tolerance")),
        failures => Err(Failure::other(format!("{failures} measurements are outside their tolerances"))),
    }
}

fn title(experiment: &Experiment) -> String {
    format!("{} ({})", experiment.what, experiment.source)
}

fn line(row: &Row) -> String {
    let (sign, tolerance) = match row.check {
        Check::Within(tolerance) => ("", format!("tolerance {}", number(tolerance))),
        Check::Below => ("< ", String::new()),
        Check::Above => ("> ", String::new()),
    };
    let predicted = format!("{sign}{}", number(row.predicted));
    let error = match row.measured.error {
        error if error > 0.0 => format!(" ± {}", number(error)),
        _ => String::new(),
    };
    let measured = number(row.measured.value) + &error;
    let verdict = if row.passes() { "pass" } else { "FAIL" };
    format!("  {:46} {predicted:>12} {measured:>22}  {verdict}  {tolerance}\n", row.setting)
}

fn row_json(row: &Row) -> Value {
    let (check, tolerance) = match row.check {
        Check::Within(tolerance) => ("within", Some(tolerance)),
        Check::Below => ("below", None),
        Check::Above => ("above", None),
    };
    json!({
        "what": row.setting, "predicted": row.predicted, "measured": row.measured.value,
        "error": row.measured.error, "check": check, "tolerance": tolerance, "passes": row.passes(),
    })
}

fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-4 { format!("{value:.6e}") } else { format!("{value:.4}") }
}
