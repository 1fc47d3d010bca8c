//! Files that a command writes: tested before the work, kept after Ctrl-C.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use geartrain::Predictor;

use crate::support::{Folder, assert_well_formed, data, stderr};

#[test]
fn a_path_that_cannot_be_written_is_an_error_before_training() {
    let folder = Folder::new();
    let penguins = data("penguins.csv");
    std::fs::create_dir(folder.path("folder")).unwrap();
    for arguments in [
        "train --data auto-mpg --save no/such/model.safetensors",
        "train --data auto-mpg --save folder",
        "train --data auto-mpg --svg no/such/picture.svg",
        "gradients --out /dev/null/report",
        "graph --svg no/such/graph.svg",
        "graph --dot folder",
        &format!("predict model.safetensors '{penguins}' --output no/such/out.csv"),
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {}", stderr(&output));
        let path = arguments.rsplit(' ').next().unwrap();
        assert!(stderr(&output).starts_with(&format!("error: {path}: ")), "{arguments}: {}", stderr(&output));
        // Nothing has been trained or printed before.
        assert_eq!(stderr(&output).lines().count(), 1, "{arguments}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments}");
    }
    assert_eq!(folder.names(), ["folder"]);
}

#[cfg(unix)]
#[test]
fn a_write_protected_file_is_an_error_before_training() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.write("model.safetensors", "old");
    let path = folder.path("model.safetensors");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let output = folder.run("train --data auto-mpg --save model.safetensors");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("error: model.safetensors: "), "{}", stderr(&output));
    assert_eq!(folder.read("model.safetensors"), "old");
}

#[test]
fn outputs_do_not_replace_inputs_or_each_other() {
    let folder = Folder::new();
    folder.write("a.csv", "x,y\n1,2\n2,4\n3,6\n4,8\n5,10\n6,12\n");
    folder.succeed("train a.csv --target y --epochs 1 --quiet --save m.safetensors");
    let (table, model) = (folder.read("a.csv"), std::fs::read(folder.path("m.safetensors")).unwrap());
    #[cfg(unix)]
    std::os::unix::fs::symlink("a.csv", folder.path("link")).unwrap();
    #[cfg(not(unix))]
    folder.write("link", "not a link");
    for arguments in [
        "train a.csv --target y --save a.csv",
        "train a.csv --target y --svg ./a.csv",
        #[cfg(unix)]
        "train a.csv --target y --save link",
        "train --data iris --save new --svg ./new",
        "train a.csv --target y --test m.safetensors --save m.safetensors",
        "predict m.safetensors a.csv --output a.csv",
        "predict m.safetensors a.csv --output m.safetensors",
        "export m.safetensors --onnx m.safetensors",
        "graph --svg g --dot g",
        "sweep gradients --out s --svg s",
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {}", stderr(&output));
        assert!(stderr(&output).contains(": the output would replace another file"), "{}", stderr(&output));
    }
    assert_eq!((folder.read("a.csv"), std::fs::read(folder.path("m.safetensors")).unwrap()), (table, model));
    let mut names = folder.names();
    names.sort();
    assert_eq!(names, ["a.csv", "link", "m.safetensors"]);
}

#[test]
fn nothing_is_written_without_an_option() {
    let folder = Folder::new();
    for command in
        ["train --data auto-mpg --epochs 1 --quiet", "graph", "gradients --depth 3 --width 8 --seeds 2"]
    {
        folder.succeed(command);
        assert_eq!(folder.names(), [""; 0], "{command}");
    }
}

#[test]
fn gradients_write_a_report() {
    let folder = Folder::new();
    let text =
        folder.succeed("gradients --depth 4 --width 16 --seeds 2 --networks sigmoid,relu --out new/report");
    assert!(text.contains("ratio per layer") && text.contains("sigmoid"), "{text}");
    for file in ["report.html", "gradients.svg", "numbers.csv", "spectra.csv", "numbers.json"] {
        assert!(!folder.read(&format!("new/report/{file}")).is_empty(), "{file}");
    }
    let json = folder.json("gradients --depth 4 --width 16 --seeds 2 --networks sigmoid,relu --json");
    assert_eq!(
        json.to_string(),
        serde_json::from_str::<serde_json::Value>(&folder.read("new/report/numbers.json"))
            .unwrap()
            .to_string()
    );
}

