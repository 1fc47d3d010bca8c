//! Checkpoints: resuming gives the results of uninterrupted training, or an error says why not.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use geartrain::data::{Dataset, toy};
use geartrain::io::{FileProblem, TensorFile};
use geartrain::layers::{BatchNorm, Dropout};
use geartrain::optim::schedule::{Cosine, ReduceOnPlateau, WarmUp};
use geartrain::optim::{Adam, AdamW, Clip, ParamGroup, RMSprop};
use geartrain::prelude::*;
use geartrain::train::{
    Callback, CallbackResult, EarlyStopping, EpochEnd, History, StepEnd, StopReason, load_checkpoint_weights,
};
use ndarray::{Array2, ArrayRef2};
use tempfile::TempDir;

type Any = Box<dyn Optimizer<f32>>;
type Train<'a> = Training<'a, f32, MeanSquaredError, Any>;

/// A network with weights, running statistics and random masks.
fn network() -> Network<f32> {
    let layers = Sequential::new()
        .then(Linear::new(10, 8))
        .then(BatchNorm::new(8))
        .then(ReLU)
        .then(Dropout::new(0.2))
        .then(Residual::new(Sequential::new().then(Linear::new(8, 8)).then(Tanh)))
        .then(Linear::new(8, 1));
    Network::new(layers).unwrap().with_seed(1)
}

struct Case {
    folder: TempDir,
    train: Dataset<f32>,
    test: Dataset<f32>,
}

impl Case {
    fn new() -> Self {
        let data = toy::friedman1::<f32>(75, 1.0, 3).unwrap();
        let (train, test) = data.split(0.2, 1).unwrap();
        Case { folder: tempfile::tempdir().unwrap(), train, test }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("run.safetensors")
    }

    /// 4 batches an epoch (three of 16 rows and one of 12).
    fn training(&self, optimizer: Any) -> Train<'_> {
        Training::new(MeanSquaredError, optimizer)
            .epochs(8)
            .batch_size(16)
            .seed(9)
            .validation(&self.test)
            .metric("mse", mse)
            .progress(false)
    }
}

fn mse(output: &ArrayRef2<f32>, target: &ArrayRef2<f32>) -> Result<f64, Error> {
    Ok(MeanSquaredError.value(output, target))
}

fn optimizers() -> Vec<fn() -> Any> {
    vec![
        || Box::new(Sgd::new(0.01)),
        || Box::new(Sgd::new(0.01).momentum(0.9).dampening(0.1).weight_decay(1e-3)),
        || Box::new(Adam::new(0.01).weight_decay(1e-3)),
        || Box::new(Adam::new(0.01).amsgrad(true).group(ParamGroup::biases().weight_decay(0.1))),
        || Box::new(AdamW::new(0.01)),
        || Box::new(RMSprop::new(0.003).momentum(0.5).centered(true)),
    ]
}

fn bits(network: &Network<f32>) -> Vec<u32> {
    network.params().iter().map(|w| w.to_bits()).collect()
}

fn history_bits(history: &History) -> Vec<u64> {
    let names = history.names();
    names.iter().flat_map(|name| history.values(name).unwrap()).map(f64::to_bits).collect()
}

/// Stops after a step or an epoch, and changes the learning rate.
#[derive(Default)]
struct Stop {
    after_step: Option<u64>,
    after_epoch: Option<usize>,
    slower: bool,
}

