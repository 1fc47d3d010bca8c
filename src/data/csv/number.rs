//! Numbers, missing values and truth values from the text of cells.

use super::records::CsvCell;
use crate::error::suggestion::NumberFormat;

/// Markers of missing values in cells of any kind, compared without regard to case: the empty
/// cell, R, pandas, SQL, and the errors of spreadsheets.
const MISSING: [&str; 17] = [
    "", "?", "na", "n/a", "nan", "null", "\\n", "<na>", "#na", "#n/a", "#n/a n/a", "#null!", "#div/0!",
    "#value!", "#ref!", "#num!", "#name?",
];

/// More markers where a number is expected, from SAS, instruments, C, Python, database clients and
/// spreadsheets in other languages. A class may have such a name.
const MISSING_NUMBERS: [&str; 26] = [
    "-", "--", "---", "\u{2212}", "\u{2013}", "\u{2014}", ".", "..", "*", "none", "nil", "missing", "n.a.",
    "-nan", "nat", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "#error", "#nv", "#n/d", "#nd", "(null)",
    "[null]", "<null>",
];

/// Signs that stand before a number for a minus: the Unicode minus and its look-alikes.
const MINUS: [char; 5] = ['-', '\u{2212}', '\u{2013}', '\u{fe63}', '\u{ff0d}'];

/// How numbers and missing values are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notation {
    pub decimal_comma: bool,
    /// Characters to skip in numbers. A blank stands for every kind of space.
    pub ignored: String,
    /// Markers of missing values besides the empty cell; `None` for those above.
    pub missing: Option<Vec<String>>,
}

impl Notation {
    /// Whether a cell is missing, where a number or else a label is expected.
    pub(super) fn is_missing(&self, text: &str, number: bool) -> bool {
        let known = |markers: &[&str]| markers.iter().any(|marker| text.eq_ignore_ascii_case(marker));
        match &self.missing {
            None => known(&MISSING) || (number && known(&MISSING_NUMBERS)),
            Some(markers) => {
                let is = |marker: &String| {
                    // A number such as -999 is compared by value: the cell may hold -999.0.
                    let value = || marker.parse::<f64>().is_ok_and(|value| self.parse(text) == Some(value));
                    marker.eq_ignore_ascii_case(text) || (number && value())
                };
                text.is_empty() || markers.iter().any(is)
            }
        }
    }

    /// The finite number in a cell, or NaN if the cell is missing; and whether it is whole.
    #[inline]
    pub(super) fn number(&self, cell: CsvCell<'_>) -> Option<(f64, bool)> {
        let number = self.read(cell).filter(|(number, _)| number.is_finite());
        let may_be_missing = number.is_none() || self.missing.is_some();
        if may_be_missing && self.is_missing(cell.text(), true) { Some((f64::NAN, false)) } else { number }
    }

    /// The number in a cell, which may be infinite, and whether it is whole.
    #[inline]
    pub(super) fn read(&self, cell: CsvCell<'_>) -> Option<(f64, bool)> {
        let plain = !self.decimal_comma && self.ignored.is_empty();
        let other = || Some((self.parse(cell.text())?, is_whole(cell.text())));
        plain.then(|| cell.decimal()).flatten().or_else(other)
    }

    /// The number that `text` stands for, which may be infinite.
    pub(super) fn parse(&self, text: &str) -> Option<f64> {
        let parse = |text: &str| text.parse().ok().or_else(|| fortran(text)?.parse().ok());
        match !self.decimal_comma && self.ignored.is_empty() && text.is_ascii() {
            true => parse(text),
            false => parse(&self.plain(text)?),
        }
    }

    fn is_ignored(&self, c: char) -> bool {
        !"-\u{2212}".contains(c) && self.ignored.contains(if c.is_whitespace() { ' ' } else { c })
    }

