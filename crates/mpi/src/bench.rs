//! `geartrain-mpi bench`: the time of a training step, beside the model of its cost.

use std::time::Instant;

use geartrain::data::Order;
use geartrain::layers::{Mlp, ReLU};
use geartrain::network::Workspace;
use geartrain::prelude::*;
use geartrain::train::Rows;
use geartrain::with_threads;
use geartrain_cli::{Failure, Outcome};
use mpi::traits::{Communicator, CommunicatorCollectives, Destination, Source};

use crate::cost::Cost;
use crate::shard::Shard;
use crate::team::Team;
use crate::train::random_rows;

/// Time training steps on all ranks, and compare them with the model of their cost
///
/// The model's times of a slice, of an update and of a message are measured here: on rank 0 alone,
/// and between ranks 0 and 1.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Widths of the hidden layers
    #[arg(long, value_delimiter = ',', default_value = "128,128")]
    hidden: Vec<usize>,

    /// Input features
    #[arg(long, default_value_t = 32)]
    features: usize,

    /// Rows per step
    #[arg(long, default_value_t = 4096)]
    batch_size: usize,

    /// Rows of a slice
    #[arg(long, default_value_t = 256)]
    slice_rows: usize,

    /// Steps to time
    #[arg(long, default_value_t = 50)]
    steps: usize,

    /// Threads of each rank
    #[arg(long, default_value_t = 1)]
    threads: usize,

    /// Seconds of a message, for the simulation [default: measured]
    #[arg(long)]
    latency: Option<f64>,

    /// Bytes per second of a link, for the simulation [default: measured]
    #[arg(long)]
    bandwidth: Option<f64>,
}

/// The time of a step, in seconds.
fn time(
    rows: &mut dyn Rows<f32>,
    network: &mut Network<f32>,
    options: &Options,
    before: impl Fn(),
) -> Result<f64, geartrain::Error> {
    let (loss, mut optimizer) = (MeanSquaredError, Sgd::new(1e-4).momentum(0.9));
    let mut workspace = Workspace::new();
    let order = Order::new(rows.rows(), options.batch_size, 0)?;
    rows.load(&order, 0, network, &loss)?;
    let mut times = Vec::new();
    for _ in 0..options.steps + 3 {
        before();
        let start = Instant::now();
        rows.gradients(network, &loss, &mut workspace)?;
        optimizer.step(network.params_mut(), &workspace.grads)?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(fastest(times.split_off(3)))
}

/// The least time: other programs of a machine delay all others.
fn fastest(times: Vec<f64>) -> f64 {
    times.into_iter().fold(f64::INFINITY, f64::min)
}

/// Runs the command on all ranks of `team`.
///
/// # Errors
/// Invalid options.
pub fn run(team: &Team, options: &Options) -> Outcome {
    let (rank, size) = (team.rank(), team.size());
    let widths = [&[options.features], &options.hidden[..], &[1]].concat();
    let network = || -> Result<_, geartrain::Error> {
        let network = Network::<f32>::new(Mlp::new(&widths).activation(ReLU).build())?;
        Ok(network.slice_rows(options.slice_rows))
    };
    let part = |rank: usize| options.batch_size * rank / size;
    let data = random_rows((part(rank + 1) - part(rank)).max(1), options.features, rank as u64)?;
    let all = team.gather(&[data.rows()]).iter().flatten().sum();
    let mut shard = Shard::new(team, &data, (0..all).collect())?;
    let measured = with_threads(options.threads, || {
        time(&mut shard, &mut network()?, options, || team.world().barrier())
    })?;
    let mut cost = Cost {
        params: network()?.params().len(),
        size: size_of::<f32>(),
        slices: network()?.slices(options.batch_size).count(),
        slice: 0.0,
        step: 0.0,
        add: 0.0,
        latency: 0.0,
        bandwidth: f64::INFINITY,
    };
    (cost.latency, cost.bandwidth) = messages(team, cost.params);
    team.world().barrier();
    if rank > 0 {
        // Ranks wait here, so that rank 0 measures alone.
        team.world().process_at_rank(0).receive::<u8>();
        return Ok(());
    }
    with_threads(options.threads, || alone(&mut cost, options, &network))?;
    (1..size).for_each(|rank| team.world().process_at_rank(rank as i32).send(&0_u8));
    cost.latency = options.latency.unwrap_or(cost.latency);
    cost.bandwidth = options.bandwidth.unwrap_or(cost.bandwidth);
    println!(
        "{} parameters, {} rows in {} slices; a slice takes {:.1} µs, an update {:.1} µs, a sum {:.1} µs;\n\
         a message takes {:.1} µs and {:.2} GB/s",
        cost.params,
        options.batch_size,
        cost.slices,
        1e6 * cost.slice,
        1e6 * cost.step,
        1e6 * cost.add,
        1e6 * cost.latency,
        cost.bandwidth / 1e9
    );
    println!("{:>6} {:>12} {:>12} {:>16}", "ranks", "measured µs", "model µs", "bytes per step");
    let line = |ranks: usize, measured: &str| {
        println!(
            "{ranks:>6} {measured:>12} {:>12.1} {:>16.0}",
            1e6 * cost.simulate(ranks),
            cost.bytes(ranks)
        );
    };
    line(size, &format!("{:.1}", 1e6 * measured));
    (0..=10).map(|power| 1 << power).filter(|&ranks| ranks != size).for_each(|ranks| line(ranks, ""));
    Ok(())
}

/// Measures the times of a slice, an update and a sum on this rank.
fn alone(
    cost: &mut Cost,
    options: &Options,
    network: &dyn Fn() -> Result<Network<f32>, geartrain::Error>,
) -> Result<(), Failure> {
    let rows = options.batch_size.div_ceil(cost.slices);
    let data = random_rows(rows, options.features, 0)?;
    let (mut network, mut workspace) = (network()?, Workspace::new());
    let mut optimizer = Sgd::new(1e-4).momentum(0.9);
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..options.steps {
        let start = Instant::now();
        network.gradients(&MeanSquaredError, data.x(), data.y(), &mut workspace, None)?;
        let passed = Instant::now();
        optimizer.step(network.params_mut(), &workspace.grads)?;
        let stepped = Instant::now();
        let params = network.params();
        workspace.grads.iter_mut().zip(params).for_each(|(into, &from)| *into += from);
        times[0].push((passed - start).as_secs_f64());
        times[1].push((stepped - passed).as_secs_f64());
        times[2].push(stepped.elapsed().as_secs_f64());
    }
    [cost.slice, cost.step, cost.add] = times.map(fastest);
    Ok(())
}

/// Latency and bandwidth between ranks 0 and 1: half the time of a small message there and back,
/// and of one as large as the parameters.
fn messages(team: &Team, params: usize) -> (f64, f64) {
    if team.size() == 1 {
        // A guess: memory of one machine.
        return (1e-6, 1e10);
    }
    let round_trip = |len: usize| {
        let mut buffer = vec![0_f32; len];
        let partner = team.world().process_at_rank(i32::from(team.rank() == 0));
        let mut times = Vec::new();
        for _ in 0..50 {
            let start = Instant::now();
            match team.rank() {
                0 => {
                    partner.send(&buffer[..]);
                    partner.receive_into(&mut buffer[..]);
                }
                1 => {
                    partner.receive_into(&mut buffer[..]);
                    partner.send(&buffer[..]);
                }
                _ => {}
            }
            times.push(start.elapsed().as_secs_f64() / 2.0);
        }
        fastest(times)
    };
    let (small, large) = (round_trip(1), round_trip(params));
    (small, 4.0 * params as f64 / (large - small).max(1e-9))
}