impl Callback<f32> for Stop {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, f32>) -> CallbackResult {
        if self.slower && step.step.is_multiple_of(3) {
            *step.learning_rate *= 0.9;
        }
        Ok(if self.after_step == Some(step.step) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn on_epoch_end(&mut self, epoch: &mut EpochEnd<'_, f32>) -> CallbackResult {
        Ok(if self.after_epoch == Some(epoch.epoch) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }
}

/// Further options of training.
fn configure(variant: usize, training: Train<'_>) -> Train<'_> {
    match variant {
        0 => training,
        1 => training.schedule(Cosine::new(8)).clip(Clip::GlobalNorm(1.0)),
        2 => training.early_stopping(EarlyStopping::new(3).min_delta(0.01)),
        3 => training.schedule(ReduceOnPlateau::default().factor(0.5).patience(0)),
        4 => training.early_stopping(EarlyStopping::new(2).monitor("train_mse").maximize(true)),
        5 => training.average_weights(0.9).schedule_per_step(WarmUp::new(15).from(0.1)),
        _ => training.average_weights(0.9).early_stopping(EarlyStopping::new(3)),
    }
}

#[test]
fn interrupted_training_resumes_bit_for_bit() {
    let case = Case::new();
    for optimizer in optimizers() {
        for variant in 0..7 {
            let slower = variant % 2 == 1;
            let whole = |stop: Stop, resume: bool, path: &Path| {
                let mut network = network();
                let mut stop = Stop { slower, ..stop };
                let training = configure(variant, case.training(optimizer())).checkpoint(path, 3);
                let training = if resume { training.resume(path) } else { training };
                let history = training.callback(&mut stop).fit(&mut network, &case.train).unwrap();
                (bits(&network), history_bits(&history), history.best, history.stop_reason)
            };
            let straight = case.folder.path().join("straight");
            let expected = whole(Stop::default(), false, &straight);
            let steps = [1, 4, 11, 18].map(|step| Stop { after_step: Some(step), ..Stop::default() });
            let epochs = [3].map(|epoch| Stop { after_epoch: Some(epoch), ..Stop::default() });
            for stop in steps.into_iter().chain(epochs) {
                let path = case.path();
                whole(stop, false, &path);
                let resumed = whole(Stop::default(), true, &path);
                assert_eq!(resumed, expected, "{:?}, variant {variant}", optimizer());
                assert_eq!(fs::read(&path).unwrap(), fs::read(&straight).unwrap(), "{:?}", optimizer());
            }
        }
    }
}

#[test]
fn resuming_with_more_epochs_equals_training_them_at_once() {
    let case = Case::new();
    let train = |epochs, resume: bool| {
        let mut network = network();
        let training = case.training(optimizers()[1]()).epochs(epochs).checkpoint(case.path(), 1);
        let mut training = if resume { training.resume(case.path()) } else { training };
        let history = training.fit(&mut network, &case.train).unwrap();
        (bits(&network), history_bits(&history))
    };
    let expected = train(10, false);
    train(4, false);
    assert_eq!(train(10, true), expected);
    // All epochs are done: nothing happens, and the results are restored.
    assert_eq!(train(10, true), expected);
    assert_eq!(train(2, true), expected);
}

#[test]
fn a_run_without_validation_and_metrics_resumes_with_its_history() {
    let case = Case::new();
    let train = |epochs, resume: bool| {
        let mut network = network();
        let training = Training::new(MeanSquaredError, Sgd::new(0.01)).epochs(epochs).progress(false);
        let training = training.checkpoint(case.path(), 1);
        let mut training = if resume { training.resume(case.path()) } else { training };
        let history = training.fit(&mut network, &case.train).unwrap();
        assert!(history.validation_losses().is_empty());
        (bits(&network), history_bits(&history))
    };
    let expected = train(5, false);
    train(2, false);
    assert_eq!(train(5, true), expected);
}

#[test]
fn training_that_early_stopping_ended_stays_finished() {
    let case = Case::new();
    let train = |resume: bool| {
        let mut network = network();
        let early = EarlyStopping::new(2).monitor("train_mse").maximize(true);
        let training = case.training(optimizers()[2]()).early_stopping(early).checkpoint(case.path(), 1);
        let mut training = if resume { training.resume(case.path()) } else { training };
        let history = training.fit(&mut network, &case.train).unwrap();
        (bits(&network), history_bits(&history), history.best, history.stop_reason)
    };
    let expected = train(false);
    assert_eq!((expected.2, expected.3), (Some(0), StopReason::EarlyStopping));
    assert_eq!(train(true), expected);
}

/// Inodes show how often a file is replaced.
#[cfg(unix)]
#[test]
fn the_stop_flag_leaves_a_checkpoint_written_once() {
    use std::os::unix::fs::MetadataExt;
    /// Sets the flag in the middle of the second epoch, and records the file's inode.
    struct Interrupt(Arc<AtomicBool>, PathBuf, u64);
    impl Callback<f32> for Interrupt {
        fn on_step_end(&mut self, step: &mut StepEnd<'_, f32>) -> CallbackResult {
            if step.step == 6 {
                self.0.store(true, Ordering::Relaxed);
                self.2 = fs::metadata(&self.1)?.ino();
                // The old file keeps another name, so that its inode is not used again.
                fs::hard_link(&self.1, self.1.with_extension("old"))?;
            }
            Ok(ControlFlow::Continue(()))
        }
    }
    let (case, flag) = (Case::new(), Arc::new(AtomicBool::new(false)));
    let mut interrupt = Interrupt(flag.clone(), case.path(), 0);
    let mut network = network();
    let history = case
        .training(optimizers()[1]())
        .checkpoint(case.path(), 1)
        .stop_flag(flag)
        .callback(&mut interrupt)
        .fit(&mut network, &case.train)
        .unwrap();
    assert_eq!((history.stop_reason, history.epochs.len()), (StopReason::StopFlag, 1));
    assert_ne!(fs::metadata(case.path()).unwrap().ino(), interrupt.2);
    let mut saved = self::network();
    load_checkpoint_weights(case.path(), &mut saved).unwrap();
    assert_eq!(bits(&saved), bits(&network));
}

#[test]
fn training_that_diverges_leaves_the_last_good_checkpoint() {
    struct Explode;
    impl Callback<f32> for Explode {
        fn on_step_end(&mut self, step: &mut StepEnd<'_, f32>) -> CallbackResult {
            if step.step == 9 {
                *step.learning_rate = 1e38;
            }
            Ok(ControlFlow::Continue(()))
        }
    }
    let case = Case::new();
    let mut network = network();
    let mut explode = Explode;
    let mut training = case.training(optimizers()[0]()).checkpoint(case.path(), 1).callback(&mut explode);
    let error = training.fit(&mut network, &case.train).unwrap_err();
    assert!(matches!(error, Error::Diverged { epoch: 3, .. }), "{error}");
    assert_eq!(training.history().epochs.len(), 2);
    let resumed =
        case.training(optimizers()[0]()).epochs(2).resume(case.path()).fit(&mut network, &case.train);
    assert_eq!(resumed.unwrap().epochs.len(), 2);
    assert!(network.params().iter().all(|w| w.is_finite()));
}

/// A checkpoint after two of eight epochs.
fn interrupted(case: &Case) {
    let mut stop = Stop { after_epoch: Some(2), ..Stop::default() };
    case.training(optimizers()[2]())
        .checkpoint(case.path(), 1)
        .callback(&mut stop)
        .fit(&mut network(), &case.train)
        .unwrap();
}

/// The error of resuming. Nothing may have changed.
fn refused(case: &Case, mut training: Train<'_>, data: &Dataset<f32>) -> FileProblem {
    let mut network = network().with_seed(77);
    let before = bits(&network);
    let error = training.fit(&mut network, data).unwrap_err();
    assert_eq!(bits(&network), before);
    let Error::File(file) = error else { panic!("{error}") };
    assert_eq!(file.path, case.path().display().to_string());
    file.problem
}

#[test]
fn resuming_with_other_settings_is_refused_with_the_difference() {
    let case = Case::new();
    interrupted(&case);
    let adam = || case.training(optimizers()[2]()).resume(case.path());
    let refuse = |training: Train<'_>, data: &Dataset<f32>, expected: &str, words: [&str; 2]| match refused(
        &case, training, data,
    ) {
        FileProblem::OtherTraining { setting, saved, given } => {
            assert_eq!(setting, expected);
            assert!(saved.contains(words[0]) && given.contains(words[1]), "{saved} and {given}");
        }
        other => panic!("{other}"),
    };
    let data = &case.train;
    let with = |optimizer: Any| case.training(optimizer).resume(case.path());
    let expected = r#"{"Adam":{"amsgrad":false,"betas":[0.9,0.999],"eps":1e-8,"weight_decay":0.001}}"#;
    refuse(with(Box::new(AdamW::new(0.01).weight_decay(1e-3))), data, "optimizer", [expected, "{\"AdamW\":"]);
    refuse(with(Box::new(Adam::new(0.01))), data, "optimizer", [expected, "\"weight_decay\":0.0}"]);
    refuse(with(Box::new(Sgd::new(0.01))), data, "optimizer", [expected, "{\"SGD\":{"]);
    refuse(with(Box::new(Adam::new(0.02).weight_decay(1e-3))), data, "learning rate", ["0.01", "0.02"]);
    refuse(adam().batch_size(17), data, "batch size", ["16", "17"]);
    refuse(adam().seed(10), data, "seed", ["9", "10"]);
    refuse(adam().schedule(Cosine::new(8)), data, "schedule", ["none", "Cosine"]);
    refuse(adam().clip(Clip::Norm(1.0)), data, "clipping", ["none", "{\"Norm\":1.0}"]);
    refuse(adam().early_stopping(EarlyStopping::new(3)), data, "early stopping", ["none", "EarlyStopping"]);
    refuse(adam().metric("again", mse), data, "measured values", ["train_mse", "train_again"]);
    refuse(adam().sample_weights(&[1.0; 60]), data, "sample weights", ["none", "60 weights"]);
    refuse(adam().validation(&case.train), data, "validation data", ["15 rows", "60 rows"]);
    let fewer = case.train.select(&(0..59).collect::<Vec<_>>()).unwrap();
    refuse(adam(), &fewer, "training data", ["60 rows", "59 rows"]);
    let mut y = case.train.y().to_owned();
    y[[31, 0]] += 1e-5;
    let nudged = Dataset::new(case.train.x().to_owned(), y).unwrap();
    refuse(adam(), &nudged, "training data", ["60 rows", "60 rows"]);

    // The weights alone can be loaded with any optimizer.
    let mut network = network();
    load_checkpoint_weights(case.path(), &mut network).unwrap();
    let mut expected = self::network();
    case.training(optimizers()[2]()).epochs(2).fit(&mut expected, data).unwrap();
    assert_eq!(bits(&network), bits(&expected));
}

/// Changes the file, and returns the error of resuming.
fn broken(change: impl FnOnce(&mut TensorFile)) -> FileProblem {
    let case = Case::new();
    interrupted(&case);
    let mut file = TensorFile::open(case.path()).unwrap();
    change(&mut file);
    file.save(case.path()).unwrap();
    refused(&case, case.training(optimizers()[2]()).resume(case.path()), &case.train)
}

const KEY: &str = "geartrain.checkpoint";

fn rewrite(file: &mut TensorFile, from: &str, to: &str) {
    let text = file.metadata(KEY).unwrap().to_string();
    assert!(text.contains(from), "{text}");
    file.set_metadata(KEY, text.replace(from, to));
}

#[test]
fn a_newer_format_is_refused_with_both_versions() {
    let problem = broken(|file| rewrite(file, "\"version\":2", "\"version\":3"));
    assert!(matches!(problem, FileProblem::NewerVersion { got: 3, newest: 2 }), "{problem}");
    assert!(
        problem.to_string().contains("version 3") && problem.to_string().contains("up to 2"),
        "{problem}"
    );
    // The version is read before anything else.
    let problem = broken(|file| file.set_metadata(KEY, "{\"version\": 99999999999999, \"new\": []}"));
    assert!(matches!(problem, FileProblem::NewerVersion { newest: 2, .. }), "{problem}");
}

#[test]
fn a_checkpoint_that_contradicts_itself_is_refused() {
    for (from, to) in [
        ("\"epoch\":2", "\"epoch\":3"),
        ("\"batch\":0", "\"batch\":5"),
        ("\"batch\":0", "\"batch\":-1"),
        ("\"step\":8", "\"step\":18446744073709551615"),
        ("\"epoch\":2", "\"epoch\":18446744073709551615"),
        ("\"optimizer_steps\":8", "\"optimizer_steps\":null"),
        ("\"step\":8", "\"stepp\":8"),
        ("\"version\":2", "\"version\":\"2\""),
    ] {
        let problem = broken(|file| rewrite(file, from, to));
        assert!(matches!(problem, FileProblem::NotACheckpoint { .. }), "{to}: {problem}");
    }
    for text in ["", "{", "[1]", "null", &"[".repeat(100_000)] {
        let problem = broken(|file| file.set_metadata(KEY, text));
        assert!(matches!(problem, FileProblem::NotACheckpoint { .. }), "{problem}");
    }
    let problem = broken(|file| *file = TensorFile::new());
    assert!(matches!(problem, FileProblem::NotACheckpoint { .. }), "{problem}");
}

#[test]
fn missing_unexpected_and_wrong_tensors_are_listed() {
    let mismatch = |change: fn(&mut TensorFile)| match broken(change) {
        FileProblem::Mismatch(mismatch) => mismatch,
        other => panic!("{other}"),
    };
    let missing = mismatch(|file| drop(file.split_off("weights/0.")));
    assert_eq!(missing.missing, ["0.weight", "0.bias"]);
    let missing = mismatch(|file| drop(file.split_off("optimizer/second/5.b")));
    assert_eq!(missing.missing, ["5.bias"]);
    let extra = ndarray::arr1(&[1.0_f32]).into_dyn();
    let unexpected = broken(|file| file.insert("extra", extra.view()).unwrap()).to_string();
    assert!(unexpected.contains("unexpected: `extra`"), "{unexpected}");
    let wrong = broken(|file| {
        drop(file.split_off("weights/5.bias"));
        file.insert("weights/5.bias", ndarray::arr1(&[1.0_f32, 2.0]).into_dyn().view()).unwrap();
    });
    assert!(wrong.to_string().contains("`5.bias` should be (1), is (2)"), "{wrong}");
    for name in ["history", "numbers"] {
        let problem = broken(|file| drop(file.split_off(name)));
        assert!(
            matches!(&problem, FileProblem::UnknownTensor { name: missing, .. } if missing == name),
            "{problem}"
        );
        let problem = broken(|file| {
            drop(file.split_off(name));
            file.insert(name, ndarray::arr1(&[1.0_f64]).into_dyn().view()).unwrap();
        });
        assert!(matches!(problem, FileProblem::NotACheckpoint { .. }), "{problem}");
    }
    let problem = broken(|file| {
        drop(file.split_off("history"));
        file.insert("history", Array2::<f64>::zeros((2, 9)).into_dyn().view()).unwrap();
    });
    assert!(problem.to_string().contains("one column per measured value"), "{problem}");
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let problem = broken(|file| {
        drop(file.split_off("weights/5.bias"));
        file.insert("weights/5.bias", ndarray::arr1(&[f32::NAN]).into_dyn().view()).unwrap();
    });
    assert!(matches!(&problem, FileProblem::NonFinite { name, .. } if name == "5.bias"), "{problem}");
}

#[test]
fn other_files_and_missing_files_are_refused() {
    let case = Case::new();
    let resume = || refused(&case, case.training(optimizers()[2]()).resume(case.path()), &case.train);
    assert!(matches!(resume(), FileProblem::Io { .. }));
    fs::write(case.path(), b"PK\x03\x04 and then a pickle").unwrap();
    assert!(resume().to_string().contains("safetensors.torch.save_file"));
    network().save(case.path()).unwrap();
    assert!(matches!(resume(), FileProblem::NotACheckpoint { .. }));
    let mut network = network();
    assert!(load_checkpoint_weights(case.path(), &mut network).is_err());
}

#[test]
fn a_checkpoint_cut_off_anywhere_is_refused() {
    let case = Case::new();
    interrupted(&case);
    let bytes = fs::read(case.path()).unwrap();
    for length in (0..bytes.len()).step_by(97).chain(bytes.len() - 9..bytes.len()) {
        fs::write(case.path(), &bytes[..length]).unwrap();
        refused(&case, case.training(optimizers()[2]()).resume(case.path()), &case.train);
    }
}

#[test]
fn a_checkpoint_with_a_flipped_bit_never_panics() {
    let case = Case::new();
    interrupted(&case);
    let bytes = fs::read(case.path()).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    // The header densely, the numbers sparsely.
    for at in (0..header).step_by(7).chain((header..bytes.len()).step_by(331)) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 7);
        fs::write(case.path(), &flipped).unwrap();
        // A changed number may be valid; everything else is an error.
        let _ = case.training(optimizers()[2]()).resume(case.path()).fit(&mut network(), &case.train);
    }
}

