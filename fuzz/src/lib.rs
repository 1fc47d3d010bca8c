//! Small networks from random bytes, for the fuzz targets.

use geartrain::layers::*;
use geartrain::{Error, Network};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// A layer. Sizes are taken modulo a small number, options as they are.
#[derive(Debug, Clone, Arbitrary)]
pub enum Choice {
    Linear {
        outputs: u8,
        bias: bool,
    },
    Tanh,
    ReLU,
    Sigmoid,
    GELU,
    ELU(f64),
    Softmax,
    LayerNorm(f64),
    BatchNorm(f64),
    Dropout(f64),
    Residual {
        scale: f64,
        body: Vec<Choice>,
    },
    /// A width that fits only by chance.
    Misfit(u8),
}

/// Options with a valid value three times out of four, so that most networks can be built.
fn mostly(valid: f64, given: f64) -> f64 {
    if given.to_bits() % 4 == 0 { given } else { valid }
}

/// The layers in order, and their output width.
pub fn sequence(choices: &[Choice], inputs: usize, depth: usize) -> (Sequential<f32>, usize) {
    let mut width = inputs;
    let mut layers = Sequential::new();
    for choice in choices.iter().take(6) {
        layers = match choice {
            Choice::Linear { outputs, bias } => {
                let before = width;
                width = 1 + usize::from(outputs % 5);
                let linear = Linear::new(before, width);
                layers.then(if *bias { linear } else { linear.without_bias() })
            }
            Choice::Tanh => layers.then(Tanh),
            Choice::ReLU => layers.then(ReLU),
            Choice::Sigmoid => layers.then(Sigmoid),
            Choice::GELU => layers.then(GELU),
            Choice::ELU(alpha) => layers.then(ELU::new(mostly(1.0, *alpha))),
            Choice::Softmax => layers.then(Softmax),
            Choice::LayerNorm(eps) => layers.then(LayerNorm::new(width).eps(mostly(1e-5, *eps))),
            Choice::BatchNorm(eps) => layers.then(BatchNorm::new(width).eps(mostly(1e-5, *eps))),
            Choice::Dropout(p) => layers.then(Dropout::new(mostly(0.5, *p))),
            Choice::Residual { scale, body } if depth > 0 => {
                let (body, outputs) = sequence(body, width, depth - 1);
                let body = if outputs == width { body } else { body.then(Linear::new(outputs, width)) };
                layers.then(Residual::new(body).scale(mostly(1.0, *scale)))
            }
            Choice::Residual { .. } => layers,
            Choice::Misfit(outputs) => layers.then(Linear::new(usize::from(outputs % 5), 3)),
        };
    }
    (layers, width)
}

/// A network with `outputs` outputs, unless a choice does not fit.
pub fn network(choices: &[Choice], inputs: usize, outputs: usize) -> Result<Network<f32>, Error> {
    let (layers, width) = sequence(choices, inputs, 2);
    Network::with_inputs(layers.then(Linear::new(width, outputs)), inputs)
}
