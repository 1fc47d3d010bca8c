//! From a file to a data set, and to inputs to predict from.

use std::any::type_name;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::Array2;

use super::super::dataset::Dataset;
use super::super::gaps::Gaps;
use super::super::note::{IndexKind, Note};
use super::column::{Bad, Reader, Role, Values, is_index_name, matrix};
use super::labels::Labels;
use super::options::{Csv, Missing};
use super::rows::CsvRows;
use crate::Scalar;
use crate::error::data::{DataError, DataProblem, Part, Place};
use crate::error::suggestion::Suggestion;

/// Inputs to predict from, and remarks about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs<F> {
    /// Rows × features, one row for each of the file. A gap that was not filled is NaN.
    pub x: Array2<F>,
    /// Gaps and how they were filled.
    pub notes: Vec<Note>,
}

impl<F: Scalar> Dataset<F> {
    /// The chosen columns of a CSV file; see [`Csv`] for what is accepted.
    ///
    /// # Errors
    /// [`DataProblem::File`] if the file cannot be opened or read, and as [`Csv::read`].
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset};
    ///
    /// let csv = Csv::new("mpg").drop_columns(["name"]);
    /// let cars = Dataset::<f64>::from_csv("data/auto-mpg.csv", &csv)?;
    /// assert_eq!((cars.rows(), cars.features()), (392, 7));
    /// assert_eq!(cars.feature_names()[..3], ["cyl", "displ", "hp"]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn from_csv(path: impl AsRef<Path>, options: &Csv) -> Result<Self, DataError> {
        let (file, path) = open(path.as_ref())?;
        options.read(file, &path)
    }

    /// The chosen columns of a CSV file whose target holds class labels: `y` is the index of each
    /// row's class in [`classes`](Dataset::classes). See [`Csv::read_classes`].
    ///
    /// # Errors
    /// [`DataProblem::File`] if the file cannot be opened or read, and as [`Csv::read_classes`].
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset};
    ///
    /// let irises = Dataset::<f32>::from_csv_classes("data/iris.csv", &Csv::new("species"))?;
    /// assert_eq!(irises.classes(), ["setosa", "versicolor", "virginica"]);
    /// assert_eq!((irises.y()[[0, 0]], irises.y()[[149, 0]]), (0.0, 2.0));
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn from_csv_classes(path: impl AsRef<Path>, options: &Csv) -> Result<Self, DataError> {
        let (file, path) = open(path.as_ref())?;
        options.read_classes(file, &path)
    }
}

impl Csv {
    /// Reads a data set from any source of bytes; errors call it `name`. For a file:
    /// [`Dataset::from_csv`].
    ///
    /// # Errors
    /// Faults of the source (see [`Csv`]), and columns that do not exist.
    pub fn read<F: Scalar>(&self, source: impl Read + Send, name: &str) -> Result<Dataset<F>, DataError> {
        let mut table = Table::open(self, source, name)?;
        let mut targets: Vec<Values> = table.targets.iter().map(|_| Values::default()).collect();
        let columns = targets.iter_mut().zip(table.targets.clone());
        table.read_rows::<F>(
            columns.map(|(values, column)| values.reader::<F>(column, &self.notation, Role::Target)),
        )?;
        table.choose_features();
        table.check::<F>(&targets, None)?;
        let kept = table.kept_rows(|row| targets.iter().any(|target| target.values[row].is_nan()))?;
        if kept.len() < table.rows {
            let (dropped, rows) = (table.rows - kept.len(), table.rows);
            table.notes.push(Note::DroppedRows { dropped, rows, classes: Vec::new() });
        }
        let y = matrix(targets.iter().map(|target| &target.values[..]), &kept);
        for (values, &column) in targets.iter().zip(&table.targets) {
            table.notes.extend(suspicions::<F, _>(values, &table.sheet, column));
        }
        table.finish(y, &kept)
    }