    /// The size of a negative number of accounting, `(5)` or `5-`, if those signs are skipped.
    fn negative<'a>(&self, text: &'a str) -> Option<Option<&'a str>> {
        let skipped = |c: char| c.is_whitespace() || self.is_ignored(c);
        if ['(', ')'].iter().all(|&c| self.ignored.contains(c)) && text.contains(['(', ')']) {
            let size = text.split_once('(').and_then(|(before, rest)| {
                let (size, after) = rest.split_once(')')?;
                let outside = || before.chars().chain(after.chars());
                let is_whole =
                    outside().all(skipped) && !outside().chain(size.chars()).any(|c| "()".contains(c));
                is_whole.then_some(size)
            });
            return Some(size);
        }
        let size = text.trim_end_matches(skipped).strip_suffix(['-', '\u{2212}'])?;
        // `12.-` is a price without cents.
        Some((self.ignored.contains('-') && !size.ends_with(['.', ','])).then_some(size))
    }

    fn mark(&self) -> char {
        if self.decimal_comma { ',' } else { '.' }
    }

    /// The same number in plain notation.
    fn plain(&self, text: &str) -> Option<String> {
        if let Some(size) = self.negative(text) {
            let size = self.plain(size?)?;
            return (!size.starts_with('-')).then(|| format!("-{size}"));
        }
        let skipped = |c: char| c.is_whitespace() || self.is_ignored(c);
        let text = text.trim_matches(skipped);
        let (sign, rest) = match text.chars().next()? {
            minus if MINUS.contains(&minus) => ("-", &text[minus.len_utf8()..]),
            '+' => ("", &text[1..]),
            _ => ("", text),
        };
        let rest = rest.trim_start_matches(skipped);
        if rest.starts_with(['+', '-']) {
            return None;
        }
        let mut plain = String::from(sign);
        let mut after_mark = false;
        for (i, c) in rest.char_indices() {
            if self.is_ignored(c) {
                // Between digits only groups of three are separated: `1,5` is not 15.
                let group = &rest.as_bytes()[i + c.len_utf8()..];
                let digits = group.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let separates = c.is_whitespace() || ",.'’_".contains(c);
                if after_mark || !separates || digits != 3 {
                    return None;
                }
            } else if c == self.mark() {
                after_mark = true;
                plain.push('.');
            } else if c == '.' {
                // Among decimal commas, a point may separate thousands: no guess here.
                return None;
            } else {
                plain.push(c);
            }
        }
        Some(plain)
    }

    /// The notations in which `text` is a number, if it is none in this one.
    pub(super) fn formats(&self, text: &str) -> Vec<NumberFormat> {
        const LONGEST: usize = 64;
        if text.len() > LONGEST {
            return Vec::new();
        }
        let mut signs = self.ignored.clone();
        for c in text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }) {
            let plain = c.is_ascii_digit() || "+.,()".contains(c) || MINUS.contains(&c);
            if !plain && !signs.contains(c) && (!c.is_alphanumeric() || has_unit(text)) {
                signs.push(c);
            }
        }
        if text.contains('(') {
            signs.push_str("()");
        }
        if text.ends_with(['-', '\u{2212}']) {
            signs.push('-');
        }
        let points = text.matches('.').count();
        let mut candidates = Vec::new();
        if !self.decimal_comma {
            candidates.extend([(false, ""), (false, ",")]);
            candidates.extend((points > 1).then_some((false, ".")));
        }
        candidates.push((true, ""));
        candidates.extend(text.contains(',').then_some((true, ".")));
        let mut formats: Vec<NumberFormat> = Vec::new();
        for (decimal_comma, more) in candidates {
            let ignored = signs.clone() + more;
            let value = Notation { decimal_comma, ignored: ignored.clone(), missing: None }.parse(text);
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            // The simplest notation comes first; another is worth naming if it reads another
            // number.
            if formats.iter().all(|format| format.value != value.to_string()) {
                formats.push(NumberFormat { decimal_comma, ignored, value: value.to_string() });
            }
        }
        formats
    }

    /// The notations in which all `texts` are numbers or missing, if not all are in this one.
    pub(super) fn common_formats<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Vec<NumberFormat> {
        const MOST: usize = 8;
        let mut notations = vec![self.clone()];
        let mut example = None;
        for text in texts {
            let reads = |notation: &Notation| notation.parse(text).is_some_and(f64::is_finite);
            if reads(self) || self.is_missing(text, true) {
                continue;
            }
            let mut next: Vec<Notation> = Vec::new();
            for notation in notations {
                let known = |c: char| example.is_none() || !c.is_alphabetic() || notation.ignored.contains(c);
                let formats = if reads(&notation) { Vec::new() } else { notation.formats(text) };
                // One unit for the column: `5A` and `7B` are names.
                let wider = formats.into_iter().filter(|format| format.ignored.chars().all(known)).map(
                    |NumberFormat { decimal_comma, ignored, .. }| Notation {
                        decimal_comma,
                        ignored,
                        ..notation.clone()
                    },
                );
                let wider: Vec<Notation> = wider.collect();
                let readers = if reads(&notation) { vec![notation] } else { wider };
                next.extend(readers);
            }
            next.truncate(MOST);
            notations = next;
            example = example.or(Some(text));
        }
        let Some(example) = example else { return Vec::new() };
        let formats = notations.into_iter().filter_map(|notation| {
            let value = notation.parse(example)?.to_string();
            Some(NumberFormat { decimal_comma: notation.decimal_comma, ignored: notation.ignored, value })
        });
        formats.collect()
    }

    /// Whether a number has one to three digits and then one group of three, such as `1.010`.
    pub(super) fn is_grouped(&self, text: &str) -> bool {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        text.trim_start_matches(MINUS).split_once(self.mark()).is_some_and(|(whole, group)| {
            let sizes = (1..=3).contains(&whole.len()) && group.len() == 3;
            sizes && !whole.starts_with('0') && digits(whole) && digits(group)
        })
    }
}

