//! What a differentiation returns: one number per input, and what it cost.

use std::fmt;
use std::ops::{Add, Index};
use std::sync::Arc;

use super::number::brief;

/// The derivative of the output with respect to each input, and the number of operations it took.
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
}

impl Gradients {
    /// The derivative with respect to the input `name`, if there is such an input.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.entries.iter().find(|(input, _)| &**input == name).map(|&(_, gradient)| gradient)
    }

    /// Name and derivative for each input, in the order in which the inputs were made.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.entries.iter().map(|(name, gradient)| (&**name, *gradient))
    }

    /// What the passes did to find these derivatives.
    pub fn operations(&self) -> Operations {
        self.operations
    }
}

impl Index<&str> for Gradients {
    type Output = f64;

    /// # Panics
    /// If no input has this name; [`Gradients::get`] returns an `Option` instead.
    fn index(&self, name: &str) -> &f64 {
        match self.entries.iter().find(|(input, _)| &**input == name) {
            Some((_, gradient)) => gradient,
            None => panic!("no input is named `{name}`"),
        }
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

/// A count of scalar work, kept while a pass runs.
///
/// One is counted for each evaluation of a node's operation, each evaluation of a local derivative (one per edge), each
/// product of a local derivative with what flows along its edge, and each sum where two flows meet. So `exp` counts as
/// much as `+`; reading, writing and looking up count nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Evaluations of a node's operation.
    pub values: u64,
    /// Evaluations of a local derivative.
    pub local_derivatives: u64,
    /// Products along an edge.
    pub multiplications: u64,
    /// Sums where flows meet.
    pub additions: u64,
}

impl Operations {
    /// All four together.
    pub fn total(self) -> u64 {
        self.values + self.local_derivatives + self.multiplications + self.additions
    }
}

impl Add for Operations {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            values: self.values + other.values,
            local_derivatives: self.local_derivatives + other.local_derivatives,
            multiplications: self.multiplications + other.multiplications,
            additions: self.additions + other.additions,
        }
    }
}
