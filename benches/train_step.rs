//! Whole training steps: the networks of the README's table, stacks of 1 to 1024 layers, and
//! vanishing gradients.
//!
//! Run with `cargo bench -p geartrain-benches --bench train_step`.

#[allow(dead_code)]
#[path = "../crates/cli/src/bench/workloads.rs"]
mod workloads;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use geartrain::with_threads;
use workloads::{Activation, NAMES, Workload};

fn bench(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, workload: &Workload) {
    for threads in [1, 2] {
        let mut step = workload.prepare::<f32>().expect("a network that can be");
        group.bench_function(BenchmarkId::new(&workload.name, threads), |bencher| {
            with_threads(threads, || bencher.iter(|| step.run().expect("a step")));
        });
    }
}

fn named(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    group.sample_size(20);
    for name in NAMES.into_iter().chain(["I1b1", "P1"]) {
        bench(&mut group, &Workload::named(name).expect("a known name"));
    }
}

/// The time per layer must not depend on the depth, whether gradients vanish (sigmoid) or not.
fn depth(criterion: &mut Criterion) {
    for activation in [Activation::ReLU, Activation::Sigmoid, Activation::Tanh] {
        let mut group = criterion.benchmark_group(format!("depth of {activation:?}"));
        group.sample_size(20);
        for depth in [1, 4, 16, 64, 256, 1024] {
            group.throughput(Throughput::Elements(depth as u64));
            bench(&mut group, &Workload::stack(depth, 64, activation, 64));
        }
    }
}

criterion_group!(benches, named, depth);
criterion_main!(benches);
