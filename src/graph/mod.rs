//! The chain rule on a blackboard: a scalar computational graph that shows its work.
//!
//! This page is a lesson. All its code runs, and `examples/computational_graph.rs` prints and draws
//! the same for any formula. The rest of the crate does the same with matrices instead of numbers.
//!
//! | file | content |
//! |---|---|
//! | `build` | the graph, a list of nodes, each after its operands, and the methods that build it |
//! | `op` | the elementary operations: the value and the local derivatives of each |
//! | `parse` | the parser of formulas |
//! | `pass` | the forward pass, the backward pass, forward mode and central differences |
//! | `gradients` | the result of a differentiation, its warnings and its operation count |
//! | `names` | the automatic names of nodes, and the symbols of derivatives |
//! | `trace` | the calculation of both passes as a table |
//! | `non_finite` | the origin of a NaN or an infinity |
//! | `drawing` | the positions of a picture's parts, for programs that draw the graph themselves |
//! | `layout` | the positions of the nodes: columns, few crossings, straight edges |
//! | `route` | the paths of the edges and the positions of their labels |
//! | `svg`, `svg.css` | the picture as SVG, and its style sheet |
//! | `dot` | the graph in the language of Graphviz |
//! | `error` | the errors of calls on a graph |
//!
//! # 1. Gears
//!
//! A wheel *x* drives a wheel *u*, which drives a wheel *f*. If *u* turns 3 times as fast as *x*,
//! and *f* turns 14 times as fast as *u*, then *f* turns 14 · 3 = 42 times as fast as *x*. Each
//! pair of gears has its own ratio, and the ratios multiply. For functions the ratio is the
//! derivative, and this is the **chain rule**:
//!
//! ```text
//! df/dx = df/du · du/dx
//! ```
//!
//! One thing differs from gears: the ratios depend on the positions of the wheels. *f = u²* has the
//! ratio 2*u*. So the values must be known before the ratios can be multiplied.
//!
//! # 2. The graph
//!
//! Take f = (wx + b)². Written one operation at a time it is
//!
//! ```text
//! u = w·x        v = u + b        f = v²
//! ```
//!
//! Each line is a **node**; each use of an earlier value is an **edge**. A computational graph is
//! no more than that. Build it node by node …
//!
//! ```
//! use geartrain::graph::Graph;
//!
//! let mut graph = Graph::new();
//! let (w, x, b) = (graph.input("w"), graph.input("x"), graph.input("b"));
//! let u = graph.mul(w, x);
//! let v = graph.add(u, b);
//! let f = graph.square(v);
//! # let _ = f;
//! ```
//!
//! … or from text: [`Graph::parse`]`("(w*x + b)^2")` makes the same nodes. This is its picture,
//! drawn by [`Graph::to_svg`], with the numbers of the following sections.
//!
#![doc = include_str!("../../docs/graph.svg")]
//!
//! # 3. Forward: the values
//!
//! The forward pass computes from the inputs to the output and **stores every value**: the ratios
//! need them.
//!
//! ```
//! # use geartrain::graph::Graph;
//! let mut graph = Graph::parse("(w*x + b)^2")?;
//! let f = graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)])?;
//! assert_eq!(f, 49.0);
//! assert_eq!(graph.value("u")?, 6.0); // w·x = 2·3
//! assert_eq!(graph.value("v")?, 7.0); // u + b = 6 + 1
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Unnamed nodes get a name: the output is `f`, the others are `u`, `v`, `p`, … (or `v1`, `v2`, …
//! in a large graph). Before a pass has run, a node has no value, and asking for it is an error.
//!
//! ```
//! # use geartrain::graph::{Error, Graph};
//! let graph = Graph::parse("(w*x + b)^2")?;
//! assert_eq!(graph.value("u"), Err(Error::ForwardFirst));
//! # Ok::<(), geartrain::graph::ParseError>(())
//! ```
//!
//! # 4. Local derivatives: the ratios
//!
//! Each operation has the derivative of its value with respect to each operand, independent of the
//! rest of the graph ([`Op::slope`] lists them all):
//!
//! | node      | local derivatives              | in words                        |
//! |-----------|--------------------------------|---------------------------------|
//! | u = w · x | ∂u/∂w = x = 3, ∂u/∂x = w = 2   | a product swaps its factors     |
//! | v = u + b | ∂v/∂u = 1, ∂v/∂b = 1           | a sum passes gradients unchanged |
//! | f = v²    | ∂f/∂v = 2v = 14                | the slope grows with v          |
//!
//! # 5. Backward: the gradients
//!
//! Start at the output with df/df = 1 and go back. At each node, multiply the incoming gradient by
//! the local derivative of each edge, and pass the product to the operand:
//!
//! ```
//! # use geartrain::graph::Graph;
//! # let mut graph = Graph::parse("(w*x + b)^2")?;
//! # graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)])?;
//! let gradients = graph.backward()?;
//! assert_eq!(graph.gradient("v")?, 14.0); //  1 · 2v
//! assert_eq!(graph.gradient("u")?, 14.0); // 14 · 1
//! assert_eq!(gradients["b"], 14.0); //       14 · 1
//! assert_eq!(gradients["w"], 42.0); //       14 · x
//! assert_eq!(gradients["x"], 28.0); //       14 · w
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One pass gives the derivative for every input. [`Graph::trace`] shows the whole calculation:
//!
//! ```
//! # use geartrain::graph::Graph;
//! # let mut graph = Graph::parse("(w*x + b)^2")?;
//! # graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)])?;
//! # graph.backward()?;
//! assert_eq!(graph.trace()?.to_string(), "\
//! Forward: each node from its operands
//!   w = input  =  2
//!   x = input  =  3
//!   b = input  =  1
//!   u = w × x  =  6
//!   v = u + b  =  7
//!   f = v²     = 49
//!
//! Local derivatives: one on each edge
//!   ∂u/∂w = x    =  3
//!   ∂u/∂x = w    =  2
//!   ∂v/∂u = 1    =  1
//!   ∂v/∂b = 1    =  1
//!   ∂f/∂v = 2·v  = 14
//!
//! Backward: incoming gradient × local derivative, summed over all paths
//!   df/df = 1  (the seed)         =  1
//!   df/dv = df/df · ∂f/∂v = 1·14  = 14
//!   df/du = df/dv · ∂v/∂u = 14·1  = 14
//!   df/db = df/dv · ∂v/∂b = 14·1  = 14
//!   df/dx = df/du · ∂u/∂x = 14·2  = 28
//!   df/dw = df/du · ∂u/∂w = 14·3  = 42
//! ");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # 6. Many paths: sum
//!
//! A value that is used twice changes the output in two ways, and the effects add up. For f = x·x
//! each of the two edges contributes x, together 2x. Omitting the sum is the classic error in a
//! backward pass written by hand: the last path overwrites the others.
//!
//! ```
//! # use geartrain::graph::Graph;
//! let mut graph = Graph::parse("x * x")?;
//! graph.run(&[("x", 3.0)])?;
//! assert_eq!(graph.backward()?["x"], 6.0); // 3 along each edge
//! assert_eq!(graph.backward()?["x"], 6.0); // each call starts from zero
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # 7. Trust, but check
//!
//! A derivative is the limit of the slopes of ever shorter secants. So change one input a little in
//! both directions and compare:
//!
//! ```
//! # use geartrain::graph::Graph;
//! # let mut graph = Graph::parse("(w*x + b)^2")?;
//! # graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)])?;
//! let exact = graph.backward()?;
//! let measured = graph.central_difference(1e-5)?; // (f(x + h) − f(x − h)) / 2h
//! for (name, gradient) in exact.iter() {
//!     assert!((gradient - measured[name]).abs() < 1e-6);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This is not exact, and it is slow: two evaluations per input. But it does not use the chain
//! rule, so it does not repeat an error in the backward pass. [`Gradients::warnings`] reports a
//! step that is too small or too large for the function.
//!
//! # 8. Forward or reverse
//!
//! The product of ratios can be multiplied from either end. **Forward mode** starts at one input
//! with dx/dx = 1 and goes to the output: one pass per input. **Reverse mode** starts at the
//! output: one pass for all inputs. The numbers are the same, the cost is not. This is why networks
//! with a million weights and one loss are trained in reverse mode.
//!
//! ```
//! # use geartrain::graph::Graph;
//! let mut graph = Graph::parse("a*b*c*d*e*f*g*h")?;
//! let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
//! graph.run(&names.map(|name| (name, 1.5)))?;
//! let reverse = graph.backward()?;
//! let forward = graph.gradients_forward_mode()?;
//! assert!((reverse["d"] - forward["d"]).abs() < 1e-12);
//! assert!(forward.operations().total() > 2 * reverse.operations().total());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # 9. Long trains
//!
//! Fifty gears that each halve the speed reduce it to nothing; fifty gears with ratio 1.5 tear the
//! train apart. This is why deep networks are hard to train: the gradient of the first layer is a
//! product with one or more factors for each later layer. The slope of the sigmoid is at most 1/4:
//!
//! ```
//! # use geartrain::graph::Graph;
//! let mut graph = Graph::new();
//! let x = graph.input("x");
//! let mut node = x;
//! for _layer in 0..20 {
//!     node = graph.sigmoid(node);
//! }
//! graph.run(&[("x", 0.0)])?;
//! assert!(graph.backward()?["x"] < 1e-12); // at most 0.25 to the power of 20
//! # Ok::<(), geartrain::graph::Error>(())
//! ```
//!
//! # Conventions
//!
//! - **Kinks.** Where no derivative exists, the conventions are those of PyTorch: relu'(0) = 0, and
//!   `max` and `min` of equal operands give half to each.
//! - **Outside the domain** ln(0), 1/0 and (−1)^0.5 give NaN or an infinity in the node.
//!   [`Graph::non_finite`] and the trace name the first one.
//! - **Constants** have no gradient. So (−2)^3 works: only the derivative by the base is needed,
//!   not that by the exponent, which contains ln(−2).
//! - **Size.** Nodes are stored in one flat list and no pass recurses: a chain of a million nodes
//!   takes a few hundredths of a second.

mod build;
mod dot;
mod drawing;
mod error;
mod gradients;
mod layout;
mod names;
mod non_finite;
mod op;
mod parse;
mod pass;
mod route;
mod svg;
mod trace;

pub use crate::difference::StepWarning;
pub use build::{Graph, NodeId, NodeRef};
pub use drawing::{Drawing, DrawnEdge, DrawnNode};
pub use error::Error;
pub use gradients::{Gradients, Operations};
pub use non_finite::{NonFinite, Quantity};
pub use op::Op;
pub use parse::{ParseError, ParseErrorKind};
pub use route::Area;
pub use trace::{BackwardRow, Contribution, EdgeRow, ForwardRow, Trace};
