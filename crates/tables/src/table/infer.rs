//! The rule that finds a column's type.

use geartrain::data::is_index_name;

use super::column::{Cells, ColumnType};
use super::levels::MISSING;

/// The rule for the type of a column, in words.
pub const RULE: &str = "\
A cell is missing if it is empty or equals one of the missing markers, in any case; among numbers and dates
also if it is `-`, `.`, `none` or the like. Spaces around a cell are removed.
The other cells of a column decide, in this order:
  constant    none, or one value everywhere, or one number with gaps: left out
  number      all are finite numbers
  date        all are dates or dates with times in ISO 8601, such as 2024-02-29 or 2024-02-29 13:30
  yes/no      all are yes or no, y or n, true or false, t or f, in any case, and both occur
  identifier  texts with a different value in more than half of the rows, of 20 or more; whole numbers
              that count all rows, of 20 or more, from 0 or 1, or that differ in all rows of a column
              called `id`, `index` or the like; a column without a name in a file: left out
  category    all other texts
One cell that is no number makes a column text. Every type can be chosen instead.";

/// Below this number of rows nothing is an identifier.
const FEWEST_ROWS: usize = 20;

/// The type of a column, and why.
pub(super) fn column_type(name: &str, cells: &Cells) -> (ColumnType, String) {
    let present = cells.len() - cells.missing();
    if present == 0 {
        return (ColumnType::Constant, "no values: left out".into());
    }
    match cells {
        Cells::Numbers(values) => number(name, values, present),
        Cells::Dates(values) => match range(values) {
            (min, max) if min == max => constant(super::date::display(min)),
            (min, max) => {
                let [min, max] = [min, max].map(super::date::display);
                (ColumnType::Date, format!("dates from {min} to {max}"))
            }
        },
        Cells::Texts { codes, levels } => {
            // A selection of rows may not contain all levels.
            let mut counts = vec![0_usize; levels.len()];
            codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize] += 1);
            let used: Vec<&str> =
                levels.iter().zip(&counts).filter(|(_, count)| **count > 0).map(|(level, _)| level).collect();
            if used.len() == 1 && present == codes.len() {
                return constant(format!("`{}`", shorten(used[0])));
            }
            let words: Option<Vec<bool>> = used.iter().take(9).map(|text| yes_no(text)).collect();
            if words.is_some_and(|words| words.contains(&true) && words.contains(&false)) && used.len() < 9 {
                return (ColumnType::YesNo, used.join(", "));
            }
            if present >= FEWEST_ROWS && 2 * used.len() > present {
                let reason = format!("{} different texts in {present} rows: left out", used.len());
                return (ColumnType::Identifier, reason);
            }
            (ColumnType::Category, format!("{} levels", used.len()))
        }
    }
}

fn number(name: &str, values: &[f64], present: usize) -> (ColumnType, String) {
    let (min, max) = range(values);
    if min == max {
        return constant(min.to_string());
    }
    if present == values.len() && present >= FEWEST_ROWS {
        if (min == 0.0 || min == 1.0) && counts_rows(values) {
            return (
                ColumnType::Identifier,
                format!("`{name}` counts the rows from {min} to {max}: left out"),
            );
        }
        if is_index_name(name) && all_differ(values) {
            return (ColumnType::Identifier, format!("`{name}` has another number in every row: left out"));
        }
    }
    (ColumnType::Number, format!("from {min} to {max}"))
}

fn constant(value: String) -> (ColumnType, String) {
    (ColumnType::Constant, format!("always {value}: left out"))
}

/// The smallest and the largest of the values that are present.
fn range(values: &[f64]) -> (f64, f64) {
    // Eight at a time, which the compiler can turn into vectors. Comparisons with NaN are false.
    let (mut min, mut max) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
    let (chunks, rest) = values.as_chunks::<8>();
    let mut look = |values: &[f64]| {
        for ((min, max), &value) in min.iter_mut().zip(&mut max).zip(values) {
            *min = if value < *min { value } else { *min };
            *max = if value > *max { value } else { *max };
        }
    };
    chunks.iter().for_each(|values| look(values));
    look(rest);
    (min.into_iter().fold(f64::INFINITY, f64::min), max.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

/// Whether `values` are consecutive whole numbers in any order, in enough rows.
pub(super) fn counts_rows(values: &[f64]) -> bool {
    let (min, max) = range(values);
    if values.len() < FEWEST_ROWS || max - min + 1.0 != values.len() as f64 {
        return false;
    }
    let mut seen = vec![false; values.len()];
    values.iter().all(|value| {
        // In range, as min and max are.
        value.fract() == 0.0 && !std::mem::replace(&mut seen[(value - min) as usize], true)
    })
}

/// `yes` or `no` for a word of the pairs yes/no, y/n, true/false and t/f in any case.
pub(crate) fn yes_no(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match (is(["yes", "y", "true", "t"]), is(["no", "n", "false", "f"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Whether `values` are whole numbers, none of them twice.
fn all_differ(values: &[f64]) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.iter().all(|value| value.fract() == 0.0) && sorted.windows(2).all(|pair| pair[0] != pair[1])
}

/// At most 40 characters of a text.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
