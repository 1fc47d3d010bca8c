//! The elementary operations: each knows its value and its local derivatives, and nothing else.

/// What a node does with its operands.
///
/// Written `a` and `b` for the operands and `y` for the value, as in [`Op::value`] and [`Op::slope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A number from outside, which may change between passes.
    Input,
    /// A number fixed when the graph is built. No gradient flows into it.
    Constant,
    /// `y = a + b`
    Add,
    /// `y = a − b`
    Sub,
    /// `y = a · b`
    Mul,
    /// `y = a / b`
    Div,
    /// `y = a ^ b`
    Pow,
    /// `y = −a`
    Neg,
    /// `y = a²`
    Square,
    /// `y = exp(a)`
    Exp,
    /// `y = ln(a)`, the natural logarithm
    Ln,
    /// `y = sin(a)`, in radians
    Sin,
    /// `y = cos(a)`, in radians
    Cos,
    /// `y = √a`
    Sqrt,
    /// `y = tanh(a)`
    Tanh,
    /// `y = 1 / (1 + exp(−a))`
    Sigmoid,
    /// `y = max(a, 0)`
    Relu,
    /// `y` is the larger of `a` and `b`
    Max,
    /// `y` is the smaller of `a` and `b`
    Min,
}

/// The operations which a formula writes as `name(…)`.
pub(super) const FUNCTIONS: [Op; 11] = [
    Op::Exp,
    Op::Ln,
    Op::Sin,
    Op::Cos,
    Op::Sqrt,
    Op::Tanh,
    Op::Sigmoid,
    Op::Relu,
    Op::Square,
    Op::Max,
    Op::Min,
];

impl Op {
    /// How many operands: 0 for inputs and constants, else 1 or 2.
    pub fn arity(self) -> usize {
        match self {
            Op::Input | Op::Constant => 0,
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Max | Op::Min => 2,
            _ => 1,
        }
    }

