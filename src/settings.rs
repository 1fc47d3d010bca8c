//! Settings of losses, optimizers and schedules as data.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The name of a loss, optimizer or schedule, with everything that it was built with.
///
/// Checkpoints store settings as JSON, and training resumes only where they are equal.
///
/// ```
/// use geartrain::settings::Settings;
/// #[derive(serde::Serialize)]
/// struct Decay {
///     rate: f64,
/// }
/// let settings = Settings::new("Decay", &Decay { rate: 0.5 });
/// assert_eq!(settings.to_string(), r#"{"Decay":{"rate":0.5}}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(Value);

impl Settings {
    /// A name, and the fields of `values`. A value without fields leaves the name alone.
    ///
    /// # Panics
    /// If `values` is no JSON, such as a map whose keys are not strings.
    pub fn new(name: &str, values: &impl Serialize) -> Self {
        match serde_json::to_value(values).expect("fields that JSON can hold") {
            Value::Null => Settings(Value::from(name)),
            values => Settings(json!({ name: values })),
        }
    }

    /// The name alone, also of the `Debug` texts of version 1.
    pub(crate) fn name(&self) -> &str {
        match &self.0 {
            Value::Object(fields) => fields.keys().next().map_or("", String::as_str),
            Value::String(text) => text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or(""),
            _ => "",
        }
    }

    /// The `Debug` text, for types that do not implement `Serialize`.
    pub fn from_debug(value: &(impl fmt::Debug + ?Sized)) -> Self {
        Settings(Value::from(format!("{value:?}")))
    }
}

impl From<String> for Settings {
    fn from(text: String) -> Self {
        Settings(Value::String(text))
    }
}

/// JSON, or the text itself if that is all.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(text) => f.write_str(text),
            value => write!(f, "{value}"),
        }
    }
}
