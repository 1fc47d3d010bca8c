//! The picture of models of the recipe for tables: losses and predictions, and below them the
//! importance of the columns and the calibration of the probabilities.

use geartrain_tables::Importance;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::classification;
use super::losses::{self, Losses};
use super::plot::{self, Area, BLUE, Failure, Frame, INK, text_style};
use super::{MOST_CLASSES, ROW, regression};
use crate::failure::Outcome;
use crate::output::shortened;
use crate::train::report::short;
use crate::train::tabular::results::{Classes, Results};

/// Columns in the panel of importances.
const MOST_COLUMNS: usize = 15;

/// The picture as the text of an SVG file. Of several targets, it shows the first. Without
/// `importances` it has one row of panels.
pub fn draw(
    networks: &[Losses],
    loss: &str,
    results: &Results,
    importances: Option<&[Importance]>,
) -> Outcome<String> {
    let (width, height) = ROW;
    let rows = 1 + u32::from(importances.is_some());
    let svg = plot::svg((width, rows * height), |root| {
        let (above, below) = root.split_vertically(height);
        let (left, right) = above.split_horizontally(600);
        losses::draw(&left, networks, "validation rows", loss)?;
        predictions(&right, results)?;
        if let Some(importances) = importances {
            let (left, right) = below.split_horizontally(600);
            importance(&left, importances, results.loss())?;
            if let Results::Classes(classes) = results {
                calibration(&right, classes)?;
            }
        }
        Ok(())
    });
    Ok(svg?)
}

fn predictions(area: &Area, results: &Results) -> Result<(), Failure> {
    match results {
        Results::Numbers(targets) => {
            let shown = &targets[0];
            let (score, value) = shown.scores()[0];
            let score = if score == "r2" { "R²" } else { score };
            let title = format!("Test rows: {score} = {value:.3}");
            regression::scatter(area, &shown.points(), &shown.target, &title)
        }
        Results::Classes(classes) if classes.names.len() <= MOST_CLASSES => {
            classification::confusion(area, &classes.confusion, &classes.names)
        }
        Results::Classes(_) => Ok(()),
    }
}

/// A bar for each of the most important columns, with a line of one standard error to each side.
fn importance(area: &Area, importances: &[Importance], loss: &str) -> Result<(), Failure> {
    let (title, row, left, width) = (40, 30, 190, 300.0);
    let heading = format!("Importance: rise of the {loss} if shuffled, ± standard error");
    area.draw(&Text::new(heading, (300, 22), text_style(19, HPos::Center)))?;
    let shown = &importances[..importances.len().min(MOST_COLUMNS)];
    let ends = shown.iter().map(|i| i.mean + i.standard_error);
    let scale = width / ends.fold(f64::MIN_POSITIVE, f64::max);
    let place = |value: f64| left + (value * scale).clamp(-0.1 * width, width) as i32;
    for (i, Importance { column, mean, standard_error }) in shown.iter().enumerate() {
        let middle = title + 20 + row * i as i32;
        area.draw(&Text::new(shortened(column, 22), (left - 12, middle), text_style(15, HPos::Right)))?;
        let bar = [(left, middle - 9), (place(*mean), middle + 9)];
        area.draw(&Rectangle::new(bar, BLUE.mix(0.7).filled()))?;
        let error = [-1.0, 1.0].map(|side| (place(mean + side * standard_error), middle));
        area.draw(&PathElement::new(error.to_vec(), INK.stroke_width(2)))?;
        let number = format!("{} ± {}", short(*mean), short(*standard_error));
        let at = (place(mean + standard_error).max(left) + 8, middle);
        area.draw(&Text::new(number, at, text_style(14, HPos::Left)))?;
    }
    Ok(())
}

/// Predicted probabilities against the shares of rows that belong to the class, in ten groups.
fn calibration(area: &Area, classes: &Classes) -> Result<(), Failure> {
    let frame = Frame {
        title: "Calibration on test rows, all classes",
        x_label: "predicted probability",
        y_label: "share of rows of the class",
        log_y: false,
    };
    let mut panel = plot::panel(area, &frame, 0.0..1.0, 0.0..1.0)?;
    plot::diagonal(&mut panel, 0.0..1.0, "perfectly calibrated")?;
    // Two standard deviations of a share of so many rows.
    let bars = classes.calibration.iter().map(|group| {
        let error = 2.0 * (group.share * (1.0 - group.share) / group.rows as f64).sqrt();
        let ends = [group.share - error, group.share + error].map(|y| (group.predicted, y.clamp(0.0, 1.0)));
        PathElement::new(ends.to_vec(), BLUE.stroke_width(2))
    });
    panel.draw_series(bars)?;
    let points = classes.calibration.iter().map(|group| (group.predicted, group.share));
    plot::points(&mut panel, points, 5, BLUE.filled(), "groups of rows")?;
    plot::legend(&mut panel, SeriesLabelPosition::UpperLeft)
}
