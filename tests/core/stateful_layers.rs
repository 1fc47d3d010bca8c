//! Layers that train and predict differently, and what `fit` does for them.

use geartrain::data::{Batches, Dataset, toy};
use geartrain::layer::{Cache, Forward, Mode};
use geartrain::layers::*;
use geartrain::loss::Weighted;
use geartrain::network::Workspace;
use geartrain::optim::schedule::{ReduceOnPlateau, Step};
use geartrain::optim::{Adam, Clip};
use geartrain::prelude::*;
use ndarray::{Array2, ArrayView2, array, s};

/// What a layer makes of `x` in training with this key.
fn trained<F: Scalar>(layer: &dyn Layer<F>, x: ArrayView2<F>, key: u64) -> Array2<F> {
    let mut y = Array2::zeros(x.dim());
    let (cache, mode) = (&mut Cache::new(), Mode::Train { key });
    layer.forward(Forward { params: &[], x, y: y.view_mut(), cache, mode });
    y
}

#[test]
fn a_dropout_mask_follows_from_key_row_and_column_alone() {
    let (layer, ones) = (Dropout::new(0.5), Array2::<f64>::ones((64, 10)));
    let mask = trained(&layer, ones.view(), 7);
    assert_eq!(trained(&layer, ones.view(), 7), mask);
    assert_ne!(trained(&layer, ones.view(), 8), mask);
    // The first rows and columns of a larger matrix have the same mask.
    assert_eq!(trained(&layer, ones.slice(s![..5, ..4]), 7), mask.slice(s![..5, ..4]));
    // f32 drops what f64 drops.
    assert_eq!(trained(&layer, Array2::<f32>::ones((64, 10)).view(), 7).mapv(f64::from), mask);
    assert_ne!(mask.row(0), mask.row(1));
    assert_ne!(mask.column(0), mask.column(1));
    // Two layers of one network have masks of their own.
    let twice = Sequential::new().then(Dropout::new(0.5)).then(Dropout::new(0.5));
    let both = trained(&twice, ones.view(), 7);
    assert!(both.iter().any(|&y| y == 0.0) && both.iter().any(|&y| y == 4.0));
    let quarter = both.iter().filter(|&&y| y == 4.0).count() as f64 / 640.0;
    assert!((quarter - 0.25).abs() < 0.07, "{quarter}");
}

#[test]
fn dropout_drops_as_often_as_it_says_and_keeps_the_mean() {
    let ones = Array2::<f64>::ones((1000, 100));
    for p in [0.1, 0.5, 0.9] {
        let y = trained(&Dropout::new(p), ones.view(), 3);
        let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / 1e5;
        // Five standard errors of 100,000 draws.
        let error = 5.0 * (p * (1.0 - p) / 1e5_f64).sqrt();
        assert!((dropped - p).abs() < error, "{p}: {dropped}");
        assert!((y.mean().unwrap() - 1.0).abs() < error / (1.0 - p), "{p}: {:?}", y.mean());
        // No row and no column drops together.
        for axis in [0, 1] {
            let means = y.mean_axis(ndarray::Axis(axis)).unwrap();
            let spread = 6.0 * (p / (1.0 - p) / y.len_of(ndarray::Axis(axis)) as f64).sqrt();
            assert!(means.iter().all(|mean| (mean - 1.0).abs() < spread), "{p}, axis {axis}");
        }
    }
}

#[test]
fn the_key_of_a_pass_is_that_of_the_workspace() {
    let network =
        Network::<f64>::new(Sequential::new().then(Dropout::new(0.5)).then(Linear::new(8, 1))).unwrap();
    let (x, y) = (Array2::ones((4, 8)), Array2::zeros((4, 1)));
    let mut workspace = Workspace::new();
    let mut loss = |key: u64| {
        workspace.key = key;
        network.gradients(&MeanSquaredError, &x, &y, &mut workspace, None).unwrap()
    };
    assert_eq!(loss(1), loss(1));
    assert_ne!(loss(1), loss(2));
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &y).unwrap();
    assert_eq!(pass.loss, loss(0));
    assert_eq!(network.predict(&x).unwrap(), network.predict(&x).unwrap());
}

fn noisy_network() -> Network<f64> {
    let body =
        Sequential::new().then(BatchNorm::new(8)).then(ReLU).then(Dropout::new(0.2)).then(Linear::new(8, 8));
    let layers = Sequential::new().then(Linear::new(1, 8)).then(Residual::new(body)).then(Linear::new(8, 1));
    Network::new(layers).unwrap().with_seed(3)
}

#[test]
fn the_same_seed_trains_to_the_same_bits_and_another_to_others() {
    let data = toy::sine::<f64>(50, 0.1, 1).unwrap();
    let run = |seed| {
        let mut network = noisy_network();
        let mut training = Training::new(MeanSquaredError, Adam::new(0.01))
            .epochs(3)
            .batch_size(7)
            .seed(seed)
            .progress(false);
        let losses = training.fit(&mut network, &data).unwrap().train_losses();
        (network.params().to_vec(), losses)
    };
    assert_eq!(run(0), run(0));
    assert_ne!(run(0), run(1));
    assert_ne!(run(0), run(u64::MAX));
}

