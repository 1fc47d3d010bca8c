//! Data sets from CSV files: what is accepted, and what each fault says.

use std::fs::{self, File};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use geartrain::data::{Csv, DataError, DataProblem, Dataset, MAX_RECORD_BYTES, Missing, Part, Suggestion};
use ndarray::{Array1, array};

const CARS: &str = "data/auto-mpg.csv";

fn cars() -> Csv {
    Csv::new("mpg").drop_columns(["name"])
}

fn read(csv: &Csv, text: impl AsRef<[u8]>) -> Result<Dataset<f64>, DataError> {
    csv.read(text.as_ref(), "table")
}

/// The line and the column that an error is about.
fn cell(error: &DataError) -> (u64, usize) {
    let place = error.place.as_ref().expect("a place");
    (place.line.expect("a line"), place.column.as_ref().expect("a column").number)
}

fn fails(csv: &Csv, text: impl AsRef<[u8]>) -> DataError {
    read(csv, text).expect_err("the text is faulty")
}

// ---- What is accepted

#[test]
fn a_row_of_thousands_of_quoted_cells() {
    let line = |cell: &dyn Fn(usize) -> String| (0..5000).map(|i| cell(i) + ",").collect::<String>();
    let names = line(&|i| format!("\"x{i}\""));
    let rows = [1, 2].map(|row| line(&|i| format!("\"{i}.{row}\"")));
    let data = read(&Csv::new("y"), format!("{names}y\n{}7\n{}8\n", rows[0], rows[1])).unwrap();
    assert_eq!((data.features(), data.y()[[1, 0]]), (5000, 8.0));
    assert_eq!((data.x()[[0, 4999]], data.x()[[1, 0]]), (4999.1, 0.2));
}

#[test]
fn auto_mpg_is_read_as_it_stands() {
    let data = Dataset::<f64>::from_csv(CARS, &cars()).unwrap();
    assert_eq!((data.rows(), data.features(), data.outputs()), (392, 7, 1));
    assert_eq!(data.feature_names(), ["cyl", "displ", "hp", "weight", "accel", "yr", "origin"]);
    assert_eq!(data.target_names(), ["mpg"]);
    assert_eq!(data.x().row(0), array![8.0, 307.0, 130.0, 3504.0, 12.0, 70.0, 1.0]);
    assert_eq!(data.x().row(391), array![4.0, 119.0, 82.0, 2720.0, 19.4, 82.0, 1.0]);
    assert_eq!((data.y()[[0, 0]], data.y()[[391, 0]]), (18.0, 31.0));
    data.check_finite().unwrap();
    let narrow = Dataset::<f32>::from_csv(CARS, &cars()).unwrap();
    assert_eq!(narrow.x(), data.x().mapv(|x| x as f32));
    assert_eq!(narrow.y(), data.y().mapv(|y| y as f32));
}

#[test]
fn columns_come_in_the_order_asked_for() {
    let csv = Csv::new("mpg").targets(["mpg", "accel"]).features(["weight", "hp"]);
    let data = Dataset::<f64>::from_csv(CARS, &csv).unwrap();
    assert_eq!((data.x().row(0), data.y().row(0)), (array![3504.0, 130.0].view(), array![18.0, 12.0].view()));
    assert_eq!(data.feature_names(), ["weight", "hp"]);
    assert_eq!(data.target_names(), ["mpg", "accel"]);
}

#[test]
fn columns_without_a_header_are_numbered() {
    let data = read(&Csv::new("2").header(false), "1,2,3\n4,5,6\n").unwrap();
    assert_eq!((data.x(), data.y()), (&*array![[1.0, 2.0], [4.0, 5.0]], &*array![[3.0], [6.0]]));
    assert_eq!(data.feature_names(), ["0", "1"]);
}

