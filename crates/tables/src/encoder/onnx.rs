//! The encoding as operations of ONNX.

use geartrain::io::{OnnxAttribute, OnnxConstant, OnnxGraph, OnnxType};

use super::category::{CategoryCode, Slot};
use super::number::NumberCode;
use super::{Code, Encoder};
use crate::ColumnType;
use crate::table::date::Part;

const FLOAT: i64 = 1;

impl Encoder {
    /// Adds one input per column, and the operations that encode them; returns the name of the
    /// encoded rows, an `f32` matrix.
    pub(crate) fn onnx(&self, graph: &mut OnnxGraph) -> String {
        let mut encoded = Vec::new();
        for column in &self.columns {
            match &column.code {
                Code::Number(number) => {
                    let x = graph.input(&column.name, OnnxType::F64, 1);
                    number.onnx(graph, &x, number.indicator, &mut encoded);
                }
                Code::Date(parts) => {
                    let days = graph.input(&column.name, OnnxType::F64, 1);
                    let mut calendar = None;
                    let indicated = parts.iter().any(|(_, number)| number.indicator);
                    for (part, number) in parts {
                        let x = date_part(graph, &days, *part, &mut calendar);
                        number.onnx(graph, &x, indicated, &mut encoded);
                    }
                }
                Code::Category(category) => {
                    let x = graph.input(&column.name, OnnxType::Text, 1);
                    encoded.push(category.onnx(graph, &x, column.column_type));
                }
            }
        }
        let encoded: Vec<&str> = encoded.iter().map(String::as_str).collect();
        graph.node("Concat", &encoded, vec![("axis", OnnxAttribute::Integer(1))])
    }
}

/// A row of numbers as a constant.
fn row(graph: &mut OnnxGraph, values: Vec<f64>) -> String {
    graph.constant(&[1, values.len()], OnnxConstant::F64(values))
}

/// A number as a constant.
fn number(graph: &mut OnnxGraph, value: f64) -> String {
    graph.constant(&[], OnnxConstant::F64(vec![value]))
}

fn to_f32(graph: &mut OnnxGraph, value: &str) -> String {
    graph.node("Cast", &[value], vec![("to", OnnxAttribute::Integer(FLOAT))])
}

impl NumberCode {
    /// The operations of [`encode`](NumberCode::encode), in `f64` as there, with one matrix each
    /// for the value, the bins and the indicator. Without an indicator, of this code or of another
    /// part of the date, the centre fills gaps.
    fn onnx(&self, graph: &mut OnnxGraph, x: &str, indicated: bool, encoded: &mut Vec<String>) {
        let missing = graph.node("IsNaN", &[x], vec![]);
        if self.is_constant() {
            // No bins either.
            if self.indicator {
                encoded.push(to_f32(graph, &missing));
            }
            return;
        }
        let filled = (!indicated).then(|| {
            let center = number(graph, self.center);
            graph.node("Where", &[&missing, &center, x], vec![])
        });
        let x = filled.as_deref().unwrap_or(x);
        let zero = number(graph, 0.0);
        // The halves of `half_difference`.
        let half = number(graph, 0.5);
        let half = graph.node("Mul", &[x, &half], vec![]);
        let center = number(graph, 0.5 * self.center);
        let scale = number(graph, self.half_scale);
        let limits = [-1e9, 1e9].map(|limit| number(graph, limit));
        let z = graph.node("Sub", &[&half, &center], vec![]);
        let z = graph.node("Div", &[&z, &scale], vec![]);
        let mut value = graph.node("Clip", &[&z, &limits[0], &limits[1]], vec![]);
        if let Some(limit) = self.scaling.limit() {
            let (limit, one) = (number(graph, limit), number(graph, 1.0));
            let part = graph.node("Div", &[&value, &limit], vec![]);
            let square = graph.node("Mul", &[&part, &part], vec![]);
            let sum = graph.node("Add", &[&square, &one], vec![]);
            let root = graph.node("Sqrt", &[&sum], vec![]);
            value = graph.node("Div", &[&value, &root], vec![]);
        }
        if indicated {
            value = graph.node("Where", &[&missing, &zero, &value], vec![]);
        }
        encoded.push(to_f32(graph, &value));
        if self.edges.len() > 1 {
            let low = row(graph, self.edges.windows(2).map(|edges| 0.5 * edges[0]).collect());
            let width = |edges: &[f64]| 0.5 * edges[1] - 0.5 * edges[0];
            let width = row(graph, self.edges.windows(2).map(width).collect());
            let one = number(graph, 1.0);
            let above = graph.node("Sub", &[&half, &low], vec![]);
            let part = graph.node("Div", &[&above, &width], vec![]);
            let mut part = graph.node("Clip", &[&part, &zero, &one], vec![]);
            if indicated {
                part = graph.node("Where", &[&missing, &zero, &part], vec![]);
            }
            encoded.push(to_f32(graph, &part));
        }
        if self.indicator {
            encoded.push(to_f32(graph, &missing));
        }
    }
}