#[test]
fn every_step_and_every_seed_has_masks_of_its_own() {
    // Equal rows and a rate of 0: nothing but the masks can change the loss.
    let data = Dataset::new(Array2::<f64>::ones((6, 8)), Array2::zeros((6, 1))).unwrap();
    let mut network =
        Network::new(Sequential::new().then(Dropout::new(0.5)).then(Linear::new(8, 1))).unwrap();
    let mut losses = Vec::new();
    for seed in [0, 1, u64::MAX] {
        let mut training =
            Training::new(MeanSquaredError, Sgd::new(0.0)).epochs(5).seed(seed).progress(false);
        losses.extend(training.fit(&mut network, &data).unwrap().train_losses());
    }
    losses.sort_by(f64::total_cmp);
    assert!(losses.windows(2).all(|pair| pair[0] != pair[1]), "{losses:?}");
}

#[test]
fn fit_learns_through_batch_norm_and_dropout_and_fills_the_running_statistics() {
    let (data, test) = toy::sine::<f64>(400, 0.05, 1).unwrap().split(0.25, 1).unwrap();
    let mut network = noisy_network();
    let before = network.loss(&MeanSquaredError, test.x(), test.y()).unwrap();
    Training::new(MeanSquaredError, Adam::new(0.01))
        .epochs(60)
        .progress(false)
        .fit(&mut network, &data)
        .unwrap();
    let after = network.loss(&MeanSquaredError, test.x(), test.y()).unwrap();
    assert!(after < 0.4 * before, "{before} to {after}");
    let means = network.param("1.body.0.running_mean").unwrap();
    assert!(means.iter().all(|mean| *mean != 0.0));
    // They are statistics of what the layer reads: those of the whole data are close, but for
    // weights that still move.
    let mut first = Network::new(Linear::new(1, 8)).unwrap();
    first.params_mut().copy_from_slice(&network.params()[..16]);
    let read = first.predict(data.x()).unwrap();
    let exact = read.mean_axis(ndarray::Axis(0)).unwrap();
    assert!(means.iter().zip(&exact).all(|(mean, exact)| (mean - exact).abs() < 0.3), "{means} {exact}");
}

#[test]
fn optimizers_leave_running_statistics_alone() {
    let data = toy::sine::<f64>(40, 0.1, 1).unwrap();
    let mut network = noisy_network();
    let mut workspace = Workspace::new();
    network.gradients(&MeanSquaredError, data.x(), data.y(), &mut workspace, None).unwrap();
    let statistics = |network: &Network<f64>| -> Vec<f64> {
        ["1.body.0.running_mean", "1.body.0.running_var"]
            .iter()
            .flat_map(|name| network.param(name).unwrap().iter().copied().collect::<Vec<_>>())
            .collect()
    };
    let before = statistics(&network);
    // Weight decay would shrink them.
    let mut sgd = Sgd::new(0.1).weight_decay(0.1);
    sgd.step(network.params_mut(), &workspace.grads).unwrap();
    assert_eq!(statistics(&network), before);
    network.update_running_stats(&mut workspace).unwrap();
    assert!(statistics(&network).iter().zip(&before).all(|(after, before)| after != before));
}

#[test]
fn a_short_last_batch_joins_the_one_before_it_and_every_row_is_seen_once() {
    for rows in 1..30 {
        let x = Array2::from_shape_fn((rows, 1), |(i, _)| i as f64);
        let data = Dataset::new(x.clone(), x).unwrap();
        for (size, smallest) in [(1, 1), (4, 1), (4, 2), (4, 3), (7, 2), (100, 2)] {
            let mut batches = Batches::new(&data, size, 1).unwrap().smallest(smallest);
            batches.shuffle(0);
            let mut seen = Vec::new();
            for i in 0..batches.count() {
                let expected: Vec<f64> = batches.rows(i).iter().map(|&row| row as f64).collect();
                let (x, y) = batches.get(i);
                assert_eq!(x, y);
                assert_eq!(x.column(0).to_vec(), expected);
                assert!(
                    x.nrows() < size + smallest && x.nrows() >= smallest.min(rows),
                    "{rows} rows by {size}"
                );
                seen.extend(expected);
            }
            seen.sort_by(f64::total_cmp);
            assert_eq!(seen, (0..rows).map(|row| row as f64).collect::<Vec<_>>(), "{rows} rows by {size}");
        }
    }
}

