//! One batch on several threads with few hand-overs: some rows for each thread.
//!
//! If every product of a deep network is shared, the threads wait for each other and exchange
//! outputs in every layer, which on some machines takes as long as the products. Here each thread
//! takes some rows through all layers, forward to the output and back to the first layer, and then
//! computes the gradients of some columns of the weights from all rows. Every number is the same
//! sum in the same order as in the layers' own passes, and so has the same bits.

use std::array;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ndarray::{ArrayRef2, ArrayView2, ArrayViewMut2, Axis, ShapeBuilder, Zip};

use super::{Network, Workspace};
use crate::cache::{Buffer, Cache};
use crate::layer::{Backward, Forward, Kind, Layer, Mode};
use crate::layers::LayerSpec;
use crate::params::split_matrix;
use crate::{Error, Loss, Scalar};
use geartrain_kernels::{
    flushing, in_parallel, matmul, on_each_thread, sum_rows, threads, with_threads, zip,
};

/// The least number of rows of a part, for which products are efficient.
const ROWS: usize = 16;

/// The largest number of parts.
const PARTS: usize = 64;

/// Columns of a weight that are not separated.
const COLUMNS: usize = 32;

/// Operations of a forward pass below which hand-overs cost more than they save.
const LEAST_OPERATIONS: usize = 4_000_000;

/// The mean operations of a product above which a hand-over in every product costs little, and two
/// threads had better read half of the weights each.
const MOST_OPERATIONS: usize = 60_000_000;

/// A network as linear layers, activations and skip connections one after the other.
#[derive(Debug)]
pub(super) struct Chain<F> {
    steps: Vec<Step<F>>,
    /// Multiplications and additions of the products in a forward pass of one row.
    operations: usize,
}

#[derive(Debug)]
struct Step<F> {
    layer: Arc<dyn Layer<F>>,
    params: Range<usize>,
    outputs: usize,
    pass: Pass<F>,
    /// The last steps of the residual blocks that begin here, the innermost first.
    blocks: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Pass<F> {
    Linear {
        inputs: usize,
        bias: bool,
    },
    Activation,
    /// The end of a residual block: the input of step `first`, plus `scale` times that of this one.
    Skip {
        first: usize,
        scale: F,
    },
}

impl<F: Scalar> Step<F> {
    /// The inputs and whether there is a bias, for a linear layer.
    fn linear(&self) -> Option<(usize, bool)> {
        match self.pass {
            Pass::Linear { inputs, bias } => Some((inputs, bias)),
            _ => None,
        }
    }
}

impl<F: Scalar> Chain<F> {
    /// `None` if `layer` has parts that are neither linear, activations nor residual blocks.
    pub(super) fn new(layer: &Arc<dyn Layer<F>>, inputs: usize) -> Option<Self> {
        let mut chain = Chain { steps: Vec::new(), operations: 0 };
        chain.open(layer, inputs, &mut 0)?;
        Some(chain)
    }

    /// Appends the steps of `layer`, and its number of parameters to `start`.
    fn open(&mut self, layer: &Arc<dyn Layer<F>>, inputs: usize, start: &mut usize) -> Option<()> {
        let description = layer.describe();
        if description.kind == Kind::Sequential && !description.children.is_empty() {
            return description
                .children_reading(inputs)
                .try_for_each(|(child, inputs)| self.open(child.layer, inputs, start));
        }
        let at = self.steps.len();
        let pass = match (description.kind, LayerSpec::of(&**layer)) {
            (Kind::Elementwise, Some(_)) if description.param_count() == 0 => Pass::Activation,
            (_, Some(LayerSpec::Linear { inputs, bias, .. })) => Pass::Linear { inputs, bias },
            (_, Some(LayerSpec::Residual { scale, .. })) => {
                self.open(description.children.first()?.layer, inputs, start)?;
                let last = self.steps.len();
                self.steps[at].blocks.push(last);
                Pass::Skip { first: at, scale: F::of(scale) }
            }
            _ => return None,
        };
        // The parameters of a residual block are those of the steps inside.
        let len = if let Pass::Linear { .. } = pass { description.param_count() } else { 0 };
        let params = *start..*start + len;
        *start = params.end;
        self.operations += 2 * len;
        let outputs = layer.output_features(inputs).ok()?;
        self.steps.push(Step { layer: Arc::clone(layer), params, outputs, pass, blocks: Vec::new() });
        Some(())
    }

