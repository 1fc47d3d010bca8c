//! Writes a file whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{FileError, FileProblem};

#[cfg(test)]
mod tests;

/// Writes `bytes` to the file at `path`. A reader sees the old file or the new one, never a part of
/// it, after a full disk, a killed process or a power cut, and with several writers, of which the
/// last to finish wins.
///
/// The bytes are written to a temporary file in the same folder and flushed to disk; a rename then
/// replaces the old file, and the folder is flushed as well. After an error the temporary file is
/// removed; a process that is killed leaves it behind as `.geartrain-….tmp`.
///
/// The new file has the permissions of the old one. Of a symbolic link, the target is replaced.
///
/// # Errors
/// [`FileProblem::NotAFile`] if `path` is a folder or a device, [`FileProblem::ReadOnly`] if the
/// old file is write protected, [`FileProblem::Io`] with the step that failed. If that step was the
/// last one, flushing the folder, the new file is in place.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), FileError> {
    write_by(&Disk, path.as_ref(), bytes).map_err(|problem| problem.at(path.as_ref()))
}

/// Tests whether [`write()`] can replace or create the file at `path`, so that a program can say so
/// before it starts a long computation. Creates a temporary file in the folder and removes it; the
/// file at `path` is not touched. A full disk is not noticed.
///
/// # Errors
/// As [`write()`].
///
/// ```
/// use geartrain::io;
/// let folder = tempfile::tempdir().unwrap();
/// io::check_writable(folder.path().join("model.safetensors"))?;
/// let error = io::check_writable(folder.path().join("missing/model.safetensors")).unwrap_err();
/// assert!(error.to_string().contains("cannot create a file in the folder"));
/// # Ok::<(), io::FileError>(())
/// ```
pub fn check_writable(path: impl AsRef<Path>) -> Result<(), FileError> {
    let check = |path: &Path| {
        let target = Target::find(path)?;
        let (_, temporary) = target.create_temporary(&Disk)?;
        Disk.remove(&temporary).map_err(FileProblem::io("remove a file from the folder"))
    };
    check(path.as_ref()).map_err(|problem| problem.at(path.as_ref()))
}

/// The operating system's part in replacing a file. Tests have one that fails or records.
trait Operations {
    fn create_new(&self, path: &Path, permissions: Option<&Permissions>) -> io::Result<File>;
    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    fn sync(&self, file: &File) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
}

fn write_by(system: &impl Operations, path: &Path, bytes: &[u8]) -> Result<(), FileProblem> {
    let target = Target::find(path)?;
    let (mut file, temporary) = target.create_temporary(system)?;
    let mut replace = || {
        system.write_all(&mut file, bytes).map_err(FileProblem::io("write"))?;
        // Without this, a power cut after the rename can leave a file of the right name without its
        // contents.
        system.sync(&file).map_err(FileProblem::io("flush the file to disk"))?;
        system.rename(&temporary, &target.path).map_err(FileProblem::io("replace the old file"))
    };
    if let Err(problem) = replace() {
        // The first problem is the one to report.
        let _ = system.remove(&temporary);
        return Err(problem);
    }
    system.sync_folder(&target.folder).map_err(FileProblem::io("flush the folder to disk"))
}

/// The file to be replaced, behind symbolic links.
struct Target {
    path: PathBuf,
    folder: PathBuf,
    /// Those of the old file.
    permissions: Option<Permissions>,
}

impl Target {
    fn find(path: &Path) -> Result<Self, FileProblem> {
        let path = follow_links(path).map_err(FileProblem::io("follow the symbolic link"))?;
        let permissions = match fs::metadata(&path) {
            Ok(old) if !old.is_file() => return Err(FileProblem::NotAFile),
            Ok(old) if old.permissions().readonly() => return Err(FileProblem::ReadOnly),
            Ok(old) => Some(old.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(FileProblem::io("read the old file's metadata")(error)),
        };
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
            Some(folder) => folder.to_path_buf(),
            None => return Err(FileProblem::NotAFile),
        };
        Ok(Target { path, folder, permissions })
    }

    fn create_temporary(&self, system: &impl Operations) -> Result<(File, PathBuf), FileProblem> {
        create_temporary(system, &self.folder, self.permissions.as_ref())
            .map_err(FileProblem::io("create a file in the folder"))
    }
}

/// A new file and its path. Its name is short, because the target's may have the maximum length.
fn create_temporary(
    system: &impl Operations,
    folder: &Path,
    permissions: Option<&Permissions>,
) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    const ATTEMPTS: usize = 1000;
    let mut result = Err(io::ErrorKind::AlreadyExists.into());
    for _ in 0..ATTEMPTS {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".geartrain-{}-{number}.tmp", std::process::id()));
        result = system.create_new(&path, permissions).map(|file| (file, path));
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
    }
    result
}

/// The path behind symbolic links, whether or not it exists.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    const LONGEST_CHAIN: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..LONGEST_CHAIN {
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Ok(path);
        }
        let target = fs::read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("too many symbolic links in a chain"))
}

/// The real file system.
struct Disk;

impl Operations for Disk {
    fn create_new(&self, path: &Path, permissions: Option<&Permissions>) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Set on creation, so that a private file is never public.
        #[cfg(unix)]
        if let Some(permissions) = permissions {
            use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
            options.mode(permissions.mode());
        }
        let file = options.open(path)?;
        // Restores the bits that the process's umask removes.
        if let Some(permissions) = permissions
            && let Err(error) = file.set_permissions(permissions.clone())
        {
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(file)
    }

    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Some systems cannot flush folders.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if cfg!(not(unix)) {
            return Ok(());
        }
        match File::open(folder)?.sync_all() {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                Ok(())
            }
            result => result,
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
