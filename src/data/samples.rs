//! Three small tables as the text of CSV files, for first programs and tests of your own.
//!
//! All are in the public domain (CC0 1.0).
//!
//! ```
//! use geartrain::data::{Csv, samples};
//!
//! let flowers = Csv::new("species").read_classes::<f32>(samples::IRIS.as_bytes(), "iris")?;
//! assert_eq!((flowers.rows(), flowers.features(), flowers.classes().len()), (150, 4, 3));
//! # Ok::<(), geartrain::data::DataError>(())
//! ```

/// 392 cars of the model years 1970 to 1982: `mpg` (miles per US gallon) from seven numbers; `name`
/// is text (D. Donoho and E. Ramos 1982, StatLib).
pub const AUTO_MPG: &str = include_str!("../../data/auto-mpg.csv");

/// 344 penguins, two of them without measurements: `species` from four measurements in mm and g;
/// `island` and `sex` are text
/// ([A. Horst, A. Hill and K. Gorman 2020](https://doi.org/10.5281/zenodo.3960218)).
pub const PENGUINS: &str = include_str!("../../data/penguins.csv");

/// 150 irises: `species` from length and width of sepal and petal in cm (R. A. Fisher 1936).
pub const IRIS: &str = include_str!("../../data/iris.csv");