#[test]
fn a_vector_of_the_optimizer_under_another_name_is_refused() {
    let name = |file: &TensorFile| {
        let notes = file.metadata(KEY).unwrap().to_string();
        let list = &notes[notes.find("\"optimizer_vectors\":[").unwrap()..];
        list.split('"').nth(3).unwrap().to_string()
    };
    let problem = broken(|file| {
        let first = format!("[\"{}\"", name(file));
        rewrite(file, &first, "[\"another\"");
    });
    assert!(matches!(problem, FileProblem::NotACheckpoint { .. }), "{problem}");
    let problem = broken(|file| {
        let first = format!("[\"{}\",", name(file));
        rewrite(file, &first, "[");
    });
    assert!(matches!(problem, FileProblem::NotACheckpoint { .. }), "{problem}");
}

#[test]
fn a_checkpoint_path_that_cannot_be_written_is_an_error_before_the_first_step() {
    let case = Case::new();
    let fit = |path: &Path, every| {
        let mut network = network();
        let mut training = case.training(optimizers()[2]()).epochs(4).checkpoint(path, every);
        let error = training.fit(&mut network, &case.train).unwrap_err();
        assert_eq!(bits(&network), bits(&self::network()));
        assert!(training.history().epochs.is_empty());
        error.to_string()
    };
    let file = case.folder.path().join("file");
    fs::write(&file, b"").unwrap();
    for (path, problem) in [
        (case.folder.path().to_path_buf(), "this is not a file"),
        (case.folder.path().join("missing/run"), "create a file in the folder"),
        (file.join("run"), ""),
        (PathBuf::from("/"), "this is not a file"),
    ] {
        let error = fit(&path, 1);
        assert!(error.contains(problem) && error.contains(&path.display().to_string()), "{error}");
    }
    let error = fit(&case.path(), 0);
    assert!(error.starts_with("epochs between checkpoints must be at least 1"), "{error}");

    interrupted(&case);
    let before = fs::read(case.path()).unwrap();
    let mut permissions = fs::metadata(case.path()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(case.path(), permissions).unwrap();
    assert!(fit(&case.path(), 1).ends_with("the file is write protected"));
    assert_eq!(fs::read(case.path()).unwrap(), before);
    // The check leaves no file behind.
    let left: Vec<_> = fs::read_dir(case.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_checkpoint_that_fails_later_is_an_error_and_the_history_stays() {
    /// Puts a folder in the place of the checkpoint.
    struct Obstruct(PathBuf);
    impl Callback<f32> for Obstruct {
        fn on_epoch_end(&mut self, epoch: &mut EpochEnd<'_, f32>) -> CallbackResult {
            if epoch.epoch == 2 {
                fs::create_dir(&self.0)?;
            }
            Ok(ControlFlow::Continue(()))
        }
    }
    let case = Case::new();
    let (mut network, mut obstruct) = (network(), Obstruct(case.path()));
    let mut training = case.training(optimizers()[2]()).checkpoint(case.path(), 2).callback(&mut obstruct);
    let error = training.fit(&mut network, &case.train).unwrap_err();
    assert!(error.to_string().ends_with("this is not a file"), "{error}");
    assert_eq!(training.history().epochs.len(), 2);
}

/// What geartrain 0.1.0 wrote: `tests/fixtures/version_1/make.rs`.
mod version_1 {
    use super::*;

    pub const PATH: &str = "tests/fixtures/version_1/checkpoint.safetensors";

    /// What that version measured without an interruption.
    pub fn expected() -> serde_json::Value {
        let text = fs::read_to_string("tests/fixtures/version_1/expected.json").unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["checkpoint"].take()
    }

    pub fn data(rows: usize, shift: f64) -> Dataset<f64> {
        let x = |i: usize, j: usize| ((i * (7 + 4 * j) + 3) % 32) as f64 / 16.0 - 1.0 + shift;
        let x = Array2::from_shape_fn((rows, 2), |(i, j)| x(i, j));
        let y = Array2::from_shape_fn((rows, 1), |(i, _)| x[[i, 0]] * x[[i, 0]] - 0.5 * x[[i, 1]]);
        Dataset::new(x, y).unwrap()
    }

    pub fn network() -> Network<f64> {
        let layers = Sequential::new().then(Linear::new(2, 5)).then(Tanh).then(Linear::new(5, 1));
        Network::new(layers).unwrap()
    }

    pub fn training<O: Optimizer<f64>>(
        optimizer: O,
        validation: &Dataset<f64>,
    ) -> Training<'_, f64, MeanSquaredError, O> {
        Training::new(MeanSquaredError, optimizer)
            .epochs(30)
            .batch_size(16)
            .seed(9)
            .validation(validation)
            .schedule(ReduceOnPlateau::default().patience(1).factor(0.5))
            .clip(Clip::GlobalNorm(0.5))
            .early_stopping(EarlyStopping::new(8))
            .progress(false)
            .resume(PATH)
    }
}

#[test]
fn a_checkpoint_of_version_1_resumes() {
    let (train, validation) = (version_1::data(40, 0.0), version_1::data(12, 0.03125));
    let adam = || Adam::new(0.05).weight_decay(0.01);
    let mut network = version_1::network();
    let history = version_1::training(adam(), &validation).fit(&mut network, &train).unwrap();
    let expected = version_1::expected();
    let numbers = |name: &str| -> Vec<f64> {
        expected[name].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    // The same up to the rounding of another processor.
    let close = |got: &[f64], name: &str| {
        let expected = numbers(name);
        assert_eq!(got.len(), expected.len(), "{name}");
        let far = got.iter().zip(&expected).find(|(got, expected)| (*got - *expected).abs() > 1e-9);
        assert_eq!(far, None, "{name}");
    };
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    close(&rates, "learning_rates");
    close(&history.validation_losses(), "validation_losses");
    close(network.params(), "params");
    assert_eq!(history.best, expected["best"].as_u64().map(|best| best as usize));

    // Its weights alone, which are the best so far.
    let mut alone = version_1::network().with_seed(1);
    load_checkpoint_weights(version_1::PATH, &mut alone).unwrap();
    let best = history.validation_losses()[..11].iter().copied().fold(f64::INFINITY, f64::min);
    let loss = alone.loss(&MeanSquaredError, validation.x(), validation.y()).unwrap();
    assert!((loss - best).abs() < 1e-9, "{loss}, {best}");
}

#[test]
fn a_checkpoint_of_version_1_is_refused_with_other_settings() {
    let (train, validation) = (version_1::data(40, 0.0), version_1::data(12, 0.03125));
    let adam = || Adam::new(0.05).weight_decay(0.01);
    let refused = |result: Result<History, Error>| match result.unwrap_err() {
        Error::File(file) => match file.problem {
            FileProblem::OtherTraining { setting, .. } => setting,
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    };
    let fit = |mut training: Training<'_, f64, MeanSquaredError, Adam<f64>>| {
        refused(training.fit(&mut version_1::network(), &train))
    };
    assert_eq!(fit(version_1::training(adam(), &validation).seed(10)), "seed");
    assert_eq!(fit(version_1::training(adam(), &validation).batch_size(15)), "batch size");
    assert_eq!(fit(version_1::training(Adam::new(0.06), &validation)), "learning rate");
    assert_eq!(fit(version_1::training(adam(), &validation).clip(Clip::Norm(0.5))), "clipping");
    assert_eq!(fit(version_1::training(adam(), &train)), "validation data");
    // The options of the rule were text without a fixed form: only its name is compared.
    let other = version_1::training(AdamW::new(0.05), &validation).fit(&mut version_1::network(), &train);
    assert_eq!(refused(other), "optimizer");
}

#[test]
fn options_of_one_setting_are_compared() {
    let case = Case::new();
    let adam = || case.training(optimizers()[2]()).checkpoint(case.path(), 1).epochs(1);
    let refused = |saved: Train<'_>, given: Train<'_>, setting: &str| {
        let (mut saved, mut given) = (saved, given.resume(case.path()).epochs(2));
        saved.fit(&mut network(), &case.train).unwrap();
        match given.fit(&mut network(), &case.train) {
            Err(Error::File(file)) => match file.problem {
                FileProblem::OtherTraining { setting: different, .. } => assert_eq!(different, setting),
                other => panic!("{setting}: {other}"),
            },
            other => panic!("{setting}: {other:?}"),
        }
    };
    let early = || EarlyStopping::new(3);
    refused(adam().clip(Clip::Norm(1.0)), adam().clip(Clip::Norm(2.0)), "clipping");
    refused(adam().clip(Clip::Norm(1.0)), adam().clip(Clip::GlobalNorm(1.0)), "clipping");
    refused(adam().schedule(Cosine::new(8)), adam().schedule(Cosine::new(9)), "schedule");
    refused(adam().schedule(Cosine::new(8)), adam().schedule_per_step(Cosine::new(8)), "schedule");
    refused(adam().early_stopping(early()), adam().early_stopping(early().min_delta(0.1)), "early stopping");
    refused(adam().early_stopping(early()), adam(), "early stopping");
    refused(adam().average_weights(0.9), adam().average_weights(0.8), "decay of the average weights");
    refused(adam().average_weights(0.9), adam(), "decay of the average weights");
    let (ones, mut other) = ([1.0; 60], [1.0; 60]);
    other[17] = 1.5;
    refused(adam().sample_weights(&ones), adam().sample_weights(&other), "sample weights");
}

#[test]
fn weights_of_a_checkpoint_are_those_that_training_would_have_ended_with() {
    let case = Case::new();
    for variant in 0..7 {
        let mut network = network();
        let training = configure(variant, case.training(optimizers()[2]())).checkpoint(case.path(), 3);
        let mut training = training.epochs(6);
        training.fit(&mut network, &case.train).unwrap();
        let mut loaded = self::network().with_seed(77);
        load_checkpoint_weights(case.path(), &mut loaded).unwrap();
        assert_eq!(bits(&loaded), bits(&network), "variant {variant}");
    }
}
