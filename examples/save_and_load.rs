//! Saves a trained model and predicts with it again, from the same raw data.
//!
//! ```text
//! cargo run --release --example save_and_load
//! ```

#[path = "common/output.rs"]
mod output;

use std::process::ExitCode;

use geartrain::data::{Csv, Standardize};
use geartrain::prelude::*;

fn main() -> ExitCode {
    output::exit(run())
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Cars, and how far they go on a gallon. The network learns from scaled numbers.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/auto-mpg.csv");
    let cars = Dataset::<f32>::from_csv(path, &Csv::new("mpg").drop_columns(["name"]))?;
    let (train, test) = cars.split(0.2, 7)?;
    let (x_scale, y_scale) = (Standardize::fit(train.x())?, Standardize::fit(train.y())?);
    let scaled = Dataset::new(x_scale.transform(train.x())?, y_scale.transform(train.y())?)?;

    // 2. A small network, trained for a moment.
    let layers = || Sequential::new().then(Linear::new(7, 32)).then(Tanh).then(Linear::new(32, 1));
    let mut network = Network::new(layers(), 7)?.with_seed(7);
    Training::new(MeanSquaredError, Sgd::new(0.05).momentum(0.9))
        .epochs(50)
        .progress(false)
        .fit(&mut network, &scaled)?;

    // 3. A predictor has the scales and the names with it, and so has its file.
    let model = Predictor::new(network)
        .with_x_scale(x_scale)?
        .with_y_scale(y_scale)?
        .named(cars.feature_names(), cars.target_names())?;
    model.save("model.safetensors")?;
    output::print(&format!("saved model.safetensors: {}\n", model.feature_names().join(", ")))?;

    // 4. Loading it takes nothing but the file. The predictions are the same, bit by bit.
    let loaded = Predictor::<f32>::load("model.safetensors")?;
    let (before, after) = (model.predict(test.x())?, loaded.predict(test.x())?);
    let (truth, said) = (test.y()[[0, 0]], after[[0, 0]]);
    output::print(&format!("the first test car makes {truth:.1} mpg, the loaded model says {said:.1}\n"))?;
    assert_eq!(before, after);

    // 5. Weights alone go into a network of the same shape, here and in PyTorch
    //    (`module.load_state_dict(safetensors.torch.load_file("model.safetensors"))`).
    let mut other = Network::<f32>::new(layers(), 7)?;
    other.load_weights("model.safetensors")?;
    assert_eq!(other.params(), loaded.network().params());

    // 6. A file that does not fit changes nothing and says why.
    let wide = Sequential::new().then(Linear::new(7, 64)).then(Tanh).then(Linear::new(64, 1));
    let refused = Network::<f32>::new(wide, 7)?.load_weights("model.safetensors").unwrap_err();
    output::print(&format!("into a wider network: {refused}\n"))?;
    Ok(())
}
