//! The encoder: training rows only, any order, unseen levels.

use geartrain_tables::{Column, ColumnType, Encoder, EncoderOptions, Table};
use ndarray::{Axis, array};

/// 40 rows with numbers, gaps, levels and dates; the last 10 are out of range and hold levels of
/// their own.
fn text() -> String {
    let mut text = String::from("size,colour,day\n");
    for i in 0..40 {
        let size = if i % 7 == 0 { String::new() } else { format!("{}", (i * 37 % 30) as f64 / 4.0) };
        let colour = ["red", "green", "blue", ""][i % 4];
        match i {
            0..30 => text += &format!("{size},{colour},2024-01-{:02}\n", 1 + i % 28),
            _ => text += &format!("{}.5,violet{},2031-07-{:02}\n", 1000 + i, i % 2, i - 20),
        }
    }
    text
}

fn table() -> Table {
    Table::parse_csv(text().as_bytes()).unwrap()
}

#[test]
fn only_training_rows_count() {
    let all = table();
    let rows: Vec<usize> = (0..30).collect();
    let encoder = Encoder::fit(&all.select(&rows), &EncoderOptions::new()).unwrap();
    // A file that ends after the training rows.
    let lines: Vec<String> = text().lines().take(31).map(String::from).collect();
    let alone = Table::parse_csv(lines.join("\n").as_bytes()).unwrap();
    assert_eq!(encoder, Encoder::fit(&alone, &EncoderOptions::new()).unwrap());
    // The test rows would change median, quantiles and levels.
    let leaking = Encoder::fit(&all, &EncoderOptions::new()).unwrap();
    assert_ne!(encoder, leaking);
    assert!(!encoder.names().iter().any(|name| name.contains("violet")), "{:?}", encoder.names());
    assert!(leaking.names().iter().any(|name| name.contains("violet")), "{:?}", leaking.names());
}

#[test]
fn order_of_rows_and_columns_does_not_matter() {
    let table = table();
    let encoder = Encoder::fit(&table, &EncoderOptions::new()).unwrap();
    let mut order: Vec<usize> = (0..table.rows()).rev().collect();
    order.swap(3, 20);
    let rows = table.select(&order);
    assert_eq!(encoder, Encoder::fit(&rows, &EncoderOptions::new()).unwrap());
    let x = encoder.transform(&table).unwrap();
    assert_eq!(encoder.transform(&rows).unwrap(), x.select(Axis(0), &order));
    let columns = Table::new(["day", "size", "colour"].map(|n| table.column(n).unwrap().clone())).unwrap();
    assert_eq!(encoder.transform(&columns).unwrap(), x);
    assert_eq!(encoder, Encoder::fit(&columns, &EncoderOptions::new()).unwrap());
}

#[test]
fn an_encoder_in_json_is_the_same_encoder() {
    let table = table();
    let encoder = Encoder::fit(&table, &EncoderOptions::new()).unwrap();
    let json = serde_json::to_string(&encoder).unwrap();
    let read: Encoder = serde_json::from_str(&json).unwrap();
    assert_eq!(read, encoder);
    assert_eq!(read.transform(&table).unwrap(), encoder.transform(&table).unwrap());
}

