//! JSON files (RFC 8259): exactly one object or array, no duplicate keys, bounded size and depth.
//!
//! ```text
//!   bytes --> tokens -------> parser --> visitor --> what would run code   (code)
//!             (their length               |  |  '--> templates of prompts  (crate::template)
//!             is bounded)                 |  '-----> regular expressions   (crate::regex)
//!                                         '--------> which kind of JSON it is
//! ```
//!
//! The document is visited as it is parsed; no tree is built. Of the objects that are open only hashes
//! of their keys are kept.

mod code;

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read, Seek};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::budget::Budget;
use crate::finding::{Kind, Place};
use crate::format::Format;
use crate::keras;
use crate::malformed::{Fault, Malformed, finding, shown};
use crate::notes::Notes;
use crate::source::{Scan, Source};
use crate::strict::{Name, Slot, fault, refuse};
use crate::template;
use crate::tokens::Tokens;

use code::{Together, Value};

/// What reading a file as JSON gave.
pub(crate) enum Reading {
    /// It does not look like JSON, or only like text that happens to start with a bracket.
    No,
    /// It is JSON, or would be without `malformed`.
    Yes { format: Format, malformed: Option<Malformed> },
}

/// Reads the file as JSON if it starts like JSON.
///
/// A brace and a quote, as every object with a key has them, make a file JSON for good or ill. A
/// bracket alone also starts ordinary text, so such a file is JSON only if its syntax is JSON's.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> io::Result<Reading> {
    let length = source.length();
    let mark = source.head().starts_with(BYTE_ORDER_MARK);
    let start = if mark { BYTE_ORDER_MARK.len() as u64 } else { 0 };
    let likeness = likeness(source.scan(start)?, budget)?;
    if likeness == Likeness::None {
        return Ok(Reading::No);
    }

    let mut state = State::new(budget, notes);
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
    let format = if state.is_notebook() { Format::Notebook } else { Format::Json };
    if state.keras && malformed.is_none() {
        let malformed = finding(keras::config(source, (0, length), "", budget, notes))?;
        return Ok(Reading::Yes { format, malformed });
    }
    Ok(Reading::Yes { format, malformed })
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
    let reader = io::BufReader::new(Tokens::new(scan, state.budget.json_token));
    let mut parser = serde_json::Deserializer::from_reader(reader);
    let node = Node { state, depth: 0, wanted: false, texts: Texts::Plain };
    if let Err(error) = node.deserialize(&mut parser) {
        return Err(fault(error, state.slot.take()));
    }
    parser.end().map_err(|error| match fault(error, None) {
        Fault::Broken(_) => Malformed::JsonTrailing.into(),
        read => read,
    })
}

/// One step of a JSON pointer (RFC 6901).
enum Step {
    Key(String),
    Index(usize),
}

struct State<'b> {
    budget: &'b Budget,
    notes: &'b mut Notes,
    slot: Slot,
    keys: usize,
    /// The way to the value that is read.
    path: Vec<Step>,
    /// Two keyed hashes of each key: nobody can choose keys that collide.
    hashers: [RandomState; 2],
    /// Which of the keys of a notebook are there.
    cells: bool,
    nbformat: bool,
    /// Whether an object, at any depth, is one that Keras would build.
    keras: bool,
}

impl<'b> State<'b> {
    fn new(budget: &'b Budget, notes: &'b mut Notes) -> Self {
        let hashers = [RandomState::new(), RandomState::new()];
        let (slot, path) = (None, Vec::new());
        State {
            budget,
            notes,
            slot,
            keys: 0,
            path,
            hashers,
            cells: false,
            nbformat: false,
            keras: false,
        }
    }

    fn is_notebook(&self) -> bool {
        self.cells && self.nbformat
    }

    fn hashes(&self, key: &str) -> [u64; 2] {
        self.hashers.each_ref().map(|hasher| hasher.hash_one(key))
    }

    /// The key of the innermost object that is open around the current step.
    fn parent(&self) -> Option<&str> {
        match self.path.iter().rev().nth(1) {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }

    fn place(&self) -> Place {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            match step {
                Step::Key(key) => {
                    pointer.push_str(&shown(key).replace('~', "~0").replace('/', "~1"));
                }
                Step::Index(index) => _ = write!(pointer, "{index}"),
            }
        }
        Place::Key(pointer)
    }

    fn runs(&mut self, asked: impl IntoIterator<Item = code::Asked>) {
        for code::Asked { subject, detail } in asked {
            let place = self.place();
            self.notes.add(Kind::RemoteCode, &subject, place, detail);
        }
    }

    /// A string at the current place.
    fn text(&mut self, text: &str, texts: Texts) {
        let tagged = |text: &str| {
            memchr::memmem::find(text.as_bytes(), b"{%")
                .is_some_and(|at| text.get(at..).is_some_and(|rest| rest.contains("%}")))
        };
        match texts {
            Texts::Regex => crate::regex::read(text, self.place(), self.notes),
            Texts::Template if text.contains('{') => {
                template::read(text, self.place(), self.notes);
            }
            Texts::Plain if tagged(text) => template::read(text, self.place(), self.notes),
            _ => {}
        }
    }
}

