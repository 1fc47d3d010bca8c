//! The scalar graph against wrong, hostile and random input.

use std::collections::HashSet;

use geartrain::graph::{Area, Error, Graph, Op, ParseError, ParseErrorKind, Quantity};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

fn value(formula: &str, inputs: &[(&str, f64)]) -> f64 {
    Graph::parse(formula).unwrap().run(inputs).unwrap()
}

fn parse_error(formula: &str) -> ParseError {
    Graph::parse(formula).unwrap_err()
}

// --- Formulas ------------------------------------------------------------------------------------

#[test]
fn operators_bind_as_in_mathematics() {
    for (formula, expected) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("10 - 4 - 3", 3.0),
        ("16 / 4 / 2", 2.0),
        ("-3^2", -9.0),
        ("(-3)^2", 9.0),
        ("2^-1", 0.5),
        ("2^-1*6", 3.0),
        ("2^3^2", 512.0),
        ("2^-2^2", 0.0625),
        ("-2^-2", -0.25),
        ("5 - -3", 8.0),
        ("5*-3", -15.0),
        ("--5", 5.0),
        ("+5", 5.0),
        ("1.5e2 + .5 + 2.", 152.5),
        ("2E-1", 0.2),
        ("6 ÷ 2 × 5 − 1 · 3", 12.0),
        ("max(1, min(7, 2 + 3)) - max(-1, -2)", 6.0),
        ("square(3) + sqrt(16) + relu(-5) + relu(5)", 18.0),
        ("exp(ln(3)) + sin(0) + cos(0) + tanh(0) + sigmoid(0)", 4.5),
        ("  \t( ( 7 ) )\n", 7.0),
    ] {
        assert!((value(formula, &[]) - expected).abs() < 1e-12, "{formula} = {}", value(formula, &[]));
    }
}

#[test]
fn superscripts_are_powers() {
    let at = [("w", 2.0), ("x", 3.0), ("b", 1.0)];
    for (formula, same) in [
        ("(w*x + b)²", "(w*x + b)^2"),
        ("x²", "x^2"),
        ("-x²", "-x^2"),
        ("2·x³ − w²·x¹⁰", "2*x^3 - w^2*x^10"),
        ("x⁻¹ + (x + b)⁻²", "x^-1 + (x + b)^-2"),
        ("2^x²", "2^(x^2)"),
        ("x²^w", "(x^2)^w"),
        ("3²", "3^2"),
        ("sin(x)²", "sin(x)^2"),
        ("x⁰", "x^0"),
        ("x ²", "x^2"),
    ] {
        let inputs =
            |graph: &Graph| at.map(|(n, v)| (n, v, graph.node(n).is_ok())).into_iter().filter(|i| i.2);
        let run = |formula: &str| {
            let mut graph = Graph::parse(formula).unwrap();
            let inputs: Vec<(&str, f64)> = inputs(&graph).map(|(name, value, _)| (name, value)).collect();
            graph.run(&inputs).unwrap();
            graph.backward().unwrap();
            graph.trace().unwrap()
        };
        let (superscript, caret) = (run(formula), run(same));
        assert_eq!(superscript.to_string(), caret.to_string(), "{formula}");
    }
    // The expressions that a trace prints for squares can be parsed.
    let mut graph = Graph::parse("(x + b)^2 + square(sin(x))").unwrap();
    graph.run(&at[1..]).unwrap();
    graph.backward().unwrap();
    for row in graph.trace().unwrap().forward.iter().filter(|row| row.operation != "input") {
        Graph::parse(&row.operation).unwrap();
    }
    for (formula, column) in [("x⁻", 2), ("x²⁻¹", 2), ("²", 1), ("x^²", 3), ("x² ³", 4), ("sin²(x)", 1)]
    {
        assert_eq!(parse_error(formula).column, column, "{formula}");
    }
    assert_eq!(
        parse_error(&format!("x{}", "⁹".repeat(400))).kind,
        ParseErrorKind::NumberTooLarge(format!("{}…", "⁹".repeat(40)),)
    );
}

#[test]
fn names_use_any_script_and_one_name_is_one_node() {
    assert_eq!(
        value("größe * x_1 + 重み + σ₂", &[("größe", 2.0), ("x_1", 3.0), ("重み", 4.0), ("σ₂", 5.0)]),
        15.0
    );
    let graph = Graph::parse("x*x + x").unwrap();
    assert_eq!(graph.input_names().collect::<Vec<_>>(), ["x"]);
    assert_eq!(graph.len(), 3);
    // Equal products are not merged.
    assert_eq!(Graph::parse("x*x + x*x").unwrap().len(), 4);
}

