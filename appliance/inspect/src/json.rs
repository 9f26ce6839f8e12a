//! JSON files (RFC 8259): exactly one object or array, no duplicate keys, bounded size and depth.
//!
//! The document is visited as it is parsed; no tree is built. Only the keys of the objects that are
//! open are kept. On the way, keys that ask a loader to run code are noted.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Read, Seek};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::budget::Budget;
use crate::malformed::{Fault, Malformed, finding, shown};
use crate::source::{Scan, Source};
use crate::strict::{Name, Slot, fault, refuse};

/// A key that asks a loader to run code that comes with the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteCodeKey {
    /// `auto_map`: classes are loaded from Python files beside the model.
    AutoMap,
    /// `custom_pipelines`: pipelines are loaded from Python files beside the model.
    CustomPipelines,
    /// `trust_remote_code` with a value other than `false` or `null`.
    TrustRemoteCode,
}

impl RemoteCodeKey {
    /// The key as it stands in the file.
    pub fn name(self) -> &'static str {
        match self {
            RemoteCodeKey::AutoMap => "auto_map",
            RemoteCodeKey::CustomPipelines => "custom_pipelines",
            RemoteCodeKey::TrustRemoteCode => "trust_remote_code",
        }
    }

    fn asked_by(key: &str, value: Value) -> Option<Self> {
        match key {
            "auto_map" => Some(RemoteCodeKey::AutoMap),
            "custom_pipelines" => Some(RemoteCodeKey::CustomPipelines),
            "trust_remote_code" if value == Value::Other => Some(RemoteCodeKey::TrustRemoteCode),
            _ => None,
        }
    }
}

/// One place in a JSON file that asks a loader to run code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCode {
    /// The key that asks.
    pub key: RemoteCodeKey,
    /// Where it stands, as a JSON pointer (RFC 6901); long keys on the way are shortened.
    pub pointer: String,
}

impl RemoteCode {
    /// At most this many are reported for one file.
    pub const MOST: usize = 16;
}

/// What reading a file as JSON gave.
pub(crate) enum Reading {
    /// It does not look like JSON, or only like text that happens to start with a bracket.
    No,
    /// It is JSON, or would be without `malformed`.
    Yes { malformed: Option<Malformed>, remote_code: Vec<RemoteCode> },
}

/// Reads the file as JSON if it starts like JSON.
///
/// A brace and a quote, as every object with a key has them, make a file JSON for good or ill. A
/// bracket alone also starts ordinary text, so such a file is JSON only if its syntax is JSON's.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Reading> {
    let length = source.length();
    let mark = source.head().starts_with(BYTE_ORDER_MARK);
    let start = if mark { BYTE_ORDER_MARK.len() as u64 } else { 0 };
    let likeness = likeness(source.scan(start)?, budget)?;
    if likeness == Likeness::None {
        return Ok(Reading::No);
    }

    let mut state = State { budget, slot: None, keys: 0, remote_code: Vec::new() };
    let mut scan = source.scan(start)?;
    scan.limit(budget.json_bytes);
    let cut = length.saturating_sub(start) > budget.json_bytes;
    let malformed = match finding(parse(scan, &mut state))? {
        None | Some(Malformed::JsonEnd) if cut => {
            Some(Malformed::JsonTooLarge { limit: budget.json_bytes })
        }
        Some(cause) if likeness == Likeness::Weak && syntactic(&cause) => return Ok(Reading::No),
        None if mark => Some(Malformed::JsonByteOrderMark),
        malformed => malformed,
    };
    Ok(Reading::Yes { malformed, remote_code: state.remote_code })
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The parser has a limit of its own, a little above this, and would call it broken syntax.
const DEEPEST: usize = 120;

/// How much the first bytes look like JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    None,
    Weak,
    Strong,
}

fn likeness<R: Read + Seek>(mut scan: Scan<'_, R>, budget: &Budget) -> io::Result<Likeness> {
    scan.limit(budget.json_bytes);
    let space = |byte: &io::Result<u8>| matches!(byte, Ok(b' ' | b'\t' | b'\n' | b'\r'));
    let mut significant = io::BufReader::new(scan).bytes().filter(|byte| !space(byte));
    let first = significant.next().transpose()?;
    if !matches!(first, Some(b'{' | b'[')) {
        return Ok(Likeness::None);
    }
    let second = significant.next().transpose()?;
    Ok(match (first, second) {
        (Some(b'{'), Some(b'"' | b'}')) | (Some(b'['), Some(b'{')) => Likeness::Strong,
        _ => Likeness::Weak,
    })
}

