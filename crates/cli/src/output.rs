//! Output to a terminal, a pipe that may be closed, and files.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use geartrain::io::atomic;

use crate::failure::{Failure, Outcome};

/// Writes `text` to stdout. A closed pipe (`| head -1`) is not an error.
pub fn print(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to stderr; a closed stderr is not an error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes a file whole or not at all.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Outcome {
    Ok(atomic::write(path, bytes.as_ref())?)
}

/// Checks that files can be written to each of the paths, before work that would be lost otherwise.
pub fn check_writable<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Outcome {
    for path in paths {
        try_path(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn try_path(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(old) if !old.is_file() => return Err(io::Error::other("not a regular file")),
        Ok(old) if old.permissions().readonly() => return Err(ErrorKind::ReadOnlyFilesystem.into()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let probe = folder.unwrap_or(Path::new(".")).join(format!(".geartrain-{}.tmp", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&probe)?;
    fs::remove_file(&probe)
}

/// Creates a folder for several files, and checks that they can be written.
pub fn create_folder(folder: &Path) -> Outcome {
    fs::create_dir_all(folder)
        .and_then(|()| try_path(&folder.join("report")))
        .map_err(|error| Failure::other(format!("cannot write to {}: {error}", folder.display())))
}

/// Text from a file, such as a column name, on one line and at most `longest` characters long.
pub fn shortened(text: &str, longest: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut characters = text.chars().map(clean);
    let mut short: String = characters.by_ref().take(longest).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

/// A cell of a CSV file, quoted where it must be.
pub fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}
