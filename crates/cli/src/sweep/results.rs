//! The file of results of a sweep: a comment that holds the [`Study`], the names of the columns,
//! and a row per job.
//!
//! While the sweep runs, rows are appended in the order in which jobs end. A process that is killed
//! loses the rows of its running jobs, and leaves at most one incomplete line. At the end, the file
//! is replaced by one with its rows in the order of the jobs.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::study::Study;
use crate::failure::{Failure, Outcome};
use crate::output;

/// The first line begins with this, and continues with the study as JSON.
const MARK: &str = "# geartrain sweep ";

/// A share of the jobs: every `of`-th, from the one with the index `index` on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl Default for Shard {
    /// All jobs.
    fn default() -> Self {
        Shard { index: 0, of: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = |(k, n): (&str, &str)| Some((k.parse::<usize>().ok()?, n.parse::<usize>().ok()?));
        match text.split_once('/').and_then(numbers) {
            Some((k, of)) if (1..=of).contains(&k) => Ok(Shard { index: k - 1, of }),
            _ => Err("write K/N with whole numbers 1 ≤ K ≤ N, such as 3/16".into()),
        }
    }
}

/// The results of a sweep so far, in memory and in their file.
pub struct Results {
    path: PathBuf,
    study: Study,
    /// The rows by job, without line ends.
    rows: BTreeMap<usize, String>,
    shard: Shard,
    /// Open to append; `None` before the first row.
    file: Option<File>,
    quiet: bool,
}

impl Results {
    /// The results in the file at `path`, or none if there is no file.
    pub(super) fn open(path: &Path, study: Study, shard: Shard, quiet: bool) -> Outcome<Self> {
        output::check_writable([path], [])?;
        let rows = match fs::read_to_string(path) {
            Ok(text) => {
                let (found, rows) = parse(&text, path)?;
                if found != study {
                    return Err(Failure::option(format!(
                        "{} holds another sweep; choose another --out, or delete it\n  it holds {}\n  this is  {}",
                        path.display(),
                        header(&found),
                        header(&study)
                    )));
                }
                rows
            }
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(Failure::other(format!("{}: {error}", path.display()))),
        };
        Ok(Results { path: path.to_owned(), study, rows, shard, file: None, quiet })
    }

    /// The settings of the sweep.
    pub(super) fn study(&self) -> &Study {
        &self.study
    }

    /// The rows, in the order of the jobs.
    pub(super) fn rows(&self) -> Vec<&str> {
        self.rows.values().map(String::as_str).collect()
    }

    /// The jobs of this shard without a row, in order.
    pub fn pending(&self) -> Vec<usize> {
        let jobs = (self.shard.index..self.study.jobs()).step_by(self.shard.of);
        jobs.filter(|job| !self.rows.contains_key(job)).collect()
    }

    /// Appends the row of a job to the file. A second row of a job is ignored.
    ///
    /// # Errors
    /// If the row belongs to no job of this sweep, or the file cannot be written.
    pub fn record(&mut self, row: &str) -> Outcome {
        let job =
            job(&self.study, row).ok_or_else(|| Failure::other(format!("not a row of this sweep: {row}")))?;
        if self.rows.contains_key(&job) {
            return Ok(());
        }
        let failed = |error| Failure::other(format!("{}: {error}", self.path.display()));
        if self.file.is_none() {
            // Without the incomplete line that a killed process may have left.
            self.save()?;
            self.file = Some(OpenOptions::new().append(true).open(&self.path).map_err(failed)?);
        }
        if let Some(file) = &mut self.file {
            file.write_all(format!("{row}\n").as_bytes()).map_err(failed)?;
        }
        self.rows.insert(job, row.to_owned());
        let (done, jobs) = (self.rows.len(), self.study.jobs());
        // At most twenty lines.
        if !self.quiet && (done * 20) / jobs != ((done - 1) * 20) / jobs {
            output::note(&format!("{done} of {jobs} jobs"));
        }
        Ok(())
    }

    /// Replaces the file by one with the rows in order.
    pub(super) fn save(&self) -> Outcome {
        let mut text = format!("{}\n{}\n", header(&self.study), self.study.columns());
        for row in self.rows.values() {
            text.push_str(row);
            text.push('\n');
        }
        output::write(&self.path, text)
    }
}

/// Joins the files of shards, which must hold all jobs, in a file at `out`.
pub fn merge(files: &[PathBuf], out: &Path) -> Outcome<Results> {
    let mut merged: Option<(Study, BTreeMap<usize, String>)> = None;
    for path in files {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::other(format!("{}: {error}", path.display())))?;
        let (study, rows) = parse(&text, path)?;
        let Some((first, all)) = &mut merged else {
            merged = Some((study, rows));
            continue;
        };
        if study != *first {
            let (path, first_path) = (path.display(), files[0].display());
            return Err(Failure::other(format!("{path} and {first_path} are of different sweeps")));
        }
        for (job, row) in rows {
            let known = all.entry(job).or_insert_with(|| row.clone());
            if *known != row {
                let path = path.display();
                return Err(Failure::other(format!(
                    "{path}: job {job} has another result in an earlier file"
                )));
            }
        }
    }
    let (study, rows) = merged.ok_or_else(|| Failure::option("give the files to merge"))?;
    let results =
        Results { path: out.to_owned(), study, rows, shard: Shard::default(), file: None, quiet: true };
    let missing = results.pending();
    if !missing.is_empty() {
        let some: Vec<String> = missing.iter().take(10).map(usize::to_string).collect();
        let more = if missing.len() > some.len() { ", …" } else { "" };
        return Err(Failure::other(format!(
            "{} of {} jobs are missing: {}{more}; run the command of their shard again",
            missing.len(),
            results.study.jobs(),
            some.join(", ")
        )));
    }
    results.save()?;
    Ok(results)
}

fn header(study: &Study) -> String {
    format!("{MARK}{}", serde_json::to_string(study).expect("names and finite numbers"))
}

/// The study and the complete rows of a file. The last line counts only with its line end.
fn parse(text: &str, path: &Path) -> Outcome<(Study, BTreeMap<usize, String>)> {
    let wrong = |line: usize, what: &str| Failure::other(format!("{}, line {line}: {what}", path.display()));
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let study = lines.next().and_then(|line| line.strip_prefix(MARK));
    let study = study.ok_or_else(|| wrong(1, "not the results of a sweep: choose another file"))?;
    let study: Study = serde_json::from_str(study).map_err(|error| wrong(1, &error.to_string()))?;
    if lines.next() != Some(study.columns()) {
        return Err(wrong(2, &format!("expected the columns {}", study.columns())));
    }
    let mut rows = BTreeMap::new();
    for (i, line) in lines.enumerate() {
        let job = job(&study, line).ok_or_else(|| wrong(i + 3, "not a row of this sweep"))?;
        rows.insert(job, line.to_owned());
    }
    Ok((study, rows))
}

/// The job of a row: its number, settings and number of cells must be those of the study.
fn job(study: &Study, row: &str) -> Option<usize> {
    let job = row.split(',').next()?.parse().ok().filter(|&job| job < study.jobs())?;
    let results = row.strip_prefix(&study.setting(job))?;
    let fits = results.starts_with(',') && row.split(',').count() == study.columns().split(',').count();
    fits.then_some(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_several() {
        assert_eq!("3/16".parse(), Ok(Shard { index: 2, of: 16 }));
        for wrong in ["", "3", "0/4", "5/4", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