/// Waits for a line of `source` that contains `mark`, then sends what Ctrl-C sends.
#[cfg(unix)]
fn interrupt_after(mark: &str, source: impl Read, child: &Child) -> impl Iterator<Item = String> {
    let mut lines = BufReader::new(source).lines().map(Result::unwrap);
    lines.find(|line| line.contains(mark)).expect("the command has begun");
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signalled.expect("kill exists").success());
    lines
}

/// Ctrl-C while a training of many epochs runs.
#[cfg(unix)]
#[test]
fn an_interrupted_training_saves_its_model_and_exits_with_130() {
    let folder = Folder::new();
    let arguments =
        ["train", "--data", "auto-mpg", "--epochs", "1000000", "--save", "m.safetensors", "--json"];
    let mut command = folder.command(&arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let stderr = child.stderr.take().unwrap();
    // The first lines of progress: training has begun.
    let notes: Vec<String> = interrupt_after("epoch 1/", stderr, &child).collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{notes:?}");
    assert!(notes.iter().any(|line| line.contains("The model is in m.safetensors")), "{notes:?}");
    assert!(notes.last().unwrap().starts_with("Interrupted: "), "{notes:?}");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("scores");
    assert_eq!(result["interrupted"], true);
    assert!(result["test"]["rmse"].is_number(), "{result}");
    let model = Predictor::<f32>::load(folder.path("m.safetensors")).expect("a whole model");
    assert_eq!(model.target_names(), ["mpg"]);
}

#[test]
fn a_report_on_training_has_the_edge_the_eigenvalues_and_the_way_through_the_phases() {
    let folder = Folder::new();
    let options = "gradients --networks tanh --depth 3 --width 16 --seeds 1 --train 200 --rates 0.01 --try";
    let text = folder.succeed(&format!("{options} --out report"));
    // the rate of 0.01 is far below the edge, and this was tried out
    assert!(text.contains("The rate is stable: it could be ") && text.contains("\nTried: "), "{text}");
    let page = folder.read("report/report.html");
    for part in [
        "tanh: sharpness during training",
        ">largest stable one</text>",
        "tanh: eigenvalues of the Hessian after training",
        "tanh: linearised training",
        ">tanh in training</text>",
        ">10 measurements</text>",
        "The rate is stable: it could be ",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_well_formed(&folder.read("report/sharpness-1.svg"));
}

#[cfg(unix)]
#[test]
fn interrupted_gradients_report_what_is_measured() {
    let folder = Folder::new();
    let arguments = "gradients --networks relu,tanh --depth 2 --width 4 --seeds 1 --train 100000000";
    let mut command = folder.command(&arguments.split(' ').collect::<Vec<_>>());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let stderr = child.stderr.take().unwrap();
    let notes: Vec<String> = interrupt_after("Training relu", stderr, &child).collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{notes:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("ratio per layer"));
    let expected = "Interrupted: the results are those of 1 of 2 networks, 0 of them trained.";
    assert_eq!(notes.last().unwrap(), expected);
}

#[cfg(unix)]
#[test]
fn an_interrupted_reproduction_says_what_is_complete() {
    let folder = Folder::new();
    let mut command = folder.command(&["reproduce", "chain", "he"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let stdout = child.stdout.take().unwrap();
    assert_eq!(interrupt_after("he: ", stdout, &child).filter(|line| line.contains("pass")).count(), 0);
    let output = child.wait_with_output().expect("it ends");
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{notes}");
    assert!(notes.ends_with("the results are those of 1 complete experiment.\n"), "{notes}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_benchmark_keeps_what_is_measured() {
    let folder = Folder::new();
    let mut command = folder.command(&["bench", "--workload", "all"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let stdout = child.stdout.take().unwrap();
    assert!(interrupt_after("T1 ", stdout, &child).count() < 5, "most networks are not measured");
    let output = child.wait_with_output().expect("it ends");
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{notes}");
    assert!(notes.ends_with("Interrupted: the results are those of the networks before.\n"), "{notes}");
}
