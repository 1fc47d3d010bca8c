//! The table that [`Network::summary`](crate::Network::summary) prints.

use std::fmt;

use crate::layer::{Kind, Layer};
use crate::params::count;
use crate::text::align;
use crate::{Network, Scalar};

/// The layers of a network as a table. `to_string` and `{}` print it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// One row per layer, containers before the layers inside them.
    pub rows: Vec<Row>,
    /// Numbers that all layers hold.
    pub parameters: usize,
    /// How many of them optimizers change.
    pub trainable: usize,
}

/// One layer of a [`Summary`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its path, as in parameter names: `3.body.0`.
    pub path: String,
    /// Its description: `Linear(7, 64)`.
    pub layer: String,
    /// Features per row that it writes.
    pub outputs: usize,
    /// Numbers that it holds itself, not counting the layers inside it.
    pub parameters: usize,
    /// How many of them optimizers change.
    pub trainable: usize,
}

impl Summary {
    pub(crate) fn new<F: Scalar>(network: &Network<F>) -> Self {
        let layout = network.layout();
        let mut rows = Vec::new();
        let root = network.layer();
        add_rows(root, network.inputs(), "", !root.describe().children.is_empty(), &mut rows);
        let trainable = layout.trainable().iter().map(ExactSizeIterator::len).sum();
        Summary { rows, parameters: layout.len(), trainable }
    }
}

/// Adds the row of `layer` and below it those of its children. `skip` leaves out the row of
/// `layer`.
fn add_rows<F: Scalar>(layer: &dyn Layer<F>, inputs: usize, path: &str, skip: bool, rows: &mut Vec<Row>) {
    let description = layer.describe();
    if !skip {
        let (trainable, fixed): (Vec<_>, Vec<_>) =
            description.params.iter().cloned().partition(|spec| spec.trainable);
        rows.push(Row {
            path: path.into(),
            layer: description.name.clone(),
            outputs: layer.output_features(inputs).unwrap_or(0),
            parameters: count(&trainable) + count(&fixed),
            trainable: count(&trainable),
        });
    }
    for (child, inputs) in description.children_reading(inputs) {
        let path = if path.is_empty() { child.name.clone() } else { format!("{path}.{}", child.name) };
        // The row of a residual connection stands for its body; the layers of the body follow.
        let is_body = matches!(description.kind, Kind::Residual { .. });
        let skip = is_body && !child.layer.describe().children.is_empty();
        add_rows(&**child.layer, inputs, &path, skip, rows);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = ["path", "layer", "output shape", "parameters", "trainable"].map(String::from);
        let mut lines = vec![heading];
        for row in &self.rows {
            let shape = format!("(rows, {})", row.outputs);
            let numbers = [row.parameters, row.trainable].map(thousands);
            let [parameters, trainable] = numbers;
            lines.push([row.path.clone(), row.layer.clone(), shape, parameters, trainable]);
        }
        lines.push(["total", "", "", "", ""].map(String::from));
        lines.last_mut().expect("just pushed")[3..]
            .clone_from_slice(&[self.parameters, self.trainable].map(thousands));
        align(&mut lines, 3);
        let rule = "─".repeat(lines[0].iter().map(|cell| cell.chars().count() + 2).sum::<usize>() - 2);
        for (i, line) in lines.iter().enumerate() {
            if i == 1 || i + 1 == lines.len() {
                writeln!(f, "{rule}")?;
            }
            writeln!(f, "{}", line.join("  "))?;
        }
        Ok(())
    }
}

/// `12345` as `12,345`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
