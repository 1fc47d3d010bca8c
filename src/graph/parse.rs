//! The parser of formulas: `(w*x + b)^2` to a graph.
//!
//! Dijkstra's shunting yard algorithm: operators wait on an explicit stack until their right
//! operand is complete, so the nesting depth is limited by memory and not by the call stack.

use super::op::FUNCTIONS;
use super::{Graph, NodeId, Op};
use crate::text::shorten;

impl Graph {
    /// Parses a formula.
    ///
    /// - Numbers: `2`, `.5`, `6.02e23`. Names: letters of any script, digits and `_`; each name is
    ///   one input.
    /// - Precedence, from low to high: `+ -`, then `* /`, then the sign `-x`, then `^`. `^` is
    ///   right associative: `-x^2` is `-(x^2)` and `2^3^2` is `2^(3^2)`. `×`, `·`, `÷` and `−` are
    ///   operators as well.
    /// - Superscripts are integer powers: `x²` is `x^2`, `(a + b)⁻¹` is `(a + b)^-1`.
    /// - Functions: `exp ln sin cos sqrt tanh sigmoid relu square`, and `max(a, b)`, `min(a, b)`.
    /// - `^2` becomes a square node, and `-` before a number a negative constant. Nothing else is
    ///   simplified: `x*x + x*x` has two product nodes.
    ///
    /// ```
    /// use geartrain::graph::Graph;
    ///
    /// assert_eq!(Graph::parse("-x^2")?.run(&[("x", 3.0)]), Ok(-9.0));
    ///
    /// let error = Graph::parse("2*(x + )").unwrap_err();
    /// assert_eq!(error.to_string(), "column 8: expected a number, a name or `(`, found `)`");
    /// assert_eq!(error.pointer, "2*(x + )\n       ^");
    /// # Ok::<(), geartrain::graph::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// [`ParseError`], with the position in the formula.
    pub fn parse(formula: &str) -> Result<Self, ParseError> {
        Parser { formula, at: 0, graph: Graph::new(), waiting: vec![], operands: vec![] }.run()
    }
}

/// An error in a formula, with its position.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("column {column}: {kind}")]
#[non_exhaustive]
pub struct ParseError {
    /// The kind of the error.
    pub kind: ParseErrorKind,
    /// The position, in bytes from the start of the formula.
    pub offset: usize,
    /// The position, in characters; the first is 1.
    pub column: usize,
    /// The formula and, on a second line, a caret under the character. A long formula is cut around
    /// it.
    pub pointer: String,
}

/// The kinds of errors in formulas. Quoted text is cut after 40 characters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The formula is empty or white space.
    #[error("the formula is empty")]
    Empty,
    /// A value is missing.
    #[error("expected a number, a name or `(`, found {}", quote(.0.as_deref()))]
    ///
    /// Contains the text in its place; `None` at the end.
    ExpectedValue(Option<String>),
    /// A value is followed by something other than an operator.
    #[error("expected an operator, found `{found}`{}", if *starts_value { " (a product needs its `*`)" } else { "" })]
    ExpectedOperator {
        /// The text in its place.
        found: String,
        /// Whether the text starts another value, as in `2x`: a multiplication sign is missing.
        starts_value: bool,
    },
    /// `**` is not an operator.
    #[error("write a power as `^`, not `**`")]
    DoubleStar,
    /// The number exceeds the range of f64.
    #[error("the number `{0}` is too large")]
    NumberTooLarge(String),
    /// No function has this name.
    #[error("unknown function `{0}`; the functions are {functions}", functions = FUNCTIONS.map(Op::symbol).join(", "))]
    UnknownFunction(String),
    /// The name of a function is not followed by `(`.
    #[error("`{0}` is a function: write `{0}(…)`")]
    FunctionWithoutParenthesis(&'static str),
    /// A function has too few or too many arguments.
    #[error("`{name}` takes {expected} argument{}, got {got}", if *expected == 1 { "" } else { "s" })]
    ArgumentCount {
        /// The function.
        name: &'static str,
        /// The number of arguments of the function.
        expected: usize,
        /// The number of arguments in the formula.
        got: usize,
    },
    /// A `(` without a matching `)`.
    #[error("this `(` has no matching `)`")]
    Unclosed,
    /// A `)` without a matching `(`.
    #[error("this `)` has no matching `(`")]
    Unopened,
    /// A `,` outside the arguments of a function.
    #[error("`,` only separates the arguments of max and min; the decimal separator is a point")]
    StrayComma,
}

