//! Measured norms of signals and gradients, layer by layer.

use ndarray::{Array2, ArrayRef2, ArrayView2};

use crate::activation::evaluate;
use crate::numbers::{entries, norm, normal_batch, rms, sum};
use crate::tape::{Memory, Passing, Step, Tape};
use geartrain::error::same_shape;
use geartrain::layer::Kind;
use geartrain::{Error, Layer, Loss, Network, Scalar};

/// The result of one forward and one backward pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// One row per layer, in forward order. Containers are opened.
    pub layers: Vec<LayerMeasurement>,
    /// The loss, or `None` for a measurement with a given cotangent.
    pub loss: Option<f64>,
    /// The norm of the gradient at the network's input.
    pub input_gradient: f64,
}

/// The measurement of one layer. All norms are Frobenius norms over the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerMeasurement {
    /// The layer's path, as in parameter names.
    pub path: String,
    /// The layer's name, as in tables.
    pub layer: String,
    /// The layer's kind. [`Kind::Residual`] stands for the sum at the end of a skip connection,
    /// after the layers of its body.
    pub kind: Kind,
    /// The number of skip connections around it.
    pub nesting: usize,
    /// Features per row of its output.
    pub outputs: usize,
    /// Its output: `z` of a linear layer, `h` of an activation.
    pub output: TensorStats,
    /// `|δ|`, the norm of the gradient at its output.
    pub gradient: f64,
    /// The norm of the gradient at its input.
    pub input_gradient: f64,
    /// The layer's effect on the norm of a gradient that is independent of it: the root mean
    /// square of `|Jᵀv| / |v|` over random `v`, where J is its Jacobian at this batch. For an
    /// activation, the rms slope; for a linear layer, `|W| / √outputs`, which is `√(N·Var W)` with
    /// N inputs; for a skip connection, `√(1 + s² branch²)`.
    pub gain: f64,
    /// The norms of its weight and of the weight's gradient; `None` if it has no weight.
    pub weights: Option<Weights>,
    /// Dead and saturated units of an activation; `None` for other layers.
    pub units: Option<Units>,
}

/// Statistics of the entries of a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TensorStats {
    /// The Frobenius norm.
    pub norm: f64,
    /// The mean.
    pub mean: f64,
    /// The variance around the mean.
    pub variance: f64,
}

/// Norms of a layer's weight, its first trainable tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// `|W|`.
    pub norm: f64,
    /// `|dW|`. In a ReLU network without biases it is nearly the same for every layer, whatever
    /// happens to `|δ|`, because `⟨W, ∂L/∂W⟩` is the same (Euler's identity).
    pub gradient: f64,
}

impl TensorStats {
    /// The mean square.
    pub fn mean_square(&self) -> f64 {
        self.mean.powi(2) + self.variance
    }
}

impl Weights {
    /// `|dW| / |W|`.
    pub fn relative(&self) -> f64 {
        self.gradient / self.norm
    }
}

/// Dead and saturated units of an activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Units {
    /// The fraction of units whose slope is 0 for every row, so that they pass no gradient. In a
    /// batch of few rows, a unit may only appear dead.
    pub dead: f64,
    /// The fraction of slopes that are exactly 0: one half in a healthy ReLU layer.
    pub off: f64,
    /// The fraction of slopes below a twentieth of the activation's steepest slope, zeros
    /// included. In a sigmoid or tanh layer, units at the ends of their range.
    pub saturated: f64,
}

/// Measures `network` on a batch `x`, `(rows, inputs)`, with the gradient of `loss` for `target`.
///
/// Use an `f64` network where gradients may fall below 1e-38. The network is not changed, so this
/// can be called at any time during training.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
/// use geartrain_lab as lab;
/// let data = toy::sine::<f64>(64, 0.1, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Sigmoid).then(Linear::new(16, 1));
/// let measured = lab::measure(&Network::new(layers)?, &MeanSquaredError, data.x(), data.y())?;
/// assert!(measured.layers[1].gradient > measured.layers[0].gradient);
/// # Ok::<(), geartrain::Error>(())
/// ```
///
/// # Errors
/// As [`Network::loss`].
pub fn measure<F: Scalar>(
    network: &Network<F>,
    loss: &dyn Loss<F>,
    x: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
) -> Result<Measurement, Error> {
    Instrument::new().measure(network, loss, x.view(), target.view())
}

/// Measures `network` on a batch `x`, `(rows, inputs)`, with the cotangent `dy`, `(rows, outputs)`,
/// as the gradient at its output. A random `dy` shows the effect of the network alone, without
/// data.
///
/// # Errors
/// As [`Network::predict`]; [`Error::Shape`] if `dy` has another shape than the output.
pub fn measure_with_cotangent<F: Scalar>(
    network: &Network<F>,
    x: &ArrayRef2<F>,
    dy: &ArrayRef2<F>,
) -> Result<Measurement, Error> {
    let mut tape = Tape::new(network, x.view())?;
    same_shape("dy", tape.output.shape(), dy.shape())?;
    Ok(measure_on(&mut tape, dy.view()))
}

