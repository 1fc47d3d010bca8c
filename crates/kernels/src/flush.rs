//! Flushing of vanishing gradients to zero.
//!
//! Below 1.2e-38 an `f32` is *subnormal*, and products take up to a hundred times as long on many
//! processors. Gradients of a deep network get there after 40 layers of sigmoids, although such
//! values never change a weight. In training, gradients below [`LEAST`] are therefore set to 0 on
//! the way down; products of the remaining ones with weights, activations and learning rates are
//! normal numbers.
//!
//! Processors have modes for this (FTZ and DAZ on x86, FZ on ARM), but Rust assumes the default
//! floating-point environment: changing it is undefined behaviour.

use std::cell::Cell;

/// 2⁻¹⁰⁰, about 7.9e-31: 2²⁶ times the smallest normal `f32`.
pub(crate) const LEAST: f32 = f32::from_bits((127 - 100) << 23);

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// Runs `pass`. If `on`, gradients of activations below 2⁻¹⁰⁰ in magnitude become 0 meanwhile.
/// `f64` is never flushed.
pub fn flushing<T>(on: bool, pass: impl FnOnce() -> T) -> T {
    /// Restores the setting, also when `pass` panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ON.set(self.0);
        }
    }
    let _before = Before(ON.replace(on));
    pass()
}

/// Whether gradients are flushed now.
pub(super) fn is_on() -> bool {
    ON.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Function, slopes};

    /// `φ(x) = c x`.
    struct Scale(f64);

    impl<F: crate::Scalar> Function<F> for Scale {
        fn value(&self, x: F) -> F {
            F::of(self.0) * x
        }

        fn slope(&self, _x: F, _y: F) -> F {
            F::of(self.0)
        }
    }

    fn through(dy: &[f32], on: bool) -> Vec<f32> {
        let x = vec![-1.0; dy.len()];
        let mut dx = vec![f32::NAN; dy.len()];
        flushing(on, || slopes(&Scale(0.5), &x, &x, dy, &mut dx));
        dx
    }

    #[test]
    fn only_values_below_the_threshold_become_zero() {
        assert_eq!(LEAST, 2.0_f32.powi(-100));
        let below = f32::from_bits(LEAST.to_bits() - 1);
        let dy = [2.0 * LEAST, -2.0 * LEAST, 2.0 * below, -2.0 * below, 1e-44, 0.0, 3.0, f32::INFINITY];
        assert_eq!(through(&dy, true), [LEAST, -LEAST, 0.0, 0.0, 0.0, 0.0, 1.5, f32::INFINITY]);
        assert_eq!(through(&dy, false), dy.map(|dy| 0.5 * dy));
        assert!(through(&[f32::NAN], true)[0].is_nan());
        assert_eq!(
            2.0_f32.powi(-126) * std::hint::black_box(0.5),
            2.0_f32.powi(-127),
            "the floating-point environment must be the default one"
        );
    }

    #[test]
    fn double_precision_is_not_flushed() {
        let mut dx = [f64::NAN];
        flushing(true, || slopes(&Scale(1.0), &[1.0], &[1.0], &[1e-310], &mut dx));
        assert_eq!(dx, [1e-310]);
    }

    #[test]
    fn a_panic_restores_the_setting() {
        let panicked = std::panic::catch_unwind(|| flushing(true, || panic!("on purpose")));
        assert!(panicked.is_err() && !is_on());
    }
}
