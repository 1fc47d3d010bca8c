//! After the first, neither a training step nor a Hessian-vector product takes memory; and neither
//! has more threads than it may have.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use geartrain::layers::RMSNorm;
use geartrain::network::Workspace;
use geartrain::prelude::*;
use geartrain::with_threads;
use ndarray::Array2;

/// The system's allocator, counting on all threads.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations in ten steps after three.
fn allocations(
    layers: Sequential<f32>,
    inputs: usize,
    rows: usize,
    mut optimizer: impl Optimizer<f32>,
) -> usize {
    let mut network = Network::<f32>::with_inputs(layers, inputs).unwrap();
    let x = Array2::from_shape_fn((rows, inputs), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 5.0 - 1.0);
    let target = Array2::from_shape_fn((rows, 1), |(i, _)| (i % 3) as f32);
    let mut workspace = Workspace::new();
    let mut before = 0;
    for step in 0..13 {
        if step == 3 {
            before = ALLOCATIONS.load(Ordering::Relaxed);
        }
        network.gradients(&MeanSquaredError, &x, &target, &mut workspace, None).unwrap();
        optimizer.step(network.params_mut(), &workspace.grads).unwrap();
        network.update_running_stats(&mut workspace).unwrap();
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Allocations in ten Hessian-vector products after three.
fn allocations_of_products(layers: Sequential<f32>, inputs: usize, rows: usize) -> usize {
    let network = Network::<f32>::with_inputs(layers, inputs).unwrap();
    let (x, target) = (Array2::from_elem((rows, inputs), 0.3), Array2::from_elem((rows, 1), 1.0));
    let (vector, mut product) = (vec![0.1; network.params().len()], vec![0.0; network.params().len()]);
    let (mut workspace, mut before) = (Workspace::new(), 0);
    for pass in 0..13 {
        if pass == 3 {
            before = ALLOCATIONS.load(Ordering::Relaxed);
        }
        let into = (&mut workspace, &mut product);
        network.hessian_vector_product(&MeanSquaredError, &x, &target, &vector, into.0, into.1).unwrap();
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Threads of this process that are called workers; Linux keeps 15 letters of a name.
fn workers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    names.filter(|name| name.trim() == "geartrain worke").count()
}

// Without the test harness, whose own thread takes memory whenever it likes: the counter sees every
// thread.
fn main() {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), before + 1, "the allocator counts");

    let small = || {
        let block = Sequential::new().then(Linear::new(32, 32)).then(ReLU);
        Sequential::new()
            .then(Linear::new(3, 32))
            .then(Tanh)
            .then(Residual::new(block))
            .then(Linear::new(32, 1).without_bias())
    };
    let large = || {
        let sequential = Sequential::new().then(Linear::new(300, 256)).then(Sigmoid);
        let block = Sequential::new().then(Linear::new(256, 256)).then(ReLU);
        sequential.then(Residual::new(block)).then(Linear::new(256, 1))
    };
    let every_kind = || {
        let linear = |inputs| Sequential::new().then(Linear::new(inputs, 32));
        linear(3)
            .then(BatchNorm::new(32))
            .then(ReLU)
            .then(linear(32).then(LayerNorm::new(32)).then(RMSNorm::new(32)))
            .then(Dropout::new(0.5))
            .then(Linear::new(32, 1))
    };
    let network = Network::new(large()).unwrap();
    let mut prepared = network.prepare(1);
    let row = [0.5; 300];
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..3 {
        prepared.predict_row(&row).unwrap();
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), before, "a prepared prediction");

    for threads in [1, 2, 3] {
        with_threads(threads, || {
            assert_eq!(allocations(small(), 3, 32, Sgd::new(0.01)), 0, "small, {threads} threads");
            assert_eq!(allocations(every_kind(), 3, 32, Adam::new(0.01)), 0, "every kind, {threads} threads");
            assert_eq!(allocations(small(), 3, 3001, Adam::new(0.01)), 0, "slices, {threads} threads");
            let sgd = Sgd::new(1e-4).momentum(0.9).nesterov(true);
            assert_eq!(allocations(large(), 300, 700, sgd), 0, "large, {threads} threads");
            let sgd = Sgd::new(1e-4);
            assert_eq!(allocations(large(), 300, 64, sgd), 0, "rows in parts, {threads} threads");
            for (layers, inputs) in [(small(), 3), (every_kind(), 3), (large(), 300)] {
                assert_eq!(allocations_of_products(layers, inputs, 64), 0, "products, {threads} threads");
            }
        });
        if cfg!(target_os = "linux") {
            assert_eq!(workers(), threads - 1);
        }
    }
}
