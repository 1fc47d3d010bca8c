//! `geartrain bench`: the time of a training step of the README's networks or of a stack of layers.

mod workloads;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use geartrain::{Scalar, with_threads};
use geartrain_kernels::peak;
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::{interrupt, output};
use workloads::{Activation, NAMES, Step, Workload};

/// Time whole training steps: forward pass, loss, backward pass, update
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A network of the README's table, or `all`: T1 T2 D1 D2 D3 N1 M1 A1 W1 B1 I1 I1b1 P1
    #[arg(long, value_name = "NAME", conflicts_with_all = ["depth", "width", "activation", "batch", "residual", "normalize"])]
    workload: Option<String>,

    /// Hidden layers
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..), help_heading = "A stack of layers")]
    depth: u16,

    /// Units of every hidden layer
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..), help_heading = "A stack of layers")]
    width: u16,

    /// The activation after every hidden layer
    #[arg(long, value_enum, default_value = "relu", help_heading = "A stack of layers")]
    activation: Function,

    /// Rows in a batch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..), help_heading = "A stack of layers")]
    batch: u16,

    /// Hidden layers in residual blocks
    #[arg(long, help_heading = "A stack of layers")]
    residual: bool,

    /// LayerNorm after every hidden layer
    #[arg(long, help_heading = "A stack of layers")]
    normalize: bool,

    /// The number type
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Number,

    /// Threads for the larger matrix products, at most as many as the machine has
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,

    /// Time one thread and all of them in turn, so many times, and print the ratio
    #[arg(long, value_name = "RUNS", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "json")]
    compare: Option<u16>,

    /// Print a JSON array instead of a table: {"workload", "threads", "us_per_step", "p10", "p90"}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Function {
    Relu,
    Sigmoid,
    Tanh,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Number {
    F32,
    F64,
}

impl Options {
    fn workloads(&self) -> Outcome<Vec<Workload>> {
        if let Some(name) = self.workload.as_deref() {
            let names = if name == "all" { [&NAMES[..], &["I1b1", "P1"]].concat() } else { vec![name] };
            let unknown = |name| {
                Failure::option(format!("unknown workload `{name}`; known: {}, I1b1, P1", NAMES.join(", ")))
            };
            let find = |name| Workload::named(name).ok_or_else(|| unknown(name));
            return names.into_iter().map(find).collect();
        }
        let activation = match self.activation {
            Function::Relu => Activation::ReLU,
            Function::Sigmoid => Activation::Sigmoid,
            Function::Tanh => Activation::Tanh,
        };
        let stack = Workload::stack(self.depth.into(), self.width.into(), activation, self.batch.into());
        Ok(vec![Workload { residual: self.residual, normalize: self.normalize, ..stack }])
    }
}

/// The least duration of a chunk of steps.
const CHUNK: Duration = Duration::from_millis(50);

/// Runs steps for at least one [`CHUNK`] and `least` steps: their number and the seconds of each.
fn chunk<F: Scalar>(step: &mut Step<F>, least: u32) -> Result<(u32, f64), geartrain::Error> {
    let (start, mut done) = (Instant::now(), 0_u32);
    while done < least || start.elapsed() < CHUNK {
        step.run()?;
        done += 1;
    }
    Ok((done, start.elapsed().as_secs_f64() / f64::from(done)))
}

/// The results of `count` calls; `None` if `stop` is set before the last.
fn repeat<T>(
    count: u16,
    stop: &AtomicBool,
    mut call: impl FnMut() -> Result<T, geartrain::Error>,
) -> Result<Option<Vec<T>>, geartrain::Error> {
    (0..count).map(|_| if stop.load(Ordering::Relaxed) { Ok(None) } else { call().map(Some) }).collect()
}

/// The 10th, 50th and 90th percentile.
fn percentiles(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 5, 9].map(|tenths| numbers[(numbers.len() - 1) * tenths / 10])
}

/// Seconds per step: percentiles of 30 chunks after a warm-up of the same length; `None` if `stop`
/// is set before.
fn time<F: Scalar>(workload: &Workload, stop: &AtomicBool) -> Result<Option<[f64; 3]>, geartrain::Error> {
    let mut step = workload.prepare::<F>()?;
    let (steps, _) = chunk(&mut step, 3)?;
    let times = repeat(30, stop, || chunk(&mut step, steps).map(|(_, seconds)| seconds))?;
    Ok(times.map(percentiles))
}

