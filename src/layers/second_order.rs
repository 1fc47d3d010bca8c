//! Derivatives of backward passes, for Hessian-vector products.

use geartrain_kernels::{matmul, matmul_add, sum_rows};

use crate::Scalar;
use crate::error::LayerProblem;
use crate::layer::BackwardJvp;
use crate::params::{split_matrix, split_matrix_mut};

/// `Layer::backward_jvp` of a [`Linear`](super::Linear) with a weight of `shape`.
pub(super) fn linear<F: Scalar>(
    shape: (usize, usize),
    bias: bool,
    pass: BackwardJvp<'_, F>,
) -> Result<(), LayerProblem> {
    let BackwardJvp { params, params_dot, x, x_dot, dy, dy_dot, grads_dot, dx, .. } = pass;
    let ((w, _), (w_dot, _)) = (split_matrix(params, shape), split_matrix(params_dot, shape));
    let (mut dw_dot, db_dot) = split_matrix_mut(grads_dot, shape);
    // the product rule on dW = dyᵀ x, db = Σ_r dy_r and dx = dy W
    matmul(dy_dot.t(), x, dw_dot.view_mut());
    matmul_add(dy.t(), x_dot, dw_dot);
    if bias {
        sum_rows(dy_dot, db_dot);
    }
    if let Some([dx, mut dx_dot]) = dx {
        matmul(dy, w, dx);
        matmul(dy_dot, w, dx_dot.view_mut());
        matmul_add(dy, w_dot, dx_dot);
    }
    Ok(())
}
