//! Optimizer updates: one pass over weights, gradients and optimizer state.

use super::dispatch::{Isa, Work, dispatch};
use super::share::{Apart, in_parts};
use crate::Scalar;

/// The least number of weights of a thread in [`update`], worth a hand-over: a few microseconds of
/// work. With fewer than twice as many, one thread does all.
pub const UPDATES_PER_THREAD: usize = 16_384;

/// `(w, state) = rule(w, g, state)` for every weight, its gradient and its entries in the `S`
/// vectors of state.
///
/// # Panics
/// If the slices differ in length.
pub fn update<F: Scalar, const S: usize>(
    weights: &mut [F],
    grads: &[F],
    state: [&mut [F]; S],
    rule: impl Fn(F, F, [F; S]) -> (F, [F; S]) + Copy + Sync,
) {
    let len = weights.len();
    assert!(
        grads.len() == len && state.iter().all(|state| state.len() == len),
        "weights, gradients and state must have the same length"
    );
    let start = Apart((weights.as_mut_ptr(), state.map(<[F]>::as_mut_ptr)));
    in_parts(len, UPDATES_PER_THREAD, move |range| {
        let (weights, state) = start.get();
        // SAFETY: the parts lie inside the slices, which are borrowed until all parts are done, and
        // do not overlap.
        let part =
            |start: *mut F| unsafe { std::slice::from_raw_parts_mut(start.add(range.start), range.len()) };
        let (weights, state) = (part(weights), state.map(part));
        dispatch(Update { weights, grads: &grads[range.clone()], state, rule });
    });
}

struct Update<'a, F, T, const S: usize> {
    weights: &'a mut [F],
    grads: &'a [F],
    state: [&'a mut [F]; S],
    rule: T,
}

impl<F: Scalar, T: Fn(F, F, [F; S]) -> (F, [F; S]), const S: usize> Work for Update<'_, F, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Update { weights, grads, mut state, rule } = self;
        let len = weights.len();
        // Slicing to one length here removes the bounds checks in the loop.
        let grads = &grads[..len];
        for vector in &mut state {
            *vector = &mut std::mem::take(vector)[..len];
        }
        for i in 0..len {
            let mut remembered = [F::zero(); S];
            for j in 0..S {
                remembered[j] = state[j][i];
            }
            (weights[i], remembered) = rule(weights[i], grads[i], remembered);
            for j in 0..S {
                state[j][i] = remembered[j];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::with_threads;

    #[test]
    fn every_weight_once_for_any_number_of_threads() {
        for len in [0, 1, 7, 1000, 5 * UPDATES_PER_THREAD + 3] {
            for threads in [1, 2, 3, 8] {
                let grads: Vec<f32> = (0..len).map(|i| i as f32).collect();
                let (mut weights, mut sums, mut counts) = (vec![1.0; len], grads.clone(), vec![0.0; len]);
                with_threads(threads, || {
                    let state = [sums.as_mut_slice(), counts.as_mut_slice()];
                    update(&mut weights, &grads, state, |w, g, [sum, count]| (w - g, [sum + g, count + 1.0]));
                });
                assert!((0..len).all(|i| weights[i] == 1.0 - grads[i] && sums[i] == 2.0 * grads[i]), "{len}");
                assert!(counts.iter().all(|&count| count == 1.0));
            }
        }
    }
}
