//! How long a training step takes: the time must grow linearly with the depth.
//!
//! ```text
//! cargo run --release --example deep_stack
//! ```

use std::time::Instant;

use geartrain::network::Workspace;
use geartrain::prelude::*;
use ndarray::Array2;

const WIDTH: usize = 128;
const STEPS: usize = 50;

fn main() -> Result<(), geartrain::Error> {
    // Rows of ±1 to learn the sum of.
    let x = Array2::from_shape_fn((64, WIDTH), |(i, j)| if (i * j) % 7 < 3 { 1.0_f32 } else { -1.0 });
    let y = x.sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1)) / WIDTH as f32;
    println!("hidden layers   µs per step   µs per layer");
    for depth in [4, 16, 64, 256] {
        let block = || Sequential::new().then(Linear::new(WIDTH, WIDTH)).then(ReLU);
        let layers = (0..depth).fold(Sequential::new(), |layers, _| layers.then(block()));
        let mut network = Network::new(layers.then(Linear::new(WIDTH, 1)))?;
        let mut sgd = Sgd::new(0.001);
        // The buffers of a step; they are allocated in the first one.
        let mut workspace = Workspace::new();
        let mut step = || {
            network.gradients(&MeanSquaredError, &x, &y, &mut workspace, None)?;
            sgd.step(network.params_mut(), &workspace.grads)
        };
        step()?;
        let start = Instant::now();
        (0..STEPS).try_for_each(|_| step())?;
        let us = start.elapsed().as_secs_f64() * 1e6 / STEPS as f64;
        println!("{depth:13}   {us:11.0}   {:12.1}", us / depth as f64);
    }
    Ok(())
}
