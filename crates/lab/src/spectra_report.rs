//! Charts, a table, CSV and JSON of [spectra](Spectra).

use std::fmt::Write;

use serde_json::{Value, json};

use crate::chart::{Chart, Series};
use crate::numbers::{mean_and_error, rms};
use crate::spectra::{Comparison, NetworkSpectra, Spectra};
use crate::text::{cell, escape, minus, quoted};

/// A list of [`NetworkSpectra`].
type List = fn(&NetworkSpectra) -> &[Comparison];

/// The lists and their names in files.
const LISTS: [(&str, List); 3] = [
    ("jacobian_spread", |inside| &inside.spreads),
    ("gradient_correlation", |inside| &inside.correlations),
    ("path_share", |inside| &inside.path_shares),
];

/// The charts that are not empty, each with a name for a file.
pub(crate) fn charts(spectra: &[Spectra]) -> Vec<(&'static str, Chart)> {
    let [spreads, correlations, paths] = LISTS.map(|(_, list)| list);
    let chart = |title: &str, x_label: &str, y_label: &str, series: &dyn Fn(&Spectra) -> Series| Chart {
        title: title.into(),
        x_label: x_label.into(),
        y_label: y_label.into(),
        logarithmic: false,
        series: (spectra.iter().enumerate())
            .map(|(colour, spectra)| Series { name: spectra.name.clone(), colour, ..series(spectra) })
            .filter(|series| !series.points.is_empty())
            .collect(),
    };
    let logarithmic = |chart| Chart { logarithmic: true, ..chart };
    let charts = [
        (
            "singular_values",
            logarithmic(chart(
                "Singular values of the Jacobian: are all directions scaled alike?",
                "rank, from the largest",
                "s relative to its root mean square",
                &singular_values,
            )),
        ),
        (
            "jacobian_spread",
            logarithmic(chart(
                "Spread of the singular values by depth: Var s² / (mean s²)²",
                "layer or block: Jacobian of the last one's output in this one's",
                "spread",
                &|spectra| {
                    let note = match (first(spectra, spreads), predicted(spectra, spreads, 0)) {
                        (Some((spread, _)), Some(theory)) => format!("{spread:.1}; wide nets: {theory:.1}"),
                        (Some((spread, _)), None) => format!("{spread:.1} over all"),
                        _ => String::new(),
                    };
                    Series { note, ..by_index(spectra, spreads, f64::log10, 1.0) }
                },
            )),
        ),
        (
            "gradient_correlation",
            chart(
                "Correlation between the gradients of different inputs",
                "layer or block, from the input",
                "mean cosine of two inputs' gradients",
                &|spectra| {
                    let note = first(spectra, correlations)
                        .map_or(String::new(), |(mean, _)| format!("{mean:.3} at the first layer"));
                    Series { note, ..by_index(spectra, correlations, |c| c, 1.0) }
                },
            ),
        ),
        (
            "path_lengths",
            chart(
                "Path lengths that carry the gradient of a residual network",
                "branches on the path",
                "share of the gradient's energy",
                &|spectra| {
                    let branches = spectra.seeds[0].path_shares.len().saturating_sub(1);
                    let note = mean_length(spectra, |c| Some(c.measured))
                        .map_or(String::new(), |mean| format!("{mean:.1} of {branches} branches on average"));
                    Series { note, ..by_index(spectra, paths, |share| share, 0.0) }
                },
            ),
        ),
    ];
    charts.into_iter().filter(|(_, chart)| !chart.series.is_empty()).collect()
}

/// Smaller singular values, relative to the largest, are rounding errors.
const ROUNDING: f64 = 1e-14;

fn singular_values(spectra: &Spectra) -> Series {
    let values = &spectra.seeds[0].singular_values;
    let rms = rms(values);
    let seen = values.iter().take_while(|&&s| s > ROUNDING * values[0]);
    let points: Vec<_> = seen.enumerate().map(|(i, s)| (i as f64 + 1.0, (s / rms).log10(), 0.0)).collect();
    let rms = if (0.01..1e4).contains(&rms) { format!("{rms:.2}") } else { minus(format!("{rms:.1e}")) };
    let note = format!("rms {rms}, {} of {} not 0", points.len(), values.len());
    Series { note, points, ..Series::default() }
}

/// Means over seeds of `scale` of one list's entries, at the index plus `offset`.
fn by_index(spectra: &Spectra, list: List, scale: fn(f64) -> f64, offset: f64) -> Series {
    let indices = 0..list(&spectra.seeds[0]).len();
    let point = |i: usize| {
        let (mean, error) =
            mean_and_error(&values(spectra, list, i).map(|c| scale(c.measured)).collect::<Vec<_>>());
        (i as f64 + offset, mean, error)
    };
    let line = |i: usize| Some((i as f64 + offset, scale(predicted(spectra, list, i)?), 0.0));
    let finite = |point: &(f64, f64, f64)| point.1.is_finite();
    Series {
        points: indices.clone().map(point).filter(finite).collect(),
        line: indices.filter_map(line).filter(finite).collect(),
        ..Series::default()
    }
}

