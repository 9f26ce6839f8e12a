//! Every case is refused for what it does, and its twin passes.

use std::collections::BTreeSet;

use oms_corpus::{Rules, cases};

#[test]
fn every_case_is_refused_for_what_it_does_and_its_twin_passes() {
    let rules = Rules::widest().unwrap();
    let mut wrong = Vec::new();
    for case in cases() {
        let found = rules.refusals(&case.files).unwrap();
        let expected =
            |(code, said): &(String, String)| code == case.code && said.contains(case.says);
        if !found.iter().any(expected) {
            let (name, code, says) = (case.name, case.code, case.says);
            wrong.push(format!("{name}: expected {code} {says:?}, found {found:?}"));
        }
        let found = rules.refusals(&case.twin).unwrap();
        if !found.is_empty() {
            wrong.push(format!("{}: its twin is refused: {found:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_unique_and_say_what_the_file_does() {
    let mut names = BTreeSet::new();
    for case in cases() {
        assert!(names.insert(case.name), "{}", case.name);
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(case.name.bytes().all(is_word), "{}", case.name);
    }
}
