//! The values of the target column, for a program that decides between numbers and classes.

use std::io::Read;

use super::labels::Labels;
use super::options::Csv;
use super::records::CsvBlock;
use super::rows::CsvRows;
use crate::error::data::{DataError, DataProblem};

/// Counts of the values of a target column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetValues {
    /// Rows with a value.
    pub rows: usize,
    /// Different values, as text.
    pub different: usize,
    /// Every value is a number, perhaps in another notation, such as `5%`.
    pub numeric: bool,
}

impl Csv {
    /// Reads the target column alone, for a program that decides between
    /// [`read`](Csv::read) and [`read_classes`](Csv::read_classes). Missing values do not count.
    ///
    /// # Errors
    /// As [`read_classes`](Csv::read_classes), except for missing values and for the number of
    /// classes.
    ///
    /// ```
    /// use geartrain::data::Csv;
    ///
    /// let values = Csv::new("y").target_values("x,y\n1,a\n2,b\n3,a\n".as_bytes(), "table")?;
    /// assert_eq!((values.rows, values.different, values.numeric), (3, 2, false));
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn target_values(&self, source: impl Read + Send, name: &str) -> Result<TargetValues, DataError> {
        let mut sheet = CsvRows::open(self, source, name)?;
        let targets = match sheet.find(&self.targets) {
            Ok(targets) => targets,
            Err(error) => return Err(sheet.look_for_header(&self.targets, error)),
        };
        let &[target] = targets.as_slice() else {
            let columns = sheet.pick(&targets);
            return Err(sheet.error(DataProblem::LabelColumns { columns }));
        };
        let mut labels = Labels::default();
        let mut values = TargetValues { rows: 0, different: 0, numeric: true };
        sheet.read_all(&mut [|block: CsvBlock<'_>| {
            for cell in block.column(target) {
                let text = cell.text();
                let number = self.notation.parse(text).is_some_and(f64::is_finite);
                if !self.notation.is_missing(text, number) {
                    values.rows += 1;
                    values.numeric &= number;
                    labels.number(text);
                }
            }
        }])?;
        let names = (0..labels.len()).map(|number| labels.name(number));
        let numeric = values.numeric || !self.number_formats(names).is_empty();
        Ok(TargetValues { different: labels.len(), numeric, ..values })
    }
}
