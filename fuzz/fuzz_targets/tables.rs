#![no_main]
//! Bytes to a table, an encoder of its first half, and the encoding of all rows.

use geartrain_tables::{Encoder, EncoderOptions, Scaling, Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let Ok(table) = Table::parse_csv(bytes) else { return };
    let scaling = [Scaling::Clipped, Scaling::Robust, Scaling::Standard][usize::from(choice % 3)];
    let options = EncoderOptions::new().scaling(scaling).bins(usize::from(choice >> 2 & 7)).rare_below(2);
    let half: Vec<usize> = (0..table.rows().div_ceil(2)).collect();
    let Ok(encoder) = Encoder::fit(&table.select(&half), &options) else { return };
    let x = encoder.transform(&table).expect("the types are those of the fit");
    assert_eq!(x.dim(), (table.rows(), encoder.width()));
    assert!(x.iter().all(|x| x.is_finite()));
    assert_eq!(encoder.names().len(), encoder.width());
    let json = serde_json::to_string(&encoder).expect("an encoder is data");
    let read: Encoder = serde_json::from_str(&json).expect("as it was written");
    assert_eq!(read.transform(&table).expect("the same encoder"), x);
});
