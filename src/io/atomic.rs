//! Writes a file whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{FileError, FileProblem};

#[cfg(test)]
mod tests;

/// Puts `bytes` into the file at `path`. Whatever happens, a reader sees the old file or the new one, never a part: a
/// full disk, a killed process, a power cut, and two writers at once (then the last one to finish wins).
///
/// The bytes go to a new file with a name of its own in the same folder, are forced to the disk, and then take the old
/// file's place in one step, which is forced to the disk as well. On the way out of an error the new file is removed; a
/// process that is killed leaves it behind as `.geartrain-….tmp`.
///
/// The new file has the permissions of the old one. A symbolic link stays what it is: the file that it points to is
/// replaced.
///
/// # Errors
/// [`FileProblem::NotAFile`] if `path` is a folder or a device, [`FileProblem::ReadOnly`] if the old file is write
/// protected, [`FileProblem::Io`] with the step that failed. Only if that step was the very last one (forcing the folder
/// to the disk) is the new file in place.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), FileError> {
    write_by(&Disk, path.as_ref(), bytes).map_err(|problem| problem.at(path.as_ref()))
}

/// What replacing a file asks of the operating system. The tests have one that fails or records.
trait Operations {
    fn create_new(&self, path: &Path, permissions: Option<&Permissions>) -> io::Result<File>;
    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    fn sync(&self, file: &File) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// Checks that [`write`] can write to `path`, by creating and removing a file in the same folder. Programs call this
/// before long work whose result goes to `path`. The file at `path` is not touched.
///
/// # Errors
/// As [`write`].
pub fn check(path: impl AsRef<Path>) -> Result<(), FileError> {
    let check = || {
        let (_, temporary, _) = begin(&Disk, path.as_ref())?;
        fs::remove_file(temporary).map_err(FileProblem::io("remove a file from the folder"))
    };
    check().map_err(|problem: FileProblem| problem.at(path.as_ref()))
}

/// The temporary file, its path, and the path behind symbolic links that it is going to replace.
fn begin(system: &impl Operations, path: &Path) -> Result<(File, PathBuf, PathBuf), FileProblem> {
    let path = follow_links(path).map_err(FileProblem::io("follow the symbolic link"))?;
    let permissions = match fs::metadata(&path) {
        Ok(old) if !old.is_file() => return Err(FileProblem::NotAFile),
        Ok(old) if old.permissions().readonly() => return Err(FileProblem::ReadOnly),
        Ok(old) => Some(old.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(FileProblem::io("look at the old file")(error)),
    };
    let folder = folder_of(&path).ok_or(FileProblem::NotAFile)?;
    let (file, temporary) = create_temporary(system, folder, permissions.as_ref())
        .map_err(FileProblem::io("create a file in the folder"))?;
    Ok((file, temporary, path))
}

/// The folder of a file; `None` for a root.
fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

fn write_by(system: &impl Operations, path: &Path, bytes: &[u8]) -> Result<(), FileProblem> {
    let (mut file, temporary, path) = begin(system, path)?;
    let mut replace = || {
        system.write_all(&mut file, bytes).map_err(FileProblem::io("write"))?;
        // Without this, a power cut after the rename could leave a file of the right name without its contents.
        system.sync(&file).map_err(FileProblem::io("force the file to the disk"))?;
        system.rename(&temporary, &path).map_err(FileProblem::io("replace the old file"))
    };
    if let Err(problem) = replace() {
        // The first problem is the one to report.
        let _ = system.remove(&temporary);
        return Err(problem);
    }
    let folder = folder_of(&path).expect("checked above");
    system.sync_folder(folder).map_err(FileProblem::io("force the folder to the disk"))
}

/// A file that did not exist before, and its path. Its name says nothing of the target's, which may be as long as names
/// can be.
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

/// The path behind symbolic links; it need not exist.
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
    Err(io::Error::other("too many links, one behind the other"))
}

/// The real file system.
struct Disk;

impl Operations for Disk {
    fn create_new(&self, path: &Path, permissions: Option<&Permissions>) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // From the start, so that a private file has no public moment.
        #[cfg(unix)]
        if let Some(permissions) = permissions {
            use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
            options.mode(permissions.mode());
        }
        let file = options.open(path)?;
        // What the process masks out of the mode of new files is put back.
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

    /// Not every system has folders that can be forced to the disk.
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
