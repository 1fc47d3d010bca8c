//! Maps of a quantity over two parameters, with a curve of the theory, as an SVG picture.

use std::fmt::Write;

use crate::svg::{Axis, CIVIDIS, Scale, colour, colour_bar, document, heading, text, upright};
use crate::text::minus;

/// A map: one coloured cell for each pair of an x and a y value.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseMap {
    /// The text above it.
    pub title: String,
    /// The horizontal axis.
    pub x: MapAxis,
    /// The vertical axis.
    pub y: MapAxis,
    /// The values, y fastest: the cell of `x[i]` and `y[j]` has the index `i * y.len() + j`. Cells
    /// that are not finite are left empty.
    pub values: Vec<f64>,
    /// A curve in the plane, in the units of the axes; empty for none.
    pub curve: Vec<(f64, f64)>,
}

/// An axis of a [`PhaseMap`].
#[derive(Debug, Clone, PartialEq)]
pub struct MapAxis {
    label: String,
    /// The places of the cells' centres, and their labels.
    places: Vec<f64>,
    labels: Vec<String>,
    logarithmic: bool,
}

impl MapAxis {
    /// An axis with cells at these values.
    pub fn linear(label: &str, values: &[f64]) -> Self {
        let labels = values.iter().map(|value| minus((value * 1e4).round() / 1e4)).collect();
        MapAxis { label: label.into(), places: values.to_vec(), labels, logarithmic: false }
    }

    /// An axis on which powers of ten are equally far apart. Values must be above 0.
    pub fn logarithmic(label: &str, values: &[f64]) -> Self {
        let places = values.iter().map(|value| value.log10()).collect();
        let labels = values.iter().map(|value| format!("{value}")).collect();
        MapAxis { label: label.into(), places, labels, logarithmic: true }
    }

    fn place(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }

    /// The limits of the cell `i`: halfway to its neighbours, or as far out as its neighbour is
    /// within.
    fn cell(&self, i: usize) -> [f64; 2] {
        let mut order = self.places.clone();
        order.sort_by(f64::total_cmp);
        order.dedup();
        let Some(at) = order.iter().position(|&place| place == self.places[i]) else { return [0.0; 2] };
        let here = order[at];
        let below = at.checked_sub(1).map(|at| (here - order[at]) / 2.0);
        let above = order.get(at + 1).map(|next| (next - here) / 2.0);
        let (below, above) = (below.or(above).unwrap_or(0.5), above.or(below).unwrap_or(0.5));
        [here - below, here + above]
    }

    /// The limits of all cells.
    fn range(&self) -> [f64; 2] {
        let cells = (0..self.places.len()).map(|i| self.cell(i));
        cells
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], [from, to]| [low.min(from), high.max(to)])
    }
}

/// The colours of a picture of maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapColours {
    /// Blue below 0, white at 0, brown above: for logarithms of ratios.
    Diverging,
    /// Dark blue to yellow, from the least value to the largest.
    Sequential,
}

/// Blue over white to brown, distinguishable for all kinds of colour vision (BrBG and RdBu, Brewer
/// 2003, mixed).
const DIVERGING: Scale = [
    [5.0, 48.0, 97.0],
    [103.0, 169.0, 207.0],
    [250.0, 250.0, 250.0],
    [216.0, 160.0, 80.0],
    [102.0, 50.0, 5.0],
];

const PANEL: [f64; 2] = [380.0, 340.0];
const FRAME: [f64; 4] = [70.0, 44.0, 360.0, 280.0];
const TOP: f64 = 44.0;
const LEGEND: f64 = 120.0;