/// Whether a number has neither decimals nor an exponent.
fn is_whole(text: &str) -> bool {
    text.trim_start_matches(MINUS).bytes().all(|byte| byte.is_ascii_digit())
}

/// `0.15D+03` as `0.15e+03`: only with a point and a sign, so that `12d4` is no number.
fn fortran(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['D', 'd'])?;
    let signed = exponent.starts_with(['+', '-']) && mantissa.contains('.');
    signed.then(|| format!("{mantissa}e{exponent}"))
}

/// Whether `text` is something like `12 kg` or `USD 12`, not a name or an address.
fn has_unit(text: &str) -> bool {
    const LONGEST: usize = 4;
    const CURRENCIES: [&str; 16] = [
        "USD", "EUR", "GBP", "JPY", "CNY", "INR", "CHF", "CAD", "AUD", "BRL", "MXN", "SEK", "NOK", "DKK",
        "Rs", "kr",
    ];
    let (before, rest) = text.split_at(text.find(|c: char| !c.is_alphabetic()).unwrap_or(0));
    if CURRENCIES.contains(&before) || (before.len() <= 2 && rest.starts_with('$')) {
        return !rest.contains(char::is_alphabetic);
    }
    let unit = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let number = text.strip_suffix(unit).unwrap_or_default();
    let letters = unit.chars().all(char::is_alphabetic) && unit.chars().count() <= LONGEST;
    letters && !number.contains(char::is_alphabetic)
}

