//! What a network does to signals and gradients, layer by layer.

use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::moments::evaluate;
use super::trace::{Memory, Passing, Step, Trace};
use geartrain::error::same_shape;
use geartrain::{Error, Kind, Layer, Loss, Network, Scalar};

/// Everything that one forward and one backward pass tell about a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// One row per layer, in the order of the pass; containers are opened.
    pub layers: Vec<LayerMeasurement>,
    /// The loss, if there was one.
    pub loss: Option<f64>,
    /// The length of the gradient at the network's input.
    pub input_gradient: f64,
}

/// What was measured at one layer. Lengths are Frobenius norms over the whole batch.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerMeasurement {
    /// Where the layer is, as in parameter names.
    pub path: String,
    /// The layer, as it is named in tables.
    pub layer: String,
    /// What kind of function it is. [`Kind::Residual`] stands for the sum at the end of a skip connection, after the layers
    /// of its body.
    pub kind: Kind,
    /// How many skip connections it is inside of.
    pub nesting: usize,
    /// Features per row at its output.
    pub outputs: usize,
    /// Its output: `z` of a linear layer, `h` of an activation.
    pub output: Spread,
    /// `|δ|`, the length of the gradient at its output.
    pub gradient: f64,
    /// The length of the gradient at its input, as this layer leaves it.
    pub input_gradient: f64,
    /// What the layer would multiply a gradient's length by if the gradient had nothing to do with it: rms of `|Jᵀv| / |v|`
    /// over random `v`, with J its Jacobian at this batch. The rms slope of an activation, `|W| / √outputs` of a linear
    /// layer, `√(1 + s² branch²)` of a skip connection with a branch that is independent.
    pub gain: f64,
    /// The length of its weight and that of its gradient; `None` if it learns nothing.
    pub weights: Option<Weights>,
    /// How an activation's units fare; `None` for other layers.
    pub units: Option<Units>,
}

/// The size of a matrix of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The root of the sum of squares.
    pub norm: f64,
    /// The mean of all entries.
    pub mean: f64,
    /// Their variance around it.
    pub variance: f64,
}

/// The weight of a layer, that is the first tensor that it learns, in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// `|W|`.
    pub norm: f64,
    /// `|dW|`, the length of its gradient. In a ReLU network without biases it is nearly the same for every layer,
    /// whatever happens to `|δ|`: by Euler's identity, `⟨W, ∂L/∂W⟩` is.
    pub gradient: f64,
}

impl Weights {
    /// `|dW| / |W|`.
    pub fn relative(&self) -> f64 {
        self.gradient / self.norm
    }
}

/// How an activation's units fare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Units {
    /// Fraction of units whose slope is 0 for every row: no gradient passes them. (A unit may only look dead in a batch of
    /// few rows.)
    pub dead: f64,
    /// Fraction of slopes that are exactly 0: half of them, in a healthy ReLU layer.
    pub off: f64,
    /// Fraction of slopes below a twentieth of the steepest slope of the activation, those that are 0 included. In a
    /// sigmoid or tanh layer, units that are stuck at the ends of their range.
    pub saturated: f64,
}

/// Measures `network` on a batch `x`, `(rows, inputs)`, with the gradient of `loss` against `target`.
///
/// Use a network of `f64` where gradients may fall below 1e-38. The network's parameters are not touched, so this can be
/// called at any time in training.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
/// use geartrain_lab as lab;
/// let data = toy::sine::<f64>(64, 0.1, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Sigmoid).then(Linear::new(16, 1));
/// let measured = lab::measure(&Network::new(layers, 1)?, &MeanSquaredError, data.x(), data.y())?;
/// assert!(measured.layers[1].gradient > measured.layers[0].gradient);
/// # Ok::<(), geartrain::Error>(())
/// ```
///
/// # Errors
/// As [`Network::loss`].
pub fn measure<F: Scalar>(
    network: &Network<F>,
    loss: &dyn Loss<F>,
    x: ArrayView2<F>,
    target: ArrayView2<F>,
) -> Result<Measurement, Error> {
    Instrument::new().measure(network, loss, x, target)
}

