//! Errors of calls on a graph. (A formula that does not parse is a
//! [`ParseError`](super::ParseError).)

use thiserror::Error;

use crate::text::list;

/// An error in building, running, reading or drawing a graph.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The graph has no input of this name.
    #[error("no input is named `{name}`; the inputs are {}", list(known))]
    UnknownInput {
        /// The name asked for.
        name: String,
        /// The inputs of the graph, in order of creation.
        known: Vec<String>,
    },
    /// A forward pass needs a value for every input.
    #[error("no value for {}", list(names))]
    MissingInputs {
        /// The inputs without a value.
        names: Vec<String>,
    },
    /// No input and no node has this name.
    #[error("no node is named `{name}`")]
    UnknownNode {
        /// The name asked for.
        name: String,
    },
    /// Another node has this name.
    #[error("the name `{name}` is taken by another node")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The node id was made by another graph.
    #[error("this node belongs to another graph")]
    ForeignNode,
    /// The graph has no nodes.
    #[error("the graph is empty")]
    Empty,
    /// No forward pass has run since the inputs or the graph last changed.
    #[error("no values yet: call `forward` or `run` first")]
    ForwardFirst,
    /// No backward pass has run since the last forward pass.
    #[error("no gradients yet: call `backward` first")]
    BackwardFirst,
    /// Constants, and nodes that depend on constants only, have no gradient.
    #[error("`{name}` is constant and has no gradient; make it an input to differentiate by it")]
    Constant {
        /// The number of the constant, or the name of the node.
        name: String,
    },
    /// The step of a central difference is not a positive finite number.
    #[error("the step of a central difference must be positive and finite, got {step}")]
    Step {
        /// The step given.
        step: f64,
    },
    /// The drawing would be too large to read.
    #[error("the graph has {nodes} nodes; a drawing has at most {limit}")]
    TooLargeToDraw {
        /// Number of nodes of the graph.
        nodes: usize,
        /// The largest number that is drawn.
        limit: usize,
    },
}
