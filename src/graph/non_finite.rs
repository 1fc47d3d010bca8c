//! The origin of a NaN or an infinity.

use std::fmt;

use super::{Graph, Op};
use crate::text::brief;

/// The first number of a run that is not finite; its `Display` is one sentence.
///
/// ```
/// # use geartrain::graph::Graph;
/// let mut graph = Graph::parse("3 * ln(x)")?;
/// graph.run(&[("x", 0.0)])?;
/// assert_eq!(graph.non_finite().unwrap().to_string(), "u = ln(x) is -inf at x = 0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// The name of the node.
    pub node: String,
    /// Which quantity of the node is not finite.
    pub quantity: Quantity,
    /// The text before "is": `u = ln(x)`, `∂u/∂x = 1/x`, `df/dx`.
    pub expression: String,
    /// NaN or infinite.
    pub value: f64,
    /// The operands that led to it, by name.
    pub operands: Vec<(String, f64)>,
}

/// A quantity of a node that can be NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Its value, in the forward pass.
    Value,
    /// A local derivative between finite values, as of `sqrt` at 0.
    LocalDerivative,
    /// Its gradient, with finite local derivatives: a product or a sum overflows.
    Gradient,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.expression, self.value)?;
        for (place, (name, value)) in self.operands.iter().enumerate() {
            write!(f, "{}{name} = {}", if place == 0 { " at " } else { ", " }, brief(*value, 6))?;
        }
        Ok(())
    }
}

impl Graph {
    /// The first NaN or infinity of the last run: the first value in the order of the forward pass,
    /// else the first local derivative, else the first gradient in the order of the backward pass.
    /// `None` if all numbers are finite or no pass has run.
    pub fn non_finite(&self) -> Option<NonFinite> {
        if !self.has_values {
            return None;
        }
        let nodes = 0..self.nodes.len();
        let value = nodes.clone().map(|node| (Quantity::Value, node, 0, self.values[node]));
        let slope =
            self.edges().map(|(to, which)| (Quantity::LocalDerivative, to, which, self.slope(to, which)));
        let gradients = if self.has_gradients { nodes } else { 0..0 };
        let gradient = gradients.rev().map(|node| (Quantity::Gradient, node, 0, self.gradient_of(node)));
        let (quantity, node, which, value) =
            value.chain(slope).chain(gradient).find(|(.., value)| !value.is_finite())?;

        let names = self.names();
        let expression = match (quantity, self.nodes[node].op) {
            (Quantity::Value, Op::Input) => format!("the input {}", names[node]),
            (Quantity::Value, Op::Constant) => "a constant".to_owned(),
            (Quantity::Value, _) => self.title_line(node, &names),
            (Quantity::LocalDerivative, _) => {
                let formula = self.slope_expression(node, which, &names);
                format!("{} = {formula}", self.slope_symbol(node, which, &names))
            }
            (Quantity::Gradient, _) => self.gradient_symbol(node, &names),
        };
        // By name, so that x·x lists x once; constants show their own value.
        let mut operands: Vec<(String, f64)> = Vec::new();
        let variable = |&o: &usize| quantity != Quantity::Gradient && self.nodes[o].op != Op::Constant;
        for operand in self.nodes[node].operands().filter(variable) {
            if operands.iter().all(|(name, _)| *name != names[operand]) {
                operands.push((names[operand].clone(), self.values[operand]));
            }
        }
        Some(NonFinite { node: names[node].clone(), quantity, expression, value, operands })
    }
}