/// Measures `network` on a batch `x` with `dy`, `(rows, outputs)`, as the gradient at its output: what happens to a
/// gradient that no data have shaped.
///
/// # Errors
/// As [`Network::predict`]; [`Error::Shape`] if `dy` has another shape than the output.
pub fn measure_with_cotangent<F: Scalar>(
    network: &Network<F>,
    x: ArrayView2<F>,
    dy: ArrayView2<F>,
) -> Result<Measurement, Error> {
    let mut trace = Trace::new(network, x)?;
    same_shape("dy", trace.output.shape(), dy.shape())?;
    Ok(Instrument::new().read(&mut trace, dy))
}

/// A matrix of standard normal numbers: the same for the same seed. A cotangent, or a batch of inputs with q = 1.
pub fn normal_batch<F: Scalar>(rows: usize, columns: usize, seed: u64) -> Array2<F> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Array2<f64> =
        Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut rng));
    values.mapv(F::of)
}

/// What one measurement leaves for the next one, which then costs less.
#[derive(Debug, Clone)]
pub(super) struct Instrument<F> {
    memory: Memory<F>,
    ones: Vec<F>,
    /// A cotangent that nothing has shaped.
    random: Array2<F>,
    /// The steepest slope of every activation met so far, which is known by its `Debug` text.
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
        let mut trace = Trace::in_memory(network, x, std::mem::replace(&mut self.memory, Memory::new()))?;
        loss.check(&trace.output.view(), &target)?;
        let mut dy = Array2::zeros(trace.output.dim());
        let value = loss.gradient(&trace.output.view(), &target, &mut dy);
        let measurement = self.read(&mut trace, dy.view());
        self.memory = trace.into_memory();
        Ok(Measurement { loss: Some(value), ..measurement })
    }

    /// Goes back through `trace` and reads everything off on the way.
    fn read(&mut self, trace: &mut Trace<F>, dy: ArrayView2<F>) -> Measurement {
        let params = trace.network.params();
        let mut layers = Vec::with_capacity(trace.steps.len());
        let input = trace.backward(dy, &mut |i, step, passing| {
            layers.push((i, self.layer(params, step, passing)));
        });
        let input_gradient = input.length;
        trace.take_back(input);
        // a skip connection is passed after its body in either direction
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
            output: Spread::of(step.y.as_slice().expect("row by row")),
            gradient: dy.length,
            input_gradient: dx.length,
            gain,
            weights,
            units: slopes.map(|slopes| slopes.units),
        }
    }

    /// The slopes of an activation where it was passed.
    fn slopes(&mut self, params: &[F], step: &mut Step<F>) -> Slopes {
        let steepest = self.steepest(step.layer);
        let dim = step.x.dim();
        let mut slopes = self.memory.lend_matrix(dim);
        self.ones.resize(slopes.len().max(self.ones.len()), F::one());
        let ones = ArrayView2::from_shape(dim, &self.ones[..slopes.len()]).expect("as many");
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

    /// Root mean square of `|Jᵀv| / |v|` for a random `v`, with J the layer's Jacobian at this batch.
    fn random_gain(&mut self, params: &[F], step: &mut Step<F>) -> f64 {
        if self.random.dim() != step.y.dim() {
            self.random = normal_batch(step.y.nrows(), step.y.ncols(), 0);
        }
        let mut dx = self.memory.lend_matrix(step.x.dim());
        step.pull_back(params, self.random.view(), dx.view_mut());
        let gain = norm(rows(&dx)) / norm(rows(&self.random));
        self.memory.take_back(dx);
        gain
    }
}

/// The numbers of a matrix that lies row by row.
pub(super) fn rows<F>(matrix: &Array2<F>) -> &[F] {
    matrix.as_slice().expect("row by row")
}

