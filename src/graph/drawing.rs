//! Where the parts of a picture go, for programs that draw the graph themselves.

use super::route::{Area, Routes, route};
use super::svg::{Line, box_height, height, shorten, width};
use super::{Error, Graph, NodeId, Op, layout::layout};

/// A picture of the graph without its numbers: places for nodes, edges and labels, in pixels, for type of 16 (titles), 18
/// (values) and 15 pixels.
///
/// There is room for a number of [`Drawing::NUMBER`] characters in two lines of every operation and input (its value and
/// its gradient) and in two lines on every edge (its local derivative, and the gradient that comes back along it). So the
/// places do not depend on the numbers, and nothing moves while an input is dragged. [`Graph::to_svg`] draws itself, more
/// tightly.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// What encloses all boxes and labels.
    pub area: Area,
    /// All nodes, constants included, operands before the nodes that use them.
    pub nodes: Vec<DrawnNode>,
    /// All edges, those from constants included, ordered by the node that uses the operand.
    pub edges: Vec<DrawnEdge>,
}

/// A node of a [`Drawing`].
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnNode {
    /// The node.
    pub id: NodeId,
    /// The first line of its box: `u = w × x`, the name of an input, the number of a constant. Names are cut after 16
    /// characters.
    pub title: String,
    /// Its box.
    pub area: Area,
}

/// An edge of a [`Drawing`].
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnEdge {
    /// The operand.
    pub from: NodeId,
    /// The node that uses it.
    pub to: NodeId,
    /// Whether it is the node's first operand (0) or its second (1).
    pub operand: usize,
    /// The `d` attribute of an SVG path from the operand to the node.
    pub path: String,
    /// What the label above the edge begins with: `∂u/∂w = `; empty in a picture with too little room for it, and on an
    /// edge without derivative.
    pub prefix: String,
    /// Room for the label: its first line above the edge, its second below.
    pub label: Area,
}

/// Sizes of type: the first line of a box, the value in it, everything else.
const TITLE: f64 = 16.0;
const VALUE: f64 = 18.0;
const TEXT: f64 = 15.0;

impl Drawing {
    /// How many characters a number may have.
    pub const NUMBER: usize = 7;
}

impl Graph {
    /// The picture's places; see [`Drawing`]. They depend on the formula only, not on the values.
    ///
    /// ```
    /// # use geartrain::graph::Graph;
    /// let drawing = Graph::parse("(w*x + b)^2")?.drawing()?;
    /// assert_eq!(drawing.nodes[2].title, "u = w × x");
    /// assert_eq!(drawing.edges[0].prefix, "∂u/∂w = ");
    /// assert!(drawing.nodes.iter().all(|node| node.area.height < drawing.area.height));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooLargeToDraw`] beyond [`Graph::LARGEST_DRAWING`] nodes; [`Error::Empty`].
    pub fn drawing(&self) -> Result<Drawing, Error> {
        self.check_size()?;
        if self.is_empty() {
            return Err(Error::Empty);
        }
        let names: Vec<String> = self.names().iter().map(|name| shorten(name)).collect();
        let titles: Vec<String> = (0..self.nodes.len()).map(|index| self.title_line(index, &names)).collect();
        let boxes: Vec<Vec<Line>> = (0..self.nodes.len()).map(|index| self.room(index, &titles)).collect();
        let edges = self.all_edges();
        let prefixes: Vec<String> =
            edges.iter().map(|&(_, to, which)| self.prefix(to, which, &names)).collect();
        let labels: Vec<Vec<Line>> = edges
            .iter()
            .zip(&prefixes)
            .map(|(&(from, ..), prefix)| if self.nodes[from].varying { label(prefix) } else { Vec::new() })
            .collect();

        let routes = self.routes(&boxes, &edges, &labels);
        let area = enclosing(routes.nodes.iter().chain(&routes.labels));
        let nodes = routes.nodes.into_iter().enumerate().map(|(index, area)| DrawnNode {
            id: self.id(index),
            title: titles[index].clone(),
            area,
        });
        let edges = edges.iter().zip(prefixes).zip(routes.paths.into_iter().zip(routes.labels));
        let edges = edges.map(|((&(from, to, operand), prefix), (path, label))| DrawnEdge {
            from: self.id(from),
            to: self.id(to),
            operand,
            path,
            prefix,
            label,
        });
        Ok(Drawing { area, nodes: nodes.collect(), edges: edges.collect() })
    }

