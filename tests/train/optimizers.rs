//! Optimizers and gradient clipping: arguments, overflow, and state.

use geartrain::data::{Dataset, toy};
use geartrain::optim::{Adam, AdamW, Clip, Optimizer, ParamGroup, RMSprop, State};
use geartrain::prelude::*;

use crate::support::*;

#[test]
fn a_huge_learning_rate_ends_in_diverged_with_finite_weights() {
    let mut network =
        Network::new(Sequential::new().then(Linear::new(1, 1)).then(Linear::new(1, 1))).unwrap();
    let error = training(Sgd::new(1e6)).epochs(1000).fit(&mut network, &sine(32)).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(network.params().iter().all(|p| p.is_finite()));
    let error = Training::new(MeanSquaredError, Adam::new(1e300))
        .progress(false)
        .fit(&mut network, &sine(32))
        .unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(network.params().iter().all(|p| p.is_finite()));
}

#[test]
fn a_learning_rate_of_0_changes_nothing() {
    for mut optimizer in optimizers(0.0) {
        let mut network = Network::new(Linear::new(2, 3)).unwrap();
        let before = network.params().to_vec();
        optimizer.step(network.params_mut(), &[1.0; 9]).unwrap();
        assert_eq!(network.params(), before, "{optimizer:?}");
    }
}

#[test]
fn an_invalid_learning_rate_is_an_error_at_the_start_and_at_every_step() {
    for bad in BAD {
        for optimizer in optimizers(bad) {
            assert_argument(optimizer.check(), "learning rate");
        }
        for mut optimizer in optimizers(0.1) {
            let mut network = Network::new(Linear::new(2, 3)).unwrap();
            let before = network.params().to_vec();
            optimizer.set_learning_rate(bad);
            assert_argument(optimizer.step(network.params_mut(), &[1.0; 9]), "learning rate");
            assert_eq!(network.params(), before);
        }
        let mut network = Network::new(Linear::new(1, 1)).unwrap();
        let result = training(Sgd::new(bad)).fit(&mut network, &sine(4));
        assert_argument(result.map(drop), "learning rate");
    }
}

#[test]
fn hyper_parameters_outside_their_domain_are_errors() {
    let adam = || Adam::<f64>::new(0.1);
    let rmsprop = || RMSprop::<f64>::new(0.1);
    for bad in [-0.1, 1.0, 1.5, f64::NAN] {
        assert_argument(Optimizer::check(&Sgd::<f64>::new(0.1).momentum(bad)), "momentum");
        assert_argument(adam().betas(bad, 0.9).check(), "beta1");
        assert_argument(adam().betas(0.9, bad).check(), "beta2");
        assert_argument(AdamW::<f64>::new(0.1).betas(bad, 0.9).check(), "beta1");
        assert_argument(rmsprop().alpha(bad).check(), "alpha");
        assert_argument(rmsprop().momentum(bad).check(), "momentum");
    }
    for bad in [0.0, -1e-8, f64::NAN, f64::INFINITY] {
        assert_argument(adam().eps(bad).check(), "eps");
        assert_argument(AdamW::<f64>::new(0.1).eps(bad).check(), "eps");
        assert_argument(rmsprop().eps(bad).check(), "eps");
    }
    // In f32 this ε is 0, and a gradient of 0 would be divided by it.
    assert!(adam().eps(1e-60).check().is_ok());
    assert_argument(Adam::<f32>::new(0.1).eps(1e-60).check(), "eps");
}

#[test]
fn weight_decay_must_be_finite_and_not_negative() {
    for bad in BAD {
        assert_argument(Optimizer::check(&Sgd::<f64>::new(0.1).weight_decay(bad)), "weight decay");
        assert_argument(Adam::<f64>::new(0.1).weight_decay(bad).check(), "weight decay");
        assert_argument(AdamW::<f64>::new(0.1).weight_decay(bad).check(), "weight decay");
        assert_argument(RMSprop::<f64>::new(0.1).weight_decay(bad).check(), "weight decay");
    }
}

