//! Layers one after the other.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::cache::{Buffer, Cache};
use crate::layer::Child;
use crate::params::count;
use crate::{Error, Layer, Mode, ParamSpec, Saved, Scalar};

/// `y = f_n(… f_2(f_1(x)))`: each layer reads what the one before it wrote.
///
/// Forward keeps every layer's output; backward walks the layers in reverse and multiplies by one Jacobian after the
/// other, which is the chain rule. Layers are called `0`, `1`, … in paths and parameter names, as in
/// `torch.nn.Sequential`. Without layers it is the identity.
///
/// ```
/// use geartrain::prelude::*;
/// let layers = Sequential::new().then(Linear::new(2, 8)).then(Tanh).then(Linear::new(8, 1));
/// let network = Network::<f32>::new(layers, 2)?;
/// assert_eq!(network.layout().iter().map(|(spec, _)| spec.name.as_str()).collect::<Vec<_>>(),
///            ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sequential<F> {
    layers: Vec<Arc<dyn Layer<F>>>,
    /// Where each layer's parameters lie in this one's.
    ranges: Vec<Range<usize>>,
}

impl<F: Scalar> Default for Sequential<F> {
    fn default() -> Self {
        Sequential::new()
    }
}

impl<F: Scalar> Sequential<F> {
    /// No layers yet.
    pub fn new() -> Self {
        Sequential { layers: Vec::new(), ranges: Vec::new() }
    }

    /// The same layers and one more at the end.
    pub fn then(self, layer: impl Layer<F> + 'static) -> Self {
        self.then_shared(Arc::new(layer))
    }

    /// The same for a layer that others may hold, too.
    pub fn then_shared(mut self, layer: Arc<dyn Layer<F>>) -> Self {
        let start = self.ranges.last().map_or(0, |range| range.end);
        self.ranges.push(start..start.saturating_add(count(&layer.params())));
        self.layers.push(layer);
        self
    }

    /// The layers with their places in the flat vector, in order.
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

/// Features per row that `layer` writes; the shapes were checked before the pass.
fn width<F: Scalar>(layer: &dyn Layer<F>, x: &ArrayView2<F>) -> usize {
    layer.output_features(x.ncols()).expect("checked before the pass")
}

impl<F: Scalar> Layer<F> for Sequential<F> {
    fn output_features(&self, inputs: usize) -> Result<usize, Error> {
        self.layers().try_fold(inputs, |features, (i, layer, _)| {
            layer.output_features(features).map_err(|error| error.inside(&i.to_string()))
        })
    }

    fn params(&self) -> Vec<ParamSpec> {
        self.layers()
            .flat_map(|(i, layer, _)| layer.params().into_iter().map(move |spec| spec.inside(&i.to_string())))
            .collect()
    }

    fn children(&self, inputs: usize) -> Vec<Child<'_, F>> {
        let mut features = Some(inputs);
        let child = |(i, layer, _): (usize, _, _)| {
            let inputs = features?;
            features = Layer::<F>::output_features(layer, inputs).ok();
            Some(Child { name: i.to_string(), layer, inputs })
        };
        self.layers().map_while(child).collect()
    }

    fn forward(
        &self,
        params: &[F],
        x: ArrayView2<F>,
        mut y: ArrayViewMut2<F>,
        cache: &mut Cache<F>,
        mode: Mode,
    ) {
        let Some(last) = self.layers.len().checked_sub(1) else { return y.assign(&x) };
        // In training, layer i has buffer i and cache i. To predict, two buffers take turns and one cache serves all.
        let keep = matches!(mode, Mode::Train { .. });
        let (outputs, children) = if keep { cache.parts(last, last + 1) } else { cache.parts(2, 1) };
        for (i, layer, range) in self.layers() {
            let (before, after) = outputs.split_at_mut(if keep { i } else { 1 });
            let x = if i > 0 { before[before.len() - 1].view() } else { x };
            let y = if i < last { after[0].resize(x.nrows(), width(layer, &x)) } else { y.view_mut() };
            layer.forward(&params[range], x, y, &mut children[if keep { i } else { 0 }], mode.child(i));
            if !keep {
                outputs.swap(0, 1);
            }
        }
    }

    fn backward(
        &self,
        params: &[F],
        saved: Saved<'_, F>,
        dy: ArrayView2<F>,
        grads: &mut [F],
        mut dx: Option<ArrayViewMut2<F>>,
    ) {
        let Some(last) = self.layers.len().checked_sub(1) else {
            return dx.into_iter().for_each(|mut dx| dx.assign(&dy));
        };
        let (buffers, children) = saved.cache.parts(last + 2, last + 1);
        let (outputs, gradients) = buffers.split_at_mut(last);
        let (upper, lower) = gradients.split_at_mut(1);
        let (mut upper, mut lower) = (&mut upper[0], &mut lower[0]);
        for (i, layer, range) in self.layers().rev() {
            let x = if i > 0 { outputs[i - 1].view() } else { saved.x };
            let y = if i < last { outputs[i].view() } else { saved.y };
            let dy = if i < last { upper.view() } else { dy };
            let dx = if i > 0 { Some(lower.resize(x.nrows(), x.ncols())) } else { dx.take() };
            let saved = Saved { x, y, cache: &mut children[i] };
            // ∂L/∂x_i = ∂L/∂y_i · ∂y_i/∂x_i, and y_(i−1) is x_i
            layer.backward(&params[range.clone()], saved, dy, &mut grads[range], dx);
            std::mem::swap(&mut upper, &mut lower);
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
        let Some(last) = self.layers.len().checked_sub(1) else {
            dy.assign(&dx);
            return Ok(());
        };
        let (outputs, children) = saved.cache.parts(last, last + 1);
        let (mut before, mut after) = (Buffer::default(), Buffer::default());
        for (i, layer, range) in self.layers() {
            let x = if i > 0 { outputs[i - 1].view() } else { saved.x };
            let y = if i < last { outputs[i].view() } else { saved.y };
            let dx = if i > 0 { before.view() } else { dx };
            let dy = if i < last { after.resize(y.nrows(), y.ncols()) } else { dy.view_mut() };
            let saved = Saved { x, y, cache: &mut children[i] };
            // dy_i = ∂y_i/∂x_i · dx_i + ∂y_i/∂params_i · dparams_i
            layer
                .tangent(&params[range.clone()], &dparams[range], saved, dx, dy)
                .map_err(|error| error.inside(&i.to_string()))?;
            std::mem::swap(&mut before, &mut after);
        }
        Ok(())
    }

    fn fold_statistics(&self, params: &mut [F], cache: &mut Cache<F>) {
        let (_, children) = cache.parts(0, self.layers.len());
        for (i, layer, range) in self.layers() {
            layer.fold_statistics(&mut params[range], &mut children[i]);
        }
    }
}
