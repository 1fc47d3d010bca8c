//! The labels of classes, and the order that gives each its index.

use std::cmp::Ordering;
use std::collections::HashMap;

/// Different labels, numbered in the order of their first rows.
#[derive(Default)]
pub(super) struct Labels {
    numbers: HashMap<String, usize>,
    names: Vec<String>,
}

/// The classes in their order, and the class of each number of [`Labels`] that is used.
pub(super) struct Classes {
    pub names: Vec<String>,
    pub of_number: Vec<usize>,
    /// Every label is a number.
    pub numeric: bool,
}

impl Labels {
    /// The number of a label, new or seen before.
    pub(super) fn number(&mut self, label: &str) -> usize {
        if let Some(&number) = self.numbers.get(label) {
            return number;
        }
        let next = self.names.len();
        self.numbers.insert(label.to_owned(), next);
        self.names.push(label.to_owned());
        next
    }

    /// The label with this number.
    pub(super) fn name(&self, number: usize) -> &str {
        &self.names[number]
    }

    /// The number of different labels.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The classes of the labels that are `used`.
    ///
    /// If every label is a number, they are sorted as numbers, and two ways to write one number
    /// are one class under the name that came first; otherwise they are sorted as text. A leading
    /// zero, as in a post code, makes them text. Numbers are compared digit by digit, so that
    /// labels of any length stay apart.
    pub(super) fn sorted(self, used: &[bool]) -> Classes {
        let mut labels: Vec<(usize, Option<Decimal>)> = (0..self.names.len())
            .filter(|&number| used[number])
            .map(|number| (number, Decimal::parse(&self.names[number])))
            .collect();
        let numeric = labels.iter().all(|(_, decimal)| decimal.is_some());
        if numeric {
            // Stable: of equal numbers, the one seen first stays first.
            labels.sort_by(|(_, a), (_, b)| a.cmp(b));
        } else {
            labels.sort_by(|(a, _), (b, _)| self.names[*a].cmp(&self.names[*b]));
        }
        let mut classes = Classes { names: Vec::new(), of_number: vec![0; used.len()], numeric };
        let mut last = None;
        for (number, decimal) in labels {
            if !numeric || last.as_ref() != Some(&decimal) {
                classes.names.push(self.names[number].clone());
            }
            classes.of_number[number] = classes.names.len() - 1;
            last = Some(decimal);
        }
        classes
    }
}

/// A decimal number of any length, exactly: 0.d₁d₂d₃… × 10^exponent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    exponent: i64,
    /// Without zeros at either end; empty for 0.
    digits: String,
}

impl Decimal {
    /// A number such as `-12.50` or `1e3`; `None` for other text and for codes such as `007`.
    fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_code = whole.len() > 1 && whole.starts_with('0');
        let all = || whole.bytes().chain(fraction.bytes());
        if is_code || all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let leading = digits.len() - significant.len();
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal { negative: false, exponent: 0, digits });
        }
        let exponent = i64::from(exponent) + whole.len() as i64 - leading as i64;
        Some(Decimal { negative: text.starts_with('-'), exponent, digits })
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        self.sign().cmp(&other.sign()).then_with(|| match self.sign() {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_digit_by_digit() {
        let sorted = [
            "-12.5",
            "-9",
            "-0.001",
            "0",
            "1e-3",
            "0.5",
            "9",
            "10",
            "9007199254740992",
            "9007199254740993",
            "1e30",
        ];
        let decimals: Vec<Decimal> = sorted.iter().map(|text| Decimal::parse(text).unwrap()).collect();
        assert!(decimals.is_sorted_by(|a, b| a < b), "{decimals:?}");
        for (a, b) in
            [("1", "1.0"), ("+1", "1e0"), ("-0", "0.00"), ("100", "1e2"), ("0.5", ".5"), ("5", "5.")]
        {
            assert_eq!(Decimal::parse(a), Decimal::parse(b), "{a} and {b}");
        }
        for text in ["", ".", "-", "x", "007", "1e", "1e99999999999", "inf", "1,5", "--1", "0x10"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
