//! No bytes make a reader panic: random ones, random headers, flipped bits, and files cut off
//! anywhere.

use geartrain::data::{Csv, StandardScaler};
use geartrain::io::{FileProblem, Loader, TensorFile};
use geartrain::layers::BatchNorm;
use geartrain::prelude::*;
use ndarray::array;
use proptest::prelude::*;

fn model() -> Vec<u8> {
    let layers =
        Sequential::<f32>::new().then(Linear::new(2, 3)).then(BatchNorm::new(3)).then(Linear::new(3, 1));
    let scale = StandardScaler::fit(&array![[1.0, 2.0], [3.0, 5.0]]).unwrap();
    let model = Predictor::new(Network::new(layers).unwrap()).with_x_scale(scale).unwrap();
    model.to_tensors().unwrap().to_bytes().unwrap()
}

/// Goes as far as a loaded file can go: to a prediction, or to an error.
fn load(bytes: &[u8]) -> Result<(), FileProblem> {
    let file = TensorFile::parse(bytes)?;
    // What was read can be written and read again.
    assert_eq!(TensorFile::parse(&file.to_bytes()?)?, file);
    for name in file.names() {
        let _ = (file.get::<f32>(name), file.get_rounded::<f64>(name));
    }
    let model = Loader::new().convert().allow_non_finite().predictor_from::<f64>(&file)?;
    if model.network().inputs() == 2 {
        let _ = model.predict(&array![[1.0, -1e300], [0.0, 2.0]]);
    }
    Ok(())
}

/// A header that is nearly right, most often.
fn header() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just("0".to_string()),
        "[0-9]{1,2}",
        Just("18446744073709551615".into()),
        "-?[0-9.e]{1,5}"
    ];
    let shape =
        prop::collection::vec(number.clone(), 0..3).prop_map(|sizes| format!("[{}]", sizes.join(",")));
    let dtype =
        prop_oneof![Just("F32"), Just("F64"), Just("BF16"), Just("I64"), Just("BOOL"), Just("F4"), Just("X")];
    let entry = ("[ab]|__metadata__", dtype, shape, number.clone(), number).prop_map(
        |(name, dtype, shape, from, to)| {
            format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
        },
    );
    prop::collection::vec(entry, 0..4).prop_map(|entries| format!("{{{}}}", entries.join(",")))
}

fn with_length(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0x42; data]].concat()
}

proptest! {
    #[test]
    fn any_bytes_are_a_model_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = load(&bytes);
        let _ = load(&[&(bytes.len() as u64).to_le_bytes()[..], &bytes].concat());
    }

    #[test]
    fn any_header_is_a_model_or_an_error(header in header(), data in 0_usize..40) {
        let _ = load(&with_length(&header, data));
    }

    #[test]
    fn any_description_is_a_model_or_an_error(text in ".{0,60}", cut in 0_usize..400) {
        let mut file = TensorFile::parse(&model()).unwrap();
        let mut description: String = file.metadata("geartrain").unwrap().to_string();
        let at = description.char_indices().map(|(i, _)| i).nth(cut % description.len()).unwrap_or(0);
        description.insert_str(at, &text);
        file.set_metadata("geartrain", description);
        let _ = load(&file.to_bytes().unwrap());
    }

    #[test]
    fn flipped_bits_are_a_model_or_an_error(flips in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let mut bytes = model();
        for flip in flips {
            let bit = flip.index(8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let _ = load(&bytes);
    }

    #[test]
    fn any_bytes_are_a_table_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Csv::new("y").read::<f32>(&bytes[..], "bytes");
    }

    #[test]
    fn any_text_is_a_table_or_an_error(text in "x,y\n[0-9,.\"\n\r eEnaN-]{0,100}") {
        let _ = Csv::new("y").read::<f64>(text.as_bytes(), "text");
    }
}

#[test]
fn every_single_flipped_bit_is_a_model_or_an_error() {
    let bytes = model();
    assert!(load(&bytes).is_ok());
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let _ = load(&flipped);
    }
}

#[cfg(feature = "npy")]
mod numpy {
    use super::*;
    use geartrain::io::npy;

    fn arrays() -> TensorFile {
        let mut file = TensorFile::new();
        file.insert("a", array![[1.0_f32, 2.0, 3.0]].view().into_dyn()).unwrap();
        file.insert("b", array![4.0_f64, 5.0].view().into_dyn()).unwrap();
        file
    }

