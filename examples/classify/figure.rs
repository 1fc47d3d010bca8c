//! The picture: how the loss fell, and where the network draws its boundaries or which class it takes for which.

use geartrain::Error;
use geartrain::data::Dataset;
use geartrain::prelude::Predictor;
use ndarray::{Array2, ArrayView2};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::experiment::Outcome;
use crate::plot::{self, Area, BLUE, Failure, Frame, GREEN, INK, VERMILLION};
use crate::{losses, report};

/// A colour for each class: the rest of the palette of Okabe and Ito (2008).
const COLOURS: [RGBColor; 6] =
    [BLUE, VERMILLION, GREEN, RGBColor(204, 121, 167), RGBColor(230, 159, 0), RGBColor(86, 180, 233)];

/// Points of the map of decisions from left to right, and from top to bottom.
const MAP: usize = 160;

/// Both panels as the text of an SVG file.
pub fn draw(
    data: &Dataset<f32>,
    outcomes: &[Outcome],
    classes: &[String],
    watched: &str,
) -> Result<String, Failure> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (1200, 540)).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, right) = root.split_horizontally(600);
        let histories: Vec<_> = outcomes.iter().map(|outcome| &outcome.history).collect();
        losses::draw(&left, &histories, watched, "cross-entropy")?;
        if data.features() == 2 && classes.len() <= COLOURS.len() {
            boundary(&right, data, outcomes, classes)?;
        } else {
            confusion(&right, outcomes, classes)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// What the network (of the first fold) says of every point of the plane, under its test rows.
fn boundary(
    area: &Area,
    data: &Dataset<f32>,
    outcomes: &[Outcome],
    classes: &[String],
) -> Result<(), Failure> {
    let Outcome { model, test, confusion, .. } = &outcomes[0];
    let which = if outcomes.len() > 1 { "fold 1, test rows" } else { "test rows" };
    let [x, y] = [0, 1].map(|i| plot::range(data.x().column(i).iter().map(|&value| f64::from(value))));
    let frame = Frame {
        title: &format!("Decisions and {which}: accuracy {:.3}", confusion.accuracy()),
        x_label: &data.feature_names()[0],
        y_label: &data.feature_names()[1],
        log_x: false,
        log_y: false,
    };
    let mut panel = plot::panel(area, &frame, x.clone(), y.clone())?;
    let steps = [(x.end - x.start) / MAP as f64, (y.end - y.start) / MAP as f64];
    let corner = |i: usize, j: usize| (x.start + i as f64 * steps[0], y.start + j as f64 * steps[1]);
    for j in 0..MAP {
        let middles = Array2::from_shape_fn((MAP, 2), |(i, axis)| {
            let at = [x.start + (i as f64 + 0.5) * steps[0], y.start + (j as f64 + 0.5) * steps[1]];
            at[axis] as f32
        });
        let said = decisions(model, middles.view())?;
        // One rectangle for each stretch of one class.
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
        let points: Vec<_> = of_class.map(|(x, _)| (f64::from(x[0]), f64::from(x[1]))).collect();
        let style = COLOURS[class].filled();
        let shown = plot::thinned(points.into_iter());
        let drawn = panel.draw_series(shown.map(|point| Circle::new(point, 4, style)))?;
        drawn.label(name).legend(plot::point_sample(style));
    }
    plot::legend(&mut panel, SeriesLabelPosition::UpperRight)
}

/// The class that the model says for each row.
fn decisions(model: &Predictor<f32>, x: ArrayView2<f32>) -> Result<Vec<usize>, Error> {
    let logits = model.predict(x)?;
    let largest = |row: ndarray::ArrayView1<f32>| {
        (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
    };
    Ok(logits.rows().into_iter().map(largest).collect())
}

/// How often each class was taken for each class, over all folds, the darker the larger its share of the true class.
fn confusion(area: &Area, outcomes: &[Outcome], classes: &[String]) -> Result<(), Failure> {
    let mut counts = Array2::<usize>::zeros((classes.len(), classes.len()));
    outcomes.iter().for_each(|outcome| counts += &outcome.confusion.counts());
    let text = |size: i32, position| ("sans-serif", size).into_font().color(&INK).pos(position);
    let centre = Pos::new(HPos::Center, VPos::Center);
    let title = format!("Test rows: accuracy {:.3}", report::mean_accuracy(outcomes));
    area.draw(&Text::new(title, (340, 28), text(21, centre)))?;
    area.draw(&Text::new("predicted class", (340, 520), text(17, centre)))?;
    area.draw(&Text::new("true class", (20, 52), text(17, Pos::new(HPos::Left, VPos::Center))))?;
    // Beyond that many classes there is no room for words.
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
            area.draw(&Text::new(count.to_string(), at, text(18, centre)))?;
        }
    }
    for (i, name) in classes.iter().enumerate().filter(|_| readable) {
        let name = shortened(name);
        let right = Pos::new(HPos::Right, VPos::Center);
        area.draw(&Text::new(name.clone(), (left - 8, top + middle(i)), text(15, right)))?;
        // Neighbouring names take turns, so that they do not run into each other.
        let below = top + side as i32 + if i % 2 == 1 && classes.len() > 4 { 30 } else { 14 };
        area.draw(&Text::new(name, (left + middle(i), below), text(15, centre)))?;
    }
    Ok(())
}

/// Foreign text fit for the side of a table.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 12;
    let mut text: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if name.chars().count() > LONGEST {
        text.push('…');
    }
    text
}
