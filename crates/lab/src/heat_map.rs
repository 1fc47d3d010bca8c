//! Heat map of gradients by layer and training step, as an SVG picture.

use std::fmt::Write;

use crate::svg::{Axis, CIVIDIS, colour, colour_bar, document, heading, markup, power_of_ten, text, upright};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 840.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 300.0;
const HEIGHT: f64 = 356.0;

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
    let mut svg = document(WIDTH, HEIGHT, title, with_style);
    heading(&mut svg, LEFT, 26.0, 17, title);
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
                colour(&CIVIDIS, (log - low) / (high - low))
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
    upright(&mut svg, 20.0, (TOP + BOTTOM) / 2.0, "layer or block, from the input");
    // the legend
    let axis = Axis::exactly(low, high, BOTTOM, TOP + 16.0);
    colour_bar(&mut svg, &CIVIDIS, 864.0, BOTTOM, TOP + 16.0);
    text(&mut svg, 864.0, TOP + 4.0, "start", "|δ|");
    for tick in axis.ticks() {
        let y = axis.at(tick);
        let _ = write!(svg, "<path class=\"axis\" d=\"M882 {y:.1}h5\"/>");
        markup(&mut svg, 890.0, y + 5.0, "start", &power_of_ten(tick));
    }
    svg + "</svg>"
}
