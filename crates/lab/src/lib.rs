//! The gradient laboratory: measures how gradients flow through a network, predicts it, and
//! explains the difference.
//!
//! # Why gradients vanish
//!
//! A deep network computes `z_l = W_l h_(l−1) + b_l` and `h_l = φ(z_l)`, layer after layer. With
//! `δ_l = ∂L/∂z_l`, the chain rule gives
//!
//! ```text
//! δ_l = φ'(z_l) ⊙ W_(l+1)ᵀ δ_(l+1)
//! ```
//!
//! Each layer multiplies the gradient by a matrix and by the slopes of the activation. Over L
//! layers these factors multiply, so that the gradient keeps its size only if each factor is close
//! to 1. The factor follows from the distribution of the weights. Let the entries of `W` be
//! independent with variance σw²/N, where N is the number of inputs, and those of `b` have variance
//! σb². Then every `z` is a sum of many independent terms and therefore normal, with mean square
//! `q_l`. Squared norms follow from two expectations over a normal `z` with variance q:
//!
//! ```text
//! forward:   q_(l+1) = σw² E φ(z)² + σb²        the q map
//! backward:  |δ_l|² ≈ χ₁ |δ_(l+1)|²             χ₁ = σw² E φ'(z)²
//! ```
//!
//! The first is an iterated map with a fixed point q*. The second decides over the gradient (Poole
//! et al. 2016, Schoenholz et al. 2017): it vanishes for χ₁ < 1 and explodes for χ₁ > 1,
//! exponentially in depth. The curve χ₁(q*) = 1 in the plane of σw and σb is the *edge of chaos*:
//! [`critical`] and [`edge_of_chaos`].
//!
//! The effect of common building blocks, where *energy* is the factor on the squared norm:
//!
//! | | local derivative | energy per layer |
//! |---|---|---|
//! | sigmoid | slope at most 1/4 | 0.056 at σw² = 1: a decade of the norm in 1.6 layers |
//! | tanh | slope 1 at 0, smaller elsewhere | 0.84 at σw² = 1, on average over 20 layers |
//! | ReLU | slopes 0 and 1: `E φ'² = 1/2` for every q | σw²/2: exactly 1 at He initialisation |
//! | residual `x + f(x)` | `1 + f'` | 1 + c, where c is the energy of the branch |
//! | LayerNorm | divides by σ of the row | `E φ'² / E φ²`: 1 for ReLU, 0.15 for the sigmoid |
//! | BatchNorm | divides by σ of the batch | `E φ'² / Var φ`: 1.47 for ReLU, 1.03 for the sigmoid |
//!
//! On the edge of chaos, such as σw² = 1.761, σb² = 0.05 for tanh, the energy is 1. ReLU with He
//! initialisation keeps the gradient. Residual connections keep it for every activation, and
//! increase it unless their branches are scaled by 1/√L. Normalisation makes the energy independent
//! of σw. LayerNorm does not help the
//! sigmoid. BatchNorm does, but a deep ReLU network with BatchNorm explodes.
//!
//! # Measuring
//!
//! [`measure`] runs one forward and one backward pass and records, for every layer, the norms of
//! its output, of the gradient there, of its weight and of the weight's gradient. The quantity to
//! look at is `|δ|`, not `|dW|`: in a ReLU network without biases, `⟨W_l, ∂L/∂W_l⟩` is the same for
//! every layer (Euler's identity for homogeneous functions), so that weight gradients look healthy
//! even where `δ` vanishes. [`Runs`] and [`Experiment`] repeat measurements over seeds and average
//! logarithms, because a few networks dominate the mean of a product of random factors.
//!
//! [`Measurement::stations`] are the layers between which gradients are compared: all linear layers
//! and skip connections of the main path, whatever their widths. [`Measurement::decompose`] splits
//! each change into slopes, weights, widths, and an *alignment* that independence cannot explain.
//! [`diagnose`] describes it in words, with remedies that are measured on changed networks.
//!
//! # Predicting
//!
//! [`predict`] applies the theory to a given network. Every layer has its own q and the mean square
//! of its own weights. A linear layer with N inputs multiplies the squared norm of the gradient by
//! N·Var W, whatever its number of outputs, so that funnels and bottlenecks are covered. Finite
//! widths have three effects:
//!
//! - *Gradients fluctuate.* One layer adds `(3κ − 1)/N` to the variance of `ln |δ|²` for one input,
//!   where κ = E φ'⁴/(E φ'²)², and subtracts half of that from its mean (Hanin and Nica 2020). A
//!   batch fluctuates less at first. The gradients of its rows become parallel by about 1/N per
//!   layer, so that it fluctuates like one row in networks as deep as they are wide. The overlap of
//!   the rows is followed from layer to layer. For linear and ReLU networks, the standard deviation
//!   is right within about 12 %; for ReLU, the shift of a batch's mean is too small, by up to 0.1
//!   decades at depth = width. With tanh, signals and gradients pass the same weights and units, so
//!   that networks with large signals have other gradients than the rest. This covariance is
//!   included to lowest order. In the settings compared, the mean is then right within 0.15
//!   decades, and the deviation within 10 % for one row. For batches it is mostly too large: by 3
//!   to 25 %, and by up to a half in networks narrower than 40 units with more rows than units. Few
//!   settings were drawn at random, so that larger errors are possible. A [`Limit`] says so above
//!   0.5 layers per unit of width.
//! - *q fluctuates.* The mean of φ² over N units adds `(E φ⁴/(E φ²)² − 1)/N` per layer to the
//!   variance of `ln q`. The q map may amplify this, as for GELU at σw² = 2, where rows that start
//!   with equal q end decades apart. Therefore 32 networks of the given widths are followed, in
//!   pairs with opposite noise, each row with its own q. Where the effect of such fluctuations on
//!   the gradient is small, its variance is that of the first order, which needs no sample.
//! - *The gradient along the signal has its own factor.* A relative change ε of the signal's norm
//!   becomes aε one layer later, where `a = ∂ ln q' / ∂ ln q`. The component of the squared
//!   gradient along the signal, one of N directions, is therefore multiplied by a² and not by χ₁.
//!   It is negligible for a² < χ₁; for a² > χ₁ it grows until it dominates. In a softplus network
//!   at σw² = 2, a² is 0.90 and χ₁ is 0.79 at q = 12; after 20 layers of width 128 this increases
//!   the gradient's norm by half.
//!
//! With BatchNorm the rows of a batch interact, and both the batch size B and the rank of the data
//! matter. For rows that are equally far apart, E 1/σ² is (B−1)/(B−3) times 1/E σ² (Yang et al.
//! 2019); it is larger for data with few features. [`predict`] follows the covariance of all rows
//! from layer to layer, with sums over drawn points for expectations without a closed form. Two
//! effects of finite width remain: the fluctuation of this covariance, which increases gradients,
//! and the dependence of gradients on the weights, which decreases them. For ReLU and the sigmoid
//! they cancel to 0.03 decades in 20 layers of width 128. For tanh, 0.04 to 0.07 decades remain;
//! deep narrow networks report a [`Limit`].
//!
//! A [`Limit`] names each property of a network that the theory does not cover.
//!
//! ```
//! use geartrain::prelude::*;
//! use geartrain_lab as lab;
//! let layer = |net: Sequential<f64>, _| {
//!     net.then(Linear::new(64, 64).init(Init::xavier_normal())).then(Sigmoid)
//! };
//! let network = Network::new((0..10).fold(Sequential::new(), layer))?;
//! let x = lab::normal_batch(32, 64, 1);
//! let experiment = lab::Experiment::at_initialisation("sigmoid", &network, &x, 4)?;
//! let measured = experiment.measured.decades().mean;
//! let predicted = experiment.predicted_decades().unwrap();
//! assert!((measured - predicted).abs() < 0.15, "{measured} against {predicted}");
//! println!("{}", experiment.diagnosis);
//! # Ok::<(), geartrain::Error>(())
//! ```
//!
//! # Directions, inputs and paths
//!
//! [`singular_values`] of a [Jacobian](geartrain::Network::jacobian) show whether all directions
//! are treated alike; [`gradient_correlation`] shows whether the gradients of different inputs are
//! still related; [`path_spectrum`] gives the lengths of the paths that carry a residual network's
//! gradient. [`Spectra`] collects all three beside their predictions for a [`Report`]. [`formulas`]
//! has closed forms for all of these.
//!
//! # Curvature and training
//!
//! [`Curvature`] measures the Hessian of the loss through products with vectors. Its largest
//! eigenvalue λ, the *sharpness*, decides which learning rates are stable: on a quadratic loss,
//! gradient descent needs `η λ ≤ 2`, with momentum `η λ ≤ 2 + 2β`. During training on the whole
//! data set, the sharpness rises until it hovers at that limit, the *edge of stability* (Cohen et
//! al. 2021). [`Monitor`] measures it during training beside the limit, with the noise of the
//! gradient, the updates of each layer and the change of the [`TangentKernel`], and says what they
//! mean. [`coordinate_check`] does the same over widths for each [`Parametrization`].
//!
//! Some published statements did not hold in our experiments; the tools do not rely on them:
//!
//! - The learning rate at which a single step raises the loss measures the curvature *along the
//!   gradient* and not λ. The two agree at initialisation up to a factor of 0.6 to 1, and differ by
//!   orders of magnitude while the sharpness rises.
//! - With a momentum of 0.9, training in the settings of the edge of stability diverges or settles
//!   below `(2 + 2β)/η`; with 0.5 it hovers there in one setting of several.
//! - The catapult of linear networks ends at η λ₀ = 4 exactly, but the value of 12 for ReLU
//!   networks was not seen: rates above 4 to 5 diverge.
//! - The slopes of the coordinate check hold after one step. After ten, only those of muP do.
//!
//! # Files
//!
//! A file imports only from files above it in this table.
//!
//! | file | contents |
//! |---|---|
//! | `numbers` | norms, means and random matrices |
//! | `text` | escaped text for pages and CSV files |
//! | `svg` | parts of pictures |
//! | `activation` | values and slopes of an activation |
//! | `tape` | the recorded forward pass that all instruments read |
//! | `theory/quadrature` | quadrature rules for normal variables |
//! | `theory/moments` | moments of an activation over normal variables |
//! | `theory/mean_field`, `theory/edge_of_chaos` | networks of equal layers |
//! | `theory/formulas` | closed forms |
//! | `theory/batch_norm` | the joint distribution of a batch's rows |
//! | `theory/overlap` | the overlap of the gradients of different rows |
//! | `theory/flow` | sizes of signals and gradients, and the effect of a layer on them |
//! | `theory/weights` | the effect of a linear layer on signals |
//! | `theory/predict` | the prediction for a given network |
//! | `measure` | norms of signals and gradients, layer by layer |
//! | `decomposition` | the causes of the gradient's change |
//! | `runs` | measurements over several seeds |
//! | `singular_values`, `correlation`, `paths` | directions, inputs and paths |
//! | `surgery` | changed copies of a network |
//! | `remedies` | changes that may help, each measured |
//! | `diagnose` | the diagnosis in words |
//! | `experiment` | one architecture over several seeds |
//! | `spectra` | directions, inputs and paths of an experiment |
//! | `chart`, `heat_map`, `phase_map` | pictures |
//! | `grid` | grids of random networks, and their phase diagrams |
//! | `recorder` | measurements during training |
//! | `curvature/lanczos`, `curvature/density` | eigenvalues from products with vectors |
//! | `curvature/kernel` | the tangent kernel, and training as it predicts |
//! | `curvature` | the Hessian of the loss: eigenvalues, trace, diagonal |
//! | `watch/noise`, `watch/rule` | the gradient noise scale; the largest stable sharpness |
//! | `watch`, `watch/findings` | training, watched, and what it shows in words |
//! | `watch/trials` | what these words say, tried out |
//! | `width` | parametrisations, and the change of layers by width |
//! | `spectra_report`, `report` | pages and files |
//! | `reproduce/` | results of the literature, predicted and measured |
//!
//! # Sources
//!
//! Glorot and Bengio 2010; Saxe et al. 2014; He et al. 2015 and 2016; Poole et al. 2016
//! (*Exponential expressivity in deep neural networks through transient chaos*); Schoenholz et al.
//! 2017 (*Deep information propagation*); Pennington et al. 2017 (*Resurrecting the sigmoid*);
//! Balduzzi et al. 2017 (*The shattered gradients problem*); Yang et al. 2019 (*A mean field theory
//! of batch normalization*); Hanin and Nica 2020; Cho and Saul 2009 for the ReLU kernels; Jacot et
//! al. 2018; McCandlish et al. 2018; Lewkowycz et al. 2020 (catapults); Cohen et al. 2021 and 2022;
//! Yang and Hu 2021 (muP).

