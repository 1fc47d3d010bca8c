//! Compares how gradients flow down deep networks: measured, predicted, diagnosed, and (with `--train`) trained.
//!
//! ```text
//! cargo run --release --example vanishing_gradients
//! cargo run --release --example vanishing_gradients -- --networks tanh,sigmoid+batch_norm --depth 50 --train 1000
//! ```

#[path = "../common/design.rs"]
mod design;
mod networks;
#[path = "../common/output.rs"]
mod output;

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use geartrain::data::{Csv, Dataset, Standardize, toy};
use geartrain::prelude::*;
use geartrain_lab::{Anatomy, Experiment, Recorder, Recording, Report};
use ndarray::s;

use design::Weights;
use networks::{Sizes, build};

#[derive(Parser)]
#[command(about = "How do gradients flow down a deep network? Measures, predicts and explains")]
struct Options {
    /// Hidden layers
    #[arg(long, default_value_t = 30)]
    depth: usize,
    /// Units per hidden layer
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// Activation (sigmoid, tanh, relu, leaky_relu, elu, selu, gelu, silu), then +residual, +residual=SCALE, +scaled_residual, +batch_norm, +layer_norm
    #[arg(long, value_delimiter = ',', default_value = "sigmoid,relu,relu+residual,relu+scaled_residual")]
    networks: Vec<String>,
    /// Distribution of the weights [default: he for relu, gelu and silu, xavier for the others]
    #[arg(long)]
    init: Option<Scheme>,
    /// Multiplies every weight
    #[arg(long, default_value_t = 1.0)]
    gain: f64,
    /// Normal weights with standard deviation sigma_w / √inputs, instead of --init
    #[arg(long, conflicts_with = "init")]
    sigma_w: Option<f64>,
    /// Standard deviation of normal biases
    #[arg(long, default_value_t = 0.0)]
    sigma_b: f64,
    /// Networks per kind, each drawn with another seed
    #[arg(long, default_value_t = 8)]
    seeds: u64,
    /// Rows measured on
    #[arg(long, default_value_t = 64)]
    rows: usize,
    /// Also trains each network for so many steps
    #[arg(long, value_name = "STEPS")]
    train: Option<usize>,
    /// Learning rates to try in training: the best counts
    #[arg(long, value_delimiter = ',', default_value = "0.001,0.01,0.1")]
    rates: Vec<f64>,
    /// A CSV file with a header to take the data from, instead of a toy set
    #[arg(long, requires = "target")]
    csv: Option<PathBuf>,
    /// The column to predict
    #[arg(long, requires = "csv")]
    target: Option<String>,
    /// The toy set
    #[arg(long, default_value = "friedman")]
    toy: Toy,
    /// Prints every number as JSON instead of the text
    #[arg(long)]
    json: bool,
    /// Where to write the report
    #[arg(long, default_value = "target/vanishing_gradients")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Scheme {
    Xavier,
    He,
    Lecun,
    Orthogonal,
    Torch,
}

#[derive(Clone, Copy, ValueEnum)]
enum Toy {
    Friedman,
    Sine,
    Moons,
    Spirals,
}

