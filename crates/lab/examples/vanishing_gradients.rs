//! Why deep sigmoid networks do not learn: gradients by layer, measured and predicted.
//!
//! ```text
//! cargo run --release -p geartrain-lab --example vanishing_gradients
//! ```

use geartrain::layers::Elementwise;
use geartrain::prelude::*;
use geartrain_lab::{Experiment, normal_batch};

const DEPTH: usize = 30;
const WIDTH: usize = 64;

/// `DEPTH` hidden layers, each with a residual connection or without.
fn network(
    activation: impl Elementwise + Copy + 'static,
    init: Init,
    residual: bool,
) -> Result<Network<f64>, geartrain::Error> {
    let linear = || Linear::new(WIDTH, WIDTH).init(init);
    let layers = (0..DEPTH).fold(Sequential::new().then(linear()), |layers, _| match residual {
        true => layers.then(Residual::new(Sequential::new().then(activation).then(linear()))),
        false => layers.then(activation).then(linear()),
    });
    Network::new(layers)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = normal_batch(64, WIDTH, 1);
    println!("Gradient of the first layer relative to the last, in powers of ten\n");
    println!("{:14} {:>16} {:>10} {:>10}", "network", "ratio per layer", "measured", "predicted");
    let mut diagnoses = String::new();
    for (name, network) in [
        ("sigmoid", network(Sigmoid, Init::xavier_normal(), false)?),
        ("ReLU", network(ReLU, Init::he_normal(), false)?),
        ("ReLU, residual", network(ReLU, Init::he_normal(), true)?),
    ] {
        // Eight networks with different seeds: what they share is a property of the architecture.
        let networks: Vec<_> = (0..8).map(|seed| network.clone().with_seed(seed)).collect();
        let experiment = Experiment::of(name, &networks, &x)?;
        let measured = experiment.measured.decades().mean;
        let predicted = experiment.predicted_decades().unwrap_or(f64::NAN);
        println!("{name:14} {:>16.3} {measured:>10.2} {predicted:>10.2}", experiment.measured.ratio());
        diagnoses += &format!("\n{name}\n{}\n", experiment.diagnosis);
    }
    print!("{diagnoses}");
    Ok(())
}
