//! How long a step takes: the networks of the README's table, or a stack of your own.
//!
//! ```sh
//! cargo run --release --example deep_stack -- --workload D1 --threads 2
//! cargo run --release --example deep_stack -- --depth 64 --width 128 --activation sigmoid --batch 64 --residual --normalize
//! ```

mod workloads;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use geartrain::{Scalar, peak, with_threads};
use workloads::{Activation, NAMES, Workload};

/// Times whole training steps: forward, loss, backward, update.
#[derive(Debug, Parser)]
struct Arguments {
    /// One of T1 T2 D1 D2 D3 N1 M1 A1 W1, I1 and I1b1 (predictions), or `all`.
    #[arg(long, conflicts_with_all = ["depth", "width", "activation", "batch", "residual", "normalize"])]
    workload: Option<String>,
    /// Hidden layers.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    depth: u16,
    /// Features of every hidden layer.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..))]
    width: u16,
    #[arg(long, value_enum, default_value = "relu")]
    activation: Function,
    /// Rows in a batch.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Hidden layers in residual blocks.
    #[arg(long)]
    residual: bool,
    /// LayerNorm after every hidden layer.
    #[arg(long)]
    normalize: bool,
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Number,
    /// Threads that share the larger products.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// `csv` prints `geartrain,<workload>,<threads>,<us_per_step>,<p10>,<p90>`.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
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

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    Table,
    Csv,
}

impl Arguments {
    fn workloads(&self) -> Result<Vec<Workload>, String> {
        if let Some(name) = self.workload.as_deref() {
            let names = if name == "all" { [&NAMES[..], &["I1b1"]].concat() } else { vec![name] };
            let find = |name| Workload::named(name).ok_or(format!("there is no workload `{name}`"));
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

/// Seconds per step: the 10th, 50th and 90th percentile of 30 chunks of at least 50 ms, after as long a warm-up.
fn time<F: Scalar>(workload: &Workload) -> Result<[f64; 3], geartrain::Error> {
    const CHUNKS: usize = 30;
    const CHUNK: Duration = Duration::from_millis(50);
    let mut step = workload.prepare::<F>()?;
    let (start, mut steps) = (Instant::now(), 0_u32);
    while start.elapsed() < CHUNK || steps < 3 {
        step.run()?;
        steps += 1;
    }
    let mut times = Vec::with_capacity(CHUNKS);
    for _ in 0..CHUNKS {
        let (start, mut done) = (Instant::now(), 0_u32);
        while done < steps || start.elapsed() < CHUNK {
            step.run()?;
            done += 1;
        }
        times.push(start.elapsed().as_secs_f64() / f64::from(done));
    }
    times.sort_by(f64::total_cmp);
    Ok([CHUNKS / 10, CHUNKS / 2, CHUNKS - 1 - CHUNKS / 10].map(|i| times[i]))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let workloads = arguments.workloads()?;
    let (time, peak): (fn(&Workload) -> _, _) = match arguments.dtype {
        Number::F32 => (time::<f32>, peak::<f32>()),
        Number::F64 => (time::<f64>, peak::<f64>()),
    };
    let threads = usize::from(arguments.threads);
    if arguments.format == Format::Table {
        let peak = peak * threads as f64 / 1e9;
        println!("{:?}, {threads} thread(s), peak {peak:.0} GFLOP/s", arguments.dtype);
        println!("workload      µs/step        p10        p90    GFLOP/s   of peak   µs/layer");
    }
    for workload in workloads {
        let [p10, median, p90] = with_threads(threads, || time(&workload))?;
        let [low, us, high] = [p10, median, p90].map(|seconds| seconds * 1e6);
        match arguments.format {
            Format::Csv => println!("geartrain,{},{threads},{us:.2},{low:.2},{high:.2}", workload.name),
            Format::Table => {
                let speed = workload.operations() / median;
                println!(
                    "{:<10} {us:>10.2} {low:>10.2} {high:>10.2} {:>10.1} {:>8.0}% {:>10.2}",
                    workload.name,
                    speed / 1e9,
                    100.0 * speed / (peak * threads as f64),
                    us / workload.depth() as f64,
                );
            }
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