impl ParseError {
    fn new(formula: &str, offset: usize, kind: ParseErrorKind) -> Self {
        const AROUND: usize = 36;
        let before = formula[..offset].chars().count();
        let skipped = before.saturating_sub(AROUND);
        let mut pointer = String::from(if skipped > 0 { "…" } else { "" });
        let caret = before - skipped + pointer.chars().count();
        let mut rest = formula.chars().skip(skipped);
        // A line break or a tab would displace the caret.
        pointer.extend(rest.by_ref().take(2 * AROUND).map(|c| if c.is_control() { ' ' } else { c }));
        pointer += if rest.next().is_some() { "…" } else { "" };
        pointer += &format!("\n{}^", " ".repeat(caret));
        Self { kind, offset, column: before + 1, pointer }
    }
}

use ParseErrorKind as Kind;

fn quote(found: Option<&str>) -> String {
    found.map_or_else(|| "the end of the formula".to_owned(), |text| format!("`{text}`"))
}

/// An operator or parenthesis that waits for its right operand or its `)`.
enum Waiting {
    Operator(Op),
    /// `(` at this offset; for a call, the function and the number of commas so far.
    Open {
        offset: usize,
        function: Option<Op>,
        commas: usize,
    },
}

fn precedence(operator: Op) -> u8 {
    match operator {
        Op::Add | Op::Sub => 1,
        Op::Mul | Op::Div => 2,
        Op::Neg => 3,
        _ => 4,
    }
}

struct Parser<'f> {
    formula: &'f str,
    /// Bytes read so far.
    at: usize,
    graph: Graph,
    waiting: Vec<Waiting>,
    operands: Vec<NodeId>,
}

impl<'f> Parser<'f> {
    fn run(mut self) -> Result<Graph, ParseError> {
        if self.peek().is_none() {
            return self.fail(0, Kind::Empty);
        }
        loop {
            self.value()?;
            if !self.operator()? {
                break;
            }
        }
        let output = self.pop_operand();
        self.graph.output(output).expect("the node was made by this graph");
        self.graph.formula = Some(self.formula.trim().to_owned());
        Ok(self.graph)
    }

    /// Reads signs and opening parentheses, then one number or name.
    fn value(&mut self) -> Result<(), ParseError> {
        loop {
            let next = self.peek();
            let start = self.at;
            match next {
                Some('(') => self.open(None),
                Some('-' | '−') => {
                    self.advance();
                    self.waiting.push(Waiting::Operator(Op::Neg));
                }
                Some('+') => self.advance(),
                Some(c) if c.is_ascii_digit() || c == '.' => return self.number(),
                Some(c) if is_name_start(c) => {
                    let name = self.take_while(is_name_part);
                    let function = FUNCTIONS.into_iter().find(|op| op.symbol() == name);
                    let call = self.peek() == Some('(');
                    match function {
                        Some(_) if call => self.open(function),
                        Some(op) => return self.fail(start, Kind::FunctionWithoutParenthesis(op.symbol())),
                        None if call => {
                            return self.fail(start, Kind::UnknownFunction(shorten(name, LONGEST)));
                        }
                        None => {
                            self.operands.push(self.graph.input(name));
                            return Ok(());
                        }
                    }
                }
                _ => {
                    // `f()` is not a missing value but a missing argument.
                    if let (Some(')'), Some(&Waiting::Open { function: Some(op), commas: 0, .. })) =
                        (next, self.waiting.last())
                    {
                        return self.fail(start, argument_count(op, 0));
                    }
                    return self.fail(start, Kind::ExpectedValue(next.map(String::from)));
                }
            }
        }
    }

    fn open(&mut self, function: Option<Op>) {
        self.waiting.push(Waiting::Open { offset: self.at, function, commas: 0 });
        self.advance();
    }

    /// Reads superscripts and closing parentheses, then one operator or comma; false at the end of
    /// the formula.
    fn operator(&mut self) -> Result<bool, ParseError> {
        loop {
            self.superscript()?;
            let next = self.peek();
            let start = self.at;
            let op = match next {
                None => {
                    self.reduce(1);
                    return match self.waiting.last() {
                        Some(&Waiting::Open { offset, .. }) => self.fail(offset, Kind::Unclosed),
                        _ => Ok(false),
                    };
                }
                Some(')') => {
                    self.advance();
                    self.close(start)?;
                    continue;
                }
                Some(',') => {
                    self.advance();
                    self.reduce(1);
                    let Some(Waiting::Open { function: Some(_), commas, .. }) = self.waiting.last_mut()
                    else {
                        return self.fail(start, Kind::StrayComma);
                    };
                    *commas += 1;
                    return Ok(true);
                }
                Some('+') => Op::Add,
                Some('-' | '−') => Op::Sub,
                Some('*' | '×' | '·') => Op::Mul,
                Some('/' | '÷') => Op::Div,
                Some('^') => Op::Pow,
                Some(c) => {
                    let starts_value = c == '(' || c.is_ascii_digit() || is_name_start(c);
                    let name = if is_name_start(c) { self.take_while(is_name_part) } else { "" };
                    let found = if name.is_empty() { c.to_string() } else { shorten(name, LONGEST) };
                    return self.fail(start, Kind::ExpectedOperator { found, starts_value });
                }
            };
            self.advance();
            if self.formula[start..].starts_with("**") {
                return self.fail(start, Kind::DoubleStar);
            }
            // Left associative, except for powers.
            self.reduce(precedence(op) + u8::from(op == Op::Pow));
            self.waiting.push(Waiting::Operator(op));
            return Ok(true);
        }
    }