impl MapColours {
    fn scale(self) -> &'static Scale {
        if self == MapColours::Diverging { &DIVERGING } else { &CIVIDIS }
    }

    /// The values at the two ends of the scale.
    fn range(self, maps: &[PhaseMap]) -> [f64; 2] {
        let values = maps.iter().flat_map(|map| &map.values).copied().filter(|value| value.is_finite());
        let [low, high] = values
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(value), high.max(value)]);
        let [low, high] = if low <= high { [low, high] } else { [0.0, 0.0] };
        let largest = low.abs().max(high.abs());
        match self {
            MapColours::Diverging if largest > 0.0 => [-largest, largest],
            MapColours::Sequential if high > low => [low, high],
            _ => [low - 0.5, low + 0.5],
        }
    }
}

/// A picture of `maps` side by side, three in a row, with one scale of colours for all, which shows
/// `value`. An SVG document.
pub fn phase_maps_svg(title: &str, value: &str, maps: &[PhaseMap], colours: MapColours) -> String {
    let columns = maps.len().clamp(1, 3);
    let rows = maps.len().max(1).div_ceil(columns);
    let (right, height) = (PANEL[0] * columns as f64 + LEGEND, TOP + PANEL[1] * rows as f64);
    // A character of the title is about 9 pixels wide.
    let width = right.max(40.0 + 9.0 * title.chars().count() as f64);
    let mut svg = document(width, height, title, true);
    heading(&mut svg, 20.0, 28.0, 17, title);
    let (scale, range) = (colours.scale(), colours.range(maps));
    for (i, map) in maps.iter().enumerate() {
        let (x, y) = (PANEL[0] * (i % columns) as f64, TOP + PANEL[1] * (i / columns) as f64);
        let _ = write!(svg, "<g transform=\"translate({x} {y})\">");
        draw(&mut svg, map, i, scale, range);
        svg += "</g>";
    }
    legend(&mut svg, right - LEGEND + 10.0, value, scale, range);
    svg + "</svg>"
}

fn draw(svg: &mut String, map: &PhaseMap, number: usize, scale: &Scale, range: [f64; 2]) {
    let [left, top, right, bottom] = FRAME;
    let ([x_low, x_high], [y_low, y_high]) = (map.x.range(), map.y.range());
    let (x, y) = (Axis::exactly(x_low, x_high, left, right), Axis::exactly(y_low, y_high, bottom, top));
    let shape = format!("M{left} {top}H{right}V{bottom}H{left}Z");
    let _ = write!(svg, "<clipPath id=\"map{number}\"><path d=\"{shape}\"/></clipPath>");
    for (i, cells) in map.values.chunks(map.y.places.len().max(1)).enumerate() {
        let [from, to] = map.x.cell(i).map(|place| x.at(place));
        for (j, &value) in cells.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let [lower, upper] = map.y.cell(j).map(|place| y.at(place));
            let _ = write!(
                svg,
                "<rect x=\"{from:.2}\" y=\"{upper:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{}\"/>",
                to - from,
                lower - upper,
                colour(scale, (value - range[0]) / (range[1] - range[0]))
            );
        }
    }
    // The theory may also allow points far outside the map.
    let points: Vec<String> = map
        .curve
        .iter()
        .map(|&(px, py)| (x.at(map.x.place(px)), y.at(map.y.place(py))))
        .filter(|(px, py)| px.abs() < 1e4 && py.abs() < 1e4)
        .map(|(px, py)| format!("{px:.1} {py:.1}"))
        .collect();
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        if first == last {
            // ReLU's edge is one point
            let (px, py) = first.split_once(' ').unwrap_or_default();
            let _ = write!(svg, "<circle class=\"ink\" cx=\"{px}\" cy=\"{py}\" r=\"5\"/>");
        } else {
            let path = points.join("L");
            let _ = write!(
                svg,
                "<g clip-path=\"url(#map{number})\"><path fill=\"none\" stroke=\"#ffffff\" stroke-width=\"5\" \
                 d=\"M{path}\"/><path fill=\"none\" stroke=\"#111111\" stroke-width=\"2\" d=\"M{path}\"/></g>"
            );
        }
    }
    let _ = write!(svg, "<path class=\"axis\" fill=\"none\" d=\"{shape}\"/>");
    heading(svg, left, top - 10.0, 15, &map.title);
    // labels for at most six cells of each axis
    for i in (0..map.x.places.len()).step_by(map.x.places.len().div_ceil(6).max(1)) {
        text(svg, x.at(map.x.places[i]), bottom + 18.0, "middle", &map.x.labels[i]);
    }
    for j in (0..map.y.places.len()).step_by(map.y.places.len().div_ceil(6).max(1)) {
        text(svg, left - 6.0, y.at(map.y.places[j]) + 5.0, "end", &map.y.labels[j]);
    }
    text(svg, (left + right) / 2.0, bottom + 40.0, "middle", &map.x.label);
    upright(svg, 16.0, (top + bottom) / 2.0, &map.y.label);
}

