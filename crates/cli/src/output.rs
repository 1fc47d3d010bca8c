//! Output to a terminal, a pipe that may be closed, and files.

use std::io::{ErrorKind, Write, stderr, stdout};
use std::path::{Path, PathBuf};

use geartrain::io;

use crate::failure::{Failure, Outcome};

/// Characters of a name in messages and tables at most.
pub const LONGEST_NAME: usize = 40;

/// Writes `text` to stdout. A closed pipe (`| head -1`) is not an error.
///
/// # Errors
/// Any other error of stdout.
pub fn print(text: &str) -> Outcome {
    let mut stdout = stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to stderr; a closed stderr is not an error.
pub fn note(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// Writes a file whole or not at all.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Outcome {
    Ok(io::atomic::write(path, bytes.as_ref())?)
}

/// Writes a picture, and says where it is.
pub fn write_picture(path: &Path, svg: &str) -> Outcome {
    write(path, svg)?;
    note(&format!("The picture is in {}", path.display()));
    Ok(())
}

/// Checks, before work that would be lost otherwise, that `outputs` can be written, and that none
/// of them is one of the others or of the `inputs`, which it would replace.
pub fn check_writable<'a>(
    outputs: impl IntoIterator<Item = &'a Path>,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Outcome {
    let mut taken: Vec<PathBuf> = inputs.into_iter().map(absolute).collect();
    for path in outputs {
        io::check_writable(path)?;
        let place = absolute(path);
        if taken.contains(&place) {
            let path = path.display();
            return Err(Failure::option(format!("{path}: the output would replace another file in use")));
        }
        taken.push(place);
    }
    Ok(())
}

/// The path of a file without links, or where a file that does not exist would be.
fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().unwrap_or_default();
        folder.join(path.file_name().unwrap_or_default())
    })
}

/// Creates a folder for several files, and checks that they can be written.
pub fn create_folder(folder: &Path) -> Outcome {
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::other(format!("{}: cannot create the folder: {error}", folder.display()))
    })?;
    check_writable([folder.join("report.html").as_path()], [])
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

/// A name of the user's data in a message.
pub fn quoted_name(name: &str) -> String {
    format!("`{}`", shortened(name, LONGEST_NAME))
}

/// The first of several names, and how many more there are.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 20;
    let shown: Vec<_> = names.iter().take(MOST).map(|name| quoted_name(name.as_ref())).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A cell of a CSV file, quoted where it must be.
pub fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}
