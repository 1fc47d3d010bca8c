#![no_main]
//! Text to a graph: both passes, a trace and drawings.

use geartrain::graph::Graph;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|formula: &str| {
    let Ok(mut graph) = Graph::parse(formula) else { return };
    let names: Vec<String> = graph.input_names().map(String::from).collect();
    let inputs: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 0.5)).collect();
    if graph.run(&inputs).is_ok() {
        let _ = graph.backward();
        let _ = (graph.to_dot(), graph.to_svg(), graph.trace());
    }
});
