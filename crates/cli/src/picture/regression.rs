//! The panel of a regression: predicted against actual numbers, or the fitted curve.

use geartrain::data::Dataset;
use ndarray::Array2;
use plotters::prelude::*;

use super::plot::{self, Area, BLUE, Failure, Frame, GREEN, VERMILLION};
use crate::train::experiment::Trained;

/// Predicted against actual numbers of the test rows, with the diagonal of perfect predictions.
pub fn scatter(area: &Area, points: &[(f64, f64)], target: &str, title: &str) -> Result<(), Failure> {
    let range = plot::range(points.iter().flat_map(|&(actual, predicted)| [actual, predicted]));
    let frame = Frame {
        title,
        x_label: &format!("actual {target}"),
        y_label: &format!("predicted {target}"),
        log_y: false,
    };
    let mut panel = plot::panel(area, &frame, range.clone(), range.clone())?;
    plot::diagonal(&mut panel, range, "predicted = actual")?;
    plot::points(&mut panel, points.iter().copied(), 4, BLUE.mix(0.55).filled(), "test rows")?;
    plot::legend(&mut panel, SeriesLabelPosition::UpperLeft)
}

/// Data with one feature, the fitted curve of each fold, and the true function if it is known.
pub fn curve(
    area: &Area,
    data: &Dataset<f64>,
    trained: &[Trained],
    title: &str,
    truth: Option<fn(f64) -> f64>,
) -> Result<(), Failure> {
    let rows: Vec<(f64, f64)> = data.x().into_iter().zip(data.y()).map(|(&x, &y)| (x, y)).collect();
    let (x_range, y_range) =
        (plot::range(rows.iter().map(|row| row.0)), plot::range(rows.iter().map(|row| row.1)));
    let (low, high) =
        rows.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), row| (l.min(row.0), h.max(row.0)));
    let x = Array2::from_shape_fn((301, 1), |(i, _)| low + (high - low) * i as f64 / 300.0);
    let frame =
        Frame { title, x_label: &data.feature_names()[0], y_label: &data.target_names()[0], log_y: false };
    let mut panel = plot::panel(area, &frame, x_range, y_range)?;
    plot::points(&mut panel, rows.iter().copied(), 4, BLUE.mix(0.55).filled(), "all rows")?;
    if let Some(truth) = truth {
        let style = GREEN.stroke_width(3);
        let line = x.iter().map(|&x| (x, truth(x)));
        panel.draw_series(LineSeries::new(line, style))?.label("truth").legend(plot::line_sample(style));
    }
    let style = VERMILLION.stroke_width(3);
    for (fold, one) in trained.iter().enumerate() {
        let y = one.model.predict(&x)?;
        let line = x.iter().zip(&y).map(|(&x, &y)| (x, y));
        let drawn = panel.draw_series(LineSeries::new(line, style))?;
        if fold == 0 {
            drawn.label("network").legend(plot::line_sample(style));
        }
    }
    plot::legend(&mut panel, SeriesLabelPosition::UpperLeft)
}