#[test]
fn marks_line_ends_quotes_blank_lines_and_spaces() {
    let plain = read(&Csv::new("b"), "a,b\n1,2\n-3.5e1,.4\n").unwrap();
    for text in [
        "\u{feff}a,b\n1,2\n-3.5e1,.4\n",
        "\u{feff}\"a\",b\n1,2\n-3.5e1,.4\n",
        "a,b\r\n1,2\r\n-3.5e1,.4\r\n",
        "a,b\n1,2\n-3.5e1,.4",
        "\"a\",\"b\"\n\"1\",\"2\"\n\"-3.5e1\",\".4\"\n",
        "\"a\",\"b\"\r\n\"1\",\"2\"\r\n\"-3.5e1\",\".4\"\r\n",
        "a,b\n1,2\n-3.5e1,.4\n\n\r\n   \n\t\n",
        "\n\na,b\n\n1,2\n\n-3.5e1,.4\n",
        " a , b \n  1,2  \n\t-3.5e1 ,\u{a0}.4 \n",
    ] {
        assert_eq!(read(&Csv::new("b"), text).unwrap(), plain, "{text:?}");
    }
    let quoted =
        read(&Csv::new("b").features(["a, or \"A\""]), "\"a, or \"\"A\"\"\",b,c\n1,2,\"x\n\ny\"\n3,4,5\n");
    assert_eq!(quoted.unwrap().x(), array![[1.0], [3.0]]);
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    // After blank lines, carriage returns and a quoted cell over three lines, the bad cell is on
    // line 9.
    let text = "\u{feff}a,b\r\n\r\n1,2\r\n\r\n\r\n3,\"\r\n4\r\n\"\r\nx,5\r\n";
    let error = fails(&Csv::new("b"), text);
    assert!(error.to_string().starts_with("table, line 9, column 1 (`a`): `x` is not a number"), "{error}");
}

#[test]
fn cells_of_unused_columns_may_hold_anything() {
    let text = "a,b,c\n1,2,\n3,4,1e999\n5,6,text\n";
    assert_eq!(read(&Csv::new("b").features(["a"]), text).unwrap().rows(), 3);
    assert_eq!(read(&Csv::new("b").drop_columns(["c"]), text).unwrap().rows(), 3);
}

#[test]
fn features_alone_are_read_for_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.csv");
    fs::write(&path, "weight,note,hp\n3504,old,130\n2625,new,?\n").unwrap();
    let csv = Csv::default();
    let load =
        |csv: &Csv, names: &[&str], fill: Option<&[f64]>| csv.load_inputs::<f64, _>(&path, names, fill);
    assert_eq!(load(&csv, &["weight"], None).unwrap().x, array![[3504.0], [2625.0]]);
    let error = load(&csv, &["hp", "weight"], None).unwrap_err();
    assert_eq!(cell(&error), (3, 3));
    assert!(matches!(error.problem, DataProblem::MissingCell { .. }), "{error}");
    let filled = load(&csv, &["hp", "weight"], Some(&[100.0, 3000.0])).unwrap();
    assert_eq!(filled.x, array![[130.0, 3504.0], [100.0, 2625.0]]);
    assert_eq!(filled.notes[0].to_string(), "`hp`: 1 missing cell filled with 100");
    let error = load(&csv, &["displ"], None).unwrap_err();
    assert!(matches!(error.problem, DataProblem::UnknownColumn { name, .. } if name == "displ"));
    assert!(matches!(load(&csv, &[], None).unwrap_err().problem, DataProblem::NoColumns { .. }));
    assert!(matches!(
        load(&csv, &["hp"], Some(&[1.0, 2.0])).unwrap_err().problem,
        DataProblem::NameCount { .. }
    ));
}

// ---- What is refused

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.csv");
    for path in [missing.as_path(), folder.path(), &folder.path().join("missing/table.csv")] {
        let error = Dataset::<f32>::from_csv(path, &cars()).unwrap_err();
        assert!(matches!(error.problem, DataProblem::File(_)), "{error}");
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
    }
    let error = Csv::default().load_inputs::<f32, _>(&missing, &["hp"], None).unwrap_err();
    assert!(matches!(&error.problem, DataProblem::File(source) if source.kind() == io::ErrorKind::NotFound));
}

#[cfg(unix)]
#[test]
fn a_file_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::copy(CARS, file.path()).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o000)).unwrap();
    let result = Dataset::<f32>::from_csv(file.path(), &cars());
    // The superuser may read any file, and then must get its rows.
    match File::open(file.path()) {
        Ok(_) => assert_eq!(result.unwrap().rows(), 392),
        Err(_) => assert!(
            matches!(result.unwrap_err().problem, DataProblem::File(source) if source.kind() == io::ErrorKind::PermissionDenied)
        ),
    }
}

