//! The same bits on every processor with fused multiply-add: hashes of weights after training, for
//! every layer, loss and optimizer, and for widths from 1 to 300.
//!
//! The test runs itself again for every instruction set of the processor; `.ci/aarch64` runs it on
//! an emulated 64-bit ARM. After a deliberate change of the order of a sum, copy the printed table.

use std::process::Command;

use geartrain::data::{Dataset, toy};
use geartrain::instruction_set;
use geartrain::layers::*;
use geartrain::loss::*;
use geartrain::network::Workspace;
use geartrain::optim::schedule::{Chain, Cosine, Exponential, Polynomial, WarmUp};
use geartrain::optim::{Clip, Lbfgs, RMSprop};
use geartrain::prelude::*;
use ndarray::Array2;

/// Name, hash in `f32`, hash in `f64`.
const GOLDEN: [(&str, u64, u64); 42] = [
    ("ELU", 0x8ecf_22e5_051a_93c6, 0x7f86_8dbe_af6d_4985),
    ("GELU", 0xe7cc_c8ed_8452_40b4, 0xc9a2_bb4a_f59d_5694),
    ("GELUTanh", 0x2b2e_f3ac_d0a8_ce54, 0x8b01_f8d3_8601_525f),
    ("Identity", 0xb39c_1168_13b2_701f, 0xf6f5_830c_10c2_da7e),
    ("LeakyReLU", 0x3582_25df_1380_b1d5, 0x4821_9ab0_a033_3d55),
    ("ReLU", 0xdda6_d6bb_73bc_b5f5, 0x513c_e04e_60bb_4552),
    ("SELU", 0x5d57_4e2e_4118_8552, 0x55e8_d406_e3cd_b40a),
    ("SiLU", 0x1e1c_9c7a_2dca_360d, 0xf891_8f10_5ed0_9b4d),
    ("Sigmoid", 0xe457_65cf_4105_0d20, 0x2b9c_900b_6a62_ebb0),
    ("Softplus", 0xdce8_5c42_2c36_dede, 0xa24d_9c9f_4be7_c91e),
    ("Tanh", 0x34c2_86b1_fed7_4c98, 0xef98_4e79_b1b6_43b4),
    ("Softmax", 0x0141_543b_5289_65e6, 0xe572_5244_0223_c34a),
    ("BatchNorm", 0xe3b4_69cb_8f03_f891, 0xeece_2de6_e333_de31),
    ("LayerNorm", 0x10f4_0aab_0919_52fb, 0x1a31_5b46_3688_f79b),
    ("RMSNorm", 0x918d_090c_1f6d_e4ba, 0x3ef9_b9ba_a94d_7660),
    ("Dropout", 0xb734_cbef_279f_fd86, 0xb0b0_d30b_9579_92b1),
    ("Residual", 0xf4da_190e_757b_7317, 0xf259_ab06_5568_d33e),
    ("MeanSquaredError", 0x34c2_86b1_fed7_4c98, 0xef98_4e79_b1b6_43b4),
    ("MeanAbsoluteError", 0x6b6a_9196_cb9e_21aa, 0x1162_0a41_f6b9_4713),
    ("Huber", 0xb070_d30d_e0e4_9b56, 0x8f88_1f18_f9c3_d816),
    ("SmoothL1", 0xf97c_e7e6_f478_b4cb, 0x72a5_1e60_f12f_d0a4),
    ("Quantile", 0xd024_2abb_74f2_85fc, 0xd245_1e0b_e005_aebc),
    ("Poisson", 0x629a_64df_213d_d2ee, 0x7e15_2cac_7e11_0985),
    ("BinaryCrossEntropyWithLogits", 0x1a07_7394_a1a0_4333, 0x34a6_6598_7d00_f8a0),
    ("CrossEntropy", 0x815e_f8e3_61fc_1be5, 0x7cb7_8031_007e_5395),
    ("CrossEntropy, probabilities", 0xe32f_1797_30d8_88f8, 0xf52e_42ae_e516_0a18),
    ("CrossEntropy, options", 0x3416_c178_488e_e4ea, 0x4722_6696_cb0a_dbc0),
    ("Sgd", 0xab90_e8fd_8fc2_3cae, 0x3abc_40f5_e100_633c),
    ("Adam", 0xf3b8_9322_38b7_64f1, 0x781b_e2be_0aab_7a2a),
    ("Adam, AMSGrad", 0x341c_1b8e_5cc9_1ac7, 0x6d2c_8569_8846_9b5e),
    ("AdamW", 0xa72b_a4bd_75f8_1509, 0x7a43_eafe_e517_4663),
    ("RMSprop", 0xc8a7_95c1_f844_7cdf, 0x51bf_ab7d_0f05_6cd6),
    ("L-BFGS", 0xb721_870e_c8d7_8945, 0x6ba5_88ce_a946_4ced),
    ("widths", 0x3acd_045b_d809_1005, 0xc184_60f1_9949_1005),
    ("slices", 0x9a34_5005_6127_3086, 0xe08a_0cf0_6e04_52d4),
    ("long sums", 0x9cbf_440f_53bc_8622, 0x6857_7856_eca6_3dbc),
    ("he_normal, moons", 0xaf02_ddf4_ff84_0cfa, 0xfca8_3df8_1ab7_5400),
    ("orthogonal, moons", 0xaa62_08b2_1cf5_7591, 0xe307_0ce1_b20d_d96c),
    ("xavier_normal, spirals", 0xe077_c9a8_422d_c755, 0xcd33_5ac9_aef1_aaaa),
    ("sine, cosine schedule, norm", 0xa4ca_4ea2_f228_8095, 0x6dc4_fb4d_80b4_71ba),
    ("friedman1, power schedules", 0x6cd5_692c_66ba_6896, 0x6b25_8b81_c3ac_38c4),
    ("normal numbers", 0x2f3b_0401_f466_9335, 0x0dba_8749_ecb3_b4e2),
];

