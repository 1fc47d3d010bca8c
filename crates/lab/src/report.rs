//! Reports: charts, tables, diagnoses and all numbers of several experiments.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::chart::{Chart, Series};
use crate::experiment::Experiment;
use crate::measure::{LayerMeasurement, Measurement};
use crate::recorder::Recording;
use crate::remedies::Remedy;
use crate::spectra::Spectra;
use crate::spectra_report;
use crate::svg::style;
use crate::text::{cell, escape, minus, quoted};
use crate::theory::predict::{LayerPrediction, Prediction};
use crate::watch::TrainingCourse;

/// A report on several networks. Every method returns the text of a file.
///
/// ```
/// use geartrain::prelude::*;
/// use geartrain_lab as lab;
/// let layer = |net: Sequential<f64>, _| net.then(Linear::new(16, 16)).then(Tanh);
/// let network = Network::new((0..5).fold(Sequential::new(), layer))?;
/// let x = lab::normal_batch(8, 16, 1);
/// let tanh = lab::Experiment::at_initialisation("tanh", &network, &x, 3)?;
/// let report = lab::Report {
///     title: "Five layers of tanh".into(),
///     experiments: vec![tanh],
///     spectra: vec![],
///     recordings: vec![],
///     courses: vec![],
/// };
/// assert!(report.html().starts_with("<!doctype html>"));
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Report {
    /// The page's heading.
    pub title: String,
    /// The networks, in the order of the legend.
    pub experiments: Vec<Experiment>,
    /// The spectra of these networks; may be empty.
    pub spectra: Vec<Spectra>,
    /// Recordings of training runs; may be empty.
    pub recordings: Vec<Recording>,
    /// Courses of training runs; may be empty. One with the name of an experiment is drawn in its
    /// colour.
    pub courses: Vec<TrainingCourse>,
}

impl Report {
    /// `|δ|` at each layer relative to the last, on a logarithmic axis: measured points with
    /// standard errors, the predicted line, and a band of one standard deviation over networks of
    /// this width. An SVG document.
    pub fn gradients_svg(&self) -> String {
        self.gradients().svg(true)
    }

    /// The phase diagram: the plane of σw and σb with the edge of chaos of each activation and the
    /// networks as dots; `None` if no network has a [phase](Experiment::phase). An SVG document.
    pub fn phase_svg(&self) -> Option<String> {
        self.phases().map(|chart| chart.svg(true))
    }

    /// The non-empty charts of the spectra, each with a name for a file: singular values of
    /// Jacobians, their spread, the correlation of gradients, and path lengths. SVG documents.
    pub fn spectra_svgs(&self) -> Vec<(&'static str, String)> {
        let charts = spectra_report::charts(&self.spectra).into_iter();
        charts.map(|(name, chart)| (name, chart.svg(true))).collect()
    }

    fn gradients(&self) -> Chart {
        let note = |experiment: &Experiment| {
            let decades = experiment.measured.decades();
            minus(format!("{:.3} per layer, {:+.2} decades", experiment.measured.ratio(), decades.mean))
        };
        self.by_layer(
            "Gradient by layer: measured (points) and predicted (lines)",
            "|δ| relative to the last layer",
            note,
            Measurement::relative_gradient,
            Prediction::relative_gradient,
        )
    }

    fn signals(&self) -> Chart {
        self.by_layer(
            "Signal by layer: mean square of the layer's output",
            "q",
            |_| String::new(),
            |m, row| m.layers[row].output.mean_square(),
            |p, row, _| p.layers[row].q,
        )
    }

    fn weight_gradients(&self) -> Chart {
        self.by_layer(
            "Gradient of the weights by layer (uninformative in ReLU networks)",
            "|dW|",
            |_| String::new(),
            Measurement::weight_gradient,
            |_, _, _| None,
        )
    }