#[test]
fn a_source_that_breaks_off() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("cable pulled"))
        }
    }
    let error = Csv::new("b").read::<f64>("a,b\n1,2\n".as_bytes().chain(Broken), "wire").unwrap_err();
    assert_eq!(error.to_string(), "wire: cable pulled");
}

#[test]
fn empty_or_header_only() {
    for text in ["", "\n", "\u{feff}", "\r\n  \r\n"] {
        assert!(matches!(fails(&Csv::new("b"), text).problem, DataProblem::EmptyFile), "{text:?}");
    }
    for text in ["a,b", "a,b\n", "a,b\r\n\r\n"] {
        let error = fails(&Csv::new("b"), text);
        assert!(matches!(error.problem, DataProblem::NoRows { dropped: 0 }), "{error}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Dataset::<f64>::from_csv(file.path(), &cars()).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: the file is empty", file.path().display()));
}

#[test]
fn ragged_rows() {
    for (text, line, got) in
        [("a,b\n1,2\n\n3\n", 4, 1), ("a,b\r\n1,2\r\n3,4,5\r\n", 3, 3), ("a,b\n1,2\n3,4,\n", 3, 3)]
    {
        let error = fails(&Csv::new("b"), text);
        assert_eq!(error.to_string(), format!("table, line {line}: expected 2 cells, got {got}"));
        assert!(matches!(error.problem, DataProblem::CellCount { expected: 2, .. }));
    }
    // Also where the missing cell is not used.
    let error = fails(&Csv::new("b").features(["a"]), "a,b,c\n1,2\n");
    assert!(matches!(error.problem, DataProblem::CellCount { .. }));
}

#[test]
fn missing_values_are_an_error() {
    for word in ["", "  ", "NA", "na", "N/A", "?", "null", "NULL", "\"\""] {
        let error = fails(&Csv::new("b"), format!("a,b\n1,2\n{word},4\n"));
        assert!(matches!(error.problem, DataProblem::MissingCell { .. }), "{error}");
        assert_eq!(cell(&error), (3, 1));
    }
    let error = fails(&Csv::new("b"), "a,b\n1,NA\n");
    assert_eq!(
        error.to_string(),
        "table, line 2, column 2 (`b`): `NA` stands for a missing value (a target is never filled in, but \
         Missing::DropRows leaves its row out)"
    );
}

#[test]
fn missing_values_dropped_or_filled() {
    let text = "a,b,c,y\n1,10,0,1\n?,30,0,2\n3,NA,0,3\n8,20,,4\n";
    let csv = Csv::new("y").features(["a", "b"]);
    let dropped = read(&csv.clone().missing(Missing::DropRows), text).unwrap();
    assert_eq!((dropped.x(), dropped.y()), (&*array![[1.0, 10.0], [8.0, 20.0]], &*array![[1.0], [4.0]]));
    let mean = read(&csv.clone().missing(Missing::Mean), text).unwrap();
    assert_eq!(mean.x(), array![[1.0, 10.0], [4.0, 30.0], [3.0, 20.0], [8.0, 20.0]]);
    let median = read(&csv.clone().missing(Missing::Median), text).unwrap();
    assert_eq!(median.x(), array![[1.0, 10.0], [3.0, 30.0], [3.0, 20.0], [8.0, 20.0]]);
    let even = read(&Csv::new("y").missing(Missing::Median), "a,y\n1,0\n?,0\n4,0\n2,0\n9,0\n").unwrap();
    assert_eq!(even.x()[[1, 0]], 3.0);
    // An average of numbers whose sum is too large.
    let large = read(&Csv::new("y").missing(Missing::Mean), "a,y\n1.5e308,0\n1.5e308,0\n?,0\n").unwrap();
    assert!((large.x()[[2, 0]] / 1.5e308 - 1.0).abs() < 1e-15);
}

