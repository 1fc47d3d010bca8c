//! One architecture, several seeds: measured, predicted, diagnosed.

use ndarray::ArrayView2;

use super::average::{Average, Log};
use super::diagnose::{Diagnosis, diagnose};
use super::measure::{Measurement, measure_with_cotangent, normal_batch};
use super::predict::{Prediction, predict};
use super::trace::Trace;
use geartrain::{Error, Kind, Layer, Network, Scalar};

/// What the laboratory says about one network: a line of a [`Report`](super::Report).
#[derive(Debug, Clone)]
pub struct Experiment {
    /// What to call the network.
    pub name: String,
    /// One measurement per seed.
    pub measured: Average,
    /// The prediction for each of these networks.
    pub predicted: Vec<Prediction>,
    /// Of the first of them.
    pub diagnosis: Diagnosis,
    /// Where the network stands in the phase diagram of its activation; `None` unless it is a plain stack of linear layers
    /// and one kind of activation.
    pub phase: Option<Phase>,
}

/// A place in the phase diagram of an activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// The activation's name.
    pub activation: String,
    /// `σw`, root mean square over the linear layers that read an activation.
    pub sigma_w: f64,
    /// `σb`, likewise.
    pub sigma_b: f64,
    /// The edge of chaos: pairs of `σw` and `σb`.
    pub edge: Vec<(f64, f64)>,
}

impl Experiment {
    /// Measures and predicts `network` with its parameters drawn with seeds 0, 1, … on the batch `x`, each with another
    /// random gradient at the output.
    ///
    /// # Errors
    /// As [`measure_with_cotangent`].
    pub fn at_initialisation<F: Scalar>(
        name: &str,
        network: &Network<F>,
        x: ArrayView2<F>,
        seeds: u64,
    ) -> Result<Self, Error> {
        let networks: Vec<_> = (0..seeds.max(1)).map(|seed| network.clone().with_seed(seed)).collect();
        Experiment::of(name, &networks, x)
    }

    /// The same for networks that exist, such as one that was trained. They must be of one architecture.
    ///
    /// # Errors
    /// As [`measure_with_cotangent`]; [`Error::Argument`] if there is no network.
    pub fn of<F: Scalar>(name: &str, networks: &[Network<F>], x: ArrayView2<F>) -> Result<Self, Error> {
        geartrain::error::require(!networks.is_empty(), "networks", "at least one", 0)?;
        let cotangent = |seed| normal_batch::<F>(x.nrows(), networks[0].outputs(), 1_000 + seed);
        let mut measured = Vec::new();
        let mut predicted = Vec::new();
        for (seed, network) in networks.iter().enumerate() {
            let dy = cotangent(seed as u64);
            measured.push(measure_with_cotangent(network, x, dy.view())?);
            predicted.push(predict(network, x, dy.view())?);
        }
        Ok(Experiment {
            name: name.into(),
            measured: Average { seeds: measured },
            predicted,
            diagnosis: diagnose(&networks[0], x, cotangent(0).view())?,
            phase: Phase::of(&networks[0], x)?,
        })
    }

    /// The layers between which decades are counted.
    pub fn stations(&self) -> Vec<usize> {
        self.measured.seeds[0].stations()
    }

    /// `log₁₀` of a measured quantity of the layer `row`, over the seeds.
    pub fn log(&self, row: usize, quantity: impl Fn(&Measurement, usize) -> f64) -> Log {
        Log::of(&self.measured.seeds.iter().map(|m| quantity(m, row)).collect::<Vec<_>>())
    }

    /// Mean `log₁₀` of a predicted quantity of the layer `row`; `None` where the theory does not cover it.
    pub fn predicted_log(
        &self,
        row: usize,
        quantity: impl Fn(&Prediction, usize) -> Option<f64>,
    ) -> Option<f64> {
        let logs: Option<Vec<f64>> = self.predicted.iter().map(|p| Some(quantity(p, row)?.log10())).collect();
        logs.map(|logs| Log::of_logs(&logs).mean)
    }

    /// Mean of the predicted decades.
    pub fn predicted_decades(&self) -> Option<f64> {
        let stations = self.stations();
        let decades: Option<Vec<f64>> = self.predicted.iter().map(|p| p.decades(&stations)).collect();
        decades.map(|decades| Log::of_logs(&decades).mean)
    }
}

impl Phase {
    /// Where `network` stands, `x` being a batch that it reads; `None` unless it is a plain stack of linear layers and one
    /// kind of activation.
    ///
    /// # Errors
    /// As [`Network::predict`].
    pub fn of<F: Scalar>(network: &Network<F>, x: ArrayView2<F>) -> Result<Option<Self>, Error> {
        let trace = Trace::new(network, x)?;
        let steps = &trace.steps;
        let plain = |kind: Kind| matches!(kind, Kind::Linear | Kind::Elementwise);
        let Some(first) = steps.iter().find(|step| step.kind == Kind::Elementwise) else { return Ok(None) };
        let activation: &dyn Layer<F> = first.layer;
        let name = activation.describe().name;
        let alike = |step: &super::trace::Step<F>| {
            step.kind != Kind::Elementwise || step.layer.describe().name == name
        };
        if !steps.iter().all(|step| plain(step.kind) && alike(step)) {
            return Ok(None);
        }
        let mut sums = [0.0; 3];
        for pair in
            steps.windows(2).filter(|pair| pair[1].kind == Kind::Linear && pair[0].kind == Kind::Elementwise)
        {
            let mean_square = |name| {
                let tensor = pair[1].tensor(name, network.params()).unwrap_or_default();
                tensor.iter().map(|v| v.as_f64().powi(2)).sum::<f64>() / tensor.len().max(1) as f64
            };
            sums[0] += 1.0;
            sums[1] += pair[1].x.ncols() as f64 * mean_square("weight");
            sums[2] += mean_square("bias");
        }
        if sums[0] == 0.0 {
            return Ok(None);
        }
        let [sigma_w, sigma_b] = [1, 2].map(|i| f64::sqrt(sums[i] / sums[0]));
        let edge = super::edge_of_chaos::curve(activation, 40.0, 200);
        let edge =
            edge.iter().map(|point| (point.weight_variance.sqrt(), point.bias_variance.sqrt())).collect();
        Ok(Some(Phase { activation: name, sigma_w, sigma_b, edge }))
    }
}