    /// The number of parts of a batch of `rows` rows; 1 if parts do not pay.
    fn parts(&self, rows: usize) -> usize {
        let (operations, products) =
            (rows * self.operations, self.steps.iter().filter_map(Step::linear).count());
        if operations < LEAST_OPERATIONS || operations > products * MOST_OPERATIONS {
            return 1;
        }
        threads().min(rows / ROWS).min(PARTS)
    }

    /// The end of part `part` of `parts` in the flat vector: a column of a weight or the end of a
    /// layer.
    fn border(&self, part: usize, parts: usize) -> usize {
        let len = self.steps.last().map_or(0, |step| step.params.end);
        let target = len * part / parts;
        let Some(step) = self.steps.iter().find(|step| step.params.contains(&target)) else { return len };
        let (inputs, outputs) = (step.linear().map_or(0, |(inputs, _)| inputs), step.outputs);
        // A part of one column would be summed in another order.
        match (target - step.params.start) / outputs / COLUMNS * COLUMNS {
            column if column > 0 && column + COLUMNS > inputs => step.params.end,
            column => step.params.start + column * outputs,
        }
    }
}

/// Memory for the passes.
#[derive(Debug)]
pub(super) struct Memory<F> {
    /// One for each part.
    lanes: Vec<RwLock<Lane<F>>>,
    /// Inputs and gradients of outputs of all rows, one pair for each part.
    gathered: Vec<Mutex<[Buffer<F>; 2]>>,
    /// The most rows of a pass so far.
    rows: usize,
}

impl<F> Default for Memory<F> {
    fn default() -> Self {
        Memory { lanes: Vec::new(), gathered: Vec::new(), rows: 0 }
    }
}

impl<F> Clone for Memory<F> {
    /// Empty memory: it is filled in every pass.
    fn clone(&self) -> Self {
        Memory::default()
    }
}

/// What a thread keeps of its rows.
#[derive(Debug)]
struct Lane<F> {
    steps: Vec<Saved<F>>,
    /// Gradients that only the next step needs.
    spare: [Buffer<F>; 2],
}

/// What a step keeps.
#[derive(Debug)]
struct Saved<F> {
    cache: Cache<F>,
    y: Buffer<F>,
    /// ∂L/∂y of a linear layer or a skip connection.
    dy: Buffer<F>,
}

impl<F: Scalar> Memory<F> {
    /// Makes room for `parts` parts of `steps` steps.
    fn resize(&mut self, parts: usize, steps: usize) {
        let saved = || Saved { cache: Cache::new(), y: Buffer::default(), dy: Buffer::default() };
        let lane = || Lane { steps: (0..steps).map(|_| saved()).collect(), spare: Default::default() };
        self.lanes.retain_mut(|lane| get_mut(lane).steps.len() == steps);
        if self.lanes.len() < parts {
            self.rows = 0;
            self.lanes.resize_with(parts, || RwLock::new(lane()));
            self.gathered.resize_with(parts, Mutex::default);
        }
    }

