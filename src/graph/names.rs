//! Names for nodes that nobody named: few and short, as on a blackboard.

use std::collections::HashSet;

use super::number::brief;
use super::{Graph, Op};

/// Enough for a formula on a blackboard; beyond them nodes are numbered.
const LETTERS: [&str; 8] = ["u", "v", "p", "q", "r", "s", "t", "z"];

impl Graph {
    /// The name of every node. Inputs and named nodes keep theirs and constants show their number. The output is `f`;
    /// the other operations are `u`, `v`, `p`, … if those suffice, else `v1`, `v2`, …; a name in use is passed over.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.nodes.len()];
        for input in &self.inputs {
            names[input.node as usize] = input.name.to_string();
        }
        for (&node, label) in &self.labels {
            names[node as usize] = label.to_string();
        }
        let taken: HashSet<&str> =
            self.input_names().chain(self.labels.values().map(|label| &**label)).collect();
        let free = |name: &String| !taken.contains(name.as_str());
        let is_anonymous =
            |index: usize| self.nodes[index].op.arity() > 0 && !self.labels.contains_key(&(index as u32));

        let output = self.output_index();
        if let Some(output) = output.filter(|&output| is_anonymous(output)) {
            let numbered = (1..).map(|number| format!("f{number}"));
            names[output] = std::iter::once("f".to_owned()).chain(numbered).find(free).unwrap_or_default();
        }
        let inner: Vec<usize> =
            (0..self.nodes.len()).filter(|&index| is_anonymous(index) && Some(index) != output).collect();
        let letters: Vec<String> = LETTERS.map(str::to_owned).into_iter().filter(free).collect();
        if inner.len() <= letters.len() {
            for (index, letter) in inner.into_iter().zip(letters) {
                names[index] = letter;
            }
        } else {
            let numbered = (1..).map(|number| format!("v{number}")).filter(free);
            for (index, name) in inner.into_iter().zip(numbered) {
                names[index] = name;
            }
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if node.op == Op::Constant && names[index].is_empty() {
                names[index] = brief(self.values[index], 6);
            }
        }
        names
    }

    pub(super) fn find_automatic_name(&self, name: &str) -> Option<usize> {
        // Constants show a number, which is no name.
        let names = self.names();
        (0..names.len()).find(|&index| self.nodes[index].op.arity() > 0 && names[index] == name)
    }

    pub(super) fn output_index(&self) -> Option<usize> {
        self.output_node().and_then(|output| self.index(output).ok())
    }

    /// What the node computes, in the names of its operands: `w × x`.
    pub(super) fn expression(&self, index: usize, names: &[String]) -> String {
        let node = self.nodes[index];
        node.op.expression(&names[node.operand(0)], &names[node.operand(1)])
    }
}