impl CategoryCode {
    /// Texts to slots, and slots to columns. A missing cell is an empty text.
    fn onnx(&self, graph: &mut OnnxGraph, x: &str, column_type: ColumnType) -> String {
        let (mut keys, mut slots) = (Vec::new(), Vec::new());
        for (slot, kind) in self.slots.iter().enumerate() {
            let texts = match kind {
                Slot::Level(level) if column_type == ColumnType::YesNo => words(level),
                Slot::Level(level) => vec![level.clone()],
                Slot::Missing => vec![String::new()],
                Slot::Rare => vec![],
            };
            slots.extend(texts.iter().map(|_| slot as i64));
            keys.extend(texts);
        }
        let rare = self.slots.iter().position(|slot| *slot == Slot::Rare);
        let keys = ("keys_strings", OnnxAttribute::Texts(keys));
        if self.slots.len() == 2 {
            let sign = |slot: i64| if slot == 0 { -1.0 } else { 1.0 };
            let values = OnnxAttribute::Floats(slots.into_iter().map(sign).collect());
            let default = OnnxAttribute::Float(rare.map_or(0.0, |slot| sign(slot as i64)));
            let attributes = vec![keys, ("values_floats", values), ("default_float", default)];
            return graph.node("ai.onnx.ml.LabelEncoder", &[x], attributes);
        }
        let default = OnnxAttribute::Integer(rare.map_or(-1, |slot| slot as i64));
        let attributes =
            vec![keys, ("values_int64s", OnnxAttribute::Integers(slots)), ("default_int64", default)];
        let slot = graph.node("ai.onnx.ml.LabelEncoder", &[x], attributes);
        let all = OnnxConstant::I64((0..self.slots.len() as i64).collect());
        let all = graph.constant(&[1, self.slots.len()], all);
        let equal = graph.node("Equal", &[&slot, &all], vec![]);
        to_f32(graph, &equal)
    }
}

/// Every spelling of `yes` or `no` that [`yes_no`](crate::table::yes_no) reads.
fn words(level: &str) -> Vec<String> {
    let words = if level == "yes" { ["yes", "y", "true", "t"] } else { ["no", "n", "false", "f"] };
    let spellings = |word: &'static str| {
        (0..1_u32 << word.len()).map(move |upper| {
            let letter = |(i, letter): (usize, char)| match upper >> i & 1 {
                0 => letter,
                _ => letter.to_ascii_uppercase(),
            };
            word.chars().enumerate().map(letter).collect()
        })
    };
    words.into_iter().flat_map(spellings).collect()
}

