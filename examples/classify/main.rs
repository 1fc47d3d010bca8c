//! Train a classifier on a table whose target column holds labels, and show what it takes for what. Try `--help`.

#[path = "../common/csv.rs"]
mod csv;
mod experiment;
mod figure;
#[path = "../common/losses.rs"]
mod losses;
#[path = "../common/model.rs"]
mod model;
mod options;
#[path = "../common/output.rs"]
mod output;
#[path = "../common/plot.rs"]
mod plot;
mod report;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use options::Options;

fn main() -> ExitCode {
    output::exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (data, mut classes) = options.data()?;
    if let [only] = &classes[..] {
        output::note(&format!(
            "warning: every row is of the class `{only}`, so there is nothing to tell apart"
        ));
        // A network with one output would say how likely class 1 is.
        classes.push(format!("not {only}"));
    }
    let seed = options.model.seed;
    let splits = match options.folds {
        Some(folds) => data.folds(folds, seed)?,
        None => vec![data.split(0.2, seed)?],
    };
    let network = options.model.network(data.features(), classes.len())?;
    if !options.quiet && !options.json {
        output::print(&format!("{}\n", network.summary()))?;
    }
    let count = splits.len();
    let mut outcomes = Vec::new();
    for (i, split) in splits.into_iter().enumerate() {
        if options.folds.is_some() && !options.quiet {
            output::note(&format!("fold {} of {count}", i + 1));
        }
        outcomes.push(experiment::train(split, network.clone(), &options.model, options.quiet)?);
    }

    let report = match options.json {
        true => report::json(&outcomes, &classes, options.folds.is_some()),
        false => report::text(&outcomes, &classes)?,
    };
    output::print(&report)?;
    let svg = figure::draw(&data, &outcomes, &classes, options.model.watched())?;
    std::fs::write(&options.svg, svg).map_err(|error| format!("{}: {error}", options.svg.display()))?;
    if !options.quiet {
        output::note(&format!("The picture is in {}", options.svg.display()));
    }
    Ok(())
}