    fn by_layer(
        &self,
        title: &str,
        y_label: &str,
        note: impl Fn(&Experiment) -> String,
        measured: impl Fn(&Measurement, usize) -> f64,
        predicted: impl Fn(&Prediction, usize, usize) -> Option<f64>,
    ) -> Chart {
        let series = |(colour, experiment): (usize, &Experiment)| {
            let stations = experiment.stations();
            let top = stations.last().copied().unwrap_or(0);
            let point = |(i, &row): (usize, &usize)| {
                let log = experiment.log(row, &measured);
                (i as f64 + 1.0, log.mean, log.error)
            };
            let line = |(i, &row): (usize, &usize)| {
                let mean = experiment.predicted_log(row, |p, row| predicted(p, row, top))?;
                let band = experiment.predicted[0].relative_deviation(row, top);
                let band = if y_label == "q" { 0.0 } else { band };
                Some((i as f64 + 1.0, mean, band))
            };
            Series {
                name: experiment.name.clone(),
                colour,
                note: note(experiment),
                points: stations.iter().enumerate().map(point).collect(),
                line: stations.iter().enumerate().filter_map(line).collect(),
                dashed: experiment.predicted.iter().any(|predicted| !predicted.limits.is_empty()),
            }
        };
        Chart {
            title: title.into(),
            x_label: "layer or block, from the input".into(),
            y_label: y_label.into(),
            logarithmic: true,
            series: self.experiments.iter().enumerate().map(series).collect(),
        }
    }

    fn phases(&self) -> Option<Chart> {
        let experiments = || self.experiments.iter().enumerate();
        let phases = || experiments().filter_map(|(i, e)| Some((i, e, e.phase.as_ref()?)));
        let reach_w = 1.5 * phases().map(|(.., p)| p.sigma_w).fold(2.0, f64::max);
        let reach_b = 1.5 * phases().map(|(.., p)| p.sigma_b).fold(0.7, f64::max);
        let mut series: Vec<Series> = Vec::new();
        for (colour, experiment, phase) in phases() {
            let dot = (phase.sigma_w, phase.sigma_b, 0.0);
            // dots that overlap become one dot with both names
            let near = |from: f64, to: f64, reach: f64| (from - to).abs() < 0.015 * reach;
            let hidden =
                |s: &&mut Series| near(s.points[0].0, dot.0, reach_w) && near(s.points[0].1, dot.1, reach_b);
            match series.iter_mut().find(hidden) {
                Some(other) => other.name += &format!(", {}", experiment.name),
                None => series.push(Series {
                    name: experiment.name.clone(),
                    colour,
                    note: format!("σw = {:.3}, σb = {:.3}", phase.sigma_w, phase.sigma_b),
                    points: vec![dot],
                    ..Series::default()
                }),
            }
        }
        // the way of a network in training
        for course in &self.courses {
            let points = course.records.iter().filter_map(|record| Some((record.step, record.phase?)));
            let line: Vec<_> = points.map(|(_, (w, b))| (w, b, 0.0)).filter(|p| p.0 <= reach_w).collect();
            let colour = self.experiments.iter().position(|e| e.name == course.name);
            series.push(Series {
                name: format!("{} in training", course.name),
                colour: colour.unwrap_or(0),
                note: format!("{} measurements", line.len()),
                points: line.clone(),
                line,
                dashed: true,
            });
        }
        series.retain(|series| !series.points.is_empty());
        let mut seen = Vec::new();
        for (.., phase) in phases().filter(|(.., p)| p.edge.iter().any(|e| e.0 < reach_w)) {
            if seen.contains(&&phase.activation) {
                continue;
            }
            seen.push(&phase.activation);
            let inside = phase.edge.iter().filter(|e| e.0 <= reach_w && e.1 <= reach_b);
            let mut line: Vec<_> = inside.map(|e| (e.0, e.1, 0.0)).collect();
            if line.iter().all(|p| p.1 == 0.0) {
                // for scale-free activations, χ₁ depends on neither q nor σb
                line = vec![(line[0].0, 0.0, 0.0), (line[0].0, reach_b, 0.0)];
            }
            series.push(Series {
                colour: self.experiments.len() + seen.len() - 1,
                name: format!("χ₁ = 1 for {}", phase.activation),
                note: "left: vanishing, right: exploding".into(),
                line,
                ..Series::default()
            });
        }
        (!series.is_empty()).then(|| Chart {
            title: "Phase diagram: where gradients keep their size".into(),
            x_label: "σw".into(),
            y_label: "σb".into(),
            logarithmic: false,
            series,
        })
    }

