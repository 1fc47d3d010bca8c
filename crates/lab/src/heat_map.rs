//! Heat map of gradients by layer and training step, as an SVG picture.

use std::fmt::Write;

use crate::chart::{Axis, style};
use crate::text::{escape, minus};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 840.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 300.0;
const HEIGHT: f64 = 356.0;

/// Dark blue to yellow, perceptually uniform for all kinds of colour vision (cividis; Nuñez et al.
/// 2018).
const SCALE: [[f64; 3]; 5] = [
    [0.0, 34.0, 78.0],
    [67.0, 78.0, 108.0],
    [125.0, 124.0, 120.0],
    [188.0, 174.0, 108.0],
    [254.0, 232.0, 56.0],
];

/// The colour of `part`, a number from 0 to 1.
fn colour(part: f64) -> String {
    let place = part.clamp(0.0, 1.0) * (SCALE.len() - 1) as f64;
    let below = (place as usize).min(SCALE.len() - 2);
    let mix = |i: usize| {
        let (a, b) = (SCALE[below][i], SCALE[below + 1][i]);
        (a + (place - below as f64) * (b - a)).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

/// A column of a heat map: the training step, and `log₁₀ |δ|` by layer or block from the input;
/// `None` where no gradient arrives.
pub(crate) type Column = (u64, Vec<Option<f64>>);

/// A picture of `columns`, with colours over `range`. Cells without a gradient are left empty.
pub(crate) fn heat_map(
    title: &str,
    columns: &[Column],
    range: Option<(f64, f64)>,
    with_style: bool,
) -> String {
    let (low, high) = range.unwrap_or((0.0, 0.0));
    let high = if high > low { high } else { low + 1.0 };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(title)
    );
    if with_style {
        let _ = write!(svg, "<style>{}</style>", style());
    }
    let _ = write!(svg, "<rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>");
    let text = |svg: &mut String, x: f64, y: f64, anchor: &str, text: &str| {
        let _ = write!(
            svg,
            "<text class=\"ink\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escape(text)
        );
    };
    let _ =
        write!(svg, "<text class=\"ink\" x=\"{LEFT}\" y=\"26\" font-size=\"17\">{}</text>", escape(title));
    let stations = columns.iter().map(|(_, logs)| logs.len()).max().unwrap_or(0).max(1);
    let cell = ((RIGHT - LEFT) / columns.len().max(1) as f64, (BOTTOM - TOP) / stations as f64);
    for (i, (_, logs)) in columns.iter().enumerate() {
        for (j, log) in logs.iter().enumerate() {
            let Some(log) = log else { continue };
            // cells overlap by half a unit, so that no gaps show between them
            let _ = write!(
                svg,
                "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{}\"/>",
                LEFT + cell.0 * i as f64,
                BOTTOM - cell.1 * (j + 1) as f64,
                (cell.0 + 0.5).min(RIGHT - LEFT - cell.0 * i as f64),
                cell.1 + if j > 0 { 0.5 } else { 0.0 },
                colour((log - low) / (high - low))
            );
        }
    }
    let _ = write!(svg, "<path class=\"axis\" fill=\"none\" d=\"M{LEFT} {TOP}H{RIGHT}V{BOTTOM}H{LEFT}Z\"/>");
    // labels for at most eight steps and ten layers
    for i in (0..columns.len()).step_by(columns.len().div_ceil(8).max(1)) {
        let step = columns[i].0.to_string();
        text(&mut svg, LEFT + cell.0 * (i as f64 + 0.5), BOTTOM + 20.0, "middle", &step);
    }
    for j in (0..stations).step_by(stations.div_ceil(10)) {
        text(&mut svg, LEFT - 8.0, BOTTOM - cell.1 * (j as f64 + 0.5) + 5.0, "end", &(j + 1).to_string());
    }
    text(&mut svg, (LEFT + RIGHT) / 2.0, BOTTOM + 44.0, "middle", "steps of training");
    let middle = (TOP + BOTTOM) / 2.0;
    let _ = write!(
        svg,
        "<text class=\"ink\" transform=\"translate(20 {middle}) rotate(-90)\" text-anchor=\"middle\">layer or block, from \
         the input</text>"
    );
    // the legend
    let axis = Axis::exactly(low, high, BOTTOM, TOP + 16.0);
    let slices = 64;
    for i in 0..slices {
        let (from, to) = (f64::from(i) / f64::from(slices), f64::from(i + 1) / f64::from(slices));
        let [lower, upper] = [from, to].map(|part| BOTTOM - part * (BOTTOM - TOP - 16.0));
        let _ = write!(
            svg,
            "<rect x=\"864\" y=\"{upper:.2}\" width=\"18\" height=\"{:.2}\" fill=\"{}\"/>",
            lower - upper + if i > 0 { 0.5 } else { 0.0 },
            colour((from + to) / 2.0)
        );
    }
    text(&mut svg, 864.0, TOP + 4.0, "start", "|δ|");
    for tick in axis.ticks() {
        let y = axis.at(tick);
        let power = minus(tick);
        let _ = write!(svg, "<path class=\"axis\" d=\"M882 {y:.1}h5\"/>");
        let _ = write!(
            svg,
            "<text class=\"ink\" x=\"890\" y=\"{:.1}\">10<tspan dy=\"-5\" font-size=\"10\">{power}</tspan></text>",
            y + 5.0
        );
    }
    svg + "</svg>"
}