    /// The sign or the name of the operation, as the trace and the drawing write it.
    pub fn symbol(self) -> &'static str {
        match self {
            Op::Input => "input",
            Op::Constant => "constant",
            Op::Add => "+",
            Op::Sub | Op::Neg => "-",
            Op::Mul => "×",
            Op::Div => "÷",
            Op::Pow => "^",
            Op::Square => "square",
            Op::Exp => "exp",
            Op::Ln => "ln",
            Op::Sin => "sin",
            Op::Cos => "cos",
            Op::Sqrt => "sqrt",
            Op::Tanh => "tanh",
            Op::Sigmoid => "sigmoid",
            Op::Relu => "relu",
            Op::Max => "max",
            Op::Min => "min",
        }
    }

    /// The value `y` from the operands; operations with one operand ignore `b`.
    ///
    /// Outside its domain an operation gives what IEEE 754 gives: `ln(0) = −∞`, `1/0 = ∞`, `(−1)^0.5 = NaN`. A NaN
    /// operand makes the value NaN, also for relu, max and min.
    #[inline]
    pub fn value(self, a: f64, b: f64) -> f64 {
        match self {
            Op::Input | Op::Constant => a,
            Op::Add => a + b,
            Op::Sub => a - b,
            Op::Mul => a * b,
            Op::Div => a / b,
            Op::Pow => a.powf(b),
            Op::Neg => -a,
            Op::Square => a * a,
            Op::Exp => a.exp(),
            Op::Ln => a.ln(),
            Op::Sin => a.sin(),
            Op::Cos => a.cos(),
            Op::Sqrt => a.sqrt(),
            Op::Tanh => a.tanh(),
            Op::Sigmoid => sigmoid(a),
            Op::Relu if a <= 0.0 => 0.0,
            Op::Relu => a,
            Op::Max if a >= b || a.is_nan() => a,
            Op::Max => b,
            Op::Min if a <= b || a.is_nan() => a,
            Op::Min => b,
        }
    }

    /// The local derivative of `y` with respect to operand 0 (`a`) or operand 1 (`b`).
    ///
    /// At a kink, where there is no derivative, the conventions are PyTorch's: `relu'(0) = 0`; `max` and `min` of equal
    /// operands give half to each.
    #[inline]
    pub fn slope(self, operand: usize, a: f64, b: f64, y: f64) -> f64 {
        let first = operand == 0;
        match self {
            // Nothing to differentiate.
            Op::Input | Op::Constant => 0.0,
            // (a + b)' = a' + b'
            Op::Add => 1.0,
            // (a − b)' = a' − b'
            Op::Sub => {
                if first {
                    1.0
                } else {
                    -1.0
                }
            }
            // (a·b)' = a'·b + a·b': the other factor
            Op::Mul => {
                if first {
                    b
                } else {
                    a
                }
            }
            // (a·b⁻¹)' = a'/b − a·b'/b²
            Op::Div => {
                if first {
                    1.0 / b
                } else {
                    -y / b
                }
            }
            // d/da a^b = b·a^(b−1); a^0 = 1 is flat everywhere, also at a = 0 where a^(−1) is not finite
            Op::Pow if first && b == 0.0 => 0.0,
            Op::Pow if first => b * a.powf(b - 1.0),
            // d/db exp(b·ln a) = a^b·ln a; 0^b = 0 is flat for b > 0, where 0·ln 0 would be NaN
            Op::Pow if a == 0.0 && b >= 0.0 => 0.0,
            Op::Pow => y * a.ln(),
            Op::Neg => -1.0,
            // (a·a)' = a' ·a + a·a'
            Op::Square => 2.0 * a,
            // exp is its own derivative
            Op::Exp => y,
            // a = exp(y), so da/dy = a and dy/da = 1/a
            Op::Ln => 1.0 / a,
            Op::Sin => a.cos(),
            Op::Cos => -a.sin(),
            // a = y², so da/dy = 2y
            Op::Sqrt => 0.5 / y,
            // (sinh/cosh)' = 1 − tanh², factored so that nothing cancels near ±1
            Op::Tanh => (1.0 - y) * (1.0 + y),
            // y' = e^(−a) / (1 + e^(−a))² = y·(1 − y)
            Op::Sigmoid => y * (1.0 - y),
            Op::Relu => {
                if a > 0.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Op::Max => winner(if first { a - b } else { b - a }),
            Op::Min => winner(if first { b - a } else { a - b }),
        }
    }

    /// The operation on named operands, such as `w × x` or `tanh(u)`.
    pub(super) fn expression(self, a: &str, b: &str) -> String {
        match self {
            Op::Input | Op::Constant => self.symbol().to_owned(),
            Op::Neg => format!("-{}", atom(a)),
            Op::Square => format!("{}²", atom(a)),
            Op::Max | Op::Min => format!("{}({a}, {b})", self.symbol()),
            _ if self.arity() == 2 => format!("{} {} {}", atom(a), self.symbol(), atom(b)),
            _ => format!("{}({a})", self.symbol()),
        }
    }

    /// The formula of [`Op::slope`] on named operands, such as `2·v`; `exponent` is `b` if that is a constant.
    pub(super) fn slope_expression(
        self,
        operand: usize,
        a: &str,
        b: &str,
        y: &str,
        exponent: Option<f64>,
    ) -> String {
        let first = operand == 0;
        let (a, b) = (atom(a), atom(b));
        match self {
            Op::Input | Op::Constant => "0".to_owned(),
            Op::Add => "1".to_owned(),
            Op::Sub if first => "1".to_owned(),
            Op::Sub | Op::Neg => "-1".to_owned(),
            Op::Mul => {
                if first {
                    b
                } else {
                    a
                }
            }
            Op::Div if first => format!("1/{b}"),
            Op::Div => format!("-{a}/{b}²"),
            Op::Pow if first => match exponent {
                Some(3.0) => format!("3·{a}²"),
                Some(c) => format!("{b}·{a}^{}", atom(&super::number::brief(c - 1.0, 6))),
                None => format!("{b}·{a}^({b} - 1)"),
            },
            Op::Pow => format!("{y}·ln({a})"),
            Op::Square => format!("2·{a}"),
            Op::Exp => y.to_owned(),
            Op::Ln => format!("1/{a}"),
            Op::Sin => format!("cos({a})"),
            Op::Cos => format!("-sin({a})"),
            Op::Sqrt => format!("1/(2·{y})"),
            Op::Tanh => format!("1 - {y}²"),
            Op::Sigmoid => format!("{y}·(1 - {y})"),
            Op::Relu => format!("[{a} > 0]"),
            Op::Max => {
                if first {
                    format!("[{a} > {b}]")
                } else {
                    format!("[{b} > {a}]")
                }
            }
            Op::Min => {
                if first {
                    format!("[{a} < {b}]")
                } else {
                    format!("[{b} < {a}]")
                }
            }
        }
    }
}

/// Both forms are the same function; each is used where its exponential cannot overflow.
fn sigmoid(a: f64) -> f64 {
    if a >= 0.0 {
        1.0 / (1.0 + (-a).exp())
    } else {
        let e = a.exp();
        e / (1.0 + e)
    }
}

/// The whole slope to the winner, half to each at a tie; NaN stays visible.
fn winner(lead: f64) -> f64 {
    if lead > 0.0 {
        1.0
    } else if lead < 0.0 {
        0.0
    } else if lead == 0.0 {
        0.5
    } else {
        f64::NAN
    }
}

/// Parentheses around a negative number, so that `2·(-3)` does not read `2·-3`.
fn atom(name: &str) -> String {
    if name.starts_with('-') { format!("({name})") } else { name.to_owned() }
}
