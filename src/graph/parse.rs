//! Formulas as text: `(w*x + b)^2` to a graph.
//!
//! Operators wait on a stack of our own until their right operand is complete (Dijkstra's shunting yard), so the depth
//! of a formula is bounded by memory and not by the call stack.

use std::fmt;

use super::op::FUNCTIONS;
use super::{Graph, NodeId, Op};

impl Graph {
    /// Reads a formula.
    ///
    /// - Numbers: `2`, `.5`, `6.02e23`. Names: letters of any script, digits and `_`; each name is one input.
    /// - From loose to tight: `+ -`, then `* /`, then the sign `-x`, then `^`, which groups from the right: `-x^2` is
    ///   `-(x^2)` and `2^3^2` is `2^(3^2)`. The signs `×`, `·`, `÷` and `−` are read too.
    /// - Functions: `exp ln sin cos sqrt tanh sigmoid relu square`, and `max(a, b)`, `min(a, b)`.
    /// - `^2` becomes the square node, and `-` before a number a negative number. Nothing else is rearranged or merged:
    ///   `x*x + x*x` has two product nodes.
    ///
    /// ```
    /// use geartrain::graph::Graph;
    ///
    /// assert_eq!(Graph::parse("-x^2")?.run(&[("x", 3.0)]), Ok(-9.0));
    ///
    /// let error = Graph::parse("2*(x + )").unwrap_err();
    /// assert_eq!(error.to_string(), "column 8: expected a number, a name or `(`, found `)`");
    /// assert_eq!(error.pointer(), "2*(x + )\n       ^");
    /// # Ok::<(), geartrain::graph::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// [`ParseError`], with the place in the formula.
    pub fn parse(formula: &str) -> Result<Self, ParseError> {
        Parser { formula, at: 0, graph: Graph::new(), waiting: Vec::new(), operands: Vec::new() }.run()
    }
}

/// Why and where a formula could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseError {
    kind: ParseErrorKind,
    offset: usize,
    column: usize,
    excerpt: String,
    caret: usize,
}

/// What is wrong with a formula. Text quoted from the formula is cut after 40 characters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// There is nothing but space.
    #[error("the formula is empty")]
    Empty,
    /// A value must stand here.
    #[error("expected a number, a name or `(`, found {}", quote(found.as_deref()))]
    ExpectedValue {
        /// What stands there; `None` at the end.
        found: Option<String>,
    },
    /// A value is complete, and something other than an operator follows.
    #[error("expected an operator, found {}{}", quote(Some(found)), hint(*starts_value))]
    ExpectedOperator {
        /// What stands there.
        found: String,
        /// Whether it starts another value, as in `2x`: a multiplication sign is missing.
        starts_value: bool,
    },
    /// `**` is not an operator here.
    #[error("write a power as `^`, not `**`")]
    DoubleStar,
    /// The number is beyond the range of f64.
    #[error("the number `{text}` is too large")]
    NumberTooLarge {
        /// The number as written.
        text: String,
    },
    /// No function has this name.
    #[error("unknown function `{name}`; known are {}", known_functions())]
    UnknownFunction {
        /// The name before the parenthesis.
        name: String,
    },
    /// A function's name stands without `(`.
    #[error("`{name}` is a function: write `{name}(…)`")]
    FunctionWithoutParenthesis {
        /// The function.
        name: &'static str,
    },
    /// A function has too few or too many arguments.
    #[error("`{name}` takes {expected} argument{}, got {got}", if *expected == 1 { "" } else { "s" })]
    ArgumentCount {
        /// The function.
        name: &'static str,
        /// How many it takes.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A `(` without its `)`.
    #[error("this `(` is never closed")]
    Unclosed,
    /// A `)` without its `(`.
    #[error("this `)` closes nothing")]
    Unopened,
    /// A `,` outside the arguments of a function.
    #[error("`,` separates the arguments of a function and cannot stand here; the decimal sign is a point")]
    StrayComma,
}

impl ParseError {
    /// What is wrong.
    pub fn kind(&self) -> &ParseErrorKind {
        &self.kind
    }

    /// Where it is wrong, in bytes from the start of the formula.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Where it is wrong, in characters; the first is 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The formula, and below it a caret under the character. Of a long formula only the surroundings.
    pub fn pointer(&self) -> String {
        format!("{}\n{}^", self.excerpt, " ".repeat(self.caret))
    }