    /// A self-contained HTML page for light and dark screens.
    pub fn html(&self) -> String {
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title><style>{PAGE}{style}</style><h1>{title}</h1>",
            title = escape(&self.title),
            style = style()
        );
        page += &self.gradients().svg(false);
        page += "<p>Points: geometric mean over seeds. Bars: its standard error. Lines: theory. Bands: one \
                 standard deviation over networks of this width. Dashed lines: the theory covers the network \
                 only in part; see its diagnosis below.</p>";
        page += &self.summary_table();
        for experiment in &self.experiments {
            let _ = write!(
                page,
                "<h2>{}</h2><pre>{}</pre>",
                escape(&experiment.name),
                escape(&experiment.diagnosis.to_string())
            );
        }
        // one scale for all recordings
        let ranges = self.recordings.iter().filter_map(Recording::range);
        let all = ranges.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)));
        for recording in &self.recordings {
            page += &recording.heat_map(all, false);
        }
        for course in &self.courses {
            page += &course.chart().svg(false);
            if let Some(density) = &course.density {
                let title = format!("{}: eigenvalues of the Hessian after training", course.name);
                page += &density.chart(&title).svg(false);
            }
            if let Some(linearisation) = &course.linearisation {
                page += &linearisation.chart(&format!("{}: linearised training", course.name)).svg(false);
            }
            let table = course.table();
            let _ = write!(page, "<pre style=\"white-space:pre\">{}</pre>", escape(&table));
            for finding in course.findings() {
                let _ = write!(page, "<p>{}</p>", escape(&finding.to_string()));
            }
        }
        if let Some(chart) = self.phases() {
            page += &chart.svg(false);
        }
        page += &self.signals().svg(false);
        page += &self.weight_gradients().svg(false);
        if !self.spectra.is_empty() {
            page += SPECTRA;
            for (_, chart) in spectra_report::charts(&self.spectra) {
                page += &chart.svg(false);
            }
            page += &spectra_report::table(&self.spectra);
        }
        for experiment in &self.experiments {
            page += &layer_table(experiment);
        }
        page + "</html>\n"
    }

    fn summary_table(&self) -> String {
        let mut table = String::from(
            "<table><tr><th>network<th>ratio per layer<th>decades, measured<th>decades, predicted<th>dead units\
             <th>saturated slopes",
        );
        for experiment in &self.experiments {
            let decades = experiment.measured.decades();
            let _ = write!(
                table,
                "<tr><td>{}<td>{:.4}<td>{:.3} ± {:.3}<td>{}<td>{:.0} %<td>{:.0} %",
                escape(&experiment.name),
                experiment.measured.ratio(),
                decades.mean,
                decades.error,
                experiment.predicted_decades().map_or("not covered".into(), |d| format!("{d:.3}")),
                100.0 * experiment.measured.largest(|u| u.dead),
                100.0 * experiment.measured.largest(|u| u.saturated - u.off),
            );
        }
        table + "</table>"
    }

    /// All measured and predicted numbers, one row per network, seed and layer. A field without a
    /// value is empty.
    pub fn csv(&self) -> String {
        let mut csv = format!("network,seed,path,layer,{}\n", COLUMNS.map(|(name, _)| name).join(","));
        for experiment in &self.experiments {
            for (seed, (measured, predicted)) in
                experiment.measured.seeds.iter().zip(&experiment.predicted).enumerate()
            {
                for (layer, predicted) in measured.layers.iter().zip(&predicted.layers) {
                    let [name, path, kind] = [&experiment.name, &layer.path, &layer.layer].map(|t| quoted(t));
                    let numbers = COLUMNS.map(|(_, number)| cell(number(layer, predicted))).join(",");
                    let _ = writeln!(csv, "{name},{seed},{path},{kind},{numbers}");
                }
            }
        }
        csv
    }

    /// All numbers of the spectra, one row per network, seed, quantity and index. A field without a
    /// value is empty.
    pub fn spectra_csv(&self) -> String {
        spectra_report::csv(&self.spectra)
    }

    /// All numbers as JSON, with the summary and the diagnosis of each network. Numbers that are
    /// not finite are `null`.
    pub fn json(&self) -> String {
        let networks: Value = self.experiments.iter().map(network_json).collect();
        let spectra = spectra_report::json(&self.spectra);
        json!({ "title": self.title, "networks": networks, "spectra": spectra }).to_string()
    }
}

