//! Arrays of NumPy as tables.

#![cfg(feature = "npy")]

use geartrain::io::{TensorFile, npy};
use geartrain_tables::{ColumnType, Error, Table};
use ndarray::{Array3, array};

#[test]
fn arrays_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    npy::save(&path, array![[1.5, f64::NAN], [2.0, 7.0], [3.0, 9.0]].view().into_dyn()).unwrap();
    let table = Table::read_npy(&path).unwrap();
    assert_eq!((table.rows(), table.names()), (3, vec!["column 1".to_string(), "column 2".into()]));
    assert_eq!(table.column("column 2").unwrap().missing(), 1);
    assert_eq!(table.column("column 1").unwrap().column_type(), ColumnType::Number);
    npy::save(&path, array![4.0_f32, 5.0].view().into_dyn()).unwrap();
    assert_eq!(Table::read_npy(&path).unwrap().column("column 1").unwrap().text(1).unwrap(), "5");

    let mut file = TensorFile::new();
    file.insert("x", array![[1.0, 2.0], [3.0, 4.0]].view().into_dyn()).unwrap();
    file.insert("y", array![5.0, 6.0].view().into_dyn()).unwrap();
    let path = folder.path().join("a.npz");
    file.save_npz(&path).unwrap();
    let table = Table::read_npz(&path).unwrap();
    assert_eq!(table.names(), ["x 1", "x 2", "y"]);
    assert_eq!(table.column("x 2").unwrap().text(1).unwrap(), "4");
}

#[test]
fn arrays_that_are_no_tables_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    npy::save(&path, Array3::<f64>::zeros((2, 2, 2)).view().into_dyn()).unwrap();
    let error = Table::read_npy(&path).unwrap_err().to_string();
    assert_eq!(error, "dimensions of an array must be 1 or 2, got 3 in `column`");
    npy::save(&path, array![[1.0], [f64::INFINITY]].view().into_dyn()).unwrap();
    assert!(matches!(Table::read_npy(&path), Err(Error::Value { row: 2, .. })));
    let mut file = TensorFile::new();
    file.insert("x", array![1.0, 2.0].view().into_dyn()).unwrap();
    file.insert("y", array![5.0].view().into_dyn()).unwrap();
    let path = folder.path().join("a.npz");
    file.save_npz(&path).unwrap();
    assert!(matches!(Table::read_npz(&path), Err(Error::ColumnLength { .. })));
    assert!(Table::read_npz(folder.path().join("none.npz")).is_err());
}
