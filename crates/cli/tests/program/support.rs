//! Runs the program in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A temporary folder in which commands run.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writable");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("readable");
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
    }

    /// The program with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_geartrain"));
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    /// Runs the program with arguments that are separated by spaces; `'…'` groups.
    pub fn run(&self, arguments: &str) -> Output {
        let mut split = Vec::new();
        for (i, part) in arguments.split('\'').enumerate() {
            if i % 2 == 1 { split.push(part) } else { split.extend(part.split_whitespace()) }
        }
        self.command(&split).output().expect("the program starts")
    }

    /// Runs a command that must succeed, and returns stdout.
    pub fn succeed(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
        stdout(&output).to_owned()
    }

    /// The one JSON value on stdout.
    pub fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.succeed(arguments)).expect("one JSON value and nothing else")
    }
}

/// The path of a data set of this repository.
pub fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(name);
    path.canonicalize().expect("part of the repository").display().to_string()
}

pub fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("UTF-8")
}

pub fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("UTF-8")
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// Every tag that opens is closed, in order.
pub fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().expect("a tag has a name");
        match (tag.starts_with('/'), tag.ends_with('/') || tag.starts_with('?')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, true) => {}
            (false, false) => open.push(name),
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
}
