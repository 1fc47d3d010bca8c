//! Numbers as people write them: few digits, a decimal point everywhere.

/// `x` with at most `digits` significant digits: `49`, `0.1966`, `1.2e-13`, `inf`, `NaN`.
pub(super) fn brief(x: f64, digits: usize) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    if !x.is_finite() {
        return x.to_string();
    }
    // Rounding first: 9.9999 is 10 with three digits, one place longer than its logarithm says.
    let scientific = format!("{x:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("{:e} always writes an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} writes a whole exponent");
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

#[cfg(test)]
mod tests {
    use super::brief;

    #[test]
    fn few_digits() {
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
}
