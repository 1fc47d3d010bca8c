//! `geartrain sweep`: the same bytes for threads, shards, and interrupted sweeps.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Folder, assert_well_formed, data, number, stderr, stdout};

const GRADIENTS: &str = "sweep gradients --activations tanh,relu --depths 4 --widths 8 --sigma-w 0.5:2:3 \
                         --sigma-b 0,0.5 --seeds 2 --rows 4 --predict --quiet";

#[test]
fn threads_and_shards_write_the_same_bytes() {
    let folder = Folder::new();
    folder.succeed(&format!("{GRADIENTS} --threads 1 --out one.csv --svg one.svg"));
    folder.succeed(&format!("{GRADIENTS} --threads 3 --out three.csv"));
    let one = folder.read("one.csv");
    // the sweep, the columns, a row per job
    assert_eq!(one.lines().count(), 2 + 2 * 3 * 2 * 2);
    assert_eq!(folder.read("three.csv"), one);
    assert_well_formed(&folder.read("one.svg"));

    for shard in 1..=3 {
        folder.succeed(&format!("{GRADIENTS} --shard {shard}/3 --out shard{shard}.csv"));
    }
    let refused = folder.run("sweep merge shard1.csv shard3.csv --out merged.csv");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("8 of 24 jobs are missing: 1, 4, 7"), "{}", stderr(&refused));
    assert!(!folder.path("merged.csv").exists());
    folder.succeed("sweep merge shard3.csv shard1.csv shard2.csv --out merged.csv --svg merged.svg");
    assert_eq!(folder.read("merged.csv"), one);
    assert_eq!(folder.read("merged.svg"), folder.read("one.svg"));

    // shards into one file, one after the other
    for shard in 1..=3 {
        folder.succeed(&format!("{GRADIENTS} --shard {shard}/3 --out same.csv"));
    }
    assert_eq!(folder.read("same.csv"), one);
}

#[test]
fn a_sweep_continues_after_an_incomplete_line() {
    let folder = Folder::new();
    folder.succeed(&format!("{GRADIENTS} --out whole.csv"));
    let whole = folder.read("whole.csv");
    let some_rows: Vec<&str> = whole.lines().take(9).collect();
    // rows in the order in which jobs ended, then half a line
    let [head, rest @ ..] = &some_rows[..] else { unreachable!() };
    let mut rows: Vec<&str> = rest[1..].to_vec();
    rows.reverse();
    folder.write("part.csv", &format!("{head}\n{}\n{}\n17,relu,4", rest[0], rows.join("\n")));
    folder.succeed(&format!("{GRADIENTS} --out part.csv"));
    assert_eq!(folder.read("part.csv"), whole);
}

