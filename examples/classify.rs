//! Tells three species of penguins apart: labels, cross-entropy, accuracy and the confusion matrix.
//!
//! ```text
//! cargo run --release --example classify
//! ```

use geartrain::data::{Csv, Missing};
use geartrain::metrics::ConfusionMatrix;
use geartrain::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Every different text in the target column is a class; the target becomes its index.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/penguins.csv");
    let csv = Csv::new("species").drop_columns(["island", "sex"]).missing(Missing::DropRows);
    let penguins = Dataset::<f64>::from_csv_classes(path, &csv)?;
    let classes = penguins.classes();
    for note in penguins.notes() {
        println!("{note}");
    }
    let (train, test) = penguins.split(0.2, 7)?;

    // 2. One output for each class: its logit. The loss contains the softmax.
    let layers = Sequential::new().then(Linear::new(4, 32)).then(ReLU).then(Linear::new(32, classes.len()));
    let network = Network::<f32>::new(layers)?.with_seed(7);
    let mut training = Training::new(CrossEntropy, Adam::new(0.01)).epochs(50).progress(false);

    // 3. The measurements are scaled for training, and the model keeps the scales.
    let model = training.fit_predictor(network, &train)?;

    // 4. The class with the largest logit is the prediction.
    let confusion = ConfusionMatrix::from_logits(&model.predict(test.x())?, test.y())?;
    println!(
        "{}\n\naccuracy {:.3} on {} test rows",
        confusion.table(classes)?,
        confusion.accuracy(),
        test.rows()
    );
    Ok(())
}