/// Whether ordinary text in brackets would break the same way.
fn syntactic(cause: &Malformed) -> bool {
    matches!(cause, Malformed::JsonSyntax { .. } | Malformed::JsonEnd | Malformed::JsonTrailing)
}

fn parse<R: Read + Seek>(scan: Scan<'_, R>, state: &mut State<'_>) -> Result<(), Fault> {
    let mut parser = serde_json::Deserializer::from_reader(io::BufReader::new(scan));
    let seed = Node { state, depth: 0 };
    if let Err(error) = seed.deserialize(&mut parser) {
        return Err(fault(error, state.slot.take()));
    }
    parser.end().map_err(|error| match fault(error, None) {
        Fault::Broken(_) => Malformed::JsonTrailing.into(),
        read => read,
    })
}

struct State<'b> {
    budget: &'b Budget,
    slot: Slot,
    keys: usize,
    remote_code: Vec<RemoteCode>,
}

impl State<'_> {
    fn note(&mut self, key: RemoteCodeKey) {
        if self.remote_code.len() < RemoteCode::MOST {
            self.remote_code.push(RemoteCode { key, pointer: String::new() });
        }
    }

    /// Puts `step` before the pointers that were noted after the first `known`.
    fn prefix(&mut self, known: usize, step: &dyn fmt::Display) {
        for found in self.remote_code.iter_mut().skip(known) {
            found.pointer = format!("/{step}{}", found.pointer);
        }
    }
}

/// As much of a value as the keys above ask about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    FalseOrNull,
    Other,
}

/// One value at `depth` containers.
struct Node<'s, 'b> {
    state: &'s mut State<'b>,
    depth: usize,
}

impl Node<'_, '_> {
    /// The depth inside of this container.
    fn inside<E: Error>(&mut self) -> Result<usize, E> {
        let limit = self.state.budget.json_depth.min(DEEPEST);
        if self.depth >= limit {
            return Err(refuse(&mut self.state.slot, Malformed::JsonDepth { limit }));
        }
        Ok(self.depth.saturating_add(1))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(if value { Value::Other } else { Value::FalseOrNull })
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::FalseOrNull)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.inside()?;
        let state = self.state;
        for index in 0_usize.. {
            let known = state.remote_code.len();
            let item = items.next_element_seed(Node { state, depth });
            state.prefix(known, &index);
            if item?.is_none() {
                break;
            }
        }
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let depth = self.inside()?;
        let state = self.state;
        let limit = state.budget.name_bytes;
        let mut keys: HashSet<Box<str>> = HashSet::new();
        while let Some(key) = entries.next_key_seed(Name { limit, slot: &mut state.slot })? {
            state.keys = state.keys.saturating_add(1);
            if state.keys > state.budget.json_keys {
                let limit = state.budget.json_keys;
                return Err(refuse(&mut state.slot, Malformed::JsonKeys { limit }));
            }
            let known = state.remote_code.len();
            let value = entries.next_value_seed(Node { state, depth });
            // A value that breaks is taken for one that asks.
            let kind = value.as_ref().map_or(Value::Other, |&value| value);
            if let Some(asked) = RemoteCodeKey::asked_by(&key, kind) {
                state.note(asked);
            }
            state.prefix(known, &pointer_step(&key));
            value?;
            if keys.contains(key.as_str()) {
                let key = shown(&key);
                return Err(refuse(&mut state.slot, Malformed::JsonDuplicateKey { key }));
            }
            keys.insert(key.into_boxed_str());
        }
        Ok(Value::Other)
    }
}

