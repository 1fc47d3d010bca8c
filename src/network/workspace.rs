//! Memory for training passes.

use super::slices::SliceResult;
use super::{row_parts, slices};
use crate::Scalar;
use crate::cache::{Buffer, Cache};
use crate::flat::Flat;
use crate::pace::Pace;

/// Reusable memory for training passes: the caches of all layers, the output, and the gradients.
#[derive(Debug, Clone)]
pub struct Workspace<F> {
    pub(super) cache: Cache<F>,
    pub(super) output: Buffer<F>,
    pub(super) doutput: Buffer<F>,
    /// The changes of the input, of the output and of `doutput` along a direction.
    pub(super) changes: [Buffer<F>; 3],
    /// The seed of the randomness in the next passes, initially 0. Passes with equal keys have
    /// equal `Dropout` masks; `fit` sets a new key for every step, derived from its seed.
    pub key: u64,
    /// The gradient of the loss in every parameter, from the last pass.
    pub grads: Flat<F>,
    /// The running statistics before the last update.
    pub(super) statistics: Vec<F>,
    pub(super) flush: bool,
    /// Whether the last pass ended without an error.
    pub(super) has_passed: bool,
    pub(super) slices: slices::Memory<F>,
    pub(super) row_parts: row_parts::Memory<F>,
    pub(crate) pace: Pace,
}

impl<F: Scalar> Default for Workspace<F> {
    fn default() -> Self {
        Workspace::new()
    }
}

impl<F: Scalar> Workspace<F> {
    /// A workspace without memory, which the first pass allocates.
    pub fn new() -> Self {
        Workspace {
            cache: Cache::new(),
            output: Buffer::default(),
            doutput: Buffer::default(),
            changes: Default::default(),
            key: 0,
            grads: Flat::new(),
            statistics: Vec::new(),
            flush: true,
            has_passed: false,
            slices: slices::Memory::default(),
            row_parts: row_parts::Memory::default(),
            pace: Pace::default(),
        }
    }

    /// Whether to set vanishing gradients to 0 before they become subnormal numbers, with which
    /// many processors compute up to a hundred times slower. Default: `true`. In an `f32` network
    /// the gradient behind an activation is then 0 where it would be below 2⁻¹⁰⁰, 7.9e-31. `f64`
    /// networks are not affected.
    pub fn flush_subnormals(mut self, flush: bool) -> Self {
        self.flush = flush;
        self
    }

    /// The results of the last [`slice_gradients`](super::Network::slice_gradients), one for each
    /// slice.
    pub fn slice_results(&mut self) -> impl Iterator<Item = &mut SliceResult<F>> {
        self.slices.results()
    }
}
