//! Reading CSV files: types, missing cells, errors.

use geartrain_tables::{Column, ColumnType, CsvOptions, Error, Table};

fn types(table: &Table) -> Vec<ColumnType> {
    table.columns().map(Column::column_type).collect()
}

#[test]
fn types_follow_the_rule() {
    let mut text = String::from("n,code,day,ok,id,row,same,none,gap\n");
    for i in 0..30 {
        let (code, ok) = (["a1", "b2", "c3"][i % 3], ["Yes", "no", "NO"][i % 3]);
        let (day, gap) = (1 + i % 28, if i % 2 == 0 { "" } else { "x" });
        text += &format!("{}.5,{code},2024-02-{day:02},{ok},user{i},{},7,,{gap}\n", i * 3, i + 1);
    }
    let table = Table::parse_csv(text.as_bytes()).unwrap();
    use ColumnType::*;
    // A single level with gaps tells something: whether the cell is there.
    assert_eq!(
        types(&table),
        [Number, Category, Date, YesNo, Identifier, Identifier, Constant, Constant, Category]
    );
    let shown = table.to_string();
    assert!(shown.contains("  id    identifier  30 different texts in 30 rows: left out"), "{shown}");
    assert!(shown.contains("always 7"), "{shown}");
}

#[test]
fn few_rows_have_no_identifiers() {
    let table = Table::parse_csv(b"a,b\n1,x\n2,y\n3,z\n").unwrap();
    assert_eq!(types(&table), [ColumnType::Number, ColumnType::Category]);
}

#[test]
fn missing_markers_are_an_option() {
    let text = b"a,b\n1,NA\n?,x\n~,y\n";
    let table = Table::parse_csv(text).unwrap();
    assert_eq!((table.column("a").unwrap().missing(), table.column("b").unwrap().missing()), (1, 1));
    assert_eq!(table.column("a").unwrap().column_type(), ColumnType::Category);
    let table = CsvOptions::new().missing(["~", "?"]).parse(text).unwrap();
    assert_eq!((table.column("a").unwrap().missing(), table.column("b").unwrap().missing()), (2, 0));
}

#[test]
fn text_after_numbers_keeps_the_first_cells_as_they_are() {
    let table = Table::parse_csv(b"zip,day,n\n007,2024-01-01,1.50\n1e3,2024-01-02,2\nabc,soon,3\n").unwrap();
    let zip = table.column("zip").unwrap();
    assert_eq!([0, 1, 2].map(|row| zip.text(row).unwrap()), ["007", "1e3", "abc"]);
    assert!(zip.reason().contains("row 3 holds `abc`"), "{}", zip.reason());
    assert_eq!(table.column("day").unwrap().text(0).unwrap(), "2024-01-01");
    assert_eq!(table.column("n").unwrap().text(0).unwrap(), "1.5");
}

#[test]
fn numbers_are_finite() {
    let table = Table::parse_csv(b"a,b,c\n1,inf,1e999\n2,2,3\n").unwrap();
    assert_eq!(types(&table), [ColumnType::Number, ColumnType::Category, ColumnType::Category]);
    let error = Column::numbers("a", vec![1.0, f64::INFINITY]).unwrap_err();
    assert!(error.to_string().contains("column `a`, row 2"), "{error}");
}

#[test]
fn delimiters_quotes_spaces_and_a_byte_order_mark() {
    let table =
        Table::parse_csv("\u{feff}a;b ;\"c;d\"\r\n 1; x ;\"two\nlines\"\r\n2;\"\";z\r\n".as_bytes()).unwrap();
    assert_eq!(table.names(), ["a", "b", "c;d"]);
    assert_eq!(table.column("b").unwrap().text(0).unwrap(), "x");
    assert_eq!(table.column("b").unwrap().missing(), 1);
    assert_eq!(table.column("c;d").unwrap().text(0).unwrap(), "two\nlines");
    let table = CsvOptions::new().delimiter(b'#').parse(b"a#b\n1#2\n").unwrap();
    assert_eq!(table.names(), ["a", "b"]);
    // As pandas writes an index.
    assert_eq!(Table::parse_csv(b",a\n0,5\n1,6\n").unwrap().names(), ["column 1", "a"]);
}

#[test]
fn chosen_types_are_kept_or_refused() {
    let options = CsvOptions::new()
        .column_type("zip", ColumnType::Category)
        .column_type("day", ColumnType::Date)
        .column_type("absent", ColumnType::Number)
        .date_format("%d.%m.%Y");
    let table = options.parse(b"zip,day\n007,29.02.2024\n008,01.03.2024\n").unwrap();
    assert_eq!(types(&table), [ColumnType::Category, ColumnType::Date]);
    assert_eq!(table.column("zip").unwrap().text(0).unwrap(), "007");
    assert_eq!(table.column("day").unwrap().text(1).unwrap(), "2024-03-01");

    let error = CsvOptions::new().column_type("a", ColumnType::Number).parse(b"a\n1\nx\n").unwrap_err();
    assert_eq!(error.to_string(), "column `a` must be a number: row 2 (from 1) holds `x`");
    let table = Table::parse_csv(b"a\n1\n2\n").unwrap();
    assert!(matches!(table.clone().with_type("a", ColumnType::Date), Err(Error::WrongType { .. })));
    let table = table.with_type("a", ColumnType::Category).unwrap();
    assert_eq!(table.column("a").unwrap().reason(), "chosen by the user");
}

#[test]
fn errors_name_the_place() {
    let message = |text: &[u8]| Table::parse_csv(text).unwrap_err().to_string();
    assert_eq!(message(b"a,b\n1,2\n3\n"), "(bytes), line 3: expected 2 cells, got 1");
    let error = message(b"a,b\n1,\xff\n");
    assert!(error.starts_with("(bytes), line 2: byte 3: 0xff is not part of a character"), "{error}");
    let error = Table::read_csv("/nowhere/at-all.csv").unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/at-all.csv: "), "{error}");
    let error = Table::read_csv(std::env::temp_dir()).unwrap_err().to_string();
    assert!(error.ends_with("this is a folder"), "{error}");
    let table = Table::parse_csv(b"a,b\n1,2\n").unwrap();
    let error = table.column("c").unwrap_err().to_string();
    assert_eq!(error, "there is no column `c`; the columns are `a`, `b`");
    let [a, b] = [("a", vec![1.0]), ("b", vec![1.0, 2.0])].map(|(n, v)| Column::numbers(n, v).unwrap());
    assert_eq!(Table::new([a.clone(), b]).unwrap_err().to_string(), "column `b`: expected 1 rows, got 2");
    assert_eq!(Table::new([a.clone(), a]).unwrap_err().to_string(), "two columns are called `a`");
}

#[test]
fn empty_files_are_empty_tables() {
    assert_eq!(Table::parse_csv(b"").unwrap().columns().len(), 0);
    let table = Table::parse_csv(b"a,b\n").unwrap();
    assert_eq!((table.rows(), table.columns().len()), (0, 2));
    assert_eq!(types(&table), [ColumnType::Constant; 2]);
}
