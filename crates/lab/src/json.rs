//! Just enough JSON to write numbers down.

use std::fmt;

/// A JSON value to be printed. Numbers that are not finite become `null`.
#[derive(Debug, Clone)]
pub(super) enum Json {
    Number(Option<f64>),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl From<f64> for Json {
    fn from(number: f64) -> Self {
        Json::Number(Some(number))
    }
}

impl From<Option<f64>> for Json {
    fn from(number: Option<f64>) -> Self {
        Json::Number(number)
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Json::Number(Some(number as f64))
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::Text(text.into())
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Json::List(items.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Number(Some(number)) if number.is_finite() => write!(f, "{number:?}"),
            Json::Number(_) => write!(f, "null"),
            Json::Text(text) => quote(f, text),
            Json::List(items) => {
                write!(f, "[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { "," } else { "" })?;
                }
                write!(f, "]")
            }
            Json::Object(fields) => {
                write!(f, "{{")?;
                for (i, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}\"{name}\":{value}", if i > 0 { "," } else { "" })?;
                }
                write!(f, "}}")
            }
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"")?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            c if c < ' ' => write!(f, "\\u{:04x}", c as u32)?,
            c => write!(f, "{c}")?,
        }
    }
    write!(f, "\"")
}
