//! The graph in Graphviz' language.

use std::fmt::Write;

use super::number::brief;
use super::svg::{GRADIENT, VALUE};
use super::{Graph, Op};

impl Graph {
    /// The graph as [DOT](https://graphviz.org/doc/info/lang.html), for `dot -Tsvg`: inputs left, values in the nodes,
    /// local derivatives on the edges, gradients in a second colour. What has not run is left out.
    pub fn to_dot(&self) -> String {
        let names = self.names();
        let mut dot = String::from("digraph {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
        for (index, node) in self.nodes.iter().enumerate() {
            let name = escape(&names[index]);
            let _ = write!(dot, "  n{index} [label=<{name}");
            if node.op.arity() > 0 {
                let _ = write!(dot, " = {}", escape(&self.expression(index, &names)));
            }
            if let (Ok(value), true) = (self.value(self.id(index)), node.op != Op::Constant) {
                let _ = write!(dot, "<br/><font color=\"{VALUE}\">{}</font>", brief(value, 4));
            }
            if self.has_gradients && node.varying {
                let symbol = escape(&self.gradient_symbol(index, &names));
                let gradient = brief(self.gradients[index], 4);
                let _ = write!(dot, "<br/><font color=\"{GRADIENT}\">{symbol} = {gradient}</font>");
            }
            dot.push_str(">];\n");
        }
        for (index, node) in self.nodes.iter().enumerate() {
            for (which, operand) in node.operands().enumerate() {
                let _ = write!(dot, "  n{operand} -> n{index}");
                if self.has_values && self.nodes[operand].varying {
                    let _ = write!(dot, " [label=\"{}\"]", brief(self.slope(index, which), 4));
                }
                dot.push_str(";\n");
            }
        }
        dot.push_str("}\n");
        dot
    }
}

/// Text that is safe in XML and in a label of DOT: no markup, no quote, no control character.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' | '\r' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => safe.push(c),
        }
    }
    safe
}
