//! The graph: a flat list of nodes, each after its operands, and the methods that build it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Error, Op};

/// A scalar function as a graph of elementary operations; see the [module's tutorial](super).
///
/// Nodes are stored in one list, operands before the nodes that use them. The order of
/// construction is the order of the forward pass, its reverse the order of the backward pass; no
/// pass sorts, recurses or allocates per node.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    tag: Tag,
    pub(super) nodes: Vec<Node>,
    pub(super) inputs: Vec<Input>,
    /// The nodes that have a name, inputs included, in both directions.
    pub(super) by_name: HashMap<Arc<str>, u32>,
    pub(super) given_names: HashMap<u32, Arc<str>>,
    pub(super) output: Option<u32>,
    pub(super) formula: Option<String>,
    /// One per node. Those of inputs and constants are kept between passes.
    pub(super) values: Vec<f64>,
    /// One per node; `None` if the output does not depend on it.
    pub(super) gradients: Vec<Option<f64>>,
    pub(super) has_values: bool,
    pub(super) has_gradients: bool,
}

/// Identifies a graph and its clones: node ids of other graphs are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tag(u32);

impl Default for Tag {
    fn default() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Twelve bytes; names, values and gradients are stored apart, so that a pass reads only what it
/// needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub op: Op,
    /// Whether the node depends on an input; if not, it has no gradient.
    pub varying: bool,
    /// A node with one operand stores it twice, a node without operands stores zeros.
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
    pub node: u32,
    pub is_set: bool,
}

/// The id of a node, valid for the graph that made it and for clones of that graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId {
    tag: Tag,
    index: u32,
}

/// A node, given by its [`NodeId`] or by its name; both convert with `into()`.
#[derive(Clone, Copy, Debug)]
pub enum NodeRef<'a> {
    /// The id that the builder returned.
    Id(NodeId),
    /// The name of an input, a name given with [`Graph::name`], or the automatic name (`u`, `v`,
    /// `f`, …).
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

/// Methods of [`Graph`] that append one operation each.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident: $op:ident($($operand:ident),+);)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(&mut self, $($operand: NodeId),+) -> NodeId {
            self.operation(Op::$op, &[$($operand),+])
        }
    )*};
}

/// # Operations
///
/// Each method appends one node and returns its id.
///
/// # Panics
/// If an operand belongs to another graph. This is an error in the program, as an index out of
/// bounds is.
impl Graph {
    operations! {
        /// `a + b`
        add: Add(a, b);
        /// `a − b`
        sub: Sub(a, b);
        /// `a · b`
        mul: Mul(a, b);
        /// `a / b`
        div: Div(a, b);
        /// `a ^ b`. A negative base is allowed wherever the power is real, and has a gradient if
        /// the exponent is constant.
        pow: Pow(a, b);
        /// `−a`
        neg: Neg(a);
        /// `a²`
        square: Square(a);
        /// `exp(a)`
        exp: Exp(a);
        /// `ln(a)`, the natural logarithm
        ln: Ln(a);
        /// `sin(a)`
        sin: Sin(a);
        /// `cos(a)`
        cos: Cos(a);
        /// `√a`
        sqrt: Sqrt(a);
        /// `tanh(a)`
        tanh: Tanh(a);
        /// `1 / (1 + exp(−a))`
        sigmoid: Sigmoid(a);
        /// `max(a, 0)`
        relu: ReLU(a);
        /// The larger of `a` and `b`
        max: Max(a, b);
        /// The smaller of `a` and `b`
        min: Min(a, b);
    }
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The input `name`, created at the first call: one name is one node.
    ///
    /// An inner node with this name gets its automatic name back.
    pub fn input(&mut self, name: &str) -> NodeId {
        if let Some(&index) = self.by_name.get(name) {
            if self.nodes[index as usize].op == Op::Input {
                return self.id(index as usize);
            }
            self.given_names.remove(&index);
        }
        let id = self.push(Op::Input, true, [0, 0], f64::NAN);
        self.give_name(id.index, name);
        self.inputs.push(Input { node: id.index, is_set: false });
        id
    }

    /// A constant. It has no gradient.
    pub fn constant(&mut self, value: f64) -> NodeId {
        self.push(Op::Constant, false, [0, 0], value)
    }

    /// Names a node; trace and drawing show the name.
    ///
    /// # Errors
    /// [`Error::NameTaken`] if another node has the name or `node` is an input, which keeps its
    /// own; [`Error::ForeignNode`].
    pub fn name(&mut self, node: NodeId, name: &str) -> Result<(), Error> {
        let index = self.check(node)? as u32;
        let taken = self.by_name.get(name).is_some_and(|&other| other != index);
        if taken || self.nodes[index as usize].op == Op::Input {
            return Err(Error::NameTaken { name: name.to_owned() });
        }
        self.give_name(index, name);
        Ok(())
    }

