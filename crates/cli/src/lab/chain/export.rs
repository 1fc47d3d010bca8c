//! A run as one HTML file with its styles, scripts and numbers, which works offline.

use serde_json::Value;

const TEMPLATE: &str = include_str!("../page/export.html");
const STYLES: [&str; 2] = [include_str!("../page/style.css"), include_str!("../page/chain.css")];
const SCRIPTS: [&str; 2] = [include_str!("../page/common.js"), include_str!("../page/player.js")];

/// The page of a run.
pub fn page(run: &Value) -> String {
    let scripts: Vec<String> = SCRIPTS.iter().map(|script| without_modules(script)).collect();
    // The user's text comes last: nothing in it may be taken for a placeholder.
    TEMPLATE
        .replace("{{style}}", &STYLES.concat())
        .replace("{{theme}}", include_str!("../page/theme.js"))
        .replace("{{script}}", &scripts.concat())
        .replace("{{run}}", &in_script(run))
}

/// A module's text as part of a script: a local file cannot import modules.
fn without_modules(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.starts_with("import "));
    lines.map(|line| format!("{}\n", line.strip_prefix("export ").unwrap_or(line))).collect()
}

/// JSON that cannot close its script element.
fn in_script(run: &Value) -> String {
    run.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{page, without_modules};

    #[test]
    fn the_users_text_stays_text() {
        let run = json!({ "formula": "</script><script>alert(1)</script>{{run}}<!--" });
        let page = page(&run);
        assert!(
            page.contains(
                r#"{"formula":"\u003c/script>\u003cscript>alert(1)\u003c/script>{{run}}\u003c!--"}"#
            )
        );
        assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
        assert!(!page.contains("<!--"));
    }

    #[test]
    fn modules_become_one_script() {
        let module = "import { a } from \"./common.js\";\nexport function f() {}\nf();\n";
        assert_eq!(without_modules(module), "function f() {}\nf();\n");
    }
}
