//! Large batches are computed in slices: the same gradient, and the same bits wherever slices are
//! computed.

use geartrain::layers::{LayerNorm, RMSNorm, Softmax};
use geartrain::loss::{BinaryCrossEntropyWithLogits, Huber, MeanAbsoluteError, Poisson, Quantile, SmoothL1};
use geartrain::network::Workspace;
use geartrain::prelude::*;
use geartrain::with_threads;
use ndarray::{Array2, ArrayRef1, ArrayRef2, s};

const ROWS: usize = 1500;

/// A loss without a total weight, so that batches are not cut.
#[derive(Debug)]
struct Whole<'a, F>(&'a dyn Loss<F>);

impl<F: Scalar> Loss<F> for Whole<'_, F> {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        self.0.check(output, target)
    }

    fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
        self.0.value(output, target)
    }

    fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64 {
        self.0.gradient(output, target, doutput)
    }

    fn row_weight(&self, target: &ArrayRef1<F>) -> f64 {
        self.0.row_weight(target)
    }
}

fn numbers<F: Scalar>(rows: usize, columns: usize) -> Array2<F> {
    Array2::from_shape_fn((rows, columns), |(i, j)| F::of(((i * 131 + j * 71) % 257) as f64 / 74.0 - 1.7))
}

fn layers<F: Scalar>() -> Sequential<F> {
    let block = Sequential::new().then(Linear::new(17, 17)).then(LayerNorm::new(17)).then(Sigmoid);
    Sequential::new()
        .then(Linear::new(5, 17))
        .then(Tanh)
        .then(Residual::new(block))
        .then(RMSNorm::new(17))
        .then(Linear::new(17, 3))
}

fn network<F: Scalar>() -> Network<F> {
    Network::new(layers()).unwrap().with_seed(3)
}

/// Class indices, each class for a run of rows that is longer than a slice.
fn classes<F: Scalar>() -> Array2<F> {
    Array2::from_shape_fn((ROWS, 1), |(i, _)| F::of((i * 3 / ROWS) as f64))
}

/// The largest difference, relative to the largest entry.
fn difference<'a, F: Scalar>(
    a: impl IntoIterator<Item = &'a F> + Clone,
    b: impl IntoIterator<Item = &'a F>,
) -> f64 {
    let largest = a.clone().into_iter().fold(0.0_f64, |largest, a| largest.max(a.as_f64().abs()));
    let pairs = a.into_iter().zip(b);
    pairs.fold(0.0_f64, |most, (a, b)| most.max((a.as_f64() - b.as_f64()).abs())) / largest
}

fn agrees_with_the_whole_batch<F: Scalar>(loss: &dyn Loss<F>, target: &Array2<F>, tolerance: f64) {
    let (network, x) = (network::<F>(), numbers(ROWS, 5));
    assert_eq!(network.slices(ROWS).count(), 5);
    let sliced = network.loss_and_gradients(loss, &x, target).unwrap();
    let whole = network.loss_and_gradients(&Whole(loss), &x, target).unwrap();
    assert!((sliced.loss - whole.loss).abs() <= tolerance * whole.loss.abs(), "{loss:?}");
    assert_eq!(sliced.output, whole.output, "{loss:?}");
    assert!(difference(&whole.grads, &sliced.grads) <= tolerance, "{loss:?}");
    assert!(difference(&whole.grad_input, &sliced.grad_input) <= tolerance, "{loss:?}");
    assert!(sliced.grads.iter().any(|g| *g != F::zero()), "{loss:?}");
}

fn every_loss_agrees_with_the_whole_batch<F: Scalar>(tolerance: f64) {
    let target = numbers::<F>(ROWS, 3);
    let regression: [&dyn Loss<F>; 5] =
        [&MeanSquaredError, &MeanAbsoluteError, &Huber::new(0.3), &SmoothL1::new(0.3), &Quantile::new(0.9)];
    for loss in regression {
        agrees_with_the_whole_batch(loss, &target, tolerance);
    }
    let share = target.mapv(|t| (t + F::of(1.7)) / F::of(4.0));
    agrees_with_the_whole_batch(&BinaryCrossEntropyWithLogits, &share, tolerance);
    agrees_with_the_whole_batch(&Poisson, &share, tolerance);
    agrees_with_the_whole_batch(&CrossEntropy, &classes::<F>(), tolerance);
    // The first slice has no weight.
    agrees_with_the_whole_batch(&CrossEntropy.class_weights([0.0, 1.0, 5.0]), &classes::<F>(), tolerance);
    let smoothed = |weight| CrossEntropy.label_smoothing(0.1).class_weights([weight, 1.0, 5.0]);
    agrees_with_the_whole_batch(&smoothed(0.2), &classes::<F>(), tolerance);
    agrees_with_the_whole_batch(&smoothed(0.0), &classes::<F>(), tolerance);
    let mut probabilities = share;
    probabilities.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
    agrees_with_the_whole_batch(&CrossEntropy, &probabilities, tolerance);
}

