//! Arrays of NumPy in `.npy` files, with their shapes and number types.
//!
//! The crate `ndarray-npy` reads less: no `f16`, no integers as floating-point numbers, no headers
//! of Python 2 such as `(2L, 3L)`. It allocates what a header claims, and a claim of terabytes
//! aborts the program; it adds 44 crates.

use std::io::Read;
use std::path::Path;

use ndarray::{ArrayD, ArrayViewD, IxDyn, ShapeBuilder};

use super::number::{self, Dtype};
use super::tensors::{Tensor, open_file};
use super::{FileProblem, TensorFile, atomic};
use crate::{Error, Scalar};

const FORMAT: &str = "npy";
const MAGIC: &[u8] = b"\x93NUMPY";

/// The limit of the numbers of one array: 4 GiB. In an archive, a few compressed bytes may claim
/// any size.
pub const MAX_ARRAY_BYTES: u64 = 4 << 30;

/// Reads the array in the file at `path`, in C or Fortran order and of any byte order.
/// Floating-point numbers, integers and booleans are rounded to `F`.
///
/// # Errors
/// [`Error::File`] with [`FileProblem::Format`] for anything else, such as pickled objects and
/// several arrays.
pub fn load<F: Scalar>(path: impl AsRef<Path>) -> Result<ArrayD<F>, Error> {
    let read = |path: &Path| {
        let (file, len) = open_file(path)?;
        parse_from(file, len)
    };
    let tensor = read(path.as_ref()).map_err(|problem| problem.at(&path))?;
    Ok(array(tensor).map_err(|problem| problem.at(path))?)
}

/// Reads all arrays of the file at `path`, one after the other, as NumPy writes them with several
/// calls of `save` on one open file.
///
/// # Errors
/// As [`load`].
pub fn load_all<F: Scalar>(path: impl AsRef<Path>) -> Result<Vec<ArrayD<F>>, Error> {
    let read = |path: &Path| {
        let (mut file, mut len) = open_file(path)?;
        let mut arrays = Vec::new();
        while arrays.is_empty() || len > 0 {
            let (tensor, used) = read_one(&mut file, len)?;
            arrays.push(array(tensor)?);
            len -= used;
        }
        Ok(arrays)
    };
    Ok(read(path.as_ref()).map_err(|problem: FileProblem| problem.at(path))?)
}

/// [`load`] for bytes in memory.
///
/// # Errors
/// [`FileProblem::Format`].
///
/// ```
/// use geartrain::io::npy;
/// use ndarray::array;
/// let bytes = npy::to_bytes(array![[1.0_f64, 2.0], [3.0, 4.0]].view().into_dyn());
/// assert_eq!(npy::parse::<f32>(&bytes)?, array![[1.0, 2.0], [3.0, 4.0]].into_dyn());
/// # Ok::<(), geartrain::io::FileProblem>(())
/// ```
pub fn parse<F: Scalar>(bytes: &[u8]) -> Result<ArrayD<F>, FileProblem> {
    array(parse_from(bytes, bytes.len() as u64)?)
}

/// Writes `array` as a `.npy` file of `f32` or `f64`, whole or not at all ([`atomic::write`]).
///
/// # Errors
/// As [`atomic::write`].
pub fn save<F: Scalar>(path: impl AsRef<Path>, array: ArrayViewD<F>) -> Result<(), Error> {
    Ok(atomic::write(path, &to_bytes(array))?)
}

/// The contents of the file that [`save`] writes.
pub fn to_bytes<F: Scalar>(array: ArrayViewD<F>) -> Vec<u8> {
    let bytes = number::encode(array.iter().copied());
    encode(&Tensor { dtype: number::dtype::<F>(), shape: array.shape().to_vec(), bytes })
        .expect("NumPy has f32 and f64")
}

fn array<F: Scalar>(tensor: Tensor) -> Result<ArrayD<F>, FileProblem> {
    let mut file = TensorFile::new();
    file.tensors.insert("array".into(), tensor);
    file.get_rounded("array")
}

fn wrong(reason: impl Into<String>) -> FileProblem {
    FileProblem::Format { format: FORMAT, reason: reason.into() }
}