#[test]
fn errors_point_at_the_character() {
    use ParseErrorKind::*;
    let found = |text: &str| Some(text.to_owned());
    let name = |text: &str| text.to_owned();
    for (formula, column, kind) in [
        ("", 1, Empty),
        ("  \n ", 1, Empty),
        ("w*", 3, ExpectedValue(None)),
        ("w * ) + 1", 5, ExpectedValue(found(")"))),
        ("()", 2, ExpectedValue(found(")"))),
        ("* 2", 1, ExpectedValue(found("*"))),
        ("1 + .", 5, ExpectedValue(found("."))),
        ("größe + $", 9, ExpectedValue(found("$"))),
        ("2x", 2, ExpectedOperator { found: name("x"), starts_value: true }),
        ("(a)(b)", 4, ExpectedOperator { found: name("("), starts_value: true }),
        ("a = 3", 3, ExpectedOperator { found: name("="), starts_value: false }),
        ("x**2", 2, DoubleStar),
        ("1 + 1e999", 5, NumberTooLarge(name("1e999"))),
        ("1 + log(x)", 5, UnknownFunction(name("log"))),
        ("2 * exp + 1", 5, FunctionWithoutParenthesis("exp")),
        ("max(x)", 6, ArgumentCount { name: "max", expected: 2, got: 1 }),
        ("exp(x, y)", 9, ArgumentCount { name: "exp", expected: 1, got: 2 }),
        ("sin()", 5, ArgumentCount { name: "sin", expected: 1, got: 0 }),
        ("1 + (x + 2", 5, Unclosed),
        ("sin (x", 5, Unclosed),
        ("(x + 2))", 8, Unopened),
        ("1,5 + x", 2, StrayComma),
        ("max((1, 2))", 7, StrayComma),
    ] {
        let error = parse_error(formula);
        assert_eq!((error.column, &error.kind), (column, &kind), "{formula:?}");
        assert!(formula.is_char_boundary(error.offset));
        let pointer = error.pointer;
        assert_eq!(pointer.lines().count(), 2, "{pointer}");
        assert_eq!(pointer.lines().last().unwrap().chars().count(), column, "{pointer}");
    }
    let unknown = parse_error("log(x)").to_string();
    assert!(unknown.contains("ln") && unknown.contains("sigmoid"), "{unknown}");
}

#[test]
fn hostile_formulas_are_parsed_or_refused() {
    const LARGE: usize = 1_000_000;
    // Refused, with a message of readable length.
    for formula in [
        "(", "sin(", "max(1,", ")", "-", "x", "9", ".", "^", "2^", "x y ", "\u{0}", "é", "((((x^", "\u{202e}",
    ]
    .map(|part| part.repeat(LARGE / part.len()))
    {
        match Graph::parse(&formula) {
            // A million letters are one long name.
            Ok(graph) => assert!(graph.len() == 1),
            Err(error) => {
                assert!(error.to_string().len() < 300, "{error}");
                assert!(error.pointer.len() < 1000);
                assert!(!error.pointer.contains('\u{0}'));
            }
        }
    }
    // Read.
    let depth = LARGE / 4;
    let nested = format!("{}x{}", "sin(".repeat(depth), ")".repeat(depth));
    for (formula, nodes) in [
        (nested, depth + 1),
        (format!("{}x", "-".repeat(LARGE)), LARGE + 1),
        (format!("{}x{}", "(".repeat(LARGE), ")".repeat(LARGE)), 1),
        (format!("x{}", "+x".repeat(LARGE)), LARGE + 1),
        (format!("x{}", "^x".repeat(LARGE)), LARGE + 1),
    ] {
        let mut graph = Graph::parse(&formula).unwrap();
        assert_eq!(graph.len(), nodes);
        graph.run(&[("x", 1.0)]).unwrap();
        assert!(graph.backward().unwrap()["x"].is_finite());
        let expected = if nodes > 200 { Err(Error::TooLargeToDraw { nodes, limit: 200 }) } else { Ok(()) };
        assert_eq!(graph.to_svg().map(drop), expected);
    }
}