    fn new(formula: &str, offset: usize, kind: ParseErrorKind) -> Self {
        const AROUND: usize = 36;
        let before = formula[..offset].chars().count();
        let skipped = before.saturating_sub(AROUND);
        let mut excerpt = String::from(if skipped > 0 { "…" } else { "" });
        let mut rest = formula.chars().skip(skipped);
        // A line break or a tab would put the caret elsewhere, a control character anything.
        excerpt.extend(rest.by_ref().take(2 * AROUND).map(|c| if c.is_control() { ' ' } else { c }));
        if rest.next().is_some() {
            excerpt.push('…');
        }
        let caret = before - skipped + usize::from(skipped > 0);
        Self { kind, offset, column: before + 1, excerpt, caret }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.kind)
    }
}

impl std::error::Error for ParseError {}

fn quote(found: Option<&str>) -> String {
    found.map_or_else(|| "the end of the formula".to_owned(), |text| format!("`{text}`"))
}

fn hint(starts_value: bool) -> &'static str {
    if starts_value { " (a product needs its `*`)" } else { "" }
}

fn known_functions() -> String {
    FUNCTIONS.map(Op::symbol).join(", ")
}

/// What waits for the operand at its right, or for its `)`.
enum Waiting {
    Binary(Op),
    Negate,
    /// `(`, with its offset and, if it belongs to a function, the function and its arguments so far.
    Open {
        offset: usize,
        function: Option<Op>,
        commas: usize,
    },
}

impl Waiting {
    fn tightness(&self) -> u8 {
        match self {
            Waiting::Open { .. } => 0,
            Waiting::Binary(op) => tightness(*op),
            Waiting::Negate => 3,
        }
    }
}