    fn read(&self, part: usize) -> RwLockReadGuard<'_, Lane<F>> {
        self.lanes[part].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, part: usize) -> RwLockWriteGuard<'_, Lane<F>> {
        self.lanes[part].write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic during a pass leaves memory that the next pass overwrites.
fn get_mut<T>(lock: &mut RwLock<T>) -> &mut T {
    lock.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// A batch in parts.
struct Batch<'a, F> {
    chain: &'a Chain<F>,
    params: &'a [F],
    x: ArrayView2<'a, F>,
    parts: usize,
    key: u64,
    flush: bool,
}

impl<F: Scalar> Network<F> {
    /// [`gradients`](Network::gradients) of a batch with rows for several threads; `None` if it is
    /// better computed as a whole.
    pub(super) fn gradients_in_row_parts(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        workspace: &mut Workspace<F>,
        wants_dx: bool,
    ) -> Result<Option<f64>, Error> {
        let Some(chain) = self.chain.as_ref().filter(|_| !wants_dx) else { return Ok(None) };
        let parts = chain.parts(x.nrows());
        if parts < 2 {
            return Ok(None);
        }
        self.check_input(x)?;
        self.check_batch(x.nrows())?;
        if workspace.row_parts.rows < x.nrows() {
            // A later pass on one thread allocates nothing either.
            with_threads(1, || self.gradients_as_a_whole(loss, x, target, workspace, None))?;
        }
        let Workspace { output, doutput, grads, key, flush, row_parts: memory, .. } = workspace;
        memory.resize(parts, chain.steps.len());
        grads.resize(self.params.len());
        let batch = Batch { chain, params: &self.params, x: x.view(), parts, key: *key, flush: *flush };
        let mut y = output.resize(x.nrows(), self.outputs);
        let is_new = memory.rows < x.nrows();
        memory.rows = memory.rows.max(x.nrows());
        let memory = &*memory;
        if is_new {
            // Every thread allocates now what its kernels need for any part, so that a thread that
            // starts late in a later step allocates nothing.
            on_each_thread(parts, |_| (0..parts).for_each(|part| batch.forward(part, memory)));
        }
        in_parallel(parts, |part, _| batch.forward(part, memory));
        for part in 0..parts {
            let lane = memory.read(part);
            let rows = y.slice_axis_mut(Axis(0), batch.rows(part).into());
            lane.steps.last().expect("a step").y.view().assign_to(rows);
        }
        loss.check(&output.view(), target)?;
        let value = loss.gradient(&output.view(), target, &mut doutput.resize(x.nrows(), self.outputs));
        let dy = doutput.view();
        if is_new {
            on_each_thread(parts, |_| (0..parts).for_each(|part| batch.backward(part, dy, memory)));
        }
        in_parallel(parts, |part, _| batch.backward(part, dy, memory));
        let mut rest = &mut grads[..];
        let of_part = array::from_fn::<_, PARTS, _>(|part| {
            let len =
                if part < parts { chain.border(part + 1, parts) - chain.border(part, parts) } else { 0 };
            let (grads, after) = mem::take(&mut rest).split_at_mut(len);
            rest = after;
            Mutex::new(grads)
        });
        let weights = |part: usize| {
            let mut grads = of_part[part].lock().unwrap_or_else(PoisonError::into_inner);
            batch.weights(part, &mut grads, memory);
        };
        if is_new {
            on_each_thread(parts, |_| (0..parts).for_each(weights));
        }
        in_parallel(parts, |part, _| weights(part));
        Ok(Some(value))
    }
}

impl<F: Scalar> Batch<'_, F> {
    /// The rows of a part; the first part has the most.
    fn rows(&self, part: usize) -> Range<usize> {
        let border = |part: usize| (self.x.nrows() * part).div_ceil(self.parts);
        border(part)..border(part + 1)
    }

    /// The forward pass over the rows of a part.
    fn forward(&self, part: usize, memory: &Memory<F>) {
        let mut lane = memory.write(part);
        let rows = self.x.slice_axis(Axis(0), self.rows(part).into());
        for (i, Step { layer, params, outputs, pass, .. }) in self.chain.steps.iter().enumerate() {
            let (before, after) = lane.steps.split_at_mut(i);
            let input = |step: usize| before[..step].last().map_or(rows, |saved| saved.y.view());
            let (x, Saved { cache, y, .. }) = (input(i), &mut after[0]);
            let (params, y, mode) =
                (&self.params[params.clone()], y.resize(x.nrows(), *outputs), Mode::Train { key: self.key });
            match *pass {
                // y = x + s · body(x)
                Pass::Skip { first, scale } => zip(input(first), x, y, move |x, branch| x + scale * branch),
                _ => layer.forward(Forward { params, x, y, cache, mode }),
            }
        }
    }

