//! Which learning rate? Sweep it over seven decades, and train with the suggestion and with others.
//!
//! ```text
//! cargo run --release --example learning_rate
//! ```

use geartrain::data::{StandardScaler, toy};
use geartrain::prelude::*;
use geartrain::train::LearningRateFinder;

fn main() -> Result<(), geartrain::Error> {
    // 1. Targets of mean 0 and standard deviation 1: a loss of 1 is no better than their mean.
    let data = toy::friedman1::<f32>(500, 1.0, 7)?;
    let scaled = StandardScaler::fit(data.y())?.transform(data.y())?;
    let (train, test) = Dataset::new(data.x().to_owned(), scaled)?.split(0.2, 7)?;

    // 2. The network and the optimizer to find a learning rate for.
    let hidden = |inputs| Sequential::new().then(Linear::new(inputs, 64)).then(Tanh);
    let network = Network::new(hidden(10).then(hidden(64)).then(Linear::new(64, 1)))?.with_seed(7);
    let sgd = |rate| Sgd::new(rate).momentum(0.9);

    // 3. Train a copy for 100 steps, each with a larger rate than the one before, and record the
    // loss.
    let finder = LearningRateFinder::new().batch_size(16).seed(7);
    let curve = finder.run(&network, MeanSquaredError, sgd(0.0), &train)?;
    println!("     rate   loss after the step");
    for point in curve.points.iter().step_by(8) {
        println!("{:9.2e}   {:.4}", point.rate, point.loss);
    }

    // 4. The suggestion is where the loss falls fastest. Train with it, and with others.
    let Some(suggestion) = curve.suggestion() else {
        println!("The loss never falls: there is no suggestion.");
        return Ok(());
    };
    println!("\nSuggested learning rate: {suggestion:.2e}\n\n     rate   test loss after 30 epochs");
    for factor in [0.01, 0.1, 1.0, 10.0, 100.0] {
        let (rate, mut network) = (suggestion * factor, network.clone());
        let mut training =
            Training::new(MeanSquaredError, sgd(rate)).epochs(30).batch_size(16).progress(false);
        let mark = if factor == 1.0 { "  <- the suggestion" } else { "" };
        match training.fit(&mut network, &train) {
            Ok(_) => {
                let loss = network.loss(&MeanSquaredError, test.x(), test.y())?;
                println!("{rate:9.2e}   {loss:.4}{mark}");
            }
            Err(Error::Diverged { epoch, .. }) => println!("{rate:9.2e}   diverged in epoch {epoch}"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
