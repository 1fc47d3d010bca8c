//! Which table to read, and how, as options of a command.
//!
//! | file | content |
//! |---|---|
//! | `built_in` | data sets that are part of the program |
//! | `source` | reading a table for the network |
//! | `advice` | errors and notes with advice in options |

mod advice;
mod built_in;
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use geartrain::data::{Csv, Missing, Suggestion};
use geartrain_tables::{ColumnType, CsvOptions};
use serde::Deserialize;

pub use advice::{print_notes, with_options};
pub use built_in::BuiltIn;
pub use source::Table;

use crate::failure::{Failure, Outcome};
use crate::output;
use advice::{advice, quoted};
use source::Source;

/// The format of a CSV file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Format of the file")]
pub struct Format {
    /// The character between cells, `tab`, or `blanks` for any number of blanks
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    delimiter: u8,

    /// The file has no header line; its columns are called 0, 1, 2, …
    #[arg(long)]
    no_header: bool,

    /// The header is preceded by this many lines of other text
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    skip_lines: usize,

    /// Lines that start with this character are comments; by default, # lines before the header
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    comment: Option<u8>,

    /// Numbers have a decimal comma
    #[arg(long)]
    decimal_comma: bool,

    /// Characters to skip in numbers: thousands separators, currency and percent signs, units
    #[arg(long, value_name = "CHARACTERS", default_value = "")]
    ignore_in_numbers: String,

    /// Texts that stand for a missing value, separated by commas, instead of those known (NA, NaN,
    /// null, ?, #N/A, -)
    #[arg(long, value_name = "TEXTS", value_parser = names, allow_hyphen_values = true)]
    missing_markers: Option<Names>,

    /// Use columns that seem to identify the rows as features
    #[arg(long)]
    keep_index: bool,

    /// What to do with missing values [default: mean; in `predict`: as in training]
    #[arg(long, value_enum)]
    missing: Option<MissingCells>,
}

/// What to do with missing values.
#[derive(Debug, Clone, Copy, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum MissingCells {
    /// Stop, and say where
    Error,
    /// Leave out the row
    Drop,
    /// Fill a feature with the mean of its column
    Mean,
    /// Fill a feature with the median of its column
    Median,
}

impl From<MissingCells> for Missing {
    fn from(chosen: MissingCells) -> Self {
        match chosen {
            MissingCells::Error => Missing::Error,
            MissingCells::Drop => Missing::DropRows,
            MissingCells::Mean => Missing::Mean,
            MissingCells::Median => Missing::Median,
        }
    }
}

impl Format {
    /// A reader of tables with columns of any type.
    pub fn tabular(&self) -> CsvOptions {
        let csv = self.csv("", Missing::Mean);
        // The reader finds the delimiter of the file.
        CsvOptions::from(if self.delimiter == b',' { csv.detect_delimiter() } else { csv })
    }

    /// Whether a missing value is to end the command.
    pub fn refuses_gaps(&self) -> bool {
        matches!(self.missing, Some(MissingCells::Error))
    }

    /// The option for missing values is for models that cannot read gaps.
    pub fn check_reads_gaps(&self) -> Outcome {
        match self.missing {
            None => Ok(()),
            Some(_) => Err(Failure::option("--missing has no effect: this model reads missing values")),
        }
    }

    /// A reader of files of this format; `missing` is the default for missing values.
    pub fn csv(&self, target: &str, missing: Missing) -> Csv {
        let mut csv = Csv::new(target)
            .delimiter(self.delimiter)
            .header(!self.no_header)
            .skip_lines(self.skip_lines)
            .decimal_comma(self.decimal_comma)
            .ignore_in_numbers(&self.ignore_in_numbers)
            .keep_index(self.keep_index)
            .missing(self.missing.map_or(missing, Missing::from));
        if let Some(comment) = self.comment {
            csv = csv.comment(comment);
        }
        if let Some(Names(markers)) = &self.missing_markers {
            csv = csv.missing_markers(&markers.iter().map(String::as_str).collect::<Vec<_>>());
        }
        csv
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        b"blanks" => Ok(b' '),
        &[byte] => Ok(byte),
        _ => Err("expected one ASCII character, `tab` or `blanks`".into()),
    }
}