#[test]
fn missing_targets_are_never_filled() {
    let text = "a,y\n1,1\n2,?\n";
    for missing in [Missing::Mean, Missing::Median] {
        let error = fails(&Csv::new("y").missing(missing), text);
        assert!(matches!(error.problem, DataProblem::MissingCell { .. }), "{error}");
        assert_eq!(error.suggestion, Some(Suggestion::MissingTarget));
    }
    assert_eq!(read(&Csv::new("y").missing(Missing::DropRows), text).unwrap().rows(), 1);
    let error = fails(&Csv::new("y").missing(Missing::DropRows), "a,y\n?,1\n2,?\n");
    assert!(matches!(error.problem, DataProblem::NoRows { dropped: 2 }), "{error}");
    let error = fails(&Csv::new("y").missing(Missing::Mean), "a,y\n?,1\n,2\n");
    assert!(matches!(error.problem, DataProblem::NothingToImpute), "{error}");
    assert!(error.to_string().starts_with("table, column 1 (`a`): every value is missing"), "{error}");
}

#[test]
fn penguins_have_two_rows_without_measurements() {
    let csv = Csv::new("body_mass_g").features(["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]);
    let error = Dataset::<f32>::from_csv("data/penguins.csv", &csv).unwrap_err();
    let message = "data/penguins.csv, line 5, column 3 (`bill_length_mm`): the cell is empty";
    assert!(error.to_string().starts_with(message), "{error}");
    let data = Dataset::<f32>::from_csv("data/penguins.csv", &csv.missing(Missing::DropRows)).unwrap();
    assert_eq!(data.rows(), 342);
}

#[test]
fn numbers_that_are_not_finite() {
    for word in ["inf", "-inf", "Infinity", "1e999", "-1e999", "+nan"] {
        for missing in [Missing::Error, Missing::DropRows, Missing::Mean] {
            let error = fails(&Csv::new("b").missing(missing), format!("a,b\n1,2\n{word},4\n"));
            assert!(matches!(error.problem, DataProblem::NotFiniteCell { .. }), "{error}");
            assert_eq!(cell(&error), (3, 1));
        }
    }
    for word in ["nan", "NaN"] {
        let text = format!("a,b\n1,2\n{word},4\n");
        assert!(matches!(fails(&Csv::new("b"), &text).problem, DataProblem::MissingCell { .. }));
        assert_eq!(read(&Csv::new("b").missing(Missing::DropRows), &text).unwrap().rows(), 1);
    }
    let error = Csv::new("b").read::<f32>("a,b\n1e308,2\n".as_bytes(), "table").unwrap_err();
    assert_eq!(error.to_string(), "table, line 2, column 1 (`a`): `1e308` is not a finite f32");
    assert_eq!(read(&Csv::new("b"), "a,b\n1e308,5e-324\n").unwrap().x()[[0, 0]], 1e308);
}

#[test]
fn text_in_a_numeric_column() {
    let error = Dataset::<f32>::from_csv(CARS, &Csv::new("mpg")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "data/auto-mpg.csv, line 2, column 9 (`name`): `chevrolet chevelle malibu` is not a number \
         (a column of text can be left out with .drop_columns([\"name\"]))"
    );
    let error = fails(&Csv::new("1").header(false), "a,b\n1,2\n");
    assert!(matches!(error.problem, DataProblem::NotANumber { .. }), "{error}");
    assert_eq!(error.suggestion, Some(Suggestion::Header));
    for word in ["1_000", "0x10", "1 2", "--1", "5%", "1e", "'1'"] {
        let error = fails(&Csv::new("b"), format!("a,b\n{word},2\n"));
        assert!(matches!(error.problem, DataProblem::NotANumber { .. }), "{word}");
    }
}

#[test]
fn foreign_text_is_shortened_and_escaped() {
    let text = format!("a,b\n\u{1b}[31m\u{202e}{},2\n", "x".repeat(100_000));
    let error = fails(&Csv::new("b"), text).to_string();
    assert!(error.contains(r"`\u{1b}[31m\u{202e}xxx") && error.contains("xxx…`"), "{error}");
    assert!(error.len() < 250 && !error.contains('\u{1b}') && !error.contains('\u{202e}'));
    let names: Vec<_> = (0..1000).map(|column| format!("column{column}")).collect();
    let error = fails(&Csv::new("b"), names.join(",") + "\n").to_string();
    assert!(error.contains("`column19` and 980 more") && error.len() < 500, "{error}");
}

#[test]
fn another_delimiter_is_suggested() {
    for (text, byte) in [
        ("a;b;c\n1;2;3\n", b';'),
        ("a\tb\tc\n1\t2\t3\n", b'\t'),
        ("a;b;c\n1,5;2,5;3,5\n", b';'),
        ("a|b|c\n1|2|3\n", b'|'),
    ] {
        let error = fails(&Csv::new("b"), text);
        assert!(matches!(error.problem, DataProblem::UnknownColumn { .. }), "{error}");
        assert_eq!(error.suggestion, Some(Suggestion::Delimiter(byte)));
        let hint = format!(".delimiter(b{:?})", char::from(byte));
        assert!(error.to_string().contains(&hint), "{error}");
        assert!(read(&Csv::new("b").delimiter(byte), text).is_ok() != text.contains(','));
    }
    let error = fails(&Csv::new("b").delimiter(b';'), "a,b\n1,2\n");
    assert!(matches!(error.problem, DataProblem::UnknownColumn { .. }), "{error}");
    assert_eq!(error.suggestion, Some(Suggestion::Delimiter(b',')));
    // Without a header, the delimiter shows in the cells.
    for text in ["1,5;2,5;3,5\n", "1,5;2;3,5\n4,5;2,5;3,5\n"] {
        let error = fails(&Csv::new("0").header(false), text);
        assert!(
            matches!(error.problem, DataProblem::NotANumber { .. } | DataProblem::CellCount { .. }),
            "{error}"
        );
        assert_eq!(error.suggestion, Some(Suggestion::Delimiter(b';')));
    }
    let error = fails(&Csv::new("0").header(false), "1;2;3\n");
    assert!(matches!(error.problem, DataProblem::NoColumns { .. }), "{error}");
    assert_eq!(error.suggestion, Some(Suggestion::Delimiter(b';')));
    // No false alarm: a quoted comma in a header of two columns.
    let error = fails(&Csv::new("c"), "\"a, or A\",b\n1,2\n");
    assert!(matches!(error.problem, DataProblem::UnknownColumn { .. }), "{error}");
    assert_eq!(error.suggestion, None);
}

#[test]
fn decimal_commas_and_thousands_separators_are_refused_with_advice_that_works() {
    let semicolons = Csv::new("b").delimiter(b';');
    for (csv, text, advice, reads) in [
        (
            &semicolons,
            "a;b\n1;2\n18,5;3\n",
            ".decimal_comma(true) reads 18.5",
            semicolons.clone().decimal_comma(true),
        ),
        (
            &Csv::new("b"),
            "a,b\n1,2\n\"18,5\",3\n",
            ".decimal_comma(true) reads 18.5",
            Csv::new("b").decimal_comma(true),
        ),
        (
            &Csv::new("b"),
            "a,b\n1,2\n\"1,234,567.8\",3\n",
            ".ignore_in_numbers(\",\") reads 1234567.8",
            Csv::new("b").ignore_in_numbers(","),
        ),
        (
            &Csv::new("b"),
            "a,b\n1,2\n5 %,3\n",
            ".ignore_in_numbers(\" %\") reads 5",
            Csv::new("b").ignore_in_numbers(" %"),
        ),
    ] {
        let error = fails(csv, text);
        assert!(matches!(error.problem, DataProblem::NotANumber { .. }), "{error}");
        assert_eq!(cell(&error), (3, 1));
        assert!(error.to_string().ends_with(&format!("({advice})")), "{error}");
        let read = read(&reads, text).unwrap().x()[[1, 0]];
        assert!(advice.ends_with(&format!(" {read}")), "{read}");
    }
    // Both readings of a comma are named.
    let error = fails(&Csv::new("b"), "a,b\n\"1,234\",2\n").to_string();
    assert!(
        error.contains(".ignore_in_numbers(\",\") reads 1234, .decimal_comma(true) reads 1.234"),
        "{error}"
    );
    // Unquoted among commas, a comma splits the cell in two.
    let error = fails(&Csv::new("b"), "a,b\n18,5,3\n");
    assert!(matches!(error.problem, DataProblem::CellCount { expected: 2, got: 3 }), "{error}");
}

#[test]
fn invalid_delimiters() {
    for delimiter in [b'"', b'\n', b'\r', 0, b'.', b'-', b'+', b'e', b'1', 0xe9] {
        let error = fails(&Csv::new("b").delimiter(delimiter), "a,b\n1,2\n");
        assert!(matches!(error.problem, DataProblem::Delimiter { .. }), "{error}");
    }
}

#[test]
fn duplicate_and_absent_columns() {
    let error = fails(&Csv::new("b"), "a, b,c,b\n1,2,3,4\n");
    assert_eq!(
        error.to_string(),
        "table: columns 2 and 4 are both named `b`; the columns are `a`, `b`, `c`, `b`"
    );
    let absent = [
        Csv::new("mpgs"),
        Csv::new("a").targets(["a", "mpgs"]),
        Csv::new("a").features(["mpgs"]),
        Csv::new("a").drop_columns(["mpgs"]),
    ];
    for csv in absent {
        let error = fails(&csv, "a,b\n1,2\n");
        assert_eq!(error.to_string(), "table: there is no column `mpgs`; the columns are `a`, `b`");
    }
}

#[test]
fn columns_have_one_part_each() {
    let twice = [
        Csv::new("a").features(["b", "b"]),
        Csv::new("a").features(["a", "b"]),
        Csv::new("a").targets(["a", "a"]),
        Csv::new("a").drop_columns(["a"]),
        Csv::new("a").features(["b"]).drop_columns(["b"]),
    ];
    for csv in twice {
        let error = fails(&csv, "a,b,c\n1,2,3\n");
        assert!(matches!(error.problem, DataProblem::ChosenTwice { .. }), "{error}");
    }
    for csv in [Csv::new("a").drop_columns(["b"]), Csv::new("a").features(Vec::<String>::new())] {
        assert!(matches!(fails(&csv, "a,b\n1,2\n").problem, DataProblem::NoColumns { part: Part::X, .. }));
    }
    let none = Csv::new("a").targets(Vec::<String>::new());
    assert!(matches!(fails(&none, "a,b\n1,2\n").problem, DataProblem::NoColumns { part: Part::Y, .. }));
}

#[test]
fn bytes_that_are_not_text() {
    for (bytes, line, position, byte) in [
        (&b"a,b\n1,2\n3,caf\xe9\n"[..], 3, 6, 0xe9),
        (b"a,b\n1,2\n3\x00,4\n", 3, 2, 0),
        (b"a,b\xff\n1,2\n", 1, 4, 0xff),
        (b"\xff\xfea\x00,\x00b\x00\n\x00", 1, 1, 0xff),
        (b"a,b,\"c\n\xc3\"\n", 2, 1, 0xc3),
        (b"a,b\n\xc3,\xa9\n", 2, 1, 0xc3),
    ] {
        let error = fails(&Csv::new("b").features(["a"]), bytes);
        let DataProblem::NotText { position: at, byte: got } = error.problem else { panic!("{error}") };
        assert_eq!((error.place.unwrap().line, at, got), (Some(line), position, byte));
    }
    let error = fails(&Csv::new("b"), "a,b\n1,2\n１２,3\n");
    assert!(
        error.to_string().starts_with("table, line 3, column 1 (`a`): `１２` is not a number"),
        "{error}"
    );
}

#[test]
fn a_quote_that_is_never_closed() {
    for text in ["a,b\n1,2\n3,\"4\n", "a,b\n1,2\n3,\"4", "a,b\n1,2\n\"3,4\n5,6\n7,8\n"] {
        let error = fails(&Csv::new("b"), text);
        assert_eq!(error.to_string(), "table, line 3: a quote (\") opened in this record is never closed");
    }
}

/// Counts the bytes that are taken from a source.
struct Counted<R>(R, Arc<AtomicUsize>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read, Ordering::Relaxed);
        Ok(read)
    }
}

