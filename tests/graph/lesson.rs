//! Exercises on the chain rule and computational graphs, each solved with the crate.
//!
//! The function is f = (wx + b)², at w = 2, x = 3, b = 1 unless stated otherwise.

use geartrain::graph::{Graph, NodeId, Op};

/// The lesson's graph after its forward pass.
fn lesson_graph() -> Graph {
    let mut graph = Graph::parse("(w*x + b)^2").unwrap();
    graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)]).unwrap();
    graph
}

/// The derivative of a formula in x, by the backward pass.
fn derivative_at(formula: &str, x: f64) -> f64 {
    let mut graph = Graph::parse(formula).unwrap();
    graph.run(&[("x", x)]).unwrap();
    graph.backward().unwrap()["x"]
}

#[test]
fn the_expanded_polynomial_and_the_chain_rule_give_the_same_derivative() {
    // (3x + 1)² = 9x² + 6x + 1, so the derivative is 18x + 6, or by the chain rule 2(3x + 1)·3.
    for x in [-2.0, -0.5, 0.0, 1.0, 2.5] {
        let by_chain_rule = derivative_at("(3*x + 1)^2", x);
        let expanded = derivative_at("9*x^2 + 6*x + 1", x);
        assert_eq!(by_chain_rule, 18.0 * x + 6.0);
        assert_eq!(expanded, 18.0 * x + 6.0);
    }
}

#[test]
fn chain_rule_at_a_point() {
    // y = sin(u), u = x²: dy/dx = cos(x²)·2x. Only the ratios at this point count.
    let x: f64 = 1.2;
    let mut graph = Graph::parse("sin(x^2)").unwrap();
    graph.run(&[("x", x)]).unwrap();
    graph.backward().unwrap();
    let dy_du = graph.gradient("u").unwrap();
    let dy_dx = graph.gradient("x").unwrap();
    assert_eq!(dy_du, (x * x).cos());
    assert_eq!(dy_dx, dy_du * 2.0 * x);
}

#[test]
fn forward_pass_of_the_graph() {
    let graph = lesson_graph();
    assert_eq!(graph.value("u"), Ok(6.0)); // w·x
    assert_eq!(graph.value("v"), Ok(7.0)); // u + b
    assert_eq!(graph.value("f"), Ok(49.0)); // v²
}

#[test]
fn local_derivative_of_the_square_node() {
    let mut graph = lesson_graph();
    graph.backward().unwrap();
    let trace = graph.trace().unwrap();
    let edge = trace.edges.iter().find(|edge| edge.symbol == "∂f/∂v").unwrap();
    assert_eq!(edge.formula, "2·v");
    assert_eq!(edge.value, 14.0);
    // The same from the operation itself.
    assert_eq!(Op::Square.slope(0, 7.0, 7.0, 49.0), 14.0);
}

#[test]
fn gradient_with_respect_to_the_bias() {
    // df/db = df/dv · dv/db = 2v · 1
    let gradients = lesson_graph().backward().unwrap();
    assert_eq!(gradients["b"], 14.0);
}

#[test]
fn all_gradients_of_the_lesson() {
    let mut graph = lesson_graph();
    let gradients = graph.backward().unwrap();
    assert_eq!(graph.gradient("v"), Ok(14.0));
    assert_eq!((gradients["w"], gradients["x"], gradients["b"]), (42.0, 28.0, 14.0));
}

#[test]
fn an_add_node_passes_the_gradient_unchanged_to_each_input() {
    let mut graph = Graph::parse("5 * (p + q)").unwrap();
    graph.run(&[("p", -3.0), ("q", 100.0)]).unwrap();
    let gradients = graph.backward().unwrap();
    assert_eq!(graph.gradient("u"), Ok(5.0)); // u = p + q
    assert_eq!((gradients["p"], gradients["q"]), (5.0, 5.0));
}

#[test]
fn a_multiply_node_gives_each_input_the_other_factor() {
    let mut graph = Graph::parse("5 * (p * q)").unwrap();
    graph.run(&[("p", -3.0), ("q", 100.0)]).unwrap();
    let gradients = graph.backward().unwrap();
    assert_eq!((gradients["p"], gradients["q"]), (5.0 * 100.0, 5.0 * -3.0));
}

#[test]
fn backward_with_new_inputs() {
    let mut graph = lesson_graph();
    graph.backward().unwrap();
    // u = −1, v = 1, f = 1, df/dv = 2: no values of the old pass may remain.
    assert_eq!(graph.run(&[("w", -1.0), ("x", 1.0), ("b", 2.0)]), Ok(1.0));
    let gradients = graph.backward().unwrap();
    assert_eq!((gradients["w"], gradients["x"], gradients["b"]), (2.0, -2.0, 2.0));
}

