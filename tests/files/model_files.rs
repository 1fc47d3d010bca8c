//! Models in safetensors files: what comes back, what is refused, and that nothing changes when it
//! is.

use std::fs;
use std::sync::Arc;

use geartrain::data::{StandardScaler, toy};
use geartrain::error::LayerProblem;
use geartrain::io::{FileProblem, Loader, TensorFile};
use geartrain::layer::{Backward, Description, Forward, Kind};
use geartrain::layers::LayerSpec;
use geartrain::layers::*;
use geartrain::params::ParamSpec;
use geartrain::prelude::*;
use ndarray::{Array2, array};
use serde_json::{Value, json};

fn layers<F: Scalar>() -> Sequential<F> {
    let body = Sequential::new().then(Linear::new(5, 5)).then(ReLU);
    Sequential::new()
        .then(Linear::new(3, 5))
        .then(Tanh)
        .then(Residual::new(body).scale(0.3))
        .then(Sigmoid)
        .then(Linear::new(5, 2).without_bias())
}

fn model<F: Scalar>() -> Predictor<F> {
    let data = Array2::from_shape_fn((9, 3), |(r, c)| F::of(100.0 * c as f64 + (r * r) as f64 / 7.0));
    let scale = |columns: usize| StandardScaler::fit(&data.slice(ndarray::s![.., ..columns])).unwrap();
    let network = Network::new(layers()).unwrap().with_seed(5);
    let model = Predictor::new(network).with_x_scale(scale(3)).unwrap().with_y_scale(scale(2)).unwrap();
    model.named(["a", "b", "größe"], ["y", "z"]).unwrap()
}

/// The bytes of a safetensors file with this header and so many bytes of data.
fn raw(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

fn refused(bytes: &[u8]) -> FileProblem {
    TensorFile::parse(bytes).unwrap_err()
}

/// A saved model whose description was changed.
fn with_description(change: impl FnOnce(&mut Value)) -> Result<Predictor<f64>, FileProblem> {
    let mut file = model::<f64>().to_tensors().unwrap();
    let mut description: Value = serde_json::from_str(file.metadata("geartrain").unwrap()).unwrap();
    change(&mut description);
    file.set_metadata("geartrain", description.to_string());
    Loader::new().predictor_from(&file)
}

fn comes_back<F: Scalar>() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = model::<F>();
    model.save(&path).unwrap();
    let loaded = Predictor::<F>::load(&path).unwrap();
    assert_eq!(loaded.network().params(), model.network().params());
    assert_eq!(LayerSpec::of(loaded.network().layer()), LayerSpec::of(model.network().layer()));
    assert_eq!((loaded.x_scale(), loaded.y_scale()), (model.x_scale(), model.y_scale()));
    assert_eq!(loaded.feature_names(), ["a", "b", "größe"]);
    assert_eq!(loaded.target_names(), ["y", "z"]);
    let x = Array2::from_shape_fn((4, 3), |(r, c)| F::of(97.0 * c as f64 + r as f64));
    assert_eq!(loaded.predict(&x).unwrap(), model.predict(&x).unwrap());

    // The same model gives the same bytes.
    let bytes = fs::read(&path).unwrap();
    loaded.save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_model_comes_back_bit_by_bit() {
    comes_back::<f32>();
    comes_back::<f64>();
}

#[test]
fn predictions_are_in_the_units_of_the_data() {
    let x = array![[1.0], [2.0], [6.0]];
    let y = array![[10.0], [20.0], [60.0]];
    let network = Network::<f64>::with_inputs(Sequential::new(), 1).unwrap();
    let (x_scale, y_scale) = (StandardScaler::fit(&x).unwrap(), StandardScaler::fit(&y).unwrap());
    let model = Predictor::new(network).with_x_scale(x_scale).unwrap().with_y_scale(y_scale).unwrap();
    // Standardised, x and y are the same, and the network is the identity.
    let error = model.predict(&x).unwrap() - y;
    assert!(error.iter().all(|error: &f64| error.abs() < 1e-12), "{error}");
}

#[test]
fn the_file_has_pytorchs_names_shapes_and_order_of_numbers() {
    let mut network = Network::<f32>::new(Sequential::new().then(Linear::new(2, 3))).unwrap();
    network.set_param("0.weight", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let bytes = Predictor::new(network).to_tensors().unwrap().to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weight = file.tensor("0.weight").unwrap();
    assert_eq!((weight.dtype(), weight.shape()), (safetensors::Dtype::F32, &[3, 2][..]));
    let numbers: Vec<u8> =
        [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].into_iter().flat_map(f32::to_le_bytes).collect();
    assert_eq!(weight.data(), numbers);
    assert_eq!(file.tensor("0.bias").unwrap().shape(), [3]);
}

#[test]
fn scales_and_names_must_fit_the_network() {
    let scale = StandardScaler::fit(&array![[1.0, 2.0], [3.0, 5.0]]).unwrap();
    let model = || Predictor::new(Network::<f64>::new(Linear::new(3, 1)).unwrap());
    let error = model().with_x_scale(scale.clone()).unwrap_err().to_string();
    assert_eq!(error, "columns of x_scale: expected shape (3), got (2)");
    assert!(model().with_y_scale(scale).is_err());
    assert!(model().named(["a", "b"], ["y"]).is_err());
    assert!(model().named(["a", "b", "c"], ["y", "z"]).is_err());
}

#[test]
fn a_network_is_not_taken_out_of_its_scales() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model::<f64>().save(&path).unwrap();
    let error = Network::<f64>::load(&path).unwrap_err().to_string();
    assert!(error.ends_with("load it as a `Predictor`"), "{error}");
    model::<f64>().network().save(&path).unwrap();
    assert_eq!(Network::<f64>::load(&path).unwrap().params(), model::<f64>().network().params());
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let bytes = model::<f32>().to_tensors().unwrap().to_bytes().unwrap();
    assert!(TensorFile::parse(&bytes).is_ok());
    for end in 0..bytes.len() {
        let problem = refused(&bytes[..end]);
        assert!(matches!(problem, FileProblem::Format { .. }), "{end} bytes: {problem}");
    }
}

#[test]
fn a_file_on_disk_that_is_cut_off_names_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    let bytes = model::<f32>().to_tensors().unwrap().to_bytes().unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = Predictor::<f32>::load(&path).unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert!(error.contains("not a valid safetensors file: "), "{error}");
}