    fn give_name(&mut self, index: u32, name: &str) {
        let name: Arc<str> = name.into();
        if let Some(old) = self.given_names.insert(index, name.clone()) {
            self.by_name.remove(&old);
        }
        self.by_name.insert(name, index);
    }

    /// Makes `node` the output. Default: the node created last.
    ///
    /// # Errors
    /// [`Error::ForeignNode`]
    pub fn output(&mut self, node: NodeId) -> Result<(), Error> {
        self.output = Some(self.check(node)? as u32);
        self.has_gradients = false;
        Ok(())
    }

    /// The output node; `None` in an empty graph.
    pub fn output_node(&self) -> Option<NodeId> {
        let last = self.nodes.len().checked_sub(1)?;
        Some(self.id(self.output.map_or(last, |output| output as usize)))
    }

    /// The number of nodes: inputs, constants and operations.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the graph has no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes, operands before the nodes that use them.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> {
        (0..self.nodes.len()).map(|index| self.id(index))
    }

    /// The names of the inputs, in order of creation.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|input| &*self.given_names[&input.node])
    }

    /// The node with this name: an input, a node named by [`Graph::name`], or a node under its
    /// automatic name.
    ///
    /// Automatic names are created on demand: looking one up is linear in the number of nodes.
    ///
    /// # Errors
    /// [`Error::UnknownNode`], and [`Error::ForeignNode`] for the id of another graph.
    pub fn node<'a>(&self, node: impl Into<NodeRef<'a>>) -> Result<NodeId, Error> {
        let name = match node.into() {
            NodeRef::Id(id) => return self.check(id).map(|_| id),
            NodeRef::Name(name) => name,
        };
        let known = self.by_name.get(name).map(|&index| index as usize);
        let index = known.or_else(|| self.find_automatic_name(name));
        index.map(|index| self.id(index)).ok_or_else(|| Error::UnknownNode { name: name.to_owned() })
    }

    /// The operation of the node.
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

    /// The edges on which a gradient can flow: the node that uses the operand, and which operand.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let edges = self.all_edges().filter(|&(from, ..)| self.nodes[from].varying);
        edges.map(|(_, to, which)| (to, which))
    }

    /// All edges: from, to, and which operand.
    pub(super) fn all_edges(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let into =
            |to: usize| self.nodes[to].operands().enumerate().map(move |(which, from)| (from, to, which));
        (0..self.nodes.len()).flat_map(into)
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

    /// Removes a constant that the parser folds into the next node; it must be the newest node.
    pub(super) fn drop_last_constant(&mut self, id: NodeId) {
        debug_assert_eq!(id.index as usize + 1, self.nodes.len());
        self.nodes.pop();
        self.values.pop();
    }

    /// Marks the values and gradients of the last run as outdated.
    pub(super) fn forget(&mut self) {
        self.has_values = false;
        self.has_gradients = false;
    }

    fn check(&self, id: NodeId) -> Result<usize, Error> {
        let index = id.index as usize;
        // Nodes added to a clone do not exist here.
        if id.tag == self.tag && index < self.nodes.len() { Ok(index) } else { Err(Error::ForeignNode) }
    }

    /// Appends an operation on one or two operands.
    #[track_caller]
    pub(super) fn operation(&mut self, op: Op, operands: &[NodeId]) -> NodeId {
        debug_assert_eq!(operands.len(), op.arity());
        let foreign = |id: &NodeId| self.check(*id).is_err();
        assert!(!operands.iter().any(foreign), "an operand of `{}` belongs to another graph", op.symbol());
        let varying = operands.iter().any(|id| self.nodes[id.index as usize].varying);
        self.push(op, varying, [operands[0].index, operands[operands.len() - 1].index], f64::NAN)
    }

    fn push(&mut self, op: Op, varying: bool, operands: [u32; 2], value: f64) -> NodeId {
        let index = u32::try_from(self.nodes.len()).expect("a graph has at most 2³² nodes");
        self.nodes.push(Node { op, varying, operands });
        self.values.push(value);
        self.forget();
        NodeId { tag: self.tag, index }
    }

    pub(super) fn input_slot(&self, name: &str) -> Result<usize, Error> {
        let node = self.by_name.get(name).copied();
        node.and_then(|node| self.slot_of(node)).ok_or_else(|| {
            let known = self.input_names().map(str::to_owned).collect();
            Error::UnknownInput { name: name.to_owned(), known }
        })
    }

    /// The place of an input's node in `inputs`, which is ordered by node.
    pub(super) fn slot_of(&self, node: u32) -> Option<usize> {
        self.inputs.binary_search_by_key(&node, |input| input.node).ok()
    }
}
