//! How to read a CSV file: which columns, and what the file looks like.

use super::number::Notation;
use super::records::CsvCell;
use crate::error::suggestion::NumberFormat;

/// The treatment of missing values: empty cells and [markers](Csv::missing_markers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// A missing value is an error that names its line and column.
    #[default]
    Error,
    /// Rows with a missing feature or target are left out; a [`Note`](super::super::Note) says how
    /// many, and of which classes.
    DropRows,
    /// A missing feature becomes the mean of its column over the training rows. A missing target is
    /// an error.
    Mean,
    /// A missing feature becomes the median of its column over the training rows. A missing target
    /// is an error.
    Median,
}

/// How to read a CSV file: which columns are targets and features, and what the file looks like.
///
/// By default the first line is a header, commas separate the cells, every column but the target is
/// a feature, and a missing value is an error.
///
/// # What is accepted
/// - UTF-8 with or without a byte order mark; lines that end with LF, CR LF or CR; quoted cells,
///   also after a blank; blanks around cells; blank lines; a first line such as `sep=;`; lines
///   before the header that start with `#`; a delimiter too many at the end of every line.
/// - Numbers such as `-1.5e3`; `−` and `–` before a number count as `-`. A decimal comma, thousands
///   separators, currency and percent signs need [`decimal_comma`](Csv::decimal_comma) or
///   [`ignore_in_numbers`](Csv::ignore_in_numbers); the error message says which.
/// - Feature columns of `true` and `false`, or `yes` and `no`, in any case: 1 and 0.
/// - As missing: empty cells, `?`, `NA`, `N/A`, `NaN`, `null`, `<NA>`, `\N`, errors of spreadsheets
///   such as `#N/A`; where a number is expected also `-`, `--`, `.`, `*`, `None`, `missing` and
///   some more. [`missing_markers`](Csv::missing_markers) replaces the list.
///
/// Everything else in a column that is used is a [`DataError`](super::super::DataError) that names
/// line and column: other text, infinities, numbers too large for the type, rows of another length,
/// quotes that are never closed, bytes that are not UTF-8. A record may be up to
/// [`MAX_RECORD_BYTES`](super::super::MAX_RECORD_BYTES) long.
///
/// # Which columns become features
/// Without [`features`](Csv::features), all but the targets and the
/// [dropped](Csv::drop_columns) ones, except columns that identify rows: those without a name, and
/// those called `id`, `index` or the like that count the rows or hold another whole number in every
/// row. [`keep_index`](Csv::keep_index) keeps them. A column without a name goes by its position,
/// `column 3`, which can be used for any column. Of two columns with one name, the second goes by
/// `name.1`. [`Dataset::notes`](super::super::Dataset::notes) lists what was left out or looks
/// suspicious: show it to the user.
///
/// # Precision
/// Numbers are parsed as `f64` and rounded to the type of the data set. Read time stamps and other
/// numbers with many digits as `f64` and let [`Scaling`](super::super::Scaling) round them after
/// scaling.
///
/// # Missing values
/// `Mean` and `Median` are taken over all rows that are read, and again over the training rows when
/// the data set is split or scaled, so that training does not use test rows. The values
/// belong to the data set ([`Dataset::fill`](super::super::Dataset::fill)), and a model trained on
/// it fills the gaps of other files with them.
///
/// ```
/// use geartrain::data::{Csv, Dataset, Missing};
///
/// let text = "height;weight;name\n1.80;81;Ada\n1.65;?;Max\n";
/// let csv = Csv::new("weight").delimiter(b';').drop_columns(["name"]).missing(Missing::DropRows);
/// let people: Dataset<f32> = csv.read(text.as_bytes(), "people")?;
/// assert_eq!((people.rows(), people.feature_names()), (1, &["height".to_string()][..]));
/// assert_eq!(people.notes()[0].to_string(), "1 of 2 rows dropped for a missing value");
///
/// let csv = Csv::new("weight").delimiter(b';');
/// let error = csv.read::<f32>(text.as_bytes(), "people").unwrap_err().to_string();
/// assert!(error.starts_with("people, line 2, column 3 (`name`): `Ada` is not a number"));
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    pub(super) targets: Vec<String>,
    pub(super) features: Option<Vec<String>>,
    pub(super) dropped: Vec<String>,
    /// `None` to find it in the first record.
    pub(super) delimiter: Option<u8>,
    pub(super) header: bool,
    pub(super) comment: Option<u8>,
    pub(super) skip_lines: usize,
    pub(super) keep_index: bool,
    pub(super) missing: Missing,
    pub(super) notation: Notation,
}

impl Default for Csv {
    /// A file without a target, to predict from.
    fn default() -> Self {
        Csv {
            targets: Vec::new(),
            features: None,
            dropped: Vec::new(),
            delimiter: Some(b','),
            header: true,
            comment: None,
            skip_lines: 0,
            keep_index: false,
            missing: Missing::Error,
            notation: Notation { decimal_comma: false, ignored: String::new(), missing: None },
        }
    }
}

