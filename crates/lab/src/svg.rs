//! Parts of SVG pictures: the document, text, axes, scales of colours.

use std::fmt::Write;

use crate::text::{escape, minus};

/// Colours distinguishable for colour-blind readers (Okabe and Ito 2008), on light and dark ground.
pub(crate) const LIGHT: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#b5478c", "#b07a00", "#3a96c9", "#444444"];
const DARK: [&str; 7] = ["#5ab4f0", "#ff8a3d", "#2fd0a0", "#ee9ccb", "#f0b840", "#a5dcff", "#cccccc"];

/// Colours at equal distances, which are mixed in between.
pub(crate) type Scale = [[f64; 3]; 5];

/// Dark blue to yellow, perceptually uniform for all kinds of colour vision (cividis; Nuñez et al.
/// 2018).
pub(crate) const CIVIDIS: Scale = [
    [0.0, 34.0, 78.0],
    [67.0, 78.0, 108.0],
    [125.0, 124.0, 120.0],
    [188.0, 174.0, 108.0],
    [254.0, 232.0, 56.0],
];

/// The colour of `part`, a number from 0 to 1, on a scale.
pub(crate) fn colour(scale: &Scale, part: f64) -> String {
    let place = part.clamp(0.0, 1.0) * (scale.len() - 1) as f64;
    let below = (place as usize).min(scale.len() - 2);
    let mix = |i: usize| {
        let (a, b) = (scale[below][i], scale[below + 1][i]);
        (a + (place - below as f64) * (b - a)).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

/// The style sheet shared by all pictures of a page.
pub(crate) fn style() -> String {
    let mut css = String::from(
        "svg{font:14px system-ui,sans-serif}.ink{fill:#222}.soft{fill:#666}.axis{stroke:#888}.grid{stroke:#e4e4e4}\
         .ground{fill:#fff}",
    );
    let colours = |css: &mut String, palette: [&str; 7]| {
        for (i, colour) in palette.iter().enumerate() {
            let _ = write!(css, ".l{i}{{stroke:{colour};fill:none}}.f{i}{{fill:{colour}}}");
        }
    };
    colours(&mut css, LIGHT);
    css += "@media(prefers-color-scheme:dark){.ink{fill:#eee}.soft{fill:#aaa}.axis{stroke:#888}.grid{stroke:#333}\
            .ground{fill:#161616}";
    colours(&mut css, DARK);
    css + "}"
}

/// The beginning of a picture; without a style sheet for a page that has one.
pub(crate) fn document(width: f64, height: f64, title: &str, with_style: bool) -> String {
    let style = if with_style { format!("<style>{}</style>", style()) } else { String::new() };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\
         {style}<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>",
        escape(title)
    )
}

pub(crate) fn heading(svg: &mut String, x: f64, y: f64, size: u32, text: &str) {
    let text = escape(text);
    let _ = write!(svg, "<text class=\"ink\" x=\"{x}\" y=\"{y}\" font-size=\"{size}\">{text}</text>");
}

pub(crate) fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    markup(svg, x, y, anchor, &escape(text));
}

/// Text that may contain elements.
pub(crate) fn markup(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ =
        write!(svg, "<text class=\"ink\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// The label of a vertical axis.
pub(crate) fn upright(svg: &mut String, x: f64, y: f64, text: &str) {
    let _ = write!(
        svg,
        "<text class=\"ink\" transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        escape(text)
    );
}

/// 10 to the power of `exponent`, as [`markup`].
pub(crate) fn power_of_ten(exponent: f64) -> String {
    format!("10<tspan dy=\"-5\" font-size=\"10\">{}</tspan>", minus(exponent))
}

/// A scale of colours, for a legend.
pub(crate) fn colour_bar(svg: &mut String, scale: &Scale, left: f64, bottom: f64, top: f64) {
    let slices = 64;
    for i in 0..slices {
        let [from, to] = [i, i + 1].map(|i| f64::from(i) / f64::from(slices));
        let [lower, upper] = [from, to].map(|part| bottom - part * (bottom - top));
        // slices overlap by half a unit, so that no gaps show between them
        let _ = write!(
            svg,
            "<rect x=\"{left}\" y=\"{upper:.2}\" width=\"18\" height=\"{:.2}\" fill=\"{}\"/>",
            lower - upper + if i > 0 { 0.5 } else { 0.0 },
            colour(scale, (from + to) / 2.0)
        );
    }
}

/// The map from values to positions along one axis.
pub(crate) struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Over all `values`, with a margin.
    pub fn over(values: &[f64], from: f64, to: f64) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        // a margin keeps marks off the frame, and an empty range readable
        let margin = (0.04 * (high - low)).max(if high > low { 0.0 } else { 0.5 });
        Axis::exactly(low - margin, high + margin, from, to)
    }

    /// From `low` to `high`, without a margin.
    pub fn exactly(low: f64, high: f64, from: f64, to: f64) -> Self {
        Axis { low, high, from, to }
    }

    pub fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Five to ten multiples of 1, 2 or 5 times a power of ten.
    pub fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 8.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= rough).unwrap_or(power);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        // division, because 3 · 0.1 is not 0.3
        (first..=last)
            .map(|k| if step < 1.0 { k as f64 / (1.0 / step).round() } else { k as f64 * step })
            .collect()
    }
}
