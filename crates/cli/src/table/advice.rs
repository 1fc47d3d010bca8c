//! Errors and notes about data, with advice in options of the command line.

use geartrain::data::{DataError, Note, Suggestion};

use crate::output::{self, csv_cell};

/// The error with advice that names options of the command line instead of methods.
pub fn with_options(mut error: DataError) -> String {
    match error.suggestion.take() {
        None => error.to_string(),
        Some(suggestion) => format!("{error} ({})", advice(&suggestion)),
    }
}

/// Prints notes with such advice.
pub fn print_notes(notes: &[Note]) {
    for note in notes {
        let advice = note.suggestion().map(|suggestion| format!(" ({})", advice(&suggestion)));
        output::note(&format!("note: {}{}", note.message(), advice.unwrap_or_default()));
    }
}

/// An argument for a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What may help, in options of the command line.
pub fn advice(suggestion: &Suggestion) -> String {
    let separated =
        |by: &str, option: &str| format!("are the cells separated by {by}? Add --delimiter {option}");
    match suggestion {
        Suggestion::Delimiter(b'\t') => separated("tabs", "tab"),
        Suggestion::Delimiter(b' ') => separated("blanks", "blanks"),
        Suggestion::Delimiter(byte) => {
            let quoted = format!("'{}'", char::from(*byte));
            separated(&quoted, &quoted)
        }
        Suggestion::Comment(byte) => {
            let quoted = quoted(&char::from(*byte).to_string());
            format!("are lines that start with {quoted} comments? Add --comment {quoted}")
        }
        Suggestion::SkipLines(lines) => format!("does the header come later? Add --skip-lines {lines}"),
        Suggestion::Header => "is this line a header? Leave out --no-header".into(),
        Suggestion::DropColumns(columns) => {
            const MOST: usize = 100;
            let names = columns.iter().take(MOST).map(|column| csv_cell(&column.name));
            let names = quoted(&names.collect::<Vec<_>>().join(","));
            let kind = if columns.len() == 1 { "a column of text" } else { "columns of text" };
            format!("leave out {kind} with --drop {names}")
        }
        Suggestion::Numbers(formats) => {
            let advice = formats.iter().map(|format| {
                let comma = if format.decimal_comma { "--decimal-comma " } else { "" };
                let ignore = match format.ignored.as_str() {
                    "" => String::new(),
                    signs => format!("--ignore-in-numbers {} ", quoted(signs)),
                };
                format!("{comma}{ignore}reads {}", format.value)
            });
            advice.collect::<Vec<_>>().join(", ")
        }
        Suggestion::Missing => "accept missing values with --missing drop, mean or median".into(),
        Suggestion::MissingTarget => "leave out rows without a target with --missing drop".into(),
        Suggestion::MissingMarker(text) => {
            format!("if it stands for a missing value, add --missing-markers {}", quoted(&csv_cell(text)))
        }
        Suggestion::LabelMarker => {
            "--missing drop leaves its row out; --missing-markers '' makes it a class".into()
        }
        Suggestion::Classes => "these look like classes; add --task classification".into(),
        Suggestion::KeepIndex => "--keep-index keeps it".into(),
        other => other.to_string(),
    }
}
