//! A recorded forward pass, which every instrument reads.

use std::ops::Range;

use ndarray::{ArcArray2, Array2, ArrayView2, ArrayViewMut2, Zip};

use crate::numbers::{entries, norm};
use geartrain::layer::{Backward, Cache, Forward, Kind, Layer, Mode};
use geartrain::{Error, Network, Scalar};

/// A forward pass recorded layer by layer, over which gradients can be propagated any number of
/// times.
///
/// Containers are opened by their [`Kind`]: each step is a single layer, or the sum at the end of a
/// skip connection. A container of unknown kind is a single step. Every layer runs its own forward
/// and backward pass. All matrices are in row-major layout.
#[derive(Debug)]
pub(crate) struct Tape<'a, F> {
    pub network: &'a Network<F>,
    pub steps: Vec<Step<'a, F>>,
    /// The batch, `(rows, inputs)`.
    pub input: ArcArray2<F>,
    /// The network's output, `(rows, outputs)`.
    pub output: ArcArray2<F>,
    memory: Memory<F>,
}

/// A layer, or the sum at the end of a skip connection.
#[derive(Debug)]
pub(crate) struct Step<'a, F> {
    /// Its path, as in parameter names.
    pub path: String,
    pub layer: &'a dyn Layer<F>,
    pub kind: Kind,
    /// The number of skip connections around it.
    pub nesting: usize,
    /// The range of its parameters in the network's vector.
    pub params: Range<usize>,
    pub x: ArcArray2<F>,
    pub y: ArcArray2<F>,
    /// For a skip connection: the first step of its body.
    pub body: Option<usize>,
    cache: Cache<F>,
}

/// The gradient at one step of a backward pass.
#[derive(Debug)]
pub(crate) struct Passing<'p, F> {
    /// The gradient at the step's output.
    pub dy: &'p Gradient<F>,
    /// The gradient at its input.
    pub dx: &'p Gradient<F>,
    /// The gradient with respect to its parameters. Empty for a skip connection, whose parameters
    /// belong to the steps of its body.
    pub params: &'p [F],
    /// For a skip connection: the norm of the gradient that its branch contributes.
    pub branch: Option<f64>,
}

/// A gradient and its Frobenius norm.
#[derive(Debug)]
pub(crate) struct Gradient<F> {
    pub matrix: Array2<F>,
    pub length: f64,
}

/// Reusable buffers. Allocating every matrix anew would take a large part of a measurement's time.
#[derive(Debug, Clone)]
pub(crate) struct Memory<F>(Vec<Vec<F>>);

impl<F: Scalar> Memory<F> {
    pub fn new() -> Self {
        Memory(Vec::new())
    }

    /// A buffer of `len` numbers with unspecified values.
    fn lend(&mut self, len: usize) -> Vec<F> {
        // an empty buffer would truncate a used one, which then had to be zeroed again
        let mut values = if len > 0 { self.0.pop().unwrap_or_default() } else { Vec::new() };
        values.resize(len, F::zero());
        values
    }

    /// A matrix with unspecified values.
    pub fn lend_matrix(&mut self, dim: (usize, usize)) -> Array2<F> {
        Array2::from_shape_vec(dim, self.lend(dim.0 * dim.1)).expect("len is rows × columns")
    }

    pub fn take_back(&mut self, matrix: Array2<F>) {
        self.keep(matrix.into_raw_vec_and_offset().0);
    }

    fn keep(&mut self, values: Vec<F>) {
        self.0.extend((!values.is_empty()).then_some(values));
    }
}

impl<F: Scalar> Gradient<F> {
    fn of(matrix: Array2<F>) -> Self {
        Gradient { length: norm(entries(&matrix)), matrix }
    }
}

impl<'a, F: Scalar> Tape<'a, F> {
    pub fn new(network: &'a Network<F>, x: ArrayView2<F>) -> Result<Self, Error> {
        Tape::in_memory(network, x, Memory::new())
    }

    /// The same with the buffers of an earlier tape.
    pub fn in_memory(network: &'a Network<F>, x: ArrayView2<F>, memory: Memory<F>) -> Result<Self, Error> {
        network.check_input(&x)?;
        network.check_batch(x.nrows())?;
        let input = x.as_standard_layout().into_owned().into_shared();
        let mut tape =
            Tape { network, steps: Vec::new(), input: input.clone(), output: input.clone(), memory };
        tape.output = tape.forward(String::new(), network.layer(), 0, 0, input, Mode::Train { key: 0 });
        Ok(tape)
    }

    /// Reuses the memory of a gradient that is no longer needed.
    pub fn take_back(&mut self, gradient: Gradient<F>) {
        self.memory.take_back(gradient.matrix);
    }

    /// The buffers of all its matrices.
    pub fn into_memory(self) -> Memory<F> {
        let Tape { steps, mut memory, output, input, .. } = self;
        drop((input, output));
        // a step's output is the next one's input: once the inputs are dropped, it is not shared
        let outputs: Vec<_> = steps.into_iter().map(|step| step.y).collect();
        outputs.into_iter().for_each(|y| memory.take_back(y.into_owned()));
        memory
    }