/// The same on a recorded pass; `dy` must have the shape of its output.
pub(crate) fn measure_on<F: Scalar>(tape: &mut Tape<F>, dy: ArrayView2<F>) -> Measurement {
    Instrument::new().read(tape, dy)
}

/// State that makes repeated measurements cheaper.
#[derive(Debug, Clone)]
pub(crate) struct Instrument<F> {
    memory: Memory<F>,
    ones: Vec<F>,
    /// A random cotangent.
    random: Array2<F>,
    /// The steepest slope of every activation met so far, by the activation's `Debug` text.
    steepest: Vec<(String, F)>,
}

impl<F: Scalar> Instrument<F> {
    pub fn new() -> Self {
        let (memory, random) = (Memory::new(), Array2::zeros((0, 0)));
        Instrument { memory, ones: Vec::new(), random, steepest: Vec::new() }
    }

    /// As [`measure`].
    pub fn measure(
        &mut self,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        x: ArrayView2<F>,
        target: ArrayView2<F>,
    ) -> Result<Measurement, Error> {
        let mut tape = Tape::in_memory(network, x, std::mem::replace(&mut self.memory, Memory::new()))?;
        loss.check(&tape.output.view(), &target)?;
        let mut dy = Array2::zeros(tape.output.dim());
        let value = loss.gradient(&tape.output.view(), &target, &mut dy);
        let measurement = self.read(&mut tape, dy.view());
        self.memory = tape.into_memory();
        Ok(Measurement { loss: Some(value), ..measurement })
    }

    /// Propagates `dy` over `tape` and measures every step.
    fn read(&mut self, tape: &mut Tape<F>, dy: ArrayView2<F>) -> Measurement {
        let params = tape.network.params();
        let mut layers = Vec::with_capacity(tape.steps.len());
        let input = tape.backward(dy, &mut |i, step, passing| {
            layers.push((i, self.layer(params, step, passing)));
        });
        let input_gradient = input.length;
        tape.take_back(input);
        // a skip connection is visited before its body, but listed after it
        layers.sort_by_key(|(i, _)| *i);
        let layers = layers.into_iter().map(|(_, layer)| layer).collect();
        Measurement { layers, loss: None, input_gradient }
    }

    fn layer(&mut self, params: &[F], step: &mut Step<F>, passing: Passing<F>) -> LayerMeasurement {
        let Passing { dy, dx, params: gradients, branch } = passing;
        let weights = step.weight().map(|range| Weights {
            norm: norm(&params[step.params.clone()][range.clone()]),
            gradient: norm(&gradients[range]),
        });
        let slopes = (step.kind == Kind::Elementwise).then(|| self.slopes(params, step));
        let gain = match (step.kind, branch, &slopes, weights) {
            (_, Some(branch), ..) => (1.0 + (branch / dy.length).powi(2)).sqrt(),
            (Kind::Linear, .., Some(weights)) => weights.norm / (step.y.ncols() as f64).sqrt(),
            (_, _, Some(slopes), _) => slopes.rms,
            _ => self.random_gain(params, step),
        };
        LayerMeasurement {
            path: step.path.clone(),
            layer: step.layer.describe().name,
            kind: step.kind,
            nesting: step.nesting,
            outputs: step.y.ncols(),
            output: TensorStats::of(step.y.as_slice().expect("row-major layout")),
            gradient: dy.length,
            input_gradient: dx.length,
            gain,
            weights,
            units: slopes.map(|slopes| slopes.units),
        }
    }

    /// The slopes of an activation at the recorded batch.
    fn slopes(&mut self, params: &[F], step: &mut Step<F>) -> Slopes {
        let steepest = self.steepest(step.layer);
        let dim = step.x.dim();
        let mut slopes = self.memory.lend_matrix(dim);
        self.ones.resize(slopes.len().max(self.ones.len()), F::one());
        let ones =
            ArrayView2::from_shape(dim, &self.ones[..slopes.len()]).expect("at least as many ones as slopes");
        step.pull_back(params, ones, slopes.view_mut());
        let read = Slopes::of(&slopes, steepest);
        self.memory.take_back(slopes);
        read
    }

    /// The steepest slope of `activation` from −8 to 8.
    fn steepest(&mut self, activation: &dyn Layer<F>) -> F {
        let text = format!("{activation:?}");
        if let Some((_, steepest)) = self.steepest.iter().find(|(known, _)| *known == text) {
            return *steepest;
        }
        let grid = Array2::from_shape_fn((641, 1), |(i, _)| F::of(i as f64 / 40.0 - 8.0));
        let steepest = evaluate(activation, grid.view()).1.fold(F::zero(), |max, slope| max.max(slope.abs()));
        self.steepest.push((text, steepest));
        steepest
    }

