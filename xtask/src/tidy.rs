//! `cargo xtask tidy`: the rules of the repository that no compiler checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oms_testkit::vectors::workspace;

use crate::failure::{Failure, Finding};
use crate::process::{command, output};
use crate::source::{code_only, has_word, includes};

/// The only folder that may hold `unsafe`.
const UNSAFE_ROOM: &str = "appliance/sys/";

/// What stands at the top level, besides files and folders whose names start with a dot.
const TOP_LEVEL: [&str; 13] = [
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "appliance",
    "firmware-roots",
    "policies",
    "rust-toolchain.toml",
    "tests",
    "xtask",
];

/// The longest that a source file may be before its tests begin, in lines.
const LONGEST: usize = 600;

/// Notes to oneself. Written in two halves, as all needles here, so that this file has none.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// How a file would name a package registry: a build takes its packages by the clients' own settings.
const REGISTRIES: [&str; 4] = [
    concat!("index", "-url"),
    concat!("replace", "-with"),
    concat!("[regis", "tries"),
    concat!("--regis", "try"),
];

/// Folders of the machine that the project happened to be written on.
const FOREIGN_FOLDERS: [&str; 3] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

/// Checks every file that is in the repository or would be added to it.
pub(crate) fn run() -> Result<(), Failure> {
    let mut list =
        command("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = output(&mut list)?;
    let mut findings = Vec::new();
    let mut sources = Vec::new();
    let mut top = BTreeSet::new();
    for name in names.split_terminator('\0') {
        // A file that was deleted and not yet committed is listed; one that is not text is no concern.
        let Ok(text) = std::fs::read(workspace().join(name)) else { continue };
        top.insert(name.split('/').next().unwrap_or(name));
        let Ok(text) = String::from_utf8(text) else { continue };
        findings.extend(any_text(name, &text));
        if name.ends_with(".rs") {
            sources.push((name, text));
        }
    }
    let fragments = fragments(&sources);
    for (name, text) in &sources {
        findings.extend(rust(name, text, fragments.contains(Path::new(name))));
    }
    findings.extend(top_level(&top));
    Finding::none_in("tidy", findings)
}

/// Rules for every text file. The lock names the registry by cargo's own choice.
fn any_text(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if name == "Cargo.lock" {
        return findings;
    }
    for (number, line) in (1..).zip(text.lines()) {
        let place = format!("{name}:{number}");
        for note in NOTES.iter().filter(|note| has_word(line, note)) {
            findings.push(Finding::new(&place, format!("holds a {note}: do it, or file an issue")));
        }
        for setting in REGISTRIES.iter().filter(|setting| line.contains(**setting)) {
            findings.push(Finding::new(&place, format!("names a package registry: {setting}")));
        }
        for folder in FOREIGN_FOLDERS.iter().filter(|folder| is_absolute(line, folder)) {
            findings.push(Finding::new(&place, format!("names a folder of one machine: {folder}")));
        }
    }
    findings
}

/// Whether `folder` stands in the line as an absolute path, not as the end of another.
fn is_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}".contains(c))
    })
}

/// Rules for Rust source. A fragment is what another file includes: it cannot have a module's doc.
fn rust(name: &str, text: &str, is_fragment: bool) -> Vec<Finding> {
    let code = code_only(text);
    let mut findings = Vec::new();
    if !is_fragment && !text.starts_with("//!") {
        findings.push(Finding::new(name, "does not open with its purpose (//!)"));
    }
    for (number, line) in (1..).zip(code.lines()) {
        let place = format!("{name}:{number}");
        if has_word(line, "unsafe") && !name.starts_with(UNSAFE_ROOM) {
            findings.push(Finding::new(&place, format!("unsafe outside {UNSAFE_ROOM}")));
        }
        if line.contains("#[allow(") || line.contains("#![allow(") {
            findings.push(Finding::new(&place, "allows a lint: expect it, with the reason"));
        }
    }
    let lines = code.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
    if lines > LONGEST && !name.starts_with("tests/") && !is_fragment {
        findings.push(Finding::new(
            name,
            format!("has {lines} lines before its tests; {LONGEST} are enough for one subject"),
        ));
    }
    findings
}

/// The files that others include.
fn fragments(sources: &[(&str, String)]) -> BTreeSet<PathBuf> {
    let folder = |name: &str| Path::new(name).parent().unwrap_or(Path::new("")).to_owned();
    sources
        .iter()
        .flat_map(|(name, text)| {
            includes(text).into_iter().map(move |file| folder(name).join(file))
        })
        .collect()
}

fn top_level(top: &BTreeSet<&str>) -> Vec<Finding> {
    let expected: BTreeSet<&str> = TOP_LEVEL.into();
    let extra = top.difference(&expected).filter(|name| !name.starts_with('.'));
    let extra = extra.map(|name| Finding::new(name, "does not belong at the top level"));
    extra
        .chain(
            expected.difference(top).map(|name| Finding::new(name, "is missing at the top level")),
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_for_text_finds_its_breach() {
        let breaches = [
            format!("// {} later", NOTES[0]),
            format!("pip install -{}=https://registry.example", REGISTRIES[0]),
            format!("cd {}me", FOREIGN_FOLDERS[0]),
        ];
        for line in &breaches {
            assert_eq!(any_text("a.md", line).len(), 1, "{line}");
        }
        assert_eq!(any_text("Cargo.lock", &breaches[1]), []);
        let [folder, ..] = FOREIGN_FOLDERS;
        assert_eq!(any_text("a.md", &format!("a/b{folder}x and ${{HOME}}{folder}")), []);
    }

    #[test]
    fn each_rule_for_source_finds_its_breach() {
        // In two halves, so that a plain search for the keyword finds only what it is for.
        let unsafe_code = concat!("//! Purpose\nfn f() { uns", "afe { g() } }");
        assert_eq!(rust("xtask/a.rs", unsafe_code, false).len(), 1);
        assert_eq!(rust("appliance/sys/src/a.rs", unsafe_code, false), []);
        assert_eq!(
            rust(
                "a.rs",
                "//! unsafe\n// unsafe\nlet a = \"#[allow(x)]\"; let unsafe_code = 1;",
                false
            ),
            []
        );
        assert_eq!(rust("a.rs", "//! Purpose\n#[allow(dead_code)]\nfn f() {}", false).len(), 1);
        assert_eq!(rust("a.rs", "fn f() {}", false).len(), 1);
        assert_eq!(rust("a.rs", "fn f() {}", true), []);
        let long = format!("//! Purpose\n{}", "x\n".repeat(LONGEST));
        assert_eq!(rust("a.rs", &long, false).len(), 1);
        assert_eq!(rust("tests/a.rs", &long, false), []);
        assert_eq!(
            rust("a.rs", &format!("//! Purpose\n#[cfg(test)]\n{}", "x\n".repeat(LONGEST)), false),
            []
        );
    }

    #[test]
    fn the_top_level_is_exact() {
        let mut top: BTreeSet<&str> = TOP_LEVEL.into();
        top.insert(".ci");
        assert_eq!(top_level(&top), []);
        top.insert("docs");
        top.remove("README.md");
        assert_eq!(top_level(&top).len(), 2);
    }

    #[test]
    fn an_included_file_is_a_fragment() {
        let sources = [("a/src/b.rs", format!("{}!(\"b/table.rs\");", "include"))];
        assert!(fragments(&sources).contains(Path::new("a/src/b/table.rs")));
    }
}
