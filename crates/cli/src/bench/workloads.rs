//! The networks to time, and one training step of each. The criterion benches include this file.

use geartrain::layers::{LayerNorm, Linear, ReLU, Residual, Sequential, Sigmoid, Tanh};
use geartrain::loss::{CrossEntropy, MeanSquaredError};
use geartrain::network::{Prepared, Workspace};
use geartrain::optim::{Adam, Optimizer, Sgd};
use geartrain::{Error, Loss, Network, Scalar};
use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The activation after every hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    ReLU,
    Sigmoid,
    Tanh,
}

/// A network and its training step.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    pub name: String,
    /// Features of the input, of every hidden layer, and of the output.
    pub widths: Vec<usize>,
    pub activation: Activation,
    pub batch: usize,
    /// Hidden layers in residual blocks; all of equal width.
    pub residual: bool,
    /// LayerNorm after every hidden layer.
    pub normalize: bool,
    /// Softmax cross-entropy instead of the mean squared error.
    pub classify: bool,
    pub adam: bool,
    /// Prediction instead of training.
    pub predict: bool,
}

/// The names for [`Workload::named`].
pub const NAMES: [&str; 11] = ["T1", "T2", "D1", "D2", "D3", "N1", "M1", "A1", "W1", "B1", "I1"];

impl Workload {
    /// `depth` hidden layers of `width`, and one output.
    pub fn stack(depth: usize, width: usize, activation: Activation, batch: usize) -> Workload {
        let mut widths = vec![width; depth + 1];
        widths.push(1);
        Workload {
            name: format!("{depth}x{width}"),
            widths,
            activation,
            batch,
            residual: false,
            normalize: false,
            classify: false,
            adam: false,
            predict: false,
        }
    }

    /// One of [`NAMES`]; `I1` predicts a batch of 64 with the network of `D1`, `I1b1` a single row,
    /// `P1` a single row with a small network.
    pub fn named(name: &str) -> Option<Workload> {
        use Activation::{ReLU, Sigmoid, Tanh};
        let net = |widths: &[usize], activation, batch| Workload {
            widths: widths.to_vec(),
            ..Workload::stack(0, 1, activation, batch)
        };
        let classifier = |widths: &[usize], batch| Workload { classify: true, ..net(widths, ReLU, batch) };
        let workload = match name {
            "T1" => net(&[1, 32, 32, 1], Tanh, 32),
            "T2" => net(&[8, 64, 64, 1], ReLU, 64),
            "D1" => Workload::stack(64, 128, ReLU, 64),
            "D2" => Workload::stack(64, 128, Sigmoid, 64),
            "D3" => Workload { residual: true, ..Workload::stack(32, 128, ReLU, 64) },
            "N1" => Workload::stack(100, 16, Sigmoid, 16),
            "M1" => classifier(&[784, 128, 64, 10], 128),
            "A1" => Workload { adam: true, ..classifier(&[784, 128, 64, 10], 128) },
            "W1" => classifier(&[1024, 1024, 1024, 1024, 10], 256),
            "B1" => Workload { adam: true, ..net(&[4, 32, 16, 4], Tanh, 10_000) },
            "I1" => Workload { predict: true, ..Workload::stack(64, 128, ReLU, 64) },
            "I1b1" => Workload { predict: true, ..Workload::stack(64, 128, ReLU, 1) },
            "P1" => Workload { predict: true, ..net(&[6, 64, 8, 4], ReLU, 1) },
            _ => return None,
        };
        Some(Workload { name: name.to_string(), ..workload })
    }

    /// Fully connected layers.
    pub fn depth(&self) -> usize {
        self.widths.len() - 1
    }

    /// Multiplications and additions of the matrix products in a step: `y`, `dW`, and `dx` of all
    /// layers but the first.
    pub fn operations(&self) -> f64 {
        let product = |pair: &[usize]| 2.0 * (self.batch * pair[0] * pair[1]) as f64;
        let all: f64 = self.widths.windows(2).map(product).sum();
        if self.predict { all } else { 3.0 * all - product(&self.widths[..2]) }
    }

    fn layers<F: Scalar>(&self) -> Sequential<F> {
        let mut layers = Sequential::new();
        for pair in self.widths[..self.depth()].windows(2) {
            let block = if self.residual { Sequential::new() } else { std::mem::take(&mut layers) };
            let mut block = block.then(Linear::new(pair[0], pair[1]));
            if self.normalize {
                block = block.then(LayerNorm::new(pair[1]));
            }
            block = match self.activation {
                Activation::ReLU => block.then(ReLU),
                Activation::Sigmoid => block.then(Sigmoid),
                Activation::Tanh => block.then(Tanh),
            };
            layers = if self.residual { layers.then(Residual::new(block)) } else { block };
        }
        layers.then(Linear::new(self.widths[self.depth() - 1], self.widths[self.depth()]))
    }

    /// The network with PyTorch's initialisation, standard normal data, and the buffers of a step.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if the parameters exceed the size limit.
    pub fn prepare<F: Scalar>(&self) -> Result<Step<F>, Error> {
        let network = Network::<F>::new(self.layers())?;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut normal = |columns| {
            Array2::<f64>::from_shape_simple_fn((self.batch, columns), || StandardNormal.sample(&mut rng))
                .mapv(F::of)
        };
        let x = normal(self.widths[0]);
        let outputs = self.widths[self.depth()];
        let (loss, target): (Box<dyn Loss<F>>, _) = if self.classify {
            let classes = Array2::from_shape_fn((self.batch, 1), |(i, _)| F::of((i % outputs) as f64));
            (Box::new(CrossEntropy), classes)
        } else {
            (Box::new(MeanSquaredError), normal(outputs))
        };
        let optimizer: Box<dyn Optimizer<F>> =
            if self.adam { Box::new(Adam::new(0.001)) } else { Box::new(Sgd::new(0.01)) };
        let start = network.params().to_vec();
        let workspace = Workspace::new();
        // A prepared prediction borrows its network. The program prepares only a few.
        let prepared = self.predict.then(|| {
            let network: &'static Network<F> = Box::leak(Box::new(network.clone()));
            network.prepare(self.batch)
        });
        Ok(Step { network, x, target, loss, optimizer, workspace, start, prepared })
    }
}

/// The state of a training step: nothing is allocated while it is timed.
#[derive(Debug)]
pub struct Step<F: Scalar> {
    network: Network<F>,
    x: Array2<F>,
    target: Array2<F>,
    loss: Box<dyn Loss<F>>,
    optimizer: Box<dyn Optimizer<F>>,
    workspace: Workspace<F>,
    start: Vec<F>,
    prepared: Option<Prepared<'static, F>>,
}

impl<F: Scalar> Step<F> {
    /// Forward pass, loss, backward pass, update; or a prediction. A network that diverges restarts
    /// from its initial weights.
    ///
    /// # Errors
    /// None for a prepared workload.
    pub fn run(&mut self) -> Result<(), Error> {
        if let Some(prepared) = &mut self.prepared {
            std::hint::black_box(prepared.predict(&self.x)?);
            return Ok(());
        }
        let Step { network, x, target, loss, optimizer, workspace, .. } = self;
        network.gradients(&**loss, x, target, workspace, None)?;
        match optimizer.step(network.params_mut(), &workspace.grads) {
            Err(Error::NonFinite { .. }) => network.params_mut().copy_from_slice(&self.start),
            result => result?,
        }
        Ok(())
    }
}
