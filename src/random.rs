//! Random numbers as pure functions: no state, so no order in which they must be drawn.

/// The odd number nearest to 2⁶⁴ / golden ratio, the step of SplitMix64.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// 64 random bits that depend on `key` and `index` alone: entry `index` of the SplitMix64 sequence
/// (Steele, Lea and Flood 2014) that starts at a scrambled `key`, so that the sequences of
/// neighbouring keys do not overlap.
#[inline]
pub(crate) fn mix(key: u64, index: u64) -> u64 {
    scramble(scramble(key.wrapping_add(GOLDEN)).wrapping_add(GOLDEN.wrapping_mul(index.wrapping_add(1))))
}

/// A hash of the numbers' bits, in order.
pub(crate) fn hash(values: impl Iterator<Item = f64>) -> u64 {
    values.fold(0, |hash, value| mix(hash, value.to_bits()))
}

/// The finalizer of SplitMix64, a bijection: every bit of `z` changes about half of the bits.
#[inline]
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The first numbers of the reference implementation from the state 1234567.
        let state = 1_234_567_u64;
        let sequence = [1, 2, 3].map(|i: u64| scramble(state.wrapping_add(GOLDEN.wrapping_mul(i))));
        assert_eq!(
            sequence,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn neighbouring_keys_and_indices_have_nothing_in_common() {
        let mut seen = std::collections::HashSet::new();
        for key in (0..100).chain(u64::MAX - 99..=u64::MAX) {
            assert!((0..100).all(|index| seen.insert(mix(key, index))));
        }
        let ones: u32 = seen.iter().map(|bits| bits.count_ones()).sum();
        let mean = f64::from(ones) / seen.len() as f64;
        // 20,000 draws of 64 bits: the mean number of ones is 32 with a standard error of 4 /
        // √20,000 = 0.028.
        assert!((mean - 32.0).abs() < 0.15, "{mean}");
    }
}
