//! Tells three species of penguins apart: labels, cross-entropy, accuracy and the confusion matrix.
//!
//! ```text
//! cargo run --release --example classify
//! ```

use geartrain::ConfusionMatrix;
use geartrain::data::{Csv, Missing, Standardize};
use geartrain::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Every different text in the target column is a class; the target becomes its index.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/penguins.csv");
    let csv = Csv::new("species").drop_columns(["island", "sex"]).missing(Missing::DropRows);
    let (penguins, classes) = Dataset::<f32>::from_csv_classes(path, &csv)?;
    let (train, test) = penguins.split(0.2, 7)?;

    // 2. Scale the four measurements. A class index is not scaled.
    let scale = Standardize::fit(train.x())?;
    let scaled = Dataset::new(scale.transform(train.x())?, train.y().to_owned())?;

    // 3. One output for each class: its logit. The loss contains the softmax.
    let layers = Sequential::new().then(Linear::new(4, 32)).then(ReLU).then(Linear::new(32, classes.len()));
    let mut network = Network::new(layers)?.with_seed(7);
    Training::new(CrossEntropy, Adam::new(0.01)).epochs(50).progress(false).fit(&mut network, &scaled)?;

    // 4. The class with the largest logit is the prediction.
    let logits = network.predict(&scale.transform(test.x())?)?;
    let confusion = ConfusionMatrix::new(logits.view(), test.y())?;
    println!(
        "{}\n\naccuracy {:.3} on {} test rows",
        confusion.table(&classes)?,
        confusion.accuracy(),
        test.rows()
    );
    Ok(())
}
