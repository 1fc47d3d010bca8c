//! The graph in the language of Graphviz.

use std::fmt::Write;

use super::Graph;
use super::svg::{GRADIENT, VALUE, escape};
use crate::text::brief;

impl Graph {
    /// The graph as [DOT](https://graphviz.org/doc/info/lang.html), for `dot -Tsvg`: inputs left,
    /// values in the nodes, local derivatives on the edges, gradients in a second colour. Numbers
    /// of passes that have not run are omitted.
    pub fn to_dot(&self) -> String {
        let names = self.names();
        let mut dot = String::from("digraph {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
        for index in 0..self.nodes.len() {
            let lines = self.node_lines(index, &names).into_iter().map(|line| match line.class {
                "value" => format!("<font color=\"{VALUE}\">{}</font>", line.text),
                "gradient" => format!("<font color=\"{GRADIENT}\">{}</font>", escape(&line.text)),
                _ => escape(&line.text),
            });
            let label = lines.collect::<Vec<_>>().join("<br/>");
            let _ = writeln!(dot, "  n{index} [label=<{label}>];");
        }
        for (from, to, which) in self.all_edges() {
            let known = self.has_values && self.nodes[from].varying;
            let label = known.then(|| format!(" [label=\"{}\"]", brief(self.slope(to, which), 4)));
            let _ = writeln!(dot, "  n{from} -> n{to}{};", label.unwrap_or_default());
        }
        dot + "}\n"
    }
}