mod activation;
mod chart;
mod correlation;
mod curvature;
mod decomposition;
mod diagnose;
mod experiment;
mod grid;
mod heat_map;
mod measure;
mod numbers;
mod paths;
mod phase_map;
mod recorder;
mod remedies;
mod report;
pub mod reproduce;
mod runs;
mod singular_values;
mod spectra;
mod spectra_report;
mod surgery;
mod svg;
mod tape;
mod text;
mod theory;
mod watch;
mod width;

pub use correlation::gradient_correlation;
pub use curvature::{
    Curvature, CurvatureMatrix, Eigenpairs, EigenvalueDensity, Estimate, Linearisation, TangentKernel,
    linearise,
};
pub use decomposition::Decomposition;
pub use diagnose::{Cause, Diagnosis, Finding, diagnose};
pub use experiment::{Experiment, Phase};
pub use grid::{Decades, Grid, Setting};
pub use measure::{
    LayerMeasurement, Measurement, TensorStats, Units, Weights, measure, measure_with_cotangent,
};
pub use numbers::normal_batch;
pub use paths::{PathSpectrum, path_spectrum};
pub use phase_map::{MapAxis, MapColours, PhaseMap, phase_maps_svg};
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
pub use watch::{Monitor, NoiseScale, TrainingCourse, TrainingFinding, TrainingRecord, Trial, noise_scale};
pub use width::{CoordinateCheck, Parametrization, UpdateRule, coordinate_check};