fn values(spectra: &Spectra, list: List, i: usize) -> impl Iterator<Item = Comparison> {
    spectra.seeds.iter().map(move |inside| list(inside)[i])
}

/// The mean prediction over the seeds; `None` without a prediction or without such an entry.
fn predicted(spectra: &Spectra, list: List, i: usize) -> Option<f64> {
    let predicted: Option<Vec<f64>> =
        spectra.seeds.iter().map(|inside| list(inside).get(i)?.predicted).collect();
    predicted.map(|predicted| mean_and_error(&predicted).0)
}

/// The mean and standard error of the first entry; `None` for an empty list.
fn first(spectra: &Spectra, list: List) -> Option<(f64, f64)> {
    let measured = |inside: &NetworkSpectra| Some(list(inside).first()?.measured);
    let measured: Option<Vec<f64>> = spectra.seeds.iter().map(measured).collect();
    measured.map(|measured| mean_and_error(&measured))
}

/// The mean number of branches on a path, weighted by the paths' energy.
fn mean_length(spectra: &Spectra, share: fn(&Comparison) -> Option<f64>) -> Option<f64> {
    let mean = |inside: &NetworkSpectra| {
        let shares: Option<Vec<f64>> = inside.path_shares.iter().map(share).collect();
        shares.filter(|shares| !shares.is_empty()).map(|shares| {
            shares.iter().enumerate().map(|(branches, share)| branches as f64 * share).sum::<f64>()
        })
    };
    let means: Option<Vec<f64>> = spectra.seeds.iter().map(mean).collect();
    means.map(|means| mean_and_error(&means).0)
}

/// One row per network.
pub(crate) fn table(spectra: &[Spectra]) -> String {
    let mut table = String::from(
        "<table><tr><th>network<th>largest singular value / rms<th>spread, measured<th>spread, wide nets\
         <th>correlation at the first layer, measured<th>predicted<th>branches per path, measured<th>predicted",
    );
    let [spreads, correlations, _] = LISTS.map(|(_, list)| list);
    let or_none = |text: Option<String>| text.unwrap_or("–".into());
    let with_error = |digits: usize, mean: Option<(f64, f64)>| {
        or_none(mean.map(|(mean, error)| format!("{mean:.digits$}\u{a0}±\u{a0}{error:.digits$}")))
    };
    for spectra in spectra {
        let singular = &spectra.seeds[0].singular_values;
        let cells = [
            escape(&spectra.name),
            or_none(singular.first().map(|largest| format!("{:.2}", largest / rms(singular)))),
            with_error(2, first(spectra, spreads)),
            or_none(predicted(spectra, spreads, 0).map(|spread| format!("{spread:.2}"))),
            with_error(3, first(spectra, correlations)),
            or_none(predicted(spectra, correlations, 0).map(|correlation| format!("{correlation:.3}"))),
            or_none(mean_length(spectra, |c| Some(c.measured)).map(|mean| format!("{mean:.2}"))),
            or_none(mean_length(spectra, |c| c.predicted).map(|mean| format!("{mean:.2}"))),
        ];
        let _ = write!(table, "<tr><td>{}", cells.join("<td>"));
    }
    table + "</table>"
}

/// A row per network, seed, quantity and index. A field without a value is empty.
pub(crate) fn csv(spectra: &[Spectra]) -> String {
    let mut csv = String::from("network,seed,quantity,index,measured,predicted\n");
    for spectra in spectra {
        let name = quoted(&spectra.name);
        for (seed, inside) in spectra.seeds.iter().enumerate() {
            let mut row = |quantity: &str, index: usize, measured: f64, predicted: Option<f64>| {
                let predicted = cell(predicted);
                let _ = writeln!(csv, "{name},{seed},{quantity},{index},{measured:?},{predicted}");
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
pub(crate) fn json(spectra: &[Spectra]) -> Value {
    let compared =
        |compared: &Comparison| json!({ "measured": compared.measured, "predicted": compared.predicted });
    let seed = |inside: &NetworkSpectra| {
        let mut fields = json!({ "singular_values": inside.singular_values });
        for (name, list) in LISTS {
            fields[name] = list(inside).iter().map(compared).collect();
        }
        fields
    };
    let network = |spectra: &Spectra| json!({ "name": spectra.name, "seeds": spectra.seeds.iter().map(seed).collect::<Value>() });
    spectra.iter().map(network).collect()
}
