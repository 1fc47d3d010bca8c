//! Files for other programs and from them. `tests/interop/run.sh` runs these tests around its
//! Python scripts, in a folder that the environment variable `INTEROP_DIR` names.

#![cfg(all(feature = "npy", feature = "onnx"))]

use std::fs;
use std::path::PathBuf;

use geartrain::data::{Dataset, StandardScaler};
use geartrain::io::{TensorFile, npy};
use geartrain::layers::*;
use geartrain::prelude::*;
use ndarray::{Array2, ArrayD, IxDyn};
use serde_json::json;

fn folder() -> PathBuf {
    std::env::var_os("INTEROP_DIR").expect("run tests/interop/run.sh, which sets INTEROP_DIR").into()
}

/// Every layer, alone between two others and all together.
fn networks() -> Vec<(&'static str, Sequential<f32>)> {
    let alone = |layer: Sequential<f32>| {
        Sequential::new().then(Linear::new(3, 4)).then(layer).then(Linear::new(4, 2).without_bias())
    };
    let one = Sequential::new;
    let body = one().then(LayerNorm::new(6)).then(Linear::new(6, 6)).then(GELU).then(Dropout::new(0.5));
    let all = one()
        .then(Linear::new(3, 6))
        .then(BatchNorm::new(6).eps(1e-3))
        .then(Residual::new(body).scale(0.7))
        .then(SiLU)
        .then(Residual::new(one().then(Linear::new(6, 6).without_bias()).then(Tanh)))
        .then(ELU::new(0.5))
        .then(Linear::new(6, 4))
        .then(Softmax)
        .then(Linear::new(4, 2));
    vec![
        ("sigmoid", alone(one().then(Sigmoid))),
        ("tanh", alone(one().then(Tanh))),
        ("relu", alone(one().then(ReLU))),
        ("leaky_relu", alone(one().then(LeakyReLU::new(0.2)))),
        ("leaky_relu_0", alone(one().then(LeakyReLU::new(0.0)))),
        ("elu", alone(one().then(ELU::new(1.3)))),
        ("selu", alone(one().then(SELU))),
        ("gelu", alone(one().then(GELU))),
        ("gelu_tanh", alone(one().then(GELUTanh))),
        ("silu", alone(one().then(SiLU))),
        ("softplus", alone(one().then(Softplus))),
        ("identity", alone(one().then(Identity))),
        ("softmax", alone(one().then(Softmax))),
        ("layer_norm", alone(one().then(LayerNorm::new(4).eps(1e-2)))),
        ("rms_norm", alone(one().then(RMSNorm::new(4).eps(1e-2)))),
        ("rms_norm_default", alone(one().then(RMSNorm::new(4)))),
        ("batch_norm", alone(one().then(BatchNorm::new(4)))),
        ("dropout", alone(one().then(Dropout::new(0.9)))),
        ("residual", alone(one().then(Residual::new(one().then(Linear::new(4, 4)).then(ReLU)).scale(-0.25)))),
        ("nothing", one()),
        ("all", all),
    ]
}

/// With parameters that are nowhere 0 or 1, as after training.
fn trained(layers: Sequential<f32>) -> Network<f32> {
    let mut network = Network::with_inputs(layers, 3).unwrap().with_seed(11);
    let specs: Vec<_> = network.layout().iter().map(|(spec, _)| (spec.name.clone(), spec.len())).collect();
    for (name, len) in specs {
        let values: Vec<f32> = match name.rsplit('.').next().unwrap() {
            "running_var" => (0..len).map(|i| 0.3 + 0.7 * i as f32).collect(),
            "running_mean" => (0..len).map(|i| 0.2 * i as f32 - 0.4).collect(),
            _ => network.param(&name).unwrap().iter().map(|p| 0.8 * p + 0.05).collect(),
        };
        network.set_param(&name, &values).unwrap();
    }
    network
}

fn inputs() -> Array2<f32> {
    Array2::from_shape_fn((17, 3), |(r, c)| ((r * 7 + c * 3) % 17) as f32 * 0.9 - 7.0 + c as f32)
}

