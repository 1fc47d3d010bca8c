//! Automatic names of nodes: few and short, as on a blackboard.

use super::{Graph, Op};
use crate::text::brief;

/// The names of unnamed operations; if they do not suffice, operations are numbered.
const LETTERS: [&str; 8] = ["u", "v", "p", "q", "r", "s", "t", "z"];

impl Graph {
    /// The name of every node. Inputs and named nodes keep theirs, and constants show their number.
    /// The output is `f`; the other operations are `u`, `v`, `p`, … if those suffice, otherwise
    /// `v1`, `v2`, …. Names in use are skipped.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.nodes.len()];
        for (&node, name) in &self.given_names {
            names[node as usize] = name.to_string();
        }
        let free = |name: &String| !self.by_name.contains_key(name.as_str());
        let anonymous = |&index: &usize| {
            self.nodes[index].op.arity() > 0 && !self.given_names.contains_key(&(index as u32))
        };

        let output = self.output_index();
        if let Some(output) = output.filter(anonymous) {
            let numbered = (1..).map(|number| format!("f{number}"));
            names[output] = std::iter::once("f".to_owned()).chain(numbered).find(free).unwrap_or_default();
        }
        let inner = (0..self.nodes.len()).filter(|index| anonymous(index) && Some(*index) != output);
        let letters: Vec<String> = LETTERS.map(str::to_owned).into_iter().filter(free).collect();
        let count = inner.clone().count();
        let numbered = (1..).map(|number| format!("v{number}")).filter(free).take(count);
        let automatic = if count <= letters.len() { letters } else { numbered.collect() };
        for (index, name) in inner.zip(automatic) {
            names[index] = name;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if node.op == Op::Constant && names[index].is_empty() {
                names[index] = brief(self.values[index], 6);
            }
        }
        names
    }

    pub(super) fn find_automatic_name(&self, name: &str) -> Option<usize> {
        // Constants show a number; that is not a name.
        let names = self.names();
        (0..names.len()).find(|&index| self.nodes[index].op.arity() > 0 && names[index] == name)
    }

    pub(super) fn output_index(&self) -> Option<usize> {
        self.output_node().and_then(|output| self.index(output).ok())
    }

    /// The operation of the node, with the names of its operands: `w × x`.
    pub(super) fn expression(&self, index: usize, names: &[String]) -> String {
        let node = self.nodes[index];
        node.op.expression(&names[node.operand(0)], &names[node.operand(1)])
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
        node.op.slope_expression(which, [&names[a], &names[b], &names[index]], exponent)
    }

    /// `df/dv`
    pub(super) fn gradient_symbol(&self, index: usize, names: &[String]) -> String {
        let output = self.output_index().map_or("f", |output| &names[output]);
        format!("d{output}/d{}", names[index])
    }
}