    /// Nobody could read a larger picture, and placing its nodes takes long.
    pub(super) fn check_size(&self) -> Result<(), Error> {
        let (nodes, limit) = (self.nodes.len(), Self::LARGEST_DRAWING);
        if nodes > limit { Err(Error::TooLargeToDraw { nodes, limit }) } else { Ok(()) }
    }

    /// All edges: from, to, and which operand.
    pub(super) fn all_edges(&self) -> Vec<(usize, usize, usize)> {
        let into =
            |to: usize| self.nodes[to].operands().enumerate().map(move |(which, from)| (from, to, which));
        (0..self.nodes.len()).flat_map(into).collect()
    }

    /// Places boxes, edges and labels that hold these lines.
    pub(super) fn routes(
        &self,
        boxes: &[Vec<Line>],
        edges: &[(usize, usize, usize)],
        labels: &[Vec<Line>],
    ) -> Routes {
        let widths: Vec<f64> = boxes.iter().map(|lines| width(lines) + 24.0).collect();
        let sizes: Vec<(usize, f64)> =
            self.columns().into_iter().zip(boxes.iter().map(|lines| box_height(lines))).collect();
        let label_sizes: Vec<(f64, f64)> = labels.iter().map(|lines| (width(lines), height(lines))).collect();
        let ends: Vec<(usize, usize)> = edges.iter().map(|&(from, to, _)| (from, to)).collect();
        route(&layout(&sizes, &ends), &widths, &ends, &label_sizes)
    }

    /// Inputs at the left, an operation right of all its operands, a constant beside its first user.
    fn columns(&self) -> Vec<usize> {
        let mut columns = vec![0; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            columns[index] = node.operands().map(|operand| columns[operand] + 1).max().unwrap_or(0);
        }
        let mut users = vec![usize::MAX; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for operand in node.operands() {
                users[operand] = users[operand].min(columns[index]);
            }
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if node.op == Op::Constant && users[index] != usize::MAX {
                columns[index] = users[index] - 1;
            }
        }
        columns
    }

    pub(super) fn title_line(&self, index: usize, names: &[String]) -> String {
        match self.nodes[index].op.arity() {
            0 => names[index].clone(),
            _ => format!("{} = {}", names[index], self.expression(index, names)),
        }
    }

    /// The lines of a node's box at their widest.
    fn room(&self, index: usize, titles: &[String]) -> Vec<Line> {
        let mut lines = vec![Line { class: "name", text: titles[index].clone(), size: TITLE }];
        if self.nodes[index].op != Op::Constant {
            lines.push(Line { class: "value", text: "8".repeat(Drawing::NUMBER), size: VALUE });
            lines.push(back());
        }
        lines
    }

    fn prefix(&self, to: usize, which: usize, names: &[String]) -> String {
        if self.spelled_out() && self.nodes[self.nodes[to].operand(which)].varying {
            format!("{} = ", self.slope_symbol(to, which, names))
        } else {
            String::new()
        }
    }
}

fn enclosing<'a>(areas: impl Iterator<Item = &'a Area>) -> Area {
    let (mut left, mut right, mut top, mut bottom) = (f64::MAX, f64::MIN, f64::MAX, f64::MIN);
    for area in areas {
        left = left.min(area.x - area.width / 2.0);
        right = right.max(area.x + area.width / 2.0);
        top = top.min(area.y - area.height / 2.0);
        bottom = bottom.max(area.y + area.height / 2.0);
    }
    Area { x: (left + right) / 2.0, y: (top + bottom) / 2.0, width: right - left, height: bottom - top }
}

/// The lines of an edge's label at their widest.
fn label(prefix: &str) -> Vec<Line> {
    let slope = format!("{prefix}{}", "8".repeat(Drawing::NUMBER));
    vec![Line { class: "slope", text: slope, size: TEXT }, back()]
}

fn back() -> Line {
    Line { class: "gradient", text: format!("← {}", "8".repeat(Drawing::NUMBER)), size: TEXT }
}
