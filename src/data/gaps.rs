//! The gaps of a table, and the values that fill them.

use ndarray::{Array2, ArrayView1};

use crate::Scalar;

/// Missing features: their places, and the values that fill them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gaps {
    /// Filled with the median of each feature; otherwise with its mean.
    median: bool,
    /// One value per feature.
    values: Vec<f64>,
    /// Row and feature of each gap, in order of rows.
    cells: Vec<(usize, usize)>,
}

impl Gaps {
    /// Replaces every NaN in `x` by the mean or median of the numbers of its feature.
    pub fn fill_nan<F: Scalar>(x: &mut Array2<F>, median: bool) -> Self {
        let cells = x.indexed_iter().filter(|(_, value)| value.is_nan()).map(|(cell, _)| cell).collect();
        let mut gaps = Gaps { median, values: vec![0.0; x.ncols()], cells };
        gaps.learn(x);
        gaps
    }

    /// Takes the values from the numbers of `x` and fills its gaps. A feature without numbers
    /// keeps its value.
    pub fn learn<F: Scalar>(&mut self, x: &mut Array2<F>) {
        for &cell in &self.cells {
            x[cell] = F::nan();
        }
        for (value, column) in self.values.iter_mut().zip(x.columns()) {
            let middle = if self.median { median(column) } else { mean(column) };
            *value = middle.unwrap_or(*value);
        }
        self.write(x);
    }

    /// Fills the gaps of `x` with other values, one per feature.
    pub fn fill<F: Scalar>(&mut self, x: &mut Array2<F>, values: &[f64]) {
        self.values.copy_from_slice(values);
        self.write(x);
    }

    fn write<F: Scalar>(&self, x: &mut Array2<F>) {
        for &(row, column) in &self.cells {
            x[[row, column]] = F::of(self.values[column]);
        }
    }

    /// The gaps of some rows, in their order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let of_row = |(place, &row): (usize, &usize)| {
            let start = self.cells.partition_point(|cell| cell.0 < row);
            let cells = self.cells[start..].iter().take_while(move |cell| cell.0 == row);
            cells.map(move |cell| (place, cell.1))
        };
        let cells = rows.iter().enumerate().flat_map(of_row).collect();
        Gaps { median: self.median, values: self.values.clone(), cells }
    }

    /// One value per feature.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The same gaps with other values in them.
    pub fn with_values(&self, values: Vec<f64>) -> Self {
        Gaps { values, ..self.clone() }
    }

    /// The number of gaps in each feature.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.values.len()];
        self.cells.iter().for_each(|cell| counts[cell.1] += 1);
        counts
    }
}

/// The mean of the numbers of a column, without overflow; `None` if there are none.
fn mean<F: Scalar>(column: ArrayView1<F>) -> Option<f64> {
    let numbers = || column.iter().map(|value| value.as_f64()).filter(|value| !value.is_nan());
    let count = numbers().count() as f64;
    let sum: f64 = numbers().sum();
    match () {
        () if count == 0.0 => None,
        () if sum.is_finite() => Some(sum / count),
        () => Some(numbers().map(|value| value / count).sum()),
    }
}

/// The median of the numbers of a column; `None` if there are none.
fn median<F: Scalar>(column: ArrayView1<F>) -> Option<f64> {
    let numbers = column.iter().map(|value| value.as_f64()).filter(|value| !value.is_nan());
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_unstable_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(numbers[half]),
        _ => Some(f64::midpoint(numbers[half - 1], numbers[half])),
    }
}