/// FNV-1a over the bits of finite numbers.
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    fn add<'a, F: Scalar>(&mut self, numbers: impl IntoIterator<Item = &'a F>) {
        for number in numbers {
            assert!(number.is_finite());
            self.0 = (self.0 ^ number.as_f64().to_bits()).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn of<'a, F: Scalar>(numbers: impl IntoIterator<Item = &'a F>) -> u64 {
        let mut hash = Hash::new();
        hash.add(numbers);
        hash.0
    }
}

/// Numbers from −1.7 to 1.8 without elementary functions.
fn numbers<F: Scalar>(rows: usize, columns: usize) -> Array2<F> {
    Array2::from_shape_fn((rows, columns), |(i, j)| F::of(((i * 131 + j * 71) % 257) as f64 / 74.0 - 1.7))
}

/// A hash of weights, losses and predictions of a few steps.
fn steps<F: Scalar>(
    layers: Sequential<F>,
    loss: &dyn Loss<F>,
    mut optimizer: impl Optimizer<F>,
    target: &Array2<F>,
) -> u64 {
    let mut network = Network::new(layers).unwrap().with_seed(5);
    let x = numbers(target.nrows(), network.inputs());
    let (mut workspace, mut hash) = (Workspace::new(), Hash::new());
    for key in 0..4 {
        workspace.key = key;
        hash.add(&[network.gradients(loss, &x, target, &mut workspace, None).unwrap()]);
        optimizer.step(network.params_mut(), &workspace.grads).unwrap();
        network.update_running_stats(&mut workspace).unwrap();
    }
    hash.add(network.params());
    hash.add(&network.predict(&x).unwrap());
    hash.0
}

/// Two layers around `layer`, which keeps a width of 19.
fn around<F: Scalar>(layer: impl Layer<F> + 'static) -> Sequential<F> {
    Sequential::new().then(Linear::new(5, 19)).then(layer).then(Linear::new(19, 3))
}

