//! Panels with axes, in colours that are distinct with any kind of colour vision.

use std::ops::Range;

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

// The palette of Okabe and Ito (2008).
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
pub const VERMILLION: RGBColor = RGBColor(213, 94, 0);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);
pub const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(228, 228, 228);
const FONT: &str = "sans-serif";

/// Points drawn of one series at most: the picture of a large table stays small.
const MOST_POINTS: usize = 2000;

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub type Panel<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;
/// An error of the drawing library.
pub type Failure = Box<dyn std::error::Error>;

/// The labels and the scales of a panel.
pub struct Frame<'a> {
    pub title: &'a str,
    pub x_label: &'a str,
    pub y_label: &'a str,
    /// The y values are decimal logarithms; the labels show the numbers themselves.
    pub log_y: bool,
}

/// An empty panel with title, axes and grid.
pub fn panel<'a>(area: &Area<'a>, frame: &Frame, x: Range<f64>, y: Range<f64>) -> Result<Panel<'a>, Failure> {
    let ((x_ticks, x_text), (y_ticks, y_text)) = (scale(&x, false), scale(&y, frame.log_y));
    let mut panel = ChartBuilder::on(area)
        .caption(label(frame.title), (FONT, 21).into_font().color(&INK))
        .margin(16)
        .margin_right(24)
        .x_label_area_size(52)
        .y_label_area_size(72)
        .build_cartesian_2d(Axis::new(x, x_ticks), Axis::new(y, y_ticks))?;
    panel
        .configure_mesh()
        .x_desc(label(frame.x_label))
        .y_desc(label(frame.y_label))
        .x_label_formatter(&x_text)
        .y_label_formatter(&y_text)
        .axis_desc_style((FONT, 17).into_font().color(&INK))
        .label_style((FONT, 15).into_font().color(&INK))
        .axis_style(INK.mix(0.6))
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .draw()?;
    Ok(panel)
}

/// A picture as the text of an SVG file.
pub fn svg(size: (u32, u32), draw: impl FnOnce(&Area) -> Result<(), Failure>) -> Result<String, Failure> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        draw(&root)?;
        root.present()?;
    }
    Ok(svg)
}

/// The style of text beside panels.
pub fn text_style(size: i32, horizontal: HPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK).pos(Pos::new(horizontal, VPos::Center))
}

/// Points with an entry in the legend.
pub fn points(
    panel: &mut Panel,
    points: impl ExactSizeIterator<Item = (f64, f64)>,
    radius: i32,
    style: ShapeStyle,
    name: &str,
) -> Result<(), Failure> {
    let shown = thinned(points).map(|point| Circle::new(point, radius, style));
    panel.draw_series(shown)?.label(name).legend(point_sample(style));
    Ok(())
}

/// The line y = x over a range, with an entry in the legend.
pub fn diagonal(panel: &mut Panel, range: Range<f64>, name: &str) -> Result<(), Failure> {
    let style = INK.mix(0.7).stroke_width(2);
    let ends = [(range.start, range.start), (range.end, range.end)];
    panel.draw_series(LineSeries::new(ends, style))?.label(name).legend(line_sample(style));
    Ok(())
}

/// A legend for the series that were drawn with a label.
pub fn legend(panel: &mut Panel, position: SeriesLabelPosition) -> Result<(), Failure> {
    panel
        .configure_series_labels()
        .position(position)
        .margin(12)
        .legend_area_size(26)
        .label_font((FONT, 16).into_font().color(&INK))
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .draw()?;
    Ok(())
}

/// A sample of a line for the legend.
pub fn line_sample(style: ShapeStyle) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], style)
}

/// A sample of a point for the legend.
fn point_sample(style: ShapeStyle) -> impl Fn((i32, i32)) -> Circle<(i32, i32), i32> {
    move |(x, y)| Circle::new((x + 10, y), 4, style)
}

/// From the smallest to the largest finite value with a margin; never empty.
pub fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let margin = if high > low { 0.05 * (high - low) } else { 0.1 * low.abs().max(1e-3) };
    low - margin..high + margin
}

/// At most [`MOST_POINTS`] of `items`, evenly spaced.
pub fn thinned<T>(items: impl ExactSizeIterator<Item = T>) -> impl Iterator<Item = T> {
    let step = items.len().div_ceil(MOST_POINTS).max(1);
    items.step_by(step)
}

/// Text fit for one line of a picture.
fn label(text: &str) -> String {
    crate::output::shortened(text, 60)
}

/// An axis with given ticks.
pub struct Axis {
    scale: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Axis {
    fn new(range: Range<f64>, ticks: Vec<f64>) -> Self {
        Axis { scale: range.into(), ticks }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, pixels: (i32, i32)) -> i32 {
        self.scale.map(value, pixels)
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.scale.range()
    }
}

/// The ticks of an axis and their labels.
fn scale(range: &Range<f64>, log: bool) -> (Vec<f64>, impl Fn(&f64) -> String + use<>) {
    let (ticks, step) =
        if log { (log_ticks(range), step(&values(range))) } else { (ticks(range), step(range)) };
    let decades = log && range.end - range.start >= 1.0;
    let text = move |&tick: &f64| {
        let value = if log { 10f64.powf(tick) } else { tick };
        number(value, if decades { value } else { step })
    };
    (ticks, text)
}

/// The distance between ticks: 1, 2 or 5 times a power of ten, for four to eight ticks.
fn step(range: &Range<f64>) -> f64 {
    let least = (range.end - range.start) / 8.0;
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| step >= least)
        .unwrap_or(least)
}

fn ticks(range: &Range<f64>) -> Vec<f64> {
    let step = step(range);
    let first = (range.start / step).ceil();
    // A range that ends at a tick includes it, despite rounding.
    let last = range.end + 1e-9 * step;
    (0..=8).map(|i| (first + f64::from(i)) * step).filter(|&tick| tick <= last).collect()
}

/// The decimal logarithms of round numbers: even steps on an axis of less than a decade, otherwise
/// 1, 2 and 5 times the powers of ten, or the powers alone.
fn log_ticks(range: &Range<f64>) -> Vec<f64> {
    let decades = range.end - range.start;
    if decades < 1.0 {
        return ticks(&values(range)).into_iter().map(f64::log10).collect();
    }
    let factors: &[f64] = if decades < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = (decades / 8.0).ceil() as usize;
    let powers = (range.start.floor() as i32..=range.end as i32).step_by(every).map(f64::from);
    let logs = powers.flat_map(|power| factors.iter().map(move |factor| power + factor.log10()));
    logs.filter(|log| range.contains(log)).collect()
}

/// The numbers whose decimal logarithms are in this range.
fn values(logs: &Range<f64>) -> Range<f64> {
    10f64.powf(logs.start)..10f64.powf(logs.end)
}

/// The label of a tick; `step` is the distance to its neighbours.
fn number(value: f64, step: f64) -> String {
    if !(1e-4..1e5).contains(&step) {
        return format!("{value:.1e}");
    }
    let decimals = (-(step * 1.000_001).log10().floor()).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if value.abs() < step / 2.0 { "0".into() } else { text }
}
