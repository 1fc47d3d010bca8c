//! How good predictions are: R², RMSE and MAE for regression; accuracy, log-loss, ROC AUC and
//! others for classes; the confusion matrix.
//!
//! | file | what it holds |
//! |---|---|
//! | `regression` | [`r2`], [`root_mean_squared_error`], [`mean_absolute_error`] and others |
//! | `classification` | from outputs to classes and probabilities, and how good those are |
//! | `confusion` | [`ConfusionMatrix`] |
//!
//! Functions compare a prediction of `rows` rows with a target of as many, and sum in `f64`. Empty
//! arrays and arrays of different shapes are errors: nothing is broadcast. A score that is
//! undefined for the data at hand is NaN; the functions say when.
//!
//! A network that ends in `Linear` writes **logits**, as the losses
//! [`CrossEntropy`](crate::loss::CrossEntropy) and
//! [`BinaryCrossEntropyWithLogits`](crate::loss::BinaryCrossEntropyWithLogits) expect; one that
//! ends in `Sigmoid` or `Softmax` writes **probabilities**. The functions say in their names which
//! they read, because a single column is cut at 0 in one case and at 0.5 in the other.
//!
//! ```
//! use geartrain::metrics;
//! use ndarray::array;
//!
//! let target = array![[3.0], [-0.5], [2.0], [7.0]];
//! let prediction = array![[2.5], [0.0], [2.0], [8.0]];
//! assert_eq!(metrics::mean_squared_error(&prediction, &target)?, 0.375);
//! assert!((metrics::r2(&prediction, &target)? - 0.948_608).abs() < 1e-6);
//!
//! let logits = array![[2.0, 0.1], [0.0, 1.0], [0.3, 0.2]];
//! let classes = metrics::classes_from_logits(&logits)?;
//! assert_eq!(classes, array![0, 1, 0]);
//! assert_eq!(metrics::accuracy(&classes, &array![[0.0], [1.0], [1.0]])?, 2.0 / 3.0);
//! # Ok::<(), geartrain::Error>(())
//! ```

mod classification;
mod confusion;
mod regression;

pub use classification::{
    accuracy, average_precision, balanced_accuracy, classes_from_logits, classes_from_probabilities, f1,
    log_loss, probabilities, roc_auc,
};
pub use confusion::ConfusionMatrix;
pub use regression::{mean_absolute_error, mean_squared_error, r2, root_mean_squared_error};