    /// The root mean square of `|Jᵀv| / |v|` for a random `v`, where J is the layer's Jacobian at
    /// the recorded batch.
    fn random_gain(&mut self, params: &[F], step: &mut Step<F>) -> f64 {
        if self.random.dim() != step.y.dim() {
            self.random = normal_batch(step.y.nrows(), step.y.ncols(), 0);
        }
        let mut dx = self.memory.lend_matrix(step.x.dim());
        step.pull_back(params, self.random.view(), dx.view_mut());
        let gain = norm(entries(&dx)) / norm(entries(&self.random));
        self.memory.take_back(dx);
        gain
    }
}

impl Measurement {
    /// The stations, between which gradients are compared: the linear layers and skip connections
    /// of the main path, as indices into [`layers`](Measurement::layers).
    ///
    /// In a stack of one width, an output layer of another width is left out, so that the ratio
    /// per layer is that of equal layers.
    pub fn stations(&self) -> Vec<usize> {
        let station = |row: &LayerMeasurement| {
            row.nesting == 0 && matches!(row.kind, Kind::Linear | Kind::Residual { .. })
        };
        let mut stations: Vec<usize> = (0..self.layers.len()).filter(|&i| station(&self.layers[i])).collect();
        let width = |&i: &usize| self.layers[i].outputs;
        if let [first, body @ .., output] = &stations[..]
            && !body.is_empty()
            && body.iter().all(|i| width(i) == width(first))
            && width(output) != width(first)
        {
            stations.pop();
        }
        stations
    }

    /// `|δ|` of the layer `row`, relative to the last station.
    pub fn relative_gradient(&self, row: usize) -> f64 {
        let top = self.stations().last().copied().unwrap_or(row);
        self.layers[row].gradient / self.layers[top].gradient
    }

    /// `|dW|` of the last weight up to the layer `row`, which for a skip connection is in its body;
    /// NaN without any.
    pub fn weight_gradient(&self, row: usize) -> f64 {
        let weights = self.layers[..=row].iter().rev().find_map(|layer| layer.weights);
        weights.map_or(f64::NAN, |weights| weights.gradient)
    }

    /// `log₁₀` of `|δ|` at the first station over `|δ|` at the last: −12 if the gradient loses
    /// twelve decades from the top of the network to its bottom, `−∞` if no gradient arrives, 0
    /// with fewer than two stations.
    pub fn decades(&self) -> f64 {
        let stations = self.stations();
        let (&[first, .., _], &[_, .., last]) = (&stations[..], &stations[..]) else { return 0.0 };
        let [first, last] = [first, last].map(|i| self.layers[i].gradient);
        if first == 0.0 { f64::NEG_INFINITY } else { (first / last).log10() }
    }

    /// The geometric mean of the ratios `|δ_l| / |δ_(l+1)|` between neighbouring stations.
    pub fn ratio(&self) -> f64 {
        10_f64.powf(self.decades() / (self.stations().len().max(2) - 1) as f64)
    }
}

impl TensorStats {
    fn of<F: Scalar>(values: &[F]) -> Self {
        let n = values.len().max(1) as f64;
        let mean = sum(values, |v| v) / n;
        let variance = sum(values, |v| (v - mean) * (v - mean)) / n;
        TensorStats { norm: norm(values), mean, variance }
    }
}

/// Statistics of an activation's slopes at a batch.
struct Slopes {
    rms: f64,
    units: Units,
}

impl Slopes {
    fn of<F: Scalar>(slopes: &Array2<F>, steepest: F) -> Self {
        let (values, columns) = (entries(slopes), slopes.ncols());
        let mut alive = vec![false; columns];
        for row in values.chunks_exact(columns.max(1)) {
            alive.iter_mut().zip(row).for_each(|(alive, slope)| *alive |= !slope.is_zero());
        }
        let low = F::of(0.05) * steepest;
        let fraction = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        let units = Units {
            dead: fraction(alive.iter().filter(|alive| !**alive).count(), columns),
            off: fraction(values.iter().filter(|slope| slope.is_zero()).count(), values.len()),
            saturated: fraction(values.iter().filter(|slope| slope.abs() < low).count(), values.len()),
        };
        Slopes { rms: rms(values), units }
    }
}

impl LayerMeasurement {
    /// The layer's effect on the norm of the gradient: `input_gradient / gradient`.
    pub fn ratio(&self) -> f64 {
        self.input_gradient / self.gradient
    }

    /// The part of the [ratio](LayerMeasurement::ratio) that [`gain`](LayerMeasurement::gain) does
    /// not explain. It is far from 1 where the gradient depends on the layer's weights, as in
    /// `x + relu(Wx)` or after training.
    pub fn alignment(&self) -> f64 {
        self.ratio() / self.gain
    }
}