/// 1 for true and yes, 0 for false and no.
pub(super) fn boolean(text: &str) -> Option<f64> {
    let is = |words: [&str; 2]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match () {
        () if is(["true", "yes"]) => Some(1.0),
        () if is(["false", "no"]) => Some(0.0),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notation(decimal_comma: bool, ignored: &str) -> Notation {
        Notation { decimal_comma, ignored: ignored.into(), missing: None }
    }

    #[test]
    fn plain_numbers_and_every_minus() {
        let plain = notation(false, "");
        for (text, value) in [
            ("1.5", 1.5),
            ("-1e3", -1e3),
            ("+.5", 0.5),
            ("\u{2212}2", -2.0),
            ("\u{2013}2.5", -2.5),
            ("-.15D-3", -0.00015),
        ] {
            assert_eq!(plain.parse(text), Some(value), "{text}");
        }
        for text in [
            "1,5",
            "--1",
            "\u{2212}-1",
            "-\u{2212}1",
            "\u{ff11}",
            "1_000",
            "5%",
            "1 2",
            "0x10",
            "12-3",
            "12d4",
            "1D+3",
            "(5)",
            "5-",
        ] {
            assert_eq!(plain.parse(text), None, "{text}");
        }
    }

    #[test]
    fn decimal_commas_and_skipped_signs() {
        for (decimal_comma, ignored, text, value) in [
            (true, "", "18,5", 18.5),
            (true, "", "-1,5e3", -1500.0),
            (true, ".", "1.234.567,8", 1_234_567.8),
            (false, ",", "1,234,567.8", 1_234_567.8),
            (false, "'", "1'234", 1234.0),
            (false, " ", "12\u{202f}345", 12345.0),
            (false, "%", "12.5 %", 12.5),
            (false, "$,", "-$1,234.50", -1234.5),
            (false, "$", "$-5", -5.0),
            (true, "€.", "1.234,50 €", 1234.5),
            (false, "kg", "12 kg", 12.0),
            (false, "()", "(5)", -5.0),
            (false, "()", " ( 5.5 ) ", -5.5),
            (false, "$,()", "($1,234.50)", -1234.5),
            (false, "$,()", "$(1,234.50)", -1234.5),
            (false, "()", "7", 7.0),
            (true, "€.()", "(1.234,50 €)", -1234.5),
            (false, "-", "30.59-", -30.59),
            (false, "-", "-30.59", -30.59),
            (false, "$-", "30.59\u{2212} $", -30.59),
            (false, "%", "1.5D+03", 1500.0),
        ] {
            assert_eq!(notation(decimal_comma, ignored).parse(text), Some(value), "{text}");
        }
        for (decimal_comma, ignored, text) in [
            (true, "", "1.5"),
            (true, "", "1,2,3"),
            (false, ",", "1,5"),
            (false, ",", "1,2345"),
            (false, ",", "1.5,000"),
            (false, " ", "1 2"),
            (false, "%", "%"),
            (false, "()", "(-5)"),
            (false, "()", "((5))"),
            (false, "()", "(5"),
            (false, "()", "5)"),
            (false, "()", "(5) 6"),
            (false, "()", "()"),
            (false, "(", "(5)"),
            (false, "%", "(5)"),
            (false, "-", "-5-"),
            (false, "-", "5--"),
            (false, "-", "12.-"),
            (false, "%", "5-"),
        ] {
            assert_eq!(notation(decimal_comma, ignored).parse(text), None, "{text}");
        }
    }

    #[test]
    fn suggested_formats_read_the_text() {
        let formats = |text: &str| {
            let formats = notation(false, "").formats(text);
            for format in &formats {
                let read = notation(format.decimal_comma, &format.ignored).parse(text).unwrap();
                assert_eq!(read.to_string(), format.value, "{text}");
            }
            formats
                .into_iter()
                .map(|format| (format.decimal_comma, format.ignored, format.value))
                .collect::<Vec<_>>()
        };
        let format =
            |comma: bool, ignored: &str, value: &str| (comma, ignored.to_string(), value.to_string());
        assert_eq!(formats("18,5"), [format(true, "", "18.5")]);
        assert_eq!(formats("1,234"), [format(false, ",", "1234"), format(true, "", "1.234")]);
        assert_eq!(formats("1,234.5"), [format(false, ",", "1234.5")]);
        assert_eq!(formats("1.234,5"), [format(true, ".", "1234.5")]);
        assert_eq!(formats("1.234.567"), [format(false, ".", "1234567")]);
        assert_eq!(formats("$5"), [format(false, "$", "5")]);
        assert_eq!(formats("12 kg"), [format(false, " kg", "12")]);
        assert_eq!(formats("(5)"), [format(false, "()", "-5")]);
        assert_eq!(formats("($1,234.5)"), [format(false, "$(),", "-1234.5")]);
        assert_eq!(formats("5-"), [format(false, "-", "-5")]);
        assert_eq!(formats("USD 5"), [format(false, "USD ", "5")]);
        assert_eq!(formats("R$5"), [format(false, "R$", "5")]);
        for text in [
            "x",
            "1 2",
            "2020-01-01",
            "12:30",
            "(5) 6",
            "(x)",
            "12.-",
            "-",
            "a12",
            "--1",
            "1e",
            "car 0",
            "5 Main Street",
            "BMW 320",
            "USD 5 x",
        ] {
            assert_eq!(formats(text), [], "{text}");
        }
    }

    #[test]
    fn one_format_reads_all_texts_of_a_column() {
        let formats = |texts: &[&str]| {
            let formats = notation(false, "").common_formats(texts.iter().copied());
            formats.into_iter().map(|format| (format.decimal_comma, format.ignored)).collect::<Vec<_>>()
        };
        let format = |comma: bool, ignored: &str| (comma, ignored.to_string());
        assert_eq!(formats(&["5%", "7 %", "8", "", "NA"]), [format(false, "%")]);
        assert_eq!(formats(&["1,234", "(4,345)"]), [format(false, ",()"), format(true, "()")]);
        assert_eq!(formats(&["1,234", "12,5"]), [format(true, "")]);
        assert_eq!(formats(&["1,234", "1,234.5"]), [format(false, ",")]);
        assert_eq!(formats(&["5 kg", "7 kg"]), [format(false, " kg")]);
        for texts in [&["1", "2"][..], &["5%", "low"], &["5A", "7B"], &["red", "5%"], &[]] {
            assert_eq!(formats(texts), [], "{texts:?}");
        }
    }
}
