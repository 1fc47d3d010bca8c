//! Help, invalid options, and the exit codes.

use crate::support::{Folder, stderr, stdout};

const COMMANDS: [&str; 8] = ["train", "predict", "export", "gradients", "reproduce", "bench", "graph", "lab"];

#[test]
fn every_command_has_help() {
    let folder = Folder::new();
    let help = folder.succeed("--help");
    for command in COMMANDS {
        assert!(help.contains(&format!("  {command} ")), "{command} is missing in\n{help}");
        let text = folder.succeed(&format!("{command} --help"));
        assert!(text.contains("Usage: geartrain"), "{text}");
    }
    let train = folder.succeed("train --help");
    for heading in ["Data:", "Format of the file:", "Network and training:", "Results:"] {
        assert!(train.contains(heading), "no heading `{heading}` in\n{train}");
    }
    assert!(folder.succeed("--version").starts_with("geartrain 0."));
}

#[test]
fn invalid_options_exit_with_2_and_other_errors_with_1() {
    let folder = Folder::new();
    folder.write("gap.csv", "x,label\n1,a\n2,\n3,b\n");
    folder.write("labels.csv", "x,label\n1,a\n2,b\n3,b\n4,a\n");
    for (arguments, code, message) in [
        ("train --data auto-mpg --folds 1", 2, "--folds"),
        ("train --data auto-mpg --folds 393", 1, "the number of rows, 392; got 393"),
        ("train --data auto-mpg --hidden 0", 2, "at least 1, got 0"),
        ("train --data auto-mpg --hidden 1000000000", 2, "GB to train"),
        ("train --data auto-mpg --hidden 8 --residual", 2, "--residual needs two neighbours"),
        ("train --data auto-mpg --learning-rate NaN", 2, "learning rate must be a finite number"),
        ("train --data auto-mpg --learning-rate -1", 2, "learning rate must be a finite number"),
        ("train --data auto-mpg --learning-rate 1e6", 1, "training diverged in epoch"),
        ("train --data auto-mpg --momentum 1", 2, "momentum must be in [0, 1)"),
        ("train --data auto-mpg --batch-size 0", 2, "--batch-size"),
        ("train --data auto-mpg --features nonsense", 1, "no column `nonsense`"),
        ("train --data auto-mpg --optimizer adam --momentum 0.9", 2, "--momentum is for"),
        ("train --data auto-mpg --dropout 1.5", 2, "1.5"),
        ("train --data auto-mpg --early-stopping 0", 2, "patience must be at least 1"),
        ("train --data moons --features x0", 2, "not for generated data"),
        ("train --data moons --task regression", 2, "--task does not fit"),
        ("train --data nonsense", 2, "possible values: auto-mpg, penguins"),
        ("train --data auto-mpg --epochs many", 2, "--epochs"),
        ("train --data auto-mpg --save m.safetensors --folds 2", 2, "cannot be used with"),
        ("train nonsense.csv --target y", 1, "nonsense.csv"),
        ("train nonsense.csv", 2, "--target"),
        ("train nonsense.csv --target y --data sine", 2, "cannot be used with"),
        ("train --target y", 2, "required"),
        ("train gap.csv --target label", 1, "gap.csv, line 3, column 2 (`label`): the cell is empty"),
        ("train labels.csv --target nonsense", 1, "no column `nonsense`"),
        ("predict m.safetensors", 2, "required"),
        ("export m.safetensors", 2, "--onnx"),
        ("gradients --networks nonsense", 2, "unknown activation `nonsense`"),
        ("gradients --networks relu+nonsense", 2, "unknown part `nonsense`"),
        ("gradients --depth 1", 2, "--depth"),
        ("reproduce nonsense", 2, "unknown experiment `nonsense`"),
        ("bench --workload nonsense", 2, "unknown workload `nonsense`"),
        ("bench --threads 0", 2, "--threads"),
        ("graph w*", 2, "w*"),
        ("graph w*x w=2", 2, "write NAME=VALUE after the formula"),
        ("graph w w=two", 2, "not a number"),
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: "), "{arguments}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{arguments}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{arguments}: {}", stderr(&output));
    }
}

#[test]
fn a_closed_stdout_is_not_an_error() {
    use std::process::Stdio;
    let folder = Folder::new();
    for arguments in [&["train", "--data", "auto-mpg", "--epochs", "1"][..], &["train", "--help"], &["graph"]]
    {
        let mut command = folder.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
    assert!(stdout(&folder.run("graph")).contains("Gradients three ways"));
}