/// `pattern` over and over again, without end, up to a gigabyte.
struct Repeated(&'static [u8], usize);

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = buffer.len().min((1 << 30) - self.1);
        for byte in &mut buffer[..size] {
            *byte = self.0[self.1 % self.0.len()];
            self.1 += 1;
        }
        Ok(size)
    }
}

#[test]
fn an_open_quote_in_a_gigabyte_stops_early() {
    let patterns: [&[u8]; 4] = [b"5,6\n", b"x", b",", b"\n"];
    for pattern in patterns {
        let taken = Arc::new(AtomicUsize::new(0));
        let source = Counted("a,b\n1,2\n3,\"4\n".as_bytes().chain(Repeated(pattern, 0)), Arc::clone(&taken));
        let error = Csv::new("b").read::<f64>(source, "huge").unwrap_err();
        let DataProblem::RecordTooLong { limit } = error.problem else { panic!("{error}") };
        assert_eq!((error.place.unwrap().line, limit), (Some(3), MAX_RECORD_BYTES));
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken < MAX_RECORD_BYTES + (64 << 10), "{taken} bytes were read");
    }
    // The same without a quote: a line that does not end.
    let error = Csv::new("b").read::<f64>(Repeated(b"1,", 0), "huge").unwrap_err();
    assert!(matches!(error.problem, DataProblem::RecordTooLong { .. }), "{error}");
    assert_eq!(error.place.unwrap().line, Some(1));
}

