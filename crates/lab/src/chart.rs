//! SVG charts: points with error bars, lines with bands.

use std::fmt::Write;

use crate::svg::{Axis, LIGHT, document, heading, markup, power_of_ten, text, upright};
use crate::text::{escape, minus};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 300.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 56.0;

/// A chart with a legend on the right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chart {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    /// Whether `y` values are decimal logarithms, with ticks labelled 10ᵏ.
    pub logarithmic: bool,
    pub series: Vec<Series>,
}

/// The points and the line of one colour.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    pub name: String,
    /// The index of its colour and mark, the same in all charts of a page.
    pub colour: usize,
    /// The second line of its legend entry.
    pub note: String,
    /// x, y, and half the height of the error bar.
    pub points: Vec<(f64, f64, f64)>,
    /// x, y, and half the height of the band.
    pub line: Vec<(f64, f64, f64)>,
    /// Whether the line is dashed.
    pub dashed: bool,
}

impl Series {
    fn dashes(&self) -> &'static str {
        if self.dashed { " stroke-dasharray=\"7 5\"" } else { "" }
    }
}

impl Chart {
    /// An SVG document; without a style sheet for a page that has one.
    pub fn svg(&self, with_style: bool) -> String {
        let all = || self.series.iter().flat_map(|s| s.points.iter().chain(&s.line));
        let finite = |value: &f64| value.is_finite();
        // axes of σw and σb start at 0
        let origin = (!self.logarithmic).then_some(0.0);
        let xs: Vec<f64> = all().map(|p| p.0).chain(origin).filter(finite).collect();
        let ys: Vec<f64> = all().flat_map(|p| [p.1 - p.2, p.1 + p.2]).filter(finite).collect();
        let (x, y) = (Axis::over(&xs, LEFT, WIDTH - RIGHT), Axis::over(&ys, HEIGHT - BOTTOM, TOP));
        let mut svg = document(WIDTH, HEIGHT, &self.title, with_style);
        heading(&mut svg, LEFT, 26.0, 17, &self.title);
        self.axes(&mut svg, &x, &y);
        let classes = |i: usize| i % LIGHT.len();
        for series in &self.series {
            draw(&mut svg, series, classes(series.colour), &x, &y);
        }
        for (i, series) in self.series.iter().enumerate() {
            let (left, top) = (WIDTH - RIGHT + 24.0, TOP + 12.0 + 46.0 * i as f64);
            if !series.line.is_empty() {
                let (end, class) = (left + 26.0, classes(series.colour));
                let _ = write!(
                    svg,
                    "<path class=\"l{class}\" stroke-width=\"2\"{} d=\"M{left:.1} {top:.1}H{end:.1}\"/>",
                    series.dashes()
                );
            }
            if !series.points.is_empty() {
                marker(&mut svg, classes(series.colour), series.colour, left + 13.0, top);
            }
            let (x, below) = (left + 36.0, top + 22.0);
            text(&mut svg, x, top + 5.0, "start", &series.name);
            let _ = write!(
                svg,
                "<text class=\"soft\" x=\"{x}\" y=\"{below}\" font-size=\"12\">{}</text>",
                escape(&series.note)
            );
        }
        svg + "</svg>"
    }

    fn axes(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        let whole = y.ticks().iter().all(|tick| tick.fract() == 0.0);
        for tick in y.ticks() {
            let at = y.at(tick);
            let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
            let label = match (self.logarithmic, whole) {
                (true, true) => power_of_ten(tick),
                // a small range: the number itself, to two digits
                (true, false) => minus(two_digits(10_f64.powf(tick))),
                (false, _) => minus(tick),
            };
            markup(svg, LEFT - 8.0, at + 5.0, "end", &label);
        }
        for tick in x.ticks() {
            let at = x.at(tick);
            let _ = write!(svg, "<path class=\"axis\" d=\"M{at:.1} {bottom}v5\"/>");
            text(svg, at, bottom + 20.0, "middle", &minus(tick));
        }
        let _ = write!(svg, "<path class=\"axis\" fill=\"none\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>");
        text(svg, (LEFT + right) / 2.0, bottom + 44.0, "middle", &self.x_label);
        upright(svg, 20.0, (TOP + bottom) / 2.0, &self.y_label);
    }
}

fn draw(svg: &mut String, series: &Series, class: usize, x: &Axis, y: &Axis) {
    let place = |(px, py): (f64, f64)| format!("{:.1} {:.1}", x.at(px), y.at(py));
    let line: Vec<_> = series.line.iter().filter(|p| p.1.is_finite()).collect();
    if line.iter().any(|p| p.2 > 0.0) {
        let upper = line.iter().map(|p| place((p.0, p.1 + p.2)));
        let lower = line.iter().rev().map(|p| place((p.0, p.1 - p.2)));
        let outline: Vec<String> = upper.chain(lower).collect();
        let _ = write!(svg, "<path class=\"f{class}\" opacity=\".16\" d=\"M{}Z\"/>", outline.join("L"));
    }
    if !line.is_empty() {
        let path: Vec<String> = line.iter().map(|p| place((p.0, p.1))).collect();
        let (dashes, path) = (series.dashes(), path.join("L"));
        let _ = write!(svg, "<path class=\"l{class}\" stroke-width=\"2\"{dashes} d=\"M{path}\"/>");
    }
    for &(px, py, error) in series.points.iter().filter(|p| p.1.is_finite()) {
        if error > 0.0 {
            let (at, top, bottom) = (x.at(px), y.at(py + error), y.at(py - error));
            let _ = write!(
                svg,
                "<path class=\"l{class}\" d=\"M{at:.1} {top:.1}V{bottom:.1}M{:.1} {top:.1}h6M{:.1} {bottom:.1}h6\"/>",
                at - 3.0,
                at - 3.0
            );
        }
        marker(svg, class, series.colour, x.at(px), y.at(py));
    }
}

/// A mark whose shape distinguishes series as well as its colour.
fn marker(svg: &mut String, class: usize, shape: usize, x: f64, y: f64) {
    let shape = match shape % 6 {
        0 => format!("<circle class=\"f{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
        1 => path(class, x, y, "m-4 -4h8v8h-8z"),
        2 => path(class, x, y, "m0 -5l5 9h-10z"),
        3 => path(class, x, y, "m0 -5l5 5l-5 5l-5 -5z"),
        4 => path(class, x, y, "m0 5l5 -9h-10z"),
        _ => path(class, x, y, "m-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z"),
    };
    *svg += &shape;
}

fn path(class: usize, x: f64, y: f64, outline: &str) -> String {
    format!("<path class=\"f{class}\" d=\"M{x:.1} {y:.1}{outline}\"/>")
}

fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().expect("a number")
}