    fn header() -> impl Strategy<Value = String> {
        let descr = prop_oneof![Just("<f4"), Just(">f8"), Just("|b1"), Just("|O"), Just("<f3"), Just("")];
        let sizes = prop_oneof![
            "([0-9],? ?){0,4}",
            Just("18446744073709551615,0".into()),
            Just("9223372036854775807,2,0".into())
        ];
        (descr, any::<bool>(), sizes).prop_map(|(descr, fortran, sizes)| {
            let fortran = if fortran { "True" } else { "False" };
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({sizes}), }}\n")
        })
    }

    fn npy_file(header: &str, data: usize) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), &vec![0x42; data]].concat()
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_array_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = npy::parse::<f32>(&bytes);
            let _ = npy::parse::<f64>(&[&b"\x93NUMPY"[..], &bytes].concat());
            let _ = TensorFile::parse_npz(&bytes);
            let _ = TensorFile::parse_npz(&[&b"PK\x03\x04"[..], &bytes].concat());
        }

        #[test]
        fn any_header_is_an_array_or_an_error(header in header(), data in 0_usize..40) {
            let _ = npy::parse::<f64>(&npy_file(&header, data));
        }

        #[test]
        fn flipped_bits_are_an_archive_or_an_error(flips in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
            let mut bytes = arrays().to_npz().unwrap();
            for flip in flips {
                let bit = flip.index(8 * bytes.len());
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            let _ = TensorFile::parse_npz(&bytes);
        }
    }

    #[test]
    fn an_archive_comes_back_and_cut_off_it_is_refused() {
        let bytes = arrays().to_npz().unwrap();
        assert_eq!(TensorFile::parse_npz(&bytes).unwrap(), arrays());
        assert_eq!(arrays().to_npz().unwrap(), bytes);
        for end in 0..bytes.len() {
            assert!(TensorFile::parse_npz(&bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
        }
        let bytes = npy::to_bytes(array![[1.0_f32, 2.0, 3.0]].view().into_dyn());
        for end in 0..bytes.len() {
            assert!(npy::parse::<f32>(&bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
        }
        assert!(npy::parse::<f32>(&[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn an_array_of_python_2_and_several_arrays_in_one_file() {
        let array = npy::load::<f32>("tests/fixtures/trials/npy_L.npy").unwrap();
        assert_eq!(array, array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].into_dyn());
        let file = tempfile::NamedTempFile::new().unwrap();
        let first = npy::to_bytes(array![1.0_f64, 2.0].view().into_dyn());
        let second = npy::to_bytes(array![[3.0_f32]].view().into_dyn());
        std::fs::write(file.path(), [&first[..], &second].concat()).unwrap();
        let error = npy::load::<f64>(file.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("another array follows the first; save each to a file of its own, or read all with `npy::load_all`"),
            "{error}"
        );
        let arrays = npy::load_all::<f64>(file.path()).unwrap();
        assert_eq!(arrays, [array![1.0, 2.0].into_dyn(), array![[3.0]].into_dyn()]);
        std::fs::write(file.path(), [&first[..], b"x"].concat()).unwrap();
        assert!(npy::load_all::<f64>(file.path()).is_err());
    }

    #[test]
    fn an_array_that_claims_much_is_refused_before_memory_is_taken() {
        for sizes in
            ["1099511627776", "18446744073709551615", "4294967296, 4294967296", "9223372036854775807, 2, 0"]
        {
            let header = format!("{{'descr': '<f8', 'fortran_order': True, 'shape': ({sizes}), }}\n");
            for data in [0, 8] {
                let problem = npy::parse::<f64>(&npy_file(&header, data)).unwrap_err();
                assert!(matches!(problem, FileProblem::Format { .. }), "{sizes}: {problem}");
            }
        }
    }

    #[test]
    fn names_in_an_archive_are_only_names() {
        let mut file = TensorFile::new();
        for name in ["../../x", "/etc/y", "größe", "a b"] {
            file.insert(name, array![1.0_f32].view().into_dyn()).unwrap();
        }
        assert_eq!(TensorFile::parse_npz(&file.to_npz().unwrap()).unwrap(), file);
    }
}
