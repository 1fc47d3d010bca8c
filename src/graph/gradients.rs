//! The result of a differentiation: one number per input, and its cost.

use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use crate::difference::StepWarning;
use crate::text::brief;

/// The derivative of the output with respect to each input, and the number of operations.
///
/// ```
/// # use geartrain::graph::Graph;
/// let mut graph = Graph::parse("w * x")?;
/// graph.run(&[("w", 2.0), ("x", 3.0)])?;
/// let gradients = graph.backward()?;
/// assert_eq!(gradients["w"], 3.0);
/// assert_eq!(gradients.iter().collect::<Vec<_>>(), [("w", 3.0), ("x", 2.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    pub(super) entries: Vec<(Arc<str>, f64)>,
    pub(super) operations: Operations,
    pub(super) warnings: Vec<StepWarning>,
}

impl Gradients {
    /// The derivative with respect to the input `name`, if there is such an input.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.find(name).copied()
    }

    fn find(&self, name: &str) -> Option<&f64> {
        self.entries.iter().find(|(input, _)| &**input == name).map(|(_, gradient)| gradient)
    }

    /// Name and derivative of each input, in order of creation.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.entries.iter().map(|(name, gradient)| (&**name, *gradient))
    }

    /// The operations of the passes that computed these derivatives.
    pub fn operations(&self) -> Operations {
        self.operations
    }

    /// Central differences only: the inputs for which the step is too small or too large, so that
    /// the derivative above is not reliable. Empty otherwise.
    ///
    /// ```
    /// # use geartrain::graph::Graph;
    /// let mut graph = Graph::parse("sin(1e4 * x)")?;
    /// graph.run(&[("x", 1.0)])?;
    /// let measured = graph.central_difference(1e-5)?;
    /// assert_eq!(
    ///     measured.warnings()[0].to_string(),
    ///     "the step 1e-5 is too large for `x` here: 3.125e-7 gives -9521.54",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn warnings(&self) -> &[StepWarning] {
        &self.warnings
    }
}

impl Index<&str> for Gradients {
    type Output = f64;

    /// # Panics
    /// If no input has this name; [`Gradients::get`] returns an `Option`.
    fn index(&self, name: &str) -> &f64 {
        self.find(name).unwrap_or_else(|| panic!("no input is named `{name}`"))
    }
}

impl fmt::Display for Gradients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, gradient)) in self.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{name}: {}", brief(gradient, 6))?;
        }
        Ok(())
    }
}

/// A count of scalar operations.
///
/// Counted are: each evaluation of a node's operation, each evaluation of a local derivative (one
/// per edge), each product of a local derivative with a gradient or tangent, and each sum of two
/// of them. `exp` counts as much as `+`; memory access is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Evaluations of a node's operation.
    pub values: u64,
    /// Evaluations of a local derivative.
    pub local_derivatives: u64,
    /// Products along an edge.
    pub multiplications: u64,
    /// Sums of gradients or tangents.
    pub additions: u64,
}

impl Operations {
    /// Adds one contribution, local derivative × flow, to the sum of those before it.
    #[inline]
    pub(super) fn accumulate(&mut self, sum: &mut Option<f64>, contribution: f64) {
        self.local_derivatives += 1;
        self.multiplications += 1;
        self.additions += u64::from(sum.is_some());
        *sum = Some(sum.map_or(contribution, |sum| sum + contribution));
    }

    /// The sum of all four.
    pub fn total(self) -> u64 {
        self.values + self.local_derivatives + self.multiplications + self.additions
    }
}
