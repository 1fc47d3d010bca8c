//! The errors of the crate: the problem, its place, the expected and the actual value.
//!
//! The types are here, below all modules that return them, so that no module imports from one above
//! it.
//!
//! | file | error |
//! |---|---|
//! | `mod` | [`Error`], which most calls return, and [`LayerProblem`] |
//! | `data` | [`DataError`]: data sets and tables |
//! | `suggestion` | [`Suggestion`](crate::data::Suggestion): advice for the user |
//! | `file` | [`FileError`]: model files |

pub(crate) mod data;
pub(crate) mod file;
pub(crate) mod suggestion;

use std::fmt;

use self::data::DataError;
use self::file::FileError;

/// The error of most calls. A failed call leaves the network as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer does not match its input, or was built with invalid arguments.
    #[error("layer {path} ({layer}): {problem}", path = if path.is_empty() { "at the root" } else { path })]
    Layer {
        /// Where the layer is, as in `3.body.0`; empty for the outermost layer.
        path: String,
        /// The name of the layer, from its [`describe`](crate::Layer::describe).
        layer: String,
        /// The problem.
        problem: LayerProblem,
    },

    /// Two parameters of one network have the same name.
    #[error("two parameters are called `{name}`")]
    DuplicateParameter {
        /// The name.
        name: String,
    },

    /// The network would need more memory than
    /// [`MAX_PARAMETER_BYTES`](crate::params::MAX_PARAMETER_BYTES).
    #[error("the parameters up to `{name}` need {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The first parameter that does not fit.
        name: String,
        /// Bytes needed up to and with that parameter; `u128::MAX` stands for "more than can be
        /// counted".
        bytes: u128,
        /// The limit in bytes.
        limit: u128,
    },

    /// No parameter has this name.
    #[error("there is no parameter `{name}`; the parameters are {}", known.join(", "))]
    UnknownParameter {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },

    /// Two shapes differ that must agree. Shapes are never broadcast.
    #[error("{what}: expected shape {expected}, got {got}")]
    Shape {
        /// Which array it is.
        what: String,
        /// The shape it must have.
        expected: Shape,
        /// The shape it has.
        got: Shape,
    },

    /// A target is outside the domain of the loss.
    #[error("the target in row {row}, column {column} (both from 0) must be {expected}, got {got}")]
    Target {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The domain, in words.
        expected: String,
        /// The value.
        got: f64,
    },

    /// An argument is outside its domain.
    #[error("{argument} must be {expected}, got {got}")]
    Argument {
        /// The argument's name, as in the documentation.
        argument: &'static str,
        /// Its domain, in words.
        expected: &'static str,
        /// The value that was given.
        got: String,
    },

    /// A parameter or gradient is NaN or infinite.
    #[error("{what} of `{name}` at {index:?} is {value}: not a finite number")]
    NonFinite {
        /// `weight`, `gradient`, `square of the gradient`, `updated weight` or `statistic`.
        what: &'static str,
        /// The parameter's name.
        name: String,
        /// The entry's index in the parameter's shape.
        index: Vec<usize>,
        /// The value found there.
        value: f64,
    },

    /// The loss of a batch is NaN or infinite.
    #[error("the loss is {value}: not a finite number")]
    NonFiniteLoss {
        /// The loss.
        value: f64,
    },

    /// Training was stopped before an update that would have left a weight that is not finite.
    /// The network keeps its last finite weights.
    #[error(
        "training diverged in epoch {epoch}, batch {batch} (both from 1): {cause}; try a smaller learning rate"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch in that epoch, from 1.
        batch: usize,
        /// The cause: [`Error::NonFiniteLoss`] or [`Error::NonFinite`].
        #[source]
        cause: Box<Error>,
    },

    /// A callback returned an error, which ended training.
    #[error("callback in epoch {epoch}, after {step} steps: {source}")]
    Callback {
        /// The epoch, from 1.
        epoch: usize,
        /// Steps done.
        step: u64,
        /// The error of the callback.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// No metric of this name is measured.
    #[error("`{name}` cannot be watched; choose one of {}", known.join(", "))]
    UnknownMetric {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },

    /// Early stopping watches a metric on validation data, but there is no validation data.
    #[error("`{metric}` needs validation data: give them with `Training::validation`")]
    NoValidationData {
        /// The metric.
        metric: String,
    },

    /// The workspace passed to
    /// [`Network::update_running_stats`](crate::Network::update_running_stats) holds no training
    /// pass of this network.
    #[error("the workspace holds no training pass of this network: call `Network::gradients` with it first")]
    NoTrainingPass,

    /// Another process of a training run failed.
    #[error("{place}: {message}")]
    Elsewhere {
        /// The process, such as `rank 2`.
        place: String,
        /// Its error.
        message: String,
    },

    /// Something is wrong with a file or an array of data.
    #[error(transparent)]
    Data(Box<DataError>),

    /// Something is wrong with a model file.
    #[error(transparent)]
    File(Box<FileError>),
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Error::File(Box::new(error))
    }
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        Error::Data(Box::new(error))
    }
}

