//! Vectors aligned to cache lines.

use std::ops::{Deref, DerefMut};

use ndarray::{Array1, Axis};

use crate::Scalar;
use geartrain_kernels::LINE;

/// A vector whose first number starts a cache line, so that aligned rows are read from one line and
/// threads that write different rows seldom share one. It dereferences to a slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Flat<F>(Array1<F>);

impl<F: Scalar> Flat<F> {
    /// An empty vector without memory.
    pub(crate) fn new() -> Self {
        Flat(Array1::zeros(0))
    }

    /// Sets the length to `len`. The numbers are arbitrary until they are written.
    pub(crate) fn resize(&mut self, len: usize) {
        if self.0.len() != len {
            self.0 = aligned(std::mem::replace(self, Flat::new()).0.into_raw_vec_and_offset().0, len);
        }
    }
}

impl<F: Scalar> From<&[F]> for Flat<F> {
    fn from(values: &[F]) -> Self {
        let mut flat = Flat(aligned(Vec::new(), values.len()));
        flat.copy_from_slice(values);
        flat
    }
}

impl<F: Scalar> Deref for Flat<F> {
    type Target = [F];

    fn deref(&self) -> &[F] {
        self.0.as_slice().expect("one number after the other")
    }
}

impl<F: Scalar> DerefMut for Flat<F> {
    fn deref_mut(&mut self) -> &mut [F] {
        self.0.as_slice_mut().expect("one number after the other")
    }
}

/// `len` aligned numbers of arbitrary value in `memory`, which grows if it is too small.
pub(crate) fn aligned<F: Scalar>(mut memory: Vec<F>, len: usize) -> Array1<F> {
    let spare = LINE / size_of::<F>() - 1;
    if memory.len() < len + spare {
        memory.resize(len + spare, F::zero());
    }
    let first = memory.as_ptr().align_offset(LINE).min(spare);
    let mut entries = Array1::from_vec(memory);
    entries.slice_axis_inplace(Axis(0), (first..first + len).into());
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_a_line_and_keeps_its_memory() {
        let mut flat = Flat::<f32>::from(&[1.0, 2.0, 3.0][..]);
        assert_eq!(*flat, [1.0, 2.0, 3.0]);
        for len in [100, 7, 1000, 1, 999] {
            flat.resize(len);
            assert_eq!((flat.len(), flat.as_ptr().align_offset(LINE)), (len, 0));
        }
        let start = flat.as_ptr();
        flat.resize(10);
        assert_eq!(flat.as_ptr(), start);
    }
}