    /// Reads the superscript of a value, if it has one: `²`, `⁻¹`.
    fn superscript(&mut self) -> Result<(), ParseError> {
        self.peek();
        let start = self.at;
        let text = self.take_while(|c| superscript(c).is_some());
        if text.is_empty() {
            return Ok(());
        }
        let exponent: String = text.chars().filter_map(superscript).collect();
        self.constant(start, &exponent)?;
        self.apply(Op::Pow);
        Ok(())
    }

    fn close(&mut self, at: usize) -> Result<(), ParseError> {
        self.reduce(1);
        match self.waiting.pop() {
            Some(Waiting::Open { function: Some(op), commas, .. }) if commas + 1 != op.arity() => {
                self.fail(at, argument_count(op, commas + 1))
            }
            Some(Waiting::Open { function: Some(op), .. }) => {
                let arguments = self.operands.split_off(self.operands.len() - op.arity());
                self.operands.push(self.graph.operation(op, &arguments));
                Ok(())
            }
            Some(Waiting::Open { function: None, .. }) => Ok(()),
            _ => self.fail(at, Kind::Unopened),
        }
    }

    /// Builds the nodes of all waiting operators with at least this precedence.
    fn reduce(&mut self, least: u8) {
        while let Some(&Waiting::Operator(op)) = self.waiting.last()
            && precedence(op) >= least
        {
            self.waiting.pop();
            self.apply(op);
        }
    }

    /// Replaces the last operands by an operation on them.
    fn apply(&mut self, op: Op) {
        let b = self.pop_operand();
        let constant = self.graph.constant_value(b);
        let node = match (op, constant) {
            (Op::Neg, Some(number)) => {
                self.graph.drop_last_constant(b);
                self.graph.constant(-number)
            }
            (Op::Neg, None) => self.graph.neg(b),
            (Op::Pow, Some(2.0)) => {
                self.graph.drop_last_constant(b);
                let a = self.pop_operand();
                self.graph.square(a)
            }
            _ => {
                let a = self.pop_operand();
                self.graph.operation(op, &[a, b])
            }
        };
        self.operands.push(node);
    }

    fn number(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let digits = |at: usize| self.formula[at..].bytes().take_while(u8::is_ascii_digit).count();
        let mut end = start + digits(start);
        if self.formula[end..].starts_with('.') {
            end += 1 + digits(end + 1);
        }
        if self.formula[end..].starts_with(['e', 'E']) {
            let sign = usize::from(self.formula[end + 1..].starts_with(['+', '-']));
            let exponent = digits(end + 1 + sign);
            // `2exp(x)` is a number and a name, not a number with an incomplete exponent.
            end += if exponent > 0 { 1 + sign + exponent } else { 0 };
        }
        self.at = end;
        self.constant(start, &self.formula[start..end])
    }

    /// Appends the number `text`, which the formula writes from `start` to here.
    fn constant(&mut self, start: usize, text: &str) -> Result<(), ParseError> {
        let written = shorten(&self.formula[start..self.at], LONGEST);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.operands.push(self.graph.constant(number));
                Ok(())
            }
            Ok(_) => self.fail(start, Kind::NumberTooLarge(written)),
            // A point without digits, or a superscript sign without or behind digits.
            Err(_) => self.fail(start, Kind::ExpectedValue(Some(written))),
        }
    }

    fn pop_operand(&mut self) -> NodeId {
        self.operands.pop().expect("each operator is read after the value on its left")
    }

    /// Skips white space; the next character.
    fn peek(&mut self) -> Option<char> {
        self.take_while(char::is_whitespace);
        self.formula[self.at..].chars().next()
    }

    fn advance(&mut self) {
        self.at += self.formula[self.at..].chars().next().map_or(0, char::len_utf8);
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'f str {
        let rest = &self.formula[self.at..];
        let taken = &rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    fn fail<T>(&self, offset: usize, kind: Kind) -> Result<T, ParseError> {
        Err(ParseError::new(self.formula, offset, kind))
    }
}

/// Quoted text is cut after this many characters.
const LONGEST: usize = 40;

fn argument_count(op: Op, got: usize) -> Kind {
    Kind::ArgumentCount { name: op.symbol(), expected: op.arity(), got }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name_part(c: char) -> bool {
    (c.is_alphanumeric() || c == '_') && superscript(c).is_none()
}

/// The ASCII character that a superscript stands for.
fn superscript(c: char) -> Option<char> {
    let digit = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻".chars().position(|superscript| superscript == c)?;
    "0123456789-".chars().nth(digit)
}
