//! The graph itself: a flat list of nodes, each after its operands.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Error, Op};

/// A scalar function as a graph of elementary operations; see the [module's tutorial](super).
///
/// Nodes lie in one list, operands before the nodes that use them. So the order of construction is the order of the
/// forward pass, the reverse of it is the order of the backward pass, and no pass sorts, recurses or allocates per node.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Tells the ids of this graph from those of another. A clone keeps it: its nodes are the same nodes.
    tag: u32,
    pub(super) nodes: Vec<Node>,
    pub(super) inputs: Vec<Input>,
    by_name: HashMap<Arc<str>, u32>,
    /// Names given to inner nodes.
    pub(super) labels: HashMap<u32, Arc<str>>,
    pub(super) output: Option<u32>,
    pub(super) formula: Option<String>,
    /// One for each node. Those of inputs and constants are kept between passes.
    pub(super) values: Vec<f64>,
    pub(super) gradients: Vec<f64>,
    /// Whether the output depends on the node, as the last backward pass found.
    pub(super) reached: Vec<bool>,
    pub(super) has_values: bool,
    pub(super) has_gradients: bool,
}

/// Twelve bytes; names, values and gradients are kept apart so that a pass reads only what it needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub op: Op,
    /// Whether it depends on an input; if not, no gradient is computed for it.
    pub varying: bool,
    /// A node with one operand has it twice, a node without operands has zeros.
    operands: [u32; 2],
}

impl Node {
    #[inline]
    pub fn operand(&self, which: usize) -> usize {
        self.operands[which] as usize
    }

    pub fn operands(&self) -> impl Iterator<Item = usize> {
        self.operands.into_iter().take(self.op.arity()).map(|operand| operand as usize)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Input {
    pub name: Arc<str>,
    pub node: u32,
    pub is_set: bool,
}

/// A node of one graph: small, and free to copy.
///
/// It is valid for the graph that made it and for clones of that graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId {
    tag: u32,
    index: u32,
}

/// Names a node either by its [`NodeId`] or by its name; made from both by `into()`.
#[derive(Clone, Copy, Debug)]
pub enum NodeRef<'a> {
    /// By what the builder returned.
    Id(NodeId),
    /// By the name of an input, a name given with [`Graph::name`], or the automatic name (`u`, `v`, `f`, …).
    Name(&'a str),
}

impl From<NodeId> for NodeRef<'_> {
    fn from(id: NodeId) -> Self {
        NodeRef::Id(id)
    }
}

