//! `geartrain graph`: the chain rule for a formula, step by step.

use std::fmt::Write as _;
use std::path::PathBuf;

use geartrain::graph::{Gradients, Graph, Operations, Trace};
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Outcome};
use crate::lab::number;
use crate::output;

/// Show the chain rule for a formula: forward pass, local derivatives, backward pass
///
/// Compares reverse mode, forward mode and central differences, and counts their operations.
#[derive(Debug, clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Operators + - * / ^, functions exp ln sin cos sqrt tanh sigmoid relu square max(a, b) min(a, b).
Put -- before a formula that begins with a minus sign.
Without arguments the formula is (w*x+b)^2 with w=2 x=3 b=1.
In JSON, NaN and infinities are the strings \"NaN\", \"inf\" and \"-inf\"."
)]
pub struct Options {
    /// The formula, such as "(w*x+b)^2"
    formula: Option<String>,

    /// A value for each input, such as w=2
    #[arg(value_name = "NAME=VALUE", value_parser = assignment)]
    inputs: Vec<(String, f64)>,

    /// The step h of the central differences
    #[arg(long, value_name = "H", default_value_t = 1e-5)]
    step: f64,

    /// Draw the graph, as SVG
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    svg: Option<PathBuf>,

    /// Write the graph for Graphviz
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    dot: Option<PathBuf>,

    /// Print one JSON object: value, nodes, trace, gradients three ways, operation counts
    #[arg(long, help_heading = "Results")]
    json: bool,
}

fn assignment(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let number = value.trim().parse().map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name.trim().to_owned(), number))
}

/// The same gradients, computed in three ways.
struct ThreeWays {
    reverse: Gradients,
    forward: Gradients,
    central: Gradients,
}

pub fn run(options: &Options) -> Outcome {
    output::check_writable(options.svg.iter().chain(&options.dot).map(PathBuf::as_path), [])?;
    let (formula, inputs) = match &options.formula {
        Some(formula) => (formula.as_str(), options.inputs.clone()),
        None => ("(w*x+b)^2", [("w", 2.0), ("x", 3.0), ("b", 1.0)].map(owned).to_vec()),
    };
    let mut graph = Graph::parse(formula)
        .map_err(|error| Failure::option(format!("{error}\n\n{}", indent(&error.pointer))))?;
    for (name, value) in &inputs {
        graph.set(name, *value).map_err(Failure::option)?;
    }
    let value = graph
        .forward()
        .map_err(|error| Failure::option(format!("{error}; write NAME=VALUE after the formula")))?;
    let ways = ThreeWays {
        reverse: graph.backward().map_err(Failure::other)?,
        forward: graph.gradients_forward_mode().map_err(Failure::other)?,
        central: graph.central_difference(options.step).map_err(Failure::option)?,
    };
    let trace = graph.trace().map_err(Failure::other)?;
    if options.json {
        output::print(&format!("{:#}\n", to_json(formula, value, &trace, &ways, graph.operation_count())))?;
    } else {
        let mut text = format!("f = {formula}\n\n{trace}\n");
        write_gradients(&mut text, &ways, options.step)?;
        write_counts(&mut text, &ways, graph.operation_count())?;
        output::print(&text)?;
    }
    if let Some(path) = &options.svg {
        output::write(path, graph.to_svg().map_err(Failure::other)?)?;
    }
    if let Some(path) = &options.dot {
        output::write(path, graph.to_dot())?;
    }
    Ok(())
}

