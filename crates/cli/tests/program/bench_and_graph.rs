//! `bench`, `graph`, `reproduce`.

use std::thread::available_parallelism;

use crate::support::{Folder, assert_well_formed, number, stderr};

#[test]
fn bench_uses_no_more_threads_than_the_machine_has() {
    let folder = Folder::new();
    let output = folder.run("bench --workload T1 --threads 1000 --json");
    assert!(stderr(&output).contains("threads at once: using"), "{}", stderr(&output));
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let result = &results[0];
    assert_eq!(result["threads"], available_parallelism().unwrap().get());
    assert!(number(&result["p10"]) <= number(&result["us_per_step"]), "{result}");
    let table = folder.succeed("bench --depth 2 --width 8 --batch 4");
    assert!(table.starts_with("f32, 1 thread, peak ") && table.contains("\n2x8 "), "{table}");
    let ratios = folder.succeed("bench --depth 2 --width 8 --batch 4 --threads 2 --compare 2");
    let last = ratios.lines().last().expect("a line");
    let numbers: Vec<f64> = last.split_whitespace().skip(1).map(|n| n.parse().expect("a number")).collect();
    assert!(last.starts_with("2x8 ") && numbers.len() == 4, "{ratios}");
    assert!(numbers[1] > 0.0 && numbers[1..].is_sorted(), "{ratios}");
}

#[test]
fn graph_shows_the_chain_rule() {
    let folder = Folder::new();
    let text = folder.succeed("graph '(w*x+b)^2' w=2 x=3 b=1 --svg graph.svg --dot graph.dot");
    assert!(text.contains("Gradients three ways") && text.contains("reverse mode"), "{text}");
    assert_eq!(text, folder.succeed("graph"), "the default formula");
    assert_well_formed(&folder.read("graph.svg"));
    assert!(folder.read("graph.dot").starts_with("digraph"));
    let json = folder.json("graph '(w*x+b)^2' w=2 x=3 b=1 --json");
    assert_eq!(json["value"], 49.0);
    assert_eq!(json["gradients"]["reverse"], serde_json::json!({ "w": 42.0, "x": 28.0, "b": 14.0 }));
    assert_eq!(folder.json("graph --json -- '-x' x=-3")["value"], 3.0);
    assert_eq!(folder.json("graph --json 'ln(x)' x=0")["value"], "-inf");
}

#[test]
fn reproduce_compares_with_the_literature() {
    let folder = Folder::new();
    assert!(folder.succeed("reproduce --list").lines().count() >= 16);
    assert!(folder.succeed("reproduce chain").contains("pass"));
    let json = folder.json("reproduce chain --json");
    assert_eq!(json[0]["name"], "chain");
    let rows = json[0]["rows"].as_array().expect("rows");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["passes"] == true), "{json}");
}
