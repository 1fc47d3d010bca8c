//! The program `geartrain`: the trainer and the gradient laboratory on the command line.
//!
//! The library is for the program itself, [`main`], and for other ways to start its work, such as
//! with MPI: [`sweep`].

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
pub mod sweep;
mod table;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use failure::{Failure, Outcome};
pub use interrupt::flag as interrupt_flag;
pub use output::{check_writable, note, print};
pub use train::network::{AnyTraining, ModelOptions};

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
    Sweep(sweep::Options),
    Bench(bench::Options),
    Graph(graph::Options),
    Lab(lab::Options),
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
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
        Command::Sweep(options) => sweep::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Graph(options) => graph::run(&options),
        Command::Lab(options) => lab::run(&options),
    };
    exit_code(result)
}

/// Reports a failure on stderr; the exit code of the program.
pub fn exit_code(result: Outcome) -> ExitCode {
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