#[test]
fn slices_give_the_gradient_of_the_whole_batch() {
    every_loss_agrees_with_the_whole_batch::<f64>(1e-13);
    every_loss_agrees_with_the_whole_batch::<f32>(2e-5);
}

#[test]
fn a_batch_without_weight_has_no_gradient() {
    let loss = CrossEntropy.class_weights([0.0, 1.0, 1.0]);
    let pass = network::<f32>().loss_and_gradients(&loss, &numbers(ROWS, 5), &Array2::zeros((ROWS, 1)));
    let pass = pass.unwrap();
    assert_eq!(pass.loss, 0.0);
    assert!(pass.grads.iter().all(|&g| g == 0.0));
}

fn same_bits_wherever_slices_are_computed<F: Scalar>() {
    let (network, x, target) = (network::<F>(), numbers::<F>(ROWS, 5), classes::<F>());
    let loss = CrossEntropy.class_weights([0.3, 1.7, 0.1]);
    let pass = |threads| {
        let pass = with_threads(threads, || network.loss_and_gradients(&loss, &x, &target)).unwrap();
        (pass.loss, pass.grads, pass.grad_input)
    };
    let one = pass(1);
    for threads in [2, 3, 8] {
        assert!(pass(threads) == one, "{threads} threads");
    }
    // On three machines: slices 0 and 1, 2, 3 and 4.
    let slices = network.slices(ROWS);
    let weight = |slice: usize| {
        let rows = slices.rows(slice..slice + 1);
        loss.total_weight(&target.slice(s![rows, ..])).unwrap()
    };
    let total = slices.sum(weight);
    let (mut losses, mut grads) = (Vec::new(), Vec::new());
    for part in [0..2, 2..3, 3..5] {
        let (rows, mut workspace) = (slices.rows(part), Workspace::new());
        let (x, target) = (x.slice(s![rows.clone(), ..]), target.slice(s![rows, ..]));
        network.slice_gradients(&loss, &x, &target, slices, total, &mut workspace).unwrap();
        for result in workspace.slice_results() {
            losses.push(result.loss);
            grads.push(result.grads.to_vec());
        }
    }
    for (into, from) in slices.additions() {
        let added = std::mem::take(&mut grads[from]);
        grads[into].iter_mut().zip(added).for_each(|(into, from)| *into += from);
    }
    assert_eq!(slices.sum(|slice| losses[slice]), one.0);
    assert!(grads[0] == one.1);
}

#[test]
fn slices_have_the_same_bits_on_any_thread_or_machine() {
    same_bits_wherever_slices_are_computed::<f32>();
    same_bits_wherever_slices_are_computed::<f64>();
}

#[test]
fn layers_that_see_the_whole_batch_or_draw_numbers_are_not_cut() {
    let count = |layers: Sequential<f32>| Network::new(layers).unwrap().slices(ROWS).count();
    assert_eq!(count(layers()), 5);
    assert_eq!(count(layers().then(Softmax)), 5);
    assert_eq!(count(layers().then(BatchNorm::new(3))), 1);
    assert_eq!(count(layers().then(Residual::new(Sequential::new().then(BatchNorm::new(3))))), 1);
    assert_eq!(count(layers().then(Dropout::new(0.1))), 1);
}

#[test]
fn errors_name_the_row_of_the_batch_and_change_nothing() {
    let (mut network, x, mut target) = (network::<f32>(), numbers(ROWS, 5), classes());
    target[(1234, 0)] = 7.0;
    let (mut workspace, before) = (Workspace::new(), network.params().to_vec());
    let error = network.gradients(&CrossEntropy, &x, &target, &mut workspace, None).unwrap_err();
    assert!(matches!(error, Error::Target { row: 1234, column: 0, got: 7.0, .. }), "{error}");
    assert!(matches!(network.update_running_stats(&mut workspace), Err(Error::NoTrainingPass)));
    assert_eq!(network.params(), before);
    let slices = network.slices(ROWS);
    let whole = Whole(&CrossEntropy);
    let error = network.slice_gradients(&whole, &x, &classes(), slices, 1.0, &mut workspace).unwrap_err();
    assert!(error.to_string().contains("total_weight"), "{error}");
    network.gradients(&CrossEntropy, &x, &classes(), &mut workspace, None).unwrap();
    network.update_running_stats(&mut workspace).unwrap();
    assert_eq!(network.params(), before);
}
