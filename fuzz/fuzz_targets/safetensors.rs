#![no_main]
//! Bytes to tensors, and tensors to a model that predicts.

use geartrain::io::{TensorFile, Loader};
use geartrain::Predictor;
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;

fuzz_target!(|bytes: &[u8]| {
    // As it is, and as the header of a file without data.
    let header = [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat();
    for bytes in [bytes, &header] {
        let Ok(file) = TensorFile::parse(bytes) else { continue };
        assert_eq!(TensorFile::parse(&file.to_bytes().unwrap()).unwrap(), file);
        let loader = Loader::new().convert().allow_non_finite();
        let model: Result<Predictor<f64>, _> = loader.predictor_from(&file);
        if let Ok(model) = model
            && model.network().inputs() < 1000
        {
            let _ = model.predict(&Array2::<f64>::ones((2, model.network().inputs())));
            model.to_tensors().unwrap();
        }
    }
});