fn tightness(binary: Op) -> u8 {
    match binary {
        Op::Add | Op::Sub => 1,
        Op::Mul | Op::Div => 2,
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
            return Err(self.error(0, ParseErrorKind::Empty));
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

    /// Reads signs and opening parentheses up to one number or name.
    fn value(&mut self) -> Result<(), ParseError> {
        loop {
            let start = self.at_token();
            match self.peek() {
                Some('(') => self.open(start, None),
                Some('-' | '−') => {
                    self.advance();
                    self.waiting.push(Waiting::Negate);
                }
                Some('+') => self.advance(),
                Some(c) if c.is_ascii_digit() || c == '.' => return self.number(start),
                Some(c) if is_name_start(c) => {
                    let name = self.take_while(is_name_part);
                    let function = FUNCTIONS.into_iter().find(|op| op.symbol() == name);
                    match (function, self.peek()) {
                        (Some(_), Some('(')) => self.open(start, function),
                        (Some(op), _) => {
                            let name = op.symbol();
                            return Err(
                                self.error(start, ParseErrorKind::FunctionWithoutParenthesis { name })
                            );
                        }
                        (None, Some('(')) => {
                            let name = shorten(name);
                            return Err(self.error(start, ParseErrorKind::UnknownFunction { name }));
                        }
                        (None, _) => {
                            let input = self.graph.input(name);
                            self.operands.push(input);
                            return Ok(());
                        }
                    }
                }
                other => {
                    // `f()` is not a missing value but a missing argument.
                    let empty_call = match (other, self.waiting.last()) {
                        (Some(')'), Some(Waiting::Open { function: Some(op), commas: 0, .. })) => Some(*op),
                        _ => None,
                    };
                    if let Some(op) = empty_call {
                        return Err(self.error(start, argument_count(op, 0)));
                    }
                    let found = other.map(String::from);
                    return Err(self.error(start, ParseErrorKind::ExpectedValue { found }));
                }
            }
        }
    }

    fn open(&mut self, offset: usize, function: Option<Op>) {
        self.at_token();
        self.advance();
        self.waiting.push(Waiting::Open { offset, function, commas: 0 });
    }

    /// Reads closing parentheses up to one operator or comma; false at the end of the formula.
    fn operator(&mut self) -> Result<bool, ParseError> {
        loop {
            let start = self.at_token();
            let op = match self.peek() {
                None => {
                    self.reduce(1);
                    return match self.waiting.last() {
                        Some(&Waiting::Open { offset, .. }) => {
                            // The offset is that of the function's name; the parenthesis follows it.
                            let parenthesis = self.formula[offset..].find('(').unwrap_or(0);
                            Err(self.error(offset + parenthesis, ParseErrorKind::Unclosed))
                        }
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
                    match self.waiting.last_mut() {
                        Some(Waiting::Open { function: Some(_), commas, .. }) => {
                            *commas += 1;
                            return Ok(true);
                        }
                        _ => return Err(self.error(start, ParseErrorKind::StrayComma)),
                    }
                }
                Some('+') => Op::Add,
                Some('-' | '−') => Op::Sub,
                Some('*' | '×' | '·') => Op::Mul,
                Some('/' | '÷') => Op::Div,
                Some('^') => Op::Pow,
                Some(c) => {
                    let starts_value = c == '(' || c.is_ascii_digit() || is_name_start(c);
                    let found =
                        if is_name_start(c) { shorten(self.take_while(is_name_part)) } else { c.to_string() };
                    return Err(self.error(start, ParseErrorKind::ExpectedOperator { found, starts_value }));
                }
            };
            self.advance();
            if self.formula[start..].starts_with("**") {
                return Err(self.error(start, ParseErrorKind::DoubleStar));
            }
            // What binds as tightly goes first, except that powers group from the right.
            self.reduce(if op == Op::Pow { tightness(op) + 1 } else { tightness(op) });
            self.waiting.push(Waiting::Binary(op));
            return Ok(true);
        }
    }

    fn close(&mut self, at: usize) -> Result<(), ParseError> {
        self.reduce(1);
        match self.waiting.pop() {
            Some(Waiting::Open { function: Some(op), commas, .. }) => {
                if commas + 1 != op.arity() {
                    return Err(self.error(at, argument_count(op, commas + 1)));
                }
                let b = self.pop_operand();
                let a = if op.arity() == 2 { self.pop_operand() } else { b };
                let node = self.graph.operation(op, a, b);
                self.operands.push(node);
                Ok(())
            }
            Some(Waiting::Open { function: None, .. }) => Ok(()),
            _ => Err(self.error(at, ParseErrorKind::Unopened)),
        }
    }

    /// Builds the nodes of all waiting operators that bind at least so tightly.
    fn reduce(&mut self, tightness: u8) {
        while let Some(top) = self.waiting.last()
            && top.tightness() >= tightness
        {
            let top = self.waiting.pop();
            let b = self.pop_operand();
            let node = match top {
                Some(Waiting::Binary(op)) => {
                    let a = self.pop_operand();
                    if op == Op::Pow && self.graph.constant_value(b) == Some(2.0) {
                        self.graph.drop_last_constant(b);
                        self.graph.square(a)
                    } else {
                        self.graph.operation(op, a, b)
                    }
                }
                _ => match self.graph.constant_value(b) {
                    Some(number) => {
                        self.graph.drop_last_constant(b);
                        self.graph.constant(-number)
                    }
                    None => self.graph.neg(b),
                },
            };
            self.operands.push(node);
        }
    }

    fn number(&mut self, start: usize) -> Result<(), ParseError> {
        self.take_while(|c| c.is_ascii_digit());
        if self.next_is('.') {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        let mantissa_end = self.at;
        if self.next_is('e') || self.next_is('E') {
            self.at += 1;
            if self.next_is('+') || self.next_is('-') {
                self.at += 1;
            }
            // `2exp(x)` is a number and a name, not a broken exponent.
            if self.take_while(|c| c.is_ascii_digit()).is_empty() {
                self.at = mantissa_end;
            }
        }
        let text = &self.formula[start..self.at];
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                let constant = self.graph.constant(number);
                self.operands.push(constant);
                Ok(())
            }
            Ok(_) => Err(self.error(start, ParseErrorKind::NumberTooLarge { text: shorten(text) })),
            // Only a point without digits is left.
            Err(_) => {
                let found = Some(shorten(text));
                Err(self.error(start, ParseErrorKind::ExpectedValue { found }))
            }
        }
    }

    fn pop_operand(&mut self) -> NodeId {
        self.operands.pop().expect("each operator is read after the value at its left")
    }

    /// Skips space and returns where the next token starts.
    fn at_token(&mut self) -> usize {
        self.take_while(char::is_whitespace);
        self.at
    }

    fn peek(&mut self) -> Option<char> {
        let start = self.at_token();
        self.formula[start..].chars().next()
    }

    fn next_is(&self, c: char) -> bool {
        self.formula[self.at..].starts_with(c)
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

    fn error(&self, offset: usize, kind: ParseErrorKind) -> ParseError {
        ParseError::new(self.formula, offset, kind)
    }
}

fn argument_count(op: Op, got: usize) -> ParseErrorKind {
    ParseErrorKind::ArgumentCount { name: op.symbol(), expected: op.arity(), got }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut short: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