impl Csv {
    /// The column `target` is the target, all others are features.
    pub fn new(target: impl Into<String>) -> Self {
        Csv { targets: vec![target.into()], ..Csv::default() }
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

    /// Use every column but the targets and these as features. They may hold anything.
    pub fn drop_columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.dropped = names.into_iter().map(Into::into).collect();
        self
    }

    /// The ASCII character between cells, such as `b';'` or `b'\t'`; `b' '` stands for runs of
    /// blanks and tabs. Default: a comma.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Find the delimiter in the first record: the one of `,`, `;`, tab and `|` that it contains
    /// most often.
    pub fn detect_delimiter(mut self) -> Self {
        self.delimiter = None;
        self
    }

    /// Whether the first line names the columns. Without a header they are named `0`, `1`, `2`, …
    /// Default: true.
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// Skip lines that start with this character, anywhere in the file. Default: only lines that
    /// start with `#`, before the header.
    pub fn comment(mut self, comment: u8) -> Self {
        self.comment = Some(comment);
        self
    }

    /// Skip this many lines at the start of the file, whatever they hold. Default: 0.
    pub fn skip_lines(mut self, lines: usize) -> Self {
        self.skip_lines = lines;
        self
    }

    /// Whether columns that identify rows are features like others. Default: false.
    pub fn keep_index(mut self, keep: bool) -> Self {
        self.keep_index = keep;
        self
    }

    /// The treatment of missing values. Default: [`Missing::Error`].
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// The texts that stand for a missing value, besides the empty cell, instead of those known.
    /// Case does not matter; a number such as `-999` is compared by value.
    ///
    /// With `&[]` only empty cells are missing, so that a class may be called `NA`.
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset, Missing};
    ///
    /// let text = "x,y\n-999,1\n2,3\nNA,4\n";
    /// let csv = Csv::new("y").missing_markers(&["-999", "NA"]).missing(Missing::DropRows);
    /// assert_eq!(csv.read::<f64>(text.as_bytes(), "table")?.rows(), 1);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn missing_markers(mut self, markers: &[&str]) -> Self {
        self.notation.missing = Some(markers.iter().map(|marker| marker.to_string()).collect());
        self
    }

    /// Whether numbers have a decimal comma. A point in a number is then an error, unless it is
    /// [ignored](Csv::ignore_in_numbers). Default: false.
    pub fn decimal_comma(mut self, decimal_comma: bool) -> Self {
        self.notation.decimal_comma = decimal_comma;
        self
    }

    /// Characters to skip in numbers: around them, such as `%` and `$`, and between digits if they
    /// separate groups of three (`,`, `.`, `'`, `_` or a space). A space stands for every kind of
    /// space. A percentage stays what it is: `12%` is 12. Default: none.
    ///
    /// With `()` among them a number in parentheses is negative, and with `-` a number before
    /// a minus, as in accounting.
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset};
    ///
    /// let text = "price;y\n1.234,50 €;1\n-7,00 €;2\n";
    /// let csv = Csv::new("y").delimiter(b';').decimal_comma(true).ignore_in_numbers(".€");
    /// let data: Dataset<f64> = csv.read(text.as_bytes(), "prices")?;
    /// assert_eq!(data.x().column(0).to_vec(), [1234.5, -7.0]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn ignore_in_numbers(mut self, characters: impl Into<String>) -> Self {
        self.notation.ignored = characters.into();
        self
    }

    /// The finite number in a cell, as these options write it; NaN if the cell is missing, and
    /// `None` for any other text. See [`CsvRows`](super::super::CsvRows) for an example.
    #[inline]
    pub fn number<'a>(&self, cell: impl Into<CsvCell<'a>>) -> Option<f64> {
        self.notation.number(cell.into()).map(|(number, _)| number)
    }

    /// The notations in which all `texts` are numbers or missing, if they are not as these options
    /// write them; none if there is no such notation.
    ///
    /// ```
    /// use geartrain::data::Csv;
    ///
    /// let formats = Csv::default().number_formats(["12%", "7.5 %", "NA"]);
    /// assert_eq!((formats[0].ignored.as_str(), formats[0].value.as_str()), ("%", "12"));
    /// assert!(Csv::default().number_formats(["12%", "low"]).is_empty());
    /// ```
    pub fn number_formats<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Vec<NumberFormat> {
        self.notation.common_formats(texts)
    }

    /// Whether a cell of any kind is missing. Where a number is expected, more texts are
    /// [missing](Csv::number).
    pub fn is_missing(&self, text: &str) -> bool {
        self.notation.is_missing(text, false)
    }

    /// The answer to missing values.
    pub(crate) fn missing_policy(&self) -> Missing {
        self.missing
    }
}
