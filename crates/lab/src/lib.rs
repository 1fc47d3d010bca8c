//! The gradient laboratory: measures how gradients flow through a network, predicts it, and explains the difference.
//!
//! # Why gradients vanish
//!
//! A deep network computes `z_l = W_l h_(l−1) + b_l` and `h_l = φ(z_l)`, layer after layer. Backpropagation walks the same
//! way down: with `δ_l = ∂L/∂z_l`, the chain rule says
//!
//! ```text
//! δ_l = φ'(z_l) ⊙ W_(l+1)ᵀ δ_(l+1)
//! ```
//!
//! Each layer multiplies the gradient by two things: a matrix and the slopes of the activation. After L layers it has been
//! multiplied L times, so nothing but a factor of 1 keeps its size. How large is the factor? Let the entries of `W` be
//! independent with variance σw²/N, N being the number of inputs, and those of `b` have variance σb². Then every `z` is a
//! sum of many independent terms: normal, with mean square `q_l`. Squares of lengths follow from two expectations over a
//! normal `z` with variance q:
//!
//! ```text
//! up:    q_(l+1) = σw² E φ(z)² + σb²          the q map
//! down:  |δ_l|² ≈ χ₁ |δ_(l+1)|²               χ₁ = σw² E φ'(z)²
//! ```
//!
//! The first is a map from numbers to numbers with a fixed point q*. The second is the answer (Poole et al. 2016,
//! Schoenholz et al. 2017): gradients vanish where χ₁ < 1 and explode where χ₁ > 1, exponentially in depth. The curve
//! χ₁(q*) = 1 in the plane of σw and σb is the *edge of chaos*, [`critical`] and [`edge_of_chaos`].
//!
//! What do the usual building blocks do to the local derivative?
//!
//! | | what it does | energy χ₁ per layer |
//! |---|---|---|
//! | sigmoid | its slope is at most 1/4 and on average 0.21 | 0.056 at σw² = 1: a quarter of the length, a decade in 1.6 layers |
//! | tanh | slope 1 at 0, less elsewhere | 0.84 on average over 20 layers at σw² = 1; 1 at the edge, such as σw² = 1.761, σb² = 0.05 |
//! | ReLU | half of the slopes are 1, half 0: `E φ'² = 1/2` whatever q is | σw²/2: exactly 1 at He initialisation |
//! | residual `x + f(x)` | the derivative is `1 + f'`: the identity path multiplies by nothing | 1 + c, with c the branch's: grows, so scale branches by 1/√L |
//! | LayerNorm | divides by the row's σ, which cancels σw | `E φ'² / E φ²`: 1 for ReLU, 0.15 for sigmoid |
//! | BatchNorm | divides by the batch's σ, and takes the mean off | `E φ'² / Var φ`: 1.03 for sigmoid, 1.47 for ReLU |
//!
//! So ReLU and He initialisation keep the gradient; residual connections keep it for any activation, and grow it if not
//! scaled; LayerNorm does not save a sigmoid; BatchNorm does, but makes a deep ReLU network explode. The energies are
//! squares: the ratio `|δ_l| / |δ_(l+1)|` is their root. The README shows them all in one picture, measured and predicted.
//!
//! With BatchNorm the rows of a batch act on each other, and both its size B and the rank of the data matter: already
//! E 1/σ² is (B−1)/(B−3) of 1/E σ² for rows that are equally far apart (Yang et al. 2019), and more where the data have few
//! features. [`predict`] therefore follows the covariance of all rows from layer to layer, with sums over drawn points for
//! what has no closed form. What is left is the finite width. The rows' covariance is a mean over N units and strays from its
//! limit, which makes gradients larger; and gradients depend on the weights that they meet, the more the more rows there are,
//! which makes them smaller. With ReLU and the sigmoid the two cancel but for 0.03 decades in 20 layers at width 128; with
//! tanh 0.04 to 0.07 decades remain, which is a [`Limit`] where there are many layers for their width.
//!
//! # Measuring
//!
//! [`measure`] runs one forward and one backward pass and keeps, for every layer, the size of its output, of the gradient
//! there, and of the weights and their gradient. Look at `|δ|`, not at `|dW|`: in a ReLU network without biases
//! `⟨W_l, ∂L/∂W_l⟩` is the same number for every layer (Euler's identity for homogeneous functions), so weight gradients
//! look healthy however fast `δ` vanishes. [`Runs`] and [`Experiment`] repeat it over seeds and average logarithms: raw
//! means of products of random factors are dominated by a few lucky networks.
//!
//! [`predict`] walks the same network with the theory: each layer with its own q and the mean square of its own weights.
//! It also knows what a finite width N does, in three ways:
//!
//! - *Gradients scatter.* One layer adds `(3κ − 1)/N` to the variance of `ln |δ|²` of one input, κ = E φ'⁴/(E φ'²)², and takes
//!   half of that from its mean (Hanin and Nica 2020); for a batch the rows' covariances count as well.
//! - *q wanders.* The mean of φ² over N units scatters: each layer adds `(E φ⁴/(E φ²)² − 1)/N` to the variance of `ln q`, and
//!   the q map may amplify it, as that of GELU does at σw² = 2: there the rows of a batch that begin alike end up decades
//!   apart. So 32 networks of this width are followed, in pairs of opposite noise, each row with its own q.
//! - *The gradient along the signal goes its own way.* A signal that is longer by a factor `1 + ε` is longer by `1 + aε` one
//!   layer up, with `a = ∂ ln q' / ∂ ln q`; so the share of the gradient that lies along the signal, one of N directions,
//!   is multiplied by a² going down where all else is multiplied by χ₁. Mostly a² < χ₁ and little is lost; but where
//!   a² > χ₁, that share grows until it is most of the gradient. In a softplus network at σw² = 2, a² is 0.90 and
//!   χ₁ 0.79 at q = 12: after 20 layers of width 128 this has made the gradient half as long again.
//!
//! Where the theory ends, it says so ([`Limit`]).
//!
//! [`Measurement::decompose`] splits each ratio into slopes, weights, and an *alignment* that no independence argument
//! explains, and [`diagnose`] puts it into words, with remedies that were tried out on the network itself.
//!
//! ```
//! use geartrain::prelude::*;
//! use geartrain_lab as lab;
//! let layer = |net: Sequential<f64>, _| net.then(Linear::new(64, 64).init(Init::xavier_normal())).then(Sigmoid);
//! let network = Network::new((0..10).fold(Sequential::new(), layer), 64)?;
//! let x = lab::normal_batch(32, 64, 1);
//! let experiment = lab::Experiment::at_initialisation("sigmoid", &network, x.view(), 4)?;
//! let (measured, predicted) = (experiment.measured.decades().mean, experiment.predicted_decades().unwrap());
//! assert!((measured - predicted).abs() < 0.15, "{measured} against {predicted}");
//! println!("{}", experiment.diagnosis);
//! # Ok::<(), geartrain::Error>(())
//! ```
//!
//! # Beyond lengths
//!
//! [`jacobian`] and [`singular_values`] show whether all directions are treated alike; [`gradient_correlation`] whether
//! the gradients of different inputs still have to do with each other; [`path_spectrum`] how long the paths are that
//! carry a residual network's gradient. [`Spectra`] takes all three, with what the theory says, for a report. Closed forms
//! for all of these are in [`formulas`].
//!
//! The examples `vanishing_gradients` and `reproduce` are made of these instruments.
//!
//! # Sources
//!
//! Glorot and Bengio 2010; Saxe et al. 2014; He et al. 2015 and 2016; Poole et al. 2016 (*Exponential expressivity in deep
//! neural networks through transient chaos*); Schoenholz et al. 2017 (*Deep information propagation*); Pennington et al.
//! 2017 (*Resurrecting the sigmoid*); Balduzzi et al. 2017 (*The shattered gradients problem*); Yang et al. 2019 (*A mean
//! field theory of batch normalization*); Hanin and Nica 2020; Cho and Saul 2009 for the ReLU kernels.

