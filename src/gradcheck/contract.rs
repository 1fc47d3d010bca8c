//! The contract of a layer, property by property.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, Slice, aview1};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::{Case, Check, Entry, Gradcheck, Report, central_differences, columns, matrix, with_input};
use crate::cache::Cache;
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Forward, Jvp, Layer, Mode};
use crate::layers::{Linear, Residual, Sequential};
use crate::params::Layout;
use crate::{Error, Network};

/// Rows of the batch; not a power of two, so that a mean by shift would show.
const ROWS: usize = 5;

/// Runs every property of the contract.
pub(super) fn check(
    settings: &Gradcheck,
    layer: Arc<dyn Layer<f64>>,
    inputs: usize,
) -> Result<Report, Error> {
    let alone = Subject::new(settings, layer.clone(), inputs)?;
    let keeps_width = alone.outputs == inputs;
    let around = Sequential::new().then(Linear::new(inputs, inputs));
    let inside = Sequential::new().then_shared(layer);
    let composed =
        if keeps_width { around.then(Residual::new(inside).scale(0.5)) } else { around.then(inside) };
    let composed = Subject::new(settings, Arc::new(composed), inputs)?;

    let mut checks = vec![alone.central_differences(settings)];
    checks.push(Check { name: "inside other layers", ..composed.central_differences(settings) });
    checks.extend([
        alone.backward_twice(),
        alone.linear_in_dy(),
        alone.without_dx(),
        alone.small_after_large(),
        alone.strided_input(),
    ]);
    if !settings.mixes_rows {
        checks.push(alone.row_by_row());
    }
    checks.push(alone.inner_product()?);
    checks.push(Check { name: "second derivatives", ..alone.second_derivatives(settings)? });
    checks.push(Check { name: "second derivatives, nested", ..composed.second_derivatives(settings)? });
    Ok(Report { checks })
}

/// A layer with random parameters, a random batch and a random cotangent.
struct Subject {
    layer: Arc<dyn Layer<f64>>,
    layout: Layout,
    params: Vec<f64>,
    outputs: usize,
    x: Array2<f64>,
    dy: Array2<f64>,
    /// A direction in parameter space, for forward mode.
    dparams: Vec<f64>,
    /// A direction in input space.
    dx: Array2<f64>,
}

