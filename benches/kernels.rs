//! The parts of a step: products, activations, updates.
//!
//! Run with `cargo bench -p geartrain-benches --bench kernels`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use geartrain::layer::{Backward, Cache, Forward, Layer, Mode};
use geartrain::layers::{ELU, GELU, GELUTanh, Linear, ReLU, SELU, SiLU, Sigmoid, Softplus, Tanh};
use geartrain::optim::{Adam, Optimizer, Sgd};
use geartrain::{Network, with_threads};
use ndarray::Array2;

fn numbers(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 131 + j * 71) % 257) as f32 / 74.0 - 1.73)
}

/// The products of a Linear layer: `y = x Wᵀ`, then `dW = dyᵀ x`, then both of the backward pass
/// with `dx = dy W`.
fn products(criterion: &mut Criterion) {
    for (rows, inputs, outputs) in
        [(16, 16, 16), (32, 32, 32), (64, 64, 64), (64, 128, 128), (128, 784, 128), (256, 1024, 1024)]
    {
        let mut group = criterion.benchmark_group(format!("product {rows} x {inputs} x {outputs}"));
        let layer = Linear::new(inputs, outputs).without_bias();
        let (x, dy) = (numbers(rows, inputs), numbers(rows, outputs));
        let (mut y, mut dx) = (dy.clone(), x.clone());
        let params = numbers(inputs, outputs).into_raw_vec_and_offset().0;
        let mut grads = params.clone();
        let mut cache = Cache::new();
        let operations = (2 * rows * inputs * outputs) as u64;
        with_threads(1, || {
            group.throughput(Throughput::Elements(operations));
            group.bench_function("forward", |bencher| {
                bencher.iter(|| {
                    let (y, cache, mode) = (y.view_mut(), &mut cache, Mode::Train { key: 0 });
                    layer.forward(Forward { params: &params, x: x.view(), y, cache, mode });
                });
            });
            group.bench_function("gradient of the weight", |bencher| {
                bencher.iter(|| {
                    let (x, dy, dx) = (x.view(), dy.view(), None);
                    let (params, grads, cache) = (&params[..], &mut grads[..], &mut cache);
                    layer.backward(Backward { params, x, y: dy, dy, grads, dx, cache });
                });
            });
            group.throughput(Throughput::Elements(2 * operations));
            group.bench_function("both gradients", |bencher| {
                bencher.iter(|| {
                    let (x, dy, dx) = (x.view(), dy.view(), Some(dx.view_mut()));
                    let (params, grads, cache) = (&params[..], &mut grads[..], &mut cache);
                    layer.backward(Backward { params, x, y: dy, dy, grads, dx, cache });
                });
            });
        });
    }
}

fn activations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("activation");
    let (x, dy) = (numbers(64, 128), numbers(64, 128));
    let (mut y, mut dx) = (x.clone(), x.clone());
    let layers: [(&str, &dyn Layer<f32>); 9] = [
        ("ReLU", &ReLU),
        ("Sigmoid", &Sigmoid),
        ("Tanh", &Tanh),
        ("ELU", &ELU::default()),
        ("SELU", &SELU),
        ("GELU", &GELU),
        ("GELUTanh", &GELUTanh),
        ("SiLU", &SiLU),
        ("Softplus", &Softplus),
    ];
    let mut cache = Cache::new();
    group.throughput(Throughput::Elements(x.len() as u64));
    for (name, layer) in layers {
        group.bench_function(format!("{name} forward"), |bencher| {
            let mut pass = || {
                let (y, cache, mode) = (y.view_mut(), &mut cache, Mode::Train { key: 0 });
                layer.forward(Forward { params: &[], x: x.view(), y, cache, mode });
            };
            with_threads(1, || bencher.iter(&mut pass));
        });
        group.bench_function(format!("{name} backward"), |bencher| {
            bencher.iter(|| {
                let (x, y, dy, dx) = (x.view(), y.view(), dy.view(), Some(dx.view_mut()));
                let cache = &mut cache;
                layer.backward(Backward { params: &[], x, y, dy, grads: &mut [], dx, cache });
            });
        });
    }
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update of a million");
    let mut network = Network::<f32>::new(Linear::new(1000, 1000)).expect("a network that can be");
    let grads = vec![1e-6; network.params().len()];
    group.throughput(Throughput::Elements(grads.len() as u64));
    let optimizers: [(&str, Box<dyn Optimizer<f32>>); 3] = [
        ("SGD", Box::new(Sgd::new(1e-6))),
        ("SGD with momentum", Box::new(Sgd::new(1e-6).momentum(0.9))),
        ("Adam", Box::new(Adam::new(1e-6))),
    ];
    for (name, mut optimizer) in optimizers {
        group.bench_function(name, |bencher| {
            bencher.iter(|| optimizer.step(network.params_mut(), &grads).expect("finite"));
        });
    }
}

criterion_group!(benches, products, activations, updates);
criterion_main!(benches);
