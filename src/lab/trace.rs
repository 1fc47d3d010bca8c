//! One pass through a network that keeps everything: what the other instruments read.

use std::ops::Range;

use ndarray::{ArcArray2, Array2, ArrayView2};

use super::measure::{norm, normal_batch};
use crate::cache::Cache;
use crate::params::count;
use crate::{Child, Error, Kind, Layer, Mode, Network, Saved, Scalar};

/// A forward pass with all that it computed, layer by layer, ready to go back through.
///
/// The containers are opened by their [`Kind`], so that a row is a single layer, or the sum at the end of a skip
/// connection; what is not known is one row as a whole. Forward and backward of each layer are its own.
#[derive(Debug)]
pub(super) struct Trace<'a, F> {
    pub network: &'a Network<F>,
    pub steps: Vec<Step<'a, F>>,
    pub output: ArcArray2<F>,
}

/// A layer that was passed, or the end of a skip connection.
#[derive(Debug)]
pub(super) struct Step<'a, F> {
    /// Where it is, as in parameter names.
    pub path: String,
    pub layer: &'a dyn Layer<F>,
    pub kind: Kind,
    /// How many skip connections it is inside of.
    pub nesting: usize,
    /// Where its parameters lie in the network's.
    pub start: usize,
    pub x: ArcArray2<F>,
    pub y: ArcArray2<F>,
    /// For a skip connection: the step at which its body begins.
    pub body: Option<usize>,
    cache: Cache<F>,
}

/// What the backward pass adds.
#[derive(Debug)]
pub(super) struct Gradients<F> {
    /// The gradient at each step's output.
    pub outputs: Vec<ArcArray2<F>>,
    /// The gradient at each step's input, as this step leaves it.
    pub inputs: Vec<ArcArray2<F>>,
    /// For a skip connection: the length of the gradient that came down its branch.
    pub branches: Vec<Option<f64>>,
    /// The gradient at the network's input.
    pub input: ArcArray2<F>,
    /// The gradient in the parameters, as a flat vector.
    pub params: Vec<F>,
}

impl<'a, F: Scalar> Trace<'a, F> {
    pub fn new(network: &'a Network<F>, x: ArrayView2<F>) -> Result<Self, Error> {
        network.check_input(x)?;
        network.check_batch(x.nrows())?;
        let output = x.to_owned().into_shared();
        let mut trace = Trace { network, steps: Vec::new(), output: output.clone() };
        let root = Child { name: String::new(), layer: network.layer(), inputs: network.inputs() };
        trace.output = trace.forward("", root, 0, 0, output, Mode::Train { key: 0 });
        Ok(trace)
    }

    fn forward(
        &mut self,
        path: &str,
        child: Child<'a, F>,
        nesting: usize,
        mut start: usize,
        x: ArcArray2<F>,
        mode: Mode,
    ) -> ArcArray2<F> {
        let Child { name, layer, inputs } = child;
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        let kind = layer.kind();
        let here = self.steps.len();
        let mut cache = Cache::new();
        let y = match kind {
            Kind::Sequence => {
                return layer.children(inputs).into_iter().enumerate().fold(x, |x, (i, child)| {
                    let size = count(&child.layer.params());
                    let y = self.forward(&path, child, nesting, start, x, mode.child(i));
                    start += size;
                    y
                });
            }
            Kind::Skip { scale } => {
                let child = layer.children(inputs).pop().expect("a skip connection has a body");
                let branch = self.forward(&path, child, nesting + 1, start, x.clone(), mode.child(0));
                let scale = F::of(scale);
                ndarray::Zip::from(&x).and(&branch).map_collect(|&x, &branch| x + scale * branch)
            }
            _ => {
                let outputs = layer.output_features(inputs).expect("checked when the network was made");
                let mut y = Array2::zeros((x.nrows(), outputs));
                let params = &self.network.params()[start..start + count(&layer.params())];
                layer.forward(params, x.view(), y.view_mut(), &mut cache, mode);
                y
            }
        };
        let (y, skip) = (y.into_shared(), matches!(kind, Kind::Skip { .. }));
        self.steps.push(Step {
            path,
            layer,
            kind,
            nesting,
            start,
            x,
            y: y.clone(),
            body: skip.then_some(here),
            cache,
        });
        y
    }