#[test]
fn weights_of_rows_are_rows_given_more_than_once() {
    let network =
        Network::<f64>::new(Sequential::new().then(Linear::new(1, 3)).then(Tanh).then(Linear::new(3, 2)));
    let network = network.unwrap();
    let (x, y) = (array![[0.5], [-1.0], [2.0]], array![[0.0, 1.0], [1.0, 1.0], [0.5, -1.0]]);
    let pass = |rows: &[usize], weights: &[f64]| {
        let (x, y) = (x.select(ndarray::Axis(0), rows), y.select(ndarray::Axis(0), rows));
        network.loss_and_gradients(&Weighted::new(&MeanSquaredError, weights), &x, &y).unwrap()
    };
    let (weighted, repeated) = (pass(&[0, 1, 2], &[2.0, 0.0, 1.0]), pass(&[0, 0, 2], &[1.0; 3]));
    assert!((weighted.loss - repeated.loss).abs() < 1e-15);
    for (a, b) in weighted.grads.iter().zip(&repeated.grads) {
        assert!((a - b).abs() < 1e-15, "{a} {b}");
    }
    let plain = network.loss_and_gradients(&MeanSquaredError, &x, &y).unwrap();
    assert!((pass(&[0, 1, 2], &[1.0; 3]).loss - plain.loss).abs() < 1e-15);
}

#[test]
fn fit_weighs_rows_wherever_the_shuffle_puts_them() {
    // Half of the rows say y = 1 and the others y = −1; only those with a weight are believed.
    let x = Array2::<f64>::ones((20, 1));
    let y = Array2::from_shape_fn((20, 1), |(i, _)| if i % 2 == 0 { 1.0 } else { -1.0 });
    let data = Dataset::new(x.clone(), y).unwrap();
    let weights: Vec<f64> = (0..20).map(|i| f64::from(u8::from(i % 2 == 0))).collect();
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    let mut training =
        Training::new(MeanSquaredError, Sgd::new(0.1)).batch_size(6).epochs(60).progress(false);
    training = training.sample_weights(&weights);
    let history = training.fit(&mut network, &data).unwrap();
    assert!((network.predict(&x).unwrap()[[0, 0]] - 1.0).abs() < 1e-3);
    assert!(history.train_losses()[59] < 1e-5);
}

#[test]
fn fit_follows_its_schedule_and_its_limit_as_steps_by_hand_do() {
    let data = toy::sine::<f64>(12, 0.1, 1).unwrap();
    let start =
        Network::new(Sequential::new().then(Linear::new(1, 4)).then(Tanh).then(Linear::new(4, 1))).unwrap();
    let mut fitted = start.clone();
    let mut training =
        Training::new(MeanSquaredError, Sgd::new(0.5).momentum(0.9)).epochs(4).batch_size(12).progress(false);
    training = training.schedule(Step::new(2, 0.1)).clip(Clip::GlobalNorm(0.1));
    training.fit(&mut fitted, &data).unwrap();

    let (mut by_hand, mut sgd, mut workspace) = (start, Sgd::new(0.5).momentum(0.9), Workspace::new());
    let mut batches = Batches::new(&data, 12, 0).unwrap();
    for epoch in 0..4 {
        batches.shuffle(epoch);
        let (x, y) = batches.get(0);
        by_hand.gradients(&MeanSquaredError, &x, &y, &mut workspace, None).unwrap();
        let norm = Clip::GlobalNorm(0.1).apply(by_hand.layout(), &mut workspace.grads).unwrap();
        assert!(epoch > 0 || norm > 0.1, "the limit is not reached: {norm}");
        Optimizer::<f64>::set_learning_rate(&mut sgd, if epoch < 2 { 0.5 } else { 0.05 });
        sgd.step(by_hand.params_mut(), &workspace.grads).unwrap();
    }
    let difference =
        fitted.params().iter().zip(by_hand.params()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(difference < 1e-15, "{difference}");
}

#[test]
fn a_plateau_of_the_validation_loss_lowers_the_rate() {
    let (data, test) = toy::sine::<f64>(40, 0.1, 1).unwrap().split(0.25, 1).unwrap();
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    let schedule = ReduceOnPlateau::default().patience(2).factor(0.5);
    let training =
        Training::new(MeanSquaredError, Sgd::new(0.3)).epochs(60).validation(&test).progress(false);
    let history = training.schedule(schedule).fit(&mut network, &data);
    let history = history.unwrap();
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert!(rates.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == 0.5 * pair[0]), "{rates:?}");
    assert!(rates[59] < 0.3, "{rates:?}");
}

#[test]
fn predictions_never_use_training_mode() {
    // Dropout drops and BatchNorm looks at the batch in a training pass only: a row's prediction
    // depends on that row alone.
    let network = noisy_network();
    let x = Array2::from_shape_fn((6, 1), |(i, _)| i as f64 - 2.5);
    let target = Array2::zeros((6, 1));
    let before = network.predict(&x).unwrap();
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &target).unwrap();
    assert_ne!(pass.output, before);
    assert_eq!(network.predict(&x).unwrap(), before);
    for (row, y) in x.rows().into_iter().zip(before.rows()) {
        assert_eq!(network.predict(&row.insert_axis(ndarray::Axis(0))).unwrap().row(0), y);
    }
}
