//! Plain decimal numbers, eight characters at a time.

/// The number at `text[start..end]`, such as `-12.50`, and whether it is whole: the result of
/// `f64::from_str` in a fraction of the time. `None` for most numbers of more than 19 digits, for
/// other texts, and near the start of `text`.
///
/// Bytes before the number are read, so that no branch depends on the length of a short one, which
/// a processor could not predict.
#[inline]
pub(super) fn decimal(text: &[u8], start: usize, end: usize) -> Option<(f64, bool)> {
    let negative = *text[start..end].first()? == b'-';
    let length = end - start - usize::from(negative);
    let Digits { number, decimals, point } = match length {
        1..=8 => Digits::read(&text[..end], length)?,
        _ => Digits::read_long(&text[..end], length)?,
    };
    if point && length == 1 {
        return None;
    }
    let size = quotient(number, decimals);
    Some((f64::from_bits(size.to_bits() | (u64::from(negative) << 63)), !point))
}

/// Successive digits of a number, and perhaps its decimal point.
struct Digits {
    number: u64,
    /// Digits behind the point.
    decimals: usize,
    point: bool,
}

impl Digits {
    /// From the last 1 to 8 bytes of `text`.
    #[inline]
    fn read(text: &[u8], length: usize) -> Option<Self> {
        const LOW: u64 = 0x00ff_00ff_00ff_00ff;
        // The last digit in the lowest byte.
        let mut digits = u64::from_be_bytes(*text.last_chunk()?) ^ each(b'0');
        digits &= u64::MAX >> (64 - 8 * length);
        // The highest bit of a byte, for the last point and perhaps for bytes before it.
        let others = digits ^ each(b'.' ^ b'0');
        let points = others.wrapping_sub(each(1)) & !others & each(0x80);
        let mut decimals = 0;
        if points != 0 {
            decimals = points.trailing_zeros() as usize / 8;
            let behind = (1 << (8 * decimals)) - 1;
            digits = (digits & behind) | ((digits >> 8) & !behind);
        }
        // 0x76 + 10 = 0x80
        if (digits.wrapping_add(each(0x76)) | digits) & each(0x80) != 0 {
            return None;
        }
        let pairs = ((digits >> 8) & LOW) * 10 + (digits & LOW);
        let fours = ((pairs >> 16) & 0xffff_0000_ffff) * 100 + (pairs & 0xffff_0000_ffff);
        let number = (fours >> 32) * 10_000 + (fours & 0xffff_ffff);
        Some(Digits { number, decimals, point: points != 0 })
    }

    /// From the last 9 to 20 bytes of `text`.
    fn read_long(text: &[u8], length: usize) -> Option<Self> {
        let (rest, last) = text.split_at_checked(text.len().wrapping_sub(8))?;
        let rest = match length {
            9..=16 => Digits::read(rest, length - 8)?,
            17..=20 => Digits::read_long(rest, length - 8)?,
            _ => return None,
        };
        let Digits { number, decimals, point } = Digits::read(last, 8)?;
        let scale = if point { 10_000_000 } else { 100_000_000 };
        Some(Digits {
            number: rest.number.checked_mul(scale)?.checked_add(number)?,
            decimals: if rest.point { rest.decimals + 8 } else { decimals },
            point: rest.point || point,
        })
        .filter(|_| !(rest.point && point))
    }
}

/// `number` / 10^`decimals`, at most 19, rounded once.
#[inline]
fn quotient(number: u64, decimals: usize) -> f64 {
    const POWERS: [(u64, f64); 20] = {
        let mut powers = [(1, 1.0); 20];
        let mut i = 1;
        while i < 20 {
            let power = 10 * powers[i - 1].0;
            powers[i] = (power, power as f64);
            i += 1;
        }
        powers
    };
    let (power, exact) = POWERS[decimals];
    // Numbers below 2⁵³ and powers of ten to 10²² are exact in `f64`, so the division rounds once
    // (W. D. Clinger, *How to read floating point numbers accurately*, 1990).
    if number < 1 << f64::MANTISSA_DIGITS {
        return number as i64 as f64 / exact;
    }
    // A quotient of at least 62 bits rounds like the exact one if a remainder sets its last bit.
    let (left, right) = (number.leading_zeros(), power.leading_zeros());
    let (dividend, divisor) = (u128::from(number << left) << 63, u128::from(power << right));
    let bits = dividend / divisor;
    let rest = u64::from(bits * divisor != dividend);
    let exponent = u64::from(1023 + right - left - 63);
    (bits as u64 | rest) as f64 * f64::from_bits(exponent << (f64::MANTISSA_DIGITS - 1))
}

/// A byte in each of 8 places.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number in `text` behind other cells.
    fn number(text: &[u8]) -> Option<f64> {
        let number = |cells: &[u8]| {
            let (number, whole) = decimal(&[cells, text].concat(), cells.len(), cells.len() + text.len())?;
            assert_eq!(whole, !text.contains(&b'.'));
            Some(number.to_bits())
        };
        let bits = number(b"9,9.99,99999999999999,-");
        assert_eq!(number(b"-.-.-.-.-.-.-.-.-.-.-.-.,"), bits, "{}", text.escape_ascii());
        assert!([None, bits].contains(&number(b"")), "{}", text.escape_ascii());
        bits.map(f64::from_bits)
    }

    #[test]
    fn decimals_are_rounded_like_any_number() {
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
            "0.00000000000001",
            "1234567.12345678",
            ".123456789012345",
            "00.70",
            "-0.0",
            "-1234567890123.45",
            // 2⁵³ and its neighbours; the second lies between two numbers.
            "9007199254740992",
            "9007199254740993",
            "9007199254740994",
            "4503599627370496.5",
            "4503599627370497.5",
            "-9007199254740993.000",
            "9007199254740993.001",
            "18446744073709551615",
            "922337203685477580.7",
            "0.000000000000000001",
            ".0000000000000000001",
            "0.123456789012345678",
            "9.999999999999999999",
            "0000000000000000.125",
        ];
        for text in texts {
            let expected: f64 = text.parse().unwrap();
            let number = number(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(number.to_bits(), expected.to_bits(), "{text}");
        }
        let others =
            ["", "-", ".", "-.", "1.2.3", "..", "1..", "+1", "1e3", "é", "1.2345678.", ".2345678901.3"];
        for text in others.into_iter().chain(["18446744073709551616", "123456789012345678901"]) {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
        for i in 0..200_000_u64 {
            // Every number of digits and every place of the point.
            let mut text = (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (i % 61)).to_string();
            text.truncate(19);
            text.insert(i as usize / 61 % (text.len() + 1), '.');
            let expected: f64 = text.parse().unwrap();
            assert_eq!(number(text.as_bytes()).map(f64::to_bits), Some(expected.to_bits()), "{text}");
        }
    }

    #[test]
    fn a_decimal_has_digits_and_a_point_only() {
        // Any byte at any place of a text of any length.
        for length in 1..=20 {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut text = b"12345678901234567890"[20 - length..].to_vec();
                    text[place] = byte;
                    let expected = str::from_utf8(&text).ok().filter(|text| {
                        let unsigned = text.strip_prefix('-').unwrap_or(text);
                        unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
                    });
                    let expected: Option<f64> = expected.and_then(|text| text.parse().ok());
                    // 20 digits may exceed 64 bits.
                    let expected = expected.filter(|number| *number < 2f64.powi(64));
                    assert_eq!(number(&text), expected, "{}", text.escape_ascii());
                }
            }
        }
    }
}
