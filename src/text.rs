//! Text in messages, tables and drawings: short numbers, short names, column widths.

/// `x` with at most `digits` significant digits: `49`, `0.1966`, `1.2e-13`, `inf`, `NaN`.
pub(crate) fn brief(x: f64, digits: usize) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    if !x.is_finite() {
        return x.to_string();
    }
    // Round first: 9.9999 with three digits is 10, one place longer than its logarithm says.
    let scientific = format!("{x:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("{:e} always writes an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} writes an integer exponent");
    if (-4..digits as i32 + 2).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        trim(&format!("{x:.decimals$}")).to_owned()
    } else {
        format!("{}e{exponent}", trim(mantissa))
    }
}

fn trim(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// The first `longest` characters of `text`, then `…` if there are more.
pub(crate) fn shorten(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text from a file in backquotes: at most 40 characters, and escapes for those that do not print.
pub(crate) fn shown(text: &str) -> String {
    format!("`{}`", escaped(text, 40))
}

/// As [`shorten`], with escapes for characters that do not print.
pub(crate) fn escaped(text: &str, longest: usize) -> String {
    let escape = |character: char| match character {
        '"' | '\'' | '\\' => String::from(character),
        _ => character.escape_debug().to_string(),
    };
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(longest).map(escape).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

/// The names in backquotes, at most 20 of them: `` `a`, `b` and 3 more ``; `none` for no name.
pub(crate) fn list(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let list: Vec<String> = names.iter().take(SHOWN).map(|name| shown(name)).collect();
    match names.len().saturating_sub(SHOWN) {
        _ if names.is_empty() => "none".to_owned(),
        0 => list.join(", "),
        more => format!("{} and {more} more", list.join(", ")),
    }
}

/// Pads the cells of each column to equal width: on the right in the first `left` columns, on the
/// left in the others.
///
/// A column is at most [`WIDEST`] characters wide: a longer cell moves the rest of its own row to
/// the right, and no other row. This bounds the size of a table by that of its cells, and `format!`
/// panics for a width above 65,535.
pub(crate) fn align<const N: usize>(rows: &mut [[String; N]], left: usize) {
    for column in 0..N {
        let width = |row: &[String; N]| row[column].chars().take(WIDEST).count();
        let width = rows.iter().map(width).max().unwrap_or(0);
        for row in rows.iter_mut() {
            let cell = &row[column];
            row[column] = if column < left { format!("{cell:width$}") } else { format!("{cell:>width$}") };
        }
    }
}

/// The width of the widest column of a table, in characters.
const WIDEST: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits() {
        for (x, text) in [
            (49.0, "49"),
            (0.0, "0"),
            (-0.0, "0"),
            (-14.5, "-14.5"),
            (0.196_611_933, "0.1966"),
            (9.999_96, "10"),
            (100_000.0, "100000"),
            (1_234_567.0, "1.235e6"),
            (1.2e-13, "1.2e-13"),
            (0.000_123_45, "0.0001234"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(brief(x, 4), text, "{x:?}");
        }
    }

    #[test]
    fn long_names_end_in_an_ellipsis() {
        assert_eq!(shorten("größe", 5), "größe");
        assert_eq!(shorten("größer", 5), "größe…");
        assert_eq!(shorten("", 0), "");
    }

    #[test]
    fn characters_that_do_not_print_are_escaped() {
        assert_eq!(shown("\u{1b}[31m \"é\" \u{202e}"), r#"`\u{1b}[31m "é" \u{202e}`"#);
        assert_eq!(escaped("a\nbc", 3), r"a\nb…");
    }

    #[test]
    fn a_list_of_names_has_at_most_twenty() {
        let names: Vec<String> = (0..23).map(|number| number.to_string()).collect();
        assert_eq!(list(&[]), "none");
        assert_eq!(list(&names[..2]), "`0`, `1`");
        assert!(list(&names[..20]).ends_with(", `19`"));
        assert!(list(&names).ends_with(", `19` and 3 more"));
    }

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell_up_to_a_limit() {
        let long = "x".repeat(70_000);
        let mut rows = [["é", "7", &long], ["abc", "10", ""]].map(|row| row.map(str::to_owned));
        align(&mut rows, 1);
        assert_eq!(rows[0], ["é  ", " 7", &long]);
        assert_eq!(rows[1], ["abc", "10", &" ".repeat(WIDEST)]);
        align::<2>(&mut [], 1);
    }
}
