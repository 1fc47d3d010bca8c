//! Layers one after the other.

use std::ops::Range;
use std::sync::Arc;

use ndarray::ArrayView2;

use crate::Scalar;
use crate::cache::Cache;
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Kind, Layer, Mode};

/// `y = f_n(… f_2(f_1(x)))`: each layer reads the output of the layer before it.
///
/// The forward pass keeps the output of every layer. The backward pass visits the layers in reverse
/// and multiplies by one Jacobian after the other, which is the chain rule. Layers are called `0`,
/// `1`, … in paths and parameter names, as in `torch.nn.Sequential`. Without layers it is the
/// identity.
///
/// ```
/// use geartrain::prelude::*;
/// let layers = Sequential::new().then(Linear::new(2, 8)).then(Tanh).then(Linear::new(8, 1));
/// let network = Network::<f32>::new(layers)?;
/// assert_eq!(network.layout().iter().map(|(spec, _)| spec.name.as_str()).collect::<Vec<_>>(),
///            ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sequential<F> {
    layers: Vec<Arc<dyn Layer<F>>>,
    /// The range of each layer's parameters among those of all layers.
    ranges: Vec<Range<usize>>,
}

impl<F: Scalar> Default for Sequential<F> {
    fn default() -> Self {
        Sequential::new()
    }
}

impl<F: Scalar> Sequential<F> {
    /// No layers: the identity.
    pub fn new() -> Self {
        Sequential { layers: Vec::new(), ranges: Vec::new() }
    }

    /// Appends a layer.
    pub fn then(self, layer: impl Layer<F> + 'static) -> Self {
        self.then_shared(Arc::new(layer))
    }

    /// Appends a layer that other networks may share.
    pub fn then_shared(mut self, layer: Arc<dyn Layer<F>>) -> Self {
        let start = self.ranges.last().map_or(0, |range| range.end);
        self.ranges.push(start..start.saturating_add(layer.describe().param_count()));
        self.layers.push(layer);
        self
    }

    /// Index, layer and parameter range of every layer.
    fn layers(
        &self,
    ) -> impl DoubleEndedIterator<Item = (usize, &dyn Layer<F>, Range<usize>)> + ExactSizeIterator {
        self.layers
            .iter()
            .zip(&self.ranges)
            .enumerate()
            .map(|(i, (layer, range))| (i, &**layer, range.clone()))
    }
}

/// The buffers of a training pass besides the outputs of all layers but the last: gradients and
/// their changes at the output and at the input of a layer. Behind them are the changes of the
/// outputs.
const GRADIENTS: usize = 4;

/// `problem` of the layer at index `i`.
fn inside<F: Scalar>(i: usize, layer: &dyn Layer<F>) -> impl FnOnce(LayerProblem) -> LayerProblem {
    move |problem| problem.inside(i.to_string(), layer.describe().name)
}

/// The output width of `layer`, whose input was checked before the pass.
fn width<F: Scalar>(layer: &dyn Layer<F>, x: &ArrayView2<F>) -> usize {
    layer.output_features(x.ncols()).expect("checked before the pass")
}

