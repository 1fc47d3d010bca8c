#![no_main]
//! Bytes to an array, and bytes to an archive of arrays.

use geartrain::io::{TensorFile, npy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(array) = npy::parse::<f64>(bytes) {
        let again = npy::parse::<f64>(&npy::to_bytes(array.view())).unwrap();
        assert_eq!(again.shape(), array.shape());
    }
    if let Ok(file) = TensorFile::parse_npz(bytes) {
        assert_eq!(TensorFile::parse_npz(&file.to_npz().unwrap()).unwrap(), file);
    }
});
