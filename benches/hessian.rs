//! A Hessian-vector product beside the gradient of the same batch, for each kind of layer. Divide
//! the times.
//!
//! Run with `cargo bench -p geartrain-benches --bench hessian`.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use geartrain::layers::{
    BatchNorm, ELU, GELU, GELUTanh, LayerNorm, LeakyReLU, RMSNorm, SELU, SiLU, Softmax, Softplus,
};
use geartrain::network::Workspace;
use geartrain::prelude::*;
use geartrain_lab::normal_batch;

const WIDTH: usize = 128;
const ROWS: usize = 128;

type Stack = Sequential<f32>;

/// Three linear layers with `between` after the first and the second.
fn stack(between: impl Fn(Stack) -> Stack) -> Stack {
    let start = between(Sequential::new().then(Linear::new(64, WIDTH)));
    between(start.then(Linear::new(WIDTH, WIDTH))).then(Linear::new(WIDTH, 10))
}

fn kinds() -> Vec<(&'static str, Stack)> {
    let residual = || Residual::new(Sequential::new().then(ReLU).then(Linear::new(WIDTH, WIDTH)));
    vec![
        ("Linear", stack(|net| net)),
        ("ReLU", stack(|net| net.then(ReLU))),
        ("LeakyReLU", stack(|net| net.then(LeakyReLU::default()))),
        ("Sigmoid", stack(|net| net.then(Sigmoid))),
        ("Tanh", stack(|net| net.then(Tanh))),
        ("ELU", stack(|net| net.then(ELU::default()))),
        ("SELU", stack(|net| net.then(SELU))),
        ("GELU", stack(|net| net.then(GELU))),
        ("GELUTanh", stack(|net| net.then(GELUTanh))),
        ("SiLU", stack(|net| net.then(SiLU))),
        ("Softplus", stack(|net| net.then(Softplus))),
        ("Softmax", stack(|net| net.then(Softmax))),
        ("Dropout", stack(|net| net.then(Dropout::new(0.5)))),
        ("BatchNorm", stack(|net| net.then(BatchNorm::new(WIDTH)))),
        ("LayerNorm", stack(|net| net.then(LayerNorm::new(WIDTH)))),
        ("RMSNorm", stack(|net| net.then(RMSNorm::new(WIDTH)))),
        ("Residual", stack(|net| net.then(residual()))),
    ]
}

fn products(criterion: &mut Criterion) {
    geartrain::with_threads(1, || {
        for (name, layers) in kinds() {
            let network = Network::new(layers).expect("valid layers");
            let (x, target) = (normal_batch(ROWS, 64, 1), normal_batch(ROWS, 10, 2));
            let (vector, mut product) = (network.params().to_vec(), network.params().to_vec());
            let mut workspace = Workspace::new();
            let mut group = criterion.benchmark_group(name);
            group.sample_size(10).warm_up_time(Duration::from_millis(200));
            group.measurement_time(Duration::from_secs(1));
            group.bench_function("gradients", |bencher| {
                bencher.iter(|| network.gradients(&MeanSquaredError, &x, &target, &mut workspace, None));
            });
            group.bench_function("product", |bencher| {
                let workspace = &mut workspace;
                bencher.iter(|| {
                    let into = (&mut *workspace, &mut product[..]);
                    network.hessian_vector_product(&MeanSquaredError, &x, &target, &vector, into.0, into.1)
                });
            });
        }
    });
}

criterion_group!(benches, products);
criterion_main!(benches);
