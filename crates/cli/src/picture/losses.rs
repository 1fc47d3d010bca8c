//! The panel with the loss curves.

use plotters::prelude::*;

use super::plot::{self, Area, BLUE, Failure, Frame, VERMILLION};

/// The lower end of the logarithmic axis.
const LEAST_LOSS: f64 = 1e-12;

/// The losses of one network by epoch: on its training rows and on the rows that were watched.
pub type Losses = [Vec<f64>; 2];

/// The loss of the training rows and of the rows called `watched`, by epoch: two lines per network.
pub fn draw(area: &Area, networks: &[Losses], watched: &str, loss: &str) -> Result<(), Failure> {
    let log = |loss: f64| loss.max(LEAST_LOSS).log10();
    let kinds = [("training rows", BLUE), (watched, VERMILLION)];
    let all = || networks.iter().flatten().flatten().copied();
    let epochs = networks.iter().map(|[train, _]| train.len()).max().unwrap_or(0);
    let frame = Frame {
        title: if epochs == 0 { "Loss: untrained" } else { "Loss in training" },
        x_label: "epoch",
        y_label: loss,
        log_y: true,
    };
    let mut panel = plot::panel(area, &frame, 0.0..epochs.max(5) as f64, plot::range(all().map(log)))?;
    for (kind, (name, colour)) in kinds.into_iter().enumerate() {
        let style = colour.mix(if networks.len() > 1 { 0.6 } else { 1.0 }).stroke_width(2);
        for (fold, losses) in networks.iter().enumerate() {
            // NaN and infinity leave a gap in the line.
            let points = losses[kind].iter().enumerate().map(|(i, &loss)| ((i + 1) as f64, loss));
            let points: Vec<(f64, f64)> = plot::thinned(points).collect();
            for stretch in points.split(|(_, loss)| !loss.is_finite()) {
                let stretch = stretch.iter().map(|&(epoch, loss)| (epoch, log(loss)));
                // A line needs two points.
                if let [point] = stretch.clone().collect::<Vec<_>>()[..] {
                    panel.draw_series([Circle::new(point, 3, colour.filled())])?;
                }
                panel.draw_series(LineSeries::new(stretch, style))?;
            }
            if fold == 0 {
                let empty = LineSeries::new(std::iter::empty(), style);
                panel.draw_series(empty)?.label(name).legend(plot::line_sample(style));
            }
        }
    }
    plot::legend(&mut panel, SeriesLabelPosition::UpperRight)
}
