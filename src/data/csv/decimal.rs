//! Short decimal numbers, sixteen characters at a time.

/// A number such as `-12.50` with at most 16 characters and no exponent: the result of
/// `f64::from_str` in a fraction of the time. `None` for other texts.
///
/// No branch depends on sign or digits, which a processor could not predict. Digits below 2⁵³ and
/// powers of ten to 10²² are exact in `f64`, so the division rounds once (W. D. Clinger, *How to
/// read floating point numbers accurately*, 1990).
pub(super) fn short_decimal(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let negative = text.starts_with(b"-");
    let text = &text[usize::from(negative)..];
    let length = text.len();
    let mut digits = joined(text)? ^ zeros(length);
    // The highest bit of a byte, for the last point and perhaps for bytes before it.
    let others = digits ^ each(b'.' ^ b'0');
    let points = others.wrapping_sub(each(1)) & !others & each(0x80);
    let mut decimals = 0;
    if points != 0 {
        decimals = points.trailing_zeros() as usize / 8;
        let behind = (1 << (8 * decimals)) - 1;
        digits = (digits & behind) | ((digits >> 8) & !behind);
    }
    if other_than_digits(digits) != 0 || (points != 0 && length == 1) {
        return None;
    }
    let number = eight_digits((digits >> 64) as u64) * 100_000_000 + eight_digits(digits as u64);
    let size = number as f64 / POWERS[decimals];
    let sign = u64::from(negative) << 63;
    (number < 1 << f64::MANTISSA_DIGITS).then(|| f64::from_bits(size.to_bits() | sign))
}

/// Whether `text` is 1 to 16 digits.
pub(super) fn are_digits(text: &[u8]) -> bool {
    joined(text).is_some_and(|characters| other_than_digits(characters ^ zeros(text.len())) == 0)
}

/// A byte in each of 16 places.
const fn each(byte: u8) -> u128 {
    u128::from_ne_bytes([byte; 16])
}

/// The character `0` in the lowest `length` bytes, 1 to 16.
fn zeros(length: usize) -> u128 {
    each(b'0') & (u128::MAX >> (8 * (16 - length)))
}

/// 1 to 16 characters, the last in the lowest byte.
fn joined(text: &[u8]) -> Option<u128> {
    // First and last characters may overlap.
    let overlay = |first: u128, last: u128, size: usize| (first << (8 * (text.len() - size))) | last;
    match text.len() {
        8..=16 => {
            let (first, last) = (text.first_chunk()?, text.last_chunk()?);
            Some(overlay(u64::from_be_bytes(*first).into(), u64::from_be_bytes(*last).into(), 8))
        }
        4..=7 => {
            let (first, last) = (text.first_chunk()?, text.last_chunk()?);
            Some(overlay(u32::from_be_bytes(*first).into(), u32::from_be_bytes(*last).into(), 4))
        }
        1..=3 => Some(text.iter().fold(0, |characters, &byte| (characters << 8) | u128::from(byte))),
        _ => None,
    }
}

/// The highest bit of each byte above 9. A byte whose lower neighbour has it may have it as well.
fn other_than_digits(digits: u128) -> u128 {
    // 0x76 + 10 = 0x80
    (digits.wrapping_add(each(0x76)) | digits) & each(0x80)
}

/// The number of eight decimal digits, the last in the lowest byte.
fn eight_digits(digits: u64) -> u64 {
    let pairs = ((digits >> 8) & 0x00ff_00ff_00ff_00ff) * 10 + (digits & 0x00ff_00ff_00ff_00ff);
    let fours = ((pairs >> 16) & 0x0000_ffff_0000_ffff) * 100 + (pairs & 0x0000_ffff_0000_ffff);
    (fours >> 32) * 10_000 + (fours & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_decimals_are_rounded_like_any_number() {
        let texts = [
            "0",
            "-0",
            "7",
            "-12.50",
            ".5",
            "5.",
            "-.5",
            "0.1",
            "0.3",
            "123456.789012",
            "9007199254740991",
            "0.00000000000001",
            "1234567.12345678",
            ".123456789012345",
            "00.70",
            "-0.0",
            "-1234567890123.45",
        ];
        for text in texts {
            let expected: f64 = text.parse().unwrap();
            let number = short_decimal(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(number.to_bits(), expected.to_bits(), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "-.",
            "1.2.3",
            "..",
            "1..",
            "+1",
            "1e3",
            "9007199254740993",
            "12345678901234567",
            "é",
        ] {
            assert_eq!(short_decimal(text.as_bytes()), None, "{text}");
        }
        for i in 0..100_000_u64 {
            let text = format!("{}.{:07}", i * i % 977, i);
            assert_eq!(short_decimal(text.as_bytes()).map(f64::to_bits), text.parse().ok().map(f64::to_bits));
        }
    }

    #[test]
    fn a_short_decimal_has_digits_and_a_point_only() {
        // Any byte at any place of a text of any length.
        for length in 1..=16 {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut text = b"1234567890123456"[..length].to_vec();
                    text[place] = byte;
                    let expected = str::from_utf8(&text).ok().filter(|text| {
                        let unsigned = text.strip_prefix('-').unwrap_or(text);
                        unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
                    });
                    let expected = expected.and_then(|text| text.parse().ok());
                    let expected = expected.filter(|number: &f64| number.abs() < 2f64.powi(53));
                    assert_eq!(short_decimal(&text), expected, "{}", text.escape_ascii());
                }
            }
        }
    }
}
