//! The tab "Gradient flow": gradients of a deep network, measured, predicted and diagnosed.

use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use geartrain::data::{StandardScaler, toy};
use geartrain::prelude::*;
use geartrain_lab::{self as lab, LogMean, Measurement, Phase, Runs};
use ndarray::{Array2, s};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::design::{Design, Norm, Scheme, Weights};
use crate::lab::lines::{Lines, Writer, lines};
use crate::lab::reply::{Problem, Question, compute, number, within};

pub fn routes() -> Router {
    Router::new().route("/api/flow", post(answer))
}

/// Rows of the batch to measure on.
const ROWS: usize = 32;
/// Networks for the error bars; results are sent after 1, 2, 4 and 8.
const SEEDS: u64 = 8;
/// The limit of depth · width²: such a network takes a few tenths of a second to measure.
const LARGEST: usize = 200 * 128 * 128;
/// From this depth on, wait before the prediction: the page may replace the question.
const DEEP: usize = 60;
const WAIT: Duration = Duration::from_millis(70);

/// Networks measured at the same time, for all pages together.
static PLACES: Semaphore = Semaphore::const_new(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    depth: usize,
    width: usize,
    activation: String,
    init: Scheme,
    gain: f64,
    sigma_b: f64,
    skip: Option<f64>,
    norm: Norm,
}

async fn answer(Question(asked): Question<Asked>) -> Result<Lines, Problem> {
    asked.check()?;
    let place = PLACES.acquire().await.expect("never closed");
    let question = compute(move || asked.question()).await?;
    let (writer, lines) = lines();
    tokio::task::spawn_blocking(move || {
        let _place = place;
        // An error after the first line becomes the last line of the answer.
        if let Err(error) = question.answer(&writer) {
            writer.write(&json!({ "kind": "error", "error": error.to_string() }));
        }
    });
    Ok(lines)
}

/// A network and the data to measure it on.
struct Looked {
    network: Network<f64>,
    depth: usize,
    x: Array2<f64>,
}

impl Asked {
    fn check(&self) -> Result<(), Problem> {
        within("depth", self.depth, 1, 200)?;
        within("width", self.width, 1, 512)?;
        within("gain", self.gain, 0.0, 100.0)?;
        within("sigma_b", self.sigma_b, 0.0, 100.0)?;
        within("skip", self.skip.unwrap_or(1.0), -10.0, 10.0)?;
        if self.depth * self.width.pow(2) > LARGEST {
            let most = ((LARGEST / self.depth) as f64).sqrt().floor();
            let error = format!("at depth {} the limit is {most}, for answers while you drag", self.depth);
            return Err(Problem::too_large("width", error));
        }
        Ok(())
    }

    /// The network on the data of `geartrain gradients`: both give the same numbers.
    fn question(&self) -> Result<Looked, Problem> {
        let internal = |error: geartrain::data::DataError| Problem::in_field("depth", error);
        let data = toy::friedman1::<f64>(512, 1.0, 0).map_err(internal)?;
        let scale = StandardScaler::fit(data.x()).map_err(internal)?;
        let x = scale.transform(data.x()).map_err(internal)?.slice_move(s![..ROWS, ..]);
        let design = Design {
            inputs: x.ncols(),
            hidden: &vec![self.width; self.depth],
            outputs: 1,
            activation: &self.activation,
            weights: Weights { init: self.init.init(), gain: self.gain, sigma_b: self.sigma_b },
            skip: self.skip,
            norm: self.norm,
        };
        let network = design.network().map_err(|error| Problem::in_field("activation", error))?;
        Ok(Looked { network, depth: self.depth, x })
    }
}

impl Looked {
    /// Fast results first: one network measured; then the prediction, more networks, and the
    /// diagnosis.
    fn answer(&self, writer: &Writer) -> Result<(), Error> {
        let x = &self.x;
        let dy = |seed| lab::normal_batch::<f64>(x.nrows(), 1, 1_000 + seed);
        let measure = |seed| {
            let network = self.network.clone().with_seed(seed);
            lab::measure_with_cotangent(&network, x, &dy(seed))
        };
        let mut measured = Runs { seeds: vec![measure(0)?] };
        writer.write(&measurement(&measured));
        if self.depth >= DEEP {
            thread::sleep(WAIT);
        }
        if writer.is_closed() {
            return Ok(());
        }
        writer.write(&prediction(&self.network, &self.x, &dy(0), &measured.seeds[0])?);
        for seed in 1..SEEDS {
            measured.seeds.push(measure(seed)?);
            if (seed + 1).is_power_of_two() && !writer.write(&measurement(&measured)) {
                return Ok(());
            }
        }
        let diagnosis = lab::diagnose(&self.network, x, &dy(0))?;
        writer.write(&json!({
            "kind": "diagnosis",
            "healthy": diagnosis.findings.is_empty(),
            "text": diagnosis.to_string(),
        }));
        Ok(())
    }
}

fn measurement(measured: &Runs) -> Value {
    let first = &measured.seeds[0];
    let stations = first.stations();
    // the quantities of the laboratory's report
    let logs = |quantity: fn(&Measurement, usize) -> f64| -> Value {
        let log = |&row: &usize| {
            let LogMean { mean, error } = measured.log(|m| quantity(m, row));
            json!([number(mean), number(error)])
        };
        stations.iter().map(log).collect()
    };
    let decades = measured.decades();
    json!({
        "kind": "measured",
        "seeds": measured.seeds.len(),
        "layers": stations.iter().map(|&row| format!("{} {}", first.layers[row].path, first.layers[row].layer)).collect::<Value>(),
        "gradient": logs(Measurement::relative_gradient),
        "signal": logs(|m, row| m.layers[row].output.mean_square()),
        "weight": logs(Measurement::weight_gradient),
        "ratio": number(measured.ratio()),
        "decades": number(decades.mean),
        "decades_error": number(decades.error),
        "dead": measured.largest(|units| units.dead),
        "saturated": measured.largest(|units| units.saturated - units.off),
    })
}

fn prediction(
    network: &Network<f64>,
    x: &Array2<f64>,
    dy: &Array2<f64>,
    measured: &Measurement,
) -> Result<Value, Error> {
    let predicted = lab::predict(network, x, dy)?;
    let stations = measured.stations();
    let top = stations.last().copied().unwrap_or(0);
    let gradient = |&row: &usize| -> Option<Value> {
        let gradient = predicted.relative_gradient(row, top)?.log10();
        Some(json!([number(gradient), number(predicted.relative_deviation(row, top))]))
    };
    let signal = |&row: &usize| predicted.layers[row].q.map(|q| json!([number(q.log10()), 0.0]));
    let phase = Phase::of(network, x)?.map(|Phase { activation, sigma_w, sigma_b, edge, .. }| {
        json!({ "activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "edge": edge })
    });
    Ok(json!({
        "kind": "predicted",
        "gradient": stations.iter().map(gradient).collect::<Value>(),
        "signal": stations.iter().map(signal).collect::<Value>(),
        "decades": predicted.decades(&stations).map(number),
        "phase": phase,
        "limits": predicted.limits.iter().map(ToString::to_string).collect::<Value>(),
    }))
}