/// A hash for every width from 1 to 300, in wide and narrow layers with one or more outputs.
fn widths<F: Scalar>() -> u64 {
    let mut hash = Hash::new();
    for width in 1..=300 {
        let outputs = 1 + width % 3;
        let layers = Sequential::new()
            .then(Linear::new(1 + width % 7, width))
            .then(Tanh)
            .then(Linear::new(width, 301 - width))
            .then(ReLU)
            .then(Linear::new(301 - width, outputs));
        let target = numbers::<F>(1 + width % 9, outputs);
        let one = steps(layers, &MeanSquaredError, Sgd::new(0.01).momentum(0.9), &target);
        hash.add(&[one as u32 as f64, (one >> 32) as f64]);
    }
    hash.0
}

/// A hash of the weights after `fit`, on a toy set with a schedule and an option.
fn fit<F: Scalar>(
    data: Dataset<F>,
    init: Init,
    change: impl FnOnce(
        Training<'static, F, MeanSquaredError, Adam<F>>,
    ) -> Training<'static, F, MeanSquaredError, Adam<F>>,
) -> u64 {
    let layers = Sequential::new().then(Linear::new(data.x().ncols(), 24).init(init)).then(GELU);
    let mut network = Network::new(layers.then(Linear::new(24, 1))).unwrap().with_seed(9);
    let training = Training::new(MeanSquaredError, Adam::new(0.01)).epochs(3).progress(false);
    let history = change(training).fit(&mut network, &data).unwrap();
    let mut hash = Hash::new();
    hash.add(network.params());
    hash.add(&history.train_losses());
    hash.0
}

/// A hash of the weights and the loss after a few iterations of L-BFGS.
fn lbfgs<F: Scalar>() -> u64 {
    let data = Dataset::new(numbers::<F>(120, 5), numbers(120, 3)).unwrap();
    let mut network = Network::new(around(Tanh)).unwrap().with_seed(5);
    let minimum = Lbfgs::new().max_iterations(15).fit(&mut network, &MeanSquaredError, &data).unwrap();
    let mut hash = Hash::new();
    hash.add(network.params());
    hash.add(&[minimum.value]);
    hash.0
}

