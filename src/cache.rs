//! Reusable memory for what a pass saves.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::Scalar;
use crate::flat::aligned;

/// A matrix that keeps its memory between passes; the memory only grows.
#[derive(Debug, Clone)]
pub struct Buffer<F>(Array2<F>);

impl<F: Scalar> Default for Buffer<F> {
    fn default() -> Self {
        Buffer(Array2::zeros((0, 0)))
    }
}

impl<F: Scalar> Buffer<F> {
    /// Makes this a `rows × columns` matrix and lends it. Its entries are left over from earlier
    /// passes: write them all.
    pub fn resize(&mut self, rows: usize, columns: usize) -> ArrayViewMut2<'_, F> {
        if self.0.dim() != (rows, columns) {
            let (memory, _) = std::mem::take(self).0.into_raw_vec_and_offset();
            let entries = aligned(memory, rows * columns).into_shape_with_order((rows, columns));
            self.0 = entries.expect("as many entries");
        }
        self.view_mut()
    }

    /// The matrix in its current size.
    pub fn view(&self) -> ArrayView2<'_, F> {
        self.0.view()
    }

    /// The matrix in its current size, mutably.
    pub fn view_mut(&mut self) -> ArrayViewMut2<'_, F> {
        self.0.view_mut()
    }
}

/// Everything that a layer keeps from its forward pass for its backward pass, beyond its own input
/// and output.
///
/// A cache starts empty and takes the form that its layer requests in [`parts`](Cache::parts): some
/// buffers, and a cache for each layer inside. One cache serves one pass at a time; a second thread
/// has a second cache.
#[derive(Debug, Clone, Default)]
pub struct Cache<F> {
    buffers: Vec<Buffer<F>>,
    children: Vec<Cache<F>>,
}

impl<F: Scalar> Cache<F> {
    /// An empty cache.
    pub fn new() -> Self {
        Cache { buffers: Vec::new(), children: Vec::new() }
    }

    /// The first `buffers` buffers and the caches of the first `children` layers inside; new ones
    /// are empty.
    pub fn parts(&mut self, buffers: usize, children: usize) -> (&mut [Buffer<F>], &mut [Cache<F>]) {
        if self.buffers.len() < buffers {
            self.buffers.resize_with(buffers, Buffer::default);
        }
        if self.children.len() < children {
            self.children.resize_with(children, Cache::new);
        }
        (&mut self.buffers[..buffers], &mut self.children[..children])
    }
}
