//! Parametrisations: the change of each layer by width, measured and predicted.

use geartrain::optim::ParamGroup;
use geartrain::prelude::*;
use geartrain_lab::{Parametrization, UpdateRule, coordinate_check, normal_batch};
use ndarray::Axis;

const BASE: usize = 64;

fn network(width: usize, seed: u64) -> Network<f32> {
    let linear = |inputs, outputs, init: Init| Linear::new(inputs, outputs).without_bias().init(init);
    let hidden = Sequential::new().then(linear(16, width, Init::he_normal())).then(ReLU);
    let hidden = hidden.then(linear(width, width, Init::he_normal())).then(ReLU);
    Network::new(hidden.then(linear(width, 4, Init::lecun_normal()))).unwrap().with_seed(seed)
}

/// The slopes after one step.
fn slopes(parametrization: Parametrization, rule: UpdateRule) -> Vec<f64> {
    let x = normal_batch(64, 16, 1);
    // two classes of very different size, so that the gradient of the logits does not depend on the
    // small initial logits
    let target =
        x.map_axis(Axis(1), |x: ndarray::ArrayView1<f32>| f32::from(x[0] > 0.8)).insert_axis(Axis(1));
    let check = coordinate_check(&[256, 512, 1024], 4, 1, &CrossEntropy, &x, &target, |width, seed| {
        let (mut network, base) = (network(width, seed), network(BASE, seed));
        parametrization.initialise(&mut network, &base)?;
        let groups = parametrization.groups(&network, &base, rule)?;
        let optimizer: Box<dyn Optimizer<f32>> = match rule {
            UpdateRule::Gradient => Box::new(groups.into_iter().fold(Sgd::new(0.02), Sgd::group)),
            UpdateRule::Adaptive => Box::new(groups.into_iter().fold(Adam::new(1e-3), Adam::group)),
        };
        Ok((network, optimizer))
    });
    check.unwrap().slopes()
}

#[test]
fn changes_by_width_follow_the_predicted_slopes() {
    for (parametrization, rule, tolerance) in [
        (Parametrization::MuP, UpdateRule::Gradient, 0.12),
        (Parametrization::MuP, UpdateRule::Adaptive, 0.12),
        (Parametrization::Standard, UpdateRule::Gradient, 0.2),
        (Parametrization::Ntk, UpdateRule::Gradient, 0.2),
    ] {
        let (measured, predicted) = (slopes(parametrization, rule), parametrization.slopes(2, rule));
        println!("{parametrization:?}, {rule:?}: {measured:.3?} for {predicted:?}");
        for (measured, predicted) in measured.iter().zip(&predicted) {
            assert!(
                (measured - predicted).abs() < tolerance,
                "{parametrization:?}, {rule:?}: {measured} for {predicted}"
            );
        }
    }
    assert_eq!(Parametrization::Standard.slopes(2, UpdateRule::Adaptive), [0.0, 1.0, 1.5]);
}

#[test]
fn rates_belong_to_single_tensors_of_networks_with_the_same_layers() {
    let (wide, base) = (network(256, 0), network(BASE, 0));
    let groups = Parametrization::MuP.groups(&wide, &base, UpdateRule::Gradient).unwrap();
    let of = |name: &str, factor| ParamGroup::named(name).learning_rate_factor(factor);
    assert_eq!(groups, [of("0.weight", 4.0), of("4.weight", 0.25)]);
    assert!(Parametrization::MuP.groups(&base, &base, UpdateRule::Adaptive).unwrap().is_empty());
    let mut scaled = wide.clone();
    Parametrization::MuP.initialise(&mut scaled, &base).unwrap();
    let name = |name: &str| (scaled.param(name).unwrap()[[0, 1]], wide.param(name).unwrap()[[0, 1]]);
    assert_eq!(name("2.weight").0, name("2.weight").1);
    assert_eq!(name("4.weight").0, 0.5 * name("4.weight").1);
    let other = Network::<f32>::new(Linear::new(16, 4)).unwrap();
    assert!(Parametrization::MuP.groups(&wide, &other, UpdateRule::Gradient).is_err());
}