#[test]
fn a_file_longer_than_one_record_may_be_is_read() {
    let row = b"1,2\n";
    let source = "a,b\n".as_bytes().chain(Repeated(row, 0).take(2 * MAX_RECORD_BYTES as u64));
    let data = Csv::new("b").read::<f32>(source, "long").unwrap();
    assert_eq!(data.rows(), 2 * MAX_RECORD_BYTES / row.len());
}

#[test]
fn wide_records_grow_the_buffers() {
    let header: Vec<_> = (0..20_000).map(|column| column.to_string()).collect();
    let data = read(&Csv::new("19999"), header.join(",") + "\n" + &header.join(" , ") + "\n").unwrap();
    assert_eq!(data.x().row(0), Array1::from_iter((0..19_999).map(f64::from)));
}

fn classes(csv: &Csv, text: &str) -> Result<(Vec<f64>, Vec<String>), DataError> {
    let data = csv.read_classes::<f64>(text.as_bytes(), "table")?;
    Ok((data.y().iter().copied().collect(), data.classes().to_vec()))
}

#[test]
fn labels_become_indices_in_the_order_of_their_names() {
    let csv = Csv::new("kind");
    let read = |text: &str| classes(&csv, text).unwrap();
    assert_eq!(read("x,kind\n1,b\n2,a\n3, b \n"), (vec![1.0, 0.0, 1.0], vec!["a".into(), "b".into()]));
    // Numbers are sorted as numbers, negative and fractional ones too, and written differently they
    // are the same.
    let numbers = read("x,kind\n1,10\n2,9\n3,-1.5\n4,9.0\n");
    assert_eq!(numbers, (vec![2.0, 1.0, 0.0, 1.0], vec!["-1.5".into(), "9".into(), "10".into()]));
    // One text among them makes them all text.
    let text = read("x,kind\n1,10\n2,9\n3,x\n4,inf\n");
    assert_eq!(text.1, ["10", "9", "inf", "x"]);
}