/// The table to learn from, and its columns.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct TableOptions {
    /// The file to learn from: CSV with a header line, or an array or archive of NumPy (.npy, .npz)
    #[arg(value_name = "FILE", required_unless_present = "data", requires = "target")]
    pub file: Option<PathBuf>,

    /// The column to predict; repeatable for several columns of numbers (recipe tables)
    #[arg(long = "target", id = "target", value_name = "COLUMN")]
    pub targets: Vec<String>,

    /// The columns to predict from, separated by commas [default: all but the target]
    ///
    /// A name that contains a comma goes in double quotes: --features 'price,"width, mm"'
    #[arg(long, value_name = "COLUMNS", value_parser = names)]
    pub features: Option<Names>,

    /// Columns to leave out, separated by commas: text, identifiers, a second target
    #[arg(long, value_name = "COLUMNS", value_parser = names, conflicts_with = "features")]
    pub drop: Option<Names>,

    /// The type of a column, instead of the one that its cells suggest (recipe tables); repeatable
    ///
    /// TYPE is number, category, yes/no, date, or identifier, which leaves the column out.
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = column_type)]
    types: Vec<(String, ColumnType)>,

    /// Learn from a data set that is part of the program, instead of a file
    #[arg(long, value_enum, value_name = "NAME", conflicts_with = "file")]
    pub data: Option<BuiltIn>,

    #[command(flatten)]
    format: Format,
}

/// Names of columns.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<String>);

impl TableOptions {
    /// The table with the chosen columns; `None` for generated data.
    pub fn table(&self) -> Outcome<Option<Table<'_>>> {
        let shipped = match self.data {
            None => None,
            Some(built_in) => match built_in.shipped() {
                Some(shipped) => Some(shipped),
                None if !self.targets.is_empty() || self.features.is_some() || self.drop.is_some() => {
                    let message = "--target, --features and --drop are for tables, not for generated data";
                    return Err(Failure::option(message));
                }
                None => return Ok(None),
            },
        };
        let target = match &self.targets[..] {
            [] => shipped.as_ref().map(|shipped| shipped.target).unwrap_or_default().to_owned(),
            [target] => target.clone(),
            _ => return Err(Failure::option("several targets are for `train` with a FILE")),
        };
        let mut csv =
            self.format.csv(&target, shipped.as_ref().map_or(Missing::Mean, |shipped| shipped.missing));
        let mut dropped = None;
        if let Some(Names(features)) = &self.features {
            csv = csv.features(features);
        } else {
            let chosen = self.drop.iter().flat_map(|Names(names)| names.iter().map(String::as_str));
            let text = shipped.iter().flat_map(|shipped| shipped.text_columns.iter().copied());
            let names: BTreeSet<&str> = chosen.chain(text.filter(|&column| column != target)).collect();
            csv = csv.drop_columns(names.iter().copied());
            dropped = Some(names.into_iter().map(str::to_owned).collect());
        }
        let (name, source) = match (shipped, &self.file) {
            (Some(shipped), _) => (shipped.path.to_owned(), Source::Text(shipped.text)),
            (None, Some(path)) => (path.display().to_string(), Source::File(path)),
            (None, None) => return Err(Failure::option("give a FILE, or a data set with --data")),
        };
        Ok(Some(Table { csv, dropped, target, refuses_text: false, name, source }))
    }

    /// Whether types of columns are chosen, which only the recipe for tables knows.
    pub fn chooses_types(&self) -> bool {
        !self.types.is_empty()
    }

    /// The chosen columns of the file at `path`, each with its type. Those of `keep` are not left
    /// out: they are no features.
    pub fn tabular(&self, path: &Path, keep: &[String]) -> Outcome<geartrain_tables::Table> {
        let typed =
            |options: CsvOptions, (name, kind): &(String, ColumnType)| options.column_type(name, *kind);
        let mut table = read_tabular(path, &self.types.iter().fold(self.format.tabular(), typed))?;
        for (name, kind) in &self.types {
            if is_numpy(path) {
                table = table.with_type(name, *kind)?;
            }
            table.column(name)?;
        }
        if let Some(Names(features)) = &self.features {
            for name in features {
                table.column(name)?;
            }
            for name in table.names() {
                if !keep.contains(&name) && !features.contains(&name) {
                    table = table.without(&name)?;
                }
            }
        }
        for name in self.drop.iter().flat_map(|Names(names)| names) {
            table = table.without(name)?;
        }
        for column in table.columns() {
            let name = column.name();
            if !column.number_formats().is_empty() {
                let advice = advice(&Suggestion::Numbers(column.number_formats().to_vec()));
                let kept = quoted(&format!("{name}=category"));
                return Err(Failure::other(format!(
                    "{}, column {}: all cells are numbers in another notation ({advice}; --type {kept} keeps \
                     them as text)",
                    path.display(),
                    output::quoted_name(name),
                )));
            }
            print_notes(column.notes());
        }
        Ok(table)
    }

    /// The file at `path` with the types of the columns of `table`.
    pub fn tabular_as(
        &self,
        path: &Path,
        table: &geartrain_tables::Table,
    ) -> Outcome<geartrain_tables::Table> {
        let typed = |options: CsvOptions, column: &geartrain_tables::Column| {
            options.column_type(column.name(), column.column_type())
        };
        read_tabular(path, &table.columns().fold(self.format.tabular(), typed))
    }

    /// The file at `path`, read with the same options, for the columns `features`.
    pub fn other<'a>(&self, path: &'a Path, target: &str, features: &[String]) -> Table<'a> {
        let csv = self.format.csv(target, Missing::Mean).features(features);
        let (name, source) = (path.display().to_string(), Source::File(path));
        Table { csv, dropped: None, target: target.to_owned(), refuses_text: false, name, source }
    }
}

