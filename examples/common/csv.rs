//! Which table to learn from, as options of a command.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use geartrain::data::{Csv, DataError, Missing, Suggestion};

/// A data set that is part of the program.
pub struct Shipped {
    pub path: &'static str,
    pub text: &'static str,
    pub target: &'static str,
    /// Columns that are not numbers.
    pub text_columns: &'static [&'static str],
    pub missing: Missing,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Data")]
pub struct CsvOptions {
    /// Learn from this CSV file of numbers, with a header line
    #[arg(long, value_name = "FILE", requires = "target", group = "file")]
    csv: Option<PathBuf>,

    /// The column to predict; needed with --csv
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,

    /// The columns to predict from, separated by commas [default: all but the target]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub features: Option<Vec<String>>,

    /// Columns to leave out, separated by commas: text, identifiers, a second target
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', conflicts_with = "features")]
    pub drop: Vec<String>,

    /// The character between cells, or `tab`
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter, requires = "file")]
    delimiter: u8,

    /// The file has no header line; its columns are called 0, 1, 2, ...
    #[arg(long, requires = "file")]
    no_header: bool,

    /// What to do about cells that are empty, NA, NaN, null or ?
    #[arg(long, value_enum, default_value = "error", requires = "file")]
    missing: MissingCells,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum MissingCells {
    /// Stop and say where
    Error,
    /// Leave their rows out
    Drop,
    /// Fill a feature with its mean
    Mean,
    /// Fill a feature with its median
    Median,
}

impl CsvOptions {
    /// Hands `read` the chosen columns of the chosen file, or else of the `shipped` data set.
    pub fn read<T>(
        &self,
        shipped: &Shipped,
        read: impl FnOnce(&Csv, &mut dyn Read, &str) -> Result<T, DataError>,
    ) -> Result<T, String> {
        let target = self.target.as_deref().unwrap_or(shipped.target);
        let mut dropped: BTreeSet<&str> = self.drop.iter().map(String::as_str).collect();
        if self.csv.is_none() && self.features.is_none() {
            dropped.extend(shipped.text_columns.iter().filter(|&&column| column != target));
        }
        let mut csv = self.format(target).drop_columns(dropped);
        if let Some(features) = &self.features {
            csv = csv.features(features);
        }
        let result = match &self.csv {
            Some(path) => {
                let name = path.display().to_string();
                let mut file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
                read(&csv, &mut file, &name)
            }
            None => read(&csv.missing(shipped.missing), &mut shipped.text.as_bytes(), shipped.path),
        };
        result.map_err(in_words_of_the_command_line)
    }

    /// What the file looks like.
    pub fn format(&self, target: &str) -> Csv {
        Csv::new(target).delimiter(self.delimiter).header(!self.no_header).missing(match self.missing {
            MissingCells::Error => Missing::Error,
            MissingCells::Drop => Missing::DropRows,
            MissingCells::Mean => Missing::Mean,
            MissingCells::Median => Missing::Median,
        })
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        &[byte] => Ok(byte),
        _ => Err("expected one ASCII character, or `tab`".into()),
    }
}

/// The library suggests methods; whoever types a command needs an option.
pub fn in_words_of_the_command_line(mut error: DataError) -> String {
    let hint = match error.take_suggestion() {
        None => return error.to_string(),
        Some(Suggestion::Delimiter(b'\t')) => {
            "are the cells separated by tabs? Then add --delimiter tab".into()
        }
        Some(Suggestion::Delimiter(byte)) => {
            format!("are the cells separated by {0:?}? Then add --delimiter {0:?}", char::from(byte))
        }
        Some(Suggestion::Header) => "is this line a header? Then leave out --no-header".into(),
        Some(Suggestion::DropColumn(name)) => {
            format!("leave a column of text out with --drop {:?}", name.chars().take(40).collect::<String>())
        }
        Some(Suggestion::Missing) => "accept missing values with --missing drop, mean or median".into(),
        Some(Suggestion::MissingTarget) => "leave rows without a target out with --missing drop".into(),
        Some(other) => other.to_string(),
    };
    format!("{error} ({hint})")
}
