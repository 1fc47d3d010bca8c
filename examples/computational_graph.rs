//! The chain rule with single numbers: f = (w x + b)², its values and its gradients, step by step.
//!
//! ```text
//! cargo run --release --example computational_graph   # writes computational_graph.svg
//! ```

use geartrain::graph::Graph;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Build the graph from nodes; `Graph::parse("(w*x + b)^2")` builds the same from a formula.
    let mut graph = Graph::new();
    let (w, x, b) = (graph.input("w"), graph.input("x"), graph.input("b"));
    let product = graph.mul(w, x);
    let sum = graph.add(product, b);
    let square = graph.square(sum);
    graph.output(square)?;

    // 2. The forward pass computes the values, the backward pass the gradients.
    println!("f = {}", graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)])?);
    let gradients = graph.backward()?;
    for (name, gradient) in gradients.iter() {
        println!("∂f/∂{name} = {gradient}");
    }

    // 3. The trace shows every step of the calculation.
    println!("\n{}", graph.trace()?);

    // 4. Two other ways to the same gradients: forward mode is exact as well, a central difference
    // is not.
    let (forward, central) = (graph.gradients_forward_mode()?, graph.central_difference(1e-5)?);
    for (name, gradient) in gradients.iter() {
        println!(
            "∂f/∂{name}: {gradient} in reverse mode, {} in forward mode, {} by differences",
            forward[name], central[name]
        );
    }
    std::fs::write("computational_graph.svg", graph.to_svg()?)?;
    Ok(())
}