fn legend(svg: &mut String, left: f64, value: &str, scale: &Scale, [low, high]: [f64; 2]) {
    let (top, bottom) = (TOP + FRAME[1], TOP + FRAME[3]);
    colour_bar(svg, scale, left, bottom, top);
    text(svg, left, top - 10.0, "start", value);
    let axis = Axis::exactly(low, high, bottom, top);
    for tick in axis.ticks() {
        let at = axis.at(tick);
        let _ = write!(svg, "<path class=\"axis\" d=\"M{} {at:.1}h5\"/>", left + 18.0);
        text(svg, left + 26.0, at + 5.0, "start", &minus(tick));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> PhaseMap {
        PhaseMap {
            title: "tanh <1>".into(),
            x: MapAxis::linear("σw", &[1.0, 2.0]),
            y: MapAxis::linear("σb", &[0.0, 0.5, 1.0]),
            values: vec![-1.0, 0.0, 0.5, f64::NAN, f64::NEG_INFINITY, 1.0],
            curve: vec![(1.0, 0.0), (2.0, 1.0)],
        }
    }

    #[test]
    fn every_finite_cell_has_the_colour_of_its_value() {
        let svg = phase_maps_svg("Phases", "per layer", &[map()], MapColours::Diverging);
        // 4 finite cells, 64 slices of the legend, the ground
        assert_eq!(svg.matches("<rect").count(), 4 + 64 + 1);
        // the least value, 0 and the largest
        for colour in ["#053061", "#fafafa", "#663205"] {
            assert!(svg.contains(&format!("fill=\"{colour}\"")), "{colour}");
        }
        assert!(svg.contains("tanh &lt;1&gt;"));
    }

    #[test]
    fn the_curve_runs_through_the_centres_of_cells_at_its_points() {
        let svg = phase_maps_svg("Phases", "per layer", &[map()], MapColours::Diverging);
        // x: cells of width 1 around 1 and 2 fill 70 to 360
        // y: cells of height 0.5 around 0, 0.5 and 1 fill 280 to 44
        assert!(svg.contains("d=\"M142.5 240.7L287.5 83.3\""), "{svg}");
    }

    #[test]
    fn a_long_title_widens_the_picture() {
        let width = |title: &str| {
            let svg = phase_maps_svg(title, "per layer", &[map()], MapColours::Diverging);
            svg.split(' ').nth(4).and_then(|width| width.parse::<f64>().ok()).expect("of the view box")
        };
        assert_eq!(width("Phases"), PANEL[0] + LEGEND);
        assert_eq!(width(&"t".repeat(60)), 580.0);
    }

    #[test]
    fn equal_values_and_single_cells_have_a_scale() {
        let one = PhaseMap {
            x: MapAxis::logarithmic("learning rate", &[0.01]),
            y: MapAxis::linear("width", &[16.0]),
            values: vec![0.7],
            curve: vec![],
            ..map()
        };
        let svg = phase_maps_svg("Scores", "R²", &[one], MapColours::Sequential);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains(">0.01<"));
    }
}
