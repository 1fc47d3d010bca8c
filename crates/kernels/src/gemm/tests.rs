use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, ShapeBuilder, s};

use super::*;
use crate::dispatch::{Level, dispatch_at};
use crate::pack::with_scratch;
use crate::{product, repeated};

/// The tiles of other processors, in plain Rust.
#[derive(Debug, Clone, Copy)]
struct Tiles<const ROWS: usize, const WIDE: usize, const NARROW: usize>;

impl<const ROWS: usize, const WIDE: usize, const NARROW: usize> Isa for Tiles<ROWS, WIDE, NARROW> {
    const FUSED: bool = true;
    const ROWS: usize = ROWS;
    type F32 = Lanes<f32, Self, WIDE>;
    type F64 = Lanes<f64, Self, NARROW>;
    type NarrowF32 = Lanes<f32, Self, NARROW>;
    type NarrowF64 = Lanes<f64, Self, 2>;
}

type Engine<F> = Box<dyn Fn(Planned<F>)>;

/// Shows a matrix of the right shape in some memory.
type Lend<F> = fn(&mut Array2<F>) -> ArrayViewMut2<F>;

/// The name of the level without a fused multiply-add.
const UNFUSED: &str = if cfg!(target_arch = "aarch64") { "" } else { "Baseline" };

/// Every way in which this machine can compute a product.
fn engines<F: Scalar>() -> Vec<(String, Engine<F>)> {
    let mut engines: Vec<(String, Engine<F>)> = Vec::new();
    for level in Level::available() {
        // SAFETY: the level is available.
        engines.push((format!("{level:?}"), Box::new(move |work| unsafe { dispatch_at(level, work) })));
    }
    // NEON, AVX2 and AVX-512, for f32 and for f64
    engines.push(("8 × 2·4".into(), Box::new(|work| work.run::<Tiles<8, 4, 2>>())));
    engines.push(("6 × 2·8".into(), Box::new(|work| work.run::<Tiles<6, 8, 4>>())));
    engines.push(("8 × 2·8".into(), Box::new(|work| work.run::<Tiles<8, 8, 4>>())));
    engines.push(("8 × 2·16".into(), Box::new(|work| work.run::<Tiles<8, 16, 8>>())));
    engines
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Base {
    Zero,
    Itself,
    Row,
}

fn multiply<F: Scalar>(
    engine: &dyn Fn(Planned<F>),
    a: ArrayView2<F>,
    b: ArrayView2<F>,
    c: ArrayViewMut2<F>,
    base: Base,
    row: &Array1<F>,
) {
    let product = product(a, b, c, |c| match base {
        Base::Zero => None,
        Base::Itself => Some(c.cast_const()),
        Base::Row => Some(repeated(row.view())),
    });
    let product = product.oriented();
    let plan = product.plan();
    with_scratch(product.scratch(&plan), |scratch| {
        engine(Planned { product: &product, plan: &plan, scratch })
    });
}

fn numbers<F: Scalar>(rows: usize, columns: usize, seed: usize) -> Array2<F> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        F::of(((i * 131 + j * 71 + seed * 17) % 257) as f64 / 128.0 - 1.0)
    })
}

/// The same numbers in another memory layout.
fn laid_out<F: Scalar>(matrix: &Array2<F>, layout: usize) -> (Array2<F>, Lend<F>) {
    let (rows, columns) = matrix.dim();
    let nan = F::nan();
    let (mut memory, lend): (_, Lend<F>) = match layout {
        0 => (Array2::from_elem((rows, columns), nan), |m| m.view_mut()),
        1 => (Array2::from_elem((rows, columns).f(), nan), |m| m.view_mut()),
        2 => (Array2::from_elem((2 * rows + 1, 3 * columns + 2), nan), |m| m.slice_mut(s![1..;2, 2..;3])),
        3 => (Array2::from_elem((rows, columns), nan), |m| m.slice_mut(s![..;-1, ..;-1])),
        4 => (Array2::from_elem((rows, columns + 3).f(), nan), |m| m.slice_mut(s![..;-1, 3..])),
        _ => (Array2::from_elem((rows + 1, columns), nan), |m| m.slice_mut(s![1.., ..])),
    };
    lend(&mut memory).assign(matrix);
    (memory, lend)
}