#[test]
fn clipping_limits_must_be_finite_and_above_0() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for clip in [Clip::Value(bad), Clip::Norm(bad), Clip::GlobalNorm(bad)] {
            assert_argument(clip.check(), "clipping limit");
            let mut network = Network::new(Linear::new(1, 1)).unwrap();
            let result = training(Sgd::new(0.1)).clip(clip).fit(&mut network, &sine(4));
            assert_argument(result.map(drop), "clipping limit");
        }
    }
}

#[test]
fn zero_gradients_are_clipped_to_zero() {
    let network = Network::<f64>::new(Linear::new(2, 2)).unwrap();
    for clip in [Clip::Value(1.0), Clip::Norm(1.0), Clip::GlobalNorm(1e-9)] {
        let mut grads = [0.0; 6];
        assert_eq!(clip.apply(network.layout(), &mut grads).unwrap(), 0.0);
        assert_eq!(grads, [0.0; 6]);
    }
}

#[test]
fn gradients_whose_squares_overflow_or_vanish_are_clipped_to_the_limit() {
    let network = Network::<f64>::new(Linear::new(2, 1).without_bias()).unwrap();
    for (scale, limit) in [(1e200, 1.0), (1e-200, 1e-3)] {
        let mut grads = [3.0 * scale, 4.0 * scale];
        let norm = Clip::GlobalNorm(limit).apply(network.layout(), &mut grads).unwrap();
        assert!((norm / (5.0 * scale) - 1.0).abs() < 1e-15, "{norm}");
        let expected = limit.min(5.0 * scale);
        assert!((grads[1] / (0.8 * expected) - 1.0).abs() < 1e-15, "{grads:?}");
    }
}

#[test]
fn a_gradient_that_is_not_finite_updates_nothing_and_is_named() {
    for clip in [None, Some(Clip::Value(1.0)), Some(Clip::Norm(1.0)), Some(Clip::GlobalNorm(1.0))] {
        for bad in [f64::NAN, f64::INFINITY] {
            for mut optimizer in optimizers(0.1) {
                let mut network = Network::new(Linear::new(2, 3)).unwrap();
                let before = network.params().to_vec();
                let mut grads = vec![1.0; 9];
                grads[7] = bad;
                if let Some(clip) = clip {
                    clip.apply(network.layout(), &mut grads).unwrap();
                }
                match optimizer.step(network.params_mut(), &grads) {
                    Err(Error::NonFinite { name, index, .. }) => {
                        assert_eq!((&*name, &index[..]), ("bias", &[1][..]))
                    }
                    other => panic!("{clip:?}: {other:?}"),
                }
                assert_eq!(network.params(), before);
            }
        }
    }
}

#[test]
fn gradients_whose_squares_overflow_are_refused_where_they_are_squared() {
    let adaptive: [Box<dyn Optimizer<f32>>; 3] =
        [Box::new(Adam::new(0.1)), Box::new(AdamW::new(0.1)), Box::new(RMSprop::new(0.1))];
    for mut optimizer in adaptive {
        let mut network = Network::<f32>::new(Linear::new(1, 1)).unwrap();
        let before = network.params().to_vec();
        match optimizer.step(network.params_mut(), &[1.0, 1e25]) {
            Err(Error::NonFinite { what: "square of the gradient", name, .. }) => assert_eq!(name, "bias"),
            other => panic!("{other:?}"),
        }
        assert_eq!(network.params(), before);
        // The refused gradient has no effect on the state: the next step moves the weights.
        optimizer.step(network.params_mut(), &[1.0, 1.0]).unwrap();
        assert!(network.params().iter().zip(&before).all(|(after, before)| after < before));
    }
    let mut network = Network::<f32>::new(Linear::new(1, 1)).unwrap();
    Sgd::new(1e-25).step(network.params_mut(), &[1.0, 1e25]).unwrap();
}

