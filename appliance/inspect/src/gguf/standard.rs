//! The keys that the format or its loaders give a meaning, and what must be true of them.
//!
//! A loader takes such a value for what it should be: an array of other items, or of fewer, is read
//! past its end.

use super::value::{Value, kind};
use crate::finding::Place;
use crate::malformed::{Fault, Malformed, broken};

/// The type that the value of a key has to have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) kind: u32,
    /// The type of the items where the value is an array.
    pub(super) items: Option<u32>,
}

/// The type for `key`, if the key is a standard one.
pub(super) fn expected(key: &str) -> Option<Expected> {
    let one = |kind| Expected { kind, items: None };
    let array = |items| Expected { kind: kind::ARRAY, items: Some(items) };
    Some(match key {
        ARCHITECTURE
        | "general.name"
        | "general.type"
        | "tokenizer.ggml.model"
        | "tokenizer.ggml.pre"
        | "tokenizer.chat_template" => one(kind::STRING),
        _ if key.starts_with("tokenizer.chat_template.") => one(kind::STRING),
        ALIGNMENT | "general.file_type" | "general.quantization_version" => one(kind::UINT32),
        _ if key.starts_with("tokenizer.ggml.") && key.ends_with("_token_id") => one(kind::UINT32),
        _ if key.starts_with("tokenizer.ggml.add_") => one(kind::BOOL),
        SPLIT_NUMBER | SPLIT_COUNT => one(kind::UINT16),
        SPLIT_TENSORS => one(kind::INT32),
        TOKENS | "tokenizer.ggml.merges" | TEMPLATES => array(kind::STRING),
        _ if is_template(key) => one(kind::STRING),
        SCORES => array(kind::FLOAT32),
        TOKEN_TYPES => array(kind::INT32),
        _ => return None,
    })
}

/// Whether the value of `key` is a template, or several. `tokenizer.chat_templates` should hold only
/// the names of the others; what does is a template that prints itself.
pub(super) fn is_template(key: &str) -> bool {
    let rest = key.strip_prefix("tokenizer.chat_template");
    rest.is_some_and(|rest| matches!(rest, "" | "s") || rest.starts_with('.'))
}

const TEMPLATES: &str = "tokenizer.chat_templates";
const ARCHITECTURE: &str = "general.architecture";
const ALIGNMENT: &str = "general.alignment";
const SPLIT_NUMBER: &str = "split.no";
const SPLIT_COUNT: &str = "split.count";
const SPLIT_TENSORS: &str = "split.tensors.count";
const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";

/// Offsets in the data are multiples of this where the file names no other number.
const DEFAULT_ALIGNMENT: u64 = 32;
/// The least alignment that the format allows, and the largest that makes sense.
const ALIGNMENTS: std::ops::RangeInclusive<u64> = 8..=1 << 20;

/// What the standard keys say.
#[derive(Debug, Default)]
pub(super) struct Known {
    alignment: Option<u64>,
    split_number: Option<u64>,
    split_count: Option<u64>,
    split_tensors: Option<u64>,
    tokens: Option<u64>,
    scores: Option<u64>,
    token_types: Option<u64>,
}

impl Known {
    /// Takes note of a pair whose type is right.
    pub(super) fn take(&mut self, key: &str, value: &Value) -> Result<(), Fault> {
        match (key, value) {
            (ARCHITECTURE, Value::Text(_, 0)) => {
                return Err(wrong(ARCHITECTURE, "the architecture is empty"));
            }
            (ALIGNMENT, &Value::Natural(number)) => {
                if !number.is_power_of_two() || !ALIGNMENTS.contains(&number) {
                    return Err(Malformed::GgufAlignment.into());
                }
                self.alignment = Some(number);
            }
            (SPLIT_NUMBER, &Value::Natural(number)) => self.split_number = Some(number),
            (SPLIT_COUNT, &Value::Natural(number)) => self.split_count = Some(number),
            (SPLIT_TENSORS, &Value::Natural(number)) => self.split_tensors = Some(number),
            (SPLIT_TENSORS, _) => {
                return Err(wrong(SPLIT_TENSORS, "the number of tensors is negative"));
            }
            (TOKENS, &Value::Array(count, _)) => self.tokens = Some(count),
            (SCORES, &Value::Array(count, _)) => self.scores = Some(count),
            (TOKEN_TYPES, &Value::Array(count, _)) => self.token_types = Some(count),
            _ => {}
        }
        Ok(())
    }

    /// Refuses a file of `tensors` tensors whose standard values contradict one another.
    pub(super) fn agree(&self, tensors: u64) -> Result<(), Fault> {
        let tokens = self.tokens.unwrap_or(0);
        for (key, items) in [(SCORES, self.scores), (TOKEN_TYPES, self.token_types)] {
            if let Some(items) = items.filter(|&items| items < tokens) {
                let detail = format!("there are {items} items for {tokens} tokens");
                return Err(wrong(key, &detail));
            }
        }
        // A count of 0 is left behind where the parts were merged.
        let (number, count) = (self.split_number.unwrap_or(0), self.split_count.unwrap_or(0));
        if number >= count.max(1) {
            let detail = format!("there is no part {number} of {count}, counted from 0");
            return Err(wrong(SPLIT_NUMBER, &detail));
        }
        if let Some(all) = self.split_tensors.filter(|&all| all < tensors) {
            let detail = format!("this file has {tensors} tensors, and all parts together {all}");
            return Err(wrong(SPLIT_TENSORS, &detail));
        }
        Ok(())
    }

    /// Offsets in the data are multiples of this.
    pub(super) fn alignment(&self) -> u64 {
        self.alignment.unwrap_or(DEFAULT_ALIGNMENT)
    }
}

fn wrong(key: &str, detail: &str) -> Fault {
    broken(Place::Key(key.to_owned()), detail)
}
