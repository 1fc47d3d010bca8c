//! Distinct texts of a column, each stored once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The code of a missing cell.
pub(crate) const MISSING: u32 = u32::MAX;

/// The distinct texts of a column, in the order of their first appearance. All texts lie in one
/// string, so that a million levels take their bytes and 8 bytes each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Levels {
    text: String,
    ends: Vec<usize>,
}

impl Levels {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, code: u32) -> &str {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.text[start..self.ends[code]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|code| self.get(code))
    }
}

/// Levels that grow, with an index from text to code.
#[derive(Debug, Clone, Default)]
pub(crate) struct LevelsBuilder {
    levels: Levels,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl LevelsBuilder {
    /// The code of `text`, a new one if it has none yet.
    pub fn code(&mut self, text: &str) -> u32 {
        let LevelsBuilder { levels, index, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(&code) = index.find(hash, |&code| levels.get(code) == text) {
            return code;
        }
        // A table has fewer than 2³² − 1 rows: see `Table::new`.
        let code = levels.len() as u32;
        levels.text.push_str(text);
        levels.ends.push(levels.text.len());
        index.insert_unique(hash, code, |&code| hasher.hash_one(levels.get(code)));
        code
    }

    pub fn finish(self) -> Levels {
        let mut levels = self.levels;
        levels.text.shrink_to_fit();
        levels.ends.shrink_to_fit();
        levels
    }
}
