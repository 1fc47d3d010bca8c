//! The graph as an SVG picture.

use std::fmt::Write;

use super::route::Area;
use super::{Error, Graph, Op};
use crate::text::{brief, shorten};

/// Okabe and Ito's blue and vermillion, which readers with colour vision deficiency can tell apart.
pub(super) const VALUE: &str = "#0072B2";
pub(super) const GRADIENT: &str = "#C74E00";

const MARGIN: f64 = 28.0;
const LEGEND: f64 = 44.0;
/// Up to this number of nodes an edge has room for `∂f/∂v = 14`; beyond it, for `14`.
const SPELLED_OUT: usize = 14;

const STYLE: &str = include_str!("svg.css");

/// A line of text with its class in the style sheet and its font size in pixels.
pub(super) struct Line {
    pub class: &'static str,
    pub text: String,
    pub size: f64,
}

impl Graph {
    /// The largest number of nodes that [`Graph::to_svg`] draws.
    pub const LARGEST_DRAWING: usize = 200;

    /// The graph as a self-contained SVG: inputs left, output right, values in the nodes, local
    /// derivatives on the edges, and in a second colour the gradients: in each node its own, on
    /// each edge the one that flows back along it. Numbers of passes that have not run are omitted.
    /// The picture follows the reader's light or dark theme.
    ///
    /// ```
    /// # use geartrain::graph::Graph;
    /// let mut graph = Graph::parse("(w*x + b)^2")?;
    /// graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)])?;
    /// graph.backward()?;
    /// assert!(graph.to_svg()?.contains("∂f/∂v = 14"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooLargeToDraw`] beyond [`Graph::LARGEST_DRAWING`] nodes; up to about 40 are easy
    /// to read.
    pub fn to_svg(&self) -> Result<String, Error> {
        let names = self.picture_names()?;
        let boxes: Vec<Vec<Line>> =
            (0..self.nodes.len()).map(|index| self.node_lines(index, &names)).collect();
        let labels: Vec<Vec<Line>> =
            self.all_edges().map(|(_, to, which)| self.edge_lines(to, which, &names)).collect();
        let routes = self.routes(&boxes, &labels);

        let width = (routes.width + 2.0 * MARGIN).max(360.0);
        let height = routes.height + 2.0 * MARGIN + LEGEND;
        let output = self.output_index().map_or("f", |output| &names[output]);
        let formula = self.formula.as_ref().map_or(String::new(), |formula| format!(" = {formula}"));
        let mut svg = String::new();
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"geartrain\" role=\"img\" \
             style=\"max-width:100%;height:auto\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">\n<title>{}</title>\n<desc>{}</desc>\n\
             <style>\n{STYLE}</style>\n\
             <defs><marker id=\"geartrain-tip\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0.5L8 4L0 7.5z\"/></marker></defs>\n\
             <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n\
             <g transform=\"translate({:.1} {MARGIN:.1})\">\n",
            escape(&format!("Computational graph of {output}{formula}")),
            escape(&self.description(&names)),
            (width - routes.width) / 2.0,
        );
        for path in &routes.paths {
            let _ = writeln!(svg, "<path class=\"edge\" marker-end=\"url(#geartrain-tip)\" d=\"{path}\"/>");
        }
        for (lines, area) in labels.iter().zip(&routes.labels) {
            text(&mut svg, lines, area);
        }
        for (index, (lines, area)) in boxes.iter().zip(&routes.nodes).enumerate() {
            let kind = match self.nodes[index].op {
                Op::Constant => " constant",
                Op::Input => " input",
                _ => "",
            };
            let output = if self.output_index() == Some(index) { " output" } else { "" };
            let Area { x, y, width, height } = *area;
            let (left, top) = (x - width / 2.0, y - height / 2.0);
            let _ = writeln!(
                svg,
                "<rect class=\"node{kind}{output}\" x=\"{left:.1}\" y=\"{top:.1}\" \
                 width=\"{width:.1}\" height=\"{height:.1}\" rx=\"9\"/>"
            );
            text(&mut svg, lines, area);
        }
        svg.push_str("</g>\n");
        let (left, y) = ((width - 310.0).max(0.0) / 2.0, height - 30.0);
        for (offset, class, text) in [
            (0.0, "value", "→ value"),
            (75.0, "slope", "local derivative"),
            (190.0, "gradient", "← gradient"),
        ] {
            let x = left + offset;
            let _ = writeln!(svg, "<text class=\"legend {class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }

    /// The names as pictures show them, cut after 16 characters.
    pub(super) fn picture_names(&self) -> Result<Vec<String>, Error> {
        let (nodes, limit) = (self.nodes.len(), Self::LARGEST_DRAWING);
        if nodes > limit {
            return Err(Error::TooLargeToDraw { nodes, limit });
        }
        Ok(self.names().iter().map(|name| shorten(name, 16)).collect())
    }

    /// The title of a node, then its value and its gradient if known.
    pub(super) fn node_lines(&self, index: usize, names: &[String]) -> Vec<Line> {
        let node = self.nodes[index];
        let mut lines = vec![Line { class: "name", text: self.title_line(index, names), size: 14.0 }];
        if let (Ok(value), true) = (self.value(self.id(index)), node.op != Op::Constant) {
            lines.push(Line { class: "value", text: brief(value, 4), size: 16.0 });
        }
        if self.has_gradients && node.varying {
            let gradient = brief(self.gradient_of(index), 4);
            let text = format!("{} = {gradient}", self.gradient_symbol(index, names));
            lines.push(Line { class: "gradient", text, size: 13.0 });
        }
        lines
    }

    /// The local derivative above the edge, and the gradient below it.
    fn edge_lines(&self, to: usize, which: usize, names: &[String]) -> Vec<Line> {
        let slope = self.has_values.then(|| brief(self.slope(to, which), 4));
        if !self.nodes[self.nodes[to].operand(which)].varying || (slope.is_none() && !self.spelled_out()) {
            return Vec::new();
        }
        let symbol = self.slope_symbol(to, which, names);
        let text = match slope {
            Some(slope) if self.spelled_out() => format!("{symbol} = {slope}"),
            Some(slope) => slope,
            None => symbol,
        };
        let gradient = if self.has_gradients { self.gradients[to] } else { None };
        let back = gradient.map(|gradient| format!("← {}", brief(gradient * self.slope(to, which), 4)));
        let back = Line { class: "gradient", text: back.unwrap_or_default(), size: 13.0 };
        vec![Line { class: "slope", text, size: 13.0 }, back]
    }

    /// Whether edges show the symbols of local derivatives.
    pub(super) fn spelled_out(&self) -> bool {
        self.nodes.len() <= SPELLED_OUT
    }

    fn description(&self, names: &[String]) -> String {
        let describe = |index: usize| {
            let mut text = format!("{} = {}", names[index], self.expression(index, names));
            if let Ok(value) = self.value(self.id(index)) {
                let _ = write!(text, ", value {}", brief(value, 4));
            }
            if self.has_gradients && self.nodes[index].varying {
                let _ = write!(text, ", gradient {}", brief(self.gradient_of(index), 4));
            }
            text
        };
        let nodes = (0..self.nodes.len()).filter(|&index| self.nodes[index].op != Op::Constant);
        nodes.map(describe).collect::<Vec<_>>().join("; ")
    }
}

/// Text that is safe in XML and in DOT labels: no markup, no quotes, no control characters.
pub(super) fn escape(text: &str) -> String {
    let mut safe = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    safe = safe.replace('"', "&quot;").replace('\'', "&#39;").replace(['\n', '\t', '\r'], " ");
    safe.retain(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    safe
}

/// Writes the lines below each other, centred in the area.
fn text(svg: &mut String, lines: &[Line], area: &Area) {
    // The distance of the brackets and slashes of a local derivative from its edge.
    const CLEAR: f64 = 2.0;
    let mut top = area.y - height(lines) / 2.0;
    for Line { class, text, size } in lines {
        let baseline = top + 0.95 * size - if *class == "slope" { CLEAR } else { 0.0 };
        top += LINE_HEIGHT * size;
        // A minus sign is as wide as a plus sign, a hyphen is not.
        let mut text = escape(&text.replace('-', "−"));
        if *class == "name" {
            // The name is bold, its definition is not.
            let end = text.find(" = ").unwrap_or(text.len());
            text = format!("<tspan class=\"name\">{}</tspan>{}", &text[..end], &text[end..]);
        }
        let class = if *class == "name" { "operation" } else { class };
        let _ =
            writeln!(svg, "<text class=\"{class}\" x=\"{:.1}\" y=\"{baseline:.1}\">{text}</text>", area.x);
    }
}

/// An operation is at least as high as the labels of two edges that end in it.
pub(super) fn box_height(lines: &[Line]) -> f64 {
    const TWO_LABELS: f64 = 68.0;
    let is_constant = lines.len() == 1 && !lines[0].text.contains(" = ");
    (height(lines) + 14.0).max(if is_constant { 0.0 } else { TWO_LABELS })
}

/// The height of a line, relative to its font size.
const LINE_HEIGHT: f64 = 1.25;

pub(super) fn height(lines: &[Line]) -> f64 {
    lines.iter().map(|line| line.size * LINE_HEIGHT).sum()
}

/// An upper estimate, because the reader's font is unknown.
pub(super) fn width(lines: &[Line]) -> f64 {
    let ems = |c: char| if c as u32 >= 0x1100 && !"→←−∂".contains(c) { 1.0 } else { 0.58 };
    let width = |line: &Line| line.text.chars().map(ems).sum::<f64>() * line.size;
    lines.iter().map(width).fold(0.0, f64::max)
}