#[test]
fn a_missing_label_is_an_error_or_drops_its_row() {
    let text = "x,kind\n1,a\n2,\n3,b\n?,rare\n";
    for missing in [Missing::Error, Missing::Mean, Missing::Median] {
        let error = classes(&Csv::new("kind").missing(missing), text).unwrap_err();
        assert!(matches!(error.problem, DataProblem::MissingCell { .. }), "{error}");
        assert_eq!((cell(&error), error.suggestion), ((3, 2), Some(Suggestion::MissingTarget)));
    }
    // The class `rare` is in no row that is left.
    let (y, names) = classes(&Csv::new("kind").missing(Missing::DropRows), text).unwrap();
    assert_eq!((y, names), (vec![0.0, 1.0], vec!["a".to_string(), "b".to_string()]));
}

#[test]
fn one_class_is_allowed() {
    let (y, names) = classes(&Csv::new("kind"), "x,kind\n1,a\n2,a\n").unwrap();
    assert_eq!((y, names), (vec![0.0, 0.0], vec!["a".to_string()]));
}

#[test]
fn labels_come_from_one_column() {
    let error = classes(&Csv::new("").targets(["a", "b"]), "x,a,b\n1,u,v\n").unwrap_err();
    assert!(
        matches!(&error.problem, DataProblem::LabelColumns { columns } if columns == &["a", "b"]),
        "{error}"
    );
    let none = Csv::new("").targets(Vec::<String>::new());
    assert!(matches!(classes(&none, "x\n1\n").unwrap_err().problem, DataProblem::NoColumns { .. }));
}