#[test]
fn a_killed_sweep_continues_where_it_was() {
    let folder = Folder::new();
    let options = "sweep gradients --depths 10 --widths 64 --seeds 6 --predict --quiet --threads 1";
    let arguments: Vec<&str> = options.split(' ').chain(["--out", "killed.csv"]).collect();
    let mut child = folder.command(&arguments).spawn().expect("the program starts");
    let start = Instant::now();
    let rows = || fs::read_to_string(folder.path("killed.csv")).map_or(0, |text| text.lines().count());
    while rows() < 12 {
        assert!(start.elapsed() < Duration::from_secs(120), "no rows");
        sleep(Duration::from_millis(2));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let before = folder.read("killed.csv");
    assert!(before.lines().count() < 2 + 11 * 6 * 6, "the sweep was not interrupted");
    folder.succeed(&format!("{options} --out killed.csv"));
    folder.succeed(&format!("{options} --threads 2 --out whole.csv").replace("--threads 1 ", ""));
    assert_eq!(folder.read("killed.csv"), folder.read("whole.csv"));
}

#[test]
fn the_file_of_another_sweep_is_refused_and_kept() {
    let folder = Folder::new();
    folder.succeed(&format!("{GRADIENTS} --out sweep.csv"));
    let before = folder.read("sweep.csv");
    let refused = folder.run(&format!("{} --out sweep.csv", GRADIENTS.replace("--rows 4", "--rows 5")));
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("holds another sweep"), "{}", stderr(&refused));
    assert_eq!(folder.read("sweep.csv"), before);
    folder.write("table.csv", "a,b\n1,2\n");
    let refused = folder.run(&format!("{GRADIENTS} --out table.csv"));
    assert!(
        stderr(&refused).contains("table.csv, line 1: not the results of a sweep"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(folder.read("table.csv"), "a,b\n1,2\n");
    // a row whose settings are not those of its job
    folder.write("changed.csv", &before.replace("\n3,tanh,4,8,0,0.5,", "\n3,tanh,4,8,0,0.6,"));
    let refused = folder.run(&format!("{GRADIENTS} --out changed.csv"));
    assert!(
        stderr(&refused).contains("changed.csv, line 6: not a row of this sweep"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn gradients_vanish_and_explode_on_the_two_sides_of_the_edge() {
    let folder = Folder::new();
    let rows = folder.json(
        "sweep gradients --depths 12 --widths 64 --sigma-w 0.6,2.5 --sigma-b 0.2 --seeds 2 --out a.csv --json --quiet",
    );
    let decades: Vec<f64> = rows.as_array().unwrap().iter().map(|row| number(&row["decades"])).collect();
    assert!(decades[0] < -1.0 && decades[1] < -1.0 && decades[2] > 0.5 && decades[3] > 0.5, "{decades:?}");
    assert!(rows[0]["predicted"].is_null());
}

#[test]
fn a_gradient_sweep_draws_a_phase_diagram_for_each_number_of_training_steps() {
    let folder = Folder::new();
    let grid = "sweep gradients --depths 4 --widths 8 --sigma-w 1,2 --sigma-b 0.1 --seeds 1 --rows 4 --quiet";
    let rows = folder.json(&format!("{grid} --steps 0,80 --rate 0.1 --out a.csv --svg a.svg --json"));
    let start = folder.json(&format!("{grid} --out b.csv --json"));
    let decades = |row: &serde_json::Value| number(&row["decades"]);
    assert_eq!(rows[2]["steps"], 80);
    assert!(decades(&rows[0]) == decades(&start[0]) && decades(&rows[2]) != decades(&rows[0]), "{rows}");
    let picture = folder.read("a.svg");
    assert!(picture.contains("4 layers of 8</text>") && picture.contains("4 layers of 8, 80 steps</text>"));
    let refused = folder.run(&format!("{grid} --rate 0 --out c.csv"));
    assert!(stderr(&refused).contains("--rate must be a finite number above 0"), "{}", stderr(&refused));
}

#[test]
fn a_training_sweep_compares_rates_widths_and_folds() {
    let folder = Folder::new();
    let options = "sweep train --data iris --rates 0.01,0.1 --widths 4,8 --folds 3 --epochs 5 --quiet";
    let output = folder.run(&format!("{options} --out a.csv --svg a.svg --threads 2"));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("12 jobs done\n"), "{}", stdout(&output));
    assert_well_formed(&folder.read("a.svg"));
    let columns = "job,learning_rate,width,fold,seed,outcome,epochs,train_loss,accuracy";
    assert_eq!(folder.read("a.csv").lines().nth(1), Some(columns));
    for shard in ["1/2", "2/2"] {
        folder.succeed(&format!("{options} --shard {shard} --out {}.csv", shard.replace('/', "of")));
    }
    folder.succeed("sweep merge 1of2.csv 2of2.csv --out b.csv --svg b.svg");
    assert_eq!(folder.read("a.csv"), folder.read("b.csv"));
    assert_eq!(folder.read("a.svg"), folder.read("b.svg"));

    // a job is the training of `geartrain train` with these options
    let alone = "train --data iris --learning-rate 0.1 --hidden 8,8 --folds 3 --epochs 5 --quiet --json";
    let alone = folder.json(alone);
    let rows = folder.read("a.csv");
    let accuracies: Vec<f64> = rows
        .lines()
        .filter(|line| line.contains(",0.1,8,"))
        .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
        .collect();
    let expected: Vec<f64> =
        alone["folds"].as_array().unwrap().iter().map(|fold| number(&fold["accuracy"])).collect();
    assert_eq!(accuracies, expected);
}

#[test]
fn a_training_that_diverges_is_a_result() {
    let folder = Folder::new();
    let file = data("auto-mpg.csv");
    let rows = folder.json(&format!(
        "sweep train {file} --target mpg --rates 0.001,1e30 --hidden 4 --epochs 2 --out a.csv --json --quiet"
    ));
    assert_eq!(
        (rows[0]["outcome"].as_str(), rows[1]["outcome"].as_str()),
        (Some("trained"), Some("diverged"))
    );
    assert!(rows[0]["r2"].is_number() && rows[1]["r2"].is_null());
}

#[test]
fn invalid_sweeps_are_refused_before_they_write() {
    let folder = Folder::new();
    for (options, message) in [
        ("gradients --activations step", "unknown activation `step`; known: sigmoid, tanh"),
        ("gradients --sigma-w=-1", "--sigma-w and --sigma-b must be finite numbers ≥ 0"),
        ("gradients --sigma-w 1:2", "write FROM:TO:COUNT"),
        ("gradients --shard 5/4", "write K/N"),
        ("gradients --shard 1/4 --svg a.svg", "cannot be used with"),
        ("train --data iris --hidden 8,4", "--hidden has several widths"),
    ] {
        let refused = folder.run(&format!("sweep {options} --out a.csv"));
        assert_eq!(refused.status.code(), Some(2), "{options}");
        assert!(stderr(&refused).contains(message), "{options}: {}", stderr(&refused));
    }
    assert_eq!(folder.names(), [""; 0]);
}
