//! The README's examples: what people copy from it is what the program takes.

use std::fs;

use oms_testkit::pki::{Authority, KeyType, Profile};
use oms_testkit::roots::{self, Anchor};
use oms_testkit::vectors::workspace;
use oms_testkit::{files, run};

fn readme() -> String {
    fs::read_to_string(workspace().join("README.md")).unwrap()
}

/// The fenced blocks of the language `toml`.
fn toml_blocks(text: &str) -> Vec<&str> {
    let after = text.split("```toml\n").skip(1);
    after.map(|rest| rest.split_once("```").unwrap().0).collect()
}

#[test]
fn the_policies_of_the_readme_are_good_and_explain_themselves() {
    let text = readme();
    let blocks = toml_blocks(&text);
    let policies: Vec<&&str> = blocks.iter().filter(|block| block.contains("[policy]")).collect();
    assert!(!policies.is_empty(), "no policy among {} blocks", blocks.len());
    let dir = tempfile::tempdir().unwrap();
    let root = |name| Authority::root(Profile::ca(name), KeyType::P384).certificate.pem;
    let folder = roots::write(
        dir.path().join("roots"),
        &[
            Anchor::new("corp-root", &root("Corp Root"), &["code-signing", "verdict"]),
            Anchor::new("corp-tsa", &root("Corp TSA"), &["timestamping"]),
        ],
    );
    for policy in policies {
        let file = files::public(dir.path().join("policy.toml"), policy);
        for what in ["check", "explain"] {
            let mut command = run::command();
            command.args(["policy", what]).arg(&file).arg("--roots").arg(&folder);
            let _ = run::outcome(&mut command).expect_status(0);
        }
    }
}

#[test]
fn every_toml_block_of_the_readme_is_toml() {
    for block in toml_blocks(&readme()) {
        assert!(block.parse::<toml::Table>().is_ok(), "{block}");
    }
}

#[test]
fn the_readme_quotes_the_check_with_openssl_that_is_tested() {
    assert!(readme().contains(include_str!("check-verdict.sh")));
}
