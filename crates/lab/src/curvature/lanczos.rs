//! The Lanczos method for symmetric matrices that are given by products with vectors.

use ndarray::ArrayView1;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::numbers::norm;

/// Orthonormal vectors q_1, q_2, … with `A q_j = β_(j−1) q_(j−1) + α_j q_j + β_j q_(j+1)`, so that
/// the matrix A is tridiagonal in their basis (Golub and Van Loan, chapter 10).
#[derive(Debug, Clone)]
pub(crate) struct Lanczos {
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    below: Vec<f64>,
    /// The next vector, not yet multiplied.
    next: Option<Vec<f64>>,
}

/// An approximate eigenpair of A.
#[derive(Debug, Clone)]
pub(crate) struct Ritz {
    pub value: f64,
    /// The squared component of its vector along the starting vector.
    pub weight: f64,
    /// `|A u − value · u|`: an eigenvalue of A is at most so far away.
    pub residual: f64,
    /// The unit vector u in the basis.
    coefficients: Vec<f64>,
}

impl Lanczos {
    /// Starts with the direction of `start`, which must not be 0.
    pub fn new(start: &[f64]) -> Self {
        let length = norm(start);
        let first = start.iter().map(|v| v / length).collect();
        Lanczos { basis: Vec::new(), diagonal: Vec::new(), below: Vec::new(), next: Some(first) }
    }

    /// The number of products so far.
    pub fn len(&self) -> usize {
        self.basis.len()
    }

    /// One step, with one product `A q`. `None` when the basis spans the whole space. If the basis
    /// spans an invariant subspace, it continues with a random vector, so that equal eigenvalues
    /// are found as often as they occur.
    pub fn step<E>(
        &mut self,
        rng: &mut ChaCha8Rng,
        product: impl FnOnce(&[f64]) -> Result<Vec<f64>, E>,
    ) -> Result<Option<()>, E> {
        let Some(vector) = self.next.take() else { return Ok(None) };
        let mut rest = product(&vector)?;
        let scale = norm(&rest);
        self.diagonal.push(dot(&vector, &rest));
        self.basis.push(vector);
        self.orthogonalise(&mut rest);
        let mut length = norm(&rest);
        let mut coupling = length;
        if length <= 1e-13 * scale || !length.is_normal() {
            coupling = 0.0;
            rest.iter_mut().for_each(|r| *r = StandardNormal.sample(rng));
            self.orthogonalise(&mut rest);
            length = norm(&rest);
        }
        self.below.push(coupling);
        if self.basis.len() < rest.len() {
            rest.iter_mut().for_each(|r| *r /= length);
            self.next = Some(rest);
        }
        Ok(Some(()))
    }

    /// Subtracts the components along the basis. The last two are the only large ones, so that
    /// rounding leaves none of the others when these are subtracted first.
    fn orthogonalise(&self, vector: &mut [f64]) {
        for q in self.basis.iter().rev().take(2).chain(&self.basis) {
            let overlap = dot(q, vector);
            vector.iter_mut().zip(q).for_each(|(v, q)| *v -= overlap * q);
        }
    }

    /// The eigenpairs in the span of the basis, largest value first.
    pub fn ritz(&self) -> Vec<Ritz> {
        let n = self.len();
        let (values, vectors) = tridiagonal(self.diagonal.clone(), self.below.clone());
        // The last coupling leads out of the span; it is 0 where the span is the whole space.
        let outside = if self.next.is_some() { self.below.last().copied().unwrap_or(0.0) } else { 0.0 };
        let mut pairs: Vec<Ritz> = values
            .into_iter()
            .zip(vectors)
            .map(|(value, coefficients)| Ritz {
                value,
                weight: coefficients[0].powi(2),
                residual: (outside * coefficients[n - 1]).abs(),
                coefficients,
            })
            .collect();
        pairs.sort_by(|a, b| b.value.total_cmp(&a.value));
        pairs
    }

    /// The vector of an eigenpair.
    pub fn vector(&self, pair: &Ritz) -> Vec<f64> {
        let mut vector = vec![0.0; self.basis[0].len()];
        for (q, c) in self.basis.iter().zip(&pair.coefficients) {
            vector.iter_mut().zip(q).for_each(|(v, q)| *v += c * q);
        }
        vector
    }
}

/// `a · b`, in eight partial sums as [`sum`](crate::numbers::sum).
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    ArrayView1::from(a).dot(&ArrayView1::from(b))
}

/// Eigenvalues and unit eigenvectors of the symmetric tridiagonal matrix with the given diagonal
/// and the numbers `e` below it (the last is ignored), by the implicit QL method (Bowdler et al.
/// 1968, `tql2` of EISPACK).
fn tridiagonal(mut d: Vec<f64>, mut e: Vec<f64>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = d.len();
    // vectors[k] is the k-th eigenvector
    let mut vectors: Vec<Vec<f64>> =
        (0..n).map(|k| (0..n).map(|i| f64::from(u8::from(i == k))).collect()).collect();
    if let Some(last) = e.last_mut() {
        *last = 0.0;
    }
    for l in 0..n {
        for _sweep in 0..100 {
            let negligible = |m: usize| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs());
            let m = (l..n - 1).find(|&m| negligible(m)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            g = d[m] - d[l] + e[l] / (g + g.hypot(1.0).copysign(g));
            let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
            let mut i = m;
            while i > l {
                i -= 1;
                let (f, b) = (sine * e[i], cosine * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    break;
                }
                (sine, cosine) = (f / r, g / r);
                g = d[i + 1] - shift;
                let r = (d[i] - g) * sine + 2.0 * cosine * b;
                shift = sine * r;
                d[i + 1] = g + shift;
                g = cosine * r - b;
                let (lower, upper) = vectors.split_at_mut(i + 1);
                for (a, b) in lower[i].iter_mut().zip(&mut upper[0]) {
                    (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                }
            }
            if e[i + 1] == 0.0 && i > l {
                d[i + 1] -= shift;
                e[m] = 0.0;
                continue;
            }
            d[l] -= shift;
            e[l] = g;
            e[m] = 0.0;
        }
    }
    (d, vectors)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn equal_eigenvalues_are_found_as_often_as_they_occur() {
        // a reflection of a diagonal matrix: A = Q diag(5, 5, 2, 2, 2, −1, 0, 0) Q
        let values = [5.0, 5.0, 2.0, 2.0, 2.0, 0.0, 0.0, -1.0];
        let u: Vec<f64> = (0..8).map(|i| f64::from(i).cos()).collect();
        let reflect = |v: &[f64]| -> Vec<f64> {
            let factor = 2.0 * dot(&u, v) / dot(&u, &u);
            v.iter().zip(&u).map(|(v, u)| v - factor * u).collect()
        };
        let product = |v: &[f64]| {
            let scaled: Vec<f64> = reflect(v).iter().zip(values).map(|(v, value)| v * value).collect();
            Ok::<_, ()>(reflect(&scaled))
        };
        let mut lanczos = Lanczos::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        while lanczos.step(&mut rng, product).unwrap().is_some() {}
        let found = lanczos.ritz();
        assert_eq!(found.len(), 8);
        for (pair, value) in found.iter().zip(values) {
            assert!((pair.value - value).abs() < 1e-12 && pair.residual == 0.0, "{pair:?} for {value}");
            let vector = lanczos.vector(pair);
            for (got, v) in product(&vector).unwrap().iter().zip(&vector) {
                assert!((got - value * v).abs() < 1e-11);
            }
        }
        let weights: f64 = found.iter().map(|pair| pair.weight).sum();
        assert!((weights - 1.0).abs() < 1e-12);
    }
}
