//! `geartrain gradients`: gradients of deep networks: measured, predicted, diagnosed and trained.

mod networks;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use geartrain::data::{Csv, Dataset, StandardScaler, toy};
use geartrain::prelude::*;
use geartrain::train::StopReason;
use geartrain_lab::{
    Curvature, Experiment, Monitor, Recorder, Recording, Report, Spectra, TrainingCourse, Trial, linearise,
};
use ndarray::s;

use crate::design::{Scheme, Weights};
use crate::failure::{Failure, Outcome};
use crate::train::network::at_least;
use crate::{interrupt, output};
use networks::{Sizes, build};

/// Measure, predict and explain how gradients flow through deep networks
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Options {
    /// Networks to compare, separated by commas
    ///
    /// An activation (sigmoid, tanh, relu, leaky_relu, elu, selu, gelu, silu), then any of
    /// +residual, +residual=SCALE, +scaled_residual, +batch_norm and +layer_norm:
    /// tanh+residual+layer_norm
    #[arg(
        long,
        value_name = "NETWORKS",
        value_delimiter = ',',
        default_value = "sigmoid,relu,relu+residual,relu+scaled_residual",
        help_heading = "Networks"
    )]
    networks: Vec<String>,

    /// Hidden layers
    #[arg(long, default_value_t = 30, value_parser = at_least(2), help_heading = "Networks")]
    depth: usize,

    /// Units per hidden layer
    #[arg(long, default_value_t = 64, value_parser = at_least(1), help_heading = "Networks")]
    width: usize,

    /// Distribution of the weights
    #[arg(long, value_enum, default_value = "auto", help_heading = "Networks")]
    init: Scheme,

    /// Factor for all weights
    #[arg(long, default_value_t = 1.0, help_heading = "Networks")]
    gain: f64,

    /// Normal weights of standard deviation SIGMA / √inputs, instead of --init
    #[arg(long, value_name = "SIGMA", conflicts_with = "init", help_heading = "Networks")]
    sigma_w: Option<f64>,

    /// Standard deviation of normal biases
    #[arg(long, value_name = "SIGMA", default_value_t = 0.0, help_heading = "Networks")]
    sigma_b: f64,

    /// Networks of each kind, with different seeds
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Networks")]
    seeds: u64,

    /// Generated data to measure on
    #[arg(long, value_enum, default_value = "friedman", help_heading = "Data")]
    toy: Toy,

    /// Measure on a CSV file with a header line, instead of generated data
    #[arg(long, value_name = "FILE", requires = "target", help_heading = "Data")]
    csv: Option<PathBuf>,

    /// The column to predict
    #[arg(long, value_name = "COLUMN", requires = "csv", help_heading = "Data")]
    target: Option<String>,

    /// Rows to measure on
    #[arg(long, default_value_t = 64, value_parser = at_least(1), help_heading = "Data")]
    rows: usize,

    /// Also train each network for this many steps
    #[arg(long, value_name = "STEPS", help_heading = "Training")]
    train: Option<usize>,

    /// Learning rates to try in training; the best one counts
    #[arg(long, value_delimiter = ',', default_value = "0.001,0.01,0.1", help_heading = "Training")]
    rates: Vec<f64>,

    /// After training, try out what the findings say of other rates and batch sizes
    #[arg(long = "try", requires = "train", help_heading = "Training")]
    trials: bool,

    /// Write the report with its pictures (report.html, *.svg, *.csv, numbers.json) to this folder
    #[arg(long, value_name = "FOLDER", help_heading = "Results")]
    out: Option<PathBuf>,

    /// Print all numbers as JSON
    #[arg(long, help_heading = "Results")]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Toy {
    Friedman,
    Sine,
    Moons,
    Spirals,
}