#[test]
fn a_huge_learning_rate_is_reported_for_the_weight_not_for_the_gradient() {
    // 1e30 is finite in f32, and so is its product with 1e8: only larger rates overflow.
    let optimizers = |rate: f64| -> [Box<dyn Optimizer<f32>>; 4] {
        [
            Box::new(Adam::new(rate)),
            Box::new(AdamW::new(rate)),
            Box::new(Adam::new(rate).amsgrad(true)),
            Box::new(RMSprop::new(rate)),
        ]
    };
    for mut optimizer in optimizers(1e30) {
        let mut network = Network::<f32>::new(Linear::new(1, 1)).unwrap();
        optimizer.step(network.params_mut(), &[1e-3, -1e-3]).unwrap();
        assert!(network.params().iter().all(|weight| weight.abs() > 1e29));
    }
    for mut optimizer in optimizers(1e39) {
        let mut network = Network::<f32>::new(Linear::new(1, 1)).unwrap();
        let before = network.params().to_vec();
        let mut state: Vec<Vec<f32>> = Vec::new();
        for _ in 0..2 {
            match optimizer.step(network.params_mut(), &[1e-3, -1e-3]) {
                Err(Error::NonFinite { what: "updated weight", name, .. }) => assert_eq!(name, "weight"),
                other => panic!("{other:?}"),
            }
            assert_eq!(network.params(), before);
            // A failed step does not change the state.
            let after = optimizer.state().vectors.into_iter().map(|(_, vector)| vector.to_vec()).collect();
            assert!(state.is_empty() || state == after);
            state = after;
        }
        assert!(state.iter().flatten().all(|&moment| moment == 0.0));
    }
}

#[test]
fn fit_reports_a_huge_learning_rate_as_divergence() {
    let data: Dataset<f32> = toy::sine(32, 0.1, 1).unwrap();
    let layers = Sequential::new().then(Linear::new(1, 4)).then(Tanh).then(Linear::new(4, 1));
    let mut network = Network::new(layers).unwrap();
    let mut training = Training::new(MeanSquaredError, Adam::new(1e30)).progress(false);
    let error = training.fit(&mut network, &data).unwrap_err().to_string();
    // The first step itself is finite; the next pass overflows.
    assert!(error.starts_with("training diverged in epoch 2"), "{error}");
    assert!(!error.contains("square") && error.ends_with("try a smaller learning rate"), "{error}");
}

/// Three steps.
fn advance(optimizer: &mut dyn Optimizer<f64>, network: &mut Network<f64>) {
    for step in 1..=3 {
        let grads: Vec<f64> = (0..9).map(|i| f64::from(i - 4) / f64::from(step)).collect();
        optimizer.step(network.params_mut(), &grads).unwrap();
    }
}

/// Every optimizer with all state it can have.
fn with_state() -> [Box<dyn Optimizer<f64>>; 4] {
    [
        Box::new(Sgd::new(0.1).momentum(0.9)),
        Box::new(Adam::new(0.1).amsgrad(true)),
        Box::new(AdamW::new(0.1)),
        Box::new(RMSprop::new(0.1).momentum(0.5).centered(true)),
    ]
}

#[test]
fn the_state_can_be_read_moved_and_reset() {
    let network = || Network::new(Linear::new(2, 3)).unwrap();
    for (mut first, mut second) in with_state().into_iter().zip(with_state()) {
        let mut straight = network();
        advance(&mut first, &mut straight);
        let State { steps, vectors } = first.state();
        assert!(vectors.iter().all(|(_, vector)| vector.len() == 9));
        let vectors = vectors.into_iter().map(|(name, vector)| (name, vector.to_vec())).collect();
        second.set_state(State { steps, vectors });
        let mut moved = straight.clone();
        advance(&mut first, &mut straight);
        advance(&mut second, &mut moved);
        assert_eq!(straight.params(), moved.params(), "{first:?}");

        // After a reset, the optimizer acts like a new one, on a network of any size.
        second.reset();
        let (mut after, mut fresh) = (network(), network());
        advance(&mut second, &mut after);
        for fresh_optimizer in with_state() {
            if fresh_optimizer.settings() == second.settings() {
                let mut fresh_optimizer = fresh_optimizer;
                advance(&mut fresh_optimizer, &mut fresh);
            }
        }
        assert_eq!(after.params(), fresh.params(), "{second:?}");
    }
}