/// For each network: `.safetensors`, `.onnx`, and `.json` with raw inputs, predictions and weights.
#[test]
#[ignore = "run by tests/interop/run.sh"]
fn write_models() {
    for (name, layers) in networks() {
        let network = trained(layers);
        let weights: serde_json::Map<_, _> = network
            .named(network.params())
            .map(|(name, w)| {
                (name.to_string(), json!({"shape": w.shape(), "values": w.iter().collect::<Vec<_>>()}))
            })
            .collect();
        let mut model = Predictor::new(network);
        if ["all", "nothing", "tanh"].contains(&name) {
            // A large mean, of which f32 keeps few digits once it is subtracted.
            let data = inputs().mapv(|x| 2.0 * x + 1000.0);
            let outputs = model.network().outputs();
            let y_scale = StandardScaler::fit(&data.slice(ndarray::s![.., ..outputs])).unwrap();
            model = model.with_x_scale(StandardScaler::fit(&data).unwrap()).unwrap();
            model = model.with_y_scale(y_scale).unwrap();
        }
        let x = if model.x_scale().is_some() { inputs() + 1000.0 } else { inputs() };
        let y = model.predict(&x).unwrap();
        let rows =
            |matrix: &Array2<f32>| matrix.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>();
        let expected = json!({"x": rows(&x), "y": rows(&y), "weights": weights});
        let path = |ending: &str| folder().join(format!("{name}.{ending}"));
        fs::write(path("json"), expected.to_string()).unwrap();
        model.save(path("safetensors")).unwrap();
        model.export_onnx(path("onnx")).unwrap();
        model.to_tensors().unwrap().save_npz(path("npz")).unwrap();
    }
    npy::save(folder().join("ours.npy"), inputs().t().into_dyn()).unwrap();
}

/// What `check_numpy.py` and `check_safetensors.py` wrote.
#[test]
#[ignore = "run by tests/interop/run.sh"]
fn read_what_python_wrote() {
    // numpy.arange(24) - 5, divided by 2 where the type has halves, in the shape (2, 3, 4)
    let expected = |divisor: f64| {
        let value = |i: usize| (i as f64 - 5.0) / divisor;
        ArrayD::from_shape_vec(IxDyn(&[2, 3, 4]), (0..24).map(value).collect()).unwrap()
    };
    for name in ["f2", "f4", "f8", "big_endian", "fortran", "fortran_big_endian", "version_3"] {
        let array = npy::load::<f64>(folder().join(format!("theirs_{name}.npy"))).unwrap();
        assert_eq!(array, expected(2.0), "{name}");
    }
    for name in ["i1", "i2", "i4", "i8"] {
        let array = npy::load::<f64>(folder().join(format!("theirs_{name}.npy"))).unwrap();
        assert_eq!(array, expected(1.0), "{name}");
    }
    let error = npy::load::<f64>(folder().join("theirs_objects.npy")).unwrap_err().to_string();
    assert!(error.contains("numbers of type \"|O\" cannot be read"), "{error}");

    for name in ["theirs.npz", "theirs_compressed.npz"] {
        let data = Dataset::<f32>::from_npz(folder().join(name)).unwrap();
        assert_eq!(data.x(), inputs(), "{name}");
        assert_eq!(
            data.y().column(0).to_vec(),
            (0..17).map(|i| (i % 3) as f32).collect::<Vec<_>>(),
            "{name}"
        );
    }

    for (name, layers) in networks() {
        let network = trained(layers.clone());
        let mut loaded = Network::with_inputs(layers, 3).unwrap();
        loaded.load_weights(folder().join(format!("theirs_{name}.safetensors"))).unwrap();
        assert_eq!(loaded.params(), network.params(), "{name}");
        let mut loaded = loaded.with_seed(1);
        let file = TensorFile::open_npz(folder().join(format!("{name}.npz"))).unwrap();
        geartrain::io::Loader::new().weights_from(&file, &mut loaded).unwrap();
        assert_eq!(loaded.params(), network.params(), "{name}");
    }
}
