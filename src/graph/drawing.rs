//! The positions of a picture's parts, for programs that draw the graph themselves.

use super::route::{Area, Routes, route};
use super::svg::{Line, box_height, height, width};
use super::{Error, Graph, NodeId, Op, layout::layout};

/// A picture of the graph without its numbers: positions of nodes, edges and labels, in pixels. The
/// font sizes are 16 (titles), 18 (values) and 15 pixels.
///
/// Each operation and input has room for two lines of [`Drawing::NUMBER`] characters (its value and
/// its gradient), each edge as well (its local derivative, and the gradient that flows back along
/// it). So the positions do not depend on the numbers, and nothing moves while an input changes.
/// [`Graph::to_svg`] has its own, tighter positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// The smallest area that contains all boxes and labels.
    pub area: Area,
    /// All nodes, including constants; operands before the nodes that use them.
    pub nodes: Vec<DrawnNode>,
    /// All edges, including those from constants, ordered by the node that uses the operand.
    pub edges: Vec<DrawnEdge>,
}

/// A node of a [`Drawing`].
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnNode {
    /// The node.
    pub id: NodeId,
    /// The first line of its box: `u = w × x`, the name of an input, the number of a constant.
    /// Names are cut after 16 characters.
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
    /// The first part of the label above the edge: `∂u/∂w = `. Empty in a picture of many nodes and
    /// on an edge without derivative.
    pub prefix: String,
    /// The area of the label: its first line is above the edge, its second below.
    pub label: Area,
}

/// Font sizes: the first line of a box, the value in it, all other text.
const TITLE: f64 = 16.0;
const VALUE: f64 = 18.0;
const TEXT: f64 = 15.0;

/// A number of the largest width.
const NUMBER: &str = "8888888";

impl Drawing {
    /// The number of characters of a number.
    pub const NUMBER: usize = NUMBER.len();
}

impl Graph {
    /// The positions of the picture's parts; see [`Drawing`]. They depend on the formula only, not
    /// on the values.
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
        let names = self.picture_names()?;
        if self.is_empty() {
            return Err(Error::Empty);
        }
        let titles: Vec<String> = (0..self.nodes.len()).map(|index| self.title_line(index, &names)).collect();
        let boxes: Vec<Vec<Line>> = self.nodes.iter().zip(&titles).map(|(n, t)| room(n.op, t)).collect();
        let edges: Vec<(usize, usize, usize)> = self.all_edges().collect();
        let varying = |from: usize| self.nodes[from].varying;
        let prefix = |&(from, to, which): &(usize, usize, usize)| match self.spelled_out() && varying(from) {
            true => format!("{} = ", self.slope_symbol(to, which, &names)),
            false => String::new(),
        };
        let prefixes: Vec<String> = edges.iter().map(prefix).collect();
        let label = |(edge, prefix): (&(usize, _, _), &String)| match varying(edge.0) {
            true => vec![Line { class: "slope", text: prefix.clone() + NUMBER, size: TEXT }, back()],
            false => Vec::new(),
        };
        let labels: Vec<Vec<Line>> = edges.iter().zip(&prefixes).map(label).collect();

        let routes = self.routes(&boxes, &labels);
        let area = enclosing(routes.nodes.iter().chain(&routes.labels));
        let nodes = routes.nodes.into_iter().zip(titles).enumerate();
        let nodes = nodes.map(|(index, (area, title))| DrawnNode { id: self.id(index), title, area });
        let edges = edges.iter().zip(prefixes).zip(routes.paths.into_iter().zip(routes.labels));
        let edges = edges.map(|((&(from, to, operand), prefix), (path, label))| {
            let (from, to) = (self.id(from), self.id(to));
            DrawnEdge { from, to, operand, path, prefix, label }
        });
        Ok(Drawing { area, nodes: nodes.collect(), edges: edges.collect() })
    }

    /// Positions boxes, edges and labels that contain these lines.
    pub(super) fn routes(&self, boxes: &[Vec<Line>], labels: &[Vec<Line>]) -> Routes {
        let widths: Vec<f64> = boxes.iter().map(|lines| width(lines) + 24.0).collect();
        let heights = boxes.iter().map(|lines| box_height(lines));
        let sizes: Vec<(usize, f64)> = self.columns().into_iter().zip(heights).collect();
        let label_sizes: Vec<(f64, f64)> = labels.iter().map(|lines| (width(lines), height(lines))).collect();
        let ends: Vec<(usize, usize)> = self.all_edges().map(|(from, to, _)| (from, to)).collect();
        route(&layout(&sizes, &ends), &widths, &ends, &label_sizes)
    }

    /// The column of each node: inputs at the left, an operation right of all its operands, a
    /// constant beside its first user.
    fn columns(&self) -> Vec<usize> {
        let mut columns = vec![0; self.nodes.len()];
        for (from, to, _) in self.all_edges() {
            columns[to] = columns[to].max(columns[from] + 1);
        }
        let mut left_of_user = vec![usize::MAX; self.nodes.len()];
        for (from, to, _) in self.all_edges() {
            left_of_user[from] = left_of_user[from].min(columns[to] - 1);
        }
        for (index, column) in columns.iter_mut().enumerate() {
            if self.nodes[index].op == Op::Constant && left_of_user[index] != usize::MAX {
                *column = left_of_user[index];
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
}

/// The lines of a node's box with numbers of the largest width.
fn room(op: Op, title: &str) -> Vec<Line> {
    let mut lines = vec![Line { class: "name", text: title.to_owned(), size: TITLE }];
    if op != Op::Constant {
        lines.extend([Line { class: "value", text: NUMBER.to_owned(), size: VALUE }, back()]);
    }
    lines
}

fn back() -> Line {
    Line { class: "gradient", text: format!("← {NUMBER}"), size: TEXT }
}

fn enclosing<'a>(areas: impl Iterator<Item = &'a Area>) -> Area {
    let start = [f64::MAX, f64::MIN, f64::MAX, f64::MIN];
    let [left, right, top, bottom] = areas.fold(start, |[left, right, top, bottom], area| {
        let (w, h) = (area.width / 2.0, area.height / 2.0);
        [left.min(area.x - w), right.max(area.x + w), top.min(area.y - h), bottom.max(area.y + h)]
    });
    Area { x: (left + right) / 2.0, y: (top + bottom) / 2.0, width: right - left, height: bottom - top }
}
