//! Reports: completeness, syntax, and measured numbers.

use geartrain::data::toy;
use geartrain::layers::{BatchNorm, Elementwise, LayerNorm, LeakyReLU};
use geartrain::prelude::*;
use geartrain_lab::{self as lab, Experiment, Recorder, Recording, Report, Spectra, measure, normal_batch};

fn network(activation: impl Elementwise + Copy + 'static) -> Network<f64> {
    let layer =
        |net: Sequential<f64>, _| net.then(Linear::new(24, 24).init(Init::xavier_normal())).then(activation);
    Network::new((0..6).fold(Sequential::new(), layer).then(Linear::new(24, 1))).unwrap()
}

fn report() -> Report {
    let x = normal_batch(16, 24, 1);
    let experiment = |name, network| Experiment::at_initialisation(name, &network, &x, 3).unwrap();
    let experiments =
        vec![experiment("sigmoid \"s\" <b>", network(Sigmoid)), experiment("tanh", network(Tanh))];
    let spectra = vec![spectra("tanh", network(Tanh)), spectra("skip & <b>", residual(48, 5, 0.5))];
    Report {
        title: "Two & more".into(),
        experiments,
        spectra,
        recordings: vec![recording()],
        courses: vec![],
    }
}

fn spectra(name: &str, network: Network<f64>) -> Spectra {
    let x = normal_batch(16, network.inputs(), 1);
    let networks: Vec<_> = (0..4).map(|seed| network.clone().with_seed(seed)).collect();
    let experiment = Experiment::of(name, &networks, &x).unwrap();
    Spectra::of(&experiment, &networks, &x).unwrap()
}

/// Blocks `h + scale · W relu(h)`.
fn residual(width: usize, blocks: usize, scale: f64) -> Network<f64> {
    let linear = || Linear::new(width, width).without_bias().init(Init::he_normal());
    let block = |net: Sequential<f64>, _| {
        net.then(Residual::new(Sequential::new().then(ReLU).then(linear())).scale(scale))
    };
    let layers = (0..blocks).fold(Sequential::new().then(linear()), block);
    Network::new(layers.then(ReLU).then(Linear::new(width, 1).without_bias())).unwrap()
}

#[test]
fn json_and_csv_contain_all_numbers() {
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
        assert!(layer["dead"].is_null(), "a linear layer has no activation units");
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
    let drawn: Vec<&str> = report.spectra_svgs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(drawn, ["singular_values", "jacobian_spread", "gradient_correlation", "path_lengths"]);
    assert_eq!(
        html.matches("<svg").count(),
        5 + drawn.len(),
        "gradients, training, phase diagram, signals, weight gradients, spectra"
    );
    let svg = report.gradients_svg();
    // six stations and a legend entry per network
    assert_eq!(svg.matches("<circle class=\"f0\"").count(), 7);
    assert_eq!(svg.matches("m-4 -4h8v8h-8z").count(), 7);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert!(report.phase_svg().unwrap().contains("χ₁ = 1 for Tanh"));
}

#[test]
fn f32_networks_are_measured_and_predicted() {
    let build =
        |net: Sequential<f32>, _| net.then(Linear::new(64, 64).init(Init::xavier_normal())).then(Sigmoid);
    let network = Network::<f32>::new((0..12).fold(Sequential::new(), build)).unwrap();
    let x = normal_batch::<f32>(16, 64, 1);
    let experiment = Experiment::at_initialisation("f32", &network, &x, 3).unwrap();
    let decades = experiment.measured.decades().mean;
    assert!((decades - experiment.predicted_decades().unwrap()).abs() < 0.15 && decades < -6.0, "{decades}");
}

/// Six layers with BatchNorm, measured before training and after steps 4, 8 and 12.
fn recording() -> Recording {
    let block = |net: Sequential<f64>, i| {
        net.then(Linear::new(if i == 0 { 10 } else { 8 }, 8)).then(BatchNorm::new(8)).then(ReLU)
    };
    let layers = (0..6).fold(Sequential::new(), block).then(Linear::new(8, 1));
    let mut network = Network::<f64>::new(layers).unwrap();
    let (data, batch) = (toy::friedman1(64, 1.0, 1).unwrap(), toy::friedman1(16, 1.0, 2).unwrap());
    let mut recorder = Recorder::new(4, &MeanSquaredError, batch.x(), batch.y());
    recorder.record(0, &network).unwrap();
    Training::new(MeanSquaredError, Sgd::new(0.01))
        .epochs(7)
        .batch_size(32)
        .progress(false)
        .callback(&mut recorder)
        .fit(&mut network, &data)
        .unwrap();
    recorder.into_recording("small & normalised")
}

