//! One architecture over several seeds: measured, predicted and diagnosed.

use ndarray::ArrayRef2;

use crate::diagnose::{Diagnosis, diagnose_on};
use crate::measure::{Measurement, measure_on};
use crate::numbers::{mean_and_error, mean_power, normal_batch};
use crate::runs::{LogMean, Runs};
use crate::tape::{Step, Tape};
use crate::theory::edge_of_chaos::{Critical, curve};
use crate::theory::predict::{Prediction, predict_on};
use geartrain::error::{require, same_shape};
use geartrain::layer::Kind;
use geartrain::{Error, Layer, Network, Scalar};

/// Measurements, predictions and the diagnosis of one architecture: a line of a
/// [`Report`](crate::Report).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Experiment {
    /// The network's name.
    pub name: String,
    /// One measurement per seed.
    pub measured: Runs,
    /// One prediction per seed.
    pub predicted: Vec<Prediction>,
    /// The diagnosis of the first network.
    pub diagnosis: Diagnosis,
    /// The first network's place in the phase diagram of its activation; `None` unless it is a
    /// plain stack of linear layers and one kind of activation.
    pub phase: Option<Phase>,
}

/// A network's place in the phase diagram of its activation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Phase {
    /// The activation's name.
    pub activation: String,
    /// `σw`, the root mean square of `√(N·Var W)` over the linear layers after an activation.
    pub sigma_w: f64,
    /// `σb`, the root mean square of the biases of these layers.
    pub sigma_b: f64,
    /// The edge of chaos, as pairs of `σw` and `σb`.
    pub edge: Vec<(f64, f64)>,
}

impl Experiment {
    /// Measures and predicts `network` on the batch `x`, `(rows, inputs)`, with parameters drawn
    /// from the seeds 0, 1, …, and a different random gradient at the output for each seed.
    ///
    /// # Errors
    /// As [`measure_with_cotangent`](crate::measure_with_cotangent).
    pub fn at_initialisation<F: Scalar>(
        name: &str,
        network: &Network<F>,
        x: &ArrayRef2<F>,
        seeds: u64,
    ) -> Result<Self, Error> {
        let networks: Vec<_> = (0..seeds.max(1)).map(|seed| network.clone().with_seed(seed)).collect();
        Experiment::of(name, &networks, x)
    }

    /// The same for given networks of one architecture, for instance trained ones.
    ///
    /// # Errors
    /// As [`measure_with_cotangent`](crate::measure_with_cotangent); [`Error::Argument`] if
    /// `networks` is empty.
    pub fn of<F: Scalar>(name: &str, networks: &[Network<F>], x: &ArrayRef2<F>) -> Result<Self, Error> {
        require(!networks.is_empty(), "networks", "at least one", 0)?;
        let mut seeds = Vec::new();
        let mut predicted = Vec::new();
        let mut first = None;
        for (seed, network) in networks.iter().enumerate() {
            let dy = normal_batch::<F>(x.nrows(), networks[0].outputs(), 1_000 + seed as u64);
            let mut tape = Tape::new(network, x.view())?;
            same_shape("dy", tape.output.shape(), dy.shape())?;
            let measurement = measure_on(&mut tape, dy.view());
            let prediction = predict_on(&tape, dy.view());
            if first.is_none() {
                let diagnosis = diagnose_on(&tape, dy.view(), &measurement, &prediction)?;
                first = Some((diagnosis, Phase::on(&tape)));
            }
            seeds.push(measurement);
            predicted.push(prediction);
        }
        let (diagnosis, phase) = first.expect("at least one network");
        Ok(Experiment { name: name.into(), measured: Runs { seeds }, predicted, diagnosis, phase })
    }

    /// The [stations](Measurement::stations) of the first network.
    pub fn stations(&self) -> Vec<usize> {
        self.measured.seeds[0].stations()
    }

    /// The mean `log₁₀` of a measured quantity of the layer `row` over the seeds.
    pub fn log(&self, row: usize, quantity: impl Fn(&Measurement, usize) -> f64) -> LogMean {
        self.measured.log(|measurement| quantity(measurement, row))
    }

    /// The mean `log₁₀` of a predicted quantity of the layer `row` over the seeds; `None` where the
    /// theory does not cover it.
    pub fn predicted_log(
        &self,
        row: usize,
        quantity: impl Fn(&Prediction, usize) -> Option<f64>,
    ) -> Option<f64> {
        let logs: Option<Vec<f64>> = self.predicted.iter().map(|p| Some(quantity(p, row)?.log10())).collect();
        logs.map(|logs| mean_and_error(&logs).0)
    }

    /// The mean of the predicted decades; `None` where the theory does not cover all layers.
    pub fn predicted_decades(&self) -> Option<f64> {
        let stations = self.stations();
        let decades: Option<Vec<f64>> = self.predicted.iter().map(|p| p.decades(&stations)).collect();
        decades.map(|decades| mean_and_error(&decades).0)
    }
}

impl Phase {
    /// The place of `network` for the batch `x`, `(rows, inputs)`; `None` unless it is a plain
    /// stack of linear layers and one kind of activation.
    ///
    /// # Errors
    /// As [`Network::predict`].
    pub fn of<F: Scalar>(network: &Network<F>, x: &ArrayRef2<F>) -> Result<Option<Self>, Error> {
        Ok(Phase::on(&Tape::new(network, x.view())?))
    }

    /// The same on a recorded pass.
    fn on<F: Scalar>(tape: &Tape<F>) -> Option<Self> {
        let (activation, (sigma_w, sigma_b)) = Phase::place(tape)?;
        let edge = curve(activation, 40.0, 200).iter().map(Critical::sigmas).collect();
        Some(Phase { activation: activation.describe().name, sigma_w, sigma_b, edge })
    }

    /// The activation, `σw` and `σb` alone.
    pub(crate) fn place<'n, F: Scalar>(tape: &Tape<'n, F>) -> Option<(&'n dyn Layer<F>, (f64, f64))> {
        let steps = &tape.steps;
        let activation = steps.iter().find(|step| step.kind == Kind::Elementwise)?.layer;
        let name = activation.describe().name;
        let fits = |step: &Step<F>| match step.kind {
            Kind::Linear => true,
            Kind::Elementwise => step.layer.describe().name == name,
            _ => false,
        };
        if !steps.iter().all(fits) {
            return None;
        }
        let mut sums = [0.0; 3];
        let after_activation =
            |pair: &&[Step<F>]| pair[1].kind == Kind::Linear && pair[0].kind == Kind::Elementwise;
        for pair in steps.windows(2).filter(after_activation) {
            let mean_square = |name| {
                let tensor = pair[1].tensor(name, tape.network.params()).unwrap_or_default();
                mean_power(tensor.iter(), 2)
            };
            sums[0] += 1.0;
            sums[1] += pair[1].x.ncols() as f64 * mean_square("weight");
            sums[2] += mean_square("bias");
        }
        let [sigma_w, sigma_b] = [1, 2].map(|i| f64::sqrt(sums[i] / sums[0]));
        (sums[0] > 0.0).then_some((activation, (sigma_w, sigma_b)))
    }
}
