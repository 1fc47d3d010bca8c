//! CSV files.
//!
//! | file | contents |
//! |---|---|
//! | `options` | [`Csv`]: which columns, and what the file looks like |
//! | `read` | from a file to a data set, and to inputs to predict from |
//! | `target` | [`TargetValues`]: whether the target column holds numbers or classes |
//! | `rows` | [`CsvRows`]: the named columns of a file, and its rows in blocks |
//! | `column` | a column of numbers while it is read |
//! | `labels` | class labels and the order of their indices |
//! | `number` | numbers, truth values and markers of missing values as people write them |
//! | `decimal` | plain decimal numbers, eight characters at a time |
//! | `records` | lines and cells, in bounded memory |

mod column;
mod decimal;
mod labels;
mod number;
mod options;
mod read;
mod records;
mod rows;
mod target;

pub use column::{NumberCheck, is_index_name};
pub use options::{Csv, Missing};
pub use read::Inputs;
pub use records::{CsvBlock, CsvCell, MAX_RECORD_BYTES};
pub use rows::CsvRows;
pub use target::TargetValues;