impl Error {
    /// A problem of a network whose outermost layer is called `root`, or of a layer inside it.
    pub fn layer(root: impl Into<String>, problem: LayerProblem) -> Self {
        match problem {
            LayerProblem::Inside { path, layer, problem } => Error::Layer { path, layer, problem: *problem },
            problem => Error::Layer { path: String::new(), layer: root.into(), problem },
        }
    }

    /// An argument outside its domain.
    ///
    /// ```
    /// use geartrain::Error;
    /// let error = Error::argument("rate", "above 0", -1);
    /// assert_eq!(error.to_string(), "rate must be above 0, got -1");
    /// ```
    pub fn argument(argument: &'static str, expected: &'static str, got: impl fmt::Display) -> Self {
        Error::Argument { argument, expected, got: got.to_string() }
    }
}

/// What can be wrong with one layer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerProblem {
    /// The input has another number of features.
    #[error("expects {expected} input features, got {got}")]
    Features {
        /// Features per row that the layer reads.
        expected: usize,
        /// Features per row that it would be given.
        got: usize,
    },

    /// The output width of a `Residual`'s body differs from its input width.
    #[error(
        "x + body(x) needs as many outputs as inputs, but the body makes {outputs} features from {inputs}"
    )]
    Residual {
        /// Input features of the body.
        inputs: usize,
        /// Output features of the body.
        outputs: usize,
    },

    /// An argument of the layer is outside its domain.
    #[error("{argument} must be {expected}, got {got}")]
    Argument {
        /// The argument's name.
        argument: &'static str,
        /// Its domain, in words.
        expected: &'static str,
        /// The value that was given.
        got: String,
    },

    /// The batch has too few rows for training: the variance of one row is 0.
    #[error("needs at least {needs} rows in a batch to train on, got {rows}")]
    SmallBatch {
        /// The minimum number of rows.
        needs: usize,
        /// The rows of the batch.
        rows: usize,
    },

    /// The layer accepts any input width, so the network's width is unknown.
    #[error("accepts any number of input features: give one with `Network::with_inputs`")]
    NoInputWidth,

    /// The layer has no forward mode.
    #[error("has no forward mode: it does not implement `Layer::jvp`")]
    NoJvp,

    /// The layer has no second derivatives.
    #[error(
        "has no second derivatives: it does not implement `Layer::backward_jvp` or, for an activation, \
         `Elementwise::curvature`"
    )]
    NoBackwardJvp,

    /// A problem of a user-defined layer.
    #[error("{0}")]
    Other(String),

    /// A problem of a layer inside the one that reports it; see [`inside`](LayerProblem::inside).
    #[error("layer {path} ({layer}): {problem}")]
    Inside {
        /// Path to the layer, as in `3.body.0`.
        path: String,
        /// The layer's name.
        layer: String,
        /// The problem of that layer.
        problem: Box<LayerProblem>,
    },
}

impl LayerProblem {
    /// An argument outside its domain.
    pub fn argument(argument: &'static str, expected: &'static str, got: impl fmt::Display) -> Self {
        LayerProblem::Argument { argument, expected, got: got.to_string() }
    }

    /// Returns `got` if it is the `expected` number of input features.
    ///
    /// # Errors
    /// [`LayerProblem::Features`] if it is not.
    pub fn check_features(expected: usize, got: usize) -> Result<usize, Self> {
        if got == expected { Ok(got) } else { Err(LayerProblem::Features { expected, got }) }
    }

    /// Whether a layer lacks [`jvp`](crate::Layer::jvp) or
    /// [`backward_jvp`](crate::Layer::backward_jvp), or a layer inside it does.
    pub fn is_missing_derivative(&self) -> bool {
        match self {
            LayerProblem::NoJvp | LayerProblem::NoBackwardJvp => true,
            LayerProblem::Inside { problem, .. } => problem.is_missing_derivative(),
            _ => false,
        }
    }

    /// This problem of the layer `child`, reported by its container. `layer` is the child's name,
    /// which is used only if the problem is the child's own.
    pub fn inside(self, child: impl Into<String>, layer: impl Into<String>) -> Self {
        let child = child.into();
        match self {
            LayerProblem::Inside { path, layer, problem } => {
                LayerProblem::Inside { path: format!("{child}.{path}"), layer, problem }
            }
            problem => LayerProblem::Inside { path: child, layer: layer.into(), problem: Box::new(problem) },
        }
    }
}

/// The shape of an array, printed as `(32, 7)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(pub Vec<usize>);

impl From<&[usize]> for Shape {
    fn from(shape: &[usize]) -> Self {
        Shape(shape.to_vec())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.0.iter().map(usize::to_string).collect();
        write!(f, "({})", sizes.join(", "))
    }
}

/// Checks the shape of `what`.
///
/// # Errors
/// [`Error::Shape`] if `got` is not `expected`.
pub fn same_shape(what: &str, expected: &[usize], got: &[usize]) -> Result<(), Error> {
    if expected == got {
        return Ok(());
    }
    Err(Error::Shape { what: what.to_string(), expected: expected.into(), got: got.into() })
}

/// Checks an argument.
///
/// # Errors
/// [`Error::Argument`] unless `holds`.
pub fn require(
    holds: bool,
    argument: &'static str,
    expected: &'static str,
    got: impl fmt::Display,
) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::argument(argument, expected, got)) }
}