/// NumPy's types with their letters and sizes in bytes.
const TYPES: [(Dtype, char, usize); 12] = [
    (Dtype::BOOL, 'b', 1),
    (Dtype::I8, 'i', 1),
    (Dtype::U8, 'u', 1),
    (Dtype::I16, 'i', 2),
    (Dtype::U16, 'u', 2),
    (Dtype::F16, 'f', 2),
    (Dtype::I32, 'i', 4),
    (Dtype::U32, 'u', 4),
    (Dtype::F32, 'f', 4),
    (Dtype::I64, 'i', 8),
    (Dtype::U64, 'u', 8),
    (Dtype::F64, 'f', 8),
];

/// The file of one tensor; `None` if NumPy has no such type.
pub(super) fn encode(tensor: &Tensor) -> Option<Vec<u8>> {
    let (_, letter, size) = TYPES.iter().find(|(dtype, ..)| *dtype == tensor.dtype)?;
    let sizes: String = tensor.shape.iter().map(|size| format!("{size}, ")).collect();
    let order = if *size == 1 { '|' } else { '<' };
    let mut header = format!(
        "{{'descr': '{order}{letter}{size}', 'fortran_order': False, 'shape': ({}), }}",
        sizes.trim_end()
    );
    // The numbers begin at a multiple of 64 bytes.
    while !(MAGIC.len() + 4 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let len = u16::try_from(header.len()).ok()?;
    Some([MAGIC, &[1, 0], &len.to_le_bytes(), header.as_bytes(), &tensor.bytes].concat())
}

/// Reads a file of `len` bytes that holds one array.
pub(super) fn parse_from(mut reader: impl Read, len: u64) -> Result<Tensor, FileProblem> {
    let (tensor, used) = read_one(&mut reader, len)?;
    if used == len {
        return Ok(tensor);
    }
    let mut next = Vec::new();
    reader.take(MAGIC.len() as u64).read_to_end(&mut next).map_err(FileProblem::io("read"))?;
    Err(wrong(match next == MAGIC {
        true => "another array follows the first; save each to a file of its own, or read all with `npy::load_all`".to_string(),
        false => format!("{} bytes follow the array", len - used),
    }))
}

/// Reads the next array, and gives the bytes that it takes. `len` is what is left of the file.
fn read_one(mut reader: impl Read, len: u64) -> Result<(Tensor, u64), FileProblem> {
    const LONGEST_HEADER: u64 = 1 << 20;
    let mut take = |count: u64| {
        let mut bytes = Vec::new();
        reader.by_ref().take(count).read_to_end(&mut bytes).map_err(FileProblem::io("read"))?;
        if bytes.len() as u64 == count { Ok(bytes) } else { Err(wrong("it ends too early")) }
    };
    let start = take(8)?;
    if !start.starts_with(MAGIC) {
        return Err(wrong("it does not begin with \\x93NUMPY"));
    }
    let width = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => return Err(wrong(format!("version {version} of the format is not known"))),
    };
    let header_len = take(width)?.iter().rev().fold(0, |len, &byte| len << 8 | u64::from(byte));
    if header_len > LONGEST_HEADER {
        return Err(wrong(format!("a header of {header_len} bytes")));
    }
    let header = String::from_utf8(take(header_len)?).map_err(|error| wrong(error.to_string()))?;
    let not_understood = || wrong(format!("the header {:?} is not understood", shortened(&header)));
    let Header { descr, fortran_order, shape } = Header::parse(&header).ok_or_else(not_understood)?;
    let unreadable = || wrong(format!("numbers of type {:?} cannot be read", shortened(&descr)));
    let (dtype, big_endian, size) = number_type(&descr).ok_or_else(unreadable)?;

    let left = len.saturating_sub(8 + width + header_len);
    let count = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size as u64));
    let needed = count.and_then(|count| count.checked_mul(size as u64));
    let Some(data_len) = needed.filter(|&needed| needed <= left) else {
        let reason = format!("{left} bytes of numbers do not fill the shape {shape:?} of type {descr:?}");
        return Err(wrong(reason));
    };
    if data_len > MAX_ARRAY_BYTES {
        return Err(wrong(format!("{data_len} bytes of numbers, at most {MAX_ARRAY_BYTES} are read")));
    }
    let mut bytes = take(data_len)?;
    if big_endian {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    if fortran_order {
        let numbers: Vec<&[u8]> = bytes.chunks_exact(size).collect();
        let columns = ArrayD::from_shape_vec(IxDyn(&shape).f(), numbers).map_err(|e| wrong(e.to_string()))?;
        let rows = columns.iter().flat_map(|number| number.iter().copied()).collect();
        drop(columns);
        bytes = rows;
    }
    // An array without numbers may still have a shape that ndarray refuses.
    ndarray::ArrayViewD::from_shape(IxDyn(&shape), &bytes[..bytes.len() / size])
        .map_err(|error| wrong(error.to_string()))?;
    Ok((Tensor { dtype, shape, bytes }, 8 + width + header_len + data_len))
}