#[test]
fn lengths_that_lie_are_refused_before_memory_is_taken() {
    for length in [u64::MAX, u64::MAX - 7, 1 << 63, 1 << 40, 100_000_001, 100_000_000, 3] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert!(matches!(refused(&bytes), FileProblem::Format { .. }), "{length}");
    }
    for bytes in [&[][..], &[0; 7], &[0; 8], &[0; 9]] {
        assert!(matches!(refused(bytes), FileProblem::Format { .. }), "{bytes:?}");
    }
    // A tensor of 8 exabytes.
    let header =
        r#"{"w":{"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,9223372036854775808]}}"#;
    assert!(matches!(refused(&raw(header, 8)), FileProblem::Format { .. }));
    assert_eq!(TensorFile::parse(&raw("{}", 0)).unwrap(), TensorFile::new());
}

#[test]
fn an_architecture_beyond_memory_is_refused() {
    let linear =
        |inputs: u64, outputs: u64| json!({"Linear": {"inputs": inputs, "outputs": outputs, "bias": true}});
    for architecture in [linear(3, u64::MAX), linear(3, 1 << 40), linear(3, 1 << 28)] {
        let problem = with_description(|d| d["architecture"] = architecture).unwrap_err();
        assert!(matches!(problem, FileProblem::Description { .. } | FileProblem::Mismatch(_)), "{problem}");
    }
    let problem = with_description(|d| d["inputs"] = json!(u64::MAX)).unwrap_err();
    assert!(problem.to_string().contains("expects 3 input features"), "{problem}");
}

