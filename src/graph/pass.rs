//! The passes: forward, backward, and the two other ways to the same derivatives.

use super::build::Node;
use super::{Error, Gradients, Graph, NodeRef, Op, Operations};

impl Graph {
    /// Gives an input its value. Values and gradients of the last run are forgotten.
    ///
    /// # Errors
    /// [`Error::UnknownInput`]
    pub fn set(&mut self, input: &str, value: f64) -> Result<(), Error> {
        let slot = self.input_slot(input)?;
        let input = &mut self.inputs[slot];
        input.is_set = true;
        self.values[input.node as usize] = value;
        self.has_values = false;
        self.has_gradients = false;
        Ok(())
    }

    /// [`set`](Graph::set)s the given inputs and runs [`forward`](Graph::forward). Inputs not named keep their value.
    ///
    /// # Errors
    /// [`Error::UnknownInput`] and those of [`Graph::forward`].
    pub fn run(&mut self, inputs: &[(&str, f64)]) -> Result<f64, Error> {
        for &(name, value) in inputs {
            self.set(name, value)?;
        }
        self.forward()
    }

    /// The forward pass: computes and keeps the value of each node, and returns that of the output.
    ///
    /// A value outside an operation's domain becomes NaN or infinite and is no error here: [`Graph::non_finite`] tells
    /// where it came from. The gradients of an earlier pass are forgotten.
    ///
    /// # Errors
    /// [`Error::MissingInputs`], naming all of them; [`Error::Empty`].
    pub fn forward(&mut self) -> Result<f64, Error> {
        let output = self.ready()?;
        self.has_gradients = false;
        evaluate(&self.nodes, &mut self.values);
        self.has_values = true;
        Ok(self.values[output])
    }

    /// The backward pass, reverse mode: one sweep gives the derivative of the output with respect to every node.
    ///
    /// It starts with df/df = 1, walks the nodes in reverse, sends to each operand the incoming gradient times the
    /// local derivative, and sums what arrives over different paths. Every call starts afresh: backward twice gives
    /// the same gradients, not twice them. The count of operations is without the forward pass before it.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`] if there is no forward pass to go back over; [`Error::Empty`].
    pub fn backward(&mut self) -> Result<Gradients, Error> {
        let output = self.after_forward()?;
        let Self { nodes, values, gradients, reached, .. } = self;
        gradients.clear();
        gradients.resize(nodes.len(), 0.0);
        reached.clear();
        reached.resize(nodes.len(), false);
        let mut operations = Operations::default();

        gradients[output] = 1.0;
        reached[output] = nodes[output].varying;
        for index in (0..=output).rev() {
            // Skipping is more than speed: 0 × ∞ on a path that does not lead to the output would be NaN.
            if !reached[index] {
                continue;
            }
            let node = &nodes[index];
            for which in 0..node.op.arity() {
                let operand = node.operand(which);
                if !nodes[operand].varying {
                    continue;
                }
                let contribution = gradients[index] * slope(node, which, values, index);
                operations.local_derivatives += 1;
                operations.multiplications += 1;
                if reached[operand] {
                    gradients[operand] += contribution;
                    operations.additions += 1;
                } else {
                    gradients[operand] = contribution;
                    reached[operand] = true;
                }
            }
        }
        self.has_gradients = true;
        let by_input = self.inputs.iter().map(|input| self.gradients[input.node as usize]).collect();
        Ok(self.gradients_of(by_input, operations))
    }

    /// Forward mode: the derivative of the output with respect to one input, in one pass from that input forward.
    ///
    /// The tangent of the input is 1; each node that depends on it sums local derivative × tangent over its operands.
    ///
    /// # Errors
    /// [`Error::UnknownInput`], [`Error::ForwardFirst`], [`Error::Empty`].
    pub fn tangent(&self, input: &str) -> Result<f64, Error> {
        let output = self.after_forward()?;
        let slot = self.input_slot(input)?;
        let mut scratch = Tangents::new(self.nodes.len());
        Ok(self.tangent_pass(slot, output, &mut scratch))
    }

    /// Forward mode for all inputs: as many passes as there are inputs, where [`Graph::backward`] needs one.
    ///
    /// The count of operations is without the forward pass before it. A tangent pass skips the nodes that do not depend
    /// on its input, so that the count is what forward mode needs at least.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`], [`Error::Empty`].
    pub fn gradients_forward_mode(&self) -> Result<Gradients, Error> {
        let output = self.after_forward()?;
        let mut scratch = Tangents::new(self.nodes.len());
        let by_input =
            (0..self.inputs.len()).map(|slot| self.tangent_pass(slot, output, &mut scratch)).collect();
        Ok(self.gradients_of(by_input, scratch.operations))
    }