    /// The gradients when the gradient at the network's output is `dy`.
    pub fn backward(&mut self, dy: ArrayView2<F>) -> Gradients<F> {
        let dy = dy.to_owned().into_shared();
        let mut gradients = self.no_gradients(&dy);
        gradients.input = self.back(0, self.steps.len(), dy, &mut gradients);
        gradients
    }

    /// The gradient at the input of step `begin` when that at the output of step `end − 1` is `dy`.
    pub fn backward_between(&mut self, begin: usize, end: usize, dy: ArcArray2<F>) -> ArcArray2<F> {
        let mut gradients = self.no_gradients(&dy);
        self.back(begin, end, dy, &mut gradients)
    }

    fn no_gradients(&self, dy: &ArcArray2<F>) -> Gradients<F> {
        Gradients {
            outputs: vec![dy.clone(); self.steps.len()],
            inputs: vec![dy.clone(); self.steps.len()],
            branches: vec![None; self.steps.len()],
            input: dy.clone(),
            params: vec![F::zero(); self.network.params().len()],
        }
    }

    /// Back through steps `begin..end`.
    fn back(
        &mut self,
        begin: usize,
        mut end: usize,
        mut dy: ArcArray2<F>,
        gradients: &mut Gradients<F>,
    ) -> ArcArray2<F> {
        while end > begin {
            let i = end - 1;
            gradients.outputs[i] = dy.clone();
            if let (Kind::Skip { scale }, Some(body)) = (self.steps[i].kind, self.steps[i].body) {
                let branch = self.back(body, i, dy.mapv(|dy| F::of(scale) * dy).into_shared(), gradients);
                gradients.branches[i] = Some(norm(branch.iter()));
                dy = (&branch + &dy).into_shared();
                end = body;
            } else {
                let Step { layer, start, x, y, cache, .. } = &mut self.steps[i];
                let range = *start..*start + count(&layer.params());
                let mut dx = Array2::zeros(x.dim());
                let saved = Saved { x: x.view(), y: y.view(), cache };
                let grads = &mut gradients.params[range.clone()];
                let params = &self.network.params()[range];
                layer.backward(params, saved, dy.view(), grads, Some(dx.view_mut()));
                dy = dx.into_shared();
                end = i;
            }
            gradients.inputs[i] = dy.clone();
        }
        dy
    }
}

impl<F: Scalar> Step<'_, F> {
    /// This step's tensor called `name` in a flat vector of the network.
    pub fn tensor<'f>(&self, name: &str, flat: &'f [F]) -> Option<&'f [F]> {
        let mut start = self.start;
        for spec in self.layer.params() {
            if spec.name == name {
                return Some(&flat[start..start + spec.len()]);
            }
            start += spec.len();
        }
        None
    }

    /// Root mean square of `|Jᵀv| / |v|` for a random `v`, with J the layer's Jacobian at this batch.
    pub fn random_gain(&mut self, params: &[F]) -> f64 {
        let v = normal_batch::<F>(self.y.nrows(), self.y.ncols(), 0);
        let range = self.start..self.start + count(&self.layer.params());
        let mut dx = Array2::zeros(self.x.dim());
        let saved = Saved { x: self.x.view(), y: self.y.view(), cache: &mut self.cache };
        let mut unused = vec![F::zero(); range.len()];
        self.layer.backward(&params[range], saved, v.view(), &mut unused, Some(dx.view_mut()));
        norm(dx.iter()) / norm(v.iter())
    }

    /// Where its weight lies in a flat vector of the network: the first tensor that optimizers change. `None` for a skip
    /// connection, whose parameters belong to the steps of its body.
    pub fn weight(&self) -> Option<Range<usize>> {
        let mut start = self.start;
        let specs = if matches!(self.kind, Kind::Skip { .. }) { Vec::new() } else { self.layer.params() };
        for spec in specs {
            if spec.trainable {
                return Some(start..start + spec.len());
            }
            start += spec.len();
        }
        None
    }
}
