//! What a report shows of the [anatomy](Anatomy) of networks: charts, a table, CSV and JSON.

use std::fmt::Write;

use super::anatomy::{Anatomy, Compared, Inside};
use super::average::Log;
use super::chart::{Chart, Series, escape};
use super::json::Json;

/// A list of an [`Inside`] by its name in files.
type List = (&'static str, fn(&Inside) -> &[Compared]);

const LISTS: [List; 3] = [
    ("jacobian_spread", |inside| &inside.spreads),
    ("gradient_correlation", |inside| &inside.correlations),
    ("path_share", |inside| &inside.path_shares),
];

/// The charts that have something to show, each with a name for a file.
pub(super) fn charts(anatomies: &[Anatomy]) -> Vec<(&'static str, Chart)> {
    let [spreads, correlations, paths] = LISTS.map(|(_, list)| list);
    let chart = |title: &str, x_label: &str, y_label: &str, series: &dyn Fn(&Anatomy) -> Series| Chart {
        title: title.into(),
        x_label: x_label.into(),
        y_label: y_label.into(),
        logarithmic: false,
        series: (anatomies.iter().enumerate())
            .map(|(colour, anatomy)| Series { name: anatomy.name.clone(), colour, ..series(anatomy) })
            .filter(|series| !series.points.is_empty())
            .collect(),
    };
    let logarithmic = |chart| Chart { logarithmic: true, ..chart };
    let charts = [
        (
            "singular_values",
            logarithmic(chart(
                "Are all directions treated alike? Singular values of the Jacobian",
                "rank, from the largest",
                "s relative to its root mean square",
                &singular_values,
            )),
        ),
        (
            "jacobian_spread",
            logarithmic(chart(
                "The spread of singular values grows with every layer: Var s² / mean² s²",
                "layer or block: Jacobian of the last one's output in this one's",
                "spread",
                &|anatomy| {
                    let note = match (first(anatomy, spreads), predicted(anatomy, spreads, 0)) {
                        (Some(spread), Some(theory)) => format!("{:.1}; wide nets: {theory:.1}", spread.mean),
                        (Some(spread), None) => format!("{:.1} over all", spread.mean),
                        _ => String::new(),
                    };
                    Series { note, ..by_index(anatomy, spreads, f64::log10, 1.0) }
                },
            )),
        ),
        (
            "gradient_correlation",
            chart(
                "Do different inputs agree? Correlation of their gradients",
                "layer or block, from the input",
                "mean cosine of two inputs' gradients",
                &|anatomy| {
                    let note = first(anatomy, correlations)
                        .map_or(String::new(), |c| format!("{:.3} at the first layer", c.mean));
                    Series { note, ..by_index(anatomy, correlations, |c| c, 1.0) }
                },
            ),
        ),
        (
            "path_lengths",
            chart(
                "Which paths carry the gradient of a residual network?",
                "branches on the path",
                "share of the gradient's energy",
                &|anatomy| {
                    let branches = anatomy.seeds[0].path_shares.len().saturating_sub(1);
                    let note = mean_length(anatomy, |c| Some(c.measured))
                        .map_or(String::new(), |mean| format!("{mean:.1} of {branches} branches on average"));
                    Series { note, ..by_index(anatomy, paths, |share| share, 0.0) }
                },
            ),
        ),
    ];
    charts.into_iter().filter(|(_, chart)| !chart.series.is_empty()).collect()
}

/// Below this, relative to the largest, a singular value is 0 but for rounding.
const ROUNDING: f64 = 1e-14;

fn root_mean_square(values: &[f64]) -> f64 {
    // relative to the largest: squares of 1e-200 would vanish
    let largest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let squares: f64 = values.iter().map(|s| (s / largest).powi(2)).sum();
    largest * (squares / values.len().max(1) as f64).sqrt()
}

fn singular_values(anatomy: &Anatomy) -> Series {
    let values = &anatomy.seeds[0].singular_values;
    let rms = root_mean_square(values);
    let seen = values.iter().take_while(|&&s| s > ROUNDING * values[0]);
    let points: Vec<_> = seen.enumerate().map(|(i, s)| (i as f64 + 1.0, (s / rms).log10(), 0.0)).collect();
    let rms = if (0.01..1e4).contains(&rms) {
        format!("{rms:.2}")
    } else {
        format!("{rms:.1e}").replace('-', "−")
    };
    let note = format!("rms {rms}, {} of {} not 0", points.len(), values.len());
    Series { note, points, ..Series::default() }
}

/// Means over seeds of `scale` of one list, against the index plus `offset`.
fn by_index(
    anatomy: &Anatomy,
    list: fn(&Inside) -> &[Compared],
    scale: fn(f64) -> f64,
    offset: f64,
) -> Series {
    let indices = 0..list(&anatomy.seeds[0]).len();
    let point = |i: usize| {
        let mean = Log::of_logs(&values(anatomy, list, i).map(|c| scale(c.measured)).collect::<Vec<_>>());
        (i as f64 + offset, mean.mean, mean.error)
    };
    let line = |i: usize| Some((i as f64 + offset, scale(predicted(anatomy, list, i)?), 0.0));
    let finite = |point: &(f64, f64, f64)| point.1.is_finite();
    Series {
        points: indices.clone().map(point).filter(finite).collect(),
        line: indices.filter_map(line).filter(finite).collect(),
        ..Series::default()
    }
}

fn values(anatomy: &Anatomy, list: fn(&Inside) -> &[Compared], i: usize) -> impl Iterator<Item = Compared> {
    anatomy.seeds.iter().map(move |inside| list(inside)[i])
}

/// The mean prediction over the seeds; `None` where the theory says nothing, or the list has no such entry.
fn predicted(anatomy: &Anatomy, list: fn(&Inside) -> &[Compared], i: usize) -> Option<f64> {
    let predicted: Option<Vec<f64>> =
        anatomy.seeds.iter().map(|inside| list(inside).get(i)?.predicted).collect();
    predicted.map(|predicted| Log::of_logs(&predicted).mean)
}

/// The mean and its standard error of the first entry; `None` for an empty list.
fn first(anatomy: &Anatomy, list: fn(&Inside) -> &[Compared]) -> Option<Log> {
    let measured = |inside: &Inside| Some(list(inside).first()?.measured);
    let measured: Option<Vec<f64>> = anatomy.seeds.iter().map(measured).collect();
    measured.map(|measured| Log::of_logs(&measured))
}

/// The mean number of branches on a path, weighted with its energy.
fn mean_length(anatomy: &Anatomy, share: fn(&Compared) -> Option<f64>) -> Option<f64> {
    let mean = |inside: &Inside| {
        let shares: Option<Vec<f64>> = inside.path_shares.iter().map(share).collect();
        shares.filter(|shares| !shares.is_empty()).map(|shares| {
            shares.iter().enumerate().map(|(branches, share)| branches as f64 * share).sum::<f64>()
        })
    };
    let means: Option<Vec<f64>> = anatomy.seeds.iter().map(mean).collect();
    means.map(|means| Log::of_logs(&means).mean)
}

/// One row per network.
pub(super) fn table(anatomies: &[Anatomy]) -> String {
    let mut table = String::from(
        "<table><tr><th>network<th>largest singular value / rms<th>spread, measured<th>spread, wide nets\
         <th>correlation at the first layer, measured<th>predicted<th>branches per path, measured<th>predicted",
    );
    let [spreads, correlations, _] = LISTS.map(|(_, list)| list);
    let or_none = |text: Option<String>| text.unwrap_or("–".into());
    let mean_and_error = |digits: usize, log: Option<Log>| {
        or_none(log.map(|log| format!("{:.digits$}\u{a0}±\u{a0}{:.digits$}", log.mean, log.error)))
    };
    for anatomy in anatomies {
        let singular = &anatomy.seeds[0].singular_values;
        let cells = [
            escape(&anatomy.name),
            or_none(singular.first().map(|largest| format!("{:.2}", largest / root_mean_square(singular)))),
            mean_and_error(2, first(anatomy, spreads)),
            or_none(predicted(anatomy, spreads, 0).map(|spread| format!("{spread:.2}"))),
            mean_and_error(3, first(anatomy, correlations)),
            or_none(predicted(anatomy, correlations, 0).map(|correlation| format!("{correlation:.3}"))),
            or_none(mean_length(anatomy, |c| Some(c.measured)).map(|mean| format!("{mean:.2}"))),
            or_none(mean_length(anatomy, |c| c.predicted).map(|mean| format!("{mean:.2}"))),
        ];
        let _ = write!(table, "<tr><td>{}", cells.join("<td>"));
    }
    table + "</table>"
}

/// A row per network, seed, quantity and index. Empty fields: no such number.
pub(super) fn csv(anatomies: &[Anatomy]) -> String {
    let mut csv = String::from("network,seed,quantity,index,measured,predicted\n");
    for anatomy in anatomies {
        let name = anatomy.name.replace('"', "\"\"");
        for (seed, inside) in anatomy.seeds.iter().enumerate() {
            let mut row = |quantity: &str, index: usize, measured: f64, predicted: Option<f64>| {
                let predicted = predicted.map_or(String::new(), |p| format!("{p:?}"));
                let _ = writeln!(csv, "\"{name}\",{seed},{quantity},{index},{measured:?},{predicted}");
            };
            for (index, &value) in inside.singular_values.iter().enumerate() {
                row("singular_value", index, value, None);
            }
            for (quantity, list) in LISTS {
                for (index, compared) in list(inside).iter().enumerate() {
                    row(quantity, index, compared.measured, compared.predicted);
                }
            }
        }
    }
    csv
}

/// The same numbers, one object per network.
pub(super) fn json(anatomies: &[Anatomy]) -> Json {
    let compared = |compared: &Compared| {
        Json::Object(vec![("measured", compared.measured.into()), ("predicted", compared.predicted.into())])
    };
    let seed = |inside: &Inside| {
        let mut fields = vec![("singular_values", inside.singular_values.iter().copied().collect())];
        fields.extend(LISTS.map(|(name, list)| (name, list(inside).iter().map(compared).collect())));
        Json::Object(fields)
    };
    let network = |anatomy: &Anatomy| {
        Json::Object(vec![
            ("name", anatomy.name.as_str().into()),
            ("seeds", anatomy.seeds.iter().map(seed).collect()),
        ])
    };
    anatomies.iter().map(network).collect()
}
