//! Optimizers and gradient clipping: arguments, overflow, and state.

use geartrain::optim::{Adam, AdamW, Clip, Optimizer, RMSprop};
use geartrain::prelude::*;

use crate::support::*;

#[test]
fn a_huge_learning_rate_ends_in_diverged_with_finite_weights() {
    let mut network =
        Network::new(Sequential::new().then(Linear::new(1, 1)).then(Linear::new(1, 1)), 1).unwrap();
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
        let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
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
            let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
            let before = network.params().to_vec();
            optimizer.set_learning_rate(bad);
            assert_argument(optimizer.step(network.params_mut(), &[1.0; 9]), "learning rate");
            assert_eq!(network.params(), before);
        }
        let mut network = Network::new(Linear::new(1, 1), 1).unwrap();
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
    // In f32 this is 0, and the first gradient of 0 would be divided by it.
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
            let mut network = Network::new(Linear::new(1, 1), 1).unwrap();
            let result = training(Sgd::new(0.1)).clip(clip).fit(&mut network, &sine(4));
            assert_argument(result.map(drop), "clipping limit");
        }
    }
}

#[test]
fn zero_gradients_are_clipped_to_zero() {
    let network = Network::<f64>::new(Linear::new(2, 2), 2).unwrap();
    for clip in [Clip::Value(1.0), Clip::Norm(1.0), Clip::GlobalNorm(1e-9)] {
        let mut grads = [0.0; 6];
        assert_eq!(clip.apply(network.layout(), &mut grads).unwrap(), 0.0);
        assert_eq!(grads, [0.0; 6]);
    }
}

#[test]
fn gradients_whose_squares_overflow_or_vanish_are_clipped_to_the_limit() {
    let network = Network::<f64>::new(Linear::new(2, 1).without_bias(), 2).unwrap();
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
                let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
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
        let mut network = Network::<f32>::new(Linear::new(1, 1), 1).unwrap();
        let before = network.params().to_vec();
        match optimizer.step(network.params_mut(), &[1.0, 1e25]) {
            Err(Error::NonFinite { what: "square of the gradient", name, .. }) => assert_eq!(name, "bias"),
            other => panic!("{other:?}"),
        }
        assert_eq!(network.params(), before);
        // The refused gradient left nothing behind: the next step moves.
        optimizer.step(network.params_mut(), &[1.0, 1.0]).unwrap();
        assert!(network.params().iter().zip(&before).all(|(after, before)| after < before));
    }
    let mut network = Network::<f32>::new(Linear::new(1, 1), 1).unwrap();
    Sgd::new(1e-25).step(network.params_mut(), &[1.0, 1e25]).unwrap();
}