/// A key as a step of a JSON pointer (RFC 6901, section 3).
fn pointer_step(key: &str) -> String {
    shown(key).replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{look, look_within};
    use crate::{Format, Identified, Inspection};

    fn json(text: &str) -> Inspection {
        let found = look(text.as_bytes());
        assert_eq!(found.format, Identified::One(Format::Json), "{text}");
        found
    }

    fn is_text(text: &str) {
        let found = look(text.as_bytes());
        assert_eq!(found.format, Identified::One(Format::Text), "{text}");
        assert_eq!(found.malformed, None);
    }

    #[test]
    fn objects_and_arrays_are_json_and_not_also_text() {
        for text in ["{}", "[]", " \n{\"a\": [1, -2.5, true, null, \"x\"]}\n", "[1]", "[[1,2],[3]]"]
        {
            assert_eq!(json(text).malformed, None);
        }
    }

    #[test]
    fn text_that_starts_with_a_bracket_stays_text() {
        for text in
            ["[section]\nkey = 1\n", "{% if tools %}x{% endif %}", "[1] A footnote.", "true", "12"]
        {
            is_text(text);
        }
    }

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        let key = "b".to_owned();
        let cause = Malformed::JsonDuplicateKey { key };
        assert_eq!(json(r#"{"a":[{"b":1,"b":1}]}"#).malformed, Some(cause.clone()));
        // Also where a weaker start would have made it text.
        assert_eq!(json(r#"[[{"b":1,"\u0062":1}]]"#).malformed, Some(cause));
    }

    #[test]
    fn broken_syntax_and_trailing_bytes_are_refused() {
        assert_eq!(json(r#"{"a":1"#).malformed, Some(Malformed::JsonEnd));
        for text in [r#"{"a":NaN}"#, r#"{"a":01}"#, "{\"a\":\"\n\"}", r#"{"a":1,}"#] {
            assert!(matches!(json(text).malformed, Some(Malformed::JsonSyntax { .. })), "{text}");
        }
        assert_eq!(json("{\"a\":1}\n{\"a\":2}\n").malformed, Some(Malformed::JsonTrailing));
    }

    #[test]
    fn the_depth_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(json(&nested(64)).malformed, None);
        assert_eq!(json(&nested(65)).malformed, Some(Malformed::JsonDepth { limit: 64 }));
        let lax = Budget { json_depth: usize::MAX, ..Budget::default() };
        let found = look_within(nested(121).as_bytes(), &lax);
        assert_eq!(found.malformed, Some(Malformed::JsonDepth { limit: 120 }));
        assert_eq!(look_within(nested(120).as_bytes(), &lax).malformed, None);
        assert_eq!(json(&nested(100_000)).malformed, Some(Malformed::JsonDepth { limit: 64 }));
    }

    #[test]
    fn size_keys_and_names_are_bounded() {
        let small = Budget { json_bytes: 8, ..Budget::default() };
        let found = look_within(br#"{"a":"12345"}"#, &small);
        assert_eq!(found.format, Identified::One(Format::Json));
        assert_eq!(found.malformed, Some(Malformed::JsonTooLarge { limit: 8 }));
        assert_eq!(look_within(br#"{"a":12}"#, &small).malformed, None);
        let weak = look_within(b"[1, 2, 3, 4]", &small);
        assert_eq!(weak.malformed, Some(Malformed::JsonTooLarge { limit: 8 }));

        let few = Budget { json_keys: 2, ..Budget::default() };
        let found = look_within(br#"{"a":{"b":{"c":1}}}"#, &few);
        assert_eq!(found.malformed, Some(Malformed::JsonKeys { limit: 2 }));

        let short = Budget { name_bytes: 2, ..Budget::default() };
        let found = look_within(br#"{"ab":1,"abc":1}"#, &short);
        assert_eq!(found.malformed, Some(Malformed::NameTooLong { limit: 2 }));
    }

    #[test]
    fn a_byte_order_mark_does_not_hide_json() {
        let found = json("\u{feff}{\"auto_map\":{}}");
        assert_eq!(found.malformed, Some(Malformed::JsonByteOrderMark));
        assert_eq!(found.remote_code.len(), 1);
        is_text("\u{feff}[section]");
    }

    #[test]
    fn keys_that_ask_for_code_are_reported_with_their_place() {
        let found = json(
            r#"{"a/b":[0,{"auto_map":{"AutoModel":"m.M"}}],"custom_pipelines":{},"trust_remote_code":true}"#,
        );
        let places: Vec<_> =
            found.remote_code.iter().map(|code| (code.key, code.pointer.as_str())).collect();
        assert_eq!(
            places,
            [
                (RemoteCodeKey::AutoMap, "/a~1b/1/auto_map"),
                (RemoteCodeKey::CustomPipelines, "/custom_pipelines"),
                (RemoteCodeKey::TrustRemoteCode, "/trust_remote_code"),
            ]
        );
        for quiet in [r#"{"trust_remote_code":false}"#, r#"{"x":"auto_map"}"#] {
            assert_eq!(json(quiet).remote_code, []);
        }
    }

    #[test]
    fn reports_are_bounded_and_survive_a_later_break() {
        let many = format!("[{}", r#"{"auto_map":1},"#.repeat(100));
        let found = json(&many);
        assert!(found.malformed.is_some());
        assert_eq!(found.remote_code.len(), RemoteCode::MOST);
    }
}
