use std::cell::RefCell;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::*;

/// The real file system with a record of all calls, and a failure at one step,
/// counted from 0.
#[derive(Default)]
struct Faulty {
    fail_at: Option<usize>,
    log: RefCell<Vec<String>>,
}

impl Faulty {
    fn step(&self, step: &str, path: Option<&Path>) -> io::Result<()> {
        let name = path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let name = name.map(|name| if name.ends_with(".tmp") { "temporary".into() } else { name });
        let mut log = self.log.borrow_mut();
        log.push([step, name.as_deref().unwrap_or("")].join(" ").trim_end().to_string());
        let last = log.len() - 1;
        if self.fail_at == Some(last) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Operations for Faulty {
    fn create_new(&self, path: &Path, permissions: Option<&Permissions>) -> io::Result<File> {
        self.step("create", Some(path))?;
        Disk.create_new(path, permissions)
    }

    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let result = self.step("write", None);
        // A full disk stores the first part.
        let taken = if result.is_ok() { bytes.len() } else { bytes.len() / 2 };
        Disk.write_all(file, &bytes[..taken])?;
        result
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.step("sync", None)?;
        Disk.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename to", Some(to))?;
        Disk.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step("sync folder", None)?;
        Disk.sync_folder(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove", Some(path))?;
        Disk.remove(path)
    }
}

fn folder_with_old_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    fs::write(&path, "the old one").unwrap();
    (folder, path)
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_contents_are_on_disk_before_the_rename() {
    let (_folder, path) = folder_with_old_file();
    let system = Faulty::default();
    write_by(&system, &path, b"new").unwrap();
    assert_eq!(*system.log.borrow(), ["create temporary", "write", "sync", "rename to model", "sync folder"]);
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_full_disk_at_any_step_leaves_the_old_file() {
    for fail_at in 0..5 {
        let (folder, path) = folder_with_old_file();
        let system = Faulty { fail_at: Some(fail_at), ..Faulty::default() };
        let problem = write_by(&system, &path, b"the new one, which is longer").unwrap_err();
        let FileProblem::Io { source, .. } = problem else { panic!("{problem}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        // Once the new file has its name, only a power cut could undo it.
        let expected = if fail_at == 4 { "the new one, which is longer" } else { "the old one" };
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "failing at step {fail_at}");
        assert_eq!(names(&folder), ["model"], "failing at step {fail_at}");
        let removed = system.log.borrow().contains(&"remove temporary".to_string());
        assert_eq!(removed, (1..4).contains(&fail_at), "failing at step {fail_at}");
    }
}

#[test]
fn a_missing_file_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x".repeat(255));
    write(&path, b"first").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(names(&folder), ["x".repeat(255)]);
}

#[test]
fn leftovers_of_a_killed_process_do_not_interfere() {
    let (folder, path) = folder_with_old_file();
    // All numbers that this process may choose next are taken.
    let process = std::process::id();
    (0..900).for_each(|n| {
        fs::write(folder.path().join(format!(".geartrain-{process}-{n}.tmp")), "left over").unwrap();
    });
    write(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(&folder).len(), 901);
}

#[test]
fn folders_and_devices_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let not_files = [folder.path().to_path_buf(), PathBuf::from("/"), PathBuf::from("/dev/null")];
    for path in not_files {
        let error = write(&path, b"new").unwrap_err();
        assert!(matches!(error.problem, FileProblem::NotAFile), "{error}");
    }
    assert!(matches!(write("", b"new").unwrap_err().problem, FileProblem::NotAFile));
    assert!(names(&folder).is_empty());
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    // Not even an administrator can create files in /proc.
    for folder in ["/proc", "/no/such/folder", "/dev/null"] {
        let error = write(Path::new(folder).join("model"), b"new").unwrap_err();
        assert!(matches!(error.problem, FileProblem::Io { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("{folder}/model: cannot ")), "{error}");
    }
}

#[test]
fn a_write_protected_file_is_not_replaced() {
    let (folder, path) = folder_with_old_file();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    assert!(matches!(write(&path, b"new").unwrap_err().problem, FileProblem::ReadOnly));
    assert_eq!(fs::read_to_string(&path).unwrap(), "the old one");
    assert_eq!(names(&folder), ["model"]);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_is_kept() {
    use std::os::unix::fs::symlink;
    let (folder, path) = folder_with_old_file();
    let links = folder.path().join("links");
    fs::create_dir(&links).unwrap();
    symlink("../model", links.join("relative")).unwrap();
    symlink(links.join("relative"), links.join("twice")).unwrap();
    symlink(links.join("missing"), links.join("dangling")).unwrap();
    symlink("loop", links.join("loop")).unwrap();

    write(links.join("twice"), b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert!(fs::symlink_metadata(links.join("twice")).unwrap().is_symlink());
    write(links.join("dangling"), b"made").unwrap();
    assert_eq!(fs::read(links.join("missing")).unwrap(), b"made");
    assert!(matches!(write(links.join("loop"), b"").unwrap_err().problem, FileProblem::Io { .. }));
}

#[cfg(unix)]
#[test]
fn the_mode_of_the_old_file_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder_with_old_file();
    // The second one has a bit that the umask of most processes removes from new files.
    for mode in [0o600, 0o662] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn of_two_writers_one_wins_and_nothing_is_mixed() {
    let (folder, path) = folder_with_old_file();
    let contents = ["a".repeat(100_000), "b".repeat(50_000)];
    fs::write(&path, &contents[0]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = contents
            .iter()
            .map(|text| scope.spawn(|| (0..50).for_each(|_| write(&path, text.as_bytes()).unwrap())))
            .collect();
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                assert!(contents.contains(&fs::read_to_string(&path).unwrap()));
                reads += 1;
            }
            reads
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    assert_eq!(names(&folder), ["model"]);
}
