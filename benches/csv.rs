//! Reading a CSV file of numbers: with as many digits as people write, and with all of them.
//!
//! Run with `cargo bench -p geartrain-benches --bench csv`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use geartrain::data::{Csv, Dataset};
use geartrain::with_threads;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 50_000;
const COLUMNS: usize = 20;

/// A table of numbers with this many decimals.
fn table(decimals: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let names: Vec<String> = (0..COLUMNS).map(|column| format!("c{column}")).collect();
    let mut text = names.join(",") + "\n";
    for _ in 0..ROWS {
        let row: Vec<String> =
            (0..COLUMNS).map(|_| format!("{:.decimals$}", rng.random_range(-1e3..1e3))).collect();
        text += &(row.join(",") + "\n");
    }
    text
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("csv");
    group.sample_size(10);
    for decimals in [3, 14] {
        let text = table(decimals);
        group.throughput(Throughput::Bytes(text.len() as u64));
        for threads in [1, 2] {
            let name = BenchmarkId::new(format!("{decimals} decimals"), format!("{threads} threads"));
            group.bench_function(name, |bencher| {
                let read =
                    || -> Dataset<f64> { Csv::new("c0").read(text.as_bytes(), "table").expect("a table") };
                with_threads(threads, || bencher.iter(read));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
