//! The fully connected layer.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, ShapeBuilder};

use crate::cache::Cache;
use crate::error::LayerProblem;
use crate::{Error, Init, Kind, Layer, LayerSpec, Mode, ParamSpec, Saved, Scalar};
use geartrain_kernels::{matmul, matmul_add, matmul_add_row, sum_rows};

/// `y = x Wᵀ + b`, the affine map of `torch.nn.Linear`.
///
/// `x` is `(rows, inputs)`, `y` is `(rows, outputs)`. Parameters: `weight`, `outputs × inputs`, and `bias`, `outputs`.
/// Both start as in PyTorch, uniform with bound 1 / √inputs ([`Init::torch_linear`]).
///
/// ```
/// use geartrain::prelude::*;
/// let mut network = Network::<f64>::new(Linear::new(2, 1), 2)?;
/// network.set_param("weight", &[3.0, 4.0])?;
/// network.set_param("bias", &[1.0])?;
/// assert_eq!(network.predict(ndarray::array![[10.0, 100.0]].view())?, ndarray::array![[431.0]]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    bias: bool,
    weight_init: Init,
    bias_init: Init,
}

impl Linear {
    /// A layer from `inputs` to `outputs` features per row, with a bias. Sizes of 0 are refused by
    /// [`Network::new`](crate::Network::new).
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let init = Init::torch_linear();
        Linear { inputs, outputs, bias: true, weight_init: init, bias_init: init }
    }

    /// The same layer without a bias: `y = x Wᵀ`.
    pub fn without_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// The same layer with its weight initialised by `init`.
    pub fn init(mut self, init: Init) -> Self {
        self.weight_init = init;
        self
    }

    /// The same layer with its bias initialised by `init`.
    pub fn bias_init(mut self, init: Init) -> Self {
        self.bias_init = init;
        self
    }

    /// `W` and `b` in this layer's part of the flat vector; an empty `b` where there is none.
    fn split<'a, F: Scalar>(&self, params: &'a [F]) -> (ArrayView2<'a, F>, ArrayView1<'a, F>) {
        let (weight, bias) = params.split_at(self.outputs * self.inputs);
        let shape = (self.outputs, self.inputs).f();
        (ArrayView2::from_shape(shape, weight).expect("checked by the layout"), ArrayView1::from(bias))
    }

    /// `dW` and `db`, to be written.
    fn split_mut<'a, F: Scalar>(&self, grads: &'a mut [F]) -> (ArrayViewMut2<'a, F>, ArrayViewMut1<'a, F>) {
        let (weight, bias) = grads.split_at_mut(self.outputs * self.inputs);
        let shape = (self.outputs, self.inputs).f();
        (ArrayViewMut2::from_shape(shape, weight).expect("checked by the layout"), ArrayViewMut1::from(bias))
    }
}

impl<F: Scalar> Layer<F> for Linear {
    fn output_features(&self, inputs: usize) -> Result<usize, Error> {
        let refuse = |problem| Err(Error::layer(Layer::<F>::name(self), problem));
        for (argument, size) in [("inputs", self.inputs), ("outputs", self.outputs)] {
            if size == 0 {
                return refuse(LayerProblem::Argument { argument, expected: "at least 1", got: "0".into() });
            }
        }
        if inputs != self.inputs {
            return refuse(LayerProblem::Features { expected: self.inputs, got: inputs });
        }
        Ok(self.outputs)
    }

    fn params(&self) -> Vec<ParamSpec> {
        let mut specs = vec![ParamSpec::new("weight", &[self.outputs, self.inputs], self.weight_init)];
        if self.bias {
            let bias = ParamSpec::new("bias", &[self.outputs], self.bias_init);
            specs.push(bias.fans(self.inputs, self.outputs));
        }
        specs
    }

    fn name(&self) -> String {
        let bias = if self.bias { "" } else { ", no bias" };
        format!("Linear({}, {}{bias})", self.inputs, self.outputs)
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::Linear { inputs: self.inputs, outputs: self.outputs, bias: self.bias })
    }

    fn kind(&self) -> Kind {
        Kind::Linear
    }

    fn forward(&self, params: &[F], x: ArrayView2<F>, y: ArrayViewMut2<F>, _: &mut Cache<F>, _: Mode) {
        let (weight, bias) = self.split(params);
        // y = x Wᵀ + b
        if self.bias {
            matmul_add_row(x, weight.t(), bias, y);
        } else {
            matmul(x, weight.t(), y);
        }
    }

    fn backward(
        &self,
        params: &[F],
        saved: Saved<'_, F>,
        dy: ArrayView2<F>,
        grads: &mut [F],
        dx: Option<ArrayViewMut2<F>>,
    ) {
        let (weight, _) = self.split(params);
        let (dweight, dbias) = self.split_mut(grads);
        // y_ri = Σ_j x_rj W_ij + b_i, so ∂L/∂W_ij = Σ_r dy_ri x_rj:  dW = dyᵀ x
        matmul(dy.t(), saved.x, dweight);
        // every row's y_i contains b_i once:  db = Σ_r dy_r
        if self.bias {
            sum_rows(dy, dbias);
        }
        // ∂L/∂x_rj = Σ_i dy_ri W_ij:  dx = dy W
        if let Some(dx) = dx {
            matmul(dy, weight, dx);
        }
    }

    fn tangent(
        &self,
        params: &[F],
        dparams: &[F],
        saved: Saved<'_, F>,
        dx: ArrayView2<F>,
        mut dy: ArrayViewMut2<F>,
    ) -> Result<(), Error> {
        let (weight, _) = self.split(params);
        let (dweight, dbias) = self.split(dparams);
        // the product rule:  dy = dx Wᵀ + x dWᵀ + db
        matmul(dx, weight.t(), dy.view_mut());
        matmul_add(saved.x, dweight.t(), dy.view_mut());
        if self.bias {
            dy += &dbias;
        }
        Ok(())
    }
}
