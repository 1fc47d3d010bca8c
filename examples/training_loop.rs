//! The training loop by hand, without `Training`: batches, forward pass, backward pass, update.
//!
//! ```text
//! cargo run --release --example training_loop
//! ```

use geartrain::data::{Batches, toy};
use geartrain::network::Workspace;
use geartrain::prelude::*;

fn main() -> Result<(), geartrain::Error> {
    // 1. 500 points of a noisy sine, of which 100 are test rows.
    let (train, test) = toy::sine::<f32>(500, 0.1, 7)?.split(0.2, 7)?;

    // 2. The network, the update rule, the batches, and the buffers of a step.
    let layers = Sequential::new().then(Linear::new(1, 32)).then(Tanh).then(Linear::new(32, 1));
    let mut network = Network::new(layers)?.with_seed(7);
    let mut adam = Adam::new(0.01);
    let mut batches = Batches::new(&train, 32, 7)?;
    let mut workspace = Workspace::new();

    for epoch in 0..50 {
        batches.shuffle(epoch);
        let mut sum = 0.0;
        for index in 0..batches.count() {
            let (x, y) = batches.get(index);
            // 3. Forward and backward pass: the loss, and its gradient in every parameter.
            sum += network.gradients(&MeanSquaredError, &x, &y, &mut workspace, None)?;
            // 4. The gradients as one flat vector, in the order of the parameters.
            let norm = workspace.grads.iter().map(|g| g * g).sum::<f32>().sqrt();
            if epoch == 0 && index == 0 {
                println!("the gradient of {} parameters has norm {norm:.3}", workspace.grads.len());
            }
            // 5. The update: parameters ← parameters − step.
            adam.step(network.params_mut(), &workspace.grads)?;
        }
        if epoch % 10 == 9 {
            let loss = network.loss(&MeanSquaredError, test.x(), test.y())?;
            println!(
                "epoch {:2}: training loss {:.4}, test loss {loss:.4}",
                epoch + 1,
                sum / batches.count() as f64
            );
        }
    }
    Ok(())
}