    /// The derivatives by central differences, (f(x + h) − f(x − h)) / 2h: two evaluations for each input.
    ///
    /// They need no chain rule, only values, and check the other two ways. The error of the formula falls with h², that
    /// of rounding grows as 1/h: h = 1e-5 is a good middle for values around 1. The kept values are left alone. The
    /// count of operations includes the evaluations.
    ///
    /// # Errors
    /// [`Error::Step`] if `h` is not positive and finite; [`Error::MissingInputs`]; [`Error::Empty`].
    pub fn central_difference(&self, h: f64) -> Result<Gradients, Error> {
        if !(h > 0.0 && h.is_finite()) {
            return Err(Error::Step { step: h });
        }
        let output = self.ready()?;
        let mut values = self.values.clone();
        let mut operations = Operations::default();
        let mut by_input = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let node = input.node as usize;
            let x = self.values[node];
            let (above, below) = (x + h, x - h);
            let [f_above, f_below] = [above, below].map(|moved| {
                values[node] = moved;
                operations.values += evaluate(&self.nodes, &mut values);
                values[output]
            });
            values[node] = x;
            // The step really taken: x + h is rounded.
            by_input.push((f_above - f_below) / (above - below));
            operations.additions += 4;
            operations.multiplications += 1;
        }
        Ok(self.gradients_of(by_input, operations))
    }

    /// The value of a node.
    ///
    /// Inputs that are set and constants always have one, other nodes after a forward pass.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`]; [`Error::MissingInputs`] for an input without value; those of [`Graph::node`].
    pub fn value<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<f64, Error> {
        let index = self.index(node)?;
        match self.nodes[index].op {
            Op::Constant => {}
            Op::Input => {
                let slot = self.inputs.binary_search_by_key(&(index as u32), |input| input.node);
                if let Some(input) = slot.ok().map(|slot| &self.inputs[slot])
                    && !input.is_set
                {
                    return Err(Error::MissingInputs { names: vec![input.name.to_string()] });
                }
            }
            _ if self.has_values => {}
            _ => return Err(Error::ForwardFirst),
        }
        Ok(self.values[index])
    }

    /// The derivative of the output with respect to a node; 0 if the output does not depend on it.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`], [`Error::BackwardFirst`]; [`Error::Constant`]; those of [`Graph::node`].
    pub fn gradient<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<f64, Error> {
        let index = self.index(node)?;
        if !self.has_gradients {
            return Err(if self.has_values { Error::BackwardFirst } else { Error::ForwardFirst });
        }
        if !self.nodes[index].varying {
            return Err(Error::Constant { name: self.names().swap_remove(index) });
        }
        Ok(self.gradients[index])
    }

    /// How many nodes are operations: what one forward pass counts as [`Operations::values`].
    pub fn operation_count(&self) -> u64 {
        self.nodes.iter().filter(|node| node.op.arity() > 0).count() as u64
    }

    /// The output's index, if every input has a value.
    fn ready(&self) -> Result<usize, Error> {
        let output = self.output_index().ok_or(Error::Empty)?;
        let missing: Vec<String> =
            self.inputs.iter().filter(|input| !input.is_set).map(|input| input.name.to_string()).collect();
        if missing.is_empty() { Ok(output) } else { Err(Error::MissingInputs { names: missing }) }
    }

    fn after_forward(&self) -> Result<usize, Error> {
        let output = self.output_index().ok_or(Error::Empty)?;
        if self.has_values { Ok(output) } else { Err(Error::ForwardFirst) }
    }

    /// The local derivative along one edge, from the kept values.
    pub(super) fn slope(&self, index: usize, which: usize) -> f64 {
        slope(&self.nodes[index], which, &self.values, index)
    }

    fn tangent_pass(&self, slot: usize, output: usize, scratch: &mut Tangents) -> f64 {
        let start = self.inputs[slot].node as usize;
        let Tangents { tangents, active, operations } = scratch;
        active.fill(false);
        tangents[start] = 1.0;
        active[start] = true;
        // Nodes before the input cannot depend on it.
        for index in start + 1..=output {
            let node = &self.nodes[index];
            let mut tangent = 0.0;
            for which in 0..node.op.arity() {
                let operand = node.operand(which);
                // As in the backward pass, 0 × ∞ must not enter from an operand that does not move.
                if !active[operand] {
                    continue;
                }
                let contribution = slope(node, which, &self.values, index) * tangents[operand];
                operations.local_derivatives += 1;
                operations.multiplications += 1;
                if active[index] {
                    tangent += contribution;
                    operations.additions += 1;
                } else {
                    tangent = contribution;
                    active[index] = true;
                }
            }
            tangents[index] = tangent;
        }
        if active[output] { tangents[output] } else { 0.0 }
    }

    fn gradients_of(&self, by_input: Vec<f64>, operations: Operations) -> Gradients {
        let names = self.inputs.iter().map(|input| input.name.clone());
        Gradients { entries: names.zip(by_input).collect(), operations }
    }
}

/// What tangent passes write, allocated once for all of them.
struct Tangents {
    tangents: Vec<f64>,
    /// Whether the node depends on the input of this pass.
    active: Vec<bool>,
    operations: Operations,
}

impl Tangents {
    fn new(nodes: usize) -> Self {
        Self { tangents: vec![0.0; nodes], active: vec![false; nodes], operations: Operations::default() }
    }
}

#[inline]
fn slope(node: &Node, which: usize, values: &[f64], index: usize) -> f64 {
    node.op.slope(which, values[node.operand(0)], values[node.operand(1)], values[index])
}

/// Computes every operation from its operands' values; returns how many that were.
fn evaluate(nodes: &[Node], values: &mut [f64]) -> u64 {
    let mut count = 0;
    for (index, node) in nodes.iter().enumerate() {
        if node.op.arity() > 0 {
            values[index] = node.op.value(values[node.operand(0)], values[node.operand(1)]);
            count += 1;
        }
    }
    count
}
