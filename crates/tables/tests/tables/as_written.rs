//! Files as people and programs write them: tables read whatever the trainer reads.

use geartrain::data::Csv;
use geartrain_tables::{ColumnType, CsvOptions, Table, TabularClassifier};

/// The cells of a table, row by row, as text; `?` for missing ones.
fn cells(table: &Table) -> Vec<Vec<String>> {
    let cell = |row| table.columns().map(move |column| column.text(row).unwrap_or("?".into())).collect();
    (0..table.rows()).map(cell).collect()
}

/// Reads `text` and compares its names and cells.
fn check(options: impl Into<CsvOptions>, text: &str, names: &[&str], expected: &[&[&str]]) {
    let table = options.into().parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(table.names(), names, "{text:?}");
    assert_eq!(cells(&table), expected, "{text:?}");
}

#[test]
fn lines_end_with_lf_crlf_or_cr() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["a,b", "1,x", "2,\"y z\"", ""].join(end);
        check(CsvOptions::new(), &text, &["a", "b"], &[&["1", "x"], &["2", "y z"]]);
    }
}

#[test]
fn blanks_before_quotes_and_around_cells() {
    check(CsvOptions::new(), "a, b\n 1 , \"x, y\"\n2,\t\"z\"\n", &["a", "b"], &[&["1", "x, y"], &["2", "z"]]);
}

#[test]
fn a_line_with_the_delimiter_and_comments_before_the_header() {
    check(CsvOptions::new(), "sep=;\na;b\n1;x,y,z\n", &["a", "b"], &[&["1", "x,y,z"]]);
    check(CsvOptions::new(), "# made by hand\n\na;b\n1;x\n", &["a", "b"], &[&["1", "x"]]);
    let csv = Csv::default().detect_delimiter().comment(b'%').skip_lines(1);
    check(csv, "a report, of 2024\na|b\n% half of it\n1|x\n", &["a", "b"], &[&["1", "x"]]);
}

#[test]
fn the_delimiter_is_found_in_the_header() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = ["a*b*c d", "1*2*x"].map(|line| line.replace('*', delimiter)).join("\n");
        check(CsvOptions::new(), &text, &["a", "b", "c d"], &[&["1", "2", "x"]]);
    }
    check(CsvOptions::new(), "a\n1\n", &["a"], &[&["1"]]);
    check(Csv::default().delimiter(b' '), "  a   b\n 1 \t x\n", &["a", "b"], &[&["1", "x"]]);
}

#[test]
fn numbers_with_commas_signs_and_every_minus() {
    let comma = Csv::default().detect_delimiter().decimal_comma(true).ignore_in_numbers(".€");
    check(comma, "a;b\n1.234,5 €;x\n-7,25;y\n", &["a", "b"], &[&["1234.5", "x"], &["-7.25", "y"]]);
    let thousands = Csv::default().ignore_in_numbers("$,");
    check(thousands, "a\n\"$1,234\"\n$5\n", &["a"], &[&["1234"], &["5"]]);
    check(CsvOptions::new(), "a\n\u{2212}2\n\u{2013}3.5\n", &["a"], &[&["-2"], &["-3.5"]]);
    // Without the options such a column is text, and says how to read it.
    check(CsvOptions::new(), "a;b\n1,5;1\n", &["a", "b"], &[&["1,5", "1"]]);
    for (cells, comma, ignored) in
        [("1,5\n2\n", true, ""), ("5%\n7 %\n\n", false, "%"), ("\"(1,234)\"\n-5\n", false, "(),")]
    {
        let text = format!("a;b\n{}", cells.replace('\n', ";x\n"));
        let column = Table::parse_csv(text.as_bytes()).unwrap().column("a").unwrap().clone();
        let format = &column.number_formats()[0];
        assert_eq!((format.decimal_comma, format.ignored.as_str()), (comma, ignored), "{cells}");
        assert!(column.reason().contains(&format!("reads {}", format.value)), "{}", column.reason());
        let csv = Csv::default().detect_delimiter().decimal_comma(comma).ignore_in_numbers(ignored);
        let column = CsvOptions::from(csv).parse(text.as_bytes()).unwrap().column("a").unwrap().clone();
        assert_eq!(column.number_formats(), []);
        assert!((0..column.len()).all(|row| column.text(row).is_none_or(|text| text.parse::<f64>().is_ok())));
    }
    for options in [CsvOptions::new().column_type("a", ColumnType::Category), CsvOptions::new()] {
        let table = options.parse(b"a\n5%\nhigh\n").unwrap();
        assert_eq!(table.column("a").unwrap().number_formats(), []);
    }
    let number = CsvOptions::new().column_type("a", ColumnType::Number);
    let error = number.parse(b"a\n5\n5%\n").unwrap_err().to_string();
    assert!(error.contains("`5%` is not a number (.ignore_in_numbers(\"%\") reads 5)"), "{error}");
}