pub fn run(options: &Options) -> Outcome {
    if let Some(folder) = &options.out {
        output::create_folder(folder)?;
    }
    let data = load(options)?;
    let x = data.x().slice(s![..options.rows.min(data.rows()), ..]);
    let sizes = Sizes {
        inputs: data.features(),
        width: options.width,
        depth: options.depth,
        outputs: data.outputs(),
    };
    let stop = interrupt::flag()?;
    let mut experiments = Vec::new();
    let mut spectra = Vec::new();
    let mut trained = Vec::new();
    for name in &options.networks {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let network = build(name, sizes, weights(options)).map_err(Failure::option)?;
        let drawn: Vec<_> = (0..options.seeds).map(|seed| network.clone().with_seed(seed)).collect();
        let experiment = Experiment::of(name, &drawn, &x)?;
        spectra.push(Spectra::of(&experiment, &drawn, &x)?);
        experiments.push(experiment);
        if let Some(steps) = options.train {
            output::note(&format!("Training {name} for {steps} steps"));
            trained.extend(train(name, &network, &data, steps, options, &stop)?);
        }
    }
    let interrupted = stop.load(Ordering::Relaxed);
    let counts = (experiments.len(), trained.len());
    if experiments.is_empty() {
        output::note("Interrupted before the first network: there are no results.");
        return Err(Failure::Interrupted);
    }
    let title = format!("Gradients in networks of {} layers of {} units", options.depth, options.width);
    let recordings = trained.iter().map(|one| one.recording.clone()).collect();
    let courses = trained.iter().map(|one| one.course.clone()).collect();
    let report = Report { title, experiments, spectra, recordings, courses };
    if options.json {
        output::print(&format!("{}\n", report.json()))?;
    } else {
        output::print(&text(&report, options.train, &trained)?)?;
    }
    if let Some(folder) = &options.out {
        write(&report, folder)?;
        for (i, Trained { course, .. }) in trained.iter().enumerate() {
            output::write(&folder.join(format!("sharpness-{}.svg", i + 1)), course.svg())?;
        }
        output::note(&format!("The report is in {}", folder.join("report.html").display()));
    }
    if interrupted {
        let ((measured, trained), all) = (counts, options.networks.len());
        let trained = options.train.map_or(String::new(), |_| format!(", {trained} of them trained"));
        output::note(&format!(
            "Interrupted: the results are those of {measured} of {all} networks{trained}."
        ));
        return Err(Failure::Interrupted);
    }
    Ok(())
}

/// Standardised data: features and targets with mean 0 and variance 1.
fn load(options: &Options) -> Outcome<Dataset<f64>> {
    let data = match (&options.csv, &options.target) {
        (Some(path), Some(target)) => Dataset::from_csv(path, &Csv::new(target))
            .map_err(|error| Failure::other(crate::table::with_options(error)))?,
        _ => match options.toy {
            Toy::Friedman => toy::friedman1(512, 1.0, 0)?,
            Toy::Sine => toy::sine(512, 0.1, 0)?,
            Toy::Moons => toy::two_moons(512, 0.1, 0)?,
            Toy::Spirals => toy::two_spirals(512, 0.02, 0)?,
        },
    };
    data.check_finite()?;
    let [x, y] = [data.x(), data.y()].map(|a| StandardScaler::fit(a).and_then(|s| s.transform(a)));
    Ok(Dataset::new(x?, y?)?)
}

fn weights(options: &Options) -> Weights {
    let sigma_w = options.sigma_w.map(|sigma_w| Init::lecun_normal().gain(sigma_w));
    let init = sigma_w.or(options.init.init());
    Weights { init, gain: options.gain, sigma_b: options.sigma_b }
}

struct Trained {
    /// From the initial weights to the end of training.
    recording: Recording,
    /// Sharpness, noise and updates during training.
    course: TrainingCourse,
    /// Findings, tried out.
    trials: Vec<Trial>,
    loss: f64,
    rate: f64,
}

