//! Dates as numbers: days since 1970-01-01, with the time of day as a fraction.

use jiff::civil::{Date, DateTime};
use jiff::{Span, fmt::strtime};
use serde::{Deserialize, Serialize};

/// 1970-01-01.
const EPOCH: Date = Date::constant(1970, 1, 1);
const SECONDS_PER_DAY: f64 = 86_400.0;

/// Days since 1970-01-01 of a date or a date with a time, in ISO 8601 (`2024-02-29`, `2024-02-29
/// 13:30`, `2024-02-29T13:30:05`), or in `format`, with the letters of `strftime`.
pub(crate) fn parse(text: &str, format: Option<&str>) -> Option<f64> {
    // Cheaper than a parser that fails on every text.
    if format.is_none() && (text.len() < 8 || !text.starts_with(|c: char| c.is_ascii_digit())) {
        return None;
    }
    let datetime: DateTime = match format {
        Some(format) => {
            let time = strtime::parse(format, text).ok()?;
            time.to_datetime().or_else(|_| time.to_date().map(DateTime::from)).ok()?
        }
        None if text.contains('-') => text.parse().ok()?,
        None => return None,
    };
    let days = (datetime.date() - EPOCH).get_days();
    let time = datetime.time();
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    let seconds = f64::from(hour) * 3600.0 + f64::from(minute) * 60.0 + f64::from(second);
    Some(f64::from(days) + seconds / SECONDS_PER_DAY)
}

/// A day as text, `2024-02-29`, for reports.
pub(crate) fn display(days: f64) -> String {
    date(days).to_string()
}

/// The calendar day of a day number, within the years −9999 to 9999.
fn date(days: f64) -> Date {
    // The cast saturates, and the span and the sum are checked.
    let span = Span::new().try_days(days.floor() as i64);
    span.and_then(|span| EPOCH.checked_add(span)).unwrap_or(EPOCH)
}

/// A number that is derived from a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// Days since 1970-01-01, with the time of day as a fraction.
    Day,
    /// 1 to 12.
    Month,
    /// 1 to 31.
    DayOfMonth,
    /// 1 (Monday) to 7.
    Weekday,
    /// 0 to 24, with a fraction.
    Hour,
}

impl Part {
    pub const ALL: [Part; 5] = [Part::Day, Part::Month, Part::DayOfMonth, Part::Weekday, Part::Hour];

    pub fn name(self) -> &'static str {
        match self {
            Part::Day => "day",
            Part::Month => "month",
            Part::DayOfMonth => "day of month",
            Part::Weekday => "weekday",
            Part::Hour => "hour",
        }
    }

    /// The part of a day number; NaN for a missing one.
    pub fn of(self, days: f64) -> f64 {
        if days.is_nan() {
            return days;
        }
        match self {
            Part::Day => days,
            Part::Month => f64::from(date(days).month()),
            Part::DayOfMonth => f64::from(date(days).day()),
            Part::Weekday => f64::from(date(days).weekday().to_monday_one_offset()),
            // Seconds are whole: rounding removes the error of the fraction.
            Part::Hour => ((days - days.floor()) * SECONDS_PER_DAY).round() / 3600.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_dates_and_times_are_days() {
        assert_eq!(parse("1970-01-01", None), Some(0.0));
        assert_eq!(parse("2024-02-29", None), Some(19_782.0));
        assert_eq!(parse("2024-02-29 12:00", None), Some(19_782.5));
        assert_eq!(parse("2024-02-29T18:00:00", None), Some(19_782.75));
        assert_eq!(parse("29.02.2024", Some("%d.%m.%Y")), Some(19_782.0));
        for text in ["2023-02-29", "12", "12-13", "2024", "hello-world", "20240229", "1/2/2024"] {
            assert_eq!(parse(text, None), None, "{text}");
        }
    }

    #[test]
    fn parts_of_a_date() {
        let days = parse("2024-02-29 13:30:00", None).unwrap();
        let parts = [Part::Month, Part::DayOfMonth, Part::Weekday, Part::Hour].map(|part| part.of(days));
        assert_eq!(parts, [2.0, 29.0, 4.0, 13.5]);
        assert_eq!(display(days), "2024-02-29");
        assert_eq!(display(f64::MAX), "1970-01-01");
        assert!(Part::Month.of(f64::NAN).is_nan());
    }
}
