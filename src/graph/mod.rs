//! The chain rule on a blackboard: a scalar computational graph that shows its work.
//!
//! This page is a lesson. Every block of code on it runs, and `examples/computational_graph.rs` prints and draws the same
//! for any formula. The rest of the crate does what this page does, with matrices in the place of numbers.
//!
//! # 1. Gears
//!
//! Turn a wheel *x* that drives a wheel *u*, which drives a wheel *f*. If *u* turns 3 times as fast as *x*, and *f* turns
//! 14 times as fast as *u*, then *f* turns 14 · 3 = 42 times as fast as *x*. Nobody needs to look at the whole train: each
//! pair of gears knows its own ratio, and the ratios multiply. For functions the ratio is the derivative, and this is the
//! **chain rule**:
//!
//! ```text
//! df/dx = df/du · du/dx
//! ```
//!
//! One thing is different from gears of brass: the ratios depend on where the wheels stand. *f = u²* has the ratio 2*u*. So
//! before we can multiply ratios, we must know the values.
//!
//! # 2. The graph
//!
//! Take f = (wx + b)². Written one operation at a time it is
//!
//! ```text
//! u = w·x        v = u + b        f = v²
//! ```
//!
//! Each line is a **node**; each use of an earlier value is an **edge**. That is all a computational graph is. Build it
//! node by node …
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
//! … or from text, [`Graph::parse`]`("(w*x + b)^2")`, which makes the same nodes. Below is what [`Graph::to_svg`] draws of
//! it when we are through with this page.
//!
#![doc = include_str!("../../docs/graph.svg")]
//!
//! # 3. Forward: the values
//!
//! The forward pass walks from the inputs to the output and **keeps every value on the way**: we shall need them for the
//! ratios.
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
//! Nodes without a name get one: the output is `f`, the others are `u`, `v`, `p`, … (or `v1`, `v2`, … if there are many).
//! Before a pass has run there is no value, and asking for one says so; 0 would be a lie.
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
//! Each operation knows how its value moves with each of its operands, and nothing else. It needs no idea of the graph
//! around it ([`Op::slope`] has them all):
//!
//! | node      | local derivatives              | in words                        |
//! |-----------|--------------------------------|---------------------------------|
//! | u = w · x | ∂u/∂w = x = 3, ∂u/∂x = w = 2   | a product swaps its factors     |
//! | v = u + b | ∂v/∂u = 1, ∂v/∂b = 1           | a sum passes everything on      |
//! | f = v²    | ∂f/∂v = 2v = 14                | steeper, the further from 0     |
//!
//! # 5. Backward: the gradients
//!
//! Start at the output with df/df = 1 and walk back. At each node take the gradient that has come in, multiply it by the
//! local derivative of each edge, and hand the product to the operand:
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
//! One walk back, and we have the derivative for every input. [`Graph::trace`] writes down the whole calculation:
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
//! A value that is used twice moves the output in two ways at once, and the effects add. For f = x·x each of the two edges
//! brings x, together 2x. Forgetting the sum is the classic mistake of a backward pass written by hand: the last path would
//! overwrite the others.
//!
//! ```
//! # use geartrain::graph::Graph;
//! let mut graph = Graph::parse("x * x")?;
//! graph.run(&[("x", 3.0)])?;
//! assert_eq!(graph.backward()?["x"], 6.0); // 3 along each edge
//! assert_eq!(graph.backward()?["x"], 6.0); // each call starts afresh
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # 7. Trust, but check
//!
//! A derivative is the slope of a secant that has become short. So move one input a little to both sides and look:
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
//! It is not exact and it is slow, two evaluations for each input, but it knows no chain rule and so cannot make the same
//! mistake.
//!
//! # 8. Which way to walk
//!
//! The product of ratios can be multiplied from either end. **Forward mode** starts at one input with dx/dx = 1 and walks to
//! the output: one pass for each input. **Reverse mode** starts at the output: one pass for all inputs. The numbers are the
//! same and the work is not, which is why networks with a million weights and one loss are trained in reverse.
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
//! Fifty gears that each halve the speed leave nothing of it; fifty that each add a half tear the train apart. This is why
//! deep networks are hard to train: the gradient of the first layer is a product with one factor, or more, for each layer
//! after it. The slope of the sigmoid is at most 1/4:
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
//! - **Kinks.** Where there is no derivative, PyTorch's choice: relu'(0) = 0, and `max` and `min` of equal operands give half
//!   to each.
//! - **Outside the domain.** ln(0), 1/0 or (−1)^0.5 give NaN or an infinity, visible in the node. [`Graph::non_finite`] and
//!   the trace say which node was the first.
//! - **Constants** have no gradient. So (−2)^3 is no trouble: only the derivative by the base is needed, not the one by the
//!   exponent, which has ln(−2) in it.
//! - **Size.** Nodes lie in one flat list and no pass recurses: a chain of a million nodes takes a few hundredths of a second.

mod build;
mod dot;
mod drawing;
mod error;
mod gradients;
mod layout;
mod names;
mod non_finite;
mod number;
mod op;
mod parse;
mod pass;
mod route;
mod svg;
mod trace;

pub use build::{Graph, NodeId, NodeRef};
pub use drawing::{Drawing, DrawnEdge, DrawnNode};
pub use error::Error;
pub use gradients::{Gradients, Operations};
pub use non_finite::{NonFinite, Quantity};
pub use op::Op;
pub use parse::{ParseError, ParseErrorKind};
pub use route::Area;
pub use trace::{BackwardRow, Contribution, EdgeRow, ForwardRow, Trace};
