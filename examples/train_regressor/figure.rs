//! The picture: how the loss fell, and what the network says of the rows that it has not seen.

use geartrain::data::Dataset;
use ndarray::Array2;
use plotters::prelude::*;

use crate::experiment::Outcome;
use crate::losses;
use crate::plot::{self, Area, BLUE, Failure, Frame, GREEN, INK, VERMILLION};

/// Both panels as the text of an SVG file. `truth` is the function behind data with one feature, if it is known.
pub fn draw(
    data: &Dataset<f32>,
    outcomes: &[Outcome],
    truth: Option<fn(f64) -> f64>,
    watched: &str,
) -> Result<String, Failure> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (1200, 540)).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, right) = root.split_horizontally(600);
        let histories: Vec<_> = outcomes.iter().map(|outcome| &outcome.history).collect();
        losses::draw(&left, &histories, watched, "mean squared error (target in standard deviations)")?;
        if data.features() == 1 {
            curve(&right, data, outcomes, truth)?;
        } else {
            predictions(&right, data, outcomes)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// Predicted against actual on the test rows, with the diagonal on which a perfect prediction lies.
fn predictions(area: &Area, data: &Dataset<f32>, outcomes: &[Outcome]) -> Result<(), Failure> {
    let points: Vec<(f64, f64)> = outcomes
        .iter()
        .flat_map(|outcome| outcome.split.test.y().into_iter().zip(&outcome.predicted))
        .map(|(&actual, &predicted)| (f64::from(actual), f64::from(predicted)))
        .collect();
    let range = plot::range(points.iter().flat_map(|&(actual, predicted)| [actual, predicted]));
    let target = &data.target_names()[0];
    let frame = Frame {
        title: &title(outcomes),
        x_label: &format!("actual {target}"),
        y_label: &format!("predicted {target}"),
        log_x: false,
        log_y: false,
    };
    let mut panel = plot::panel(area, &frame, range.clone(), range.clone())?;
    let diagonal = INK.mix(0.7).stroke_width(2);
    panel
        .draw_series(LineSeries::new([(range.start, range.start), (range.end, range.end)], diagonal))?
        .label("predicted = actual")
        .legend(plot::line_sample(diagonal));
    scatter(&mut panel, &points, BLUE, "test rows")?;
    plot::legend(&mut panel, SeriesLabelPosition::UpperLeft)
}

/// Data with one feature, the fitted curve (one for each fold), and the truth where it is known.
fn curve(
    area: &Area,
    data: &Dataset<f32>,
    outcomes: &[Outcome],
    truth: Option<fn(f64) -> f64>,
) -> Result<(), Failure> {
    let rows: Vec<(f64, f64)> =
        data.x().into_iter().zip(data.y()).map(|(&x, &y)| (f64::from(x), f64::from(y))).collect();
    let (x_range, y_range) =
        (plot::range(rows.iter().map(|row| row.0)), plot::range(rows.iter().map(|row| row.1)));
    let (low, high) =
        rows.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), row| (l.min(row.0), h.max(row.0)));
    let x = Array2::from_shape_fn((301, 1), |(i, _)| (low + (high - low) * i as f64 / 300.0) as f32);
    let frame = Frame {
        title: &title(outcomes),
        x_label: &data.feature_names()[0],
        y_label: &data.target_names()[0],
        log_x: false,
        log_y: false,
    };
    let mut panel = plot::panel(area, &frame, x_range, y_range)?;
    scatter(&mut panel, &rows, BLUE, "all rows")?;
    if let Some(truth) = truth {
        let style = GREEN.stroke_width(3);
        let line = x.iter().map(|&x| (f64::from(x), truth(f64::from(x))));
        panel.draw_series(LineSeries::new(line, style))?.label("truth").legend(plot::line_sample(style));
    }
    let style = VERMILLION.stroke_width(3);
    for (fold, outcome) in outcomes.iter().enumerate() {
        let y = outcome.model.predict(x.view())?;
        let line = x.iter().zip(&y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        let drawn = panel.draw_series(LineSeries::new(line, style))?;
        if fold == 0 {
            drawn.label("network").legend(plot::line_sample(style));
        }
    }
    plot::legend(&mut panel, SeriesLabelPosition::UpperLeft)
}

fn scatter(
    panel: &mut plot::Panel,
    points: &[(f64, f64)],
    colour: RGBColor,
    name: &str,
) -> Result<(), Failure> {
    let style = colour.mix(0.55).filled();
    let shown = plot::thinned(points.iter().copied());
    let drawn = panel.draw_series(shown.map(|point| Circle::new(point, 4, style)))?;
    drawn.label(name).legend(plot::point_sample(style));
    Ok(())
}

fn title(outcomes: &[Outcome]) -> String {
    let r2 = outcomes.iter().map(|outcome| outcome.test.r2).sum::<f64>() / outcomes.len() as f64;
    match outcomes.len() {
        1 => format!("Rows that training did not see: R² = {r2:.3}"),
        folds => format!("Rows that training did not see: mean R² of {folds} folds = {r2:.3}"),
    }
}