#[test]
fn suspicious_numbers_and_texts_are_noted() {
    let notes = |text: &str| -> Vec<String> {
        let table = Table::parse_csv(text.as_bytes()).unwrap();
        table.columns().flat_map(|column| column.notes()).map(|note| note.message()).collect()
    };
    let points = notes("x,a\nu,936\nv,1.047\n");
    assert!(points[0].contains("does the point separate thousands?"), "{points:?}");
    assert_eq!(
        notes("x,a\nu,1\nv,ND\nw,3\n"),
        ["column 2 (`a`) is text because row 2 holds `ND`; 2 of 3 cells are numbers"]
    );
    let codes = (0..20).map(|i| format!("u,{}\n", if i % 5 == 0 { -999 } else { i })).collect::<String>();
    assert_eq!(
        notes(&format!("x,a\n{codes}")),
        ["column 2 (`a`): -999 in 4 cells is far from all other numbers"]
    );
    assert_eq!(notes("x,a\nu,936\nv,0.5\nw,\n"), [""; 0]);
}

#[test]
fn columns_that_identify_rows_are_left_out() {
    let table = |header: &str, index: fn(usize) -> usize| {
        let rows = (0..30).map(|i| format!("{},{}\n", index(i), i % 7)).collect::<String>();
        Table::parse_csv(format!("{header},a\n{rows}").as_bytes()).unwrap()
    };
    let shuffled = |i| (i * 7919 + 13) % 1000;
    for (header, index) in [
        ("", shuffled as fn(usize) -> usize),
        ("", |i| 1000 + 5 * i),
        ("Unnamed: 0", |i| 1000 + 5 * i),
        ("id", shuffled),
        ("row_id", |i| 500 - i),
    ] {
        let table = table(header, index);
        let column = table.columns().next().unwrap();
        assert_eq!(column.column_type(), ColumnType::Identifier, "{header}: {}", column.reason());
    }
    let table = table("year", |i| 1990 + 5 * i);
    assert_eq!(table.column("year").unwrap().column_type(), ColumnType::Number);
}

#[test]
fn markers_of_missing_cells() {
    let text = "a,b\n1,x\nNA,n/a\n#N/A,NULL\n\\N,?\n-999,y\n";
    let missing = ["?", "?"];
    let expected: [&[&str]; 5] = [&["1", "x"], &missing, &missing, &missing, &["-999", "y"]];
    check(CsvOptions::new(), text, &["a", "b"], &expected);
    let markers = CsvOptions::new().missing(["-999", "y"]);
    check(markers, "a,b\n-999.0,x\n1,Y\n,NA\n", &["a", "b"], &[&["?", "x"], &["1", "?"], &["?", "NA"]]);
}

#[test]
fn whole_numbers_that_differ_are_different_classes() {
    // Each pair is one number in `f64`.
    let labels = ["9007199254740992", "9007199254740993", "-11898508762506083287", "-11898508762506083288"];
    let rows: String = (0..60).map(|i| format!("{},{}\n", labels[i % 4], i % 4)).collect();
    let table = Table::parse_csv(format!("author,x\n{rows}-,0\n").as_bytes()).unwrap();
    let author = table.column("author").unwrap();
    assert_eq!((author.column_type(), author.missing()), (ColumnType::Number, 1));
    assert_eq!(author.as_numbers().unwrap()[..2], [9007199254740992.0; 2]);
    assert_eq!((author.text(1).as_deref(), author.text(60)), (Some(labels[1]), None));
    // Rows that are selected, and a type that is chosen later, keep them apart.
    let table = table.select(&(0..60).rev().collect::<Vec<_>>());
    for table in [table.clone(), table.with_type("author", ColumnType::Category).unwrap()] {
        let model = TabularClassifier::recipe().hidden(&[4]).epochs(1).fit(&table, "author").unwrap();
        let mut expected = labels;
        expected.sort_unstable();
        assert_eq!(model.classes(), expected);
    }
    // With separators as well; numbers that `f64` holds have their shortest text.
    let csv = || CsvOptions::from(Csv::default().ignore_in_numbers("."));
    check(csv(), "a\n9.007.199.254.740.993\n", &["a"], &[&["9.007.199.254.740.993"]]);
    check(csv(), "a\n9.007.199.254.740.992\n", &["a"], &[&["9007199254740992"]]);
    check(CsvOptions::new(), "a\n1e30\n1.50\n", &["a"], &[&["1000000000000000000000000000000"], &["1.5"]]);
}

