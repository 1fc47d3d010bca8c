//! The elementary operations: the value and the local derivatives of each.

use crate::text::brief;

/// The operation of a node on its operands.
///
/// Below, `a` and `b` are the operands and `y` is the value, as in [`Op::value`] and [`Op::slope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A number set by the caller. It may change between passes.
    Input,
    /// A number fixed when the graph is built. It has no gradient.
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
    ReLU,
    /// `y` is the larger of `a` and `b`
    Max,
    /// `y` is the smaller of `a` and `b`
    Min,
}

/// The operations that a formula writes as `name(…)`.
pub(super) const FUNCTIONS: [Op; 11] = {
    use Op::*;
    [Exp, Ln, Sin, Cos, Sqrt, Tanh, Sigmoid, ReLU, Square, Max, Min]
};

impl Op {
    /// Number of operands: 0 for inputs and constants, otherwise 1 or 2.
    pub fn arity(self) -> usize {
        match self {
            Op::Input | Op::Constant => 0,
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Max | Op::Min => 2,
            _ => 1,
        }
    }

    /// The sign or name of the operation, as the trace and the drawing write it.
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
            Op::ReLU => "relu",
            Op::Max => "max",
            Op::Min => "min",
        }
    }

    /// The value `y` of the operation; operations with one operand ignore `b`.
    ///
    /// Outside its domain an operation follows IEEE 754: `ln(0) = −∞`, `1/0 = ∞`, `(−1)^0.5 = NaN`.
    /// A NaN operand gives NaN, for relu, max and min as well.
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
            Op::ReLU if a <= 0.0 => 0.0,
            Op::ReLU => a,
            Op::Max if a >= b || a.is_nan() => a,
            Op::Min if a <= b || a.is_nan() => a,
            Op::Max | Op::Min => b,
        }
    }

    /// The local derivative of `y` with respect to operand 0 (`a`) or operand 1 (`b`).
    ///
    /// At a kink, where no derivative exists, the conventions are those of PyTorch: `relu'(0) = 0`;
    /// `max` and `min` of equal operands give half to each.
    #[inline]
    pub fn slope(self, operand: usize, a: f64, b: f64, y: f64) -> f64 {
        match (self, operand) {
            (Op::Input | Op::Constant, _) => 0.0,
            // (a + b)' = a' + b'
            (Op::Add, _) => 1.0,
            // (a − b)' = a' − b'
            (Op::Sub, 0) => 1.0,
            (Op::Sub, _) => -1.0,
            // (a·b)' = a'·b + a·b': the other factor
            (Op::Mul, 0) => b,
            (Op::Mul, _) => a,
            // (a·b⁻¹)' = a'/b − a·b'/b²
            (Op::Div, 0) => 1.0 / b,
            (Op::Div, _) => -y / b,
            // d/da a^b = b·a^(b−1); a^0 = 1 is flat everywhere, also at a = 0 where a^(−1) is
            // infinite
            (Op::Pow, 0) if b == 0.0 => 0.0,
            (Op::Pow, 0) => b * a.powf(b - 1.0),
            // d/db exp(b·ln a) = a^b·ln a; 0^b = 0 is flat for b > 0, where 0·ln 0 would be NaN
            (Op::Pow, _) if a == 0.0 && b >= 0.0 => 0.0,
            (Op::Pow, _) => y * a.ln(),
            (Op::Neg, _) => -1.0,
            // (a·a)' = a'·a + a·a'
            (Op::Square, _) => 2.0 * a,
            // exp is its own derivative
            (Op::Exp, _) => y,
            // a = exp(y), so da/dy = a and dy/da = 1/a
            (Op::Ln, _) => 1.0 / a,
            (Op::Sin, _) => a.cos(),
            (Op::Cos, _) => -a.sin(),
            // a = y², so da/dy = 2y
            (Op::Sqrt, _) => 0.5 / y,
            // (sinh/cosh)' = 1 − tanh², factored to avoid cancellation near ±1
            (Op::Tanh, _) => (1.0 - y) * (1.0 + y),
            // y' = e^(−a) / (1 + e^(−a))² = y·(1 − y)
            (Op::Sigmoid, _) => y * (1.0 - y),
            (Op::ReLU, _) => f64::from(a > 0.0),
            (Op::Max, 0) | (Op::Min, 1..) => winner(a - b),
            (Op::Max, _) | (Op::Min, 0) => winner(b - a),
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

    /// The formula of [`Op::slope`] on named operands, such as `2·v`; `exponent` is `b` if that is
    /// a constant.
    pub(super) fn slope_expression(
        self,
        operand: usize,
        [a, b, y]: [&str; 3],
        exponent: Option<f64>,
    ) -> String {
        let (a, b) = (atom(a), atom(b));
        match (self, operand) {
            (Op::Input | Op::Constant, _) => "0".to_owned(),
            (Op::Add, _) | (Op::Sub, 0) => "1".to_owned(),
            (Op::Sub | Op::Neg, _) => "-1".to_owned(),
            (Op::Mul, 0) => b,
            (Op::Mul, _) => a,
            (Op::Div, 0) => format!("1/{b}"),
            (Op::Div, _) => format!("-{a}/{b}²"),
            (Op::Pow, 0) => match exponent {
                Some(3.0) => format!("3·{a}²"),
                Some(c) => format!("{b}·{a}^{}", atom(&brief(c - 1.0, 6))),
                None => format!("{b}·{a}^({b} - 1)"),
            },
            (Op::Pow, _) => format!("{y}·ln({a})"),
            (Op::Square, _) => format!("2·{a}"),
            (Op::Exp, _) => y.to_owned(),
            (Op::Ln, _) => format!("1/{a}"),
            (Op::Sin, _) => format!("cos({a})"),
            (Op::Cos, _) => format!("-sin({a})"),
            (Op::Sqrt, _) => format!("1/(2·{y})"),
            (Op::Tanh, _) => format!("1 - {y}²"),
            (Op::Sigmoid, _) => format!("{y}·(1 - {y})"),
            (Op::ReLU, _) => format!("[{a} > 0]"),
            (Op::Max, 0) => format!("[{a} > {b}]"),
            (Op::Max, _) => format!("[{b} > {a}]"),
            (Op::Min, 0) => format!("[{a} < {b}]"),
            (Op::Min, _) => format!("[{b} < {a}]"),
        }
    }
}

/// The logistic function. Each form is used where its exponential cannot overflow.
fn sigmoid(a: f64) -> f64 {
    let e = (-a.abs()).exp();
    (if a >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

/// The whole slope to the winner, half to each at a tie; NaN stays NaN.
fn winner(lead: f64) -> f64 {
    if lead == 0.0 { 0.5 } else { 0.5 + 0.5 * lead.signum() }
}

/// Parentheses around a negative number, so that `2·(-3)` does not read `2·-3`.
pub(super) fn atom(name: &str) -> String {
    if name.starts_with('-') { format!("({name})") } else { name.to_owned() }
}