impl Measurement {
    /// The layers between which decades are counted: the linear layers and the skip connections on the main path, as far
    /// as they are as wide as the first of them. Indices into [`layers`](Measurement::layers). (A change of width changes
    /// the length of a gradient without any vanishing.)
    pub fn stations(&self) -> Vec<usize> {
        let station = |row: &LayerMeasurement| {
            row.nesting == 0 && matches!(row.kind, Kind::Linear | Kind::Residual { .. })
        };
        let width = self.layers.iter().find(|row| station(row)).map(|row| row.outputs);
        let rows = self.layers.iter().enumerate();
        rows.filter(|(_, row)| station(row) && Some(row.outputs) == width).map(|(i, _)| i).collect()
    }

    /// `log₁₀` of `|δ|` at the first station over `|δ|` at the last: −12 when the gradient loses twelve decades on its way
    /// down, `−∞` when none of it arrives, 0 with fewer than two stations.
    pub fn decades(&self) -> f64 {
        let stations = self.stations();
        let (&[first, .., _], &[_, .., last]) = (&stations[..], &stations[..]) else { return 0.0 };
        let [first, last] = [first, last].map(|i| self.layers[i].gradient);
        if first == 0.0 { f64::NEG_INFINITY } else { (first / last).log10() }
    }

    /// The mean ratio `|δ_l| / |δ_(l+1)|` from station to station.
    pub fn ratio(&self) -> f64 {
        10_f64.powf(self.decades() / (self.stations().len().max(2) - 1) as f64)
    }
}

impl Spread {
    fn of<F: Scalar>(values: &[F]) -> Self {
        let n = values.len().max(1) as f64;
        let mean = sum(values, |v| v) / n;
        let variance = sum(values, |v| (v - mean) * (v - mean)) / n;
        Spread { norm: norm(values), mean, variance }
    }
}

/// What an activation's slopes at a batch say.
struct Slopes {
    rms: f64,
    units: Units,
}

impl Slopes {
    fn of<F: Scalar>(slopes: &Array2<F>, steepest: F) -> Self {
        let (values, columns) = (rows(slopes), slopes.ncols());
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
        Slopes { rms: norm(values) / (values.len().max(1) as f64).sqrt(), units }
    }
}

impl LayerMeasurement {
    /// What the layer multiplied the length of the gradient by, on its way down.
    pub fn ratio(&self) -> f64 {
        self.input_gradient / self.gradient
    }

    /// The part of the [ratio](LayerMeasurement::ratio) that [`gain`](LayerMeasurement::gain) does not explain: far from 1
    /// where the gradient is not independent of the layer's weights, as in `x + relu(Wx)` or after training.
    pub fn alignment(&self) -> f64 {
        self.ratio() / self.gain
    }
}

/// The root of the sum of squares; where it is very small or very large, scaled by the largest, so that squares of 1e-200
/// do not vanish.
pub(super) fn norm<F: Scalar>(values: &[F]) -> f64 {
    let squares = sum(values, |v| v * v);
    if (1e-250..1e250).contains(&squares) {
        return squares.sqrt();
    }
    let largest = values.iter().fold(0.0, |max: f64, v| max.max(v.as_f64().abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * sum(values, |v| (v / largest).powi(2)).sqrt()
}

/// The sum of all terms, in eight parts that take turns: one addition after the other would be most of the time of a
/// measurement.
fn sum<F: Scalar>(values: &[F], term: impl Fn(f64) -> f64) -> f64 {
    let mut parts = [0.0; 8];
    let mut add = |chunk: &[F]| parts.iter_mut().zip(chunk).for_each(|(part, v)| *part += term(v.as_f64()));
    let (chunks, rest) = values.as_chunks::<8>();
    chunks.iter().for_each(|chunk| add(chunk));
    add(rest);
    parts.iter().sum()
}