#[test]
fn more_rounded_numbers_than_classes_may_be_are_numbers_only() {
    let rows: String =
        (0..10_001_u64).map(|i| format!("{},1\n", 1_700_000_000_000_000_001 + 2 * i)).collect();
    let table = Table::parse_csv(format!("ns,x\n{rows}").as_bytes()).unwrap();
    let text = table.column("ns").unwrap().text(0);
    assert_eq!(text.as_deref(), Some("1700000000000000000"));
}

#[test]
fn a_column_that_counts_the_rows_is_left_out_or_reported() {
    let column = |name: &str, cell: &dyn Fn(u32) -> u32| {
        let rows: String = (0..30).map(|i| format!("{},{}\n", cell(i), i % 7)).collect();
        let table = CsvOptions::new().parse(format!("{name},y\n{rows}").as_bytes()).unwrap();
        let column = table.column(name).unwrap();
        (column.column_type(), column.notes().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    for from in [0, 1] {
        assert_eq!(column("n", &|i| from + (i * 7) % 30), (ColumnType::Identifier, vec![]));
    }
    assert_eq!(column("id", &|i| 1000 + i).0, ColumnType::Identifier);
    // A year, or the number of a passenger?
    let (kind, notes) = column("PassengerId", &|i| 1000 + i);
    assert_eq!(kind, ColumnType::Number);
    assert!(notes[0].starts_with("column 1 (`PassengerId`) counts the rows"), "{notes:?}");
    assert_eq!(column("n", &|i| 5 * i), (ColumnType::Number, vec![]));
    assert_eq!(column("n", &|i| i + i / 29), (ColumnType::Number, vec![]));
}

#[test]
fn a_dash_is_missing_among_numbers_and_dates_but_a_text_among_texts() {
    let text = "a,b,c,d\n-,-,2024-02-29,-\n1,x,none,2024-03-01\nn.a.,y,-,..\n";
    let rows: [&[&str]; 3] =
        [&["?", "-", "2024-02-29", "?"], &["1", "x", "?", "2024-03-01"], &["?", "y", "?", "?"]];
    check(CsvOptions::new(), text, &["a", "b", "c", "d"], &rows);
    let table = Table::parse_csv(b"a\n1\n-\nx\n").unwrap();
    assert_eq!(cells(&table), [["1"], ["-"], ["x"]], "text at last: `-` is a text again");
}

#[test]
fn spare_delimiters_unnamed_and_equal_columns() {
    check(CsvOptions::new(), "a,b\n1,2,\n3,4,\n", &["a", "b"], &[&["1", "2"], &["3", "4"]]);
    let table = Table::parse_csv(b",a,a,b\n7,1,x,2\n8,1,y,3\n").unwrap();
    assert_eq!(table.names(), ["column 1", "a", "a.1", "b"]);
    let reason = table.column("a.1").unwrap().reason();
    assert!(reason.ends_with("the header calls it `a`, as another column"), "{reason}");
}

#[test]
fn a_file_without_a_header() {
    check(Csv::default().header(false), "1,x\n2,y\n", &["0", "1"], &[&["1", "x"], &["2", "y"]]);
}

#[test]
fn faults_are_errors_with_their_line() {
    for (text, message) in [
        ("a,b\n1,\"x\n2,y\n", "(bytes), line 2: a quote (\") opened in this record is never closed"),
        ("a,b\n1,x\n2\n", "(bytes), line 3: expected 2 cells, got 1"),
        ("a,b\n1,x\n\n2,y,3\n", "(bytes), line 4: expected 2 cells, got 3"),
        ("a\0,b\n", "(bytes), line 1: byte 2: a NUL byte, which no text contains"),
    ] {
        let error = Table::parse_csv(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{text:?}: {error}");
    }
}
