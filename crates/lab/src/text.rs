//! Text for pages, pictures and CSV files.

/// Escapes `text` for XML and HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A printed number with a typographic minus sign.
pub(crate) fn minus(number: impl ToString) -> String {
    number.to_string().replace('-', "−")
}

/// A quoted CSV cell.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A CSV cell of a number; empty for `None`.
pub(crate) fn cell(number: Option<f64>) -> String {
    number.map_or(String::new(), |number| format!("{number:?}"))
}
