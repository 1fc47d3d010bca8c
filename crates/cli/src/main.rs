//! The program `geartrain`: the trainer and the gradient laboratory on the command line.

mod bench;
mod design;
mod export;
mod failure;
mod gradients;
mod graph;
mod interrupt;
mod lab;
mod output;
mod picture;
mod predict;
mod reproduce;
mod table;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Train small neural networks on tables, and see how their gradients flow
///
/// Exit codes: 0 success, 1 error, 2 invalid options, 130 interrupted by Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "geartrain", version)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<train::Options>),
    Predict(predict::Options),
    Export(export::Options),
    Gradients(gradients::Options),
    Reproduce(reproduce::Options),
    Bench(bench::Options),
    Graph(graph::Options),
    Lab(lab::Options),
}

fn main() -> ExitCode {
    let matches = Program::command().get_matches();
    let program = Program::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match program.command {
        Command::Train(options) => {
            train::run(&options, matches.subcommand_matches("train").unwrap_or(&matches))
        }
        Command::Predict(options) => predict::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Gradients(options) => gradients::run(&options),
        Command::Reproduce(options) => reproduce::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Graph(options) => graph::run(&options),
        Command::Lab(options) => lab::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                output::note(&format!("error: {message}"));
            }
            ExitCode::from(failure.code())
        }
    }
}