#[test]
fn twenty_local_derivatives_of_at_most_a_quarter_vanish() {
    // Twenty sigmoids in a row; each slope y(1 − y) is at most 0.25.
    let mut graph = Graph::new();
    let mut node = graph.input("x");
    for _layer in 0..20 {
        node = graph.sigmoid(node);
    }
    graph.run(&[("x", 0.5)]).unwrap();
    let gradient = graph.backward().unwrap()["x"];
    let trace = graph.trace().unwrap();
    assert!(trace.edges.iter().all(|edge| edge.value <= 0.25));
    let product: f64 = trace.edges.iter().map(|edge| edge.value).product();
    assert!((gradient / product - 1.0).abs() < 1e-12);
    assert!(0.0 < gradient && gradient < 1e-12, "{gradient:e}");
}

#[test]
fn fifty_factors_of_a_half_vanish_and_of_one_and_a_half_explode() {
    let gradient_through = |factor: f64| {
        let mut graph = Graph::new();
        let factor = graph.constant(factor);
        let mut node = graph.input("x");
        for _layer in 0..50 {
            node = graph.mul(factor, node);
        }
        graph.run(&[("x", 1.0)]).unwrap();
        graph.backward().unwrap()["x"]
    };
    assert_eq!(gradient_through(0.5), 0.5f64.powi(50));
    assert!(gradient_through(0.5) < 1e-12);
    assert!(gradient_through(1.5) > 1e8);
}

/// The gradient of x, and the last contribution alone, which it would be if each path overwrote the
/// one before.
fn summed_and_overwritten(formula: &str, x: f64) -> (f64, f64) {
    let mut graph = Graph::parse(formula).unwrap();
    graph.run(&[("x", x)]).unwrap();
    graph.backward().unwrap();
    let trace = graph.trace().unwrap();
    let row = trace.backward.iter().find(|row| row.node == "x").unwrap();
    (row.gradient, row.contributions.last().unwrap().contribution)
}

#[test]
fn a_variable_on_two_paths_sums_over_them() {
    // x·x: each path contributes the other factor. (x·x)' = 2x.
    assert_eq!(summed_and_overwritten("x*x", 3.0), (6.0, 3.0));
    // x + x: each path contributes 1. (2x)' = 2.
    assert_eq!(summed_and_overwritten("x + x", 3.0), (2.0, 1.0));
    // A diamond: u = x², v = 5x, f = u·v = 5x³, f' = 15x². The path through u contributes
    // 2x·5x = 90, the path through v 5·x² = 45.
    assert_eq!(summed_and_overwritten("x^2 * (5*x)", 3.0), (135.0, 45.0));
}

/// The values that the backward pass needs.
struct Cache {
    w: f64,
    x: f64,
    v: f64,
}

fn forward(w: f64, x: f64, b: f64) -> (f64, Cache) {
    let u = w * x;
    let v = u + b;
    (v * v, Cache { w, x, v })
}

/// (df/dw, df/dx, df/db)
fn backward(cache: &Cache) -> (f64, f64, f64) {
    let dv = 2.0 * cache.v; // f = v²
    let (du, db) = (dv, dv); // v = u + b
    (du * cache.x, du * cache.w, db) // u = w·x
}

#[test]
fn forward_returns_value_and_cache_and_backward_takes_the_cache() {
    let (f, cache) = forward(2.0, 3.0, 1.0);
    assert_eq!(f, 49.0);
    assert_eq!(backward(&cache), (42.0, 28.0, 14.0));
    // The graph does the same for all inputs.
    let mut graph = lesson_graph();
    for (w, x, b) in [(0.5, -4.0, 1.0), (-2.0, 3.0, 7.5), (0.0, 0.0, 0.0)] {
        let (f, cache) = forward(w, x, b);
        assert_eq!(graph.run(&[("w", w), ("x", x), ("b", b)]), Ok(f));
        let gradients = graph.backward().unwrap();
        assert_eq!((gradients["w"], gradients["x"], gradients["b"]), backward(&cache));
    }
}

#[test]
fn the_product_of_three_inputs() {
    let mut graph = Graph::parse("x*y*z").unwrap();
    graph.run(&[("x", 2.0), ("y", 3.0), ("z", -4.0)]).unwrap();
    let gradients = graph.backward().unwrap();
    assert_eq!(gradients["x"], 3.0 * -4.0);
    assert_eq!(gradients["y"], 2.0 * -4.0);
    assert_eq!(gradients["z"], 2.0 * 3.0);
}

/// The largest difference between the claimed gradients and central differences with h = 1e-5.
fn worst_difference(f: impl Fn([f64; 3]) -> f64, at: [f64; 3], claimed: [f64; 3]) -> f64 {
    const H: f64 = 1e-5;
    let measured = |input: usize| {
        let (mut above, mut below) = (at, at);
        above[input] += H;
        below[input] -= H;
        (f(above) - f(below)) / (2.0 * H)
    };
    (0..3).map(|input| (measured(input) - claimed[input]).abs()).fold(0.0, f64::max)
}

