//! Tables as spreadsheets, statistics programs and instruments write them.

use geartrain::data::{Csv, DataError, DataProblem, Dataset, IndexKind, Missing, Note, Scaling, Suggestion};
use ndarray::{Array2, array};

const TRIALS: &str = "tests/fixtures/trials";

fn trial(name: &str, csv: &Csv) -> Result<Dataset<f64>, DataError> {
    Dataset::from_csv(format!("{TRIALS}/{name}"), csv)
}

fn read(csv: &Csv, text: &str) -> Result<Dataset<f64>, DataError> {
    csv.read(text.as_bytes(), "table")
}

fn fails(csv: &Csv, text: &str) -> String {
    read(csv, text).expect_err("the text is faulty").to_string()
}

fn y() -> Csv {
    Csv::new("y")
}

/// `rows` lines made by `line`, below a header.
fn table(header: &str, rows: usize, line: impl Fn(usize) -> String) -> String {
    let lines: Vec<String> = (0..rows).map(line).collect();
    format!("{header}\n{}\n", lines.join("\n"))
}

// ---- Lines, quotes, delimiters

#[test]
fn line_ends_blanks_before_quotes_and_spare_delimiters() {
    let plain = trial("base.csv", &y()).unwrap();
    assert_eq!((plain.rows(), plain.features()), (60, 2));
    for name in ["01_cr_only.csv", "02b_space_quote_cells.csv", "03_two_trailing.csv"] {
        let data = trial(name, &y()).unwrap();
        assert_eq!(
            (data.x(), data.y(), data.feature_names()),
            (plain.x(), plain.y(), plain.feature_names()),
            "{name}"
        );
    }
    let expected = array![[1.0, 2.0], [4.0, 5.0]];
    for (csv, text) in [
        (y(), "a,b,y\r1,2,3\r4,5,6"),
        (y(), "a,b,y\r\r1,2,3\r\n4,5,6\n"),
        (y(), "a, \"b\",\t\"y\"\n1, \"2\" ,3\n\"4\" , 5, \"6\"\n"),
        (y(), "a,b,y,\n1,2,3,\n4,5,6,\n"),
        (y(), "a,b,y\n1,2,3,\n4,5,6,\n"),
        (y(), "sep=;\na;b;y\n1;2;3\n4;5;6\n"),
        (y(), "\"sep=\t\"\r\na\tb\ty\r\n1\t2\t3\r\n4\t5\t6\r\n"),
        (y(), "\u{feff}sep=\t\r\na\tb\ty\r\n1\t2\t3\r\n4\t5\t6\r\n"),
        (y(), "# made by hand\n#\n# on a Monday\na,b,y\n1,2,3\n4,5,6\n"),
        (y(), "# a,b,y\n1,2,3\n4,5,6\n"),
        (y(), "#a,b,y\n1,2,3\n4,5,6\n"),
        (y().delimiter(b' '), "a b  y\n1   2 3\n  4\t5   6  \n"),
        (y().delimiter(b' '), "\"a\" b y\n1 \"2\"  3\n4 5 6\n"),
        (y().comment(b'%'), "a,b,y\n% in between\n1,2,3\n%\n4,5,6\n"),
        (y().skip_lines(2), "Device 7, \"open\nno table\na,b,y\n1,2,3\n4,5,6\n"),
    ] {
        let data = read(&csv, text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(data.x(), expected, "{text:?}");
        assert_eq!(data.feature_names(), ["a", "b"], "{text:?}");
    }
    // A quoted cell keeps its blanks, quotes and delimiters, over lines that end in any way.
    let text = "note, a,y\n\"x, \"\"z\"\" \r\n ,\", \"1\",2\n";
    assert_eq!(read(&y().features(["a"]), text).unwrap().x(), array![[1.0]]);
}

#[test]
fn a_header_or_comments_in_another_place_are_suggested() {
    for (text, advice) in [
        ("% made by hand\n% in metres\na,b,y\n1,2,3\n", ".comment(b'%')"),
        ("// units: m\na,b,y\n1,2,3\n", ".comment(b'/')"),
        ("A report, of 2024\n\na,b,y\n1,2,3\n", ".skip_lines(2)"),
        ("a,b,y\n1,2,3\n# a note\n4,5,6\n", ".comment(b'#')"),
    ] {
        let error = fails(&y(), text);
        assert!(error.contains(advice), "{error}");
        let csv = match advice {
            ".skip_lines(2)" => y().skip_lines(2),
            other => y().comment(other.as_bytes()[other.len() - 3]),
        };
        assert_eq!(read(&csv, text).unwrap().feature_names(), ["a", "b"], "{text}");
    }
    // Nowhere in the file: no such advice.
    let error = fails(&Csv::new("z"), "A report\na,b,y\n1,2,3\n");
    assert!(!error.contains("skip_lines"), "{error}");
}

#[test]
fn only_empty_spare_cells_are_ignored() {
    assert_eq!(read(&y(), "a,y\n1,2,\n3,4\n").unwrap().rows(), 2);
    assert!(fails(&y(), "a,y\n1,2,\n3,4,5\n").contains("line 3: expected 2 cells, got 3"));
    let names = fails(&y().delimiter(b' '), "a y\nr1 1 2\nr2 3 4\n");
    assert!(
        names.ends_with("(if the first cell of each row is a row name, give it a name in the header)"),
        "{names}"
    );
    // A file of one cell per row, cut by blanks.
    let error = read(&y(), "a y\n1 2\n").unwrap_err();
    assert_eq!(error.suggestion, Some(Suggestion::Delimiter(b' ')));
    assert!(read(&y().delimiter(b' '), "a y\n1 2\n").is_ok());
}

// ---- Columns

#[test]
fn unnamed_and_equal_columns_matter_only_if_they_are_asked_for() {
    let data = read(&y(), "a,,a,y\n1,,3,4\n5,,7,8\n").unwrap();
    assert_eq!(data.feature_names(), ["a", "a.1"]);
    assert_eq!(data.x(), array![[1.0, 3.0], [5.0, 7.0]]);
    assert!(data.notes()[0].to_string().contains("is also named `a`"), "{:?}", data.notes());
    assert!(fails(&y().features(["a"]), "a,,a,y\n1,,3,4\n").contains("columns 1 and 3 are both named `a`"));
    let both = read(&y().features(["a", "a.1"]), "a,,a,y\n1,,3,4\n").unwrap();
    assert_eq!(both.x(), array![[1.0, 3.0]]);
    // Dropping the name drops every column that has it.
    let data = read(&y().drop_columns(["a"]), "a,b,a,y\n1,2,3,4\n").unwrap();
    assert_eq!(data.x(), array![[2.0]]);
    // Any column can be asked for by its position.
    let data = read(&y().features(["column 2", "column 1"]), "a,,y\n1,2,4\n").unwrap();
    assert_eq!(data.x(), array![[2.0, 1.0]]);
}

#[test]
fn a_column_that_counts_the_rows_is_left_out_or_reported() {
    let rows = |header: &str| table(header, 12, |i| format!("{},{},{}", i + 1, (i * i) % 7, i % 5));
    for header in [",a,y", "id,a,y", "Unnamed: 0,a,y", "row_id,a,y", "X,a,y"] {
        let data = read(&y(), &rows(header)).unwrap();
        assert_eq!(data.feature_names(), ["a"], "{header}");
        let note = data.notes()[0].to_string();
        assert!(note.contains("left out as an index (.keep_index(true) keeps it)"), "{note}");
        let kept = read(&y().keep_index(true), &rows(header)).unwrap();
        assert_eq!((kept.features(), kept.notes().len()), (2, 0), "{header}");
        assert!(kept.feature_names()[0] == header.split(',').next().unwrap() || header.starts_with(','));
    }
    // The index of a part of a larger table, at equal steps.
    for header in ["Unnamed: 0,a,y", "id,a,y"] {
        let steps = table(header, 12, |i| format!("{},{},{}", 1000 + 5 * i, (i * i) % 7, i % 5));
        assert_eq!(read(&y(), &steps).unwrap().feature_names(), ["a"], "{header}");
        let equal = table(header, 12, |i| format!("1000,{},{}", (i * i) % 7, i % 5));
        assert_eq!(read(&y(), &equal).unwrap().features(), 2, "{header}");
    }
    // A name that says nothing: reported, not left out.
    let data = read(&y(), &rows("year,a,y")).unwrap();
    assert_eq!(data.feature_names(), ["year", "a"]);
    assert!(
        matches!(&data.notes()[0], Note::LooksLikeIndex { reason: IndexKind::Counts, .. }),
        "{:?}",
        data.notes()
    );
    let shuffled = table("code,a,y", 20, |i| format!("{},{},{}", (i * 7919 + 13) % 1000, i % 3, i % 5));
    let data = read(&y(), &shuffled).unwrap();
    assert!(matches!(&data.notes()[0], Note::LooksLikeIndex { reason: IndexKind::AllDifferent, .. }));
    // An index of another kind: text without a name, as R writes it.
    let named = table(",a,y", 12, |i| format!("car {i},{},{}", i % 3, i % 5));
    assert_eq!(read(&y(), &named).unwrap().feature_names(), ["a"]);
    // Nothing else to learn from, chosen by name, or measured at equal steps: used without a word.
    let only = table("id,y", 12, |i| format!("{i},{}", i % 5));
    for (csv, text) in [
        (y(), only.clone()),
        (y().features(["id"]), only),
        (y(), table("t,a,y", 12, |i| format!("{},{},{}", 1_700_000_000 + 2 * i, i % 3, i % 5))),
        (y(), table("w,a,y", 12, |i| format!("{},{},{}", i % 6, i % 3, i % 5))),
        (y(), table("w,a,y", 12, |i| format!("{}.5,{},{}", i, i % 3, i % 5))),
    ] {
        assert_eq!(read(&csv, &text).unwrap().notes(), [], "{text}");
    }
}

#[test]
fn all_text_columns_are_named_at_once_and_the_advice_works() {
    let text = "\"Length, cm\",\"Remark, free text\",kind,y\n10.4,ok,u,1\n11.9,bad,v,2\n";
    let error = read(&y(), text).unwrap_err();
    let advice = ".drop_columns([\"Remark, free text\", \"kind\"])";
    assert!(error.to_string().contains(advice), "{error}");
    let Some(Suggestion::DropColumns(columns)) = error.suggestion else { panic!("a suggestion") };
    let dropped = read(&y().drop_columns(columns.iter().map(|column| &column.name)), text).unwrap();
    assert_eq!(dropped.feature_names(), ["Length, cm"]);

    // A name of 60 characters is printed whole; a longer one goes by its position.
    for (length, advice) in [(60, format!("\"{}\"", "n".repeat(60))), (300, "\"column 1\"".into())] {
        let text = format!("{},a,y\nu,1,2\n", "n".repeat(length));
        assert!(fails(&y(), &text).contains(&format!(".drop_columns([{advice}])")));
        assert!(read(&y().drop_columns([advice.trim_matches('"')]), &text).is_ok());
    }
    // Thousands of text columns still make a short message.
    let names: Vec<String> = (0..3000).map(|i| format!("column_of_text_{i}")).collect();
    let error = fails(&y(), &format!("{},y\n{}1\n", names.join(","), "t,".repeat(3000)));
    assert!(error.len() < 3000 && error.contains("more are text"), "{} bytes", error.len());
}

#[test]
fn text_as_a_number_to_predict_looks_like_classes() {
    let error = read(&y(), "a,y\n1,red\n2,green\n").unwrap_err();
    assert_eq!(error.suggestion, Some(Suggestion::Classes));
    assert!(error.to_string().contains("these look like classes"), "{error}");
    assert_eq!(read(&y(), "a,y\n1,True\n2,False\n").unwrap_err().suggestion, Some(Suggestion::Classes));
}

// ---- Missing values

#[test]
fn missing_values_of_many_programs() {
    for word in [
        "", "NA", "<NA>", "#N/A", "#DIV/0!", "\\N", "NULL", "None", "-", "--", ".", "-nan", "-1.#IND",
        "missing", "\u{2014}", "\u{2212}", "NaT", "#NV", "#N/D", "(null)", "<NULL>",
    ] {
        let data = read(&y().missing(Missing::DropRows), &format!("a,y\n1,2\n{word},3\n4,5\n"));
        assert_eq!(data.unwrap().rows(), 2, "{word}");
    }
    let error = trial("11_missing_dash.csv", &y()).unwrap_err().to_string();
    assert!(error.contains("59 of the column's 60 cells are numbers"), "{error}");
    // A marker of one's own.
    let text = table("a,y", 20, |i| if i == 7 { "k.A.,1".into() } else { format!("{i},2") });
    let error = fails(&y(), &text);
    assert!(error.contains("`k.A.` is not a number; 19 of the column's 20 cells are numbers"), "{error}");
    assert!(error.contains(".missing_markers(&[\"k.A.\"])"), "{error}");
    let csv = y().missing_markers(&["k.A."]).missing(Missing::DropRows);
    assert_eq!(read(&csv, &text).unwrap().rows(), 19);
    // A number that stands for a missing value, however it is written.
    let csv = y().missing_markers(&["-999"]).missing(Missing::DropRows);
    assert_eq!(read(&csv, "a,y\n-999,1\n-999.0,1\n-9.99e2,1\n999,1\n").unwrap().rows(), 1);
}

#[test]
fn a_class_may_be_called_na_and_dropped_rows_are_counted_by_class() {
    let text = "x,kind\n1,NA\n2,EU\n?,NA\n4,EU\n,EU\n";
    let csv = Csv::new("kind").missing(Missing::DropRows);
    let classes = |csv: &Csv| csv.read_classes::<f64>(text.as_bytes(), "table").unwrap();
    assert_eq!(classes(&csv).classes(), ["EU"]);
    let data = classes(&csv.clone().missing_markers(&["?"]));
    assert_eq!((data.classes(), data.rows()), (&["EU".to_string(), "NA".to_string()][..], 3));
    let note = data.notes()[0].to_string();
    assert_eq!(note, "2 of 5 rows dropped for a missing value: 1 of 2 of class `NA`, 1 of 3 of class `EU`");
    let error = Csv::new("kind").read_classes::<f64>("x,kind\n1,NA\n2,EU\n".as_bytes(), "table").unwrap_err();
    assert_eq!(error.suggestion, Some(Suggestion::LabelMarker));
    // A list of 20 classes is long enough.
    let text = table("x,kind", 100, |i| if i < 25 { format!(",c{i}") } else { format!("1,c{}", i % 25) });
    let note = csv.read_classes::<f64>(text.as_bytes(), "table").unwrap().notes()[0].to_string();
    assert_eq!(note.matches("1 of 4 of class").count(), 20, "{note}");
    assert!(note.ends_with(" and rows of 5 more classes"), "{note}");
    // Words that are missing as numbers are classes like others.
    let data =
        Csv::new("kind").read_classes::<f64>("x,kind\n1,-\n2,+\n3,None\n".as_bytes(), "table").unwrap();
    assert_eq!(data.classes(), ["+", "-", "None"]);
}

// ---- Numbers

#[test]
fn numbers_as_people_write_them() {
    for (csv, cell, value) in [
        (y(), "\u{2212}1.5", -1.5),
        (y(), "\u{a0}1.5\u{202f}", 1.5),
        (y().decimal_comma(true), "\"18,5\"", 18.5),
        (y().decimal_comma(true).ignore_in_numbers("."), "\"-1.234.567,25\"", -1_234_567.25),
        (y().ignore_in_numbers(" "), "1\u{202f}234.5", 1234.5),
        (y().ignore_in_numbers("%"), "12 %", 12.0),
        (y().ignore_in_numbers("$,"), "\"-$1,234\"", -1234.0),
        (y().ignore_in_numbers("()$,"), "\"($1,234)\"", -1234.0),
        (y().ignore_in_numbers("-"), "1234.5-", -1234.5),
        (y(), "0.15D+03", 150.0),
    ] {
        let data = read(&csv, &format!("a,y\n{cell},1\n")).unwrap_or_else(|error| panic!("{cell}: {error}"));
        assert_eq!(data.x()[[0, 0]], value, "{cell}");
    }
    // Refused without the option, by a message that names a reading which works; nobody is told to
    // drop the column.
    for (cell, advice) in [
        ("\"18,5\"", ".decimal_comma(true) reads 18.5"),
        ("12%", ".ignore_in_numbers(\"%\") reads 12"),
        ("€ 5", ".ignore_in_numbers(\"€ \") reads 5"),
        ("1\u{a0}234", ".ignore_in_numbers(\" \") reads 1234"),
        ("1'234", ".ignore_in_numbers(\"'\") reads 1234"),
        ("(12.5)", ".ignore_in_numbers(\"()\") reads -12.5"),
        ("12.5-", ".ignore_in_numbers(\"-\") reads -12.5"),
    ] {
        let error = fails(&y(), &format!("a,y\n{cell},1\n"));
        assert!(error.contains(advice) && !error.contains("drop"), "{error}");
    }
}

#[test]
fn numbers_in_another_notation_are_not_left_out_as_text() {
    // Behind a column of words, and in most cells: the advice to leave out text must not name them.
    for (cells, advice) in [
        (["(1.5)", "2"], ".ignore_in_numbers(\"()\") reads -1.5"),
        (["\"1,234\"", "\"(4,345)\""], ".ignore_in_numbers(\",()\") reads 1234"),
        (["5%", "7 %"], ".ignore_in_numbers(\"%\") reads 5"),
        (["USD 5", "USD 7"], ".ignore_in_numbers(\"USD \") reads 5"),
    ] {
        let text = table("word,a,y", 12, |i| format!("w{},{},{}", i % 3, cells[usize::from(i == 4)], i));
        let error = read(&y(), &text).unwrap_err();
        let Some(Suggestion::DropColumns(columns)) = &error.suggestion else { panic!("{error}") };
        assert_eq!(columns.len(), 1, "{error}");
        let error = fails(&y().drop_columns(["word"]), &text);
        assert!(error.contains(advice), "{error}");
    }
    // Names that begin or end like numbers with a unit are words.
    let text = table("a,b,y", 12, |i| format!("{}{},{i},{i}", i, ["A", "B"][i % 2]));
    let error = fails(&y(), &text);
    assert!(error.contains(".drop_columns([\"a\"])"), "{error}");
}

#[test]
fn a_number_far_from_all_others_may_stand_for_a_missing_value() {
    let cells = |code: &str| table("a,y", 30, |i| format!("{},{i}", if i % 9 == 4 { code } else { "7" }));
    for code in ["-999", "9999", "-99.0", "99999"] {
        let data = read(&y(), &cells(code)).unwrap();
        let value = code.parse::<f64>().unwrap().to_string();
        let expected = format!(
            "column 1 (`a`): {value} in 3 cells is far from all other numbers (if it stands for a missing \
             value, use .missing_markers(&[\"{value}\"]))"
        );
        assert!(data.notes().iter().any(|note| note.to_string() == expected), "{code}: {:?}", data.notes());
        let csv = y().missing_markers(&[&value]).missing(Missing::DropRows);
        assert_eq!(read(&csv, &cells(code)).unwrap().rows(), 27, "{code}");
    }
    // Once only, no such number, or among numbers of its size.
    let once = table("a,y", 30, |i| format!("{},{i}", if i == 4 { -999 } else { i as i32 % 7 }));
    let among = table("a,y", 30, |i| format!("{},{i}", -999 + (i as i32 / 4) * 99));
    for text in [once, cells("-998"), among] {
        assert_eq!(read(&y(), &text).unwrap().notes(), [], "{text}");
    }
}

#[test]
fn a_marker_is_suggested_only_if_all_other_cells_are_numbers() {
    let text = |second: &str| {
        let cell =
            |i| [(3, "x"), (7, second)].into_iter().find(|(row, _)| *row == i).map_or("1.5", |cell| cell.1);
        table("a,y", 12, |i| format!("{},{i}", cell(i)))
    };
    let error = fails(&y(), &text("x"));
    assert!(error.contains(".missing_markers(&[\"x\"])"), "{error}");
    let error = fails(&y(), &text("z"));
    assert!(!error.contains("missing_markers"), "{error}");
}

#[test]
fn the_first_cell_that_is_no_number_is_named() {
    for [first, second] in [["yes", "x"], ["x", "yes"]] {
        let error = fails(&y(), &format!("a,y\n1,1\n{first},2\n{second},3\n4,4\n5,5\n"));
        assert!(error.contains(&format!("line 3, column 1 (`a`): `{first}` is not a number")), "{error}");
    }
}

#[test]
fn advice_about_text_depends_on_how_much_of_a_column_is_text() {
    let advice = |cells: &str| {
        let rows: String = cells.split(' ').map(|cell| format!("{cell},1,1\n")).collect();
        read(&y(), &format!("a,b,y\n{rows}")).unwrap_err().suggestion
    };
    let is_text = |advice: &Option<Suggestion>| matches!(advice, Some(Suggestion::DropColumns(columns)) if columns.len() == 1 && columns[0].name == "a");
    // As many numbers as texts are numbers with bad cells.
    assert!(is_text(&advice("1 x y")));
    assert_eq!(advice("1 2 x y"), None);
    // One cell of a text column that is a number in another notation says nothing about the others.
    assert!(is_text(&advice("5% x y z")));
    let percent = advice("1 2 3 4 5% x");
    assert!(
        matches!(&percent, Some(Suggestion::Numbers(formats)) if formats[0].ignored == "%"),
        "{percent:?}"
    );
}

#[test]
fn single_cells_are_read_as_in_a_file() {
    let csv = Csv::default();
    assert_eq!(csv.number("1e3"), Some(1000.0));
    assert!(csv.number("NA").is_some_and(f64::is_nan) && csv.number("-").is_some_and(f64::is_nan));
    assert_eq!((csv.number("x"), csv.number("inf")), (None, None));
    assert!(csv.is_missing("NA") && csv.is_missing("") && !csv.is_missing("-") && !csv.is_missing("5"));
    // Marked numbers are missing, and nothing else then is.
    let csv = csv.missing_markers(&["-999"]);
    assert!(csv.number("-999").is_some_and(f64::is_nan) && csv.is_missing("-999"));
    assert_eq!((csv.number("5"), csv.number("NA")), (Some(5.0), None));
    // Texts of up to 64 characters are looked at.
    let percent =
        |digits: usize| Csv::default().number_formats([format!("{}%", "7".repeat(digits)).as_str()]);
    assert_eq!((percent(63).len(), percent(64).len()), (1, 0));
}

#[test]
fn the_delimiter_that_the_header_holds_most_often_is_found() {
    let csv = Csv::new("y").detect_delimiter();
    for delimiter in [',', ';', '\t', '|'] {
        let text = "a_b_y\n1_2_3\n".replace('_', &delimiter.to_string());
        assert_eq!(read(&csv, &text).unwrap().x(), array![[1.0, 2.0]], "{delimiter:?}");
    }
    assert_eq!(read(&csv, "\"a,b\";c;y\n1;2;3\n").unwrap().feature_names(), ["a,b", "c"]);
}

#[test]
fn truth_values_are_0_and_1() {
    let data = trial("12_bool.csv", &y()).unwrap();
    assert!(data.x().column(1).iter().all(|&member| member == 0.0 || member == 1.0));
    for (x, y) in data.x().rows().into_iter().zip(data.y()) {
        assert!((2.0 * x[0] + 3.0 * x[1] - y).abs() < 1e-9);
    }
    assert!(matches!(&data.notes()[0], Note::Booleans { column } if column.name == "member"));
    let data = read(&y(), "a,y\nYES,1\nno,2\n").unwrap();
    assert_eq!(data.x(), array![[1.0], [0.0]]);
    // A word among numbers is an error.
    assert!(
        fails(&y(), "a,y\n1,1\n2,2\ntrue,3\n").contains("line 4, column 1 (`a`): `true` is not a number")
    );
}

#[test]
fn a_point_that_may_separate_thousands_is_reported() {
    let notes = |cells: &str| {
        let text: String = cells.split(' ').map(|cell| format!("{cell},1\n")).collect();
        read(&y(), &format!("a,y\n{text}")).unwrap().notes().to_vec()
    };
    let note = notes("936 973 1.010 1.047")[0].to_string();
    assert!(note.contains("`1.010` is read as a decimal number, though `936` stands beside it"), "{note}");
    for cells in ["1.010 1.047", "936 973 1.01", "0.936 0.973 1.010", "12 15 1.047", "936 973.5 1.047"] {
        assert_eq!(notes(cells), [], "{cells}");
    }
}

#[test]
fn numbers_keep_their_digits_until_they_are_scaled() {
    let stamps = trial("07_timestamps.csv", &y()).unwrap();
    let shifted = trial("07b_timestamps_shifted.csv", &y()).unwrap();
    assert_eq!(stamps.notes(), []);
    let scaled = |data: &Dataset<f64>| -> Dataset<f32> {
        let scaling = Scaling::fit(data).unwrap();
        assert!(scaling.constant_columns().is_empty());
        scaling.apply(data).unwrap()
    };
    let difference = scaled(&stamps).x().to_owned() - scaled(&shifted).x();
    assert!(difference.iter().all(|difference| difference.abs() < 1e-6), "{difference}");
    // Read as f32 they lose them, and a note says so.
    let narrow = Dataset::<f32>::from_csv(format!("{TRIALS}/07_timestamps.csv"), &y()).unwrap();
    assert!(matches!(&narrow.notes()[0], Note::LostDigits { column } if column.name == "ts"));
    // A constant that is rounded is a constant still.
    let line = |i| format!("{},16777217,0,{i}e-40,{i}.5", 1_700_000_000 + 2 * i * i);
    let text = table("ts,c,zero,tiny,y", 30, line);
    let narrow = y().read::<f32>(text.as_bytes(), "table").unwrap();
    let lost = |note: &Note| match note {
        Note::LostDigits { column } => Some(column.name.clone()),
        _ => None,
    };
    assert_eq!(narrow.notes().iter().filter_map(lost).collect::<Vec<_>>(), ["ts", "tiny"]);
    // Below the range of f32, and as a target.
    let tiny = read(&y(), "a,y\n1e-40,20240101.25\n2e-40,20240101.5\n4e-40,20240101.75\n").unwrap();
    let tiny = scaled(&tiny);
    assert!(tiny.x()[[0, 0]] < -1.0 && tiny.x()[[2, 0]] > 1.3 && tiny.y()[[0, 0]] < -1.2, "{tiny:?}");
}

// ---- Classes

#[test]
fn long_integers_are_classes_of_their_own() {
    let csv = Csv::new("author");
    let data = Dataset::<f32>::from_csv_classes(format!("{TRIALS}/06_big_labels.csv"), &csv).unwrap();
    assert_eq!(data.classes().len(), 4);
    let mut rows = [0; 4];
    data.y().iter().for_each(|&class| rows[class as usize] += 1);
    assert_eq!(rows, [20; 4]);
    let classes = |text: &str| csv.read_classes::<f64>(text.as_bytes(), "table").unwrap().classes().to_vec();
    assert_eq!(classes("x,author\n1,1\n2,1.0\n3,1e0\n4,+1\n5,2\n"), ["1", "2"]);
    // Codes with a leading zero are text.
    assert_eq!(classes("x,author\n1,007\n2,7\n3,7\n"), ["007", "7"]);
}

#[test]
fn a_number_to_predict_is_not_a_class() {
    let csv = Csv::new("y");
    let classes = |text: &str| csv.read_classes::<f64>(text.as_bytes(), "table");
    let error = classes(&table("x,y", 30, |i| format!("1,{}.5", i * i))).unwrap_err();
    assert!(matches!(error.problem, DataProblem::TooManyClasses { classes: 30, rows: 30 }), "{error}");
    assert!(error.to_string().contains("30 different values in 30 rows are not classes"), "{error}");
    assert!(classes(&table("x,y", 30, |i| format!("1,name {i}"))).is_err());
    // Two rows may be of two classes, but three rows with a number each are a regression.
    assert_eq!(classes("x,y\n1,0\n2,1\n").unwrap().classes(), ["0", "1"]);
    assert!(classes("x,y\n1,0\n2,1\n3,2\n").is_err());
    // Twice as many rows as numbers are enough.
    assert_eq!(classes(&table("x,y", 20, |i| format!("1,{}", i % 10))).unwrap().classes().len(), 10);
    assert!(classes(&table("x,y", 20, |i| format!("1,{}", i % 11))).is_err());
    let many = classes(&table("x,y", 90, |i| format!("1,{}", i % 40))).unwrap();
    assert!(matches!(many.notes()[0], Note::ManyClasses { classes: 40, rows: 90 }));
    assert_eq!(classes(&table("x,y", 30, |i| format!("1,{}", i % 10))).unwrap().notes(), []);
}

#[test]
fn a_data_set_keeps_its_classes_and_fill_values_in_parts() {
    let data = Csv::new("kind").missing(Missing::Median);
    let data = data.read_classes::<f64>("x,kind\n1,a\n?,b\n5,a\n9,b\n".as_bytes(), "table").unwrap();
    assert_eq!(data.fill(), Some(&[5.0][..]));
    let (train, test) = data.split(0.5, 1).unwrap();
    assert_eq!((train.classes(), test.fill()), (data.classes(), data.fill()));
    let scaled: Dataset<f32> = Scaling::fit(&data).unwrap().apply(&data).unwrap();
    assert_eq!((scaled.y(), scaled.classes()), (data.cast::<f32>().y(), data.classes()));
    for y in [array![[0.0], [2.0]], array![[0.5], [1.0]], array![[-1.0], [0.0]], array![[f64::NAN], [0.0]]] {
        let error = Dataset::new(Array2::zeros((2, 1)), y).unwrap().with_classes(["a", "b"]).unwrap_err();
        assert!(matches!(error.problem, DataProblem::ClassIndex { classes: 2, .. }), "{error}");
    }
}