#[test]
fn a_recorder_measures_while_fit_trains() {
    let recording = recording();
    assert_eq!(recording.snapshots.iter().map(|s| s.step).collect::<Vec<_>>(), [0, 4, 8, 12]);
    let losses: Vec<f64> = recording.snapshots.iter().map(|s| s.measurement.loss.unwrap()).collect();
    assert!(losses[3] < losses[0], "{losses:?}");
    let svg = recording.svg();
    assert!(svg.contains("small &amp; normalised: |δ| by layer during training"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    // four columns of six layers, the legend's 64 slices and the background
    assert_eq!(svg.matches("<rect").count(), 4 * 6 + 64 + 1);
}

#[test]
fn recording_does_not_change_training_and_wrong_shapes_are_errors() {
    let fit = |recorder: Option<&mut Recorder<f64>>| {
        let data = toy::sine::<f64>(40, 0.1, 1).unwrap();
        let layers = Sequential::new().then(Linear::new(1, 6)).then(BatchNorm::new(6)).then(Tanh);
        let mut network = Network::new(layers.then(Linear::new(6, 1))).unwrap();
        let mut training = Training::new(MeanSquaredError, Sgd::new(0.05)).epochs(3).progress(false);
        if let Some(recorder) = recorder {
            training = training.callback(recorder);
        }
        training.fit(&mut network, &data).map(|_| network.params().to_vec())
    };
    let (x, y, wrong) = (normal_batch(10, 1, 1), normal_batch(10, 1, 2), normal_batch(9, 1, 3));
    let mut recorder = Recorder::new(1, &MeanSquaredError, &x, &y);
    assert_eq!(fit(Some(&mut recorder)).unwrap(), fit(None).unwrap());
    let error = fit(Some(&mut Recorder::new(2, &MeanSquaredError, &x, &wrong))).unwrap_err();
    assert!(matches!(error, geartrain::Error::Callback { step: 2, .. }), "{error}");
}

#[test]
fn repeated_measurements_equal_fresh_ones() {
    let (x, y) = (normal_batch::<f64>(12, 5, 1), normal_batch(12, 2, 2));
    // activations that differ in an argument, all kinds of layers, and changing widths
    let build = |width: usize| {
        let body = Sequential::new().then(Linear::new(width, width)).then(LeakyReLU::new(0.5));
        let layers = Sequential::new()
            .then(Linear::new(5, width))
            .then(LeakyReLU::new(0.01))
            .then(Residual::new(body).scale(0.5))
            .then(LayerNorm::new(width))
            .then(Sigmoid)
            .then(BatchNorm::new(width))
            .then(Linear::new(width, 2));
        Network::<f64>::new(layers).unwrap()
    };
    let mut recorder = Recorder::new(1, &MeanSquaredError, &x, &y);
    let networks = [build(7).with_seed(1), build(13), build(3), build(7).with_seed(2)];
    for network in &networks {
        recorder.record(0, network).unwrap();
    }
    for (network, snapshot) in networks.iter().zip(recorder.snapshots()) {
        let fresh = measure(network, &MeanSquaredError, &x, &y).unwrap();
        assert_eq!(snapshot.measurement, fresh);
        let saturated: Vec<f64> = fresh.layers.iter().filter_map(|l| Some(l.units?.saturated)).collect();
        assert!(saturated[0] > 0.1, "slopes of 0.01 are below a twentieth of 1");
        assert_eq!(saturated[1], 0.0, "slopes of 0.5 are not");
    }
}

#[test]
fn spectra_are_reported_with_their_predictions() {
    let report = report();
    let [tanh, skip] = &report.spectra[..] else { panic!("two") };
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    let found = &json["spectra"][1];
    assert_eq!(found["name"], "skip & <b>");
    let third = &skip.seeds[2];
    assert_eq!(found["seeds"][2]["gradient_correlation"][1]["measured"], third.correlations[1].measured);
    assert_eq!(found["seeds"][2]["path_share"][3]["predicted"], third.path_shares[3].predicted.unwrap());
    assert!(json["spectra"][1]["seeds"][0]["jacobian_spread"][0]["predicted"].is_null(), "not a plain stack");
    // 24 singular values, six stations twice; 48, six stations twice, six path lengths
    let csv = report.spectra_csv();
    assert_eq!(csv.lines().count(), 1 + (24 + 4 * 12) + (48 + 4 * 18));
    assert!(
        csv.contains(&format!("\"skip & <b>\",0,singular_value,0,{:?},\n", skip.seeds[0].singular_values[0]))
    );
    let page = report.html();
    assert!(page.contains("<td>skip &amp; &lt;b&gt;<td>") && !page.contains("skip & <b>"));
    assert!(report.spectra_svgs().iter().all(|(_, svg)| !svg.contains("NaN") && !svg.contains("inf")));
    // the residual network has the second mark in every chart, even alone
    let paths = &report.spectra_svgs()[3].1;
    assert!(paths.contains("m-4 -4h8v8h-8z") && !paths.contains("<circle"));
    assert!(tanh.seeds.iter().all(|seed| seed.path_shares.is_empty()));
}

#[test]
fn spectra_agree_with_its_instruments_and_with_the_theory() {
    let plain = |width: usize| {
        let linear = || Linear::new(width, width).without_bias().init(Init::he_normal());
        let block = |net: Sequential<f64>, _| net.then(ReLU).then(linear());
        let layers = (0..3).fold(Sequential::new().then(linear()), block);
        Network::<f64>::new(layers.then(ReLU).then(Linear::new(width, 1).without_bias())).unwrap()
    };
    let wide = spectra("relu", plain(160));
    // the Jacobian of the last station in the first
    let (seed, mean) = (&wide.seeds[0], |pick: fn(&lab::NetworkSpectra) -> lab::Comparison| {
        let all: Vec<_> = wide.seeds.iter().map(pick).collect();
        let n = all.len() as f64;
        let predicted = all.iter().map(|c| c.predicted.unwrap()).sum::<f64>() / n;
        (all.iter().map(|c| c.measured).sum::<f64>() / n, predicted)
    });
    assert_eq!((seed.singular_values.len(), seed.spreads.len(), seed.correlations.len()), (160, 4, 4));
    let from_values = lab::spread(&seed.singular_values);
    assert!((seed.spreads[0].measured / from_values - 1.0).abs() < 1e-9, "{from_values}");
    assert!(seed.spreads[3].measured.abs() < 1e-12, "the Jacobian of an output in itself is the identity");
    // three layers of ReLU contribute 2 each
    let (measured, predicted) = mean(|inside| inside.spreads[0]);
    assert!(
        (predicted - 6.0).abs() < 0.3 && (measured / predicted - 1.0).abs() < 0.15,
        "{measured} {predicted}"
    );
    let (measured, predicted) = mean(|inside| inside.correlations[0]);
    assert!((measured - predicted).abs() < 0.03, "{measured} against {predicted}");
    assert!((predicted - lab::formulas::relu_gradient_correlation(0.0, 4)).abs() < 0.02, "{predicted}");

    let skip = spectra("skip", residual(160, 5, 0.5));
    for (list, error) in [
        ((|inside| &inside.path_shares) as fn(&lab::NetworkSpectra) -> &Vec<lab::Comparison>, 0.06),
        (|inside| &inside.correlations, 0.05),
    ] {
        for i in 0..list(&skip.seeds[0]).len() {
            let mean = |pick: fn(lab::Comparison) -> f64| {
                skip.seeds.iter().map(|inside| pick(list(inside)[i])).sum::<f64>() / 4.0
            };
            let (measured, predicted) = (mean(|c| c.measured), mean(|c| c.predicted.unwrap()));
            assert!((measured - predicted).abs() < error, "{i}: {measured} against {predicted}");
        }
    }
    for inside in &skip.seeds {
        let sum = |pick: fn(&lab::Comparison) -> f64| inside.path_shares.iter().map(pick).sum::<f64>();
        assert!((sum(|c| c.measured) - 1.0).abs() < 1e-12);
        assert!((sum(|c| c.predicted.unwrap()) - 1.0).abs() < 1e-12);
    }
    // with BatchNorm, a single row has no Jacobian
    let block = |net: Sequential<f64>, _| net.then(BatchNorm::new(8)).then(ReLU).then(Linear::new(8, 8));
    let layers = (0..3).fold(Sequential::new().then(Linear::new(8, 8)), block);
    let normalised = spectra("batch norm", Network::new(layers).unwrap());
    assert!(normalised.seeds[0].singular_values.is_empty() && normalised.seeds[0].spreads.is_empty());
    assert!(normalised.seeds[0].correlations.iter().all(|c| c.predicted.is_none()));
    let report = Report { spectra: vec![normalised], ..report() };
    let drawn: Vec<&str> = report.spectra_svgs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(drawn, ["gradient_correlation"]);
    assert!(report.html().contains("<tr><td>batch norm<td>–<td>–<td>–<td>"));
}