#[test]
fn missing_rare_and_unseen_levels() {
    let train = Table::parse_csv(b"c\na\na\na\nb\nb\nb\nc\nd\n\"\"\n\"\"\n\"\"\n").unwrap();
    let encoder = Encoder::fit(&train, &EncoderOptions::new()).unwrap();
    assert_eq!(encoder.names(), ["c=a", "c=b", "c=(missing)", "c=(rare)"]);
    let new = Table::parse_csv(b"c\nb\nd\nunseen\n\"\"\n").unwrap();
    let expected =
        array![[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]];
    assert_eq!(encoder.transform(&new).unwrap(), expected);
    // Without rare levels, an unseen one is all zeros.
    let encoder = Encoder::fit(&train, &EncoderOptions::new().rare_below(1)).unwrap();
    assert_eq!(encoder.width(), 5);
    assert_eq!(encoder.transform(&new).unwrap().row(2), array![0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn gaps_in_a_column_that_had_none_are_encoded_as_the_mean() {
    let numbers: String = (0..40).map(|i| format!("{},2024-01-{:02}\n", i % 20, 1 + i % 20)).collect();
    let train = Table::parse_csv(format!("x,day\n{numbers}").as_bytes()).unwrap();
    let encoder = Encoder::fit(&train, &EncoderOptions::new()).unwrap();
    // Means of training: 9.5, and the middle of 10 January; parts of dates have means of their own.
    let new = Table::parse_csv(b"x,day\n,\n9.5,\n9.5,2024-01-10 12:00\n").unwrap();
    let encoded = encoder.transform(&new).unwrap();
    for (column, name) in encoder.names().iter().enumerate() {
        let difference = |a: usize, b: usize| (encoded[[a, column]] - encoded[[b, column]]).abs();
        assert!(difference(0, 1) < 1e-6, "{name}");
        // The means of the weekdays and of the days of the month are no whole numbers.
        let has_fraction = name.contains("weekday") || name.contains("of month");
        assert!(has_fraction || difference(1, 2) < 1e-6, "{name}");
    }
    // A gap that training has seen is none of the numbers.
    let train = Table::parse_csv(format!("x,day\n,\n{numbers}").as_bytes()).unwrap();
    let encoder = Encoder::fit(&train, &EncoderOptions::new()).unwrap();
    let encoded = encoder.transform(&new).unwrap();
    for (column, name) in encoder.names().iter().enumerate() {
        let expected = if name.ends_with("(missing)") { 1.0 } else { 0.0 };
        assert_eq!(encoded[[0, column]], expected, "{name}");
    }
}

#[test]
fn numbers_as_categories_are_their_shortest_text() {
    let options = EncoderOptions::new().rare_below(1);
    let train = Table::parse_csv(b"c\n1\n2.0\n-0\n").unwrap().with_type("c", ColumnType::Category).unwrap();
    let encoder = Encoder::fit(&train, &options).unwrap();
    assert_eq!(encoder.names(), ["c=0", "c=1", "c=2"]);
    let same = Table::new([Column::texts("c", ["2", "0", "3"].map(Some)).unwrap()]).unwrap();
    assert_eq!(encoder.transform(&same).unwrap(), array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
}

#[test]
fn yes_and_no_in_any_case() {
    let train = Table::parse_csv(b"c\nYes\nno\ny\nFALSE\nyes\nNo\n").unwrap();
    let encoder = Encoder::fit(&train, &EncoderOptions::new()).unwrap();
    assert_eq!(encoder.names(), ["c=yes"]);
    let new = Table::parse_csv(b"c\nTRUE\nn\n\"\"\n").unwrap();
    assert_eq!(encoder.transform(&new).unwrap(), array![[1.0], [-1.0], [0.0]]);
    let error = encoder.transform(&Table::parse_csv(b"c\nyes\nmaybe\n").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "column `c` must be a yes/no: row 2 (from 1) holds `maybe`");
}

#[test]
fn dates_become_a_day_number_and_parts() {
    let days = (0..60).map(|i| format!("2024-{:02}-{:02} {:02}:30\n", 1 + i % 12, 1 + i % 28, i % 24));
    let train = Table::parse_csv(format!("d\n{}", days.collect::<String>()).as_bytes()).unwrap();
    let encoder = Encoder::fit(&train, &EncoderOptions::new().bins(0)).unwrap();
    assert_eq!(encoder.names(), ["d.day", "d.month", "d.day of month", "d.weekday", "d.hour"]);
    assert!(encoder.to_string().contains("day, month, day of month, weekday, hour: 5 columns"), "{encoder}");
}

#[test]
fn columns_that_do_not_fit_are_named() {
    let encoder = Encoder::fit(&table(), &EncoderOptions::new()).unwrap();
    let message =
        |text: &str| encoder.transform(&Table::parse_csv(text.as_bytes()).unwrap()).unwrap_err().to_string();
    let missing = message("size,day\n1,2024-01-01\n");
    assert_eq!(missing, "there is no column `colour`; the columns are `size`, `day`");
    let text = message("size,colour,day\n1,red,2024-01-01\nbig,red,2024-01-01\n");
    assert_eq!(text, "column `size` must be a number: row 2 (from 1) holds `big`");
    let number = message("size,colour,day\n1,red,20240101\n");
    assert_eq!(number, "column `day` must be a date: row 1 (from 1) holds `20240101`");
}

#[test]
fn the_number_of_bins_follows_the_number_of_columns() {
    let column = |c: usize| {
        Column::numbers(format!("x{c}"), (0..50).map(|i| ((i * 17 + c) % 50 * 3) as f64).collect()).unwrap()
    };
    let width = |columns: usize| {
        let table = Table::new((0..columns).map(column)).unwrap();
        Encoder::fit(&table, &EncoderOptions::new()).unwrap().width() / columns
    };
    assert_eq!([1, 16, 48, 500].map(width), [17, 17, 6, 3]);
}