/// `<f8` and the like: the type, whether the most significant byte comes first, and bytes per
/// number.
fn number_type(descr: &str) -> Option<(Dtype, bool, usize)> {
    let mut letters = descr.chars();
    let order = letters.next().filter(|order| "<>=|".contains(*order))?;
    let letter = letters.next()?;
    let size = letters.as_str().parse().ok()?;
    let &(dtype, ..) = TYPES.iter().find(|(_, l, s)| (*l, *s) == (letter, size))?;
    Some((dtype, order == '>', size))
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The text at the beginning: a Python dictionary of three entries.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Option<Self> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        let mut rest = text.trim().strip_prefix('{')?.trim_start();
        while !rest.starts_with('}') {
            let key;
            (key, rest) = quoted(rest)?;
            rest = rest.trim_start().strip_prefix(':')?.trim_start();
            let again = match key {
                "descr" => {
                    let value;
                    (value, rest) = quoted(rest)?;
                    descr.replace(value.to_string()).is_some()
                }
                "fortran_order" => {
                    let value = rest.starts_with("True");
                    rest = rest.strip_prefix(if value { "True" } else { "False" })?;
                    fortran_order.replace(value).is_some()
                }
                "shape" => {
                    let value;
                    (value, rest) = rest.strip_prefix('(')?.split_once(')')?;
                    shape.replace(sizes(value)?).is_some()
                }
                _ => true,
            };
            rest = rest.trim_start();
            if again || !rest.starts_with([',', '}']) {
                return None;
            }
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        let header = Header { descr: descr?, fortran_order: fortran_order?, shape: shape? };
        (rest == "}").then_some(header)
    }
}

/// A string in quotes at the beginning of `text`, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
    text[1..].split_once(quote)
}

/// `3, 4` and `3,` and nothing at all.
fn sizes(text: &str) -> Option<Vec<usize>> {
    const MOST_DIMENSIONS: usize = 64;
    let text = text.trim();
    if text.is_empty() {
        return Some(Vec::new());
    }
    let text = text.strip_suffix(',').unwrap_or(text);
    // Python 2 writes a long integer with an L.
    let size = |text: &str| text.trim().trim_end_matches('L').parse().ok();
    let sizes: Option<Vec<usize>> = text.split(',').map(size).collect();
    sizes.filter(|sizes| sizes.len() <= MOST_DIMENSIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let header = |descr: &str, fortran_order, shape: &[usize]| {
            Some(Header { descr: descr.into(), fortran_order, shape: shape.to_vec() })
        };
        let parse = Header::parse;
        let numpy = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }            \n";
        assert_eq!(parse(numpy), header("<f8", false, &[3, 4]));
        assert_eq!(parse("{'shape':(5,),\"descr\":\"|b1\",'fortran_order':True}"), header("|b1", true, &[5]));
        assert_eq!(parse("{'shape': (), 'descr': '>i2', 'fortran_order': True}"), header(">i2", true, &[]));
        for wrong in [
            "",
            "{}",
            "{'descr': '<f8', 'fortran_order': False}",
            "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3 4)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} import os",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'x': 1}",
            "{'descr': '<f8' 'fortran_order': False, 'shape': (3,)}",
            "{é: 1}",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
