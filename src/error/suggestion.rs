//! What may help against an error of data.

use std::fmt;

use super::data::Column;

/// What may help, for an error or a [`Note`](crate::data::Note).
///
/// [`Display`](fmt::Display) names the methods of [`Csv`](crate::data::Csv). A program with other
/// words for them takes the suggestion out of the error and prints its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suggestion {
    /// Another character seems to separate the cells; `b' '` stands for runs of blanks.
    Delimiter(u8),
    /// The cell is a number in one of these notations.
    Numbers(Vec<NumberFormat>),
    /// The first line of a file read without a header holds text.
    Header,
    /// Lines that start with this character seem to be comments.
    Comment(u8),
    /// The header seems to stand behind this many lines of other text.
    SkipLines(usize),
    /// The rows have one cell more than the header: the first cells may be row names.
    RowNames,
    /// These columns hold text or identifiers and can be left out.
    DropColumns(Vec<Column>),
    /// Rows with missing values can be dropped, gaps in features also filled.
    Missing,
    /// A target is never filled, but its row can be dropped.
    MissingTarget,
    /// This text may stand for a missing value.
    MissingMarker(String),
    /// A label that is read as a missing value can be made a class.
    LabelMarker,
    /// The target holds text, that is classes.
    Classes,
    /// A column that was left out as an index can be kept.
    KeepIndex,
    /// The column has more digits than `f32`.
    Double,
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Suggestion::Delimiter(b' ') => {
                f.write_str("do blanks separate the cells? Then use .delimiter(b' ')")
            }
            Suggestion::Delimiter(byte) => {
                let delimiter = char::from(*byte);
                write!(f, "are the cells separated by {delimiter:?}? Then use .delimiter(b{delimiter:?})")
            }
            Suggestion::Numbers(formats) => {
                let advice: Vec<String> = formats.iter().map(NumberFormat::advice).collect();
                f.write_str(&advice.join(", "))
            }
            Suggestion::Header => f.write_str("is this line a header? Then leave out .header(false)"),
            Suggestion::Comment(byte) => {
                let character = char::from(*byte);
                write!(
                    f,
                    "are lines that start with {character:?} comments? Then use .comment(b{character:?})"
                )
            }
            Suggestion::SkipLines(lines) => {
                write!(f, "does the header come later? Then use .skip_lines({lines})")
            }
            Suggestion::RowNames => {
                f.write_str("if the first cell of each row is a row name, give it a name in the header")
            }
            Suggestion::DropColumns(columns) => {
                // All names if they fit into a message.
                const LONGEST: usize = 2000;
                let kind = if columns.len() == 1 { "a column of text" } else { "columns of text" };
                let mut names = String::new();
                let mut shown = 0;
                for name in columns.iter().map(Column::as_argument) {
                    if names.len() + name.len() > LONGEST {
                        break;
                    }
                    names += if shown == 0 { "" } else { ", " };
                    names += &name;
                    shown += 1;
                }
                write!(f, "{kind} can be left out with .drop_columns([{names}])")?;
                if columns.len() > shown {
                    let more = columns.len() - shown;
                    write!(f, "; {more} more are text, .features([...]) names the columns to use")?;
                }
                Ok(())
            }
            Suggestion::Missing => f.write_str(
                "choose Missing::DropRows, Missing::Mean or Missing::Median to accept missing values",
            ),
            Suggestion::MissingTarget => {
                f.write_str("a target is never filled in, but Missing::DropRows leaves its row out")
            }
            Suggestion::MissingMarker(text) => {
                write!(f, "if it stands for a missing value, use .missing_markers(&[{text:?}])")
            }
            Suggestion::LabelMarker => {
                f.write_str("Missing::DropRows leaves its row out; .missing_markers(&[]) makes it a class")
            }
            Suggestion::Classes => f.write_str(
                "these look like classes; Dataset::from_csv_classes and Csv::read_classes read them",
            ),
            Suggestion::KeepIndex => f.write_str(".keep_index(true) keeps it"),
            Suggestion::Double => f.write_str("read the file as f64, and scale before rounding to f32"),
        }
    }
}

impl Column {
    /// A name for the column in code, as a Rust literal: its own, or `column 7` if
    /// that is too long to print.
    fn as_argument(&self) -> String {
        const LONGEST: usize = 200;
        let literal = format!("{:?}", self.name);
        if literal.len() <= LONGEST { literal } else { format!("\"column {}\"", self.number) }
    }
}

/// A way to read a number that is not written plainly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumberFormat {
    /// For [`Csv::decimal_comma`](crate::data::Csv::decimal_comma).
    pub decimal_comma: bool,
    /// For [`Csv::ignore_in_numbers`](crate::data::Csv::ignore_in_numbers).
    pub ignored: String,
    /// The number that the cell then holds.
    pub value: String,
}

impl NumberFormat {
    fn advice(&self) -> String {
        let comma = if self.decimal_comma { ".decimal_comma(true)" } else { "" };
        let ignore = match self.ignored.as_str() {
            "" => String::new(),
            signs => format!(".ignore_in_numbers({signs:?})"),
        };
        format!("{comma}{ignore} reads {}", self.value)
    }
}
