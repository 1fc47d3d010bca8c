//! The picture of `geartrain train --svg`: the loss curves, and the predictions on test rows.

mod classification;
mod losses;
mod plot;
mod regression;
mod tabular;

use crate::failure::Outcome;
use crate::table::BuiltIn;
use crate::train::Options;
use crate::train::experiment::Trained;
use crate::train::report;
use crate::train::task::{Problem, Task};
use plot::{Area, Failure};
pub use tabular::draw as draw_tabular;

/// Classes up to which the cells of a confusion matrix are distinguishable.
const MOST_CLASSES: usize = 100;

/// The size of a row of two panels.
const ROW: (u32, u32) = (1200, 540);

/// The picture of networks of the user's design, as the text of an SVG file.
pub fn draw(options: &Options, problem: &Problem, trained: &[Trained]) -> Outcome<String> {
    Ok(plot::svg(ROW, |root| draw_on(root, options, problem, trained))?)
}

fn draw_on(root: &Area, options: &Options, problem: &Problem, trained: &[Trained]) -> Result<(), Failure> {
    let (left, right) = &root.split_horizontally(600);
    let histories: Vec<_> =
        trained.iter().map(|one| [one.history.train_losses(), one.history.validation_losses()]).collect();
    let loss = match problem.task {
        Task::Regression => "mean squared error (target in standard deviations)",
        Task::Classification(_) => "cross-entropy",
    };
    losses::draw(left, &histories, options.model.watched(), loss)?;
    let data = &problem.data;
    match &problem.task {
        Task::Regression => {
            let r2 = report::pooled_scores(trained)?.0.r2;
            let title = match trained.len() {
                1 => format!("Test rows: R² = {r2:.3}"),
                folds => format!("Test rows of {folds} folds: R² = {r2:.3}"),
            };
            if data.features() == 1 {
                let sine: fn(f64) -> f64 = f64::sin;
                let truth = (options.table.data == Some(BuiltIn::Sine)).then_some(sine);
                regression::curve(right, data, trained, &title, truth)?;
            } else {
                let rows = |one: &Trained| one.test.y().to_owned().into_iter().zip(one.predicted.clone());
                let points: Vec<_> = trained.iter().flat_map(rows).collect();
                regression::scatter(right, &points, &data.target_names()[0], &title)?;
            }
        }
        Task::Classification(classes) => {
            if data.features() == 2 && classes.len() <= classification::COLOURS.len() {
                let accuracy = trained[0].confusion()?.accuracy();
                classification::regions(right, data, trained, classes, accuracy)?;
            } else if classes.len() <= MOST_CLASSES {
                classification::confusion(right, &report::pooled_confusion(trained)?, classes)?;
            }
        }
    }
    Ok(())
}