fn check<F: Scalar>(m: usize, n: usize, k: usize, layouts: [usize; 3]) {
    let (a, b) = (numbers::<F>(m, k, 1), numbers::<F>(k, n, 2));
    let before = numbers::<F>(m, n, 3);
    let row = numbers::<F>(1, n, 4).row(0).to_owned();
    let exact = a.mapv(|v| v.as_f64()).dot(&b.mapv(|v| v.as_f64()));
    let ((mut a, lend_a), (mut b, lend_b)) = (laid_out(&a, layouts[0]), laid_out(&b, layouts[1]));
    let (a, b) = (lend_a(&mut a), lend_b(&mut b));
    for (name, engine) in engines::<F>() {
        for base in [Base::Zero, Base::Itself, Base::Row] {
            let (mut memory, lend) = laid_out(&before, layouts[2]);
            if base != Base::Itself {
                lend(&mut memory).fill(F::nan());
            }
            let mut others = memory.clone();
            lend(&mut others).fill(F::zero());
            multiply(&engine, a.view(), b.view(), lend(&mut memory), base, &row);
            for ((i, j), &got) in lend(&mut memory).indexed_iter() {
                let base_value = match base {
                    Base::Zero => 0.0,
                    Base::Itself => before[[i, j]].as_f64(),
                    Base::Row => row[j].as_f64(),
                };
                let expected = exact[[i, j]] + base_value;
                // k roundings of a sum of k terms below 1
                let bound = F::epsilon().as_f64() * (2.0 + k as f64) * (1.0 + k as f64 / 4.0);
                assert!(
                    (got.as_f64() - expected).abs() <= bound,
                    "{name} {m} × {k} × {n} {layouts:?} {base:?}: c[{i}, {j}] = {got}, expected {expected}"
                );
            }
            // nothing else was written
            lend(&mut memory).fill(F::zero());
            assert!(
                memory.iter().zip(&others).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())),
                "{name} {m} × {k} × {n} {layouts:?}: wrote outside of c"
            );
        }
    }
}

/// All instruction sets with a fused multiply-add give the same bits, for products of any shape.
#[test]
fn fused_instruction_sets_give_the_same_bits() {
    fn bits<F: Scalar>(m: usize, n: usize, k: usize) {
        let wave =
            |scale: f64| move |(i, j): (usize, usize)| F::of((scale * (i * 37 + j * 91 + 5) as f64).sin());
        let a = Array2::from_shape_fn((m, k), wave(0.7));
        let b = Array2::from_shape_fn((k, n), wave(1.3));
        let row = Array1::from_shape_fn(n, |j| F::of(0.1 * j as f64));
        let products =
            engines::<F>().into_iter().filter(|(name, _)| name != UNFUSED).map(|(name, engine)| {
                let mut c = Array2::from_elem((m, n), F::nan());
                multiply(&engine, a.view(), b.view(), c.view_mut(), Base::Row, &row);
                (name, c)
            });
        let products: Vec<_> = products.collect();
        let (first_name, first) = &products[0];
        for (name, c) in &products {
            assert_eq!(c, first, "{m} × {k} × {n}: {name} and {first_name} differ");
        }
    }
    for k in [1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 300, 600] {
        for n in [1, 2, 3, 5, 8, 17, 40] {
            for m in [1, 3, 9] {
                bits::<f32>(m, n, k);
                bits::<f64>(m, n, k);
            }
        }
    }
}

#[test]
fn odd_shapes_equal_the_reference() {
    let sizes = [1, 2, 3, 7, 8, 9, 17, 33];
    for m in sizes {
        for n in sizes {
            for k in [1, 3, 8, 33] {
                check::<f32>(m, n, k, [0, 0, 0]);
                check::<f64>(m, n, k, [0, 0, 0]);
            }
        }
    }
    for (m, n, k) in [(65, 65, 65), (1, 300, 5), (33, 130, 64), (130, 1, 70), (64, 10, 128)] {
        check::<f32>(m, n, k, [0, 0, 0]);
        check::<f64>(m, n, k, [0, 0, 0]);
    }
}

#[test]
fn any_strides_equal_the_reference() {
    for a in 0..6 {
        for b in 0..6 {
            for c in 0..6 {
                for (m, n, k) in [(1, 9, 7), (7, 1, 9), (9, 3, 17), (37, 18, 35)] {
                    check::<f32>(m, n, k, [a, b, c]);
                }
                check::<f64>(13, 11, 9, [a, b, c]);
            }
        }
    }
}

#[test]
fn products_larger_than_a_block_equal_the_reference() {
    // more terms than a panel holds, and more of `a` than is read where it lies
    for (m, n, k) in [(5, 20, 2 * TERMS + 3), (700, 17, 290), (3, 1, 1000)] {
        for layouts in [[0, 0, 0], [1, 0, 1], [0, 1, 0]] {
            check::<f32>(m, n, k, layouts);
        }
    }
    check::<f64>(400, 9, 300, [1, 0, 0]);
}

#[test]
fn nothing_times_nothing() {
    for (m, n, k) in [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)] {
        let (a, b) = (numbers::<f32>(m, k, 1), numbers::<f32>(k, n, 2));
        let mut c = Array2::from_elem((m, n), f32::NAN);
        crate::matmul(a.view(), b.view(), c.view_mut());
        assert!(c.iter().all(|&c| c == 0.0));
        c.fill(5.0);
        crate::matmul_add(a.view(), b.view(), c.view_mut());
        assert!(c.iter().all(|&c| c == 5.0));
    }
}

#[test]
fn nan_and_infinity_come_through() {
    let mut a = numbers::<f32>(9, 20, 1);
    let b = numbers::<f32>(20, 18, 2);
    a[[4, 7]] = f32::NAN;
    a[[5, 0]] = f32::INFINITY;
    let mut c = Array2::zeros((9, 18));
    crate::matmul(a.view(), b.view(), c.view_mut());
    for (i, row) in c.axis_iter(Axis(0)).enumerate() {
        assert_eq!(row.iter().all(|c| c.is_finite()), i != 4 && i != 5, "row {i}");
    }
}
