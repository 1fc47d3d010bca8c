//! One run of a graph as the steps of an animation: values, local derivatives, gradients.

use std::collections::HashMap;

use geartrain::graph::{BackwardRow, Drawing, ForwardRow, Graph, NodeId, Op, Trace};
use serde_json::{Value, json};

use crate::lab::reply::number;

/// Nodes and edges are numbered as in a [`Drawing`]; the steps refer to these numbers. The drawing
/// itself takes longer than all the rest and is not needed for new values.
pub struct Story {
    pub nodes: Vec<Value>,
    pub edges: Vec<Value>,
    /// The steps of the animation:
    ///
    /// - `value`: a node's value is known;
    /// - `slope`: an edge's local derivative is known;
    /// - `seed`: the output's gradient is 1;
    /// - `back`: a gradient has flowed back along an edge; `sum` is the operand's sum so far.
    pub steps: Vec<Value>,
}

impl Story {
    pub fn new(graph: &Graph, trace: &Trace) -> Self {
        let ids: Vec<NodeId> = graph.nodes().collect();
        let place: HashMap<NodeId, usize> = ids.iter().enumerate().map(|(index, id)| (*id, index)).collect();
        let forward: HashMap<NodeId, &ForwardRow> = trace.forward.iter().map(|row| (row.id, row)).collect();
        let backward: HashMap<NodeId, &BackwardRow> =
            trace.backward.iter().map(|row| (row.id, row)).collect();
        let gradient = |id: &NodeId| backward.get(id).map(|row| row.gradient);

        let nodes = ids.iter().map(|id| {
            let row = forward.get(id);
            let kind = match graph.op(*id) {
                Ok(Op::Input) => "input",
                Ok(Op::Constant) | Err(_) => "constant",
                Ok(_) => "operation",
            };
            json!({
                "kind": kind,
                "name": row.map(|row| &row.node),
                "expression": row.map(|row| &row.operation),
                "value": graph.value(*id).map_or(Value::Null, number),
                "symbol": backward.get(id).map(|row| &row.symbol),
                "gradient": gradient(id).map(number),
            })
        });
        let nodes = nodes.collect();

        // The trace has a row for each edge with a gradient, in the same order.
        let mut rows = trace.edges.iter();
        let mut edges = Vec::new();
        let mut flows: HashMap<NodeId, Vec<(usize, usize, f64)>> = HashMap::new();
        let ends = ids.iter().flat_map(|to| {
            let operands = graph.operands(*to).unwrap_or_default();
            operands.into_iter().map(move |from| (from, *to))
        });
        for (index, (source, target)) in ends.enumerate() {
            let (from, to) = (place[&source], place[&target]);
            let row = if backward.contains_key(&source) { rows.next() } else { None };
            let back = row.and_then(|row| Some(gradient(&target)? * row.value));
            if let Some(back) = back {
                flows.entry(target).or_default().push((index, from, back));
            }
            edges.push(json!({
                "from": from,
                "to": to,
                "symbol": row.map(|row| &row.symbol),
                "formula": row.map(|row| &row.formula),
                "slope": row.map(|row| number(row.value)),
                "back": back.map(number),
            }));
        }

        let mut steps: Vec<Value> =
            trace.forward.iter().map(|row| json!({ "kind": "value", "node": place[&row.id] })).collect();
        let varying = (0..edges.len()).filter(|&index| !edges[index]["symbol"].is_null());
        steps.extend(varying.map(|edge| json!({ "kind": "slope", "edge": edge })));
        // From here on in the order of the backward pass, which starts at the last node.
        let mut sums: Vec<Option<f64>> = vec![None; ids.len()];
        for id in ids.iter().rev() {
            if graph.output_node() == Some(*id) && backward.contains_key(id) {
                steps.push(json!({ "kind": "seed", "node": place[id] }));
            }
            for &(edge, from, back) in flows.get(id).into_iter().flatten() {
                let sum = sums[from].map_or(back, |sum| sum + back);
                sums[from] = Some(sum);
                steps.push(json!({ "kind": "back", "edge": edge, "sum": number(sum) }));
            }
        }
        Self { nodes, edges, steps }
    }
}

/// The layout of the picture, rounded to a tenth of a pixel.
pub fn picture(drawing: &Drawing) -> Value {
    let tenth = |x: f64| (10.0 * x).round() / 10.0;
    let area = drawing.area;
    let nodes = drawing.nodes.iter().map(|node| {
        let area = node.area;
        json!({
            "title": node.title,
            "x": tenth(area.x), "y": tenth(area.y),
            "width": tenth(area.width), "height": tenth(area.height),
        })
    });
    let edges = drawing.edges.iter().map(|edge| {
        json!({
            "path": edge.path, "prefix": edge.prefix,
            "x": tenth(edge.label.x), "y": tenth(edge.label.y),
        })
    });
    json!({
        "left": tenth(area.x - area.width / 2.0), "top": tenth(area.y - area.height / 2.0),
        "width": tenth(area.width), "height": tenth(area.height),
        "nodes": nodes.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>(),
    })
}
