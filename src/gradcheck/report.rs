//! The result of a check, as data and as text.

use std::fmt;

/// One entry of a gradient, both ways.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The tensor: a parameter's name, `input`, or the name of a graph's input.
    pub name: String,
    /// The index in that tensor; empty for the input of a graph.
    pub index: Vec<usize>,
    /// The derivative by the code under test.
    pub analytic: f64,
    /// The central difference.
    pub numeric: f64,
    /// The absolute difference of the two relative to the larger of them, or to the tensor's
    /// largest numeric gradient where both are small in comparison.
    pub relative_error: f64,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { name, index, analytic, numeric, relative_error } = self;
        write!(f, "`{name}`")?;
        if !index.is_empty() {
            write!(f, " {index:?}")?;
        }
        write!(f, ": analytic {analytic:.9e}, numeric {numeric:.9e}, ")?;
        write!(f, "relative error {relative_error:.1e}")
    }
}

/// One property that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The property.
    pub name: &'static str,
    /// Whether it holds.
    pub passed: bool,
    /// The evidence, or the failure.
    pub detail: String,
    /// The entry with the largest relative error, where entries were compared.
    pub worst: Option<Entry>,
}

impl Check {
    pub(super) fn new(name: &'static str, passed: bool, detail: impl Into<String>) -> Self {
        Check { name, passed, detail: detail.into(), worst: None }
    }
}

/// Everything that a gradient check found. `{}` prints one line per property.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The properties, in the order of the checks.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether every property holds.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// The properties that do not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed)
    }

    /// The entry with the largest relative error among all that were compared.
    pub fn worst(&self) -> Option<&Entry> {
        let entries = self.checks.iter().filter_map(|check| check.worst.as_ref());
        entries.max_by(|a, b| a.relative_error.total_cmp(&b.relative_error))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
        for Check { name, passed, detail, worst } in &self.checks {
            let verdict = if *passed { "ok  " } else { "FAIL" };
            write!(f, "{verdict}  {name:width$}  {detail}")?;
            match worst {
                Some(entry) => writeln!(f, "; worst {entry}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
