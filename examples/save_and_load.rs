//! Saves a trained model and predicts with it again, from the same raw data.
//!
//! ```text
//! cargo run --release --example save_and_load   # writes model.safetensors
//! ```

use geartrain::data::Csv;
use geartrain::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Scale the columns and train a small network. The predictor keeps the scalers and the names
    // of the columns; its file holds all of them.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/auto-mpg.csv");
    let cars = Dataset::<f64>::from_csv(path, &Csv::new("mpg").drop_columns(["name"]))?;
    let (train, test) = cars.split(0.2, 7)?;
    let layers = || Sequential::new().then(Linear::new(7, 32)).then(Tanh).then(Linear::new(32, 1));
    let network = Network::<f32>::new(layers())?.with_seed(7);
    let sgd = Sgd::new(0.05).momentum(0.9);
    let mut training = Training::new(MeanSquaredError, sgd).epochs(50).progress(false);
    let model = training.fit_predictor(network, &train)?;
    model.save("model.safetensors")?;
    println!("saved model.safetensors, which reads {}", model.feature_names().join(", "));

    // 2. The file alone is enough to predict from raw data, with the same bits.
    let loaded = Predictor::<f32>::load("model.safetensors")?;
    let predicted = loaded.predict(test.x())?;
    assert_eq!(predicted, model.predict(test.x())?);
    println!("the first test car: {:.1} mpg, predicted {:.1}", test.y()[[0, 0]], predicted[[0, 0]]);

    // 3. The weights alone load into a network of the same architecture, here and in PyTorch:
    //    `module.load_state_dict(safetensors.torch.load_file("model.safetensors"))`.
    let mut other = Network::<f32>::new(layers())?;
    other.load_weights("model.safetensors")?;
    assert_eq!(other.params(), loaded.network().params());

    // 4. A file that does not fit is an error, and the network keeps its weights.
    let wide = Sequential::new().then(Linear::new(7, 64)).then(Tanh).then(Linear::new(64, 1));
    let error = Network::<f32>::new(wide)?.load_weights("model.safetensors").unwrap_err();
    println!("into a wider network: {error}");
    Ok(())
}
