//! Categories: levels to columns of 0 and 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::table::levels::MISSING;
use crate::table::{Cells, yes_no};
use crate::{Column, ColumnType};

/// The encoding of one category column: one slot for each level, for missing cells and for rare
/// levels. Two slots are encoded as −1 and 1 in one column, more as 0 and 1 in a column each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CategoryCode {
    pub(super) slots: Vec<Slot>,
    /// Levels that share the rare slot, missing cells included.
    rare: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Slot {
    Level(String),
    Missing,
    Rare,
}

/// The most levels of one column with a slot of their own: a network has 128 weights for each.
const MOST_SLOTS: usize = 1000;

/// The slot of an unseen level, if there is no slot for rare ones.
pub(crate) const NO_SLOT: u32 = u32::MAX;

impl CategoryCode {
    /// Counts the levels of `column`; those in fewer than `rare` rows share a slot.
    pub fn fit(column: &Column, column_type: ColumnType, rare: usize) -> Self {
        // Ordered, so that the encoding does not depend on the order of the rows.
        let mut counts: BTreeMap<Slot, usize> = BTreeMap::new();
        let (codes, texts) = codes_and_texts(column, column_type);
        let mut by_code = vec![0_usize; texts.len()];
        for code in codes {
            match code {
                MISSING => *counts.entry(Slot::Missing).or_default() += 1,
                code => by_code[code as usize] += 1,
            }
        }
        for (text, count) in texts.into_iter().zip(by_code).filter(|(_, count)| *count > 0) {
            *counts.entry(Slot::Level(text)).or_default() += count;
        }
        let all = counts.len();
        // The most frequent ones, without ties at the limit, so that the order of levels does not
        // matter.
        let mut sorted: Vec<usize> = counts.values().copied().collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let rare = sorted.get(MOST_SLOTS).map_or(rare, |&next| rare.max(next + 1));
        let mut slots: Vec<Slot> =
            counts.into_iter().filter(|(_, count)| *count >= rare).map(|(slot, _)| slot).collect();
        let rare = all - slots.len();
        if rare > 0 {
            slots.push(Slot::Rare);
        }
        CategoryCode { slots, rare }
    }

    pub fn width(&self) -> usize {
        match self.slots.len() {
            0 | 1 => 0,
            2 => 1,
            slots => slots,
        }
    }

    pub fn names(&self, column: &str) -> Vec<String> {
        let name = |slot: &Slot| match slot {
            Slot::Level(level) => format!("{column}={level}"),
            Slot::Missing => format!("{column}=(missing)"),
            Slot::Rare => format!("{column}=(rare)"),
        };
        match &self.slots[..] {
            [] | [_] => Vec::new(),
            // The slot that is encoded as 1.
            [_, second] => vec![name(second)],
            slots => slots.iter().map(name).collect(),
        }
    }

    pub fn describe(&self) -> String {
        let levels = self.slots.iter().filter(|slot| matches!(slot, Slot::Level(_))).count();
        let missing = if self.slots.contains(&Slot::Missing) { ", missing" } else { "" };
        let rare = if self.rare > 0 { format!(", {} rare ones together", self.rare) } else { String::new() };
        format!("{levels} levels{missing}{rare}")
    }

    /// The slot of a text; `None` stands for a missing cell.
    fn slot(&self, text: Option<&str>) -> u32 {
        let found = match text {
            // Levels are sorted and lie before the other slots.
            Some(text) => self.slots.binary_search_by(|slot| match slot {
                Slot::Level(level) => level.as_str().cmp(text),
                _ => std::cmp::Ordering::Greater,
            }),
            None => self.slots.binary_search(&Slot::Missing),
        };
        let rare = self.slots.len().wrapping_sub(1) as u32;
        match found {
            Ok(slot) => slot as u32,
            Err(_) if self.slots.last() == Some(&Slot::Rare) => rare,
            Err(_) => NO_SLOT,
        }
    }

    /// The slot of every row of `column`.
    pub fn slots(&self, column: &Column, column_type: ColumnType) -> Vec<u32> {
        let (codes, texts) = codes_and_texts(column, column_type);
        let slots: Vec<u32> = texts.iter().map(|text| self.slot(Some(text))).collect();
        let missing = self.slot(None);
        codes.into_iter().map(|code| if code == MISSING { missing } else { slots[code as usize] }).collect()
    }

    /// Writes the encoding of a slot to `out`, which has [`width`](CategoryCode::width) numbers.
    pub fn encode(&self, slot: u32, out: &mut [f32]) {
        match out {
            [one] if self.slots.len() == 2 => {
                *one = match slot {
                    0 => -1.0,
                    1 => 1.0,
                    _ => 0.0,
                }
            }
            many => {
                many.fill(0.0);
                if let Some(place) = many.get_mut(slot as usize) {
                    *place = 1.0;
                }
            }
        }
    }
}

/// The code of every row, and the text of every code. Yes/no words are reduced to `yes` and `no`; a
/// number is its shortest text, or the text in the file if `f64` rounds one of the column's.
pub(crate) fn codes_and_texts(column: &Column, column_type: ColumnType) -> (Vec<u32>, Vec<String>) {
    if let Some(labels) = column.labels() {
        return (labels.codes.clone(), labels.levels.iter().map(str::to_string).collect());
    }
    match column.cells() {
        Cells::Texts { codes, levels } => {
            let text = |text: &str| match (column_type, yes_no(text)) {
                (ColumnType::YesNo, Some(true)) => "yes".to_string(),
                (ColumnType::YesNo, Some(false)) => "no".to_string(),
                _ => text.to_string(),
            };
            (codes.clone(), levels.iter().map(text).collect())
        }
        Cells::Numbers(values) | Cells::Dates(values) => {
            let mut index: BTreeMap<u64, u32> = BTreeMap::new();
            let mut texts = Vec::new();
            let codes = values.iter().enumerate().map(|(row, value)| {
                // 0 and −0 are one number.
                *index.entry((value + 0.0).to_bits()).or_insert_with(|| match column.text(row) {
                    None => MISSING,
                    Some(text) => {
                        texts.push(if value == &0.0 { "0".into() } else { text });
                        texts.len() as u32 - 1
                    }
                })
            });
            let codes = codes.collect();
            (codes, texts)
        }
    }
}
