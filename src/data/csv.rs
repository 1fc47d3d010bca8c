//! From a CSV file to a data set: which columns, and what to do about missing values.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::Array2;

use super::dataset::Dataset;
use super::error::{DataError, Part};
use super::sheet::Sheet;
use crate::Scalar;

/// What to do about missing values: cells that are empty, or `NA`, `N/A`, `NaN`, `null` or `?` in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// A missing value is an error that names its line and column.
    #[default]
    Error,
    /// Rows with a missing value in a feature or a target are left out.
    DropRows,
    /// A missing feature becomes the mean of the values present in its column. A missing target is an error.
    Mean,
    /// A missing feature becomes the median of the values present in its column. A missing target is an error.
    Median,
}

/// How to read a CSV file: which columns are the target and the features, and what the file looks like.
///
/// By default the first line is a header, cells are separated by commas, every column but the target is a feature, and
/// a missing value is an error.
///
/// Accepted: UTF-8 with or without a byte order mark, any line ends, quoted cells, spaces around cells, blank lines.
/// Cells that are used must be finite numbers with a decimal point, such as `-1.5e3`. Everything else is a
/// [`DataError`] that names the line and the column: text, infinities, numbers too large for `F`, rows of another
/// length, quotes that are never closed, bytes that are not text. A record may be up to
/// [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES) long.
///
/// `Mean` and `Median` are taken over the whole file, before any split: a test set then knows a little about the
/// training set and the other way round. Where that matters, drop the rows.
///
/// ```
/// use geartrain::data::{Csv, Dataset, Missing};
///
/// let text = "height;weight;name\n1.80;81;Ada\n1.65;?;Max\n";
/// let csv = Csv::new("weight").delimiter(b';').drop_columns(["name"]).missing(Missing::DropRows);
/// let people: Dataset<f32> = csv.read(text.as_bytes(), "people")?;
/// assert_eq!((people.rows(), people.feature_names()), (1, &["height".to_string()][..]));
///
/// let error = Csv::new("weight").delimiter(b';').read::<f32>(text.as_bytes(), "people").unwrap_err();
/// assert!(error.to_string().starts_with("people, line 2, column 3 (`name`): `Ada` is not a number"));
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    targets: Vec<String>,
    features: Option<Vec<String>>,
    dropped: Vec<String>,
    pub(super) delimiter: u8,
    pub(super) header: bool,
    pub(super) missing: Missing,
}

impl Csv {
    /// A file in which the column named `target` is to be predicted from all others.
    pub fn new(target: impl Into<String>) -> Self {
        Csv {
            targets: vec![target.into()],
            features: None,
            dropped: Vec::new(),
            delimiter: b',',
            header: true,
            missing: Missing::Error,
        }
    }

    /// Predict these columns, in this order, instead of the single target.
    pub fn targets<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.targets = names.into_iter().map(Into::into).collect();
        self
    }

    /// Use exactly these columns as features, in this order. Other columns may hold anything.
    pub fn features<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.features = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Use every column but the targets and these as features. The columns left out may hold anything.
    pub fn drop_columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.dropped = names.into_iter().map(Into::into).collect();
        self
    }

    /// The ASCII character between cells, such as `b';'` or `b'\t'`. Default: a comma.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Whether the first line names the columns. Without a header they are named `0`, `1`, `2`, … Default: true.
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// What to do about missing values. Default: [`Missing::Error`].
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// Reads a data set from any source of bytes; errors call it `name`. (For a file: [`Dataset::from_csv`].)
    ///
    /// # Errors
    /// Where the source is not as described above, or a column that was asked for is not there.
    pub fn read<F: Scalar>(&self, source: impl Read, name: &str) -> Result<Dataset<F>, DataError> {
        let mut sheet = Sheet::open(self, source, name)?;
        let (features, targets) = self.columns(&sheet)?;
        let (x, y) = sheet.read(&features, &targets)?;
        Dataset::new(x, y)?.named(sheet.pick(&features), sheet.pick(&targets))
    }

    /// The same for a target that holds the labels of classes, text or numbers: the data set, whose `y` is the index of
    /// each row's class, and the names of the classes. (For a file: [`Dataset::from_csv_classes`].)
    ///
    /// The classes are in the order of their names; where every label is a finite number, in the order of the numbers, and
    /// `1` and `1.0` are the same class. Upper and lower case are different. A missing label is a missing target. A
    /// single class is allowed.
    ///
    /// # Errors
    /// As [`read`](Csv::read), and [`DataError::LabelColumns`] for more than one target.
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset};
    /// use ndarray::array;
    ///
    /// let text = "length,kind\n3.9,tench\n0.6,minnow\n4.1,tench\n";
    /// let (fish, classes): (Dataset<f32>, _) = Csv::new("kind").read_classes(text.as_bytes(), "fish")?;
    /// assert_eq!(classes, ["minnow", "tench"]);
    /// assert_eq!(fish.y(), array![[1.0], [0.0], [1.0]]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn read_classes<F: Scalar>(
        &self,
        source: impl Read,
        name: &str,
    ) -> Result<(Dataset<F>, Vec<String>), DataError> {
        let mut sheet = Sheet::open(self, source, name)?;
        let (features, targets) = self.columns(&sheet)?;
        let &[target] = targets.as_slice() else {
            return Err(DataError::LabelColumns { path: name.to_owned(), columns: sheet.pick(&targets) });
        };
        let ((x, y), classes) = sheet.read_classes(&features, target)?;
        Ok((Dataset::new(x, y)?.named(sheet.pick(&features), sheet.pick(&targets))?, classes))
    }

    /// Where the features and the targets are.
    fn columns<R: Read>(&self, sheet: &Sheet<R>) -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let targets = sheet.find(&self.targets)?;
        let dropped = sheet.find(&self.dropped)?;
        let features = match &self.features {
            Some(names) => sheet.find(names)?,
            None => sheet.others(&[&targets, &dropped]),
        };
        sheet.check_once(&[&features, &targets, &dropped])?;
        if targets.is_empty() {
            return Err(sheet.no_columns(Part::Y));
        }
        Ok((features, targets))
    }

    /// Reads only the columns `names`, in this order, as inputs to predict from: rows × columns. The targets need not
    /// be in the file, and [`features`](Csv::features) and [`drop_columns`](Csv::drop_columns) play no part.
    ///
    /// [`Missing::DropRows`] leaves rows out here too, so that the result can have fewer rows than the file, and
    /// [`Missing::Mean`] and [`Missing::Median`] are those of this file.
    ///
    /// # Errors
    /// As [`Dataset::from_csv`].
    ///
    /// ```
    /// use geartrain::data::Csv;
    ///
    /// let x = Csv::new("mpg").load_features::<f32, _>("data/auto-mpg.csv", &["weight", "hp"])?;
    /// assert_eq!(x.dim(), (392, 2));
    /// assert_eq!(x.row(0).to_vec(), [3504.0, 130.0]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn load_features<F: Scalar, S: AsRef<str>>(
        &self,
        path: impl AsRef<Path>,
        names: &[S],
    ) -> Result<Array2<F>, DataError> {
        let (file, path) = open(path.as_ref())?;
        let mut sheet = Sheet::open(self, file, &path)?;
        let features = sheet.find(names)?;
        sheet.check_once(&[&features])?;
        Ok(sheet.read(&features, &[])?.0)
    }
}

/// Opens a file, and gives its path as errors show it.
pub(super) fn open(path: &Path) -> Result<(File, String), DataError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => Ok((file, name)),
        Err(source) => Err(DataError::File { path: name, source }),
    }
}