    /// Reads a data set whose target holds class labels, text or numbers: `y` is the index of each
    /// row's class in [`Dataset::classes`]. For a file: [`Dataset::from_csv_classes`].
    ///
    /// Classes are sorted by name; if every label is a number, by value, and `1` and `1.0` are the
    /// same class. Numbers of any length stay apart. Case matters. A single class is allowed.
    ///
    /// # Errors
    /// As [`read`](Csv::read); [`DataProblem::LabelColumns`] for several targets;
    /// [`DataProblem::TooManyClasses`] if the labels are as many as the rows, or nearly.
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset};
    /// use ndarray::array;
    ///
    /// let text = "length,kind\n3.9,tench\n0.6,minnow\n4.1,tench\n";
    /// let fish: Dataset<f32> = Csv::new("kind").read_classes(text.as_bytes(), "fish")?;
    /// assert_eq!(fish.classes(), ["minnow", "tench"]);
    /// assert_eq!(fish.y(), array![[1.0], [0.0], [1.0]]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn read_classes<F: Scalar>(
        &self,
        source: impl Read + Send,
        name: &str,
    ) -> Result<Dataset<F>, DataError> {
        let mut table = Table::open(self, source, name)?;
        let &[target] = table.targets.as_slice() else {
            let columns = table.sheet.pick(&table.targets);
            return Err(table.sheet.error(DataProblem::LabelColumns { columns }));
        };
        let (mut labels, mut numbers) = (Labels::default(), Vec::new());
        let mut missing: Option<Bad> = None;
        let reader: Reader<'_> = Box::new(|block| {
            for (line, cell) in block.lines().zip(block.column(target)) {
                let text = cell.text();
                let is_missing = self.notation.is_missing(text, false);
                if is_missing && missing.is_none() {
                    missing = Some(Bad { row: numbers.len(), line, text: text.to_owned() });
                }
                numbers.push((!is_missing).then(|| labels.number(text)));
            }
        });
        table.read_rows::<F>([reader])?;
        table.choose_features();
        table.check::<F>(&[], missing.as_ref().map(|missing| (target, missing)))?;
        let kept = table.kept_rows(|row| numbers[row].is_none())?;
        if kept.len() < table.rows {
            table.notes.push(dropped_rows(&labels, &numbers, &kept));
        }
        let mut used = vec![false; labels.len()];
        for &row in &kept {
            used[numbers[row].expect("rows without a label are dropped")] = true;
        }
        let classes = labels.sorted(&used);
        let (count, rows) = (classes.names.len(), kept.len());
        if are_too_many(count, rows, classes.numeric) {
            let problem = DataProblem::TooManyClasses { classes: count, rows };
            return Err(table.sheet.error_in(target, None, problem));
        }
        const MANY: usize = 20;
        if classes.numeric && count > MANY {
            table.notes.push(Note::ManyClasses { classes: count, rows });
        }
        let index = |row: usize| classes.of_number[numbers[row].expect("a label")] as f64;
        let y = Array2::from_shape_fn((rows, 1), |(row, _)| index(kept[row]));
        table.finish(y, &kept)?.with_classes(classes.names)
    }

    /// Reads the columns `names`, in this order, as inputs to predict from. Targets need not exist,
    /// and [`features`](Csv::features) and [`drop_columns`](Csv::drop_columns) have no effect.
    ///
    /// There is a row for every row of the file. A gap becomes the `fill` value of its feature, and
    /// a note says so; with [`Missing::DropRows`] it stays NaN, and the note is that there is no
    /// prediction. Without `fill` values, a gap is an error under any other setting.
    ///
    /// [`Predictor::predict_csv`](crate::Predictor::predict_csv) does this for a model, with its
    /// names and fill values.
    ///
    /// # Errors
    /// As [`Dataset::from_csv`].
    ///
    /// ```
    /// use geartrain::data::Csv;
    ///
    /// let path = "data/auto-mpg.csv";
    /// let cars = Csv::default().load_inputs::<f32, _>(path, &["weight", "hp"], None)?;
    /// assert_eq!(cars.x.dim(), (392, 2));
    /// assert_eq!(cars.x.row(0).to_vec(), [3504.0, 130.0]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn load_inputs<F: Scalar, S: AsRef<str>>(
        &self,
        path: impl AsRef<Path>,
        names: &[S],
        fill: Option<&[f64]>,
    ) -> Result<Inputs<F>, DataError> {
        let (file, path) = open(path.as_ref())?;
        let sheet = CsvRows::open(self, file, &path)?;
        let features = sheet.find(names)?;
        sheet.check_once(&[&features])?;
        if let Some(fill) = fill.filter(|fill| fill.len() != names.len()) {
            let (part, expected, got) = (Part::X, names.len(), fill.len());
            return Err(DataProblem::NameCount { part, expected, got }.into());
        }
        let mut table = Table::new(sheet, features, Vec::new());
        let mut lines = Vec::new();
        let reader: Reader<'_> = Box::new(|block| lines.extend(block.lines()));
        table.read_rows::<F>([reader])?;
        if table.features.is_empty() {
            return Err(table.sheet.no_columns(Part::X));
        }
        table.fill = fill.filter(|_| self.missing != Missing::DropRows).map(<[f64]>::to_vec);
        table.check::<F>(&[], None)?;
        if table.rows == 0 {
            return Err(table.sheet.error(DataProblem::NoRows { dropped: 0 }));
        }
        match table.fill {
            Some(_) => table.fill_gaps(),
            None => {
                let rows = lines.into_iter().enumerate().filter_map(|(row, line)| {
                    let gap = table.x.iter().position(|values| values.values[row].is_nan())?;
                    let column = table.sheet.column(table.features[gap]).name;
                    Some(Note::NoPrediction { row, line, column })
                });
                table.notes = rows.collect();
            }
        }
        let all: Vec<usize> = (0..table.rows).collect();
        Ok(Inputs { x: matrix(table.x.iter().map(|values| &values.values[..]), &all), notes: table.notes })
    }
}

