//! The graph as a picture for a textbook page.

use std::fmt::Write;

use super::dot::escape;
use super::number::brief;
use super::route::Area;
use super::{Error, Graph, Op};

/// Okabe and Ito's blue and vermillion, which differ for colour-blind eyes too.
pub(super) const VALUE: &str = "#0072B2";
pub(super) const GRADIENT: &str = "#C74E00";

const MARGIN: f64 = 28.0;
const LEGEND: f64 = 44.0;
/// Up to so many nodes there is room for `∂f/∂v = 14` on an edge; beyond them for `14`.
const SPELLED_OUT: usize = 14;

const STYLE: &str = "\
.geartrain { font-family: 'STIX Two Text', 'Libertinus Serif', Georgia, 'DejaVu Serif', serif; font-size: 14px; }
.geartrain { text-anchor: middle; }
.geartrain text { fill: #222222; }
.geartrain .name { font-style: italic; font-weight: bold; }
.geartrain .value { font-size: 16px; fill: #0072B2; }
.geartrain .gradient { font-size: 13px; fill: #C74E00; }
.geartrain .slope { font-size: 13px; }
.geartrain .legend { font-size: 13px; text-anchor: start; }
.geartrain .page { fill: #ffffff; }
.geartrain .node { fill: #fafafa; stroke: #444444; stroke-width: 1.3; }
.geartrain .input { fill: #e8f2f9; }
.geartrain .output { stroke-width: 2.6; }
.geartrain .constant { fill: none; stroke: #999999; stroke-dasharray: 3 3; }
.geartrain .edge { fill: none; stroke: #777777; stroke-width: 1.3; }
.geartrain .tip { fill: #777777; }
@media (prefers-color-scheme: dark) {
.geartrain text { fill: #e8e8e8; }
.geartrain .value { fill: #56b4e9; }
.geartrain .gradient { fill: #ff9a57; }
.geartrain .page { fill: #16181c; }
.geartrain .node { fill: #22262c; stroke: #b8b8b8; }
.geartrain .input { fill: #1b3242; }
.geartrain .constant { fill: none; stroke: #888888; }
.geartrain .edge { stroke: #9a9a9a; }
.geartrain .tip { fill: #9a9a9a; }
}
";

/// A line of text with its class in the style sheet.
pub(super) struct Line {
    pub class: &'static str,
    pub text: String,
    pub size: f64,
}

impl Graph {
    /// The most nodes that [`Graph::to_svg`] draws.
    pub const LARGEST_DRAWING: usize = 200;

    /// The graph as a self-contained SVG: inputs left, output right, values in the nodes, local derivatives on the
    /// edges, and in a second colour the gradients: that of a node in the node, what comes back along an edge on the
    /// edge. Without a pass its numbers are left out. The picture follows the reader's light or dark theme.
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
    /// [`Error::TooLargeToDraw`] beyond [`Graph::LARGEST_DRAWING`] nodes; it reads well up to about 40.
    pub fn to_svg(&self) -> Result<String, Error> {
        self.check_size()?;
        // A name of the user's can be any text; the drawing shows its beginning.
        let names: Vec<String> = self.names().iter().map(|name| shorten(name)).collect();
        let boxes: Vec<Vec<Line>> =
            (0..self.nodes.len()).map(|index| self.node_lines(index, &names)).collect();
        let edges = self.all_edges();
        let labels: Vec<Vec<Line>> =
            edges.iter().map(|&(_, to, which)| self.edge_lines(to, which, &names)).collect();
        let routes = self.routes(&boxes, &edges, &labels);

        let picture_width = (routes.width + 2.0 * MARGIN).max(360.0);
        let shift = (picture_width - routes.width) / 2.0;
        let picture_height = routes.height + 2.0 * MARGIN + LEGEND;
        let mut svg = String::new();
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"geartrain\" role=\"img\" \
             style=\"max-width:100%;height:auto\" \
             width=\"{picture_width:.0}\" height=\"{picture_height:.0}\" \
             viewBox=\"0 0 {picture_width:.0} {picture_height:.0}\">\n<title>{}</title>\n<desc>{}</desc>\n\
             <style>\n{STYLE}</style>\n\
             <defs><marker id=\"geartrain-tip\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0.5L8 4L0 7.5z\"/></marker></defs>\n\
             <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n\
             <g transform=\"translate({shift:.1} {MARGIN:.1})\">\n",
            self.title(&names),
            self.description(&names),
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
            rectangle(&mut svg, &format!("node{kind}{output}"), area, 9.0);
            text(&mut svg, lines, area);
        }
        svg.push_str("</g>\n");
        legend(&mut svg, (picture_width - 310.0).max(0.0) / 2.0, picture_height - 30.0);
        svg.push_str("</svg>\n");
        Ok(svg)
    }

    fn node_lines(&self, index: usize, names: &[String]) -> Vec<Line> {
        let node = self.nodes[index];
        let mut lines = vec![Line { class: "name", text: self.title_line(index, names), size: 14.0 }];
        if node.op == Op::Constant {
            return lines;
        }
        if let Ok(value) = self.value(self.id(index)) {
            lines.push(Line { class: "value", text: brief(value, 4), size: 16.0 });
        }
        if self.has_gradients && node.varying {
            let gradient = brief(self.gradients[index], 4);
            let text = format!("{} = {gradient}", self.gradient_symbol(index, names));
            lines.push(Line { class: "gradient", text, size: 13.0 });
        }
        lines
    }

    fn edge_lines(&self, to: usize, which: usize, names: &[String]) -> Vec<Line> {
        if !self.nodes[self.nodes[to].operand(which)].varying {
            return Vec::new();
        }
        let symbol = self.slope_symbol(to, which, names);
        let spelled_out = self.spelled_out();
        let slope = self.has_values.then(|| brief(self.slope(to, which), 4));
        let text = match slope {
            Some(slope) if spelled_out => format!("{symbol} = {slope}"),
            Some(slope) => slope,
            None if spelled_out => symbol,
            None => return Vec::new(),
        };
        // The edge runs between the two lines.
        let mut back = String::new();
        if self.has_gradients && self.reached[to] {
            back = format!("← {}", brief(self.gradients[to] * self.slope(to, which), 4));
        }
        vec![Line { class: "slope", text, size: 13.0 }, Line { class: "gradient", text: back, size: 13.0 }]
    }

    /// Whether the symbols of local derivatives are written on the edges.
    pub(super) fn spelled_out(&self) -> bool {
        self.nodes.len() <= SPELLED_OUT
    }

    fn title(&self, names: &[String]) -> String {
        let output = self.output_index().map_or("f", |output| &names[output]);
        match &self.formula {
            Some(formula) => escape(&format!("Computational graph of {output} = {formula}")),
            None => escape(&format!("Computational graph of {output}")),
        }
    }

    fn description(&self, names: &[String]) -> String {
        let describe = |index: usize| {
            let mut text = format!("{} = {}", names[index], self.expression(index, names));
            if let Ok(value) = self.value(self.id(index)) {
                let _ = write!(text, ", value {}", brief(value, 4));
            }
            if self.has_gradients && self.nodes[index].varying {
                let _ = write!(text, ", gradient {}", brief(self.gradients[index], 4));
            }
            text
        };
        let nodes = (0..self.nodes.len()).filter(|&index| self.nodes[index].op != Op::Constant);
        escape(&nodes.map(describe).collect::<Vec<_>>().join("; "))
    }
}

fn rectangle(svg: &mut String, class: &str, area: &Area, radius: f64) {
    let (x, y) = (area.x - area.width / 2.0, area.y - area.height / 2.0);
    let (width, height) = (area.width, area.height);
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\"/>"
    );
}

/// Writes the lines below each other, centred in the area.
fn text(svg: &mut String, lines: &[Line], area: &Area) {
    // Keeps the brackets and slashes of a local derivative off its edge.
    const CLEAR: f64 = 2.0;
    let mut top = area.y - height(lines) / 2.0;
    for line in lines {
        let lift = if line.class == "slope" { CLEAR } else { 0.0 };
        let baseline = top + 0.95 * line.size - lift;
        top += line_height(line);
        // A true minus sign is as wide as a plus.
        let text = escape(&line.text.replace('-', "−"));
        // Only the name itself is bold, not its definition.
        let text = match text.split_once(" = ") {
            Some((name, definition)) if line.class == "name" => {
                format!("<tspan class=\"name\">{name}</tspan> = {definition}")
            }
            _ if line.class == "name" => format!("<tspan class=\"name\">{text}</tspan>"),
            _ => text,
        };
        let class = if line.class == "name" { "operation" } else { line.class };
        let x = area.x;
        let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{baseline:.1}\">{text}</text>");
    }
}

fn legend(svg: &mut String, x: f64, y: f64) {
    let mut entry = |offset: f64, class: &str, text: &str| {
        let _ = writeln!(
            svg,
            "<text class=\"legend {class}\" x=\"{:.1}\" y=\"{y:.1}\">{text}</text>",
            x + offset
        );
    };
    entry(0.0, "value", "→ value");
    entry(75.0, "slope", "local derivative");
    entry(190.0, "gradient", "← gradient");
}

/// An operation is high enough for the labels of two arriving edges.
pub(super) fn box_height(lines: &[Line]) -> f64 {
    const TWO_LABELS: f64 = 68.0;
    let is_constant = lines.len() == 1 && !lines[0].text.contains(" = ");
    (height(lines) + 14.0).max(if is_constant { 0.0 } else { TWO_LABELS })
}

fn line_height(line: &Line) -> f64 {
    line.size * 1.25
}

pub(super) fn height(lines: &[Line]) -> f64 {
    lines.iter().map(line_height).sum()
}

/// A generous estimate, since nobody can know the reader's font.
pub(super) fn width(lines: &[Line]) -> f64 {
    let width = |line: &Line| {
        let ems: f64 = line
            .text
            .chars()
            .map(|c| if c as u32 >= 0x1100 && !"→←−∂".contains(c) { 1.0 } else { 0.58 })
            .sum();
        ems * line.size
    };
    lines.iter().map(width).fold(0.0, f64::max)
}

pub(super) fn shorten(name: &str) -> String {
    const LONGEST: usize = 16;
    let mut short: String = name.chars().take(LONGEST).collect();
    if name.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