#[test]
fn random_bytes_never_panic_and_positions_lie_in_the_formula() {
    const ALPHABET: [&str; 24] = [
        "x", "y", "1", "2.5", "e", ".", "+", "-", "*", "/", "^", "(", ")", ",", " ", "sin", "max", "(", ")",
        "é", "∂", "1e", "\n", "max(",
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut good = 0;
    for _ in 0..50_000 {
        let length = 1 + rng.next_u32() as usize % 9;
        let formula: String =
            (0..length).map(|_| ALPHABET[rng.next_u32() as usize % ALPHABET.len()]).collect();
        match Graph::parse(&formula) {
            Ok(_) => good += 1,
            Err(error) => {
                assert!(formula.is_char_boundary(error.offset), "{formula:?}");
                assert_eq!(formula[..error.offset].chars().count() + 1, error.column);
            }
        }
    }
    assert!(good > 500, "{good}");
}

// --- Order of calls ------------------------------------------------------------------------------

#[test]
fn before_a_pass_values_and_gradients_are_errors() {
    let mut graph = Graph::parse("w*x").unwrap();
    assert_eq!(graph.value("w"), Err(Error::MissingInputs { names: vec!["w".to_owned()] }));
    assert_eq!(graph.value("f"), Err(Error::ForwardFirst));
    assert_eq!(graph.gradient("w"), Err(Error::ForwardFirst));
    assert_eq!(graph.backward(), Err(Error::ForwardFirst));
    assert_eq!(graph.tangent("w"), Err(Error::ForwardFirst));
    assert_eq!(graph.trace(), Err(Error::ForwardFirst));
    assert_eq!(graph.non_finite(), None);
    assert_eq!(graph.forward(), Err(Error::MissingInputs { names: vec!["w".to_owned(), "x".to_owned()] }));
    graph.set("w", 2.0).unwrap();
    assert_eq!(graph.value("w"), Ok(2.0));
    assert_eq!(graph.forward(), Err(Error::MissingInputs { names: vec!["x".to_owned()] }));
    graph.run(&[("x", 3.0)]).unwrap();
    assert_eq!(graph.gradient("w"), Err(Error::BackwardFirst));
    assert_eq!(graph.trace(), Err(Error::BackwardFirst));
    graph.backward().unwrap();
    // A new value invalidates the old results, a new pass the old gradients.
    graph.set("x", 4.0).unwrap();
    assert_eq!(graph.value("f"), Err(Error::ForwardFirst));
    assert_eq!(graph.gradient("w"), Err(Error::ForwardFirst));
    graph.forward().unwrap();
    assert_eq!(graph.gradient("w"), Err(Error::BackwardFirst));
}

#[test]
fn unknown_names_and_bad_steps_are_named() {
    let mut graph = Graph::parse("w*x").unwrap();
    let error = graph.set("y", 1.0).unwrap_err();
    assert_eq!(error.to_string(), "no input is named `y`; the inputs are `w`, `x`");
    // `f` is a node, but not an input.
    assert!(matches!(graph.set("f", 1.0), Err(Error::UnknownInput { .. })));
    assert_eq!(graph.value("q"), Err(Error::UnknownNode { name: "q".to_owned() }));
    assert_eq!(Graph::new().forward(), Err(Error::Empty));
    assert_eq!(Graph::new().backward(), Err(Error::Empty));
    graph.run(&[("w", 1.0), ("x", 1.0)]).unwrap();
    for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(graph.central_difference(step), Err(Error::Step { .. })));
    }
}

#[test]
fn a_node_of_another_graph_is_refused() {
    let mut one = Graph::new();
    let x = one.input("x");
    let mut two = Graph::new();
    two.input("x");
    assert_eq!(two.value(x), Err(Error::ForeignNode));
    assert_eq!(two.output(x), Err(Error::ForeignNode));
    // A clone shares the nodes it was made with, and not those made since.
    let mut clone = one.clone();
    let y = clone.neg(x);
    assert_eq!(one.op(y), Err(Error::ForeignNode));
    let panic = std::panic::catch_unwind(move || two.neg(x)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "an operand of `-` belongs to another graph");
}