/// What the strings in a value are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    /// Anything; a template where they have its tags.
    Plain,
    /// Templates of prompts.
    Template,
    /// A regular expression.
    Regex,
    /// Tokens, or what a notebook holds: never templates.
    Quoted,
}

impl Texts {
    /// What the value of `key` is, in an object whose other values are `self`.
    fn of(self, key: &str, top: bool) -> Texts {
        match key {
            "Regex" => Texts::Regex,
            _ if key.contains("chat_template") => Texts::Template,
            "vocab" | "merges" | "added_tokens" | "added_tokens_decoder" => Texts::Quoted,
            "cells" if top => Texts::Quoted,
            _ => self,
        }
    }
}

/// One value at `depth` containers.
struct Node<'s, 'b> {
    state: &'s mut State<'b>,
    depth: usize,
    /// Whether the value itself decides something.
    wanted: bool,
    texts: Texts,
}

/// Longer strings are no names of classes or modules.
const NAME: usize = 512;
/// Strings of an array that are kept where it decides something.
const ITEMS: usize = 4;

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
        Ok(if value { Value::Other } else { Value::Nothing })
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
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

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.state.text(text, self.texts);
        Ok(if self.wanted { Value::Text(text.chars().take(NAME).collect()) } else { Value::Other })
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.inside()?;
        let (wanted, texts, state) = (self.wanted, self.texts, self.state);
        let mut kept = Vec::new();
        let mut count = 0_usize;
        loop {
            state.path.push(Step::Index(count));
            let wanted = wanted && kept.len() < ITEMS;
            let item = items.next_element_seed(Node { state, depth, wanted, texts });
            state.path.pop();
            match item? {
                None => break,
                Some(Value::Text(text)) => kept.push(text),
                Some(_) => {}
            }
            count = count.saturating_add(1);
        }
        Ok(if wanted { Value::List(kept, count) } else { Value::Other })
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let depth = self.inside()?;
        let (texts, state) = (self.texts, self.state);
        let limit = state.budget.name_bytes;
        let listed = matches!(state.path.as_slice(), [Step::Index(_)]);
        let top = state.path.is_empty();
        let mut keys: HashSet<[u64; 2]> = HashSet::new();
        let mut together = Together::default();
        let (mut class_name, mut config) = (false, false);
        while let Some(key) = entries.next_key_seed(Name { limit, slot: &mut state.slot })? {
            state.keys = state.keys.saturating_add(1);
            if state.keys > state.budget.json_keys {
                let limit = state.budget.json_keys;
                return Err(refuse(&mut state.slot, Malformed::JsonKeys { limit }));
            }
            if !keys.insert(state.hashes(&key)) {
                let key = shown(&key);
                return Err(refuse(&mut state.slot, Malformed::JsonDuplicateKey { key }));
            }
            state.cells |= top && key == "cells";
            state.nbformat |= top && key == "nbformat";
            class_name |= key == "class_name";
            config |= key == "config";
            let texts = texts.of(&key, top);
            state.path.push(Step::Key(key));
            let value = state.entry(&mut entries, depth, texts, top);
            let key = match state.path.pop() {
                Some(Step::Key(key)) => key,
                _ => String::new(),
            };
            together.take(&key, value?);
        }
        state.runs(together.asked(listed));
        state.keras |= class_name && config;
        Ok(Value::Other)
    }
}

