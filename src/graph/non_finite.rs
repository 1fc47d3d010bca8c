//! Where a NaN or an infinity came from.

use std::fmt;

use super::number::brief;
use super::{Graph, Op};

/// The first place where a run left the finite numbers; its `Display` says it in one sentence.
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
    /// The node's name.
    pub node: String,
    /// What of the node is not finite.
    pub quantity: Quantity,
    /// What is written before "is": `u = ln(x)`, `∂u/∂x = 1/x`, `df/dx`.
    pub expression: String,
    /// NaN or infinite.
    pub value: f64,
    /// The operands that led to it, by name.
    pub operands: Vec<(String, f64)>,
}

/// What of a node can cease to be finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Its value, in the forward pass.
    Value,
    /// A local derivative, with finite values around it: `sqrt` at 0.
    LocalDerivative,
    /// Its gradient, with finite local derivatives: a product or a sum too large for an f64.
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
    /// Tells which node first became NaN or infinite in the last run: in order of the forward pass for values and local
    /// derivatives, of the backward pass for gradients. `None` if all is finite or nothing has run.
    pub fn non_finite(&self) -> Option<NonFinite> {
        if !self.has_values {
            return None;
        }
        let finding = |index: usize, quantity, expression, value| {
            let names = self.names();
            // By name, so that x·x mentions x once; constants show themselves.
            let mut operands: Vec<(String, f64)> = Vec::new();
            for operand in self.nodes[index].operands() {
                if self.nodes[operand].op != Op::Constant
                    && operands.iter().all(|(name, _)| *name != names[operand])
                {
                    operands.push((names[operand].clone(), self.values[operand]));
                }
            }
            NonFinite { node: names[index].clone(), quantity, expression, value, operands }
        };

        let bad = |index: &usize| !self.values[*index].is_finite();
        if let Some(index) = (0..self.nodes.len()).find(bad) {
            let names = self.names();
            let name = &names[index];
            let expression = match self.nodes[index].op {
                Op::Input => format!("the input {name}"),
                Op::Constant => "a constant".to_owned(),
                _ => format!("{name} = {}", self.expression(index, &names)),
            };
            return Some(finding(index, Quantity::Value, expression, self.values[index]));
        }
        let mut edges = self.edges();
        if let Some((index, which)) = edges.find(|&(index, which)| !self.slope(index, which).is_finite()) {
            let names = self.names();
            let expression = format!(
                "{} = {}",
                self.slope_symbol(index, which, &names),
                self.slope_expression(index, which, &names)
            );
            return Some(finding(index, Quantity::LocalDerivative, expression, self.slope(index, which)));
        }
        if self.has_gradients
            && let Some(index) = (0..self.nodes.len()).rev().find(|&index| !self.gradients[index].is_finite())
        {
            let expression = self.gradient_symbol(index, &self.names());
            return Some(NonFinite {
                operands: Vec::new(),
                ..finding(index, Quantity::Gradient, expression, self.gradients[index])
            });
        }
        None
    }

    /// The edges along which a gradient can flow: node and number of the operand.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        self.nodes.iter().enumerate().flat_map(move |(index, node)| {
            node.operands()
                .enumerate()
                .filter(|&(_, operand)| self.nodes[operand].varying)
                .map(move |(which, _)| (index, which))
        })
    }
}
