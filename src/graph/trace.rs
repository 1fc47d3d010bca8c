//! The hand calculation as a table.

use std::fmt;

use super::number::brief;
use super::{Error, Graph, NodeId, NonFinite};

/// Everything that one forward and one backward pass computed, as one would write it on paper.
///
/// Its `Display` is aligned text. Constants have no rows of their own: they stand in the operations that use them.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The value of each input and operation: the inputs, then the operations, operands first.
    pub forward: Vec<ForwardRow>,
    /// The local derivative of each edge, ordered by the node that uses the operand.
    pub edges: Vec<EdgeRow>,
    /// The gradient of each input and operation, from the output back to the inputs.
    pub backward: Vec<BackwardRow>,
    /// Where the numbers stopped being finite, if they did.
    pub non_finite: Option<NonFinite>,
}

/// One node of the forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct ForwardRow {
    /// The node.
    pub id: NodeId,
    /// Its name.
    pub node: String,
    /// What it computes, in the names of its operands: `w × x`; `input` for an input.
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
    /// Its formula: `2·v`. A bracket `[a > b]` is 1 if that holds, else 0; at a tie of max or min ½.
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
    /// One for each path by which a gradient comes in. Empty for the output, which is seeded with 1, and for a node on
    /// which the output does not depend.
    pub contributions: Vec<Contribution>,
    /// The sum of the contributions.
    pub gradient: f64,
}

/// What comes back along one edge.
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
        if !self.has_gradients {
            return Err(if self.has_values { Error::BackwardFirst } else { Error::ForwardFirst });
        }
        let names = self.names();
        let inputs = self.inputs.iter().map(|input| input.node as usize);
        let operations = (0..self.nodes.len()).filter(|&index| self.nodes[index].op.arity() > 0);
        let order: Vec<usize> = inputs.chain(operations).collect();
        let rows = || order.iter().copied();
        let forward = rows()
            .map(|index| ForwardRow {
                id: self.id(index),
                node: names[index].clone(),
                operation: self.expression(index, &names),
                operands: self.nodes[index].operands().map(|operand| names[operand].clone()).collect(),
                value: self.values[index],
            })
            .collect();

        let mut edges = Vec::new();
        let mut contributions: Vec<Vec<Contribution>> = vec![Vec::new(); self.nodes.len()];
        for (index, which) in self.edges() {
            let operand = self.nodes[index].operand(which);
            let (symbol, value) = (self.slope_symbol(index, which, &names), self.slope(index, which));
            if self.reached[index] {
                contributions[operand].push(Contribution {
                    from: names[index].clone(),
                    incoming_symbol: self.gradient_symbol(index, &names),
                    incoming: self.gradients[index],
                    local_symbol: symbol.clone(),
                    local: value,
                    contribution: self.gradients[index] * value,
                });
            }
            edges.push(EdgeRow {
                from: names[operand].clone(),
                to: names[index].clone(),
                symbol,
                formula: self.slope_expression(index, which, &names),
                value,
            });
        }
        let backward = rows()
            .filter(|&index| self.nodes[index].varying)
            .rev()
            .map(|index| BackwardRow {
                id: self.id(index),
                node: names[index].clone(),
                symbol: self.gradient_symbol(index, &names),
                contributions: std::mem::take(&mut contributions[index]),
                gradient: self.gradients[index],
            })
            .collect();
        Ok(Trace { forward, edges, backward, non_finite: self.non_finite() })
    }

    /// `∂u/∂w`
    pub(super) fn slope_symbol(&self, index: usize, which: usize, names: &[String]) -> String {
        format!("∂{}/∂{}", names[index], names[self.nodes[index].operand(which)])
    }

    /// The formula of the local derivative, in names: `2·v`.
    pub(super) fn slope_expression(&self, index: usize, which: usize, names: &[String]) -> String {
        let node = self.nodes[index];
        let (a, b) = (node.operand(0), node.operand(1));
        let exponent = self.constant_value(self.id(b));
        node.op.slope_expression(which, &names[a], &names[b], &names[index], exponent)
    }

    /// `df/dv`
    pub(super) fn gradient_symbol(&self, index: usize, names: &[String]) -> String {
        let output = self.output_index().map_or("f", |output| &names[output]);
        format!("d{output}/d{}", names[index])
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
        let rows = self.backward.iter().flat_map(|row| {
            let symbols =
                row.contributions.iter().map(|c| format!("{} · {}", c.incoming_symbol, c.local_symbol));
            let numbers =
                row.contributions.iter().map(|c| format!("{}·{}", factor(c.incoming), factor(c.local)));
            let (symbols, numbers) = (sum(symbols), sum(numbers));
            match row.contributions.len() {
                0 if row.gradient == 1.0 => {
                    vec![[row.symbol.clone(), "= 1  (the seed)".to_owned(), String::new(), number(1.0)]]
                }
                0 => vec![[row.symbol.clone(), "= 0  (no path)".to_owned(), String::new(), number(0.0)]],
                _ => vec![[
                    row.symbol.clone(),
                    format!("= {symbols}"),
                    format!("= {numbers}"),
                    number(row.gradient),
                ]],
            }
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

fn factor(x: f64) -> String {
    let text = brief(x, 6);
    if text.starts_with('-') { format!("({text})") } else { text }
}

/// Columns padded to equal width, the last one aligned at the right after a `=`.
fn table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: impl Iterator<Item = [String; N]>) -> fmt::Result {
    let rows: Vec<[String; N]> = rows.collect();
    let width = |text: &str| text.chars().count();
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    for row in &rows {
        write!(f, "  ")?;
        for column in 0..N - 1 {
            let padding = widths[column] - width(&row[column]);
            write!(f, "{}{:padding$} ", row[column], "")?;
        }
        let padding = widths[N - 1] - width(&row[N - 1]);
        writeln!(f, " = {:padding$}{}", "", row[N - 1])?;
    }
    Ok(())
}
