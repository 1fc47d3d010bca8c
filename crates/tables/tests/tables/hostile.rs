//! Tables that no model was made for: errors, not panics, and bounded memory.

use geartrain_tables::{
    Column, ColumnType, CsvOptions, Encoder, EncoderOptions, Error, Table, TabularClassifier,
    TabularRegressor,
};
use proptest::prelude::*;

/// Fits and applies an encoder, and checks that every number is finite.
fn encode(table: &Table) -> Result<usize, Error> {
    let encoder = Encoder::fit(table, &EncoderOptions::new())?;
    let x = encoder.transform(table)?;
    assert_eq!(x.dim(), (table.rows(), encoder.width()));
    assert!(x.iter().all(|x| x.is_finite()));
    Ok(encoder.width())
}

#[test]
fn a_million_levels() {
    let texts = (0..1_000_000).map(|i| Some(format!("level {i}")));
    let column = Column::texts("c", texts).unwrap();
    assert_eq!(column.column_type(), ColumnType::Identifier);
    let table =
        Table::new([column, Column::numbers("x", (0..1_000_000).map(|i| (i % 9) as f64).collect()).unwrap()]);
    let table = table.unwrap();
    assert_eq!(encode(&table.clone().without("c").unwrap()).unwrap(), 9);
    // All of them are rare: one slot, which is constant.
    let table = table.with_type("c", ColumnType::Category).unwrap();
    let encoder = Encoder::fit(&table, &EncoderOptions::new()).unwrap();
    assert_eq!((encoder.width(), encoder.left_out().len()), (9, 1));
}

#[test]
fn many_frequent_levels_have_a_bounded_width() {
    // Level i is in 3 or, below 400, in 6 rows.
    let texts =
        (0..3000).flat_map(|i| (0..if i < 400 { 6 } else { 3 }).map(move |_| Some(format!("level {i}"))));
    let table = Table::new([Column::texts("c", texts).unwrap()]).unwrap();
    assert_eq!(encode(&table).unwrap(), 401);
}

#[test]
fn nothing_to_learn_from() {
    for text in ["", "a\n", "a,b\n,\n,\n", "a,b\n1,x\n1,x\n", "a\n5\n"] {
        let error = encode(&Table::parse_csv(text.as_bytes()).unwrap()).unwrap_err();
        assert!(matches!(error, Error::NoData { .. }), "{text:?}: {error}");
    }
}

#[test]
fn one_row() {
    let table = Table::parse_csv(b"a,b,y\n1,x,3\n").unwrap();
    let error = TabularRegressor::recipe().fit(&table, "y").unwrap_err();
    assert_eq!(
        error.to_string(),
        "encoder: no column to learn from: `a` (always 1: left out), `b` (always `x`: left out)"
    );
    let two = Table::parse_csv(b"a,b,y\n1,x,3\n2,x,4\n").unwrap();
    let model = TabularRegressor::recipe().ensemble(2).epochs(2).fit(&two, "y").unwrap();
    let y = model.predict(&table).unwrap()[(0, 0)];
    assert!((3.0..=4.0).contains(&y), "{y}");
}

#[test]
fn targets_that_cannot_be_learned() {
    let table = Table::parse_csv(b"a,text,none,same\n1,x,,5\n2,y,,5\n3,z,,5\n").unwrap();
    let regress = |target: &str| TabularRegressor::recipe().epochs(2).fit(&table, target);
    assert_eq!(
        regress("text").unwrap_err().to_string(),
        "column `text` must be a number: row 1 (from 1) holds `x`"
    );
    assert_eq!(regress("none").unwrap_err().to_string(), "fit: no row has a value in `none`");
    assert!(matches!(regress("absent"), Err(Error::MissingColumn { .. })));
    assert_eq!(regress("same").unwrap().predict(&table).unwrap()[(0, 0)], 5.0);
    let error = TabularClassifier::recipe().fit(&table, "same").unwrap_err();
    assert_eq!(error.to_string(), "number of classes must be from 2 to 10,000, got 1 in column `same`");
    let huge = Table::parse_csv(b"a,y\n1,1e300\n2,2\n").unwrap();
    assert!(matches!(TabularRegressor::recipe().fit(&huge, "y"), Err(Error::Value { row: 1, .. })));
}

#[test]
fn huge_and_tiny_numbers_are_encoded() {
    let values = vec![f64::MAX, -f64::MAX, 1e-320, 0.0, -1e-320, 1e300, 1.0, f64::NAN, 3.0];
    let table = Table::new([Column::numbers("a", values).unwrap()]).unwrap();
    assert!(encode(&table).unwrap() > 3);
}

#[test]
fn numbers_as_text_and_mixed_columns_are_categories() {
    let text: String =
        (0..30).map(|i| if i == 20 { "many\n".into() } else { format!("{}\n", i % 3) }).collect();
    let table = Table::parse_csv(format!("mixed\n{text}").as_bytes()).unwrap();
    assert_eq!(encode(&table).unwrap(), 4);
    assert!(table.to_string().contains("text because row 21 holds `many`"), "{table}");
}

#[test]
fn a_long_cell_is_shortened_in_messages() {
    let text = format!("a,b\n1,2\n{},3\n", "x".repeat(100_000));
    let error = CsvOptions::new().column_type("a", ColumnType::Number).parse(text.as_bytes()).unwrap_err();
    assert!(error.to_string().len() < 200, "{}", error.to_string().len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(table) = Table::parse_csv(&bytes) {
            let _ = encode(&table);
        }
    }

    #[test]
    fn any_cells(cells in prop::collection::vec(
        prop::sample::select(vec![
            "", "1", "-2.5", "1e308", "-1e308", "yes", "NO", "2024-02-29", "x", "NA", "\"a,b\"", "1e-310", "007",
        ]),
        6..90,
    )) {
        let lines: Vec<String> = cells.chunks_exact(3).map(|row| row.join(",")).collect();
        let table = Table::parse_csv(format!("a,b,c\n{}\n", lines.join("\n")).as_bytes()).unwrap();
        prop_assert_eq!(table.rows(), lines.len());
        let _ = encode(&table);
        // Fitted on the first half, which the other rows must not change, in any order.
        let half: Vec<usize> = (0..table.rows().div_ceil(2)).collect();
        let Ok(encoder) = Encoder::fit(&table.select(&half), &EncoderOptions::new()) else { return Ok(()) };
        let backwards: Vec<usize> = half.iter().rev().copied().collect();
        let columns = ["c", "a", "b"].map(|name| table.column(name).unwrap().clone());
        let mixed = Table::new(columns).unwrap().select(&backwards);
        prop_assert_eq!(&Encoder::fit(&mixed, &EncoderOptions::new()).unwrap(), &encoder);
        let x = encoder.transform(&table).unwrap();
        prop_assert!(x.iter().all(|x| x.is_finite()));
        let y = encoder.transform(&mixed).unwrap();
        prop_assert_eq!(y, x.select(ndarray::Axis(0), &backwards));
        let json = serde_json::to_string(&encoder).unwrap();
        let read: Encoder = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(read.transform(&table).unwrap(), x);
    }
}
