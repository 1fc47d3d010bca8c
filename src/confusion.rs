//! How good a classifier is: which class is taken for which, and how often it is right.

use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::error::{require, same_shape};
use crate::loss::check_classes;
use crate::{Error, Scalar};

/// How often each class was taken for each class: a row per true class, a column per predicted one, as in scikit-learn.
///
/// ```
/// use geartrain::ConfusionMatrix;
/// use ndarray::array;
/// let logits = array![[2.0, 0.1, 0.0], [0.0, 1.0, 3.0], [0.0, 0.0, 9.0]];
/// let confusion = ConfusionMatrix::new(logits.view(), array![[0.0], [1.0], [2.0]].view())?;
/// assert_eq!(confusion.counts(), array![[1, 0, 0], [0, 0, 1], [0, 0, 1]]);
/// assert_eq!(confusion.accuracy(), 2.0 / 3.0);
/// println!("{confusion}");
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    counts: Array2<usize>,
}

impl ConfusionMatrix {
    /// Compares a network's `output` with the class indices in the one column of `target`.
    ///
    /// With several columns, `output` has a logit or a probability per class, and the largest says which class is predicted,
    /// the first of several equal ones. A single column holds the logit of class 1, which is predicted where it is above 0.
    ///
    /// # Errors
    /// [`Error::Argument`] without rows and for an output that is NaN; [`Error::Shape`] for another number of targets than
    /// outputs; [`Error::Target`] for a class that does not exist.
    pub fn new<F: Scalar>(output: ArrayView2<F>, target: ArrayView2<F>) -> Result<Self, Error> {
        require(
            !output.is_empty(),
            "output",
            "at least one row and one column",
            format!("{:?}", output.shape()),
        )?;
        same_shape("target (one column of class indices)", &[output.nrows(), 1], target.shape())?;
        let classes = output.ncols().max(2);
        check_classes(&target, classes)?;
        let mut counts = Array2::zeros((classes, classes));
        for (row, (output, truth)) in output.rows().into_iter().zip(target).enumerate() {
            let nan = output.iter().any(|value| value.is_nan());
            require(!nan, "output", "numbers to find the largest of", format_args!("NaN in row {row}"))?;
            counts[[truth.as_f64() as usize, predicted(output)]] += 1;
        }
        Ok(ConfusionMatrix { counts })
    }

    /// `counts[[t, p]]`: rows of class t that were taken for class p.
    pub fn counts(&self) -> ArrayView2<'_, usize> {
        self.counts.view()
    }

    /// The share of rows whose class was predicted, from 0 to 1. With one class only in the data this is how often that one
    /// was found.
    pub fn accuracy(&self) -> f64 {
        self.counts.diag().sum() as f64 / self.counts.sum() as f64
    }

    /// The matrix as a table with names for the classes, true ones down the side and predicted ones along the top.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a name for every class.
    pub fn table(&self, names: &[impl AsRef<str>]) -> Result<String, Error> {
        same_shape("names of classes", &[self.counts.nrows()], &[names.len()])?;
        let heading = "true \\ predicted";
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let wide = |name: &str| name.chars().count();
        let first = names.iter().map(|name| wide(name)).fold(wide(heading), usize::max);
        let width = |j: usize| {
            self.counts
                .column(j)
                .iter()
                .map(|count| wide(&count.to_string()))
                .fold(wide(names[j]), usize::max)
        };
        let mut text = format!("{heading:first$}");
        for (j, name) in names.iter().enumerate() {
            text += &format!("  {name:>w$}", w = width(j));
        }
        for (name, counts) in names.iter().zip(self.counts.rows()) {
            text += &format!("\n{name:first$}");
            for (j, count) in counts.iter().enumerate() {
                text += &format!("  {count:>w$}", w = width(j));
            }
        }
        Ok(text)
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = (0..self.counts.nrows()).map(|class| class.to_string()).collect();
        f.write_str(&self.table(&names).expect("as many names as classes"))
    }
}

/// The class that one row of an output says.
fn predicted<F: Scalar>(output: ArrayView1<F>) -> usize {
    if output.len() == 1 {
        return usize::from(output[0] > F::zero());
    }
    (1..output.len()).fold(0, |best, class| if output[class] > output[best] { class } else { best })
}
