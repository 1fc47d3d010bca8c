//! Changes that may improve the flow of gradients, each measured.

use std::fmt;

use ndarray::ArrayView2;

use crate::measure::{Measurement, measure_with_cotangent};
use crate::surgery::{Part, Parts, activation_at_zero};
use crate::tape::Tape;
use crate::theory::edge_of_chaos::critical_of;
use geartrain::layer::Kind;
use geartrain::layers::{BatchNorm, LayerNorm, LeakyReLU};
use geartrain::{Error, Init, Scalar};

/// A change of the network, and the measurement after it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Remedy {
    /// The change, in words.
    pub change: String,
    /// The [ratio](Measurement::ratio) per layer after the change.
    pub ratio: f64,
    /// The [decades](Measurement::decades) after the change.
    pub decades: f64,
    /// The largest fraction of dead units in a layer after the change.
    pub dead: f64,
    /// Whether the gradient stays within two decades, or the decades lost or gained are at least
    /// halved, with at most 70 % of dead units in any layer.
    pub helps: bool,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Remedy { change, ratio, decades, dead, helps } = self;
        if decades.is_finite() {
            write!(f, "{change}: {ratio:.3} per layer, {decades:+.2} decades")?;
        } else {
            write!(f, "{change}: no gradient reaches the first layer")?;
        }
        if *dead > 0.5 {
            write!(f, ", at most {:.0}% of a layer's units dead", 100.0 * dead)?;
        }
        if *helps { Ok(()) } else { write!(f, ": does not help") }
    }
}

type Change<F> = Box<dyn Fn(Vec<Part<F>>) -> Vec<Part<F>>>;

