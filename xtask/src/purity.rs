//! `cargo xtask purity`: `oms-verify` and `oms-inspect` decide about bytes and can do no I/O. What
//! they would need for it must be neither in their source nor among their dependencies.

use std::path::Path;

use oms_testkit::vectors::workspace;

use crate::failure::{Failure, Finding};
use crate::packages::{Packages, Reached};
use crate::process::read;
use crate::source::{code_only, has_word, imports, rust_files, without_tests};

/// The pure packages and their folders.
const PURE: [(&str, &str); 2] =
    [("oms-verify", "appliance/verify"), ("oms-inspect", "appliance/inspect")];

/// Paths that lead to files, the network, other processes, the environment or a clock. What lies
/// below them is meant too.
const PATHS: [&str; 13] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::os",
    "std::path",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "rustix",
    "libc",
];

/// Macros that print.
const MACROS: [&str; 5] = ["println", "print", "eprintln", "eprint", "dbg"];

/// Words that stand for a clock, for foreign code, or for what the compiler cannot check.
const WORDS: [&str; 4] = ["unsafe", "extern", "SystemTime", "Instant"];

/// Packages that must not be anywhere among the dependencies.
const BANNED: [&str; 16] = [
    "async-std",
    "curl",
    "hyper",
    "inotify",
    "memmap2",
    "mio",
    "native-tls",
    "nix",
    "notify",
    "openssl-sys",
    "reqwest",
    "socket2",
    "tempfile",
    "tokio",
    "ureq",
    "walkdir",
];

/// Packages that must not be direct dependencies: system calls at first hand.
const BANNED_DIRECTLY: [&str; 5] = ["libc", "linux-raw-sys", "oms-sys", "oms-station", "rustix"];