#[test]
fn names_are_unique() {
    let mut graph = Graph::new();
    let x = graph.input("x");
    let a = graph.exp(x);
    let b = graph.sin(a);
    graph.name(a, "hidden").unwrap();
    assert_eq!(graph.name(b, "hidden"), Err(Error::NameTaken { name: "hidden".to_owned() }));
    assert_eq!(graph.name(b, "x"), Err(Error::NameTaken { name: "x".to_owned() }));
    assert_eq!(graph.node("hidden"), Ok(a));
    // An input takes the name; the node gets its automatic name back.
    let input = graph.input("hidden");
    assert_eq!(graph.node("hidden"), Ok(input));
    assert_ne!(graph.node("hidden"), Ok(a));
    // Automatic names skip names in use.
    let graph = Graph::parse("(u*f + v)^2 * 3").unwrap();
    assert_eq!(graph.node("f").and_then(|f| graph.op(f)), Ok(Op::Input));
    assert_eq!(graph.op("p"), Ok(Op::Mul));
    assert_eq!(graph.op("f1"), Ok(Op::Mul));
}

#[test]
fn a_node_off_the_paths_to_the_output_has_gradient_zero() {
    // u = ln(x) is −∞ at 0 with an infinite slope, but f does not depend on it.
    let mut graph = Graph::new();
    let x = graph.input("x");
    let before = graph.ln(x);
    let f = graph.sin(x);
    let after = graph.ln(x);
    graph.output(f).unwrap();
    graph.run(&[("x", 0.0)]).unwrap();
    let gradients = graph.backward().unwrap();
    assert_eq!(gradients["x"], 1.0);
    assert_eq!((graph.gradient(before), graph.gradient(after)), (Ok(0.0), Ok(0.0)));
    assert_eq!(graph.tangent("x"), Ok(1.0));
    // f does depend on √y, but that does not move with x.
    let mut graph = Graph::parse("x * sqrt(y)").unwrap();
    graph.run(&[("x", 3.0), ("y", 0.0)]).unwrap();
    assert_eq!((graph.backward().unwrap()["x"], graph.tangent("x").unwrap()), (0.0, 0.0));
    // An unused input.
    let mut graph = Graph::new();
    graph.input("unused");
    let x = graph.input("x");
    graph.square(x);
    graph.run(&[("x", 5.0), ("unused", f64::INFINITY)]).unwrap();
    assert_eq!(graph.backward().unwrap().iter().collect::<Vec<_>>(), [("unused", 0.0), ("x", 10.0)]);
    assert_eq!(graph.gradients_forward_mode().unwrap()["unused"], 0.0);
}

#[test]
fn constants_have_no_gradient_and_a_formula_of_constants_has_a_value() {
    let mut graph = Graph::parse("2*3 + 1").unwrap();
    assert_eq!(graph.forward(), Ok(7.0));
    assert_eq!(graph.backward().unwrap().iter().len(), 0);
    assert!(matches!(graph.gradient("f"), Err(Error::Constant { .. })));
    assert!(graph.to_svg().unwrap().contains("<title>"));
    let mut graph = Graph::parse("x").unwrap();
    graph.run(&[("x", 3.0)]).unwrap();
    assert_eq!(graph.backward().unwrap()["x"], 1.0);
    assert_eq!(graph.tangent("x"), Ok(1.0));
}

// --- Errors in backward passes, and extreme graphs -----------------------------------------------

#[test]
fn backward_twice_gives_the_same_gradients() {
    let mut graph = Graph::parse("x*x*x + sin(x)*x").unwrap();
    graph.run(&[("x", 1.7)]).unwrap();
    let first = graph.backward().unwrap();
    assert_eq!(graph.backward().unwrap(), first);
    graph.forward().unwrap();
    assert_eq!(graph.backward().unwrap(), first);
}

#[test]
fn the_first_number_that_is_not_finite_is_named() {
    for (formula, inputs, message) in [
        ("3 * ln(x) + 1", vec![("x", 0.0)], "u = ln(x) is -inf at x = 0"),
        ("1 / x + 1", vec![("x", 0.0)], "u = 1 ÷ x is inf at x = 0"),
        ("2 * x^y", vec![("x", -1.0), ("y", 0.5)], "u = x ^ y is NaN at x = -1, y = 0.5"),
        ("2 * (-1)^0.5 * x", vec![("x", 1.0)], "u = (-1) ^ 0.5 is NaN"),
        ("sqrt(x - 2)", vec![("x", 1.0)], "f = sqrt(u) is NaN at u = -1"),
        ("x + 1", vec![("x", f64::NAN)], "the input x is NaN"),
        ("sqrt(x) + 1", vec![("x", 0.0)], "∂u/∂x = 1/(2·u) is inf at x = 0"),
    ] {
        let mut graph = Graph::parse(formula).unwrap();
        graph.run(&inputs).unwrap();
        let _ = graph.backward().unwrap();
        assert_eq!(graph.non_finite().unwrap().to_string(), message, "{formula}");
        assert!(graph.trace().unwrap().to_string().contains(message), "{formula}");
        assert!(graph.central_difference(1e-5).is_ok());
        let svg = graph.to_svg().unwrap();
        assert!(svg.contains("NaN") || svg.contains("inf"), "{formula}");
    }
    // Finite values and slopes, and a product that is too large.
    let mut graph = Graph::parse("(x * 1e200) * 1e200").unwrap();
    graph.run(&[("x", 1e-200)]).unwrap();
    assert_eq!(graph.non_finite(), None);
    graph.backward().unwrap();
    let place = graph.non_finite().unwrap();
    assert_eq!((place.quantity, place.to_string().as_str()), (Quantity::Gradient, "df/dx is inf"));
}

