//! Scores and seconds of the default recipe on the tables and folds of `benches/peers/tables.py`,
//! which runs this program beside other libraries.
//!
//!     cargo bench -p geartrain-tables --bench tables -- FOLDER TABLE … [--ensemble N] [--seed S]
//!         [--folds K]
//!
//! The folder holds `TABLE.csv`, with the target as its last column, and `TABLE.folds`: the fold of
//! each row from 0, one per line. `--folds` runs the first K of them. Printed is one JSON line per
//! fold: the scores, and the seconds for fit and prediction on one thread (of the processor on
//! Linux, else of the clock).

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Instant;

use geartrain_tables::{Folds, Recipe, Table, TabularClassifier, TabularRegressor, Task};

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds this flag.
    let mut args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let mut option = |name: &str, default: u64| -> Result<u64, Box<dyn Error>> {
        let Some(at) = args.iter().position(|arg| arg == name) else { return Ok(default) };
        let value = args.get(at + 1).ok_or(format!("{name} needs a number"))?.parse()?;
        args.drain(at..at + 2);
        Ok(value)
    };
    let (members, seed) = (option("--ensemble", 1)? as usize, option("--seed", 0)?);
    let most = option("--folds", u64::MAX)?.try_into().unwrap_or(usize::MAX);
    let Some((folder, names)) = args.split_first() else {
        println!("usage: tables FOLDER TABLE … [--ensemble N] [--seed S] [--folds K]");
        return Ok(());
    };
    for name in names {
        let path = Path::new(folder).join(name);
        let table = Table::read_csv(path.with_extension("csv"))?;
        let numbers = fs::read_to_string(path.with_extension("folds"))?;
        let numbers: Vec<usize> = numbers.lines().map(str::parse).collect::<Result<_, _>>()?;
        let folds = Folds::from_numbers(numbers)?;
        let target = table.names().pop().ok_or("no columns")?;
        // Few different values, or texts: classes.
        let column = table.column(&target)?;
        let classes = (0..table.rows()).map(|row| column.text(row)).collect::<std::collections::HashSet<_>>();
        let count = folds.count().min(most);
        if classes.len() <= 10 {
            let recipe = TabularClassifier::recipe().ensemble(members).seed(seed).threads(1);
            run(name, &recipe, &table, &target, &folds, count)?;
        } else {
            let recipe = TabularRegressor::recipe().ensemble(members).seed(seed).threads(1);
            run(name, &recipe, &table, &target, &folds, count)?;
        }
    }
    Ok(())
}

fn run<T: Task>(
    name: &str,
    recipe: &Recipe<T>,
    table: &Table,
    target: &str,
    folds: &Folds,
    count: usize,
) -> Result<(), Box<dyn Error>> {
    for fold in 0..count {
        let (train, test) = folds.split(fold);
        let (train, test) = (table.select(&train), table.select(&test));
        let start = seconds_of_processor();
        let model = geartrain::with_threads(1, || recipe.fit(&train, target))?;
        let scores = geartrain::with_threads(1, || model.score(&test))?;
        let seconds = seconds_of_processor() - start;
        let scores: String = scores.iter().map(|(name, score)| format!("\"{name}\": {score}, ")).collect();
        println!("{{\"table\": \"{name}\", \"fold\": {fold}, {scores}\"seconds\": {seconds}}}");
    }
    Ok(())
}

/// Processor time of this process, which does not depend on how busy the machine is. It is the time
/// of the main thread, which trains alone here.
fn seconds_of_processor() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let schedstat = fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = schedstat.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}
