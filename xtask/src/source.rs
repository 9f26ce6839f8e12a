//! Reads Rust source as far as the checks need it: what is code, and what is only a test.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Every Rust file below `folder`, in no order.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let error = |source| Failure::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The source with everything inside comments, strings and characters replaced by spaces. Lines
/// stay where they are.
pub(crate) fn code_only(source: &str) -> String {
    let mut rest = source;
    let mut code = String::with_capacity(source.len());
    while let Some(first) = rest.chars().next() {
        let before_is_word = code.chars().next_back().is_some_and(is_word);
        let length = skipped_length(rest, before_is_word).filter(|length| *length > 0);
        let (part, after) =
            rest.split_at_checked(length.unwrap_or(first.len_utf8())).unwrap_or((rest, ""));
        if length.is_some() {
            code.extend(part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            code.push_str(part);
        }
        rest = after;
    }
    code
}

/// The code (see [`code_only`]) without its modules under `#[cfg(test)]`, and the names of those
/// that are files of their own.
pub(crate) fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut files = Vec::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once(MARK) {
        kept.push_str(before);
        let item = after.trim_start();
        let item = item.strip_prefix("pub(crate) ").unwrap_or(item);
        let name = item
            .strip_prefix("mod ")
            .map(|name| name.chars().take_while(|c| is_word(*c)).collect::<String>());
        let end = match (name, after.find([';', '{'])) {
            (Some(name), Some(at)) if after.get(at..).is_some_and(|text| text.starts_with(';')) => {
                files.push(name);
                at + 1
            }
            (Some(_), Some(at)) => at + block_length(after.get(at..).unwrap_or_default()),
            // A function or an import that only tests use stays: it is rare, and strict is safe.
            _ => 0,
        };
        rest = after.get(end..).unwrap_or_default();
    }
    kept.push_str(rest);
    (kept, files)
}

/// Every path that the code's `use` declarations name, with groups taken apart.
pub(crate) fn imports(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before = code.get(..at).unwrap_or_default();
        if before.chars().next_back().is_some_and(is_word) {
            continue;
        }
        let tree = code.get(at + 4..).unwrap_or_default().split(';').next().unwrap_or_default();
        expand("", &tree.split_whitespace().collect::<Vec<_>>().join(" "), &mut paths);
    }
    paths
}

/// The files that the source pulls in by `include!`, as it names them.
pub(crate) fn includes(source: &str) -> Vec<&Path> {
    source
        .split("include!(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(Path::new)
        .collect()
}

/// Whether `code` has `word` standing for itself, not as a part of a longer one.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How many bytes at the start of `rest` are a comment, a string or a character.
fn skipped_length(rest: &str, before_is_word: bool) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    if rest.starts_with('\'') {
        return character_length(rest);
    }
    if rest.starts_with('"') {
        return Some(string_length(rest));
    }
    // b"..", c"..", r"..", br#".."#
    let prefix = rest.chars().take_while(|c| "bcr".contains(*c)).count();
    let (letters, after) = rest.split_at_checked(prefix)?;
    if before_is_word || prefix == 0 || prefix > 2 {
        return None;
    }
    if letters.ends_with('r') {
        let hashes = after.chars().take_while(|c| *c == '#').count();
        let text = after.get(hashes..)?.strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = text.find(&end).map_or(text.len(), |at| at + end.len());
        return Some(prefix + hashes + 1 + length);
    }
    if letters == "b" && after.starts_with('\'') {
        return character_length(after).map(|length| length + 1);
    }
    after.starts_with('"').then(|| prefix + string_length(after))
}

fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character, and not a lifetime.
fn character_length(rest: &str) -> Option<usize> {
    let inner = rest.get(1..)?;
    if let Some(escape) = inner.strip_prefix('\\') {
        let escaped = escape.chars().next()?.len_utf8();
        return escape.get(escaped..)?.find('\'').map(|at| 2 + escaped + at + 1);
    }
    let length = inner.chars().next()?.len_utf8();
    inner.get(length..)?.starts_with('\'').then_some(length + 2)
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(text) = rest.get(at..).filter(|text| !text.is_empty()) {
        if text.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// How long the block is that opens with the first character.
fn block_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Takes a tree of a `use` declaration apart.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        paths.push(format!("{prefix}{path}").trim_end_matches("::self").to_owned());
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let group = group.strip_suffix('}').unwrap_or(group);
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&prefix, group.get(start..at).unwrap_or_default(), paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    if let Some(last) = group.get(start..).filter(|last| !last.trim().is_empty()) {
        expand(&prefix, last, paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_blanked() {
        let blank =
            |source: &str| code_only(source).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(blank("a // unsafe\nb"), "a b");
        assert_eq!(blank("a /* x /* unsafe */ y */ b"), "a b");
        assert_eq!(blank(r#"a "un\"safe" b"#), "a b");
        assert_eq!(blank(r##"a r#"un"safe"# b"##), "a b");
        assert_eq!(blank("a b\"unsafe\" c"), "a c");
        assert_eq!(blank("a '\"' b '\\'' c b'\"' d"), "a b c d");
        assert_eq!(blank("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
        assert_eq!(blank("for r in rows {} let bar = \"x\";"), "for r in rows {} let bar = ;");
        assert_eq!(code_only("/*\n\n*/x").lines().count(), 3);
    }

    #[test]
    fn test_modules_are_left_out() {
        let (code, files) = without_tests(
            "a\n#[cfg(test)]\nmod tests { fn f() { x } }\nb #[cfg(test)] mod cases; c\n\
             #[cfg(test)]\npub(crate) mod shared; d",
        );
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!(files, ["cases", "shared"]);
    }

    #[test]
    fn groups_of_imports_are_taken_apart() {
        let code = "pub use std::{fs::{self, File}, io::Read as _};\nuse std::env;";
        assert_eq!(imports(code), ["std::fs", "std::fs::File", "std::io::Read", "std::env"]);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("{ word {", "word"));
        assert!(!has_word("word_code", "word"));
    }
}
