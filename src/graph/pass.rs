//! The passes: forward, backward, and two other ways to compute the same derivatives.

use super::build::{Input, Node};
use super::{Error, Gradients, Graph, NodeRef, Op, Operations};
use crate::difference::{check_step, quotient, step_at};

impl Graph {
    /// Sets the value of an input. The values and gradients of the last run become outdated.
    ///
    /// # Errors
    /// [`Error::UnknownInput`]
    pub fn set(&mut self, input: &str, value: f64) -> Result<(), Error> {
        let slot = self.input_slot(input)?;
        let input = &mut self.inputs[slot];
        input.is_set = true;
        self.values[input.node as usize] = value;
        self.forget();
        Ok(())
    }

    /// [`set`](Graph::set)s the given inputs and runs [`forward`](Graph::forward). Other inputs
    /// keep their values.
    ///
    /// # Errors
    /// [`Error::UnknownInput`] and those of [`Graph::forward`].
    pub fn run(&mut self, inputs: &[(&str, f64)]) -> Result<f64, Error> {
        for &(name, value) in inputs {
            self.set(name, value)?;
        }
        self.forward()
    }

    /// The forward pass: computes and stores the value of each node, and returns that of the
    /// output.
    ///
    /// Outside the domain of an operation the value is NaN or infinite, which is not an error here:
    /// [`Graph::non_finite`] names the node. The gradients of an earlier pass become outdated.
    ///
    /// # Errors
    /// [`Error::MissingInputs`], which names all of them; [`Error::Empty`].
    pub fn forward(&mut self) -> Result<f64, Error> {
        let output = self.ready()?;
        self.has_gradients = false;
        evaluate(&self.nodes, &mut self.values);
        self.has_values = true;
        Ok(self.values[output])
    }

    /// The backward pass (reverse mode): one sweep gives the derivative of the output with respect
    /// to every node.
    ///
    /// It starts with df/df = 1, visits the nodes in reverse order, passes to each operand the
    /// incoming gradient times the local derivative, and sums over all paths. Every call starts
    /// from zero: two calls give the same gradients, not their double. The operation count excludes
    /// the forward pass.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`] if no forward pass has run; [`Error::Empty`].
    pub fn backward(&mut self) -> Result<Gradients, Error> {
        let output = self.after_forward()?;
        let mut gradients = std::mem::take(&mut self.gradients);
        gradients.clear();
        gradients.resize(self.nodes.len(), None);
        let mut operations = Operations::default();
        gradients[output] = self.nodes[output].varying.then_some(1.0);
        for index in (0..=output).rev() {
            // Required, not only faster: off the paths to the output, 0 × ∞ would be NaN.
            let Some(gradient) = gradients[index] else { continue };
            let node = &self.nodes[index];
            for which in 0..node.op.arity() {
                let operand = node.operand(which);
                if self.nodes[operand].varying {
                    let contribution = gradient * self.slope(index, which);
                    operations.accumulate(&mut gradients[operand], contribution);
                }
            }
        }
        self.gradients = gradients;
        self.has_gradients = true;
        let by_input = self.inputs.iter().map(|input| self.gradient_of(input.node as usize)).collect();
        Ok(self.gradients_of(by_input, operations))
    }

    /// Forward mode: the derivative of the output with respect to one input, in one pass from that
    /// input forward.
    ///
    /// The tangent of the input is 1; each node that depends on it sums local derivative × tangent
    /// over its operands.
    ///
    /// # Errors
    /// [`Error::UnknownInput`], [`Error::ForwardFirst`], [`Error::Empty`].
    pub fn tangent(&self, input: &str) -> Result<f64, Error> {
        let output = self.after_forward()?;
        let slot = self.input_slot(input)?;
        Ok(self.tangent_pass(slot, output, &mut Vec::new(), &mut Operations::default()))
    }

    /// Forward mode for all inputs: one pass per input, where [`Graph::backward`] needs one in all.
    ///
    /// The operation count excludes the forward pass. A tangent pass skips the nodes that do not
    /// depend on its input, so the count is the least that forward mode needs.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`], [`Error::Empty`].
    pub fn gradients_forward_mode(&self) -> Result<Gradients, Error> {
        let output = self.after_forward()?;
        let (mut tangents, mut operations) = (Vec::new(), Operations::default());
        let slots = 0..self.inputs.len();
        let by_input =
            slots.map(|slot| self.tangent_pass(slot, output, &mut tangents, &mut operations)).collect();
        Ok(self.gradients_of(by_input, operations))
    }