#[test]
fn the_state_of_weights_without_gradients_shrinks_to_0_and_is_never_subnormal() {
    for mut optimizer in with_state() {
        let mut network = Network::new(Linear::new(2, 3)).unwrap();
        advance(&mut optimizer, &mut network);
        for _ in 0..8000 {
            optimizer.step(network.params_mut(), &[0.0; 9]).unwrap();
            let State { vectors, .. } = optimizer.state();
            let mut numbers = vectors.iter().flat_map(|(_, vector)| *vector);
            assert!(numbers.all(|&number| number == 0.0 || number.is_normal()), "{optimizer:?}");
        }
        let State { vectors, .. } = optimizer.state();
        assert!(
            vectors.iter().any(|(_, vector)| vector.iter().all(|&number| number == 0.0)),
            "{optimizer:?}"
        );
    }
}

#[test]
fn a_pointer_to_an_optimizer_is_an_optimizer() {
    fn takes<O: Optimizer<f64>>(mut optimizer: O) -> Vec<f64> {
        optimizer.check().unwrap();
        optimizer.reset();
        optimizer.set_learning_rate(0.25);
        assert_eq!(optimizer.learning_rate(), 0.25);
        let mut network = Network::new(Linear::new(2, 3)).unwrap();
        advance(&mut optimizer, &mut network);
        assert_eq!(optimizer.settings(), Optimizer::<f64>::settings(&Adam::new(9.0)));
        assert_eq!(optimizer.state().steps, Some(3));
        network.params().to_vec()
    }
    let mut adam = Adam::new(0.1);
    let (borrowed, boxed) = (takes(&mut adam), takes(Box::new(Adam::new(0.1)) as Box<dyn Optimizer<f64>>));
    assert_eq!(borrowed, boxed);
    assert_eq!(borrowed, takes(adam));
    let bad: &mut dyn Optimizer<f64> = &mut Adam::new(f64::NAN);
    assert_argument(bad.check(), "learning rate");
}

#[test]
fn rmsprop_at_the_edges_of_its_arguments() {
    let step = |mut rmsprop: RMSprop<f64>, grads: &[f64]| {
        let mut network = Network::new(Linear::new(1, 1).without_bias()).unwrap();
        network.set_param("weight", &[1.0]).unwrap();
        for &grad in grads {
            rmsprop.step(network.params_mut(), &[grad]).unwrap();
        }
        network.params()[0]
    };
    let new = || RMSprop::new(0.1).eps(1.0);
    // α = 0 keeps the last square only: w − 0.1 · 3 / (3 + 1)
    assert_eq!(step(new().alpha(0.0), &[3.0]), 1.0 - 0.1 * (3.0 / 4.0));
    assert_eq!(step(new().alpha(0.0), &[100.0, 0.0]), step(new().alpha(0.0), &[100.0]));
    // α = 0 and centred: the variance of one number is 0, and ε alone divides.
    assert_eq!(step(new().alpha(0.0).centered(true), &[3.0]), 1.0 - 0.1 * 3.0);
    // α = 0.5: v = 4.5
    assert_eq!(step(new().alpha(0.5), &[3.0]), 1.0 - 0.1 * (3.0 / (4.5_f64.sqrt() + 1.0)));
    // The velocity moves on without a gradient, by half as much.
    let moved = 0.1 * (3.0 / 4.0);
    assert_eq!(step(new().alpha(0.0).momentum(0.5), &[3.0, 0.0]), 1.0 - moved - 0.1 * (0.5 * (3.0 / 4.0)));
    for (alpha, momentum) in [(0.0, 0.0), (0.999, 0.999)] {
        assert!(RMSprop::<f64>::new(0.0).alpha(alpha).momentum(momentum).check().is_ok());
    }
}

