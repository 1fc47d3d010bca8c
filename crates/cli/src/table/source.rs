//! A table that is read once or twice, until its task and its columns of text are known.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use geartrain::data::{Csv, DataError, Suggestion};

use super::advice::with_options;
use crate::failure::{Failure, Outcome};
use crate::output;

/// A table that can be read several times, and the reader with its options.
pub struct Table<'a> {
    pub(super) csv: Csv,
    /// The columns left out; `None` if the features are given by name.
    pub(super) dropped: Option<Vec<String>>,
    /// The column to predict.
    pub target: String,
    /// Columns of text in a file are [`Failure::TextColumns`], instead of being left out.
    pub refuses_text: bool,
    pub(super) name: String,
    pub(super) source: Source<'a>,
}

pub(super) enum Source<'a> {
    File(&'a Path),
    Text(&'static str),
}

impl<'a> Table<'a> {
    /// Hands the table and its name to `read`, a method of [`Csv`]. Leaves out columns of text,
    /// with a note, unless the features are given by name.
    pub fn read<T>(
        &mut self,
        read: impl Fn(&Csv, &mut (dyn Read + Send), &str) -> Result<T, DataError>,
    ) -> Outcome<T> {
        self.try_read(read)?.map_err(|error| Failure::other(with_options(error)))
    }

    /// The same with errors of data that are to be looked at.
    pub fn try_read<T>(
        &mut self,
        read: impl Fn(&Csv, &mut (dyn Read + Send), &str) -> Result<T, DataError>,
    ) -> Outcome<Result<T, DataError>> {
        loop {
            let result = match self.source {
                Source::Text(text) => read(&self.csv, &mut text.as_bytes(), &self.name),
                Source::File(path) => {
                    let file = File::open(path);
                    let mut file = file.map_err(|error| Failure::other(format!("{}: {error}", self.name)))?;
                    read(&self.csv, &mut file, &self.name)
                }
            };
            match (result, &mut self.dropped) {
                (Err(DataError { suggestion: Some(Suggestion::DropColumns(_)), .. }), _)
                    if self.refuses_text && matches!(self.source, Source::File(_)) =>
                {
                    return Err(Failure::TextColumns);
                }
                (
                    Err(DataError { suggestion: Some(Suggestion::DropColumns(columns)), .. }),
                    Some(dropped),
                ) => {
                    let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
                    let list = output::listed(&names);
                    output::note(&format!("note: left out, because the network reads numbers only: {list}"));
                    dropped.extend(names);
                    self.csv = self.csv.clone().drop_columns(dropped.iter());
                }
                (result, _) => return Ok(result),
            }
        }
    }
}
