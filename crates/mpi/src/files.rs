//! Reading the part of a table that belongs to a rank.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use geartrain::data::{Csv, Dataset};
use geartrain::io::npy;
use ndarray::{Array2, Ix1, Ix2};

use crate::team::{RankError, Team};

/// The rows of this rank of a CSV file with a header line. The ranks read about as many bytes each,
/// in their order. If a cell in quotes may span lines, every rank reads the whole file and keeps
/// its rows.
///
/// `{rank}` in the path stands for the rank: then every rank reads a file of its own.
///
/// With `classes`, the target column holds class labels, which are numbered over all ranks.
///
/// # Errors
/// On every rank, the error of the lowest rank that has one, with the line in the file.
pub fn read_csv(team: &Team, path: &str, csv: &Csv, classes: bool) -> Result<Dataset<f64>, RankError> {
    let own = path.replace("{rank}", &team.rank().to_string());
    let (rank, size) = if own == path { (team.rank(), team.size()) } else { (0, 1) };
    let part = |rank, size| csv_part(&own, rank, size).map_err(|error| format!("{own}: {error}"));
    let (header, rows) = team.agree(part(rank, size))?;
    let is_shared = own == path && team.size() > 1;
    let quotes = is_shared && team.any(rows.contains(&b'"'));
    let rows = if quotes { team.agree(part(0, 1))?.1 } else { rows };
    // How many lines of the file other ranks read before these.
    let lines = rows.iter().filter(|&&byte| byte == b'\n').count();
    let before: usize = match is_shared && !quotes {
        true => team.gather(&[lines])[..team.rank()].iter().flatten().sum(),
        false => 0,
    };
    let source = [header, rows].concat();
    let read = || match classes {
        true => csv.read_classes(&source[..], &own),
        false => csv.read(&source[..], &own),
    };
    let read = read().map_err(|mut error| {
        let line = error.place.as_mut().and_then(|place| place.line.as_mut());
        if let Some(line) = line.filter(|line| **line > 1) {
            *line += before as u64;
        }
        // It names methods, not options.
        error.suggestion = None;
        error.to_string()
    });
    let mut data = team.agree(read)?;
    if quotes {
        data = team.agree(share_of(&data, rank, size))?;
    }
    if classes { number_classes(team, &data) } else { Ok(data) }
}

/// The header line, and the lines of `rank` of `size` ranks: those that begin in its equal share of
/// the bytes.
fn csv_part(path: &str, rank: usize, size: usize) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = BufReader::new(File::open(path)?);
    let end = file.get_ref().metadata()?.len();
    let mut header = Vec::new();
    let first = file.read_until(b'\n', &mut header)? as u64;
    if header.last() != Some(&b'\n') {
        header.push(b'\n');
    }
    // The first line that begins at `place` or later.
    let mut start_of_line = |place: u64| -> std::io::Result<u64> {
        if place <= first {
            return Ok(first);
        }
        file.seek(SeekFrom::Start(place - 1))?;
        Ok(place - 1 + file.skip_until(b'\n')? as u64)
    };
    let place = |rank: usize| first + ((end - first) as u128 * rank as u128 / size as u128) as u64;
    let (start, stop) = (start_of_line(place(rank))?, start_of_line(place(rank + 1))?);
    file.seek(SeekFrom::Start(start))?;
    let mut rows = Vec::new();
    file.take(stop - start).read_to_end(&mut rows)?;
    Ok((header, rows))
}

/// The rows of `rank` of `size` ranks.
fn share_of(data: &Dataset<f64>, rank: usize, size: usize) -> Result<Dataset<f64>, String> {
    let rows: Vec<usize> = (data.rows() * rank / size..data.rows() * (rank + 1) / size).collect();
    data.select(&rows).map_err(|error| error.to_string())
}

/// The same data with class indices among the classes of all ranks, in the order of a single file.
fn number_classes(team: &Team, data: &Dataset<f64>) -> Result<Dataset<f64>, RankError> {
    let names = serde_json::to_vec(data.classes()).unwrap_or_default();
    let all = team.gather(&names);
    let names = all.iter().flat_map(|names| serde_json::from_slice::<Vec<String>>(names).unwrap_or_default());
    // The reader itself decides on the order of classes: let it read each name once.
    let mut text = "x,class\n".to_string();
    names.for_each(|name| text += &format!("0,\"{}\"\n", name.replace('"', "\"\"")));
    let csv = Csv::new("class").keep_index(true);
    let number = || {
        let classes = csv.read_classes::<f64>(text.as_bytes(), "classes").map_err(|e| e.to_string())?;
        let classes = classes.classes();
        let place = |name: &String| classes.iter().position(|known| known == name).unwrap_or(0) as f64;
        let places: Vec<f64> = data.classes().iter().map(place).collect();
        let y = data.y().mapv(|class| places[class as usize]);
        let numbered = Dataset::new(data.x().to_owned(), y).map_err(|error| error.to_string())?;
        let named = numbered.named(data.feature_names(), data.target_names());
        named.and_then(|named| named.with_classes(classes)).map_err(|error| error.to_string())
    };
    team.agree(number())
}

