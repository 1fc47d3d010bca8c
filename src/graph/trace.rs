//! The calculation of both passes as a table.

use std::fmt;

use super::op::atom;
use super::{Error, Graph, NodeId, NonFinite};
use crate::text::{align, brief};

/// All numbers of one forward and one backward pass, in the order of a calculation by hand.
///
/// Its `Display` is aligned text. Constants have no rows: they appear in the operations that use
/// them.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The value of each input and operation: the inputs, then the operations, operands first.
    pub forward: Vec<ForwardRow>,
    /// The local derivative of each edge, ordered by the node that uses the operand.
    pub edges: Vec<EdgeRow>,
    /// The gradient of each input and operation, from the output to the inputs.
    pub backward: Vec<BackwardRow>,
    /// The first number that is not finite, if any.
    pub non_finite: Option<NonFinite>,
}

/// One node of the forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct ForwardRow {
    /// The node.
    pub id: NodeId,
    /// Its name.
    pub node: String,
    /// Its operation on named operands: `w × x`; `input` for an input.
    pub operation: String,
    /// The names of its operands, constants included.
    pub operands: Vec<String>,
    /// Its value.
    pub value: f64,
}

/// One edge, from an operand to the node that uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeRow {
    /// The operand.
    pub from: String,
    /// The node that uses it.
    pub to: String,
    /// `∂f/∂v`
    pub symbol: String,
    /// Its formula: `2·v`. A bracket `[a > b]` is 1 if true, 0 if false; for max and min, ½ at a
    /// tie.
    pub formula: String,
    /// Its value at the operands' values.
    pub value: f64,
}

/// One node of the backward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct BackwardRow {
    /// The node.
    pub id: NodeId,
    /// Its name.
    pub node: String,
    /// `df/dv`
    pub symbol: String,
    /// One per edge to a node that uses this one. Empty for the output, whose gradient is 1, and
    /// for a node on which the output does not depend.
    pub contributions: Vec<Contribution>,
    /// The sum of the contributions.
    pub gradient: f64,
}

/// The gradient along one edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The node at the other end, which uses this one.
    pub from: String,
    /// That node's gradient, as a symbol: `df/dv`.
    pub incoming_symbol: String,
    /// That node's gradient.
    pub incoming: f64,
    /// The local derivative of the edge, as a symbol: `∂v/∂u`.
    pub local_symbol: String,
    /// The local derivative of the edge.
    pub local: f64,
    /// `incoming · local`
    pub contribution: f64,
}

impl Graph {
    /// The table of the last forward and backward pass.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`], [`Error::BackwardFirst`]
    pub fn trace(&self) -> Result<Trace, Error> {
        self.after_backward()?;
        let names = self.names();
        let inputs = self.inputs.iter().map(|input| input.node as usize);
        let operations = (0..self.nodes.len()).filter(|&index| self.nodes[index].op.arity() > 0);
        let order: Vec<usize> = inputs.chain(operations).collect();
        let forward = order.iter().map(|&index| ForwardRow {
            id: self.id(index),
            node: names[index].clone(),
            operation: self.expression(index, &names),
            operands: self.nodes[index].operands().map(|operand| names[operand].clone()).collect(),
            value: self.values[index],
        });

        let mut edges = Vec::new();
        let mut contributions: Vec<Vec<Contribution>> = vec![Vec::new(); self.nodes.len()];
        for (index, which) in self.edges() {
            let operand = self.nodes[index].operand(which);
            let edge = EdgeRow {
                from: names[operand].clone(),
                to: names[index].clone(),
                symbol: self.slope_symbol(index, which, &names),
                formula: self.slope_expression(index, which, &names),
                value: self.slope(index, which),
            };
            if let Some(incoming) = self.gradients[index] {
                contributions[operand].push(Contribution {
                    from: names[index].clone(),
                    incoming_symbol: self.gradient_symbol(index, &names),
                    incoming,
                    local_symbol: edge.symbol.clone(),
                    local: edge.value,
                    contribution: incoming * edge.value,
                });
            }
            edges.push(edge);
        }
        let backward = order.iter().rev().filter(|&&index| self.nodes[index].varying);
        let backward = backward.map(|&index| BackwardRow {
            id: self.id(index),
            node: names[index].clone(),
            symbol: self.gradient_symbol(index, &names),
            contributions: std::mem::take(&mut contributions[index]),
            gradient: self.gradient_of(index),
        });
        let (forward, backward) = (forward.collect(), backward.collect());
        Ok(Trace { forward, edges, backward, non_finite: self.non_finite() })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |x| brief(x, 6);

        writeln!(f, "Forward: each node from its operands")?;
        let rows = self.forward.iter();
        table(f, rows.map(|row| [row.node.clone(), format!("= {}", row.operation), number(row.value)]))?;

        writeln!(f, "\nLocal derivatives: one on each edge")?;
        let rows = self.edges.iter();
        table(f, rows.map(|row| [row.symbol.clone(), format!("= {}", row.formula), number(row.value)]))?;

        writeln!(f, "\nBackward: incoming gradient × local derivative, summed over all paths")?;
        let rows = self.backward.iter().map(|BackwardRow { symbol, contributions, gradient, .. }| {
            let factor = |x| atom(&number(x));
            let symbols = contributions.iter().map(|c| format!("{} · {}", c.incoming_symbol, c.local_symbol));
            let numbers = contributions.iter().map(|c| format!("{}·{}", factor(c.incoming), factor(c.local)));
            let (symbols, numbers) = match contributions.len() {
                0 if *gradient == 1.0 => ("1  (the seed)".to_owned(), String::new()),
                0 => ("0  (no path)".to_owned(), String::new()),
                _ => (sum(symbols), format!("= {}", sum(numbers))),
            };
            [symbol.clone(), format!("= {symbols}"), numbers, number(*gradient)]
        });
        table(f, rows)?;
        match &self.non_finite {
            Some(place) => writeln!(f, "\nNot finite: {place}"),
            None => Ok(()),
        }
    }
}

fn sum(terms: impl Iterator<Item = String>) -> String {
    terms.collect::<Vec<_>>().join(" + ")
}

/// Aligned columns; the last one is aligned right after a `=`.
fn table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: impl Iterator<Item = [String; N]>) -> fmt::Result {
    let mut rows: Vec<[String; N]> = rows.collect();
    align(&mut rows, N - 1);
    rows.iter().try_for_each(|row| writeln!(f, "  {}  = {}", row[..N - 1].join(" "), row[N - 1]))
}
