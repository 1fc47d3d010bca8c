//! Loops over slices, split among threads.

use std::ops::Range;

use super::pool;

/// A pointer shared by threads that write to disjoint parts of its target.
pub(super) struct Apart<T>(pub T);

// SAFETY: every use gives each thread a disjoint part to write.
unsafe impl<T> Sync for Apart<T> {}

impl<T: Copy> Apart<T> {
    pub(super) fn get(&self) -> T {
        self.0
    }
}

/// Runs `pass` on ranges that partition `0..len`. Each thread gets at least `least` numbers.
pub(super) fn in_parts(len: usize, least: usize, pass: impl Fn(Range<usize>) + Sync) {
    let parts = if len < 2 * least { 1 } else { pool::threads().min(len / least) };
    if parts < 2 {
        return pass(0..len);
    }
    // Whole cache lines, except at the end.
    let border = move |part: usize| if part == parts { len } else { (len * part / parts) & !15 };
    pool::share(parts, move |part| pass(border(part)..border(part + 1)));
}

/// Runs a pass from `x` to `y` on such ranges.
pub(super) fn pass_in_parts<F: Send + Sync>(
    x: &[F],
    y: &mut [F],
    least: usize,
    pass: impl Fn(Range<usize>, &[F], &mut [F]) + Sync,
) {
    let start = Apart(y.as_mut_ptr());
    in_parts(x.len().min(y.len()), least, move |range| {
        // SAFETY: the parts do not overlap and lie inside `y`, which is borrowed until all parts
        // are done.
        let y = unsafe { std::slice::from_raw_parts_mut(start.get().add(range.start), range.len()) };
        pass(range.clone(), &x[range], y);
    });
}

/// Runs a pass that writes `a` and `b` on such ranges.
pub(super) fn pass_in_pairs<F: Send + Sync>(
    a: &mut [F],
    b: &mut [F],
    least: usize,
    pass: impl Fn(Range<usize>, &mut [F], &mut [F]) + Sync,
) {
    let starts = Apart([a.as_mut_ptr(), b.as_mut_ptr()]);
    in_parts(a.len().min(b.len()), least, move |range| {
        // SAFETY: the parts do not overlap and lie inside `a` and `b`, which are borrowed until all
        // parts are done.
        let [a, b] = starts
            .get()
            .map(|start| unsafe { std::slice::from_raw_parts_mut(start.add(range.start), range.len()) });
        pass(range, a, b);
    });
}
