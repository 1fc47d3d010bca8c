//! Scores and CPU seconds of the default recipe on the tables of `benches/peers/tables.py`, on its folds.
//!
//!     cargo run --release -p geartrain-tables --example tables_bench -- FOLDER [TABLE …] [--ensemble N]
//!
//! The folder holds, for each table, `NAME.csv` with the target as its last column, and `NAME.folds` with the
//! fold of each row, from 0, one per line, −1 for rows that are not used.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use geartrain_tables::{ColumnType, Folds, Recipe, Table, TabularClassifier, TabularRegressor, Task};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut option = |name: &str, default: u64| -> Result<u64, Box<dyn Error>> {
        let Some(at) = args.iter().position(|arg| arg == name) else { return Ok(default) };
        let value = args.get(at + 1).ok_or(format!("{name} needs a number"))?.parse()?;
        args.drain(at..at + 2);
        Ok(value)
    };
    let (members, seeds) = (option("--ensemble", 1)? as usize, option("--seeds", 1)?);
    let (folder, tables) = args.split_first().ok_or("usage: tables_bench FOLDER [TABLE …] [--ensemble N]")?;
    for name in tables {
        let path = Path::new(folder).join(name);
        let table = Table::read_csv(path.with_extension("csv"))?;
        let numbers = fs::read_to_string(path.with_extension("folds"))?;
        let numbers: Vec<i64> = numbers.lines().map(str::parse).collect::<Result<_, _>>()?;
        let used: Vec<usize> = (0..numbers.len()).filter(|&row| numbers[row] >= 0).collect();
        let folds = Folds::from_numbers(used.iter().map(|&row| numbers[row] as usize).collect())?;
        let table = if used.len() == table.rows() { table } else { table.select(&used) };
        let target = table.names().pop().ok_or("no columns")?;
        for seed in 0..seeds {
            let classes = table.column(&target)?.column_type() != ColumnType::Number || name == "digits";
            if classes {
                let recipe = TabularClassifier::recipe().ensemble(members).seed(seed);
                run(name, &recipe, &table, &target, &folds)?;
            } else {
                let recipe = TabularRegressor::recipe().ensemble(members).seed(seed);
                run(name, &recipe, &table, &target, &folds)?;
            }
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
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let result = recipe.cross_validate(table, target, folds)?;
    let seconds = start.elapsed().as_secs_f64() / folds.count() as f64;
    let scores: Vec<String> = result.folds[0]
        .iter()
        .filter_map(|(score, _)| Some(format!("{score} {:.4}", result.mean(score)?.0)))
        .collect();
    println!("{name:14} {:40} {seconds:.2} s per fold", scores.join("  "));
    Ok(())
}
