//! The approximation of the inverse Hessian.

use std::collections::VecDeque;

use super::dot;
use crate::Scalar;

/// The last differences of iterates (s) and of gradients (y), the newest at the back.
pub(super) struct Corrections<F> {
    memory: usize,
    pairs: VecDeque<Pair<F>>,
    /// The memory of the next pair.
    spare: (Vec<F>, Vec<F>),
}

struct Pair<F> {
    s: Vec<F>,
    y: Vec<F>,
    /// s · y.
    sy: f64,
    /// y · y.
    yy: f64,
}

impl<F: Scalar> Corrections<F> {
    /// Keeps up to `memory` pairs.
    pub fn new(memory: usize) -> Self {
        Corrections { memory, pairs: VecDeque::new(), spare: Default::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Appends the differences of an iteration, in the memory of the oldest. A pair without
    /// positive curvature would make H indefinite, and is left out.
    pub fn push(&mut self, x: &[F], last_x: &[F], gradient: &[F], last_gradient: &[F]) {
        let (s, y) = &mut self.spare;
        difference(x, last_x, s);
        difference(gradient, last_gradient, y);
        let (sy, yy) = (dot(s, y), dot(y, y));
        if sy > f64::EPSILON * -dot(s, last_gradient) {
            let (s, y) = std::mem::take(&mut self.spare);
            if self.pairs.len() == self.memory
                && let Some(oldest) = self.pairs.pop_front()
            {
                self.spare = (oldest.s, oldest.y);
            }
            self.pairs.push_back(Pair { s, y, sy, yy });
        }
    }

    /// `v ← H v`, by the two loops of Nocedal (1980):
    ///
    /// ```text
    /// newest to oldest:  a_k = s_k·v / s_k·y_k,  v ← v − a_k y_k
    /// v ← (s·y / y·y) v with the newest pair
    /// oldest to newest:  b = y_k·v / s_k·y_k,  v ← v + (a_k − b) s_k
    /// ```
    pub fn multiply(&self, v: &mut [F]) {
        let mut shares = Vec::with_capacity(self.pairs.len());
        for Pair { s, y, sy, .. } in self.pairs.iter().rev() {
            let share = dot(s, v) / sy;
            add(v, -share, y);
            shares.push(share);
        }
        if let Some(Pair { sy, yy, .. }) = self.pairs.back() {
            let scale = F::of(sy / yy);
            v.iter_mut().for_each(|v| *v *= scale);
        }
        for (Pair { s, y, sy, .. }, share) in self.pairs.iter().zip(shares.iter().rev()) {
            add(v, share - dot(y, v) / sy, s);
        }
    }
}

fn difference<F: Scalar>(new: &[F], old: &[F], into: &mut Vec<F>) {
    into.clear();
    into.extend(new.iter().zip(old).map(|(&new, &old)| new - old));
}

/// `v ← v + factor · w`.
fn add<F: Scalar>(v: &mut [F], factor: f64, w: &[F]) {
    let factor = F::of(factor);
    v.iter_mut().zip(w).for_each(|(v, &w)| *v += factor * w);
}