/// Trains with each learning rate and keeps the best result; diverging runs are ignored. `None` if
/// `stop` ends the training.
fn train(
    name: &str,
    start: &Network<f64>,
    data: &Dataset<f64>,
    steps: usize,
    options: &Options,
    stop: &Arc<AtomicBool>,
) -> Outcome<Option<Trained>> {
    let rows = s![..data.rows().min(64), ..];
    let (x, y) = (data.x().slice(rows), data.y().slice(rows));
    // 50 columns in the picture of gradients
    let mut before = Recorder::new(steps.div_ceil(50) as u64, &MeanSquaredError, &x, &y);
    before.record(0, start)?;
    // A measurement costs as much as 28 steps.
    let monitor = Monitor::new(&MeanSquaredError, &x, &y).every((steps as u64 / 10).max(1));
    let mut best = Trained {
        recording: before.clone().into_recording(name),
        course: monitor.clone().into_course(name),
        trials: Vec::new(),
        loss: f64::INFINITY,
        rate: f64::NAN,
    };
    let mut last = None;
    let per_epoch = data.rows().div_ceil(64);
    for &rate in &options.rates {
        let (mut network, mut recorder, mut monitor) = (start.clone(), before.clone(), monitor.clone());
        let fitted = Training::new(MeanSquaredError, Sgd::new(rate).momentum(0.9))
            .epochs(steps.div_ceil(per_epoch))
            .batch_size(64)
            .progress(false)
            .callback(&mut recorder)
            .callback(&mut monitor)
            .stop_flag(stop.clone())
            .fit(&mut network, data);
        match fitted {
            Ok(history) if history.stop_reason == StopReason::StopFlag => return Ok(None),
            Ok(history) => {
                let loss = history.train_losses().last().copied().unwrap_or(f64::INFINITY);
                if loss < best.loss {
                    let (recording, course) = (recorder.into_recording(name), monitor.into_course(name));
                    best = Trained { recording, course, loss, rate, ..best };
                    last = Some(network);
                }
            }
            Err(geartrain::Error::Diverged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(network) = last {
        best.course.density = Some(Curvature::new(&network, &MeanSquaredError, &x, &y).density(4, 30)?);
        // without momentum; large rates may diverge
        best.course.linearisation = linearise(start, &x, &y, best.rate, steps.min(500)).ok();
        if options.trials {
            let epochs = (steps / per_epoch / 10).max(1);
            let optimizer = |rate| Sgd::new(rate).momentum(0.9);
            output::note(&format!("Trying out the findings on {name}"));
            let course = &best.course;
            best.trials = course.try_findings(&network, &MeanSquaredError, data, epochs, optimizer, stop)?;
            if stop.load(Ordering::Relaxed) {
                let tried = best.trials.len();
                output::note(&format!("The results for {name} include only the first {tried} trials."));
            }
        }
    }
    Ok(Some(best))
}

fn text(report: &Report, steps: Option<usize>, trained: &[Trained]) -> Result<String, std::fmt::Error> {
    let mut text = format!("{}\n\n", report.title);
    let heading = ["network", "ratio per layer", "decades, measured", "decades, predicted"];
    writeln!(text, "{:24} {:>15} {:>20} {:>20}", heading[0], heading[1], heading[2], heading[3])?;
    for experiment in &report.experiments {
        let decades = experiment.measured.decades();
        let measured = match decades.mean {
            f64::NEG_INFINITY => "gradient is zero".to_string(),
            mean => format!("{mean:.2} ± {:.2}", decades.error),
        };
        let predicted = experiment.predicted_decades().map_or("not covered".into(), |d| format!("{d:.2}"));
        let ratio = experiment.measured.ratio();
        writeln!(text, "{:24} {ratio:>15.4} {measured:>20} {predicted:>20}", experiment.name)?;
    }
    for experiment in &report.experiments {
        writeln!(text, "\n{}\n{}", experiment.name, experiment.diagnosis)?;
    }
    if let Some(steps) = steps {
        writeln!(text, "After {steps} steps (loss 1: no better than the mean of the targets)")?;
        writeln!(text, "{:24} {:>22} {:>12} {:>14}", "network", "|dL/dz₁| before", "loss", "learning rate")?;
        for Trained { recording, loss, rate, .. } in trained {
            let before = &recording.snapshots[0].measurement;
            let gradient = before.layers[0].gradient;
            writeln!(text, "{:24} {gradient:>22.2e} {loss:>12.4} {rate:>14}", recording.name)?;
        }
        for Trained { course, trials, .. } in trained.iter().filter(|t| !t.course.records.is_empty()) {
            writeln!(text, "\nTraining of {}, measured on {} rows\n{course}", course.name, course.rows)?;
            trials.iter().try_for_each(|trial| writeln!(text, "{trial}"))?;
        }
    }
    Ok(text)
}

fn write(report: &Report, folder: &Path) -> Outcome {
    output::write(&folder.join("report.html"), report.html())?;
    output::write(&folder.join("gradients.svg"), report.gradients_svg())?;
    if let Some(svg) = report.phase_svg() {
        output::write(&folder.join("phase.svg"), svg)?;
    }
    for (name, svg) in report.spectra_svgs() {
        output::write(&folder.join(name).with_extension("svg"), svg)?;
    }
    output::write(&folder.join("numbers.csv"), report.csv())?;
    output::write(&folder.join("spectra.csv"), report.spectra_csv())?;
    output::write(&folder.join("numbers.json"), report.json())
}