fn owned((name, value): (&str, f64)) -> (String, f64) {
    (name.to_owned(), value)
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn write_gradients(text: &mut String, ways: &ThreeWays, step: f64) -> std::fmt::Result {
    writeln!(text, "Gradients three ways (central differences with h = {step:e})")?;
    // Longer names move their row; `format!` panics for widths above 65,535.
    let width = ways.reverse.iter().map(|(name, _)| name.chars().count().min(60)).max().unwrap_or(0);
    writeln!(
        text,
        "  {:width$}  {:>20}  {:>20}  {:>20}",
        "", "reverse mode", "forward mode", "central difference"
    )?;
    for (((name, reverse), (_, forward)), (_, central)) in
        ways.reverse.iter().zip(ways.forward.iter()).zip(ways.central.iter())
    {
        writeln!(text, "  {name:width$}  {reverse:>20}  {forward:>20}  {central:>20}")?;
    }
    ways.central.warnings().iter().try_for_each(|warning| writeln!(text, "  Note: {warning}."))
}

fn write_counts(text: &mut String, ways: &ThreeWays, forward_pass: u64) -> std::fmt::Result {
    writeln!(text, "\nElementary operations")?;
    let inputs = ways.reverse.iter().len();
    let rows = [
        ("forward pass", forward_pass, String::new()),
        ("reverse mode", ways.reverse.operations().total(), "1 sweep for all inputs".to_owned()),
        (
            "forward mode",
            ways.forward.operations().total(),
            format!("{inputs} pass{}, one for each input", if inputs == 1 { "" } else { "es" }),
        ),
        ("central differences", ways.central.operations().total(), format!("{} evaluations", 2 * inputs)),
    ];
    for (name, count, remark) in rows {
        writeln!(text, "{}", format!("  {name:<20} {count:>8}  {remark}").trim_end())?;
    }
    Ok(())
}

fn to_json(formula: &str, value: f64, trace: &Trace, ways: &ThreeWays, forward_pass: u64) -> Value {
    let gradient_of = |node: &str| {
        let row = trace.backward.iter().find(|row| row.node == node);
        row.map_or(Value::Null, |row| number(row.gradient))
    };
    let nodes: Vec<Value> = trace
        .forward
        .iter()
        .map(|row| {
            json!({
                "name": row.node, "operation": row.operation, "operands": row.operands,
                "value": number(row.value), "gradient": gradient_of(&row.node),
            })
        })
        .collect();
    let forward: Vec<Value> = trace
        .forward
        .iter()
        .map(|row| json!({ "node": row.node, "operation": row.operation, "value": number(row.value) }))
        .collect();
    let edges: Vec<Value> = trace
        .edges
        .iter()
        .map(|row| {
            json!({
                "from": row.from, "to": row.to, "local_derivative": row.symbol,
                "formula": row.formula, "value": number(row.value),
            })
        })
        .collect();
    let backward: Vec<Value> = trace
        .backward
        .iter()
        .map(|row| {
            let contributions: Vec<Value> = row
                .contributions
                .iter()
                .map(|c| {
                    json!({
                        "from": c.from, "incoming": number(c.incoming), "local": number(c.local),
                        "contribution": number(c.contribution),
                    })
                })
                .collect();
            json!({ "node": row.node, "contributions": contributions, "gradient": number(row.gradient) })
        })
        .collect();
    json!({
        "formula": formula,
        "value": number(value),
        "nodes": nodes,
        "trace": { "forward": forward, "edges": edges, "backward": backward },
        "gradients": {
            "reverse": by_input(&ways.reverse),
            "forward": by_input(&ways.forward),
            "central_difference": by_input(&ways.central),
        },
        "operations": {
            "forward_pass": forward_pass,
            "reverse": operations(ways.reverse.operations()),
            "forward": operations(ways.forward.operations()),
            "central_difference": operations(ways.central.operations()),
        },
        "warnings": ways.central.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "not_finite": trace.non_finite.as_ref().map(ToString::to_string),
    })
}

fn by_input(gradients: &Gradients) -> Value {
    Value::Object(gradients.iter().map(|(name, x)| (name.to_owned(), number(x))).collect::<Map<_, _>>())
}

fn operations(counts: Operations) -> Value {
    json!({
        "values": counts.values, "local_derivatives": counts.local_derivatives,
        "multiplications": counts.multiplications, "additions": counts.additions, "total": counts.total(),
    })
}
