//! The scalar graph as a reference for the layers: a network written out in scalars gives the same
//! output, loss and gradients as the matrices.

use geartrain::gradcheck::Gradcheck;
use geartrain::graph::{Graph, NodeId};
use geartrain::prelude::*;
use ndarray::{Array2, ArrayD};

/// A network in scalars, built layer by layer like the real one.
struct Scalars<'a> {
    graph: Graph,
    network: &'a Network<f64>,
}

impl Scalars<'_> {
    /// y_i = Σ_j W_ij x_j + b_i. Each weight is an input of the graph, called after its parameter,
    /// as in `0.weight[2, 1]`.
    fn linear(&mut self, name: &str, x: &[NodeId]) -> Vec<NodeId> {
        let weight = self.network.param(&format!("{name}.weight")).unwrap();
        let outputs = weight.shape()[0];
        (0..outputs)
            .map(|i| {
                let bias = self.graph.input(&format!("{name}.bias[{i}]"));
                x.iter().enumerate().fold(bias, |sum, (j, &x)| {
                    let weight = self.graph.input(&format!("{name}.weight[{i}, {j}]"));
                    let product = self.graph.mul(weight, x);
                    self.graph.add(sum, product)
                })
            })
            .collect()
    }

    fn map(&mut self, x: &[NodeId], f: impl Fn(&mut Graph, NodeId) -> NodeId) -> Vec<NodeId> {
        x.iter().map(|&x| f(&mut self.graph, x)).collect()
    }

    fn add(&mut self, a: &[NodeId], b: &[NodeId]) -> Vec<NodeId> {
        a.iter().zip(b).map(|(&a, &b)| self.graph.add(a, b)).collect()
    }
}

/// The name of an input of the graph: `0.weight[2, 1]`.
fn entry(name: &str, index: &ndarray::IxDyn) -> String {
    let index: Vec<String> = ndarray::Dimension::slice(index).iter().map(usize::to_string).collect();
    format!("{name}[{}]", index.join(", "))
}

fn entries(name: &str, tensor: &ArrayD<f64>) -> Vec<(String, f64)> {
    tensor.indexed_iter().map(|(index, &value)| (entry(name, &index), value)).collect()
}

#[test]
fn a_network_in_scalars_agrees_with_the_layers() {
    // Linear, Tanh, a residual block with Linear and ReLU, Linear, Sigmoid, and the mean squared
    // error.
    let body = Sequential::new().then(Linear::new(4, 4)).then(ReLU);
    let layers = Sequential::new()
        .then(Linear::new(3, 4))
        .then(Tanh)
        .then(Residual::new(body))
        .then(Linear::new(4, 2))
        .then(Sigmoid);
    let network = Network::<f64>::new(layers).unwrap().with_seed(2);
    let rows = 5;
    let x = Array2::from_shape_fn((rows, 3), |(i, j)| ((4 * i + 7 * j) as f64).sin());
    let target = Array2::from_shape_fn((rows, 2), |(i, j)| ((i + 3 * j) as f64).cos());
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();

    let mut scalars = Scalars { graph: Graph::new(), network: &network };
    let mut outputs = Vec::new();
    let mut squares = Vec::new();
    for row in 0..rows {
        let input: Vec<NodeId> = (0..3).map(|j| scalars.graph.input(&format!("x[{row}, {j}]"))).collect();
        let z = scalars.linear("0", &input);
        let h = scalars.map(&z, Graph::tanh);
        let z = scalars.linear("2.body.0", &h);
        let branch = scalars.map(&z, Graph::relu);
        let sum = scalars.add(&h, &branch);
        let z = scalars.linear("3", &sum);
        let y = scalars.map(&z, Graph::sigmoid);
        for (i, &y) in y.iter().enumerate() {
            let target = scalars.graph.constant(target[[row, i]]);
            let error = scalars.graph.sub(y, target);
            squares.push(scalars.graph.square(error));
        }
        outputs.push(y);
    }
    let graph = &mut scalars.graph;
    let sum = squares.into_iter().reduce(|sum, square| graph.add(sum, square)).unwrap();
    let count = graph.constant((rows * 2) as f64);
    let loss = graph.div(sum, count);
    graph.output(loss).unwrap();

    let mut inputs = entries("x", &x.clone().into_dyn());
    inputs
        .extend(network.named(network.params()).flat_map(|(name, tensor)| entries(name, &tensor.to_owned())));
    let inputs: Vec<(&str, f64)> = inputs.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let value = graph.run(&inputs).unwrap();
    let gradients = graph.backward().unwrap();

    approx::assert_abs_diff_eq!(value, pass.loss, epsilon = 1e-12);
    for (row, y) in outputs.iter().enumerate() {
        for (i, &node) in y.iter().enumerate() {
            approx::assert_abs_diff_eq!(graph.value(node).unwrap(), pass.output[[row, i]], epsilon = 1e-12);
        }
    }
    let mut compared = 0;
    let mut agree = |name: &str, tensor: &ArrayD<f64>| {
        for (entry, gradient) in entries(name, tensor) {
            approx::assert_abs_diff_eq!(gradients[entry.as_str()], gradient, epsilon = 1e-12);
            compared += 1;
        }
    };
    agree("x", &pass.grad_input.clone().into_dyn());
    for (name, tensor) in network.named(&pass.grads) {
        agree(name, &tensor.to_owned());
    }
    assert_eq!(compared, network.params().len() + x.len());
    assert!(pass.grads.iter().any(|g| g.abs() > 1e-3), "gradients of nothing prove nothing");

    // The graph's gradients against its forward mode and central differences.
    let report = Gradcheck::default().graph(graph).unwrap();
    assert!(report.passed() && report.worst().unwrap().relative_error < 1e-7, "{report}");
}