mod activation;
mod chart;
mod correlation;
mod decomposition;
mod diagnose;
mod experiment;
mod heat_map;
mod measure;
mod numbers;
mod paths;
mod recorder;
mod remedies;
mod report;
mod runs;
mod singular_values;
mod spectra;
mod spectra_report;
mod surgery;
mod tape;
mod text;
mod theory;

pub use correlation::gradient_correlation;
pub use decomposition::Decomposition;
pub use diagnose::{Cause, Diagnosis, Finding, diagnose};
pub use experiment::{Experiment, Phase};
pub use measure::{
    LayerMeasurement, Measurement, TensorStats, Units, Weights, measure, measure_with_cotangent,
};
pub use numbers::normal_batch;
pub use paths::{PathSpectrum, path_spectrum};
pub use recorder::{Recorder, Recording, Snapshot};
pub use remedies::Remedy;
pub use report::Report;
pub use runs::{LogMean, Runs};
pub use singular_values::{singular_values, spread};
pub use spectra::{Comparison, NetworkSpectra, Spectra};
pub use theory::edge_of_chaos::{Critical, critical, edge_of_chaos};
pub use theory::formulas;
pub use theory::mean_field::{DepthScales, MeanField};
pub use theory::moments::Moments;
pub use theory::predict::{LayerPrediction, Limit, Prediction, predict};