    fn forward(
        &mut self,
        path: String,
        layer: &'a dyn Layer<F>,
        nesting: usize,
        mut start: usize,
        x: ArcArray2<F>,
        mode: Mode,
    ) -> ArcArray2<F> {
        let description = layer.describe();
        let kind = description.kind;
        let inside = |name: &str| if path.is_empty() { name.into() } else { format!("{path}.{name}") };
        let here = self.steps.len();
        let params = start..start + description.param_count();
        let mut cache = Cache::new();
        let y = match kind {
            Kind::Sequential => {
                return description.children.iter().enumerate().fold(x, |x, (i, child)| {
                    let path = inside(&child.name);
                    let y = self.forward(path, &**child.layer, nesting, start, x, mode.child(i));
                    start += child.layer.describe().param_count();
                    y
                });
            }
            Kind::Residual { scale } => {
                let body = description.children.first().expect("a skip connection has a body");
                let (path, nesting) = (inside(&body.name), nesting + 1);
                let branch = self.forward(path, &**body.layer, nesting, start, x.clone(), mode.child(0));
                let scale = F::of(scale);
                let mut y = self.memory.lend_matrix(x.dim());
                Zip::from(&mut y).and(&x).and(&branch).for_each(|y, &x, &branch| *y = x + scale * branch);
                y
            }
            _ => {
                let outputs = layer.output_features(x.ncols()).expect("checked by Network::new");
                let mut y = self.memory.lend_matrix((x.nrows(), outputs));
                let params = &self.network.params()[params.clone()];
                layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache: &mut cache, mode });
                y
            }
        };
        let (y, skip) = (y.into_shared(), matches!(kind, Kind::Residual { .. }));
        self.steps.push(Step {
            path,
            layer,
            kind,
            nesting,
            params,
            x,
            y: y.clone(),
            body: skip.then_some(here),
            cache,
        });
        y
    }

    /// Propagates `dy`, the gradient at the output, to the input. `visit` is called for every step,
    /// with its index, from the last one to the first.
    pub fn backward(&mut self, dy: ArrayView2<F>, visit: Visitor<'_, 'a, F>) -> Gradient<F> {
        self.backward_between(0, self.steps.len(), dy.as_standard_layout().into_owned(), visit)
    }

    /// Propagates `dy` from the output of step `end − 1` to the input of step `begin`.
    pub fn backward_between(
        &mut self,
        begin: usize,
        mut end: usize,
        dy: Array2<F>,
        visit: Visitor<'_, 'a, F>,
    ) -> Gradient<F> {
        let mut dy = Gradient::of(dy);
        while end > begin {
            let i = end - 1;
            let (dx, params, branch);
            if let (Kind::Residual { scale }, Some(body)) = (self.steps[i].kind, self.steps[i].body) {
                let mut scaled = self.memory.lend_matrix(dy.matrix.dim());
                scaled.zip_mut_with(&dy.matrix, |scaled, &dy| *scaled = F::of(scale) * dy);
                let below = self.backward_between(body, i, scaled, visit);
                (params, branch) = (Vec::new(), Some(below.length));
                dx = below.matrix + &dy.matrix;
                end = body;
            } else {
                let Step { layer, params: range, x, y, cache, .. } = &mut self.steps[i];
                let mut below = self.memory.lend_matrix(x.dim());
                let mut gradients = self.memory.lend(range.len());
                let params_here = &self.network.params()[range.clone()];
                layer.backward(Backward {
                    params: params_here,
                    x: x.view(),
                    y: y.view(),
                    dy: dy.matrix.view(),
                    grads: &mut gradients,
                    dx: Some(below.view_mut()),
                    cache,
                });
                (dx, params, branch) = (below, gradients, None);
                end = i;
            }
            let dx = Gradient::of(dx);
            visit(i, &mut self.steps[i], Passing { dy: &dy, dx: &dx, params: &params, branch });
            self.memory.keep(params);
            self.memory.take_back(std::mem::replace(&mut dy, dx).matrix);
        }
        dy
    }
}

/// Called with each step of a backward pass.
pub(crate) type Visitor<'v, 'a, F> = &'v mut dyn FnMut(usize, &mut Step<'a, F>, Passing<'_, F>);

impl<F: Scalar> Step<'_, F> {
    /// The tensor `name` of this step in a flat vector of the network's parameters.
    pub fn tensor<'f>(&self, name: &str, flat: &'f [F]) -> Option<&'f [F]> {
        let mut start = self.params.start;
        for spec in self.layer.describe().params {
            if spec.name == name {
                return Some(&flat[start..start + spec.len()]);
            }
            start += spec.len();
        }
        None
    }

    /// Writes to `dx` the gradient at this layer's input for `dy` at its output.
    pub fn pull_back(&mut self, params: &[F], dy: ArrayView2<F>, dx: ArrayViewMut2<F>) {
        let (params, mut unused) = (&params[self.params.clone()], vec![F::zero(); self.params.len()]);
        let (x, y, grads, cache) = (self.x.view(), self.y.view(), &mut unused[..], &mut self.cache);
        self.layer.backward(Backward { params, x, y, dy, grads, dx: Some(dx), cache });
    }

    /// The range of its weight, the first trainable tensor, in its parameters. `None` for a skip
    /// connection, whose parameters belong to the steps of its body.
    pub fn weight(&self) -> Option<Range<usize>> {
        let mut start = 0;
        for spec in self.layer.describe().params {
            if spec.trainable {
                return Some(start..start + spec.len());
            }
            start += spec.len();
        }
        None
    }
}
