//! The program `geartrain-mpi`: `mpirun -n 4 geartrain-mpi train …`

use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use clap::Parser;
use geartrain_cli::sweep::{self, Sweep};
use geartrain_cli::{Failure, Outcome, interrupt_flag};
use geartrain_mpi::{Team, bench, dispatch, train};
use mpi::Threading;

/// How long MPI may take to end.
const LONGEST_END: Duration = Duration::from_secs(5);

/// Train one network, or run the jobs of a sweep, on many machines
///
/// Start it with mpirun, such as `mpirun -n 4 geartrain-mpi train …`. With `mpirun
/// --enable-recovery`, a sweep continues without ranks that die.
#[derive(Debug, Parser)]
#[command(name = "geartrain-mpi", version)]
enum Program {
    Train(Box<train::Options>),
    Sweep(sweep::Options),
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
        eprintln!("error: MPI does not start");
        return ExitCode::FAILURE;
    };
    let team = Team::new(universe.world());
    let first = team.rank() == 0;
    let outcome = match Program::try_parse() {
        Ok(program) => run(&team, program),
        Err(error) => {
            if first {
                let _ = error.print();
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let is_complete = outcome.is_ok();
    // Errors are the same on every rank, or of rank 0.
    let code = if first {
        geartrain_cli::exit_code(outcome)
    } else {
        outcome.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
    };
    // MPI's end waits for all ranks, also for those that have died during a sweep.
    thread::spawn(move || {
        thread::sleep(LONGEST_END);
        process::exit(i32::from(!is_complete));
    });
    drop(universe);
    code
}

fn run(team: &Team, program: Program) -> Outcome {
    let stop = interrupt_flag()?;
    match program {
        Program::Train(options) => {
            refuse_recovery()?;
            train::run(team, &options, stop)
        }
        Program::Sweep(options) => {
            let sweep = Sweep::new(&options);
            let message = |failure: &Failure| failure.message().unwrap_or("interrupted").to_string();
            let agreed = team.agree(sweep.as_ref().map(drop).map_err(message));
            match (sweep, agreed) {
                (Err(failure), _) => Err(failure),
                (Ok(_), Err(error)) => Err(Failure::other(error)),
                (Ok(sweep), Ok(())) => dispatch::run(team, &sweep, &stop),
            }
        }
        Program::Bench(options) => bench::run(team, &options),
    }
}

/// A training cannot continue without one of its ranks, and with recovery MPI would let the others
/// wait for ever.
fn refuse_recovery() -> Outcome {
    let is_on = |value: String| value == "1" || value == "true";
    if std::env::var("OMPI_MCA_orte_enable_recovery").is_ok_and(is_on) {
        return Err(Failure::option("training needs all its ranks: start mpirun without --enable-recovery"));
    }
    Ok(())
}