/// The rows of this rank of two `.npy` files: inputs, and targets with one row for each. Every rank
/// reads its rows only, unless an array is in Fortran order.
///
/// # Errors
/// As [`read_csv`].
pub fn read_npy(team: &Team, x: &str, y: &str) -> Result<Dataset<f64>, RankError> {
    let replace = |path: &str| path.replace("{rank}", &team.rank().to_string());
    let (own_x, own_y) = (replace(x), replace(y));
    let read = |path: &str, is_shared: bool| {
        let (rank, size) = if is_shared { (team.rank(), team.size()) } else { (0, 1) };
        npy_part(Path::new(path), rank, size).map_err(|error| format!("{path}: {error}"))
    };
    let read = || {
        let (x, y) = (read(&own_x, own_x == x)?, read(&own_y, own_y == y)?);
        Dataset::new(x, y).map_err(|error| error.to_string())
    };
    team.agree(read())
}

/// Rows of a matrix, or of a vector as one column.
fn npy_part(path: &Path, rank: usize, size: usize) -> Result<Array2<f64>, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut file = File::open(path).map_err(text)?;
    let mut head = [0; 10];
    file.read_exact(&mut head).map_err(text)?;
    // Version 1 has a length of 2 bytes, later versions of 4.
    let mut len = u64::from(u16::from_le_bytes([head[8], head[9]]));
    if head[6] > 1 {
        let mut more = [0; 2];
        file.read_exact(&mut more).map_err(text)?;
        len += u64::from(u16::from_le_bytes(more)) << 16;
    }
    let mut header = Vec::new();
    (&mut file).take(len).read_to_end(&mut header).map_err(text)?;
    let header = String::from_utf8_lossy(&header).into_owned();
    let start = file.stream_position().map_err(text)?;
    let between = |from: &str, to: char| header.split_once(from)?.1.split_once(to).map(|(inside, _)| inside);
    let descr = between("'descr': '", '\'');
    let numbers = |shape: &str| shape.split(',').filter_map(|n| n.trim().parse().ok()).collect::<Vec<u64>>();
    let shape = between("'shape': (", ')').map(numbers);
    let item = descr.and_then(|descr| descr.get(2..)?.parse::<u64>().ok());
    let whole = |path: &Path| npy::load::<f64>(path).map_err(|error| error.to_string());
    let array = match (descr, shape.as_deref(), item) {
        (Some(descr), Some(&[rows, ref rest @ ..]), Some(item))
            if head.starts_with(b"\x93NUMPY") && header.contains("'fortran_order': False") =>
        {
            let [from, to] = [rank, rank + 1].map(|rank| rows * rank as u64 / size as u64);
            let width = rest.iter().product::<u64>() * item;
            file.seek(SeekFrom::Start(start + from * width)).map_err(text)?;
            let rest: String = rest.iter().map(|n| format!(" {n},")).collect();
            let header = format!(
                "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({},{rest}), }}\n",
                to - from
            );
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.as_bytes());
            file.take((to - from) * width).read_to_end(&mut bytes).map_err(text)?;
            npy::parse::<f64>(&bytes).map_err(|problem| problem.to_string())?
        }
        _ => {
            // The reader of whole files says what is wrong, or reads what this does not.
            let all = whole(path)?;
            let rows = all.shape().first().copied().unwrap_or(0);
            let own = (rows * rank / size..rows * (rank + 1) / size).into();
            all.slice_axis(ndarray::Axis(0), own).to_owned()
        }
    };
    let matrix = match array.ndim() {
        1 => array.into_dimensionality::<Ix1>().map(|vector| vector.insert_axis(ndarray::Axis(1))),
        _ => array.into_dimensionality::<Ix2>(),
    };
    matrix.map_err(|_| "expected a matrix, or a vector".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_csv_file_are_its_lines() {
        let path = std::env::temp_dir().join(format!("geartrain-mpi-{}.csv", std::process::id()));
        for text in ["a,b\n1,2\n33,4\n5,666\n7,8\n", "a,b\n1,2\n3,4", "a\n", "a", "a,b\r\n1,2\r\n"] {
            std::fs::write(&path, text).unwrap();
            for size in 1..8 {
                let parts = (0..size).map(|rank| csv_part(path.to_str().unwrap(), rank, size).unwrap());
                let joined: Vec<u8> = parts.flat_map(|(_, rows)| rows).collect();
                let rows = text.split_once('\n').map_or("", |(_, rows)| rows);
                assert_eq!(String::from_utf8(joined).unwrap(), rows, "{size}");
            }
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_parts_of_an_array_are_its_rows() {
        let path = std::env::temp_dir().join(format!("geartrain-mpi-{}.npy", std::process::id()));
        let matrix = Array2::from_shape_fn((7, 3), |(r, c)| (10 * r + c) as f64);
        for transposed in [false, true] {
            let stored =
                if transposed { matrix.t().as_standard_layout().into_owned() } else { matrix.clone() };
            npy::save(&path, stored.view().into_dyn()).unwrap();
            if transposed {
                // the same numbers in Fortran order
                let bytes = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&bytes[..128]).into_owned();
                let fortran = text.replace("False", "True ").replace("(3, 7)", "(7, 3)");
                std::fs::write(
                    &path,
                    [&bytes[..8], &fortran.as_bytes()[fortran.len() - 118..], &bytes[128..]].concat(),
                )
                .unwrap();
                if npy::load::<f64>(&path).is_err() {
                    continue;
                }
            }
            for size in [1, 2, 3, 8] {
                let parts: Vec<_> = (0..size).map(|rank| npy_part(&path, rank, size).unwrap()).collect();
                let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
                assert_eq!(ndarray::concatenate(ndarray::Axis(0), &views).unwrap(), matrix, "{size}");
            }
        }
        std::fs::remove_file(path).unwrap();
    }
}
