//! The confusion matrix: true and predicted classes.

use std::fmt;

use ndarray::{Array2, ArrayRef1, ArrayRef2, ArrayView2};

use super::classification::{classes_from_logits, classes_from_probabilities};
use crate::error::{require, same_shape};
use crate::loss::check_classes;
use crate::text::escaped;
use crate::{Error, Scalar};

/// The number of rows of each class that were predicted as each class: a row per true class,
/// a column per predicted one, as in scikit-learn.
///
/// ```
/// use geartrain::metrics::ConfusionMatrix;
/// use ndarray::array;
/// let logits = array![[2.0, 0.1, 0.0], [0.0, 1.0, 3.0], [0.0, 0.0, 9.0]];
/// let confusion = ConfusionMatrix::from_logits(&logits, &array![[0.0], [1.0], [2.0]])?;
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
    /// Compares `logits`, `(rows, outputs)`, with the class indices in the one column of `target`.
    /// The predicted classes are those of
    /// [`classes_from_logits`](super::classes_from_logits): a single column is cut at 0.
    ///
    /// # Errors
    /// [`Error::Argument`] without rows and for NaN; [`Error::Shape`] if rows differ;
    /// [`Error::Target`] for a class that does not exist.
    pub fn from_logits<F: Scalar>(logits: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<Self, Error> {
        Self::new(&classes_from_logits(logits)?, target, logits.ncols().max(2))
    }

    /// Compares `probabilities`, `(rows, outputs)`, with the class indices in the one column of
    /// `target`. The predicted classes are those of
    /// [`classes_from_probabilities`](super::classes_from_probabilities): a single column is cut at
    /// 0.5.
    ///
    /// # Errors
    /// As [`from_logits`](ConfusionMatrix::from_logits), and [`Error::Argument`] for anything that
    /// is no probability.
    ///
    /// ```
    /// use geartrain::metrics::ConfusionMatrix;
    /// use ndarray::array;
    /// let (probabilities, target) = (array![[0.2], [0.7]], array![[0.0], [1.0]]);
    /// let confusion = ConfusionMatrix::from_probabilities(&probabilities, &target)?;
    /// assert_eq!(confusion.accuracy(), 1.0);
    /// # Ok::<(), geartrain::Error>(())
    /// ```
    pub fn from_probabilities<F: Scalar>(
        probabilities: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
    ) -> Result<Self, Error> {
        Self::new(&classes_from_probabilities(probabilities)?, target, probabilities.ncols().max(2))
    }

    /// Compares predicted class indices with those in the one column of `target`; both are below
    /// `classes`.
    ///
    /// # Errors
    /// As [`from_logits`](ConfusionMatrix::from_logits), and [`Error::Argument`] for a predicted
    /// class that does not exist.
    pub fn new<F: Scalar>(
        predicted: &ArrayRef1<usize>,
        target: &ArrayRef2<F>,
        classes: usize,
    ) -> Result<Self, Error> {
        require(!predicted.is_empty(), "predicted", "at least one class", "none")?;
        same_shape("target (one column of class indices)", &[predicted.len(), 1], target.shape())?;
        check_classes(target, classes)?;
        if let Some(class) = predicted.iter().find(|&&class| class >= classes) {
            require(false, "predicted", "class indices below the number of classes", class)?;
        }
        let mut counts = Array2::zeros((classes, classes));
        for (&class, truth) in predicted.iter().zip(target) {
            counts[[truth.as_f64() as usize, class]] += 1;
        }
        Ok(ConfusionMatrix { counts })
    }

    /// `counts[[t, p]]`: rows of class t that were predicted as class p.
    pub fn counts(&self) -> ArrayView2<'_, usize> {
        self.counts.view()
    }

    /// The share of rows whose class was predicted, from 0 to 1. If the data hold one class only,
    /// this is its recall.
    pub fn accuracy(&self) -> f64 {
        self.counts.diag().sum() as f64 / self.counts.sum() as f64
    }

    /// The matrix as a table with names for the classes, true ones down the side and predicted ones
    /// along the top.
    ///
    /// Of more than 20 classes, the 20 with most rows have a row and a column of their own, the
    /// rest share one. Names are cut to 24 characters.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a name for every class.
    pub fn table(&self, names: &[impl AsRef<str>]) -> Result<String, Error> {
        const LONGEST_NAME: usize = 24;
        same_shape("names of classes", &[self.counts.nrows()], &[names.len()])?;
        let (shown, counts) = self.largest_classes();
        let mut titles: Vec<String> =
            shown.iter().map(|&class| escaped(names[class].as_ref(), LONGEST_NAME)).collect();
        if counts.nrows() > shown.len() {
            titles.push(format!("{} others", names.len() - shown.len()));
        }
        let heading = "true \\ predicted";
        let width = |text: &str| text.chars().count();
        let first = titles.iter().map(|title| width(title)).fold(width(heading), usize::max);
        let largest = |j: usize| counts.column(j).iter().copied().max().unwrap_or(0).to_string();
        let widths: Vec<usize> =
            titles.iter().enumerate().map(|(j, title)| width(title).max(largest(j).len())).collect();
        let mut text = format!("{heading:first$}");
        for (title, w) in titles.iter().zip(&widths) {
            text += &format!("  {title:>w$}");
        }
        for (title, counts) in titles.iter().zip(counts.rows()) {
            text += &format!("\n{title:first$}");
            for (count, w) in counts.iter().zip(&widths) {
                text += &format!("  {count:>w$}");
            }
        }
        Ok(text)
    }

    /// The classes to show, in order, and their counts; the last row and column is for all others,
    /// if there are any.
    fn largest_classes(&self) -> (Vec<usize>, Array2<usize>) {
        const MOST: usize = 20;
        let classes = self.counts.nrows();
        let mut shown: Vec<usize> = (0..classes).collect();
        if classes > MOST {
            let rows: Vec<usize> = self.counts.rows().into_iter().map(|row| row.sum()).collect();
            shown.sort_by_key(|&class| std::cmp::Reverse(rows[class]));
            shown.truncate(MOST);
            shown.sort_unstable();
        }
        let mut slots = vec![shown.len(); classes];
        shown.iter().enumerate().for_each(|(slot, &class)| slots[class] = slot);
        let size = shown.len() + usize::from(classes > shown.len());
        let mut counts = Array2::zeros((size, size));
        for ((truth, predicted), count) in self.counts.indexed_iter() {
            counts[[slots[truth], slots[predicted]]] += count;
        }
        (shown, counts)
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = (0..self.counts.nrows()).map(|class| class.to_string()).collect();
        f.write_str(&self.table(&names).expect("as many names as classes"))
    }
}
