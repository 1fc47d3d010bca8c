//! Random numbers as pure functions, without state and so without an order in which they must be
//! drawn; and normal numbers that are the same on every machine.

use rand::{Rng, RngCore};
use rand_distr::{Distribution, StandardNormal};

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

/// A standard normal number, the same on every machine.
///
/// `rand_distr` draws it by the ziggurat method (Doornik 2005). Only numbers beyond [`TAIL`] are
/// computed with a logarithm, which there comes from the system: they are computed again here.
pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
    let mut recorder = Recorder { rng, last: [0; 2] };
    let number: f64 = StandardNormal.sample(&mut recorder);
    if number.abs() <= TAIL {
        return number;
    }
    // The tail starts at TAIL and decays as e^(−TAIL x), with x from the last draw but one.
    let uniform = f64::from_bits(recorder.last[0] >> 12 | 1.0_f64.to_bits()) - (1.0 - f64::EPSILON / 2.0);
    (TAIL - libm::log(uniform) / TAIL).copysign(number)
}

/// Where the tail of the ziggurat starts, `ZIG_NORM_R`.
const TAIL: f64 = 3.654_152_885_361_009;

/// A generator that keeps its last two draws.
struct Recorder<'a, R> {
    rng: &'a mut R,
    last: [u64; 2],
}

impl<R: Rng> RngCore for Recorder<'_, R> {
    fn next_u32(&mut self) -> u32 {
        self.rng.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.last = [self.last[1], self.rng.next_u64()];
        self.last[1]
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn normal_numbers_are_those_of_rand_distr() {
        let start = || ChaCha8Rng::seed_from_u64(1);
        let (mut ours, mut theirs, mut beyond) = (start(), start(), 0);
        for _ in 0..200_000 {
            let (number, expected): (f64, f64) = (normal(&mut ours), StandardNormal.sample(&mut theirs));
            // The last bit of a logarithm differs among mathematics libraries.
            assert!((number - expected).abs() <= f64::EPSILON * TAIL, "{number} instead of {expected}");
            beyond += usize::from(number.abs() > TAIL);
        }
        assert_eq!(ours, theirs);
        // The probability of the tail is 2.6e-4.
        assert!((20..100).contains(&beyond), "{beyond} numbers beyond {TAIL}");
    }

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
