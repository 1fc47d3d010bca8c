//! The header of a safetensors file: names, types, shapes and positions of the tensors. All of it
//! is checked before it is used.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use safetensors::tensor::Metadata;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::number::Dtype;
use super::{FileProblem, tensors::FORMAT};

/// The limit of the header in bytes, that of the reference implementation.
pub(super) const LONGEST: u64 = 100_000_000;

/// The contents of the header.
pub(super) struct Header {
    pub metadata: BTreeMap<String, String>,
    /// In the order of the data, which they cover completely.
    pub tensors: Vec<Entry>,
}

pub(super) struct Entry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Bytes of data.
    pub len: usize,
}

/// Reads the JSON of a header that is followed by `data_len` bytes of data.
///
/// The `safetensors` crate checks that the tensors cover the data exactly, one after the other, and
/// that shapes and types agree with their lengths. Of several equal names it keeps the last, so
/// duplicates are searched for first.
pub(super) fn parse(json: &[u8], data_len: u64) -> Result<Header, FileProblem> {
    let format = |reason: String| FileProblem::Format { format: FORMAT, reason };
    let text = str::from_utf8(json).map_err(|error| format(error.to_string()))?;
    if let Some(name) = first_duplicate(text).map_err(|error| format(error.to_string()))? {
        return Err(FileProblem::DuplicateName { name });
    }
    let header: Metadata = serde_json::from_str(text).map_err(|error| format(error.to_string()))?;
    if header.data_len() as u64 != data_len {
        let expected = header.data_len();
        return Err(format(format!("the header describes {expected} bytes of data, there are {data_len}")));
    }
    let entry = |name: String| {
        let info = header.info(&name).expect("a name of this header");
        let len = info.data_offsets.1 - info.data_offsets.0;
        Entry { dtype: info.dtype, shape: info.shape.clone(), len, name }
    };
    Ok(Header {
        tensors: header.offset_keys().into_iter().map(entry).collect(),
        metadata: header.metadata().clone().unwrap_or_default().into_iter().collect(),
    })
}

/// The first key that one object of a JSON text has twice.
pub(super) fn first_duplicate(json: &str) -> Result<Option<String>, serde_json::Error> {
    let mut duplicate = None;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let walked = deserializer.deserialize_any(Keys { duplicate: &mut duplicate });
    match (duplicate, walked) {
        (Some(name), _) => Ok(Some(name)),
        (None, walked) => walked.map(|()| None),
    }
}

/// Walks through any JSON value and stops at the first key that an object has twice.
struct Keys<'a> {
    duplicate: &'a mut Option<String>,
}

impl<'de> serde::de::DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Keys { duplicate: self.duplicate })?;
            if let Some(key) = seen.replace(key) {
                *self.duplicate = Some(key);
                return Err(A::Error::custom("a key occurs twice"));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Keys { duplicate: self.duplicate })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