    /// The derivatives by central differences, (f(x + h) − f(x − h)) / 2h: two evaluations per
    /// input.
    ///
    /// They use values only, not the chain rule, and so check the other two ways. The step is `h`
    /// for inputs up to 1000 in size and `h` · |x| / 1000 for larger ones. The truncation error is
    /// proportional to h², the rounding error to 1/h: h = 1e-5 is a good compromise. A second step
    /// checks the first;
    /// [`Gradients::warnings`] lists the inputs for which the step is too small or too large.
    ///
    /// Stored values do not change. The operation count includes the two evaluations, not those of
    /// the second step.
    ///
    /// # Errors
    /// [`Error::Step`] if `h` is not positive and finite; [`Error::MissingInputs`];
    /// [`Error::Empty`].
    pub fn central_difference(&self, h: f64) -> Result<Gradients, Error> {
        if !(h > 0.0 && h.is_finite()) {
            return Err(Error::Step { step: h });
        }
        let output = self.ready()?;
        let mut values = self.values.clone();
        let mut gradients = self.gradients_of(Vec::new(), Operations::default());
        for input in &self.inputs {
            let node = input.node as usize;
            let x = self.values[node];
            let mut f = |moved| {
                values[node] = moved;
                evaluate(&self.nodes, &mut values);
                values[output]
            };
            let step = step_at(x, h);
            let name = &self.given_names[&input.node];
            gradients.entries.push((name.clone(), quotient(&mut f, x, step).value));
            gradients.warnings.extend(check_step(&mut f, name, x, step));
            values[node] = x;
        }
        let inputs = self.inputs.len() as u64;
        gradients.operations.values = 2 * inputs * self.operation_count();
        gradients.operations.additions = 4 * inputs;
        gradients.operations.multiplications = inputs;
        Ok(gradients)
    }

    /// The value of a node.
    ///
    /// Constants, and inputs that are set, always have one; other nodes after a forward pass.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`]; [`Error::MissingInputs`] for an input without value; those of
    /// [`Graph::node`].
    pub fn value<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<f64, Error> {
        let index = self.index(node)?;
        match self.nodes[index].op {
            Op::Constant => Ok(self.values[index]),
            Op::Input => match self.slot_of(index as u32).map(|slot| &self.inputs[slot]) {
                Some(Input { node, is_set: false }) => {
                    Err(Error::MissingInputs { names: vec![self.given_names[node].to_string()] })
                }
                _ => Ok(self.values[index]),
            },
            _ if self.has_values => Ok(self.values[index]),
            _ => Err(Error::ForwardFirst),
        }
    }

    /// The derivative of the output with respect to a node; 0 if the output does not depend on it.
    ///
    /// # Errors
    /// [`Error::ForwardFirst`], [`Error::BackwardFirst`]; [`Error::Constant`]; those of
    /// [`Graph::node`].
    pub fn gradient<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<f64, Error> {
        let index = self.index(node)?;
        self.after_backward()?;
        if !self.nodes[index].varying {
            return Err(Error::Constant { name: self.names().swap_remove(index) });
        }
        Ok(self.gradient_of(index))
    }

    /// The number of operations, which is what one forward pass counts as [`Operations::values`].
    pub fn operation_count(&self) -> u64 {
        self.nodes.iter().filter(|node| node.op.arity() > 0).count() as u64
    }

    /// The output's index, if every input has a value.
    fn ready(&self) -> Result<usize, Error> {
        let output = self.output_index().ok_or(Error::Empty)?;
        let unset = self.inputs.iter().filter(|input| !input.is_set);
        let names: Vec<String> = unset.map(|input| self.given_names[&input.node].to_string()).collect();
        if names.is_empty() { Ok(output) } else { Err(Error::MissingInputs { names }) }
    }

    fn after_forward(&self) -> Result<usize, Error> {
        let output = self.output_index().ok_or(Error::Empty)?;
        if self.has_values { Ok(output) } else { Err(Error::ForwardFirst) }
    }

    /// 0 for a node on which the output does not depend.
    pub(super) fn gradient_of(&self, index: usize) -> f64 {
        self.gradients[index].unwrap_or(0.0)
    }

    pub(super) fn after_backward(&self) -> Result<(), Error> {
        match (self.has_values, self.has_gradients) {
            (false, _) => Err(Error::ForwardFirst),
            (true, false) => Err(Error::BackwardFirst),
            (true, true) => Ok(()),
        }
    }

    /// The local derivative along one edge, from the stored values.
    #[inline]
    pub(super) fn slope(&self, index: usize, which: usize) -> f64 {
        let (node, values) = (&self.nodes[index], &self.values);
        node.op.slope(which, values[node.operand(0)], values[node.operand(1)], values[index])
    }

    /// `tangents` is scratch memory: per node its tangent, `None` if it does not depend on the
    /// input.
    fn tangent_pass(
        &self,
        slot: usize,
        output: usize,
        tangents: &mut Vec<Option<f64>>,
        operations: &mut Operations,
    ) -> f64 {
        let start = self.inputs[slot].node as usize;
        tangents.clear();
        tangents.resize(self.nodes.len(), None);
        tangents[start] = Some(1.0);
        // Nodes before the input cannot depend on it.
        for index in start + 1..=output {
            let node = &self.nodes[index];
            for which in 0..node.op.arity() {
                // As in the backward pass: an operand that does not depend on the input must not
                // add 0 × ∞.
                if let Some(tangent) = tangents[node.operand(which)] {
                    let contribution = self.slope(index, which) * tangent;
                    operations.accumulate(&mut tangents[index], contribution);
                }
            }
        }
        tangents[output].unwrap_or(0.0)
    }

    fn gradients_of(&self, by_input: Vec<f64>, operations: Operations) -> Gradients {
        let names = self.inputs.iter().map(|input| self.given_names[&input.node].clone());
        Gradients { entries: names.zip(by_input).collect(), operations, warnings: Vec::new() }
    }
}

/// Computes every operation from the values of its operands.
fn evaluate(nodes: &[Node], values: &mut [f64]) {
    for (index, node) in nodes.iter().enumerate() {
        if node.op.arity() > 0 {
            values[index] = node.op.value(values[node.operand(0)], values[node.operand(1)]);
        }
    }
}