/// Opens a file, and gives its path as errors show it.
pub(super) fn open(path: &Path) -> Result<(File, String), DataError> {
    let name = path.display().to_string();
    // A folder can be opened, but not read.
    let is_folder = path.is_dir().then(|| std::io::Error::other("this is a folder"));
    match is_folder.map_or_else(|| File::open(path), Err) {
        Ok(file) => Ok((file, name)),
        Err(error) => Err(DataError::at(Place::file(name), DataProblem::File(error))),
    }
}

/// The columns that are read, and the options for them.
struct Table<'a, R> {
    sheet: CsvRows<'a, R>,
    features: Vec<usize>,
    targets: Vec<usize>,
    x: Vec<Values>,
    rows: usize,
    fill: Option<Vec<f64>>,
    notes: Vec<Note>,
}

impl<'a, R: Read + Send> Table<'a, R> {
    fn open(options: &'a Csv, source: R, path: &'a str) -> Result<Self, DataError> {
        let sheet = CsvRows::open(options, source, path)?;
        let targets = match sheet.find(&options.targets) {
            Ok(targets) => targets,
            Err(error) => return Err(sheet.look_for_header(&options.targets, error)),
        };
        let dropped = sheet.find_all(&options.dropped)?;
        let features = match &options.features {
            Some(names) => sheet.find(names)?,
            None => sheet.others(&[&targets, &dropped]),
        };
        sheet.check_once(&[&features, &targets, &dropped])?;
        if targets.is_empty() {
            return Err(sheet.no_columns(Part::Y));
        }
        if features.is_empty() {
            return Err(sheet.no_columns(Part::X));
        }
        Ok(Table::new(sheet, features, targets))
    }

    fn new(sheet: CsvRows<'a, R>, features: Vec<usize>, targets: Vec<usize>) -> Self {
        let x = features.iter().map(|_| Values::default()).collect();
        Table { sheet, features, targets, x, rows: 0, fill: None, notes: Vec::new() }
    }