impl Subject {
    fn new(settings: &Gradcheck, layer: Arc<dyn Layer<f64>>, inputs: usize) -> Result<Self, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        let network = Network::from_layer(layer.clone(), inputs)?.with_seed(settings.seed);
        let outputs = network.outputs();
        let mut normals = |count: usize, scale: f64| -> Vec<f64> {
            (0..count).map(|_| scale * Distribution::<f64>::sample(&StandardNormal, &mut rng)).collect()
        };
        // A constant initialisation (a scale of 1, a bias of 0) would hide mistakes, so every
        // parameter is moved.
        let noise = normals(network.params().len(), 0.1);
        let params: Vec<f64> =
            network.params().iter().zip(noise).map(|(param, noise)| param + noise).collect();
        let dparams = normals(params.len(), 1.0);
        let mut batch =
            |columns| Array2::from_shape_simple_fn((ROWS, columns), || StandardNormal.sample(&mut rng));
        let (x, dx, dy) = (batch(inputs), batch(inputs), batch(outputs));
        let layout = with_input(layer.describe().all_params(), x.dim())?;
        Ok(Subject { layer, layout, params, outputs, x, dy, dparams, dx })
    }

    fn forward(&self, params: &[f64], x: ArrayView2<f64>, cache: &mut Cache<f64>) -> Array2<f64> {
        // An entry that is not written stays NaN, which equals no number.
        let mut y = Array2::from_elem((x.nrows(), self.outputs), f64::NAN);
        self.layer.forward(Forward { params, x, y: y.view_mut(), cache, mode: Mode::Train { key: 1 } });
        y
    }

    /// The gradients in the parameters and the input, the latter column by column behind the
    /// former.
    fn backward(
        &self,
        params: &[f64],
        x: ArrayView2<f64>,
        y: &Array2<f64>,
        dy: ArrayView2<f64>,
        cache: &mut Cache<f64>,
    ) -> Vec<f64> {
        let mut grads = vec![f64::NAN; params.len()];
        let mut dx = Array2::from_elem(x.dim(), f64::NAN);
        let (y, dx_view) = (y.view(), Some(dx.view_mut()));
        self.layer.backward(Backward { params, x, y, dy, grads: &mut grads, dx: dx_view, cache });
        grads.extend(columns(&dx.view()));
        grads
    }

    /// Forward and backward with a cache of its own.
    fn run(&self, x: ArrayView2<f64>, dy: ArrayView2<f64>) -> (Array2<f64>, Vec<f64>) {
        let mut cache = Cache::new();
        let y = self.forward(&self.params, x, &mut cache);
        let gradients = self.backward(&self.params, x, &y, dy, &mut cache);
        (y, gradients)
    }

    /// The parameters and the input as a point.
    fn point(&self) -> Vec<f64> {
        self.params.iter().chain(columns(&self.x.view())).copied().collect()
    }

    /// The parameters and the input of a point.
    fn split(&self, at: &[f64]) -> (Vec<f64>, Array2<f64>) {
        let (params, x) = at.split_at(self.params.len());
        (params.to_vec(), matrix(self.x.dim(), x))
    }

    /// The gradients at a point.
    fn gradients(&self, at: &[f64]) -> Vec<f64> {
        let ((params, x), mut cache) = (self.split(at), Cache::new());
        let y = self.forward(&params, x.view(), &mut cache);
        self.backward(&params, x.view(), &y, self.dy.view(), &mut cache)
    }

    fn central_differences(&self, settings: &Gradcheck) -> Check {
        central_differences(
            settings,
            Case {
                layout: &self.layout,
                at: self.point(),
                cotangent: &self.dy.iter().copied().collect::<Vec<_>>(),
                fixed: false,
                outputs: &mut |at| {
                    let (params, x) = self.split(at);
                    self.forward(&params, x.view(), &mut Cache::new()).into_iter().collect()
                },
                gradient: &mut |at| self.gradients(at),
            },
        )
    }

    fn backward_twice(&self) -> Check {
        let mut cache = Cache::new();
        let y = self.forward(&self.params, self.x.view(), &mut cache);
        let mut again = || self.backward(&self.params, self.x.view(), &y, self.dy.view(), &mut cache);
        let (first, second) = (again(), again());
        equal("backward twice gives the same", &first, &second)
    }

    fn linear_in_dy(&self) -> Check {
        let name = "backward is linear in dy";
        let (_, gradients) = self.run(self.x.view(), self.dy.view());
        // Doubling is exact in floating point, so the results must be equal.
        let (_, doubled) = self.run(self.x.view(), (&self.dy * 2.0).view());
        let check = equal(name, &doubled, &gradients.iter().map(|g| 2.0 * g).collect::<Vec<_>>());
        if !check.passed {
            return check;
        }
        let (_, zero) = self.run(self.x.view(), Array2::zeros(self.dy.dim()).view());
        equal(name, &zero, &vec![0.0; zero.len()])
    }

    fn without_dx(&self) -> Check {
        let mut cache = Cache::new();
        let y = self.forward(&self.params, self.x.view(), &mut cache);
        let mut grads = vec![f64::NAN; self.params.len()];
        self.layer.backward(Backward {
            params: &self.params,
            x: self.x.view(),
            y: y.view(),
            dy: self.dy.view(),
            grads: &mut grads,
            dx: None,
            cache: &mut cache,
        });
        let (_, gradients) = self.run(self.x.view(), self.dy.view());
        equal("the same gradients without dx", &grads, &gradients[..grads.len()])
    }

    fn small_after_large(&self) -> Check {
        let mut cache = Cache::new();
        let y = self.forward(&self.params, self.x.view(), &mut cache);
        self.backward(&self.params, self.x.view(), &y, self.dy.view(), &mut cache);
        let (x, dy) = (rows(&self.x, 0..2), rows(&self.dy, 0..2));
        let y = self.forward(&self.params, x, &mut cache);
        let gradients = self.backward(&self.params, x, &y, dy, &mut cache);
        equal("a small batch after a large one", &gradients, &self.run(x, dy).1)
    }

    fn strided_input(&self) -> Check {
        let mut spread = Array2::from_elem((2 * ROWS, 3 * self.x.ncols()), f64::NAN);
        let every = |step| Slice::new(0, None, step);
        let mut strided = spread.view_mut();
        strided.slice_axis_inplace(Axis(0), every(2));
        strided.slice_axis_inplace(Axis(1), every(3));
        strided.assign(&self.x);
        let transposed = matrix(self.x.dim(), &columns(&self.x.view()).copied().collect::<Vec<_>>());
        let (y, gradients) = self.run(self.x.view(), self.dy.view());
        let expected: Vec<f64> = y.into_iter().chain(gradients).collect();
        for x in [strided.view(), transposed.view()] {
            let (y, gradients) = self.run(x, self.dy.view());
            let got: Vec<f64> = y.into_iter().chain(gradients).collect();
            let check = close("strided and transposed inputs", &got, &expected);
            if !check.passed {
                return check;
            }
        }
        equal("strided and transposed inputs", &[], &[])
    }

    fn row_by_row(&self) -> Check {
        let (y, gradients) = self.run(self.x.view(), self.dy.view());
        let expected: Vec<f64> = y.iter().copied().chain(gradients).collect();
        let mut outputs = Array2::zeros(y.dim());
        let mut grads = vec![0.0; self.params.len()];
        let mut dx = Array2::zeros(self.x.dim());
        for row in 0..ROWS {
            let (y, gradients) = self.run(rows(&self.x, row..row + 1), rows(&self.dy, row..row + 1));
            outputs.row_mut(row).assign(&y.row(0));
            grads.iter_mut().zip(&gradients).for_each(|(sum, g)| *sum += g);
            dx.row_mut(row).assign(&aview1(&gradients[grads.len()..]));
        }
        let got: Vec<f64> = outputs.into_iter().chain(grads).chain(columns(&dx.view()).copied()).collect();
        close("a batch equals its rows one by one", &got, &expected)
    }

    /// ⟨v, Ju⟩ = ⟨Jᵀv, u⟩ for one random u (in parameters and input) and one random v: two passes,
    /// whatever the size.
    fn inner_product(&self) -> Result<Check, Error> {
        let name = "⟨v, Ju⟩ = ⟨Jᵀv, u⟩";
        let mut cache = Cache::new();
        let y = self.forward(&self.params, self.x.view(), &mut cache);
        let mut dy = Array2::from_elem(y.dim(), f64::NAN);
        let pass = Jvp {
            params: &self.params,
            dparams: &self.dparams,
            x: self.x.view(),
            y: y.view(),
            dx: self.dx.view(),
            dy: dy.view_mut(),
            cache: &mut cache,
        };
        match self.layer.jvp(pass).map_err(|problem| Error::layer(self.layer.describe().name, problem)) {
            Err(Error::Layer { problem: LayerProblem::NoJvp, .. }) => {
                return Ok(Check::new(name, true, "not checked: the layer has no forward mode"));
            }
            result => result?,
        }
        let (_, gradients) = self.run(self.x.view(), self.dy.view());
        let terms: Vec<f64> = self.direction().iter().zip(&gradients).map(|(u, g)| u * g).collect();
        let reverse: f64 = terms.iter().sum();
        let forward = (&self.dy * &dy).sum();
        let scale: f64 = terms.iter().map(|t| t.abs()).sum::<f64>().max(f64::MIN_POSITIVE);
        let detail = format!("{forward:.12e} by forward mode, {reverse:.12e} by reverse mode");
        Ok(Check::new(name, (forward - reverse).abs() <= 1e-12 * scale, detail))
    }

    /// The directions in the parameters and the input, the latter column by column.
    fn direction(&self) -> Vec<f64> {
        self.dparams.iter().chain(columns(&self.dx.view())).copied().collect()
    }

    /// `backward_jvp` along that direction, which changes `dy` by `dy_dot`: the changes of the
    /// gradients, and the gradient in the input.
    fn backward_jvp(&self, at: &[f64], dy_dot: ArrayView2<f64>) -> Result<(Vec<f64>, Array2<f64>), Error> {
        let (params, x) = self.split(at);
        let mut cache = Cache::new();
        let y = self.forward(&params, x.view(), &mut cache);
        let mut change = Array2::zeros(y.dim());
        let (params, x, y, dy, cache) = (&params[..], x.view(), y.view(), self.dy.view(), &mut cache);
        let (params_dot, x_dot) = (&self.dparams[..], self.dx.view());
        let named = |problem| Error::layer(self.layer.describe().name, problem);
        let (dparams, dx) = (params_dot, x_dot);
        self.layer
            .jvp(Jvp { params, dparams, x, y, dx, dy: change.view_mut(), cache: &mut *cache })
            .map_err(named)?;
        let mut grads = vec![f64::NAN; params.len()];
        let [mut dx, mut dx_dot] = [0, 1].map(|_| Array2::from_elem(x.dim(), f64::NAN));
        let (grads_dot, into) = (&mut grads[..], Some([dx.view_mut(), dx_dot.view_mut()]));
        self.layer
            .backward_jvp(BackwardJvp {
                params,
                params_dot,
                x,
                x_dot,
                y,
                dy,
                dy_dot,
                grads_dot,
                dx: into,
                cache,
            })
            .map_err(named)?;
        grads.extend(columns(&dx_dot.view()));
        Ok((grads, dx))
    }

    /// The change of the gradients along a direction against central differences of the gradients:
    /// the Hessian of `dy · y` is symmetric, so that its product with u is the gradient of u · ∇(dy
    /// · y). Then, that the change is linear in `dy_dot`, and the gradient in the input is that of
    /// `backward`.
    fn second_derivatives(&self, settings: &Gradcheck) -> Result<Check, Error> {
        let at = self.point();
        let zero = Array2::zeros(self.dy.dim());
        let still = match self.backward_jvp(&at, zero.view()) {
            Err(Error::Layer { problem, .. }) if problem.is_missing_derivative() => {
                return Ok(Check::new("", true, format!("not checked: {problem}")));
            }
            result => result?.0,
        };
        let check = central_differences(
            settings,
            Case {
                // one tensor, so that an error counts relative to the largest change of all
                layout: &with_input(Vec::new(), (at.len(), 1))?,
                at: at.clone(),
                cotangent: &self.direction(),
                fixed: false,
                outputs: &mut |at| self.gradients(at),
                gradient: &mut |at| self.backward_jvp(at, zero.view()).expect("it ran above").0,
            },
        );
        if !check.passed {
            return Ok(check);
        }
        let check = Check { worst: check.worst.map(|worst| Entry { name: "all".into(), ..worst }), ..check };
        let dy_dot = self.dy.mapv(|dy| 0.5 - dy * dy);
        let (moved, dx) = self.backward_jvp(&at, dy_dot.view())?;
        let linear: Vec<f64> =
            still.iter().zip(self.run(self.x.view(), dy_dot.view()).1).map(|(a, b)| a + b).collect();
        let (_, gradients) = self.run(self.x.view(), self.dy.view());
        let dx: Vec<f64> = columns(&dx.view()).copied().collect();
        let others = [close("", &moved, &linear), close("", &dx, &gradients[self.params.len()..])];
        Ok(others.into_iter().find(|other| !other.passed).unwrap_or(check))
    }
}

/// The two are the same, bit for bit.
pub(super) fn equal(name: &'static str, got: &[f64], expected: &[f64]) -> Check {
    differ(name, got, expected, 0.0)
}

/// The two are the same up to the order in which sums were added.
pub(super) fn close(name: &'static str, got: &[f64], expected: &[f64]) -> Check {
    let largest = expected.iter().fold(0.0, |max: f64, e| max.max(e.abs()));
    differ(name, got, expected, 1e-13 * largest)
}

/// Some rows of a matrix.
fn rows(matrix: &Array2<f64>, rows: Range<usize>) -> ArrayView2<'_, f64> {
    matrix.slice_axis(Axis(0), rows.into())
}

fn differ(name: &'static str, got: &[f64], expected: &[f64], tolerance: f64) -> Check {
    // An entry that was never written is NaN and fails.
    let wrong = got.iter().zip(expected).position(|(g, e)| (g - e).is_nan() || (g - e).abs() > tolerance);
    match wrong {
        None => Check::new(name, true, if tolerance == 0.0 { "bit for bit" } else { "up to rounding" }),
        Some(i) => {
            Check::new(name, false, format!("number {i}: expected {:e}, got {:e}", expected[i], got[i]))
        }
    }
}
