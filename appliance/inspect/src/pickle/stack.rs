//! The stack with its marks, and the memo.

use std::collections::BTreeMap;

use super::value::Value;
use crate::budget::Budget;
use crate::malformed::Malformed;

/// Values, and where the open marks stand among them.
#[derive(Debug)]
pub(super) struct Stack {
    values: Vec<Value>,
    marks: Vec<usize>,
    most_values: usize,
    most_marks: usize,
}

impl Stack {
    pub(super) fn new(budget: &Budget) -> Self {
        let (most_values, most_marks) = (budget.pickle_values, budget.pickle_marks);
        Stack { values: Vec::new(), marks: Vec::new(), most_values, most_marks }
    }

    pub(super) fn push(&mut self, value: Value, at: u64) -> Result<(), Malformed> {
        if self.values.len() >= self.most_values {
            return Err(Malformed::PickleBudget { at });
        }
        self.values.push(value);
        Ok(())
    }

    pub(super) fn mark(&mut self, at: u64) -> Result<(), Malformed> {
        if self.marks.len() >= self.most_marks {
            return Err(Malformed::PickleBudget { at });
        }
        self.marks.push(self.values.len());
        Ok(())
    }

    /// Values above the last mark.
    fn above(&self) -> usize {
        self.values.len().saturating_sub(self.marks.last().copied().unwrap_or(0))
    }

    pub(super) fn pop(&mut self, at: u64) -> Result<Value, Malformed> {
        let value = if self.above() > 0 { self.values.pop() } else { None };
        value.ok_or(Malformed::PickleStack { at })
    }

    pub(super) fn top(&self, at: u64) -> Result<&Value, Malformed> {
        let value = if self.above() > 0 { self.values.last() } else { None };
        value.ok_or(Malformed::PickleStack { at })
    }

    pub(super) fn replace_top(&mut self, value: Value) {
        if let Some(top) = self.values.last_mut() {
            *top = value;
        }
    }

    /// Takes the last mark and all above it.
    pub(super) fn pop_mark(&mut self, at: u64) -> Result<Vec<Value>, Malformed> {
        let mark = self.marks.pop().ok_or(Malformed::PickleStack { at })?;
        Ok(self.values.split_off(mark.min(self.values.len())))
    }

    /// Takes a value, or the last mark if it is on top.
    pub(super) fn pop_any(&mut self, at: u64) -> Result<(), Malformed> {
        if self.above() > 0 {
            self.values.pop();
            return Ok(());
        }
        self.marks.pop().map(|_| ()).ok_or(Malformed::PickleStack { at })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.marks.is_empty()
    }
}

/// The memo. Picklers count its keys up from 0 (Python 2 also from 1); a key out of that order, which
/// would make a loader allocate up to it, is kept aside.
#[derive(Debug)]
pub(super) struct Memo {
    dense: Vec<Option<Value>>,
    aside: BTreeMap<u64, Value>,
    filled: u64,
    most: usize,
}

/// Keys out of order that are kept.
const ASIDE: usize = 1024;

impl Memo {
    pub(super) fn new(budget: &Budget) -> Self {
        Memo { dense: Vec::new(), aside: BTreeMap::new(), filled: 0, most: budget.pickle_memo }
    }

    /// How many keys there are: MEMOIZE takes that as the next.
    pub(super) fn filled(&self) -> u64 {
        self.filled
    }

    /// Sets `key`; whether it was in order.
    pub(super) fn put(&mut self, key: u64, value: Value, at: u64) -> Result<bool, Malformed> {
        let full = Malformed::PickleBudget { at };
        let in_order = key <= (self.dense.len() as u64).saturating_add(1);
        let old = match usize::try_from(key) {
            Ok(place) if in_order => {
                if place >= self.most {
                    return Err(full);
                }
                if place >= self.dense.len() {
                    self.dense.resize(place.saturating_add(1), None);
                }
                let aside = self.aside.remove(&key);
                let slot = self.dense.get_mut(place);
                slot.and_then(|slot| slot.replace(value)).or(aside)
            }
            _ if self.aside.len() >= ASIDE => return Err(full),
            _ => self.aside.insert(key, value),
        };
        if old.is_none() {
            self.filled = self.filled.saturating_add(1);
        }
        Ok(in_order)
    }

    pub(super) fn get(&self, key: u64) -> Option<&Value> {
        let dense = || self.dense.get(usize::try_from(key).ok()?)?.as_ref();
        self.aside.get(&key).or_else(dense)
    }
}