/// The operations of [`Part::of`] on days since 1970-01-01. Month and day of month are in
/// `calendar` once one of them is there.
fn date_part(
    graph: &mut OnnxGraph,
    days: &str,
    part: Part,
    calendar: &mut Option<(String, String)>,
) -> String {
    let mut graph = Arithmetic(graph);
    match part {
        Part::Day => days.into(),
        Part::Month => calendar.get_or_insert_with(|| month_and_day(&mut graph, days)).0.clone(),
        Part::DayOfMonth => calendar.get_or_insert_with(|| month_and_day(&mut graph, days)).1.clone(),
        Part::Weekday => {
            // 1970-01-01 was a Thursday: 1 + (days + 3) mod 7
            let whole = graph.of("Floor", days);
            let from_monday = graph.with("Add", &whole, 3.0);
            let weeks = graph.whole_quotient(&from_monday, 7.0);
            let rest = graph.minus_times(&from_monday, &weeks, 7.0);
            graph.with("Add", &rest, 1.0)
        }
        Part::Hour => {
            let whole = graph.of("Floor", days);
            let fraction = graph.0.node("Sub", &[days, &whole], vec![]);
            let seconds = graph.with("Mul", &fraction, 86_400.0);
            // Half away from 0, as `f64::round`, of a number of at least 0.
            let half = graph.with("Add", &seconds, 0.5);
            let seconds = graph.of("Floor", &half);
            graph.with("Div", &seconds, 3600.0)
        }
    }
}

/// Month and day of month of a day number in the Gregorian calendar (Hinnant, *chrono-compatible
/// low-level date algorithms*), with years from March to February.
fn month_and_day(graph: &mut Arithmetic<'_>, days: &str) -> (String, String) {
    let whole = graph.of("Floor", days);
    let shifted = graph.with("Add", &whole, 719_468.0);
    let era = graph.whole_quotient(&shifted, 146_097.0);
    let day_of_era = graph.minus_times(&shifted, &era, 146_097.0);
    // (d − d/1460 + d/36524 − d/146096) / 365
    let [leap, century, last] = [1460.0, 36_524.0, 146_096.0].map(|n| graph.whole_quotient(&day_of_era, n));
    let without = graph.0.node("Sub", &[&day_of_era, &leap], vec![]);
    let without = graph.0.node("Add", &[&without, &century], vec![]);
    let without = graph.0.node("Sub", &[&without, &last], vec![]);
    let year = graph.whole_quotient(&without, 365.0);
    // d − (365 y + y/4 − y/100)
    let [fours, centuries] = [4.0, 100.0].map(|n| graph.whole_quotient(&year, n));
    let day_of_year = graph.minus_times(&day_of_era, &year, 365.0);
    let day_of_year = graph.0.node("Sub", &[&day_of_year, &fours], vec![]);
    let day_of_year = graph.0.node("Add", &[&day_of_year, &centuries], vec![]);
    // m = (5 d + 2) / 153, day = d − (153 m + 2) / 5 + 1
    let five = graph.with("Mul", &day_of_year, 5.0);
    let five = graph.with("Add", &five, 2.0);
    let from_march = graph.whole_quotient(&five, 153.0);
    let before = graph.with("Mul", &from_march, 153.0);
    let before = graph.with("Add", &before, 2.0);
    let before = graph.whole_quotient(&before, 5.0);
    let day = graph.0.node("Sub", &[&day_of_year, &before], vec![]);
    let day = graph.with("Add", &day, 1.0);
    // March is month 0: m + 3, and from 10 on m − 9
    let years = graph.whole_quotient(&from_march, 10.0);
    let month = graph.with("Add", &from_march, 3.0);
    (graph.minus_times(&month, &years, 12.0), day)
}

/// Arithmetic in `f64`.
struct Arithmetic<'a>(&'a mut OnnxGraph);

impl Arithmetic<'_> {
    fn of(&mut self, operation: &str, x: &str) -> String {
        self.0.node(operation, &[x], vec![])
    }

    /// `x` and a number.
    fn with(&mut self, operation: &str, x: &str, value: f64) -> String {
        let value = number(self.0, value);
        self.0.node(operation, &[x, &value], vec![])
    }

    /// `⌊x / n⌋`
    fn whole_quotient(&mut self, x: &str, n: f64) -> String {
        let quotient = self.with("Div", x, n);
        self.of("Floor", &quotient)
    }

    /// `x − n y`
    fn minus_times(&mut self, x: &str, y: &str, n: f64) -> String {
        let product = self.with("Mul", y, n);
        self.0.node("Sub", &[x, &product], vec![])
    }
}