/// A way to a banned package that is known: from, to, and why it stays. One that is gone must go
/// from here as well.
type Exception = (&'static str, &'static str, &'static str);

const EXCEPTIONS: [Exception; 1] = [(
    "certval",
    "walkdir",
    "comes with its feature `std`, for reading folders of certificates, which is never called",
)];

/// The crates that wrap a clock: only the module of that folder may name them, since it compares
/// every time with the time of validation (design, section 2).
const CLOCKS: (&str, &str) = ("sigstore_", "appliance/verify/src/sigstore");

/// Looks at the source and at the dependencies of each pure package.
pub(crate) fn run() -> Result<(), Failure> {
    let packages = Packages::load()?;
    let mut findings = stale_exceptions(&packages);
    for (package, folder) in PURE {
        findings.extend(dependencies(&packages, package));
        findings.extend(sources(&workspace().join(folder).join("src"))?);
    }
    Finding::none_in("purity", findings)
}

fn dependencies(packages: &Packages, package: &str) -> Vec<Finding> {
    let needed = packages.needed_by(package);
    if needed.is_empty() {
        return vec![Finding::new(package, "is not a package of the workspace")];
    }
    let mut findings = Vec::new();
    for reached in &needed {
        let is_direct = reached.way.len() == 1;
        for need in &reached.needs {
            let is_banned = BANNED.contains(need) || is_direct && BANNED_DIRECTLY.contains(need);
            if is_banned && !EXCEPTIONS.iter().any(|known| is_known(reached, need, known)) {
                findings.push(Finding::new(
                    package,
                    format!("can do I/O by {} -> {need}", reached.way.join(" -> ")),
                ));
            }
        }
    }
    findings
}

/// The exceptions that no pure package needs any more.
fn stale_exceptions(packages: &Packages) -> Vec<Finding> {
    let needed: Vec<_> = PURE.iter().flat_map(|(package, _)| packages.needed_by(package)).collect();
    let is_used = |known: &&Exception| {
        needed.iter().any(|reached| reached.needs.iter().any(|need| is_known(reached, need, known)))
    };
    let stale = EXCEPTIONS.iter().filter(|known| !is_used(known));
    stale
        .map(|(from, to, why)| {
            Finding::new(from, format!("no longer needs {to}; the exception ({why}) can go"))
        })
        .collect()
}

fn is_known(reached: &Reached<'_>, need: &str, (from, to, _): &Exception) -> bool {
    reached.package.name == *from && need == *to
}

fn sources(folder: &Path) -> Result<Vec<Finding>, Failure> {
    let files = rust_files(folder)?;
    let mut findings = Vec::new();
    let mut tests = Vec::new();
    for path in &files {
        let (code, test_files) = without_tests(&code_only(&read(path)?));
        // `mod cases;` in a/b.rs is a/b/cases.rs, and in a/mod.rs or a/lib.rs it is a/cases.rs.
        let is_top = path.file_stem().is_some_and(|stem| stem == "lib" || stem == "mod");
        let below = if is_top { path.with_file_name("") } else { path.with_extension("") };
        tests.extend(test_files.into_iter().map(|name| below.join(name)));
        let mut found = violations(&code);
        let (crates, home) = CLOCKS;
        if names_crate(&code, crates) && !path.starts_with(workspace().join(home)) {
            found.push(format!("names a crate {crates}*, which look at the clock, outside {home}"));
        }
        findings.push((path, found));
    }
    let is_test = |path: &Path| {
        tests.iter().any(|test| path.with_extension("") == *test || path.starts_with(test))
    };
    let place = |path: &Path| path.strip_prefix(workspace()).unwrap_or(path).display().to_string();
    let impure = findings.into_iter().filter(|(path, _)| !is_test(path));
    Ok(impure
        .flat_map(|(path, found)| {
            found.into_iter().map(move |problem| Finding::new(place(path), problem))
        })
        .collect())
}

/// Whether the code has a path that begins with a crate of this prefix.
fn names_crate(code: &str, prefix: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(prefix).any(|(at, _)| {
        let (before, rest) = code.split_at_checked(at).unwrap_or_default();
        let after = rest.trim_start_matches(is_part);
        !before.ends_with(is_part) && (after.starts_with("::") || before.ends_with("extern crate "))
            || before.ends_with("use ")
    })
}

/// What in the code could do I/O.
fn violations(code: &str) -> Vec<String> {
    let imports = imports(code);
    let leads_to = |path: &str| {
        let imported =
            imports.iter().any(|import| import == path || import.starts_with(&format!("{path}::")));
        imported || has_word(code, path)
    };
    let paths = PATHS.iter().filter(|path| leads_to(path)).map(|path| format!("uses {path}"));
    let everything = imports.iter().filter(|import| {
        matches!(import.as_str(), "std" | "std::*" | "std::io::*" | "std::time::*")
    });
    let everything =
        everything.map(|import| format!("imports {import}, which holds what can do I/O"));
    let macros = MACROS
        .iter()
        .filter(|name| has_word(code, &format!("{name}!")))
        .map(|name| format!("prints with {name}!"));
    let words =
        WORDS.iter().filter(|word| has_word(code, word)).map(|word| format!("has the word {word}"));
    let clock = code.contains("::now(").then(|| "reads a clock (::now)".to_owned());
    paths.chain(everything).chain(macros).chain(words).chain(clock).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_way_to_do_io_is_found() {
        for code in [
            "use std::fs;",
            "use std::{fmt, fs::File};",
            "use std::{io::{self, stdout}};",
            "use std::*;",
            "fn f() { std::env::var(x) }",
            "fn f() { println!(x) }",
            concat!("uns", "afe fn f() {}"),
            "fn f() { Timestamp::now() }",
            "use std::time::Instant as Clock;",
            "fn f() { rustix::fs::open(x) }",
            "extern crate std as other;",
        ] {
            assert!(!violations(code).is_empty(), "{code}");
        }
    }

    #[test]
    fn what_only_works_on_values_is_fine() {
        assert_eq!(
            violations(
                "use std::io::{Read, Seek};\nuse std::{fmt, time::Duration};\nfn f(environment: u8) {}"
            ),
            [""; 0]
        );
    }

    #[test]
    fn test_modules_may_do_io_and_others_may_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        file("lib.rs", "mod a; #[cfg(test)] mod vectors;\n// std::fs in a comment");
        file("a.rs", "#[cfg(test)] mod cases;\n#[cfg(test)] mod tests { use std::fs; }");
        file("a/cases.rs", "use std::fs;");
        file("vectors.rs", "use std::fs;");
        assert_eq!(sources(dir.path()).unwrap(), []);
        file("a/other.rs", "use std::fs;");
        assert_eq!(sources(dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn crates_that_look_at_the_clock_have_one_home() {
        for code in ["use sigstore_verify::Verifier;", "fn f() { sigstore_tsa::verify(x) }"] {
            assert!(names_crate(code, CLOCKS.0), "{code}");
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("lib.rs"), code).unwrap();
            assert_eq!(sources(dir.path()).unwrap().len(), 1);
        }
        for code in ["let sigstore_root = 1;", "use crate::sigstore::verify;", "my_sigstore_x::y()"]
        {
            assert!(!names_crate(code, CLOCKS.0), "{code}");
        }
        let home = workspace().join(CLOCKS.1);
        assert!(home.is_dir(), "{}", home.display());
    }

    #[test]
    fn a_banned_dependency_is_found_with_the_way_to_it() {
        let packages = Packages::example(&[
            ("pure", &["between", "serde"]),
            ("between", &["tokio", "libc"]),
            ("tokio", &[]),
            ("libc", &[]),
            ("serde", &[]),
        ]);
        let found = dependencies(&packages, "pure");
        assert_eq!(found.len(), 1);
        assert!(found[0].problem.ends_with("by pure -> between -> tokio"));
        let packages = Packages::example(&[("pure", &["libc"]), ("libc", &[])]);
        assert_eq!(dependencies(&packages, "pure").len(), 1);
    }
}