impl<'a> From<&'a str> for NodeRef<'a> {
    fn from(name: &'a str) -> Self {
        NodeRef::Name(name)
    }
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        static NEXT_TAG: AtomicU32 = AtomicU32::new(0);
        Self {
            tag: NEXT_TAG.fetch_add(1, Ordering::Relaxed),
            nodes: Vec::new(),
            inputs: Vec::new(),
            by_name: HashMap::new(),
            labels: HashMap::new(),
            output: None,
            formula: None,
            values: Vec::new(),
            gradients: Vec::new(),
            reached: Vec::new(),
            has_values: false,
            has_gradients: false,
        }
    }

    /// The input of this name, made if it is new: the same name is always the same node.
    ///
    /// If an inner node was given this name, it goes back to its automatic name.
    pub fn input(&mut self, name: &str) -> NodeId {
        if let Some(&index) = self.by_name.get(name) {
            if self.nodes[index as usize].op == Op::Input {
                return self.id(index as usize);
            }
            self.labels.remove(&index);
        }
        let id = self.push(Op::Input, true, [0, 0], f64::NAN);
        let name: Arc<str> = name.into();
        self.by_name.insert(name.clone(), id.index);
        self.inputs.push(Input { name, node: id.index, is_set: false });
        id
    }

    /// A number that never changes. No gradient is computed for it.
    pub fn constant(&mut self, value: f64) -> NodeId {
        self.push(Op::Constant, false, [0, 0], value)
    }

    /// `a + b`
    ///
    /// # Panics
    /// This method and those that follow panic if an operand belongs to another graph: that is a slip in the program,
    /// as an index out of bounds is, and the message says so.
    #[track_caller]
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.operation(Op::Add, a, b)
    }

    /// `a − b`
    #[track_caller]
    pub fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.operation(Op::Sub, a, b)
    }

    /// `a · b`
    #[track_caller]
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.operation(Op::Mul, a, b)
    }

    /// `a / b`
    #[track_caller]
    pub fn div(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.operation(Op::Div, a, b)
    }

    /// `a ^ b`. With a constant exponent a negative base is fine wherever the power is real.
    #[track_caller]
    pub fn pow(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.operation(Op::Pow, a, b)
    }

    /// `−a`
    #[track_caller]
    pub fn neg(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Neg, a, a)
    }

    /// `a²`
    #[track_caller]
    pub fn square(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Square, a, a)
    }

    /// `exp(a)`
    #[track_caller]
    pub fn exp(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Exp, a, a)
    }

    /// `ln(a)`, the natural logarithm
    #[track_caller]
    pub fn ln(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Ln, a, a)
    }

    /// `sin(a)`
    #[track_caller]
    pub fn sin(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Sin, a, a)
    }

    /// `cos(a)`
    #[track_caller]
    pub fn cos(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Cos, a, a)
    }

    /// `√a`
    #[track_caller]
    pub fn sqrt(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Sqrt, a, a)
    }

    /// `tanh(a)`
    #[track_caller]
    pub fn tanh(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Tanh, a, a)
    }

    /// `1 / (1 + exp(−a))`
    #[track_caller]
    pub fn sigmoid(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Sigmoid, a, a)
    }

    /// `max(a, 0)`
    #[track_caller]
    pub fn relu(&mut self, a: NodeId) -> NodeId {
        self.operation(Op::Relu, a, a)
    }

    /// The larger of `a` and `b`
    #[track_caller]
    pub fn max(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.operation(Op::Max, a, b)
    }

    /// The smaller of `a` and `b`
    #[track_caller]
    pub fn min(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.operation(Op::Min, a, b)
    }

    /// Gives a node the name under which the trace and the drawing show it.
    ///
    /// # Errors
    /// [`Error::NameTaken`] if another node has the name; [`Error::ForeignNode`]; and [`Error::NameTaken`] for an input,
    /// which keeps the name it was made with.
    pub fn name(&mut self, node: NodeId, name: &str) -> Result<(), Error> {
        let index = self.check(node)? as u32;
        let taken = self.by_name.get(name).is_some_and(|&other| other != index);
        if taken || self.nodes[index as usize].op == Op::Input {
            return Err(Error::NameTaken { name: name.to_owned() });
        }
        let name: Arc<str> = name.into();
        if let Some(old) = self.labels.insert(index, name.clone()) {
            self.by_name.remove(&old);
        }
        self.by_name.insert(name, index);
        Ok(())
    }

    /// Makes `node` the value of the function. Unless this is called, it is the node made last.
    ///
    /// # Errors
    /// [`Error::ForeignNode`]
    pub fn output(&mut self, node: NodeId) -> Result<(), Error> {
        self.output = Some(self.check(node)? as u32);
        self.has_gradients = false;
        Ok(())
    }

    /// The node whose value is the function's; `None` in an empty graph.
    pub fn output_node(&self) -> Option<NodeId> {
        let last = self.nodes.len().checked_sub(1)?;
        Some(self.id(self.output.map_or(last, |output| output as usize)))
    }

    /// The number of nodes: inputs, constants and operations.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes, operands before the nodes that use them.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> {
        (0..self.nodes.len()).map(|index| self.id(index))
    }

    /// The names of the inputs, in the order in which they were made.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|input| &*input.name)
    }

    /// The node of this name: an input's, one given with [`Graph::name`], or an automatic one as the trace shows it.
    ///
    /// Automatic names are made on demand, so looking one up takes time in the number of nodes.
    ///
    /// # Errors
    /// [`Error::UnknownNode`], and [`Error::ForeignNode`] for the id of another graph.
    pub fn node<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<NodeId, Error> {
        match node.into() {
            NodeRef::Id(id) => self.check(id).map(|_| id),
            NodeRef::Name(name) => {
                let known = self.by_name.get(name).map(|&index| index as usize);
                let index = known.or_else(|| self.find_automatic_name(name));
                index.map(|index| self.id(index)).ok_or_else(|| Error::UnknownNode { name: name.to_owned() })
            }
        }
    }

    /// What the node computes.
    ///
    /// # Errors
    /// As [`Graph::node`].
    pub fn op<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<Op, Error> {
        Ok(self.nodes[self.index(node)?].op)
    }

    /// The operands of the node, in order; none for inputs and constants.
    ///
    /// # Errors
    /// As [`Graph::node`].
    pub fn operands<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<Vec<NodeId>, Error> {
        Ok(self.nodes[self.index(node)?].operands().map(|operand| self.id(operand)).collect())
    }

    pub(super) fn index<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<usize, Error> {
        self.node(node).map(|id| id.index as usize)
    }

    pub(super) fn id(&self, index: usize) -> NodeId {
        NodeId { tag: self.tag, index: index as u32 }
    }

    pub(super) fn constant_value(&self, id: NodeId) -> Option<f64> {
        let index = id.index as usize;
        (self.nodes[index].op == Op::Constant).then(|| self.values[index])
    }

    /// Takes back a constant that the parser has folded into the next node: it is always the newest node.
    pub(super) fn drop_last_constant(&mut self, id: NodeId) {
        debug_assert_eq!(id.index as usize + 1, self.nodes.len());
        self.nodes.pop();
        self.values.pop();
    }

    fn check(&self, id: NodeId) -> Result<usize, Error> {
        let index = id.index as usize;
        // A clone may have grown since, and its newer nodes are not ours.
        if id.tag == self.tag && index < self.nodes.len() { Ok(index) } else { Err(Error::ForeignNode) }
    }

    #[track_caller]
    pub(super) fn operation(&mut self, op: Op, a: NodeId, b: NodeId) -> NodeId {
        let operands = [a, b].map(|id| match self.check(id) {
            Ok(index) => index,
            Err(_) => panic!("an operand of `{}` belongs to another graph", op.symbol()),
        });
        let varying = operands.iter().any(|&operand| self.nodes[operand].varying);
        self.push(op, varying, [a.index, b.index], f64::NAN)
    }

    fn push(&mut self, op: Op, varying: bool, operands: [u32; 2], value: f64) -> NodeId {
        let index = u32::try_from(self.nodes.len()).expect("a graph has at most 2³² nodes");
        self.nodes.push(Node { op, varying, operands });
        self.values.push(value);
        self.has_values = false;
        self.has_gradients = false;
        NodeId { tag: self.tag, index }
    }

    pub(super) fn input_slot(&self, name: &str) -> Result<usize, Error> {
        let node = self.by_name.get(name).copied();
        // Inputs are made in ascending order of their nodes.
        node.and_then(|node| self.inputs.binary_search_by_key(&node, |input| input.node).ok()).ok_or_else(
            || Error::UnknownInput {
                name: name.to_owned(),
                known: self.input_names().map(str::to_owned).collect(),
            },
        )
    }
}
