//! The scalar graph: reverse against forward mode as the inputs grow, and a chain of a million
//! nodes.
//!
//! Run with `cargo bench -p geartrain-benches --bench graph`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use geartrain::graph::Graph;
use std::hint::black_box;

/// f = tanh(w1·x1) + tanh(w2·x2) + … over `inputs` inputs, already run.
fn sum_of_neurons(inputs: usize) -> Graph {
    let mut graph = Graph::new();
    let mut sum = None;
    for number in 0..inputs {
        let input = graph.input(&format!("x{number}"));
        let weight = graph.constant(0.5 + number as f64 / inputs as f64);
        let product = graph.mul(weight, input);
        let neuron = graph.tanh(product);
        sum = Some(match sum {
            Some(sum) => graph.add(sum, neuron),
            None => neuron,
        });
        graph.set(&format!("x{number}"), 0.3).expect("the input was just made");
    }
    graph.forward().expect("all inputs are set");
    graph
}

/// x ← 1.0000001·x and x ← x + 1e-9 in turn, `operations` times.
fn chain(operations: usize) -> Graph {
    let mut graph = Graph::new();
    let mut node = graph.input("x");
    let (factor, term) = (graph.constant(1.000_000_1), graph.constant(1e-9));
    for step in 0..operations {
        node = if step % 2 == 0 { graph.mul(node, factor) } else { graph.add(node, term) };
    }
    graph.set("x", 1.0).expect("the input was just made");
    graph
}

fn modes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("all gradients of n inputs");
    group.sample_size(20);
    for inputs in [1, 10, 100, 1000] {
        let mut graph = sum_of_neurons(inputs);
        group.bench_function(BenchmarkId::new("reverse mode", inputs), |b| {
            b.iter(|| black_box(graph.backward().expect("forward has run")));
        });
        group.bench_function(BenchmarkId::new("forward mode", inputs), |b| {
            b.iter(|| black_box(graph.gradients_forward_mode().expect("forward has run")));
        });
    }
    group.finish();
}

/// `benches/peers/micrograd_chain.py` reads these two by name.
fn million_nodes(criterion: &mut Criterion) {
    const OPERATIONS: usize = 1_000_000;
    let mut group = criterion.benchmark_group("chain_1e6");
    group.sample_size(20).throughput(Throughput::Elements(OPERATIONS as u64));
    let mut graph = chain(OPERATIONS);
    group.bench_function("forward_backward", |b| {
        b.iter(|| {
            graph.forward().expect("the input is set");
            black_box(graph.backward().expect("forward has run"))
        });
    });
    group.bench_function("build_forward_backward", |b| {
        b.iter(|| {
            let mut graph = chain(OPERATIONS);
            graph.forward().expect("the input is set");
            black_box(graph.backward().expect("forward has run"))
        });
    });
    group.finish();
}

criterion_group!(benches, modes, million_nodes);
criterion_main!(benches);
