//! Predictions of one row: small networks, narrow and odd widths, and a deep stack.
//!
//! Run with `cargo bench -p geartrain-benches --bench predict`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use geartrain::layers::Mlp;
use geartrain::{Network, with_threads};

fn bench(criterion: &mut Criterion, group: &str, name: &str, widths: &[usize]) {
    let network = Network::<f32>::new(Mlp::new(widths).build()).expect("widths above 0");
    let row: Vec<f32> = (0..widths[0]).map(|i| (i % 7) as f32 / 4.0 - 0.8).collect();
    let mut prepared = network.prepare(1);
    let mut group = criterion.benchmark_group(group);
    group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
        with_threads(1, || bencher.iter(|| prepared.predict_row(black_box(&row)).expect("a row")[0]));
    });
}

fn rows(criterion: &mut Criterion) {
    bench(criterion, "row", "6-64-8-4", &[6, 64, 8, 4]);
    bench(criterion, "row", "64-64", &[64, 64]);
    bench(criterion, "row", "4-4", &[4, 4]);
    for width in [4, 8, 10, 16, 32, 48, 50, 52, 64] {
        bench(criterion, "row, four layers of one width", &width.to_string(), &[width; 5]);
    }
    // All weights are read once: a bandwidth.
    bench(criterion, "row", "64 layers of 128", &[128; 65]);
}

criterion_group!(benches, rows);
criterion_main!(benches);