#[test]
fn tensors_must_cover_the_data_exactly() {
    let tensor = |dtype: &str, shape: &str, start: i64, end: i64| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    };
    let two = |a: String, b: String| format!(r#"{{"a":{a},"b":{b}}}"#);
    let whole = |text: &str| tensor("F32", text, 0, 8);
    let good = two(tensor("F32", "[2]", 0, 8), tensor("F32", "[2]", 8, 16));
    assert!(TensorFile::parse(&raw(&good, 16)).is_ok());
    for (what, header, data) in [
        ("overlap", two(whole("[2]"), tensor("F32", "[2]", 4, 12)), 12),
        ("the same range", two(whole("[2]"), whole("[2]")), 8),
        ("hole", two(whole("[2]"), tensor("F32", "[2]", 12, 20)), 20),
        ("hole at the start", two(tensor("F32", "[2]", 4, 12), tensor("F32", "[2]", 12, 20)), 20),
        ("reversed", two(whole("[2]"), tensor("F32", "[2]", 16, 8)), 16),
        ("more data", good.clone(), 17),
        ("less data", good.clone(), 15),
        ("negative", two(whole("[2]"), tensor("F32", "[2]", -8, 0)), 8),
        ("shape too small", two(whole("[1]"), tensor("F32", "[2]", 8, 16)), 16),
        ("shape too large", two(whole("[3]"), tensor("F32", "[2]", 8, 16)), 16),
        ("negative shape", two(whole("[-2]"), tensor("F32", "[2]", 8, 16)), 16),
        ("shape that overflows", two(whole("[4294967296,4294967296]"), tensor("F32", "[2]", 8, 16)), 16),
        ("unknown type", two(tensor("F33", "[2]", 0, 8), tensor("F32", "[2]", 8, 16)), 16),
        ("no shape", r#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#.into(), 8),
        ("not an object", "[]".into(), 0),
        ("not JSON", "{\"a\":".into(), 0),
        ("something behind", "{}{}".into(), 0),
        ("metadata of numbers", r#"{"__metadata__":{"a":1}}"#.into(), 0),
        ("nested too deeply", format!("{{\"a\":{}", "[".repeat(100_000)), 0),
    ] {
        let problem = refused(&raw(&header, data));
        assert!(matches!(problem, FileProblem::Format { .. }), "{what}: {problem}");
    }
    let mut text = raw("{}", 0);
    text[9] = 0xff;
    assert!(matches!(refused(&text), FileProblem::Format { .. }), "not UTF-8");
}

#[test]
fn a_name_that_is_there_twice_is_refused() {
    let tensor = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    // Equal ranges, which the reference implementation accepts; \u0077 is another way to write w.
    for second in ["w", "\\u0077"] {
        let header = format!(r#"{{"w":{tensor},"{second}":{tensor}}}"#);
        let problem = refused(&raw(&header, 4));
        assert!(matches!(&problem, FileProblem::DuplicateName { name } if name == "w"), "{problem}");
    }
    let header = r#"{"__metadata__":{"geartrain":"a","geartrain":"b"}}"#;
    assert!(matches!(refused(&raw(header, 0)), FileProblem::DuplicateName { name } if name == "geartrain"));
    let mut file = model::<f64>().to_tensors().unwrap();
    file.set_metadata("geartrain", r#"{"version":1,"version":1}"#);
    let problem = Loader::new().predictor_from::<f64>(&file).unwrap_err();
    assert!(matches!(problem, FileProblem::DuplicateName { name } if name == "version"));
}

#[test]
fn weights_of_another_architecture_are_listed_and_change_nothing() {
    let other = Sequential::new()
        .then(Linear::new(3, 4))
        .then(Tanh)
        .then(Residual::new(Sequential::new().then(Linear::new(4, 4).without_bias())))
        .then(Linear::new(4, 2));
    let mut network = Network::<f64>::new(other).unwrap();
    let before = network.params().to_vec();
    let file = model::<f64>().to_tensors().unwrap();
    let problem = Loader::new().weights_from(&file, &mut network).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "the file does not fit the network: missing: `3.weight`, `3.bias`; unexpected: `2.body.0.bias`, `4.weight`; \
         wrong shape: `0.weight` should be (4, 3), is (5, 3), `0.bias` should be (4), is (5), \
         `2.body.0.weight` should be (4, 4), is (5, 5)"
    );
    assert_eq!(network.params(), before);
    let mut network = Network::<f64>::new(layers()).unwrap();
    Loader::new().weights_from(&file, &mut network).unwrap();
    assert_eq!(network.params(), model::<f64>().network().params());
}

#[test]
fn another_order_of_the_numbers_is_refused() {
    let problem = with_description(|d| d["weights"] = json!("inputs x outputs, row-major")).unwrap_err();
    let FileProblem::WeightLayout { got, .. } = &problem else { panic!("{problem}") };
    assert_eq!(got, "inputs x outputs, row-major");
    // Weights alone are not taken, either.
    let mut file = model::<f64>().to_tensors().unwrap();
    let marked = file.metadata("geartrain").unwrap().replace("row-major", "column-major");
    file.set_metadata("geartrain", marked);
    let mut network = Network::<f64>::new(layers()).unwrap();
    let problem = Loader::new().weights_from(&file, &mut network).unwrap_err();
    assert!(matches!(problem, FileProblem::WeightLayout { .. }), "{problem}");
}

#[test]
fn numbers_are_converted_only_when_asked() {
    let file = model::<f64>().to_tensors().unwrap();
    let problem = Loader::new().predictor_from::<f32>(&file).unwrap_err();
    let FileProblem::Mismatch(mismatch) = &problem else { panic!("{problem}") };
    assert_eq!(mismatch.types.len(), 5);
    assert!(problem.to_string().contains("`0.weight` should be F32, is F64"), "{problem}");
    let rounded = Loader::new().convert().predictor_from::<f32>(&file).unwrap();
    let expected: Vec<f32> = model::<f64>().network().params().iter().map(|&p| p as f32).collect();
    assert_eq!(rounded.network().params(), expected);

    for (dtype, bits, value) in [("F16", 0xc100_u16, -2.5), ("BF16", 0xc020, -2.5)] {
        let header = format!(r#"{{"weight":{{"dtype":"{dtype}","shape":[1,1],"data_offsets":[0,2]}}}}"#);
        let mut bytes = raw(&header, 0);
        bytes.extend(bits.to_le_bytes());
        let file = TensorFile::parse(&bytes).unwrap();
        let mut network = Network::<f32>::new(Linear::new(1, 1).without_bias()).unwrap();
        assert!(Loader::new().weights_from(&file, &mut network).is_err());
        Loader::new().convert().weights_from(&file, &mut network).unwrap();
        assert_eq!(network.params(), [value]);
    }
    let header = r#"{"weight":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]}}"#;
    let mut network = Network::<f32>::new(Linear::new(1, 1).without_bias()).unwrap();
    let file = TensorFile::parse(&raw(header, 8)).unwrap();
    let problem = Loader::new().convert().weights_from(&file, &mut network).unwrap_err();
    assert!(problem.to_string().contains("should be F32, is I64"), "{problem}");
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    for (value, shown) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
        let mut network = Network::<f64>::new(layers()).unwrap();
        network.param_mut("2.body.0.weight").unwrap()[[3, 1]] = value;
        let file = Predictor::new(network.clone()).to_tensors().unwrap();
        let problem = Loader::new().predictor_from::<f64>(&file).unwrap_err().to_string();
        assert!(problem.starts_with(&format!("`2.body.0.weight` at [3, 1] is {shown}")), "{problem}");
        let before = Network::<f64>::new(layers()).unwrap().with_seed(9);
        let mut target = before.clone();
        assert!(Loader::new().weights_from(&file, &mut target).is_err());
        assert_eq!(target.params(), before.params());
        let loaded = Loader::new().allow_non_finite().predictor_from::<f64>(&file).unwrap();
        assert_eq!(loaded.network().param("2.body.0.weight").unwrap()[[3, 1]].to_bits(), value.to_bits());
    }
    // A number that f32 cannot hold becomes infinite when it is rounded.
    let mut network = Network::<f64>::new(layers()).unwrap();
    network.param_mut("0.bias").unwrap()[[2]] = 1e300;
    let file = Predictor::new(network).to_tensors().unwrap();
    let problem = Loader::new().convert().predictor_from::<f32>(&file).unwrap_err().to_string();
    assert!(problem.starts_with("`0.bias` at [2] is inf"), "{problem}");
}

#[test]
fn a_newer_version_is_named() {
    let newer = |d: &mut Value| *d = json!({"version": 3, "whatever": ["a newer version", "may say"]});
    let problem = with_description(newer).unwrap_err().to_string();
    assert_eq!(problem, "the file has format version 3, but this version of geartrain reads up to 2");
}

#[test]
fn descriptions_that_cannot_be_are_refused() {
    let linear = |inputs, outputs| json!({"Linear": {"inputs": inputs, "outputs": outputs, "bias": true}});
    let nested = (0..200).fold(json!("Tanh"), |layer, _| json!({"Sequential": {"layers": [layer]}}));
    for (what, key, value) in [
        ("unknown layer", "architecture", json!("Convolution")),
        ("unknown option", "architecture", json!({"Tanh": {"speed": 2}})),
        ("another unknown option", "architecture", json!({"Sequential": {"layers": [], "speed": 2}})),
        ("nested too deeply", "architecture", nested),
        (
            "residual that changes the width",
            "architecture",
            json!({"Residual": {"scale": 1.0, "body": [linear(3, 4)]}}),
        ),
        ("size of 0", "architecture", linear(3, 0)),
        ("negative size", "architecture", linear(3, -1)),
        ("scale of other columns", "x_scale", json!({"mean": [0.0], "std": [1.0], "constant": []})),
        ("std of 0", "y_scale", json!({"mean": [0.0, 0.0], "std": [1.0, 0.0], "constant": []})),
        ("std missing", "y_scale", json!({"mean": [0.0, 0.0], "std": [1.0], "constant": []})),
        (
            "no such constant column",
            "y_scale",
            json!({"mean": [0.0, 0.0], "std": [1.0, 1.0], "constant": [2]}),
        ),
        ("null", "x_scale", json!({"mean": [null, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "constant": []})),
        ("names", "feature_names", json!(["a"])),
        ("version", "version", json!("1")),
        ("unknown key", "colour", json!("red")),
    ] {
        let problem = with_description(|d| d[key] = value).unwrap_err();
        assert!(matches!(problem, FileProblem::Description { .. }), "{what}: {problem}");
    }
    assert!(with_description(|_| ()).is_ok());
}

#[test]
fn layers_nested_too_deeply_to_be_read_are_not_written() {
    let nested =
        |depth: usize| (0..depth).fold(Sequential::<f32>::new(), |inner, _| Sequential::new().then(inner));
    let network = |depth| Network::with_inputs(nested(depth), 1).unwrap();
    assert!(Predictor::new(network(30)).to_tensors().is_ok());
    assert!(Predictor::new(network(100)).to_tensors().is_err());
}

#[test]
fn a_pickle_gets_advice() {
    // The first bytes of files of torch.save: since 1.6, and before.
    let zip =
        b"PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00model/data.pkl";
    let pickle = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    for bytes in [&zip[..], &pickle[..]] {
        let problem = refused(bytes);
        assert!(matches!(problem, FileProblem::Pickle), "{problem}");
        assert!(problem.to_string().contains("save as safetensors"), "{problem}");
    }
}

#[test]
fn folders_and_missing_files_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let error = TensorFile::open(folder.path()).unwrap_err();
    assert!(matches!(error.problem, FileProblem::NotAFile), "{error}");
    let error = Predictor::<f32>::load(folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("none: cannot open: "), "{error}");
    assert!(matches!(TensorFile::open("/dev/zero").unwrap_err().problem, FileProblem::NotAFile));
}

/// A layer of a user's own: y = x + shift, whose parameter has any name.
#[derive(Debug)]
struct Shift(String);

impl<F: Scalar> Layer<F> for Shift {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        Ok(inputs)
    }
    fn describe(&self) -> Description<'_, F> {
        Description::opaque::<Self>().params([ParamSpec::new(self.0.clone(), &[1], Init::constant(0.5))])
    }
    fn forward(&self, Forward { params, x, mut y, .. }: Forward<'_, F>) {
        y.assign(&x.mapv(|x| x + params[0]));
    }
    fn backward(&self, Backward { dy, grads, dx, .. }: Backward<'_, F>) {
        grads[0] = dy.sum();
        dx.into_iter().for_each(|mut dx| dx.assign(&dy));
    }
}

#[test]
fn names_are_only_names() {
    let long = "n".repeat(10_000);
    for name in ["../../etc/x", "/", "..", "a/b", "größe 🙂\0\n\"", "", "geartrain", &long] {
        let mut network = Network::<f64>::with_inputs(Shift(name.into()), 2).unwrap();
        network.params_mut()[0] = 7.0;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        network.save(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut other = Network::<f64>::with_inputs(Shift(name.into()), 2).unwrap();
        other.load_weights(&path).unwrap();
        assert_eq!(other.params(), [7.0], "{name}");
    }
    let network = Network::<f64>::with_inputs(Shift("__metadata__".into()), 2).unwrap();
    let problem = Predictor::new(network).to_tensors().unwrap_err().to_string();
    assert_eq!(problem, "no tensor can have the name `__metadata__` in a safetensors file");
}

#[test]
fn one_name_for_two_tensors_is_refused() {
    let mut file = TensorFile::new();
    file.insert("w", array![1.0_f32].view().into_dyn()).unwrap();
    let problem = file.insert("w", array![2.0_f64].view().into_dyn()).unwrap_err();
    assert_eq!(problem.to_string(), "the name `w` occurs twice");
}

#[test]
fn a_layer_of_a_users_own_is_saved_without_its_architecture() {
    let network =
        || Network::<f64>::with_inputs(Sequential::new().then(Tanh).then(Shift("by".into())), 2).unwrap();
    let file = Predictor::new(network().with_seed(3)).to_tensors().unwrap();
    let problem = Loader::new().predictor_from::<f64>(&file).unwrap_err();
    assert!(problem.to_string().contains("use `load_weights`"), "{problem}");
    Loader::new().weights_from(&file, &mut network()).unwrap();
}

#[test]
fn pytorchs_counter_of_batches_is_passed_over_only_where_it_belongs() {
    let mut file = Predictor::new(Network::<f64>::new(Linear::new(1, 1)).unwrap()).to_tensors().unwrap();
    file.insert("num_batches_tracked", array![3.0].view().into_dyn()).unwrap();
    let problem = Loader::new().predictor_from::<f64>(&file).unwrap_err().to_string();
    assert!(problem.ends_with("unexpected: `num_batches_tracked`"), "{problem}");
}

#[test]
fn tensors_of_both_types_share_a_file() {
    let mut file = TensorFile::new();
    file.insert("model.a", array![[1.0_f32, 2.0, 3.0]].view().into_dyn()).unwrap();
    file.insert("state.b", array![0.1_f64, f64::MIN_POSITIVE].view().into_dyn()).unwrap();
    file.insert("state.number", ndarray::arr0(4.5_f64).view().into_dyn()).unwrap();
    file.set_metadata("note", "both");
    let mut file = TensorFile::parse(&file.to_bytes().unwrap()).unwrap();
    assert_eq!(file.metadata("note"), Some("both"));
    let state = file.split_off("state.");
    assert_eq!((file.names().collect(), state.names().collect()), (vec!["model.a"], vec!["b", "number"]));
    assert_eq!(state.get::<f64>("b").unwrap(), array![0.1, f64::MIN_POSITIVE].into_dyn());
    assert_eq!(state.get::<f64>("number").unwrap(), ndarray::arr0(4.5).into_dyn());
    assert!(matches!(state.get::<f32>("b"), Err(FileProblem::Mismatch(_))));
    let problem = state.get::<f64>("c").unwrap_err().to_string();
    assert_eq!(problem, "there is no tensor `c`; the tensors are b, number");
}

/// One of each kind, three features wide.
fn every_kind<F: Scalar>() -> Vec<Sequential<F>> {
    let one = Sequential::new;
    vec![
        one(),
        one().then(Linear::new(3, 3)),
        one().then(Linear::new(3, 3).without_bias()),
        one().then(Sigmoid),
        one().then(Tanh),
        one().then(ReLU),
        one().then(LeakyReLU::new(0.3)),
        one().then(ELU::new(0.7)),
        one().then(SELU),
        one().then(GELU),
        one().then(GELUTanh),
        one().then(SiLU),
        one().then(Softplus),
        one().then(Identity),
        one().then(Softmax),
        one().then(LayerNorm::new(3).eps(0.1)),
        one().then(RMSNorm::new(3)),
        one().then(RMSNorm::new(3).eps(0.1)),
        one().then(BatchNorm::new(3).eps(0.1).momentum(0.3)),
        one().then(Dropout::new(0.3)),
        one().then(Residual::new(one().then(Linear::new(3, 3))).scale(1.0 / 3.0)),
        one().then(one().then(Tanh)).then(Linear::new(3, 3)),
    ]
}

fn every_kind_comes_back<F: Scalar>() {
    let x = Array2::from_shape_fn((4, 3), |(r, c)| F::of(r as f64 - 1.3 * c as f64));
    for layers in every_kind::<F>() {
        let mut network = Network::with_inputs(layers, 3).unwrap().with_seed(8);
        network.params_mut().iter_mut().for_each(|p| *p += F::of(0.1));
        let loaded =
            Loader::new().predictor_from::<F>(&Predictor::new(network.clone()).to_tensors().unwrap());
        let loaded = loaded.unwrap().into_network();
        assert_eq!(LayerSpec::of(loaded.layer()), LayerSpec::of(network.layer()));
        // Options that matter in training alone are kept as well.
        let pass = |network: &Network<F>| network.loss_and_gradients(&MeanSquaredError, &x, &x).unwrap();
        let (before, after) = (pass(&network), pass(&loaded));
        assert_eq!(loaded.predict(&x).unwrap(), network.predict(&x).unwrap(), "{network:?}");
        assert_eq!((before.output, before.grads), (after.output, after.grads), "{network:?}");
    }
}

#[test]
fn a_layer_of_every_kind_comes_back() {
    every_kind_comes_back::<f32>();
    every_kind_comes_back::<f64>();
}

/// A container with children of other names than those of `Sequential`.
#[derive(Debug)]
struct Encoder(Arc<dyn Layer<f64>>, &'static str);

impl Layer<f64> for Encoder {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        self.0.output_features(inputs)
    }

    fn describe(&self) -> Description<'_, f64> {
        Description::named("Encoder").kind(Kind::Sequential).child(self.1, &self.0)
    }

    fn forward(&self, pass: Forward<'_, f64>) {
        self.0.forward(pass);
    }

    fn backward(&self, pass: Backward<'_, f64>) {
        self.0.backward(pass);
    }
}

#[test]
fn a_container_with_names_of_its_own_is_no_sequential() {
    let encoder = |name| Encoder(Arc::new(Linear::new(1, 2)), name);
    assert_eq!(LayerSpec::of(&encoder("encoder")), None);
    let layers = vec![LayerSpec::of::<f64>(&Linear::new(1, 2)).unwrap()];
    assert_eq!(LayerSpec::of(&encoder("0")), Some(LayerSpec::Sequential { layers }));
}

#[test]
fn every_layer_is_data() {
    let spec = LayerSpec::of(&layers::<f64>()).unwrap();
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<LayerSpec>(&json).unwrap(), spec);
    assert_eq!(LayerSpec::of(&*spec.build::<f32>()), Some(spec));
    let custom = Sequential::<f64>::new().then(Residual::new(Sequential::new().then(Shift("s".into()))));
    assert_eq!(LayerSpec::of(&custom), None);
}

#[test]
fn a_scale_survives_its_text() {
    let data = toy::sine::<f64>(50, 0.3, 4).unwrap();
    let constant = ndarray::concatenate![ndarray::Axis(1), data.x().view(), Array2::from_elem((50, 1), 0.1)];
    let scale = StandardScaler::fit(&constant).unwrap();
    let json = serde_json::to_string(&scale).unwrap();
    assert_eq!(serde_json::from_str::<StandardScaler>(&json).unwrap(), scale);
}