    /// The backward pass over the rows of a part, for gradients of outputs only.
    fn backward(&self, part: usize, dy: ArrayView2<F>, memory: &Memory<F>) {
        let mut lane = memory.write(part);
        let Lane { steps: saved, spare: [upper, lower] } = &mut *lane;
        let (steps, last) = (&self.chain.steps, saved.len() - 1);
        let dy = dy.slice_axis(Axis(0), self.rows(part).into());
        let kept = |i: usize| steps[i].pass != Pass::Activation;
        let output = if kept(last) { &mut saved[last].dy } else { &mut *upper };
        output.resize(dy.nrows(), dy.ncols()).assign(&dy);
        for i in (1..=last).rev() {
            let (before, after) = saved.split_at_mut(i);
            let (Saved { y: x, dy: dx, .. }, Saved { cache, y, dy }) = (&mut before[i - 1], &mut after[0]);
            let (x, y, dy) = (x.view(), y.view(), if kept(i) { dy.view() } else { upper.view() });
            let mut dx = if kept(i - 1) { dx } else { &mut *lower }.resize(x.nrows(), x.ncols());
            let Step { layer, params, outputs, pass, blocks } = &steps[i];
            let (params, to) = (&self.params[params.clone()], dx.view_mut());
            match *pass {
                Pass::Linear { inputs, .. } => matmul(dy, split_matrix(params, (*outputs, inputs)).0, to),
                Pass::Activation => flushing(self.flush, || {
                    layer.backward(Backward { params, x, y, dy, grads: &mut [], dx: Some(to), cache });
                }),
                // ∂L/∂branch = s · dy
                Pass::Skip { scale, .. } => Zip::from(to).and(dy).for_each(|dx, &dy| *dx = scale * dy),
            }
            // The input of a block is used twice, so two contributions add:
            // dx = dy + body'(x)ᵀ · s dy
            for &last in blocks {
                dx += &after[last - i].dy.view();
            }
            if !kept(i - 1) {
                mem::swap(upper, lower);
            }
        }
    }

    /// The gradients of the weights from all rows: those of a part of the flat vector.
    fn weights(&self, part: usize, grads: &mut [F], memory: &Memory<F>) {
        let start = self.chain.border(part, self.parts);
        let mut gathered = memory.gathered[part].lock().unwrap_or_else(PoisonError::into_inner);
        let [all_x, all_dy] = &mut *gathered;
        for (i, step) in self.chain.steps.iter().enumerate() {
            let Step { params, outputs, .. } = step;
            let (from, to) = (params.start.max(start), params.end.min(start + grads.len()));
            let Some((inputs, bias)) = step.linear().filter(|_| from < to) else { continue };
            let column = |at: usize| ((at - params.start) / outputs).min(inputs);
            let columns = column(from)..column(to);
            let mut dy = all_dy.resize(self.x.nrows(), *outputs);
            for part in 0..self.parts {
                let rows = dy.slice_axis_mut(Axis(0), self.rows(part).into());
                memory.read(part).steps[i].dy.view().assign_to(rows);
            }
            let x = match i.checked_sub(1) {
                None => self.x.slice_axis(Axis(1), columns.clone().into()),
                Some(before) => {
                    let mut x = all_x.resize(self.x.nrows(), columns.len());
                    for part in 0..self.parts {
                        let (lane, rows) = (memory.read(part), self.rows(part));
                        let input = lane.steps[before].y.view();
                        input
                            .slice_axis(Axis(1), columns.clone().into())
                            .assign_to(x.slice_axis_mut(Axis(0), rows.into()));
                    }
                    all_x.view()
                }
            };
            let (dw, db) = grads[from - start..to - start].split_at_mut(columns.len() * outputs);
            let dw =
                ArrayViewMut2::from_shape((*outputs, columns.len()).f(), dw).expect("split at its length");
            matmul(dy.t(), x, dw);
            if bias && !db.is_empty() {
                sum_rows(dy.view(), db.into());
            }
        }
    }
}