impl State<'_> {
    /// Reads the value of the key that the path ends in.
    fn entry<'de, A: MapAccess<'de>>(
        &mut self,
        entries: &mut A,
        depth: usize,
        texts: Texts,
        top: bool,
    ) -> Result<Value, A::Error> {
        let wanted = self.asks(|key, parent| code::wants(key, parent, top));
        let value = entries.next_value_seed(Node { state: self, depth, wanted, texts });
        // A value that breaks is taken for one that asks.
        let kind = value.as_ref().unwrap_or(&Value::Other);
        let asked = self.asks(|key, parent| code::asked(key, parent, kind));
        self.runs(asked);
        value
    }

    /// Asks about the key that the path ends in, and the key of the object that it is in.
    fn asks<T: Default>(&self, ask: impl FnOnce(&str, Option<&str>) -> T) -> T {
        match self.path.last() {
            Some(Step::Key(key)) => ask(key, self.parent()),
            _ => T::default(),
        }
    }
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
        assert_eq!(found.findings.len(), 1);
        is_text("\u{feff}[section]");
    }

    /// Place and subject of what would run code.
    fn runs(text: &str) -> Vec<(String, String)> {
        let found = json(text).findings.into_iter();
        let found = found.filter(|finding| finding.kind == Kind::RemoteCode);
        found.map(|finding| (finding.place.to_string(), finding.subject)).collect()
    }

    #[test]
    fn keys_that_ask_for_code_are_reported_with_their_place() {
        let found = runs(
            r#"{"a/b":[0,{"auto_map":{"AutoModel":"m.M"}}],"custom_pipelines":{},"trust_remote_code":true}"#,
        );
        let expected = [
            (r#"key "/a~1b/1/auto_map""#, "auto_map"),
            (r#"key "/custom_pipelines""#, "custom_pipelines"),
            (r#"key "/trust_remote_code""#, "trust_remote_code"),
        ];
        let expected = expected.map(|(place, subject)| (place.to_owned(), subject.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn names_that_loaders_import_are_reported_and_ordinary_ones_are_not() {
        for (text, subject) in [
            (r#"{"auto_mapping":{"parent_library":"evil"}}"#, "evil"),
            (r#"{"a":{"_target_":"os.system"}}"#, "os.system"),
            (r#"{"activation_function":"posix.system"}"#, "posix.system"),
            (r#"[{"path":"","type":"evil.Module"}]"#, "evil.Module"),
            (r#"{"types":{"a":"evil.Module"}}"#, "evil.Module"),
            (r#"{"_class_name":"APipeline","unet":["evil","Unet"]}"#, "evil"),
            (r#"{"_class_name":"Other","unet":["evil","Unet"]}"#, "evil"),
            (r#"{"_class_name":["evil","Pipeline"]}"#, "_class_name"),
            (r#"{"_attn_implementation_internal":"evil/kernel"}"#, "evil/kernel"),
            (r#"{"attn_implementation":["sdpa","evil/kernel"]}"#, "evil/kernel"),
            (r#"{"class_name":"Lambda"}"#, "Lambda"),
            (r#"{"py/reduce":[]}"#, "py/reduce"),
        ] {
            let found = runs(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!(found[0].1, subject, "{text}");
        }
        for quiet in [
            r#"{"trust_remote_code":false,"auto_map":null,"auto_mapping":null}"#,
            r#"{"x":"auto_map","activation_function":"gelu_new"}"#,
            r#"{"parent_library":"transformers.models.bert.modeling_bert"}"#,
            r#"{"activation_function":"torch.nn.modules.activation.Tanh"}"#,
            r#"[{"path":"1","type":"sentence_transformers.models.Pooling"}]"#,
            r#"{"_class_name":"UNet2DConditionModel","types":["CrossUp","CrossDown"]}"#,
            r#"{"_class_name":"StableDiffusionPipeline","unet":["diffusers","UNet"],"safety_checker":[null,null]}"#,
            r#"{"attn_implementation":"flash_attention_2","architectures":["evil"]}"#,
        ] {
            assert_eq!(runs(quiet), [], "{quiet}");
        }
    }

    #[test]
    fn reports_survive_a_later_break() {
        let found = json(r#"[{"auto_map":1},{"auto_map":"#);
        assert!(found.malformed.is_some());
        assert_eq!(found.findings.len(), 1);
    }

    #[test]
    fn templates_and_expressions_are_read_wherever_they_are() {
        let evil = "{{ x.__class__ }}";
        for text in [
            format!(r#"{{"chat_template":"{evil}"}}"#),
            format!(r#"{{"chat_template":[{{"name":"a","template":"{evil}"}}]}}"#),
            format!(r#"{{"a":"{{% if x %}}{evil}{{% endif %}}"}}"#),
            r#"{"a":[{"pattern":{"Regex":"(a+)+"}}]}"#.to_owned(),
        ] {
            let found = json(&text);
            assert_eq!(found.findings.len(), 1, "{text}");
            assert!(matches!(found.findings[0].kind, Kind::Template | Kind::Regex));
        }
        for text in [
            format!(r#"{{"vocab":{{"a":"{{% {evil} %}}"}}}}"#),
            r#"{"chat_template":"{{ bos_token }}"}"#.to_owned(),
        ] {
            assert_eq!(json(&text).findings, [], "{text}");
        }
    }

    #[test]
    fn a_notebook_is_one_by_its_keys() {
        let notebook = |text: &str| look(text.as_bytes()).format;
        let found = notebook(r#"{"cells":[{"source":"{% x %}"}],"nbformat":4}"#);
        assert_eq!(found, Identified::One(Format::Notebook));
        assert_eq!(notebook(r#"{"a":{"cells":[],"nbformat":4}}"#), Identified::One(Format::Json));
    }

    #[test]
    fn strings_are_bounded_before_the_parser_keeps_them() {
        let short = Budget { json_token: 8, ..Budget::default() };
        let found = look_within(br#"{"a":"123456789"}"#, &short).malformed;
        assert_eq!(found, Some(Malformed::JsonToken { limit: 8 }));
    }

    #[test]
    fn what_json_does_not_have_is_malformed_and_not_text() {
        for value in [
            "NaN",
            "Infinity",
            "-Infinity",
            r#""\ud800""#,
            r#""\udc00""#,
            "1e999",
            "+1",
            "0x1",
            "1.",
        ] {
            assert!(json(&format!(r#"{{"a":{value}}}"#)).malformed.is_some(), "{value}");
        }
    }
}