    /// Reads all rows: the features, and what `others` read.
    fn read_rows<'r, F: Scalar>(
        &'r mut self,
        others: impl IntoIterator<Item = Reader<'r>>,
    ) -> Result<(), DataError> {
        let notation = &self.sheet.options().notation;
        let features = self.x.iter_mut().zip(&self.features);
        let read =
            |(values, &column): (&'r mut Values, _)| values.reader::<F>(column, notation, Role::Feature);
        let mut readers: Vec<Reader<'r>> = features.map(read).chain(others).collect();
        self.rows = self.sheet.read_all(&mut readers)?;
        Ok(())
    }

    /// Leaves out the columns that identify rows, unless features were named.
    fn choose_features(&mut self) {
        let options = self.sheet.options();
        if options.features.is_some() || self.rows == 0 {
            return;
        }
        let mut verdicts: Vec<Option<(IndexKind, bool)>> = Vec::new();
        for (values, &column) in self.x.iter().zip(&self.features) {
            let unnamed = self.sheet.is_unnamed(column);
            let named_index = is_index_name(&self.sheet.column(column).name);
            verdicts.push(match values.index_kind(named_index) {
                _ if options.keep_index => None,
                _ if unnamed => Some((IndexKind::Unnamed, true)),
                Some(kind) => Some((kind, named_index)),
                None => None,
            });
        }
        let is_empty = |i: usize| self.sheet.is_unnamed(self.features[i]) && self.x[i].is_empty();
        let stays = |i: usize| !is_empty(i) && !verdicts[i].is_some_and(|(_, leave)| leave);
        let none_stays = !(0..self.x.len()).any(stays);
        let mut kept = Vec::new();
        for (i, verdict) in verdicts.iter().enumerate() {
            let column = self.sheet.column(self.features[i]);
            match *verdict {
                _ if is_empty(i) => {}
                // Left out, unless no other column of numbers remains.
                Some((reason, true)) if !none_stays || self.x[i].is_text() => {
                    self.notes.push(Note::LeftOut { column, reason });
                }
                Some((reason, _)) if self.features.len() > 1 || reason != IndexKind::Counts => {
                    self.notes.push(Note::LooksLikeIndex { column, reason });
                    kept.push(i);
                }
                _ => kept.push(i),
            }
        }
        self.features = kept.iter().map(|&i| self.features[i]).collect();
        self.x = kept.iter().map(|&i| std::mem::take(&mut self.x[i])).collect();
    }

    /// The first cell that cannot be used, as an error. `label` is a missing label.
    fn check<F: Scalar>(&self, targets: &[Values], label: Option<(usize, &Bad)>) -> Result<(), DataError> {
        if self.features.is_empty() {
            return Err(self.sheet.no_columns(Part::X));
        }
        let options = self.sheet.options();
        let drops = options.missing == Missing::DropRows;
        // Inputs to predict from have no targets, and fill values from elsewhere.
        let fills = match self.targets.is_empty() {
            true => self.fill.is_some(),
            false => matches!(options.missing, Missing::Mean | Missing::Median),
        };
        let mut errors: Vec<((usize, usize), DataError)> = Vec::new();
        let columns = self.x.iter().zip(&self.features).map(|column| (column, Role::Feature));
        let columns = columns.chain(targets.iter().zip(&self.targets).map(|column| (column, Role::Target)));
        for ((values, &column), role) in columns {
            let error = |bad: &Bad, problem| self.sheet.error_in(column, Some(bad.line), problem);
            let missing = values.missing.as_ref().filter(|_| !drops && (role == Role::Target || !fills));
            if let Some(bad) = missing {
                let advice =
                    if role == Role::Feature { Suggestion::Missing } else { Suggestion::MissingTarget };
                errors.push(((bad.row, column), error(bad, values.problem(bad, true)).suggest(advice)));
            }
            if let Some(bad) = &values.infinite {
                let problem = DataProblem::NotFiniteCell { text: bad.text.clone(), number: type_name::<F>() };
                errors.push(((bad.row, column), error(bad, problem)));
            }
            if let Some(bad) = values.not_a_number() {
                let advice = self.advice(values, bad, role);
                errors.push(((bad.row, column), error(bad, values.problem(bad, false)).suggest(advice)));
            }
        }
        if let Some((column, bad)) = label.filter(|_| !drops) {
            let problem = DataProblem::MissingCell { text: bad.text.clone(), numbers: 0, cells: self.rows };
            let advice =
                if bad.text.is_empty() { Suggestion::MissingTarget } else { Suggestion::LabelMarker };
            let error = self.sheet.error_in(column, Some(bad.line), problem);
            errors.push(((bad.row, column), error.suggest(advice)));
        }
        match errors.into_iter().min_by_key(|(place, _)| *place) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// What may help where a number was expected.
    fn advice(&self, values: &Values, bad: &Bad, role: Role) -> Option<Suggestion> {
        if let Some(delimiter) = &self.sheet.delimiter {
            return Some(delimiter.clone());
        }
        let options = self.sheet.options();
        let is_words = |values: &Values| values.is_text() && values.formats(&options.notation).is_empty();
        let mut formats = values.formats(&options.notation);
        if formats.is_empty() && !values.is_text() {
            formats = options.notation.formats(&bad.text);
        }
        if !formats.is_empty() {
            return Some(Suggestion::Numbers(formats));
        }
        if !options.header && bad.row == 0 {
            return Some(Suggestion::Header);
        }
        if !values.is_text() {
            return values.marker().map(|marker| Suggestion::MissingMarker(marker.to_owned()));
        }
        if role == Role::Target {
            return Some(Suggestion::Classes);
        }
        let texts = self.x.iter().zip(&self.features).filter(|(values, _)| is_words(values));
        Some(Suggestion::DropColumns(texts.map(|(_, &column)| self.sheet.column(column)).collect()))
    }

    /// The rows that stay, and an error if there is none.
    fn kept_rows(&self, target_is_missing: impl Fn(usize) -> bool) -> Result<Vec<usize>, DataError> {
        let drops = self.sheet.options().missing == Missing::DropRows;
        let is_missing = |row: usize| target_is_missing(row) || self.x.iter().any(|x| x.values[row].is_nan());
        let kept: Vec<usize> = (0..self.rows).filter(|&row| !(drops && is_missing(row))).collect();
        match kept.len() {
            0 => Err(self.sheet.error(DataProblem::NoRows { dropped: self.rows })),
            _ => Ok(kept),
        }
    }

    /// Fills the gaps of the features, and notes it.
    fn fill_gaps(&mut self) {
        let fill = self.fill.iter().flatten();
        for ((values, &column), &value) in self.x.iter_mut().zip(&self.features).zip(fill) {
            let gaps = values.values.iter_mut().filter(|value| value.is_nan());
            let cells = gaps.map(|gap| *gap = value).count();
            if cells > 0 {
                let column = self.sheet.column(column).name;
                self.notes.push(Note::Filled { column, cells, value });
            }
        }
    }

    /// The data set of the kept rows.
    fn finish<F: Scalar>(mut self, y: Array2<f64>, kept: &[usize]) -> Result<Dataset<F>, DataError> {
        let missing = self.sheet.options().missing;
        let fills = matches!(missing, Missing::Mean | Missing::Median);
        if let Some(empty) = self.x.iter().position(Values::is_empty).filter(|_| fills) {
            return Err(self.sheet.error_in(self.features[empty], None, DataProblem::NothingToImpute));
        }
        self.notes.extend(self.sheet.renamed(&self.features));
        for (values, &column) in self.x.iter().zip(&self.features) {
            if values.is_boolean() {
                self.notes.push(Note::Booleans { column: self.sheet.column(column) });
            }
            self.notes.extend(suspicions::<F, _>(values, &self.sheet, column));
        }
        let mut x = matrix(self.x.iter().map(|values| &values.values[..]), kept);
        let gaps = fills.then(|| Gaps::fill_nan(&mut x, missing == Missing::Median));
        for (&column, cells) in self.features.iter().zip(gaps.iter().flat_map(Gaps::counts)) {
            let column = self.sheet.column(column);
            self.notes.extend((cells > 0).then_some(Note::Gaps { column, cells, missing }));
        }
        let y = y.mapv(F::of);
        let names = (self.sheet.pick(&self.features), self.sheet.pick(&self.targets));
        let mut data = Dataset::new(x, y)?.named(names.0, names.1)?;
        data.gaps = gaps;
        data.notes = self.notes;
        Ok(data)
    }
}

/// Notes about numbers that may be other than they seem.
fn suspicions<F: Scalar, R>(values: &Values, sheet: &CsvRows<R>, column: usize) -> Vec<Note>
where
    R: Read,
{
    let column = sheet.column(column);
    let narrow = size_of::<F>() == size_of::<f32>();
    let lost = (narrow && values.loses_digits()).then(|| Note::LostDigits { column: column.clone() });
    let thousands = values.check.thousands().map(|(text, whole)| {
        let (text, whole) = (text.to_owned(), whole.to_owned());
        Note::Thousands { column: column.clone(), text, whole }
    });
    let code = Note::missing_code(&column, &values.values, values.check.range());
    lost.into_iter().chain(thousands).chain(code).collect()
}

/// How many rows were dropped, and of which classes.
fn dropped_rows(labels: &Labels, numbers: &[Option<usize>], kept: &[usize]) -> Note {
    let mut all = vec![0; labels.len()];
    numbers.iter().flatten().for_each(|&number| all[number] += 1);
    let mut lost = all.clone();
    kept.iter().filter_map(|&row| numbers[row]).for_each(|number| lost[number] -= 1);
    let classes = (0..labels.len()).filter(|&number| lost[number] > 0);
    let classes = classes.map(|number| (labels.name(number).to_owned(), lost[number], all[number])).collect();
    Note::DroppedRows { dropped: numbers.len() - kept.len(), rows: numbers.len(), classes }
}

/// Whether labels are too different to be classes: numbers for most rows, or another text for each.
fn are_too_many(classes: usize, rows: usize, numeric: bool) -> bool {
    const FEW_ROWS: usize = 10;
    let all_different = classes == rows && rows > 2;
    match numeric {
        true => all_different || (rows >= FEW_ROWS && 2 * classes > rows),
        false => all_different && rows >= FEW_ROWS,
    }
}
