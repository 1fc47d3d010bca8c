#![no_main]
//! Everything that was read, printed: traces, tables of classes, summaries, errors.
//!
//! Printing never panics, whatever the length of names and sums, and the text is not much longer
//! than what it shows.

use geartrain::metrics::ConfusionMatrix;
use geartrain::data::Csv;
use geartrain::graph::Graph;
use geartrain::io::TensorFile;
use geartrain_fuzz::{Choice, network};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;

#[derive(Debug, Arbitrary)]
enum Case {
    /// A formula, and a number for every input. The first name is repeated to any length.
    Formula {
        text: String,
        value: f64,
        step: f64,
        repeat: u16,
    },
    /// Classes of the rows, and their names.
    Classes {
        rows: Vec<(u8, u8)>,
        names: Vec<String>,
        repeat: u16,
    },
    Network {
        layers: Vec<Choice>,
        inputs: u8,
        outputs: u8,
    },
    Table(Vec<u8>),
    Tensors(Vec<u8>),
}

fn long(text: &str, repeat: u16) -> String {
    text.repeat(if repeat % 16 == 0 { usize::from(repeat) } else { 1 })
}

fn formula(text: &str, value: f64, step: f64) {
    let mut graph = match Graph::parse(text) {
        Ok(graph) => graph,
        Err(error) => {
            assert!(error.to_string().len() < 1000 && error.pointer.len() < 1000);
            return;
        }
    };
    let names: Vec<String> = graph.input_names().map(String::from).collect();
    for name in &names {
        graph.set(name, value).unwrap();
    }
    graph.forward().unwrap();
    let mut printed = graph.backward().unwrap().to_string();
    printed += &graph.trace().unwrap().to_string();
    printed += &graph.to_dot();
    if let Ok(svg) = graph.to_svg() {
        printed += &svg;
    }
    if let Ok(differences) = graph.central_difference(step) {
        printed += &differences.to_string();
        differences.warnings().iter().for_each(|warning| printed += &warning.to_string());
    }
    assert!(printed.len() <= 20_000 + 4000 * text.len(), "{} from {}", printed.len(), text.len());
}

fuzz_target!(|case: Case| {
    match case {
        Case::Formula { text, value, step, repeat } => formula(&long(&text, repeat), value, step),
        Case::Classes { rows, names, repeat } => {
            let classes = names.len().max(1);
            let class = |class: u8| usize::from(class) % classes;
            let output = Array2::from_shape_fn((rows.len(), classes), |(r, c)| {
                f32::from(u8::from(class(rows[r].0) == c))
            });
            let target = Array2::from_shape_fn((rows.len(), 1), |(r, _)| class(rows[r].1) as f32);
            if let Ok(matrix) = ConfusionMatrix::from_logits(&output, &target) {
                let names: Vec<String> = names.iter().map(|name| long(name, repeat)).collect();
                let _ = (matrix.to_string(), matrix.table(&names));
            }
        }
        Case::Network { layers, inputs, outputs } => {
            match network(&layers, 1 + usize::from(inputs), 1 + usize::from(outputs)) {
                Ok(network) => assert!(network.summary().to_string().lines().count() > 3),
                Err(error) => assert!(error.to_string().len() < 2000),
            }
        }
        Case::Table(bytes) => {
            if let Err(error) = Csv::new("y").read::<f32>(&bytes[..], "bytes") {
                assert!(error.to_string().len() < 5000);
            }
        }
        Case::Tensors(bytes) => {
            if let Err(error) = TensorFile::parse(&bytes) {
                assert!(error.to_string().len() < 5000);
            }
        }
    }
});
