#![no_main]
//! Bytes to a table. The first byte chooses how it is read.

use geartrain::data::{Csv, Missing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let missing = [Missing::Error, Missing::DropRows, Missing::Mean, Missing::Median];
    let csv = Csv::new("y").missing(missing[usize::from(choice & 3)]);
    let csv = if choice & 4 == 0 { csv } else { csv.delimiter(b';') };
    if let Ok(data) = csv.read::<f32>(bytes, "bytes") {
        assert!(data.rows() > 0 && data.check_finite().is_ok());
    }
});
