//! The report: complete, well-formed, and with the numbers that were measured.

use geartrain::lab::{Experiment, Recorder, Report, normal_batch};
use geartrain::layers::{BatchNorm, Elementwise};
use geartrain::prelude::*;

fn network(activation: impl Elementwise + Copy + 'static) -> Network<f64> {
    let layer =
        |net: Sequential<f64>, _| net.then(Linear::new(24, 24).init(Init::xavier_normal())).then(activation);
    Network::new((0..6).fold(Sequential::new(), layer).then(Linear::new(24, 1)), 24).unwrap()
}

fn report() -> Report {
    let x = normal_batch(16, 24, 1);
    let experiment = |name, network| Experiment::at_initialisation(name, &network, x.view(), 3).unwrap();
    let experiments =
        vec![experiment("sigmoid \"s\" <b>", network(Sigmoid)), experiment("tanh", network(Tanh))];
    Report { title: "Two & more".into(), experiments }
}

#[test]
fn json_and_csv_hold_every_number() {
    let report = report();
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["title"], "Two & more");
    for (i, experiment) in report.experiments.iter().enumerate() {
        let network = &json["networks"][i];
        assert_eq!(network["name"], experiment.name.as_str());
        assert_eq!(network["decades"].as_f64(), Some(experiment.measured.decades().mean));
        assert_eq!(network["predicted_decades"].as_f64(), experiment.predicted_decades());
        let layer = &network["seeds"][2]["layers"][4];
        let measured = &experiment.measured.seeds[2].layers[4];
        assert_eq!(layer["path"], measured.path.as_str());
        assert_eq!(layer["gradient"].as_f64(), Some(measured.gradient));
        assert_eq!(layer["predicted_gradient"].as_f64(), experiment.predicted[2].layers[4].gradient);
        assert!(layer["dead"].is_null(), "a linear layer has no units that die");
    }
    let csv = report.csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 3 * 13);
    let columns = lines[0].split(',').count();
    assert!(lines[1].starts_with("\"sigmoid \"\"s\"\" <b>\",0,\"0\","), "{}", lines[1]);
    assert!(lines[60].split(',').count() >= columns);
}

#[test]
fn the_page_is_self_contained() {
    let report = report();
    let html = report.html();
    assert!(html.contains("Two &amp; more") && html.contains("sigmoid &quot;s&quot; &lt;b&gt;"));
    assert!(html.contains("prefers-color-scheme:dark"));
    assert_eq!(
        html.matches("http").count(),
        html.matches("http://www.w3.org/2000/svg").count(),
        "nothing is loaded"
    );
    assert_eq!(html.matches("<svg").count(), 4, "gradients, phase diagram, signals, weight gradients");
    let svg = report.gradients_svg();
    // six stations and a legend entry per network, each with its shape
    assert_eq!(svg.matches("<circle class=\"f0\"").count(), 7);
    assert_eq!(svg.matches("m-4 -4h8v8h-8z").count(), 7);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert!(report.phase_svg().unwrap().contains("χ₁ = 1 for Tanh"));
}

#[test]
fn f32_networks_are_measured_and_predicted_too() {
    let build =
        |net: Sequential<f32>, _| net.then(Linear::new(64, 64).init(Init::xavier_normal())).then(Sigmoid);
    let network = Network::<f32>::new((0..12).fold(Sequential::new(), build), 64).unwrap();
    let x = normal_batch::<f32>(16, 64, 1);
    let experiment = Experiment::at_initialisation("f32", &network, x.view(), 3).unwrap();
    let decades = experiment.measured.decades().mean;
    assert!((decades - experiment.predicted_decades().unwrap()).abs() < 0.15 && decades < -6.0, "{decades}");
}

#[test]
fn a_recorder_measures_when_it_is_time() {
    let block =
        Sequential::new().then(Linear::new(4, 8)).then(BatchNorm::new(8)).then(ReLU).then(Linear::new(8, 1));
    let network = Network::<f64>::new(block, 4).unwrap();
    let (x, y) = (normal_batch(10, 4, 1), normal_batch(10, 1, 2));
    let mut recorder = Recorder::new(4);
    for step in 0..10 {
        recorder.record(step, &network, &MeanSquaredError, x.view(), y.view()).unwrap();
    }
    assert_eq!(recorder.snapshots().iter().map(|s| s.step).collect::<Vec<_>>(), [0, 4, 8]);
    assert_eq!(recorder.snapshots()[2].measurement, recorder.snapshots()[0].measurement);
    assert!(recorder.snapshots()[0].measurement.loss.is_some());
}
