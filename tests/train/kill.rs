//! Training that is killed repeatedly, at random times, loses no checkpoint.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use geartrain::data::{Dataset, toy};
use geartrain::layers::{BatchNorm, Dropout};
use geartrain::optim::Adam;
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, EarlyStopping, EpochEnd};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIGKILL: i32 = 9;
const KILLS: usize = 200;
/// The environment variable that names the child's folder.
const FOLDER: &str = "GEARTRAIN_KILL_TEST_FOLDER";
const BEGINS: &str = "training begins";

fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("run.safetensors")
}

/// The final weights, as bytes.
fn train(folder: &Path, callback: &mut dyn Callback<f32>) -> Vec<u8> {
    let data: Dataset<f32> = toy::friedman1(120, 1.0, 1).unwrap();
    let (train, test) = data.split(0.2, 1).unwrap();
    let layers = Sequential::new()
        .then(Linear::new(10, 24))
        .then(BatchNorm::new(24))
        .then(ReLU)
        .then(Dropout::new(0.1))
        .then(Linear::new(24, 24))
        .then(Tanh)
        .then(Linear::new(24, 1));
    let mut network = Network::new(layers).unwrap().with_seed(3);
    let path = checkpoint(folder);
    let training = Training::new(MeanSquaredError, Adam::new(1e-3))
        .epochs(400)
        .batch_size(16)
        .validation(&test)
        .early_stopping(EarlyStopping::new(1000))
        .checkpoint(&path, 1)
        .callback(callback)
        .progress(false);
    let mut training = if path.exists() { training.resume(&path) } else { training };
    training.fit(&mut network, &train).unwrap();
    network.params().iter().flat_map(|weight| weight.to_le_bytes()).collect()
}

/// The process that the parent starts. Does nothing if it is run as a test.
#[test]
fn child() {
    struct Nothing;
    impl Callback<f32> for Nothing {}
    if let Some(folder) = std::env::var_os(FOLDER) {
        println!("{BEGINS}");
        std::io::stdout().flush().unwrap();
        let folder = Path::new(&folder);
        fs::write(folder.join("weights"), train(folder, &mut Nothing)).unwrap();
    }
}

/// A child that has started to train, and its output, which must stay open while it lives.
fn start(folder: &Path) -> (Child, impl BufRead) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert!(stdout.by_ref().lines().any(|line| line.unwrap().contains(BEGINS)));
    (child, stdout)
}

/// Reads the checkpoint of the previous epoch.
struct Collect<'a> {
    folder: &'a Path,
    checkpoints: Vec<Vec<u8>>,
}

impl Callback<f32> for Collect<'_> {
    fn on_epoch_end(&mut self, epoch: &mut EpochEnd<'_, f32>) -> CallbackResult {
        if epoch.epoch > 1 {
            self.checkpoints.push(fs::read(checkpoint(self.folder))?);
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn training_killed_200_times_ends_with_the_same_weights() {
    // Every checkpoint of an uninterrupted training: the same state always gives the same bytes.
    let folder = tempfile::tempdir().unwrap();
    let mut collect = Collect { folder: folder.path(), checkpoints: Vec::new() };
    let weights = train(folder.path(), &mut collect);
    let mut checkpoints = collect.checkpoints;
    checkpoints.push(fs::read(checkpoint(folder.path())).unwrap());
    assert_eq!(checkpoints.len(), 400);

    let folder = tempfile::tempdir().unwrap();
    let (path, result) = (checkpoint(folder.path()), folder.path().join("weights"));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut kills, mut finished, mut epoch, mut trained) = (0, 0, None, 0);
    let begin = Instant::now();
    while kills < KILLS || finished == 0 {
        let (mut child, _stdout) = start(folder.path());
        if kills < KILLS {
            std::thread::sleep(Duration::from_micros(rng.random_range(0..30_000)));
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        // The checkpoint still exists, is one of the uninterrupted training, and is not older than
        // the last one.
        let found = path.exists().then(|| fs::read(&path).unwrap());
        let found = found.map(|bytes| {
            checkpoints.iter().position(|checkpoint| *checkpoint == bytes).expect("a complete checkpoint")
        });
        assert!(found >= epoch, "epoch {found:?} after {epoch:?}");
        trained += found.map_or(0, |found| found + 1) - epoch.map_or(0, |epoch| epoch + 1);
        epoch = found;
        if status.signal() == Some(SIGKILL) {
            kills += 1;
        } else {
            assert!(status.success(), "{status}");
            assert!(fs::read(&result).unwrap() == weights, "the final weights");
            assert_eq!(epoch, Some(399));
            fs::remove_file(&path).unwrap();
            (finished, epoch) = (finished + 1, None);
        }
    }
    let left_over = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("tmp")));
    println!(
        "{kills} kills, {finished} times finished, {trained} epochs, {} killed while writing, {:.1?}",
        left_over.count(),
        begin.elapsed()
    );
}