fn network_json(experiment: &Experiment) -> Value {
    let Experiment { name, measured, predicted, diagnosis, phase } = experiment;
    let layer = |(layer, predicted): (&LayerMeasurement, &LayerPrediction)| {
        let mut fields = json!({ "path": layer.path, "layer": layer.layer });
        COLUMNS.iter().for_each(|(name, number)| fields[*name] = number(layer, predicted).into());
        fields
    };
    let seed = |(measured, predicted): (&Measurement, &Prediction)| {
        let layers = measured.layers.iter().zip(&predicted.layers).map(layer);
        json!({
            "decades": measured.decades(),
            "ratio": measured.ratio(),
            "input_gradient": measured.input_gradient,
            "layers": layers.collect::<Value>(),
        })
    };
    let remedy = |remedy: &Remedy| {
        let Remedy { change, ratio, decades, dead, .. } = remedy;
        json!({ "change": change, "ratio": ratio, "decades": decades, "dead": dead })
    };
    let decades = measured.decades();
    json!({
        "name": name,
        "ratio": measured.ratio(),
        "decades": decades.mean,
        "decades_standard_error": decades.error,
        "predicted_decades": experiment.predicted_decades(),
        "sigma_w": phase.as_ref().map(|phase| phase.sigma_w),
        "sigma_b": phase.as_ref().map(|phase| phase.sigma_b),
        "diagnosis": diagnosis.to_string(),
        "remedies": diagnosis.remedies.iter().map(remedy).collect::<Value>(),
        "seeds": measured.seeds.iter().zip(predicted).map(seed).collect::<Value>(),
    })
}

const PAGE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;\
    background:#fff}svg{width:100%;margin:1rem 0}table{display:block;overflow-x:auto;border-collapse:collapse;font-variant-numeric:tabular-nums}\
    td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #8884}td:first-child,th:first-child{text-align:left}\
    pre{white-space:pre-wrap;overflow-x:auto;background:#8881;padding:.8rem;border-radius:.3rem}details{overflow-x:auto}\
    @media(prefers-color-scheme:dark){body{color:#eee;background:#161616}}";

const SPECTRA: &str = "<h2>Directions, inputs and paths</h2><p>Whether the network treats all directions and \
    all inputs alike, and which paths carry the gradient. Singular values are those of the first network at the first \
    input; other points are means over networks. Lines: theory of very wide networks, where it applies. In narrow \
    networks its error grows with every layer.</p>";

/// A column of numbers: its name in CSV and JSON, and its value for a layer.
type Column = (&'static str, fn(&LayerMeasurement, &LayerPrediction) -> Option<f64>);

/// The columns after those of the layer's path and name.
const COLUMNS: [Column; 17] = [
    ("nesting", |l, _| Some(l.nesting as f64)),
    ("outputs", |l, _| Some(l.outputs as f64)),
    ("output_norm", |l, _| Some(l.output.norm)),
    ("output_mean", |l, _| Some(l.output.mean)),
    ("output_variance", |l, _| Some(l.output.variance)),
    ("gradient", |l, _| Some(l.gradient)),
    ("input_gradient", |l, _| Some(l.input_gradient)),
    ("gain", |l, _| Some(l.gain)),
    ("alignment", |l, _| Some(l.alignment())),
    ("weight_norm", |l, _| Some(l.weights?.norm)),
    ("weight_gradient", |l, _| Some(l.weights?.gradient)),
    ("relative_weight_gradient", |l, _| Some(l.weights?.relative())),
    ("dead", |l, _| Some(l.units?.dead)),
    ("saturated", |l, _| Some(l.units?.saturated)),
    ("predicted_q", |_, p| p.q),
    ("predicted_gradient", |_, p| p.gradient),
    ("predicted_deviation", |_, p| Some(p.deviation)),
];

/// The layers of the first seed, in a collapsed section.
fn layer_table(experiment: &Experiment) -> String {
    let mut table = format!(
        "<details><summary>{}: layer by layer, first seed</summary><table><tr><th>path<th>layer",
        escape(&experiment.name)
    );
    for (name, _) in COLUMNS {
        let _ = write!(table, "<th>{}", name.replace('_', " "));
    }
    for (layer, predicted) in experiment.measured.seeds[0].layers.iter().zip(&experiment.predicted[0].layers)
    {
        let _ = write!(table, "<tr><td>{}<td>{}", escape(&layer.path), escape(&layer.layer));
        for (_, number) in COLUMNS {
            let _ = match number(layer, predicted) {
                Some(number) if number == number.trunc() && number.abs() < 1e6 => {
                    write!(table, "<td>{number}")
                }
                Some(number) if (0.001..1e5).contains(&number.abs()) => write!(table, "<td>{number:.4}"),
                Some(number) => write!(table, "<td>{number:.2e}"),
                None => write!(table, "<td>"),
            };
        }
    }
    table + "</table></details>"
}
