//! The panel of a classification: the decision regions in a plane, or the confusion matrix.

use geartrain::data::Dataset;
use geartrain::metrics::ConfusionMatrix;
use ndarray::Array2;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::plot::{self, Area, BLUE, Failure, Frame, GREEN, INK, VERMILLION, text_style};
use crate::output::shortened;
use crate::train::experiment::Trained;

/// A colour for each class, from the palette of Okabe and Ito (2008).
pub const COLOURS: [RGBColor; 6] =
    [BLUE, VERMILLION, GREEN, RGBColor(204, 121, 167), RGBColor(230, 159, 0), RGBColor(86, 180, 233)];

/// Points of the map of decisions along each side.
const MAP: usize = 160;

/// The decisions of the network (of the first fold) over the plane, with its test rows.
pub fn regions(
    area: &Area,
    data: &Dataset<f64>,
    trained: &[Trained],
    classes: &[String],
    accuracy: f64,
) -> Result<(), Failure> {
    let Trained { model, test, .. } = &trained[0];
    let which = if trained.len() > 1 { "fold 1, test rows" } else { "test rows" };
    let [x, y] = [0, 1].map(|i| plot::range(data.x().column(i).iter().copied()));
    let frame = Frame {
        title: &format!("Decisions and {which}: accuracy {accuracy:.3}"),
        x_label: &data.feature_names()[0],
        y_label: &data.feature_names()[1],
        log_y: false,
    };
    let mut panel = plot::panel(area, &frame, x.clone(), y.clone())?;
    let steps = [(x.end - x.start) / MAP as f64, (y.end - y.start) / MAP as f64];
    let corner = |i: usize, j: usize| (x.start + i as f64 * steps[0], y.start + j as f64 * steps[1]);
    for j in 0..MAP {
        let middles = Array2::from_shape_fn((MAP, 2), |(i, axis)| {
            let at = [x.start + (i as f64 + 0.5) * steps[0], y.start + (j as f64 + 0.5) * steps[1]];
            at[axis]
        });
        let said = model.predict_classes(&middles)?.to_vec();
        // One rectangle for each run of equal classes.
        let mut start = 0;
        for stretch in said.chunk_by(|a, b| a == b) {
            let end = start + stretch.len();
            let colour = COLOURS[stretch[0]].mix(0.2).filled();
            panel.draw_series([Rectangle::new([corner(start, j), corner(end, j + 1)], colour)])?;
            start = end;
        }
    }
    let inputs = test.x();
    for (class, name) in classes.iter().enumerate() {
        let rows = inputs.rows().into_iter().zip(test.y());
        let of_class = rows.filter(|(_, truth)| **truth as usize == class);
        let points: Vec<_> = of_class.map(|(x, _)| (x[0], x[1])).collect();
        plot::points(&mut panel, points.into_iter(), 4, COLOURS[class].filled(), name)?;
    }
    plot::legend(&mut panel, SeriesLabelPosition::UpperRight)
}

/// The confusion matrix of all folds together: darker for a larger share of the true class.
pub fn confusion(area: &Area, confusion: &ConfusionMatrix, classes: &[String]) -> Result<(), Failure> {
    let counts = confusion.counts();
    let title = format!("Test rows: accuracy {:.3}", confusion.accuracy());
    area.draw(&Text::new(title, (340, 28), text_style(21, HPos::Center)))?;
    area.draw(&Text::new("predicted class", (340, 520), text_style(17, HPos::Center)))?;
    area.draw(&Text::new("true class", (20, 52), text_style(17, HPos::Left)))?;
    // With more classes the cells are too small for text.
    let readable = classes.len() <= 10;
    let (left, top, side) = (130, 65, 420);
    let edge = |i: usize| (i * side / classes.len()) as i32;
    let middle = |i: usize| (edge(i) + edge(i + 1)) / 2;
    for ((truth, said), &count) in counts.indexed_iter() {
        let share = count as f64 / counts.row(truth).sum().max(1) as f64;
        let corners =
            [(left + edge(said), top + edge(truth)), (left + edge(said + 1), top + edge(truth + 1))];
        area.draw(&Rectangle::new(corners, BLUE.mix(0.75 * share).filled()))?;
        area.draw(&Rectangle::new(corners, INK.mix(0.2).stroke_width(1)))?;
        if readable {
            let at = (left + middle(said), top + middle(truth));
            area.draw(&Text::new(count.to_string(), at, text_style(18, HPos::Center)))?;
        }
    }
    for (i, name) in classes.iter().enumerate().filter(|_| readable) {
        let name = shortened(name, 12);
        area.draw(&Text::new(name.clone(), (left - 8, top + middle(i)), text_style(15, HPos::Right)))?;
        // Every second name is lower, so that neighbours do not overlap.
        let below = top + side as i32 + if i % 2 == 1 && classes.len() > 4 { 30 } else { 14 };
        area.draw(&Text::new(name, (left + middle(i), below), text_style(15, HPos::Center)))?;
    }
    Ok(())
}
