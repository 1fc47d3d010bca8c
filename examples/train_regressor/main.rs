//! The main job: train a regressor on a table of numbers and show how good it is. Try `--help`.

mod baseline;
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
mod saved;

use std::collections::BTreeSet;
use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use experiment::Split;
use geartrain::data::Dataset;
use options::Options;

fn main() -> ExitCode {
    output::exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    options.saved.check()?;
    if options.saved.use_saved(&options.csv)? {
        return Ok(());
    }
    let data = options.data()?;
    let seed = options.model.seed;
    let parts = match options.folds {
        Some(folds) => data.folds(folds, seed)?,
        None => vec![data.split(0.2, seed)?],
    };
    let splits =
        parts.into_iter().map(|part| Split::new(part, &options.model)).collect::<Result<Vec<_>, _>>()?;
    warn_about_constants(&data, &splits);

    let network = options.model.network(data.features(), 1)?;
    if !options.quiet && !options.json {
        output::print(&format!("{}\n", network.summary()))?;
    }
    let count = splits.len();
    let mut outcomes = Vec::new();
    for (i, split) in splits.into_iter().enumerate() {
        if options.folds.is_some() && !options.quiet {
            output::note(&format!("fold {} of {count}", i + 1));
        }
        outcomes.push(split.train(network.clone(), &options.model, options.quiet)?);
    }

    // With --folds there is no single model, and clap has refused to save one.
    options.saved.keep(&outcomes[0].model)?;
    let target = &data.target_names()[0];
    let report = match options.json {
        true => report::json(&outcomes, options.folds.is_some()),
        false => report::text(&outcomes, target),
    };
    output::print(&report)?;
    let svg = figure::draw(&data, &outcomes, options.truth(), options.model.watched())?;
    std::fs::write(&options.svg, svg).map_err(|error| format!("{}: {error}", options.svg.display()))?;
    if !options.quiet {
        output::note(&format!("The picture is in {}", options.svg.display()));
    }
    Ok(())
}

/// A column that never changes teaches nothing; whoever chose it should know.
fn warn_about_constants(data: &Dataset<f32>, splits: &[Split]) {
    let mut names = BTreeSet::new();
    for split in splits {
        names.extend(split.x_scale.constant_columns().iter().map(|&i| &data.feature_names()[i]));
        names.extend(split.y_scale.constant_columns().iter().map(|&i| &data.target_names()[i]));
    }
    if !names.is_empty() {
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        output::note(&format!("warning: constant in the training rows, so of no use: {}", names.join(", ")));
    }
}
