//! The fully connected layer.

use super::{LayerSpec, check_sizes, second_order};
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Kind, Layer};
use crate::params::{ParamSpec, split_matrix, split_matrix_mut};
use crate::{Init, Scalar, error::LayerProblem};
use geartrain_kernels::{matmul, matmul_add, matmul_add_row, sum_rows};

/// `y = x Wᵀ + b`, as `torch.nn.Linear`.
///
/// `x` is `(rows, inputs)`, `y` is `(rows, outputs)`. Parameters: `weight`, `outputs × inputs`, and
/// `bias`, `outputs`, both uniform with bound 1 / √inputs as in PyTorch ([`Init::torch_linear`]).
///
/// ```
/// use geartrain::prelude::*;
/// let mut network = Network::<f64>::new(Linear::new(2, 1))?;
/// network.params_mut().copy_from_slice(&[3.0, 4.0, 1.0]);
/// assert_eq!(network.predict(&ndarray::array![[10.0, 100.0]])?, ndarray::array![[431.0]]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    shape: (usize, usize), // of the weight
    bias: bool,
    weight_init: Init,
    bias_init: Init,
}

impl Linear {
    /// A layer from `inputs` to `outputs` features per row, each at least 1, with a bias.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let init = Init::torch_linear();
        Linear { shape: (outputs, inputs), bias: true, weight_init: init, bias_init: init }
    }

    /// Removes the bias: `y = x Wᵀ`.
    pub fn without_bias(self) -> Self {
        Linear { bias: false, ..self }
    }

    /// Sets the initialisation of the weight.
    pub fn init(self, init: Init) -> Self {
        Linear { weight_init: init, ..self }
    }

    /// Sets the initialisation of the bias.
    pub fn bias_init(self, init: Init) -> Self {
        Linear { bias_init: init, ..self }
    }
}

impl<F: Scalar> Layer<F> for Linear {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        check_sizes(&[("inputs", self.shape.1), ("outputs", self.shape.0)])?;
        LayerProblem::check_features(self.shape.1, inputs).map(|_| self.shape.0)
    }

    fn describe(&self) -> Description<'_, F> {
        let ((outputs, inputs), bias) = (self.shape, self.bias);
        let weight = ParamSpec::new("weight", &[outputs, inputs], self.weight_init);
        let b = ParamSpec::new("bias", &[outputs], self.bias_init).fans(inputs, outputs);
        Description::named(format!("Linear({inputs}, {outputs}{})", if bias { "" } else { ", no bias" }))
            .kind(Kind::Linear)
            .spec(LayerSpec::Linear { inputs, outputs, bias })
            .params([weight].into_iter().chain(bias.then_some(b)))
            .input_features(inputs)
            .row_by_row()
    }

    fn forward(&self, Forward { params, x, y, .. }: Forward<'_, F>) {
        let (w, b) = split_matrix(params, self.shape);
        // y = x Wᵀ + b
        if self.bias { matmul_add_row(x, w.t(), b, y) } else { matmul(x, w.t(), y) }
    }

    fn backward(&self, Backward { params, x, dy, grads, dx, .. }: Backward<'_, F>) {
        let ((w, _), (dw, db)) = (split_matrix(params, self.shape), split_matrix_mut(grads, self.shape));
        matmul(dy.t(), x, dw); // y_ri = Σ_j x_rj W_ij + b_i, so ∂L/∂W_ij = Σ_r dy_ri x_rj:  dW = dyᵀ x
        if self.bias {
            sum_rows(dy, db); // every row adds b_i once:  db = Σ_r dy_r
        }
        if let Some(dx) = dx {
            matmul(dy, w, dx); // ∂L/∂x_rj = Σ_i dy_ri W_ij:  dx = dy W
        }
    }

    fn jvp(&self, Jvp { params, dparams, x, dx, mut dy, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        let ((w, _), (dw, db)) = (split_matrix(params, self.shape), split_matrix(dparams, self.shape));
        matmul(dx, w.t(), dy.view_mut()); // the product rule:  dy = dx Wᵀ + x dWᵀ + db
        matmul_add(x, dw.t(), dy.view_mut());
        if self.bias {
            dy += &db;
        }
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        second_order::linear(self.shape, self.bias, pass)
    }
}