/// x + 1, its negative, that + 1, …
fn chain(operations: usize) -> Graph {
    let mut graph = Graph::new();
    let mut node = graph.input("x");
    let one = graph.constant(1.0);
    for step in 0..operations {
        node = if step % 2 == 0 { graph.add(node, one) } else { graph.neg(node) };
    }
    graph.run(&[("x", 0.25)]).unwrap();
    graph
}

#[test]
fn a_chain_of_a_million_nodes_needs_no_recursion() {
    // On a small stack any recursion, also in drop, would overflow.
    let work = || {
        let mut graph = chain(1_000_000);
        assert_eq!(graph.value("f"), Ok(0.25));
        assert_eq!(graph.backward().unwrap()["x"], 1.0);
        assert_eq!(graph.tangent("x"), Ok(1.0));
        drop(graph);
        // Text takes longer.
        let mut graph = chain(50_000);
        graph.backward().unwrap();
        assert_eq!(graph.trace().unwrap().to_string().lines().count(), 5 + 50_001 + 50_000 + 50_001);
        assert_eq!(graph.to_dot().matches(" -> ").count(), 75_000);
    };
    std::thread::Builder::new().stack_size(128 * 1024).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_node_used_twice_sums_over_both_paths() {
    for (formula, x, expected) in
        [("x*x", 3.0, 6.0), ("x + x", 3.0, 2.0), ("x^x", 2.0, 4.0 * (2f64.ln() + 1.0))]
    {
        let mut graph = Graph::parse(formula).unwrap();
        graph.run(&[("x", x)]).unwrap();
        let reverse = graph.backward().unwrap()["x"];
        assert!((reverse - expected).abs() < 1e-14, "{formula}: {reverse}");
        assert!((graph.tangent("x").unwrap() - expected).abs() < 1e-14, "{formula}");
    }
}

/// Checks that tags are closed in order and that no `<` or `&` stands alone.
fn assert_well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    for (place, part) in xml.split('<').enumerate().filter(|(_, part)| !part.is_empty()) {
        assert!(place > 0, "text before the first tag");
        let (tag, text) = part.split_once('>').expect("a tag ends");
        for entity in text.split('&').skip(1).chain(tag.split('&').skip(1)) {
            let name = entity.split_once(';').expect("an entity ends").0;
            assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "{name}");
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        match (tag.strip_prefix('/'), tag.ends_with('/')) {
            (Some(name), _) => assert_eq!(open.pop(), Some(name)),
            (None, true) => {}
            (None, false) => open.push(tag.split([' ', '\n']).next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn names_are_escaped_in_pictures() {
    let name = "<script>alert(\"x\")</script>&amp;\n\u{1}\u{ffff}'\\";
    let mut graph = Graph::new();
    let x = graph.input(name);
    let y = graph.exp(x);
    graph.name(y, "a\"]; evil [label=\"").unwrap();
    graph.run(&[(name, 1.0)]).unwrap();
    graph.backward().unwrap();
    let svg = graph.to_svg().unwrap();
    assert_well_formed(&svg);
    assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script"));
    let dot = graph.to_dot();
    assert!(!dot.contains("<script") && !dot.contains("label=\"\"") && !dot.contains("a\"]"));
    assert!(dot.lines().count() == 3 + 2 + 1 + 1, "{dot}");
}

/// Runs both passes with all inputs at `value`.
fn run_at(formula: &str, value: f64) -> Graph {
    let mut graph = Graph::parse(formula).unwrap();
    let names: Vec<String> = graph.input_names().map(str::to_owned).collect();
    names.iter().for_each(|name| graph.set(name, value).unwrap());
    graph.forward().unwrap();
    graph.backward().unwrap();
    graph
}

#[test]
fn text_is_as_long_as_its_cells_however_long_they_are() {
    // Sums over many paths, long names and long numbers: a format width above 65,535 would panic,
    // and columns as wide as their widest cell would make the text quadratic.
    let terms = 100_000;
    let many = format!("x{}", "+x".repeat(terms));
    let long = "y".repeat(terms);
    for formula in [many, format!("{long} + {long}*2"), format!("max({long}, x)²")] {
        let graph = run_at(&formula, 1e-300);
        let (trace, dot) = (graph.trace().unwrap().to_string(), graph.to_dot());
        assert!(trace.len() < 100_000_000 && dot.len() < 100_000_000, "{} {}", trace.len(), dot.len());
        let _ = (graph.to_svg(), graph.drawing(), graph.non_finite());
        let differences = graph.central_difference(1e-5).unwrap();
        assert!(differences.warnings().iter().all(|warning| warning.to_string().len() < 300));
        assert!(!differences.to_string().is_empty());
    }
}

// --- Drawings ------------------------------------------------------------------------------------

#[test]
fn drawings_are_well_formed_and_show_the_numbers() {
    for formula in ["(w*x+b)^2", "x*x + sin(x)*x", "3", "x", "max(x, 2)^-2 / -x", "tanh(a*x+b*y+c) - relu(d)"]
    {
        let mut graph = Graph::parse(formula).unwrap();
        assert_well_formed(&graph.to_svg().unwrap());
        let names: Vec<String> = graph.input_names().map(str::to_owned).collect();
        for name in &names {
            graph.set(name, 1.5).unwrap();
        }
        graph.forward().unwrap();
        assert_well_formed(&graph.to_svg().unwrap());
        graph.backward().unwrap();
        let svg = graph.to_svg().unwrap();
        assert_well_formed(&svg);
        // One path per edge, and one for the tip of the arrows.
        let edges: usize = graph.nodes().map(|node| graph.operands(node).unwrap().len()).sum();
        assert_eq!(svg.matches("<path").count(), edges + 1, "{formula}");
        assert_eq!(graph.to_dot().matches(" -> ").count(), edges);
    }
}

#[test]
fn the_picture_in_the_documentation_is_what_the_code_draws() {
    let mut graph = Graph::parse("(w*x+b)^2").unwrap();
    graph.run(&[("w", 2.0), ("x", 3.0), ("b", 1.0)]).unwrap();
    graph.backward().unwrap();
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/graph.svg")).unwrap();
    assert_eq!(graph.to_svg().unwrap(), kept.replace("\r\n", "\n"));
}

#[test]
fn the_largest_drawing_is_drawn() {
    // Each input is used by one sum only, far to the right: the longest possible edges.
    let mut graph = Graph::new();
    let mut sum = graph.input("x0");
    for number in 1..Graph::LARGEST_DRAWING / 2 {
        let input = graph.input(&format!("x{number}"));
        sum = graph.add(sum, input);
    }
    assert_eq!(graph.len(), Graph::LARGEST_DRAWING - 1);
    assert_well_formed(&graph.to_svg().unwrap());
}

#[test]
fn positions_in_a_drawing_do_not_depend_on_numbers() {
    for formula in ["(w*x+b)^2", "x*x + sin(x)*x", "3", "max(x, 2)^-2 / -x", "a+b+c+d+e+g+h+i+j+k"] {
        let mut graph = Graph::parse(formula).unwrap();
        let drawing = graph.drawing().unwrap();
        let names: Vec<String> = graph.input_names().map(str::to_owned).collect();
        for name in &names {
            graph.set(name, -1.234e-200).unwrap();
        }
        graph.forward().unwrap();
        graph.backward().unwrap();
        assert_eq!(graph.drawing().unwrap(), drawing);

        assert!(drawing.nodes.iter().map(|node| node.id).eq(graph.nodes()), "{formula}");
        let areas: Vec<Area> = drawing.nodes.iter().map(|node| node.area).collect();
        let labels = drawing.edges.iter().map(|edge| edge.label).filter(|label| label.height > 0.0);
        let areas: Vec<Area> = areas.into_iter().chain(labels).collect();
        for (place, a) in areas.iter().enumerate() {
            let whole = drawing.area;
            assert!(2.0 * (a.x - whole.x).abs() + a.width <= whole.width + 1e-9, "{formula}");
            assert!(2.0 * (a.y - whole.y).abs() + a.height <= whole.height + 1e-9, "{formula}");
            let overlaps = |b: &Area| {
                2.0 * (a.x - b.x).abs() < a.width + b.width && 2.0 * (a.y - b.y).abs() < a.height + b.height
            };
            assert!(!areas[..place].iter().any(overlaps), "{formula}: {a:?}");
        }
        for edge in &drawing.edges {
            assert_eq!(graph.operands(edge.to).unwrap()[edge.operand], edge.from);
        }
    }
}

#[test]
fn empty_and_large_graphs_are_not_drawn() {
    assert_eq!(Graph::new().drawing(), Err(Error::Empty));
    let limit = Graph::LARGEST_DRAWING;
    let graph = Graph::parse(&format!("-{}x", "-".repeat(limit))).unwrap();
    assert_eq!(graph.drawing(), Err(Error::TooLargeToDraw { nodes: limit + 2, limit }));
}

// --- Derivatives ---------------------------------------------------------------------------------

#[test]
fn conventions_at_kinks_and_edges() {
    let gradient = |formula: &str, inputs: &[(&str, f64)]| -> Vec<f64> {
        let mut graph = Graph::parse(formula).unwrap();
        graph.run(inputs).unwrap();
        graph.backward().unwrap().iter().map(|(_, gradient)| gradient).collect()
    };
    assert_eq!(gradient("relu(x)", &[("x", 0.0)]), [0.0]);
    assert_eq!(gradient("max(x, y)", &[("x", 2.0), ("y", 2.0)]), [0.5, 0.5]);
    assert_eq!(gradient("min(x, y)", &[("x", 2.0), ("y", 2.0)]), [0.5, 0.5]);
    assert_eq!(gradient("max(x, y)", &[("x", 2.0), ("y", 3.0)]), [0.0, 1.0]);
    assert_eq!(gradient("min(x, y)", &[("x", 2.0), ("y", 3.0)]), [1.0, 0.0]);
    // A negative base with a constant exponent: ln(−2) must not be computed.
    assert_eq!(gradient("x^3", &[("x", -2.0)]), [12.0]);
    assert_eq!(gradient("x^(1 + 2)", &[("x", -2.0)]), [12.0]);
    assert_eq!(gradient("x^0", &[("x", 0.0)]), [0.0]);
    assert_eq!(gradient("x^1", &[("x", 0.0)]), [1.0]);
    assert_eq!(gradient("x^y", &[("x", 0.0), ("y", 2.0)]), [0.0, 0.0]);
    assert_eq!(gradient("x^2", &[("x", -3.0)]), [-6.0]);
    // Large arguments do not overflow.
    assert_eq!(gradient("sigmoid(x)", &[("x", -1000.0)]), [0.0]);
    assert_eq!(gradient("tanh(x)", &[("x", 1000.0)]), [0.0]);
    for formula in ["relu(x)", "max(x, 1)", "max(1, x)", "min(x, 1)", "min(1, x)"] {
        assert!(value(formula, &[("x", f64::NAN)]).is_nan(), "{formula}");
    }
}

/// A random formula within the domain of its operations.
fn random_formula(rng: &mut ChaCha8Rng, depth: u32) -> String {
    let choice = if depth == 0 { 0 } else { 1 + rng.next_u32() % 17 };
    let mut part = || random_formula(rng, depth - 1);
    match choice {
        0 => ["a", "b", "c", "d", "0.7", "-1.3"][rng.next_u32() as usize % 6].to_owned(),
        1 => format!("({} + {})", part(), part()),
        2 => format!("({} - {})", part(), part()),
        3 => format!("({} * {})", part(), part()),
        4 => format!("({} / (1.5 + sin({})))", part(), part()),
        5 => format!("(1.5 + cos({}))^tanh({})", part(), part()),
        6 => format!("tanh({})^3", part()),
        7 => format!("(-{})", part()),
        8 => format!("tanh({})^2", part()),
        9 => format!("exp(tanh({}))", part()),
        10 => format!("ln(1.5 + sin({}))", part()),
        11 => format!("sin({})", part()),
        12 => format!("cos({})", part()),
        13 => format!("sqrt(1.5 + cos({}))", part()),
        14 => format!("tanh({})", part()),
        15 => format!("sigmoid({})", part()),
        16 => format!("relu({})", part()),
        _ if rng.next_u32().is_multiple_of(2) => {
            format!("max({}, {})", random_formula(rng, depth - 1), random_formula(rng, depth - 1))
        }
        _ => format!("min({}, {})", random_formula(rng, depth - 1), random_formula(rng, depth - 1)),
    }
}

/// Whether some relu, max or min is so near its kink that a step of 1e-5 may cross it.
fn near_a_kink(graph: &Graph) -> bool {
    graph.nodes().any(|node| {
        let values: Vec<f64> =
            graph.operands(node).unwrap().iter().map(|&o| graph.value(o).unwrap()).collect();
        match graph.op(node).unwrap() {
            Op::ReLU => values[0].abs() < 1e-3,
            Op::Max | Op::Min => (values[0] - values[1]).abs() < 1e-3,
            _ => false,
        }
    })
}

#[test]
fn on_random_formulas_three_ways_give_the_same_gradients() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut seen = HashSet::new();
    let mut compared = 0;
    for _ in 0..2000 {
        let formula = random_formula(&mut rng, 4);
        let mut graph = Graph::parse(&formula).unwrap();
        let names: Vec<String> = graph.input_names().map(str::to_owned).collect();
        for name in &names {
            graph.set(name, f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0).unwrap();
        }
        graph.forward().unwrap();
        if near_a_kink(&graph) {
            continue;
        }
        seen.extend(graph.nodes().map(|node| graph.op(node).unwrap()));
        let reverse = graph.backward().unwrap();
        let forward = graph.gradients_forward_mode().unwrap();
        let central = graph.central_difference(1e-5).unwrap();
        assert_eq!(central.warnings(), [], "{formula}");
        for (name, gradient) in reverse.iter() {
            let scale = gradient.abs().max(1.0);
            assert!((gradient - forward[name]).abs() <= 1e-12 * scale, "{formula}, {name}");
            let difference = (gradient - central[name]).abs();
            assert!(difference <= 1e-6 * scale, "{formula}, {name}: {gradient} and {}", central[name]);
            compared += 1;
        }
    }
    assert_eq!(seen.len(), 19, "{seen:?}");
    assert!(compared > 2000, "{compared}");
}

#[test]
fn central_differences_follow_the_size_of_the_input() {
    for x in [0.0, 1e-3, -7.0, 1e9, 1e10, -1e12, 1e100] {
        let mut graph = Graph::parse("x^2").unwrap();
        graph.run(&[("x", x)]).unwrap();
        let exact = graph.backward().unwrap()["x"];
        let measured = graph.central_difference(1e-5).unwrap();
        assert!((measured["x"] - exact).abs() <= 1e-8 * exact.abs() + 1e-12, "{x}: {}", measured["x"]);
        assert_eq!(measured.warnings(), [], "{x}");
    }
}

#[test]
fn a_step_that_does_not_suit_the_function_is_reported() {
    for k in 9..=12 {
        let mut graph =
            Graph::parse(&format!("sin({}*x)", f64::from(1 << k) * std::f64::consts::PI)).unwrap();
        graph.run(&[("x", 0.3)]).unwrap();
        let exact = graph.backward().unwrap()["x"];
        for step in [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1] {
            let measured = graph.central_difference(step).unwrap();
            let off = (measured["x"] - exact).abs() / exact.abs();
            match measured.warnings() {
                [] => assert!(off < 1e-5, "k = {k}, step {step}: {off:e} off and no warning"),
                [warning] => {
                    let (better, slope) = warning.better.unwrap();
                    assert!(!warning.too_small && better < step && warning.step == step);
                    assert!((slope - exact).abs() < 3e-5 * exact.abs(), "k = {k}: {slope} for {exact}");
                }
                more => panic!("{more:?}"),
            }
        }
    }
    let mut graph = Graph::parse("exp(x) * y").unwrap();
    graph.run(&[("x", 1.0), ("y", 2.0)]).unwrap();
    let warnings = graph.central_difference(1e-14).unwrap().warnings().to_vec();
    assert!(warnings.iter().all(|warning| warning.too_small) && warnings[0].input == "x", "{warnings:?}");
    // At the edge of the domain no step suits; outside there is nothing to report.
    let mut graph = Graph::parse("sqrt(x)").unwrap();
    graph.run(&[("x", 0.0)]).unwrap();
    let message = graph.central_difference(1e-5).unwrap().warnings()[0].to_string();
    assert_eq!(message, "no step near 1e-5 suits `x` here: there is a jump, kink or edge");
    graph.run(&[("x", -1.0)]).unwrap();
    assert_eq!(graph.central_difference(1e-5).unwrap().warnings(), []);
}