/// Whether the file is an array or an archive of NumPy, by its name.
pub fn is_numpy(path: &Path) -> bool {
    let ending = |wanted| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(wanted));
    ending("npy") || ending("npz")
}

/// The table in a file: an array or archive of NumPy, or CSV as `options` say.
pub fn read_tabular(path: &Path, options: &CsvOptions) -> Outcome<geartrain_tables::Table> {
    use geartrain_tables::Table;
    Ok(match is_numpy(path) {
        true if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) => {
            Table::read_npy(path)?
        }
        true => Table::read_npz(path)?,
        false => options.read(path)?,
    })
}

/// A column's name and its type.
fn column_type(text: &str) -> Result<(String, ColumnType), String> {
    let types = [
        ColumnType::Number,
        ColumnType::Category,
        ColumnType::YesNo,
        ColumnType::Date,
        ColumnType::Identifier,
    ];
    let (name, kind) = text.rsplit_once('=').ok_or("write COLUMN=TYPE")?;
    match types.into_iter().find(|known| known.to_string() == kind) {
        Some(kind) => Ok((name.to_owned(), kind)),
        None => Err(format!(
            "`{kind}` is no type: write number, category, yes/no, date or identifier behind the last `=`"
        )),
    }
}

/// Splits at commas outside double quotes.
fn names(text: &str) -> Result<Names, String> {
    let mut names = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let name = names.last_mut().expect("never empty");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => name.extend(characters.next()),
            '"' if quoted || name.is_empty() => quoted = !quoted,
            ',' if !quoted => names.push(String::new()),
            other => name.push(other),
        }
    }
    if quoted { Err("a double quote is not closed".into()) } else { Ok(Names(names)) }
}

#[cfg(test)]
mod tests {
    use super::{Names, names};

    #[test]
    fn names_are_split_at_commas_outside_quotes() {
        let split = |text| names(text).map(|Names(names)| names);
        assert_eq!(split("a,b c").unwrap(), ["a", "b c"]);
        assert_eq!(split("\"width, mm\",b").unwrap(), ["width, mm", "b"]);
        assert_eq!(split("\"say \"\"x\"\"\",5\" disk").unwrap(), ["say \"x\"", "5\" disk"]);
        assert!(split("\"open").is_err());
    }
}