impl<F: Scalar> Layer<F> for Sequential<F> {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        self.layers().try_fold(inputs, |features, (i, layer, _)| {
            layer.output_features(features).map_err(inside(i, layer))
        })
    }

    fn describe(&self) -> Description<'_, F> {
        let description = Description::opaque::<Self>()
            .kind(Kind::Sequential)
            .row_by_row()
            // Layers without a width of their own keep that of their input.
            .input_features(self.layers.iter().find_map(|layer| layer.describe().input_features));
        let layers = self.layers.iter().enumerate();
        layers.fold(description, |description, (i, layer)| description.child(i.to_string(), layer))
    }

    fn forward(&self, Forward { params, x, mut y, cache, mode }: Forward<'_, F>) {
        let Some(last) = self.layers.len().checked_sub(1) else { return y.assign(&x) };
        // In training, layer i has buffer i and cache i. In prediction, two buffers alternate and
        // all layers share one cache.
        let keep = matches!(mode, Mode::Train { .. });
        let (outputs, children) = if keep { cache.parts(last, last + 1) } else { cache.parts(2, 1) };
        for (i, layer, range) in self.layers() {
            let (before, after) = outputs.split_at_mut(if keep { i } else { 1 });
            let x = if i > 0 { before[before.len() - 1].view() } else { x };
            let y = if i < last { after[0].resize(x.nrows(), width(layer, &x)) } else { y.view_mut() };
            let cache = &mut children[if keep { i } else { 0 }];
            layer.forward(Forward { params: &params[range], x, y, cache, mode: mode.child(i) });
            if !keep {
                outputs.swap(0, 1);
            }
        }
    }

    fn backward(&self, Backward { params, x, y, dy, grads, mut dx, cache }: Backward<'_, F>) {
        let Some(last) = self.layers.len().checked_sub(1) else {
            return dx.into_iter().for_each(|mut dx| dx.assign(&dy));
        };
        let (buffers, children) = cache.parts(last + 2, last + 1);
        let (outputs, gradients) = buffers.split_at_mut(last);
        let (upper, lower) = gradients.split_at_mut(1);
        let (mut upper, mut lower) = (&mut upper[0], &mut lower[0]);
        for (i, layer, range) in self.layers().rev() {
            let x = if i > 0 { outputs[i - 1].view() } else { x };
            let y = if i < last { outputs[i].view() } else { y };
            let dy = if i < last { upper.view() } else { dy };
            let dx = if i > 0 { Some(lower.resize(x.nrows(), x.ncols())) } else { dx.take() };
            let (params, grads, cache) = (&params[range.clone()], &mut grads[range], &mut children[i]);
            // ∂L/∂x_i = ∂L/∂y_i · ∂y_i/∂x_i, and y_(i−1) is x_i
            layer.backward(Backward { params, x, y, dy, grads, dx, cache });
            std::mem::swap(&mut upper, &mut lower);
        }
    }

    fn jvp(&self, Jvp { params, dparams, x, y, dx, mut dy, cache }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        let Some(last) = self.layers.len().checked_sub(1) else {
            dy.assign(&dx);
            return Ok(());
        };
        let (buffers, children) = cache.parts(2 * last + GRADIENTS, last + 1);
        let (outputs, rest) = buffers.split_at_mut(last);
        let changes = &mut rest[GRADIENTS..];
        for (i, layer, range) in self.layers() {
            let x = if i > 0 { outputs[i - 1].view() } else { x };
            let y = if i < last { outputs[i].view() } else { y };
            let (before, after) = changes.split_at_mut(i);
            let dx = before.last().map_or(dx, |dx| dx.view());
            let dy = if i < last { after[0].resize(y.nrows(), y.ncols()) } else { dy.view_mut() };
            let (params, dparams, cache) = (&params[range.clone()], &dparams[range], &mut children[i]);
            // dy_i = ∂y_i/∂x_i · dx_i + ∂y_i/∂params_i · dparams_i
            layer.jvp(Jvp { params, dparams, x, y, dx, dy, cache }).map_err(inside(i, layer))?;
        }
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { params, params_dot, x, x_dot, y, dy, dy_dot, grads_dot, mut dx, cache } = pass;
        let Some(last) = self.layers.len().checked_sub(1) else {
            dx.into_iter().flatten().zip([dy, dy_dot]).for_each(|(mut dx, dy)| dx.assign(&dy));
            return Ok(());
        };
        let (buffers, children) = cache.parts(2 * last + GRADIENTS, last + 1);
        let (outputs, rest) = buffers.split_at_mut(last);
        let (gradients, changes) = rest.split_at_mut(GRADIENTS);
        let (mut upper, mut lower) = gradients.split_at_mut(2);
        for (i, layer, range) in self.layers().rev() {
            let x = if i > 0 { outputs[i - 1].view() } else { x };
            let x_dot = if i > 0 { changes[i - 1].view() } else { x_dot };
            let y = if i < last { outputs[i].view() } else { y };
            let [dy, dy_dot] = if i < last { [0, 1].map(|k| upper[k].view()) } else { [dy, dy_dot] };
            let dx = match &mut *lower {
                [dx, dx_dot] if i > 0 => Some([dx, dx_dot].map(|dx| dx.resize(x.nrows(), x.ncols()))),
                _ => dx.take(),
            };
            let (params, params_dot) = (&params[range.clone()], &params_dot[range.clone()]);
            let (grads_dot, cache) = (&mut grads_dot[range], &mut children[i]);
            // the same chain rule as in `backward`, for gradients and their changes together
            layer
                .backward_jvp(BackwardJvp {
                    params,
                    params_dot,
                    x,
                    x_dot,
                    y,
                    dy,
                    dy_dot,
                    grads_dot,
                    dx,
                    cache,
                })
                .map_err(inside(i, layer))?;
            std::mem::swap(&mut upper, &mut lower);
        }
        Ok(())
    }

    fn update_running_stats(&self, params: &mut [F], cache: &mut Cache<F>) {
        let (_, children) = cache.parts(0, self.layers.len());
        for (i, layer, range) in self.layers() {
            layer.update_running_stats(&mut params[range], &mut children[i]);
        }
    }
}
