//! The predictions of a network, in the form that suits the data.

use geartrain::data::Dataset;
use geartrain::metrics::ConfusionMatrix;
use geartrain::{Error, Network, metrics};
use ndarray::{Array2, ArrayRef2, ArrayView1, s};
use serde_json::{Value, json};

use super::settings::Prepared;
use crate::lab::reply::number;
use crate::train::report::counts;

/// Points of a curve, and of each side of a map.
const CURVE: usize = 200;
const SIDE: usize = 48;
/// Data points in the picture, and rows in the table of predictions.
const POINTS: usize = 500;
const ROWS: usize = 12;

pub enum Picture {
    /// One input, regression: the fitted curve, at these points.
    Curve(Array2<f64>),
    /// Two inputs: the predictions over the plane.
    Plane(Array2<f64>),
    /// More inputs: predicted against true numbers.
    Scatter,
    /// The confusion matrix.
    Confusion,
}

impl Picture {
    pub fn of(prepared: &Prepared) -> Self {
        let x = prepared.train.x();
        match (x.ncols(), prepared.classes()) {
            (1, None) => {
                let (low, high) = range(x.column(0));
                let step = (high - low) / (CURVE - 1) as f64;
                Picture::Curve(Array2::from_shape_fn((CURVE, 1), |(i, _)| low + i as f64 * step))
            }
            (2, _) => {
                let ranges = [0, 1].map(|column| range(x.column(column)));
                let middle =
                    |i: usize, (low, high): (f64, f64)| low + (i as f64 + 0.5) * (high - low) / SIDE as f64;
                // from left to right, and from the bottom up
                let place = |(i, axis)| middle(if axis == 0 { i % SIDE } else { i / SIDE }, ranges[axis]);
                Picture::Plane(Array2::from_shape_fn((SIDE * SIDE, 2), place))
            }
            (_, None) => Picture::Scatter,
            (_, Some(_)) => Picture::Confusion,
        }
    }

    /// The constant part of the picture.
    pub fn start(&self, prepared: &Prepared) -> Value {
        let Prepared { train, validation, .. } = prepared;
        let kind = match self {
            Picture::Curve(_) => "curve",
            Picture::Plane(_) => "plane",
            Picture::Scatter => "scatter",
            Picture::Confusion => "confusion",
        };
        let places = match self {
            Picture::Curve(places) => short(places.iter().copied()),
            Picture::Plane(_) => {
                let ranges = [0, 1].map(|column| range(train.x().column(column)));
                json!({ "side": SIDE, "x": [ranges[0].0, ranges[0].1], "y": [ranges[1].0, ranges[1].1] })
            }
            _ => Value::Null,
        };
        let shown = matches!(self, Picture::Curve(_) | Picture::Plane(_));
        let points = |data: &Dataset<f64>| {
            let every = data.rows().div_ceil(POINTS);
            let row = |row: usize| short(data.x().row(row).iter().chain(data.y().row(row)).copied());
            (0..data.rows()).step_by(every).map(row).collect::<Value>()
        };
        let row =
            |row: usize| json!({ "x": validation.x().row(row).to_vec(), "y": validation.y()[[row, 0]] });
        json!({
            "kind": kind,
            "places": places,
            "train": shown.then(|| points(train)),
            "validation": shown.then(|| points(validation)),
            "rows": (0..validation.rows().min(ROWS)).map(row).collect::<Value>(),
        })
    }

    /// The current state: the picture, predictions of the first rows of the table, and the score on
    /// validation rows.
    pub fn now(&self, prepared: &Prepared, network: &Network<f64>) -> Result<Value, Error> {
        let predict = |x: &ArrayRef2<f64>| -> Result<Array2<f64>, Error> {
            let y = network.predict(x)?;
            match prepared.scaling.y() {
                Some(scale) => Ok(scale.inverse_transform(&y)?),
                None => metrics::probabilities(&y),
            }
        };
        let at = |places: &Array2<f64>| predict(&prepared.scaling.x().transform(places)?);
        let validation = predict(prepared.scaled_validation.x())?;
        let truth = prepared.validation.y();
        let confusion = match prepared.classes() {
            Some(_) => Some(ConfusionMatrix::from_probabilities(&validation, truth)?),
            None => None,
        };
        let picture = match self {
            Picture::Curve(places) => short(at(places)?.iter().copied()),
            Picture::Plane(places) if confusion.is_some() => {
                let likely = at(places)?;
                let classes = metrics::classes_from_probabilities(&likely)?.to_vec();
                // the probability of the class in percent
                let sure = classes.iter().zip(likely.rows()).map(|(&class, row)| 100.0 * row[class]);
                let percent: Vec<u64> = sure.map(|percent| percent.round() as u64).collect();
                json!({ "classes": classes, "percent": percent })
            }
            Picture::Plane(places) => short(at(places)?.iter().copied()),
            Picture::Scatter => {
                let every = validation.nrows().div_ceil(POINTS);
                let pairs = truth.iter().zip(&validation).step_by(every);
                pairs.map(|(&truth, &said)| short([truth, said].into_iter())).collect()
            }
            Picture::Confusion => Value::Null,
        };
        let (name, score) = match &confusion {
            Some(confusion) => ("accuracy", confusion.accuracy()),
            None => ("R²", metrics::r2(&validation, truth)?),
        };
        let rows = validation.slice(s![..validation.nrows().min(ROWS), ..]);
        Ok(json!({
            "picture": picture,
            "predictions": rows.rows().into_iter().map(|row| row.to_vec()).collect::<Value>(),
            "score": { "name": name, "value": number(score) },
            "confusion": confusion.as_ref().map(counts),
        }))
    }
}

/// The range of the values with a margin.
fn range(values: ArrayView1<f64>) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let margin = if high > low { 0.06 * (high - low) } else { 0.5 };
    (low - margin, high + margin)
}

/// Rounded to `f32`, which halves the size of the text.
fn short(values: impl Iterator<Item = f64>) -> Value {
    values.map(|value| json!(value as f32)).collect()
}