fn main() -> ExitCode {
    output::exit(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if options.depth < 2 || options.width == 0 || options.rows == 0 {
        return Err("--depth must be at least 2, --width and --rows at least 1".into());
    }
    let data = load(&options)?;
    let x = data.x().slice_move(s![..options.rows.min(data.rows()), ..]);
    let sizes = Sizes {
        inputs: data.features(),
        width: options.width,
        depth: options.depth,
        outputs: data.outputs(),
    };
    let mut experiments = Vec::new();
    let mut anatomies = Vec::new();
    let mut trained = Vec::new();
    for name in &options.networks {
        let network = build(name, sizes, weights(&options))?;
        let drawn: Vec<_> = (0..options.seeds.max(1)).map(|seed| network.clone().with_seed(seed)).collect();
        let experiment = Experiment::of(name, &drawn, x)?;
        anatomies.push(Anatomy::of(&experiment, &drawn, x)?);
        experiments.push(experiment);
        if let Some(steps) = options.train {
            trained.push(train(name, &network, &data, steps, &options.rates)?);
        }
    }
    let title = format!("Gradients in networks of {} layers of {} units", options.depth, options.width);
    let recordings = trained.iter().map(|trained| trained.recording.clone()).collect();
    let report = Report { title, experiments, anatomies, recordings };
    write(&report, &options.out)?;
    if options.json {
        output::print(&format!("{}\n", report.json()))?;
        return Ok(());
    }
    let mut text = table(&report)?;
    for experiment in &report.experiments {
        writeln!(text, "\n{}\n{}", experiment.name, experiment.diagnosis)?;
    }
    if let Some(steps) = options.train {
        writeln!(text, "After {steps} steps (loss 1: no better than the mean of the targets)")?;
        writeln!(text, "{:24} {:>22} {:>12} {:>14}", "network", "|dL/dz₁| before", "loss", "learning rate")?;
        for Trained { recording, loss, rate } in trained {
            let before = &recording.snapshots[0].measurement;
            let gradient = before.layers[0].gradient;
            writeln!(text, "{:24} {gradient:>22.2e} {loss:>12.4} {rate:>14}", recording.name)?;
        }
    }
    writeln!(text, "The report is in {}", options.out.display())?;
    output::print(&text)?;
    Ok(())
}

/// Standardised data: features and targets with mean 0 and variance 1.
fn load(options: &Options) -> Result<Dataset<f64>, Box<dyn Error>> {
    let data = match (&options.csv, &options.target) {
        (Some(path), Some(target)) => Dataset::from_csv(path, &Csv::new(target))?,
        _ => match options.toy {
            Toy::Friedman => toy::friedman1(512, 1.0, 0)?,
            Toy::Sine => toy::sine(512, 0.1, 0)?,
            Toy::Moons => toy::two_moons(512, 0.1, 0)?,
            Toy::Spirals => toy::two_spirals(512, 0.02, 0)?,
        },
    };
    data.check_finite()?;
    let [x, y] = [data.x(), data.y()].map(|a| Standardize::fit(a).and_then(|s| s.transform(a)));
    Ok(Dataset::new(x?, y?)?)
}

fn weights(options: &Options) -> Weights {
    let init = options.init.map(|scheme| match scheme {
        Scheme::Xavier => Init::xavier_normal(),
        Scheme::He => Init::he_normal(),
        Scheme::Lecun => Init::lecun_normal(),
        Scheme::Orthogonal => Init::orthogonal(),
        Scheme::Torch => Init::torch_linear(),
    });
    let init = options.sigma_w.map(|sigma_w| Init::lecun_normal().gain(sigma_w)).or(init);
    Weights { init, gain: options.gain, sigma_b: options.sigma_b }
}

struct Trained {
    /// From before training to its end.
    recording: Recording,
    loss: f64,
    rate: f64,
}

/// Trains with each learning rate and keeps the best result. A rate at which training diverges is no result.
fn train(
    name: &str,
    network: &Network<f64>,
    data: &Dataset<f64>,
    steps: usize,
    rates: &[f64],
) -> Result<Trained, Box<dyn Error>> {
    let rows = s![..data.rows().min(64), ..];
    let (x, y) = (data.x().slice_move(rows), data.y().slice_move(rows));
    // fifty columns of the picture of gradients
    let mut before = Recorder::new(steps.div_ceil(50) as u64, &MeanSquaredError, x, y);
    before.record(0, network)?;
    let mut best =
        Trained { recording: before.clone().into_recording(name), loss: f64::INFINITY, rate: f64::NAN };
    let per_epoch = data.rows().div_ceil(64);
    for &rate in rates {
        let (mut network, mut recorder) = (network.clone(), before.clone());
        let fitted = Training::new(MeanSquaredError, Sgd::new(rate).momentum(0.9))
            .epochs(steps.div_ceil(per_epoch))
            .batch_size(64)
            .progress(false)
            .callback(&mut recorder)
            .fit(&mut network, data);
        match fitted {
            Ok(history) => {
                let loss = history.train_losses().last().copied().unwrap_or(f64::INFINITY);
                if loss < best.loss {
                    best = Trained { recording: recorder.into_recording(name), loss, rate };
                }
            }
            Err(geartrain::Error::Diverged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(best)
}

fn table(report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = format!("{}\n\n", report.title);
    let heading = ["network", "ratio per layer", "decades, measured", "decades, predicted"];
    writeln!(text, "{:24} {:>15} {:>20} {:>20}", heading[0], heading[1], heading[2], heading[3])?;
    for experiment in &report.experiments {
        let decades = experiment.measured.decades();
        let measured = match decades.mean {
            f64::NEG_INFINITY => "all is lost".to_string(),
            mean => format!("{mean:.2} ± {:.2}", decades.error),
        };
        let predicted = experiment.predicted_decades().map_or("not covered".into(), |d| format!("{d:.2}"));
        let ratio = experiment.measured.ratio();
        writeln!(text, "{:24} {ratio:>15.4} {measured:>20} {predicted:>20}", experiment.name)?;
    }
    Ok(text)
}

fn write(report: &Report, folder: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("report.html"), report.html())?;
    std::fs::write(folder.join("gradients.svg"), report.gradients_svg())?;
    if let Some(svg) = report.phase_svg() {
        std::fs::write(folder.join("phase.svg"), svg)?;
    }
    for (name, svg) in report.anatomy_svgs() {
        std::fs::write(folder.join(name).with_extension("svg"), svg)?;
    }
    std::fs::write(folder.join("numbers.csv"), report.csv())?;
    std::fs::write(folder.join("anatomy.csv"), report.anatomy_csv())?;
    std::fs::write(folder.join("numbers.json"), report.json())
}