#[test]
fn a_central_difference_checker() {
    let f = |[w, x, b]: [f64; 3]| forward(w, x, b).0;
    let at = [2.0, 3.0, 1.0];
    assert!(worst_difference(f, at, [42.0, 28.0, 14.0]) < 1e-6);
    // It finds mistakes: a forgotten bias, a wrong sign.
    assert!(worst_difference(f, at, [42.0, 28.0, 0.0]) > 1.0);
    assert!(worst_difference(f, at, [42.0, -28.0, 14.0]) > 1.0);
    // The graph's own check.
    let mut graph = lesson_graph();
    let exact = graph.backward().unwrap();
    let measured = graph.central_difference(1e-5).unwrap();
    assert!(exact.iter().all(|(name, gradient)| (gradient - measured[name]).abs() < 1e-6));
}

#[test]
fn reverse_mode_needs_one_sweep_and_forward_mode_one_pass_per_input() {
    // f = tanh(x1) + tanh(x2) + … + tanh(xn)
    let operations = |n: usize| {
        let formula = (1..=n).map(|i| format!("tanh(x{i})")).collect::<Vec<_>>().join(" + ");
        let mut graph = Graph::parse(&formula).unwrap();
        for i in 1..=n {
            graph.set(&format!("x{i}"), 0.1 * i as f64).unwrap();
        }
        graph.forward().unwrap();
        let reverse = graph.backward().unwrap();
        let forward = graph.gradients_forward_mode().unwrap();
        for (name, gradient) in reverse.iter() {
            assert!((gradient - forward[name]).abs() <= 1e-15, "{name}");
        }
        (reverse.operations().total(), forward.operations().total())
    };
    // The reverse sweep visits each of the n + 2(n − 1) edges once.
    for n in [1, 2, 10, 100] {
        assert_eq!(operations(n).0, 2 * (n as u64 + 2 * (n as u64 - 1)));
    }
    // For one input both cost the same. For ten times the inputs, a reverse sweep costs ten times
    // as much, and n forward passes a hundred times.
    let (reverse, forward) = operations(1);
    assert_eq!(reverse, forward);
    let ((reverse_10, forward_10), (reverse_100, forward_100)) = (operations(10), operations(100));
    assert!((9..=12).contains(&(reverse_100 / reverse_10)), "{reverse_100} / {reverse_10}");
    assert!((70..=110).contains(&(forward_100 / forward_10)), "{forward_100} / {forward_10}");
}

/// Evaluates a node without stored values: each use of a value computes it again. Counts the
/// operations.
fn recompute(graph: &Graph, node: NodeId, count: &mut u64) -> f64 {
    let operands = graph.operands(node).unwrap();
    let values: Vec<f64> = operands.iter().map(|&operand| recompute(graph, operand, count)).collect();
    match values[..] {
        [] => graph.value(node).unwrap(),
        [a] => {
            *count += 1;
            graph.op(node).unwrap().value(a, a)
        }
        [a, b, ..] => {
            *count += 1;
            graph.op(node).unwrap().value(a, b)
        }
    }
}

/// The derivative of a node with respect to the input; operands are computed again for each local
/// derivative.
fn recompute_derivative(graph: &Graph, node: NodeId, input: NodeId, count: &mut u64) -> f64 {
    if node == input {
        return 1.0;
    }
    let operands = graph.operands(node).unwrap();
    let values: Vec<f64> = operands.iter().map(|&operand| recompute(graph, operand, count)).collect();
    let op = graph.op(node).unwrap();
    let y = op.value(values[0], values[values.len() - 1]);
    let mut sum = 0.0;
    for (which, &operand) in operands.iter().enumerate() {
        *count += 1;
        let local = op.slope(which, values[0], values[values.len() - 1], y);
        sum += local * recompute_derivative(graph, operand, input, count);
    }
    sum
}

#[test]
fn keeping_intermediates_is_linear_in_depth_and_recomputing_them_exponential() {
    // u1 = x·x, u2 = u1·u1, …: each value is used twice, so there are 2^depth paths.
    let counts = |depth: u32| {
        let mut graph = Graph::new();
        let x = graph.input("x");
        let mut node = x;
        for _level in 0..depth {
            node = graph.mul(node, node);
        }
        graph.run(&[("x", 1.001)]).unwrap();
        let gradients = graph.backward().unwrap();
        let kept = graph.operation_count() + gradients.operations().total();
        let mut recomputed = 0;
        let derivative = recompute_derivative(&graph, node, x, &mut recomputed);
        assert!((derivative / gradients["x"] - 1.0).abs() < 1e-12);
        (kept, recomputed)
    };
    let (shallow, deep) = (counts(8), counts(16));
    assert_eq!(deep.0, 2 * shallow.0); // twice the depth, twice the work
    assert!(deep.1 > 256 * shallow.1); // 8 levels more, 2⁸ times the work, and more
    assert!(deep.1 > 1000 * deep.0);
}
