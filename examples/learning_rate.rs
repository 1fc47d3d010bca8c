//! Which learning rate? Sweep it over seven decades, look at the curve, and see whether its suggestion is a good one.

#[path = "common/output.rs"]
mod output;
#[path = "common/plot.rs"]
mod plot;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use geartrain::data::{Dataset, Standardize, toy};
use geartrain::prelude::*;
use geartrain::train::{LearningRateCurve, LearningRateFinder};
use plot::{BLUE, Failure, Frame, GREEN, VERMILLION};
use plotters::prelude::*;

/// Finds a learning rate for a network of two hidden layers on the data of Friedman (1991) and draws the curve.
#[derive(Parser)]
struct Options {
    /// Where to write the picture
    #[arg(long, value_name = "FILE", default_value = "learning_rate.svg")]
    svg: PathBuf,

    /// Seed of the data, the first weights and the order of rows
    #[arg(long, default_value_t = 7)]
    seed: u64,

    /// Momentum of gradient descent, from 0 to below 1
    #[arg(long, value_name = "FACTOR", default_value_t = 0.9)]
    momentum: f64,
}

fn main() -> ExitCode {
    output::exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Failure> {
    // 1. Something to learn: targets of mean 0 and standard deviation 1, so that a loss of 1 means "learnt nothing".
    let data = toy::friedman1::<f32>(500, 1.0, options.seed)?;
    let scaled = Standardize::fit(data.y())?.transform(data.y())?;
    let (train, test) = Dataset::new(data.x().to_owned(), scaled)?.split(0.2, options.seed)?;

    // 2. The network and the optimizer whose learning rate we look for.
    let layers = Sequential::new()
        .then(Linear::new(10, 64))
        .then(Tanh)
        .then(Linear::new(64, 64))
        .then(Tanh)
        .then(Linear::new(64, 1));
    let network = Network::new(layers, 10)?.with_seed(options.seed);
    let sgd = |rate| Sgd::new(rate).momentum(options.momentum);

    // 3. Train a copy for 100 steps, each with a larger rate than the one before, and note the loss.
    let finder = LearningRateFinder::new().batch_size(16).seed(options.seed);
    let curve = finder.run(&network, MeanSquaredError, sgd(0.0), &train)?;
    std::fs::write(&options.svg, draw(&curve)?)
        .map_err(|error| format!("{}: {error}", options.svg.display()))?;
    output::print(&format!("The curve is in {}.\n", options.svg.display()))?;

    // 4. The suggestion is where the loss falls fastest. Is it any good? Train with it, and with others.
    let Some(suggestion) = curve.suggestion() else {
        return Ok(output::print("The loss never falls: no suggestion.\n")?);
    };
    output::print(&format!(
        "Suggested learning rate: {suggestion:.2e}\n\n     rate   loss after 30 epochs\n"
    ))?;
    for factor in [0.01, 0.1, 1.0, 10.0, 100.0] {
        let (rate, mut network) = (suggestion * factor, network.clone());
        let mut training =
            Training::new(MeanSquaredError, sgd(rate)).epochs(30).batch_size(16).progress(false);
        let result = match training.fit(&mut network, &train) {
            Ok(_) => format!("{:.4}", network.loss(&MeanSquaredError, test.x(), test.y())?),
            Err(Error::Diverged { epoch, .. }) => format!("diverged in epoch {epoch}"),
            Err(error) => return Err(error.into()),
        };
        let mark = if factor == 1.0 { "  <- the suggestion" } else { "" };
        output::print(&format!("{rate:9.2e}   {result}{mark}\n"))?;
    }
    Ok(())
}

/// Loss against learning rate, both on logarithmic axes, as the text of an SVG file.
fn draw(curve: &LearningRateCurve) -> Result<String, Failure> {
    // A loss of exactly 0 is drawn at the bottom of what f32 can tell from it.
    let log = |value: f64| value.max(1e-12).log10();
    let losses = || plot::thinned(curve.points.iter()).map(|point| (log(point.rate), log(point.loss)));
    let (x, y) = (plot::range(losses().map(|point| point.0)), plot::range(losses().map(|point| point.1)));
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (800, 540)).into_drawing_area();
        root.fill(&WHITE)?;
        let frame = Frame {
            title: "Learning rate range test",
            x_label: "learning rate",
            y_label: "mean squared error after the step",
            log_x: true,
            log_y: true,
        };
        let mut panel = plot::panel(&root, &frame, x, y.clone())?;
        let (dots, line, mark) = (BLUE.filled(), GREEN.stroke_width(2), VERMILLION.stroke_width(2));
        panel.draw_series(LineSeries::new(losses(), line))?;
        panel
            .draw_series(losses().map(|point| Circle::new(point, 2, dots)))?
            .label("loss")
            .legend(plot::point_sample(dots));
        if let Some(rate) = curve.suggestion() {
            panel
                .draw_series(LineSeries::new([(log(rate), y.start), (log(rate), y.end)], mark))?
                .label(format!("suggestion: {rate:.1e}"))
                .legend(plot::line_sample(mark));
        }
        plot::legend(&mut panel, SeriesLabelPosition::LowerLeft)?;
        root.present()?;
    }
    Ok(svg)
}