/// All applicable changes of the recorded network, measured on the same batch with the same `dy`.
pub(crate) fn remedies<F: Scalar>(
    tape: &Tape<F>,
    dy: ArrayView2<F>,
    before: &Measurement,
) -> Result<Vec<Remedy>, Error> {
    let Some(parts) = Parts::of(tape.network) else { return Ok(Vec::new()) };
    let kinds: Vec<Kind> = tape.steps.iter().map(|step| step.kind).collect();
    let has = |kind: fn(&Kind) -> bool| kinds.iter().any(kind);
    let skips =
        tape.steps.iter().filter(|s| s.nesting == 0 && matches!(s.kind, Kind::Residual { .. })).count();

    let mut changes: Vec<(String, Change<F>)> = Vec::new();
    let mut add = |text: String, change: Change<F>| changes.push((text, change));
    if let Some((activation, level, slope)) = activation_at_zero(tape) {
        let name = activation.describe().name;
        add("He initialisation, σw² = 2 and no bias".into(), drawn_change(Init::he_normal(), 0.0));
        add("LeCun initialisation, σw² = 1 and no bias".into(), drawn_change(Init::lecun_normal(), 0.0));
        if let Some(point) = critical_of(activation, 0.05) {
            let text = format!(
                "weights at the edge of chaos of {name}, σw² = {:.3} and σb² = 0.05",
                point.weight_variance
            );
            add(text, drawn_change(Init::lecun_normal().gain(point.weight_variance.sqrt()), 0.05));
        }
        if level != 0.0 && slope > 0.0 {
            let gain = 1.0 / slope;
            let text = format!(
                "orthogonal weights of gain {gain:.3} and biases that subtract φ(0) = {level} from every input"
            );
            add(text, Box::new(move |list| centred(list, gain, level)));
        }
        if before.layers.iter().any(|l| l.units.is_some_and(|units| units.dead > 0.7)) {
            let text = "LeakyReLU(0.01) instead of every activation".into();
            add(
                text,
                Box::new(|list| {
                    replaced(list, |part| {
                        let elementwise = part.layer.describe().kind == Kind::Elementwise;
                        elementwise.then(|| Part::new(LeakyReLU::new(0.01), part.inputs, 0))
                    })
                }),
            );
        }
        let normalised = has(|kind| {
            matches!(kind, Kind::LayerNorm { .. } | Kind::RMSNorm { .. } | Kind::BatchNorm { .. })
        });
        if !normalised {
            if tape.input.nrows() > 3 {
                let text = format!("BatchNorm before every activation (batch of {})", tape.input.nrows());
                add(text, Box::new(|list| before_activations(list, |n| Part::new(BatchNorm::new(n), n, 0))));
            }
            let text = "LayerNorm before every activation".into();
            add(text, Box::new(|list| before_activations(list, |n| Part::new(LayerNorm::new(n), n, 0))));
        }
    }
    if has(|kind| matches!(kind, Kind::BatchNorm { .. })) {
        add(
            "LayerNorm instead of BatchNorm".into(),
            Box::new(|list| {
                replaced(list, |part| {
                    let batch_norm = matches!(part.layer.describe().kind, Kind::BatchNorm { .. });
                    batch_norm.then(|| Part::new(LayerNorm::new(part.inputs), part.inputs, 0))
                })
            }),
        );
    }
    let blocks = blocks_of_one_width(&parts.list);
    if skips == 0 && blocks > 0 {
        let text = format!(
            "a skip connection around every activation and square linear layer, branches scaled by 1/√{blocks}"
        );
        let scale = 1.0 / (blocks as f64).sqrt();
        add(text, Box::new(move |list| with_skips(list, scale)));
    } else if skips > 0 {
        let text = format!("branches scaled by 1/√{skips}");
        let scale = 1.0 / (skips as f64).sqrt();
        add(
            text,
            Box::new(move |list| {
                list.into_iter()
                    .map(|part| match part.layer.describe().kind {
                        Kind::Residual { .. } => part.with_body(scale, |body| body),
                        _ => part,
                    })
                    .collect()
            }),
        );
    }

    let mut remedies = Vec::new();
    for (change_text, change) in changes {
        let changed = parts.clone().changed(&*change).build()?;
        let measured = measure_with_cotangent(&changed, &tape.input, &dy)?;
        let (decades, ratio) = (measured.decades(), measured.ratio());
        let dead = measured.layers.iter().filter_map(|l| Some(l.units?.dead)).fold(0.0, f64::max);
        let flows = decades.abs() < 2.0
            || before.decades().is_finite() && decades.abs() < before.decades().abs() / 2.0;
        remedies.push(Remedy { change: change_text, ratio, decades, dead, helps: flows && dead <= 0.7 });
    }
    remedies.sort_by(|a, b| {
        (!a.helps, a.decades.abs())
            .partial_cmp(&(!b.helps, b.decades.abs()))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(remedies)
}

fn drawn_change<F: Scalar>(weight: Init, bias_variance: f64) -> Change<F> {
    Box::new(move |list| drawn(list, weight, bias_variance))
}

/// New weights in every linear layer.
fn drawn<F: Scalar>(list: Vec<Part<F>>, weight: Init, bias_variance: f64) -> Vec<Part<F>> {
    list.iter().enumerate().map(|(i, part)| part.drawn(weight, bias_variance, i as u64)).collect()
}

/// New weights in every linear layer after an activation.
fn centred<F: Scalar>(list: Vec<Part<F>>, gain: f64, level: f64) -> Vec<Part<F>> {
    let after = |i: usize| i > 0 && list[i - 1].layer.describe().kind == Kind::Elementwise;
    let part = |(i, part): (usize, &Part<F>)| {
        if after(i) {
            part.drawn(Init::orthogonal().gain(gain), 0.0, i as u64).centred(level)
        } else {
            part.clone()
        }
    };
    list.iter().enumerate().map(part).collect()
}

fn replaced<F: Scalar>(list: Vec<Part<F>>, new: impl Fn(&Part<F>) -> Option<Part<F>>) -> Vec<Part<F>> {
    list.into_iter().map(|part| new(&part).unwrap_or(part)).collect()
}

fn before_activations<F: Scalar>(list: Vec<Part<F>>, new: impl Fn(usize) -> Part<F>) -> Vec<Part<F>> {
    let part = |part: Part<F>| match part.layer.describe().kind {
        Kind::Elementwise => vec![new(part.inputs), part],
        _ => vec![part],
    };
    list.into_iter().flat_map(part).collect()
}

/// The number of skip connections that [`with_skips`] adds.
fn blocks_of_one_width<F: Scalar>(list: &[Part<F>]) -> usize {
    let skip = |part: &&Part<F>| matches!(part.layer.describe().kind, Kind::Residual { .. });
    with_skips(list.to_vec(), 1.0).iter().filter(skip).count()
}

/// A skip connection around each run of layers that contains an activation, ends in a linear layer
/// and keeps the width.
fn with_skips<F: Scalar>(list: Vec<Part<F>>, scale: f64) -> Vec<Part<F>> {
    let (mut out, mut run) = (Vec::new(), Vec::<Part<F>>::new());
    for part in list {
        let outputs = part.linear();
        run.push(part);
        let Some(outputs) = outputs else { continue };
        let activation = run.iter().any(|part| part.layer.describe().kind == Kind::Elementwise);
        let block = std::mem::take(&mut run);
        if activation && block[0].inputs == outputs {
            out.push(Part::skip(block, scale));
        } else {
            out.extend(block);
        }
    }
    out.extend(run);
    out
}