/// Percentiles of the time on one thread over that on `threads`, from `runs` pairs of chunks in
/// turn, and the median time on one thread; `None` if `stop` is set before.
fn ratios<F: Scalar>(
    workload: &Workload,
    (threads, runs): (usize, u16),
    stop: &AtomicBool,
) -> Result<Option<([f64; 3], f64)>, geartrain::Error> {
    let (mut alone, mut shared) = (workload.prepare::<F>()?, workload.prepare::<F>()?);
    let (steps, _) = with_threads(1, || chunk(&mut alone, 3))?;
    let (shared_steps, _) = with_threads(threads, || chunk(&mut shared, 3))?;
    let pair = || -> Result<(f64, f64), geartrain::Error> {
        let (_, one) = with_threads(1, || chunk(&mut alone, steps))?;
        let (_, all) = with_threads(threads, || chunk(&mut shared, shared_steps))?;
        Ok((one, all))
    };
    let Some(times) = repeat(runs, stop, pair)? else { return Ok(None) };
    let (one, ratios) = times.into_iter().map(|(one, all)| (one, one / all)).unzip();
    Ok(Some((percentiles(ratios), percentiles(one)[1])))
}

/// `run` with `--compare`.
fn compare(options: &Options, threads: usize, runs: u16, stop: &AtomicBool) -> Outcome {
    output::print(&format!(
        "1 thread over {threads}, {runs} runs of each in turn\n\
         workload      µs/step        p10        p50        p90\n"
    ))?;
    for workload in options.workloads()? {
        let measured = match options.dtype {
            Number::F32 => ratios::<f32>(&workload, (threads, runs), stop),
            Number::F64 => ratios::<f64>(&workload, (threads, runs), stop),
        }?;
        let Some(([low, median, high], seconds)) = measured else { break };
        let (name, us) = (&workload.name, seconds * 1e6);
        output::print(&format!("{name:<10} {us:>10.2} {low:>10.2} {median:>10.2} {high:>10.2}\n"))?;
    }
    ended(stop)
}

/// [`Failure::Interrupted`] if `stop` is set.
fn ended(stop: &AtomicBool) -> Outcome {
    if !stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    output::note("Interrupted: the results are those of the networks before.");
    Err(Failure::Interrupted)
}

pub fn run(options: &Options) -> Outcome {
    let workloads = options.workloads()?;
    let (time, peak, dtype): (fn(&Workload, &AtomicBool) -> _, _, _) = match options.dtype {
        Number::F32 => (time::<f32>, peak::<f32>(), "f32"),
        Number::F64 => (time::<f64>, peak::<f64>(), "f64"),
    };
    let available = available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = usize::from(options.threads).min(available);
    if threads < usize::from(options.threads) {
        output::note(&format!("This machine runs {available} threads at once: using {threads}."));
    }
    let stop = interrupt::flag()?;
    if let Some(runs) = options.compare {
        return compare(options, threads, runs, &stop);
    }
    let peak = peak * threads as f64;
    if !options.json {
        output::print(&format!(
            "{dtype}, {threads} thread{}, peak {:.0} GFLOP/s\n\
             workload      µs/step        p10        p90    GFLOP/s   of peak   µs/layer\n",
            if threads == 1 { "" } else { "s" },
            peak / 1e9,
        ))?;
    }
    let mut results = Vec::new();
    for workload in workloads {
        let Some([p10, median, p90]) = with_threads(threads, || time(&workload, &stop))? else { break };
        let [low, us, high] = [p10, median, p90].map(|seconds| seconds * 1e6);
        let name = &workload.name;
        if options.json {
            results.push(
                json!({ "workload": name, "threads": threads, "us_per_step": us, "p10": low, "p90": high }),
            );
            continue;
        }
        let speed = workload.operations() / median;
        output::print(&format!(
            "{name:<10} {us:>10.2} {low:>10.2} {high:>10.2} {:>10.1} {:>8.0}% {:>10.2}\n",
            speed / 1e9,
            100.0 * speed / peak,
            us / workload.depth() as f64,
        ))?;
    }
    if options.json {
        output::print(&format!("{}\n", serde_json::Value::from(results)))?;
    }
    ended(&stop)
}
