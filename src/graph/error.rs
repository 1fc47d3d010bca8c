//! Every way in which a call on a graph can fail. (A formula that cannot be read is a [`ParseError`](super::ParseError).)

use thiserror::Error;

/// Why a graph could not be run, read or drawn.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A value was given to an input that the graph does not have.
    #[error("no input is named `{name}`; the inputs are {}", list(known))]
    UnknownInput {
        /// The name that was asked for.
        name: String,
        /// The inputs of the graph, in the order in which they were made.
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
        /// The name that was asked for.
        name: String,
    },
    /// Two nodes cannot share a name.
    #[error("the name `{name}` is taken by another node")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The node id was made by another graph.
    #[error("this node belongs to another graph")]
    ForeignNode,
    /// The graph has no node, so there is nothing to compute.
    #[error("the graph is empty")]
    Empty,
    /// Values are asked for, but no forward pass has run since the inputs or the graph changed.
    #[error("not run yet: call forward first")]
    ForwardFirst,
    /// Gradients are asked for, but no backward pass has run since the last forward pass.
    #[error("not run yet: call backward first")]
    BackwardFirst,
    /// A constant never changes, so no gradient is computed for it (nor for a node made of constants only).
    #[error("`{name}` is constant and has no gradient; make it an input to differentiate by it")]
    Constant {
        /// The constant's text, or the node's name.
        name: String,
    },
    /// The step of a central difference is not a positive finite number.
    #[error("the step of a central difference must be positive and finite, got {step}")]
    Step {
        /// The step that was given.
        step: f64,
    },
    /// Nobody could read the picture.
    #[error("the graph has {nodes} nodes; a drawing holds at most {limit}")]
    TooLargeToDraw {
        /// Nodes of the graph.
        nodes: usize,
        /// The most that is drawn.
        limit: usize,
    },
}

/// `a, b and 3 more`: a graph may have a million inputs, a message may not.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