#[test]
fn weight_decay_spares_the_parameters_of_a_group() {
    let layers = Sequential::new().then(Linear::new(2, 3)).then(LayerNorm::new(3)).then(Linear::new(3, 1));
    let network = Network::<f64>::new(layers).unwrap().with_seed(3);
    let (biases, normalization) = (ParamGroup::biases, ParamGroup::normalization);
    let cases: [(Sgd<f64>, &[&str]); 6] = [
        (Sgd::new(0.1), &[]),
        (Sgd::new(0.1).group(biases().weight_decay(0.0)), &["0.bias", "1.bias", "2.bias"]),
        (Sgd::new(0.1).group(normalization().weight_decay(0.0)), &["1.weight"]),
        (Sgd::new(0.1).group(ParamGroup::named("1").weight_decay(0.0)), &["1.weight", "1.bias"]),
        (Sgd::new(0.1).group(ParamGroup::named("2.weight").learning_rate_factor(0.0)), &["2.weight"]),
        // The first group that selects a parameter wins.
        (
            Sgd::new(0.1)
                .group(ParamGroup::named("0.bias").weight_decay(0.5))
                .group(biases().weight_decay(0.0)),
            &["1.bias", "2.bias"],
        ),
    ];
    for (sgd, spared) in cases {
        let (mut sgd, mut network) = (sgd.weight_decay(0.5), network.clone());
        // Biases start at 0, where decay would not show.
        network.params_mut().iter_mut().for_each(|weight| *weight += 1.0);
        let before = network.clone();
        let zeros = vec![0.0; network.params().len()];
        sgd.step(network.params_mut(), &zeros).unwrap();
        for (spec, range) in network.layout().iter() {
            let factor = if spared.contains(&spec.name.as_str()) { 1.0 } else { 0.95 };
            for (after, before) in network.params()[range.clone()].iter().zip(&before.params()[range]) {
                approx::assert_relative_eq!(*after, factor * before, max_relative = 1e-14);
            }
        }
    }
}

#[test]
fn parameter_groups_are_checked() {
    for bad in BAD {
        let group = ParamGroup::biases().learning_rate_factor(bad);
        assert_argument(Adam::<f64>::new(0.1).group(group).check(), "learning rate factor");
        let group = ParamGroup::biases().weight_decay(bad);
        assert_argument(RMSprop::<f64>::new(0.1).group(group).check(), "weight decay");
    }
    let mut network = Network::new(Linear::new(2, 3)).unwrap();
    let before = network.params().to_vec();
    for name in ["weigh", "0.weight", "", "bias."] {
        let mut sgd = Sgd::new(0.1).group(ParamGroup::named(name).weight_decay(0.0));
        match sgd.step(network.params_mut(), &[1.0; 9]) {
            Err(Error::UnknownParameter { name: unknown, known }) => {
                assert_eq!((unknown.as_str(), known.len()), (name, 2));
            }
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(network.params(), before);
    }
    // A group with a huge factor overflows like a huge learning rate.
    let mut sgd = Sgd::new(1e200).group(ParamGroup::named("bias").learning_rate_factor(1e200));
    assert!(matches!(sgd.step(network.params_mut(), &[1.0; 9]), Err(Error::NonFinite { .. })));
    assert_eq!(network.params(), before);
}

#[test]
fn eps_is_added_before_the_correction() {
    let (rate, eps, grads) = (0.1_f64, 0.5, [3.0, -1.0, 2.0]);
    let mut network = Network::<f64>::new(Linear::new(1, 1).without_bias()).unwrap();
    let mut adam = Adam::new(rate).eps(eps).eps_before_correction(true);
    let (mut w, mut m, mut v) = (network.params()[0], 0.0, 0.0);
    for (t, g) in (1..).zip(grads) {
        adam.step(network.params_mut(), &[g]).unwrap();
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let corrected = rate * (1.0 - 0.999_f64.powi(t)).sqrt() / (1.0 - 0.9_f64.powi(t));
        w -= corrected * m / (v.sqrt() + eps);
        assert!((network.params()[0] - w).abs() < 1e-15, "step {t}");
    }
}