fn hashes<F: Scalar>() -> Vec<(&'static str, u64)> {
    let target = numbers::<F>(29, 3);
    let sgd = || Sgd::new(0.05);
    let layer = |layers| steps(layers, &MeanSquaredError, sgd(), &target);
    let loss = |loss: &dyn Loss<F>, target: &Array2<F>| steps(around(Tanh), loss, sgd(), target);
    let optimizer =
        |optimizer: Box<dyn Optimizer<F>>| steps(around(Tanh), &MeanSquaredError, optimizer, &target);
    let share = target.mapv(|t| (t + F::of(1.7)) / F::of(4.0));
    let mut probabilities = share.clone();
    probabilities.rows_mut().into_iter().for_each(|mut row| row /= row.fold(F::zero(), |sum, &p| sum + p));
    let classes = Array2::from_shape_fn((29, 1), |(i, _)| F::of((i % 3) as f64));
    let block = Sequential::new().then(Linear::new(19, 19)).then(ELU::default());
    let moons = |init| fit(toy::two_moons::<F>(200, 0.1, 3).unwrap(), init, |training| training);
    vec![
        ("ELU", layer(around(ELU::default()))),
        ("GELU", layer(around(GELU))),
        ("GELUTanh", layer(around(GELUTanh))),
        ("Identity", layer(around(Identity))),
        ("LeakyReLU", layer(around(LeakyReLU::default()))),
        ("ReLU", layer(around(ReLU))),
        ("SELU", layer(around(SELU))),
        ("SiLU", layer(around(SiLU))),
        ("Sigmoid", layer(around(Sigmoid))),
        ("Softplus", layer(around(Softplus))),
        ("Tanh", layer(around(Tanh))),
        ("Softmax", layer(around(Softmax))),
        ("BatchNorm", layer(around(BatchNorm::new(19)))),
        ("LayerNorm", layer(around(LayerNorm::new(19)))),
        ("RMSNorm", layer(around(RMSNorm::new(19)))),
        ("Dropout", layer(around(Dropout::new(0.3)))),
        ("Residual", layer(around(Residual::new(block)))),
        ("MeanSquaredError", loss(&MeanSquaredError, &target)),
        ("MeanAbsoluteError", loss(&MeanAbsoluteError, &target)),
        ("Huber", loss(&Huber::new(0.5), &target)),
        ("SmoothL1", loss(&SmoothL1::default(), &target)),
        ("Quantile", loss(&Quantile::new(0.9), &target)),
        ("Poisson", loss(&Poisson, &share)),
        ("BinaryCrossEntropyWithLogits", loss(&BinaryCrossEntropyWithLogits, &share)),
        ("CrossEntropy", loss(&CrossEntropy, &classes)),
        ("CrossEntropy, probabilities", loss(&CrossEntropy, &probabilities)),
        (
            "CrossEntropy, options",
            loss(&CrossEntropy.label_smoothing(0.1).class_weights([0.3, 1.0, 2.0]), &classes),
        ),
        ("Sgd", optimizer(Box::new(Sgd::new(0.05).momentum(0.9).nesterov(true).weight_decay(0.01)))),
        ("Adam", optimizer(Box::new(Adam::new(0.01).weight_decay(0.01)))),
        ("Adam, AMSGrad", optimizer(Box::new(Adam::new(0.01).amsgrad(true)))),
        ("AdamW", optimizer(Box::new(AdamW::new(0.01)))),
        ("RMSprop", optimizer(Box::new(RMSprop::new(0.01).momentum(0.5).centered(true)))),
        ("L-BFGS", lbfgs::<F>()),
        ("widths", widths::<F>()),
        ("slices", steps(around(SiLU), &MeanSquaredError, Adam::new(0.01), &numbers::<F>(1100, 3))),
        ("long sums", steps(around(Tanh), &MeanSquaredError, sgd(), &numbers::<F>(500, 3))),
        ("he_normal, moons", moons(Init::he_normal())),
        ("orthogonal, moons", moons(Init::orthogonal())),
        ("xavier_normal, spirals", {
            let spirals = toy::two_spirals::<F>(200, 0.1, 3).unwrap();
            fit(spirals, Init::xavier_normal(), |training| training.average_weights(0.9))
        }),
        ("sine, cosine schedule, norm", {
            let schedule = Chain::new(WarmUp::new(5)).then(5, Cosine::new(20));
            fit(toy::sine::<F>(300, 0.1, 3).unwrap(), Init::torch_linear(), |training| {
                training.schedule_per_step(schedule).clip(Clip::GlobalNorm(0.5))
            })
        }),
        ("friedman1, power schedules", {
            let schedule = Chain::new(Exponential::new(0.97)).then(9, Polynomial::new(20).power(1.5));
            fit(toy::friedman1::<F>(300, 1.0, 3).unwrap(), Init::torch_linear(), |training| {
                training.schedule_per_step(schedule).clip(Clip::Norm(0.5))
            })
        }),
        // Enough numbers to reach the tail of the normal distribution.
        ("normal numbers", {
            let network = Network::<F>::new(Linear::new(200, 500).init(Init::he_normal())).unwrap();
            Hash::of(network.params())
        }),
    ]
}

#[test]
fn training_has_the_same_bits_on_every_processor_with_fused_multiply_add() {
    if instruction_set() == "baseline" {
        println!("no fused multiply-add: outside the promise");
        return;
    }
    let (single, double) = (hashes::<f32>(), hashes::<f64>());
    let found: Vec<_> = single.iter().zip(double).map(|(&(name, a), (_, b))| (name, a, b)).collect();
    if found != GOLDEN {
        for (name, single, double) in &found {
            println!("    ({name:?}, {single:#018x}, {double:#018x}),");
        }
        for (found, golden) in found.iter().zip(&GOLDEN) {
            assert_eq!(found, golden, "on {}", instruction_set());
        }
        panic!("the table has {} hashes, not {}", GOLDEN.len(), found.len());
    }
}

#[test]
fn every_instruction_set_has_the_same_bits() {
    let test = "golden::training_has_the_same_bits_on_every_processor_with_fused_multiply_add";
    for level in ["avx512", "avx2", "neon"] {
        let mut again = Command::new(std::env::current_exe().unwrap());
        let again = again.args(["--exact", test]).env("GEARTRAIN_SIMD", level).output().unwrap();
        let text = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && text.contains("1 passed"), "{level}: {text}");
    }
}
