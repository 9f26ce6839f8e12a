//! The names of members: such as mean the same file to every reader, on every system.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization as _;

/// Bytes of one name. A path has no more on the systems that unpack it.
const LONGEST: usize = 1024;

/// What is wrong with a name, in words that follow "its name".
pub(super) fn wrong(name: &str) -> Option<&'static str> {
    let path = name.strip_suffix('/').unwrap_or(name);
    let drive = matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if path.is_empty() {
        Some("is empty")
    } else if name.len() > LONGEST {
        Some("is too long")
    } else if path.starts_with('/') || drive {
        Some("is absolute")
    } else if path.contains('\\') {
        Some("has a backslash")
    } else if path.chars().any(unseen) {
        Some("has a control character")
    } else if path.split('/').any(|part| part == "..") {
        Some("leads out of the archive")
    } else if path.split('/').any(|part| matches!(part, "" | ".")) {
        Some("has an empty part")
    } else {
        None
    }
}

/// Controls, and marks that change the direction of text or take no room.
fn unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' | '\u{61c}')
}

/// The names so far, as a system would see them that knows neither case nor normal forms.
pub(super) struct Names {
    files: HashSet<String>,
    /// With a slash at the end where the folder has an entry of its own.
    folders: HashSet<String>,
    /// Bytes that may still be kept.
    room: usize,
}

impl Names {
    /// Keeps up to `room` bytes of names and their folders.
    pub(super) fn new(room: usize) -> Self {
        Names { files: HashSet::new(), folders: HashSet::new(), room }
    }

    /// Adds a name. What is wrong with it beside the others is given in words that follow "its name".
    pub(super) fn add(&mut self, name: &str) -> Option<&'static str> {
        const FULL: Option<&str> = Some("is one too many, or the names are too long together");
        let folded = fold(name);
        let path = folded.strip_suffix('/').unwrap_or(&folded);
        if self.files.contains(path) || self.folders.contains(&format!("{path}/")) {
            return Some("is that of another member");
        }
        for (at, _) in path.match_indices('/') {
            let (folder, _) = path.split_at(at);
            if self.files.contains(folder) {
                return Some("lies below another member");
            }
            if !self.folders.contains(folder) && !self.keep(folder, true) {
                return FULL;
            }
        }
        let is_folder = folded.len() > path.len();
        if !is_folder && self.folders.contains(path) {
            return Some("is that of a folder");
        }
        let kept = if is_folder {
            self.keep(path, true) && self.keep(&folded, true)
        } else {
            self.keep(path, false)
        };
        if kept { None } else { FULL }
    }

    fn keep(&mut self, name: &str, folder: bool) -> bool {
        let Some(room) = self.room.checked_sub(name.len()) else { return false };
        self.room = room;
        let set = if folder { &mut self.folders } else { &mut self.files };
        set.insert(name.to_owned());
        true
    }
}

/// Compatibility forms and case are one; so are names that differ in a dot or space at the end.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return trim(&name.to_ascii_lowercase());
    }
    trim(&name.nfkc().flat_map(char::to_lowercase).nfkc().collect::<String>())
}

/// Without the dots and spaces that Windows leaves out at the end of each part.
fn trim(name: &str) -> String {
    if !name.ends_with(['.', ' ']) && !name.contains("./") && !name.contains(" /") {
        return name.to_owned();
    }
    let parts: Vec<&str> = name.split('/').map(|part| part.trim_end_matches(['.', ' '])).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_wrong() {
        for name in ["a", "a/b.npy", "a b/c", "été", "a/", ".data/id", "..a", "模型/data.pkl"] {
            assert_eq!(wrong(name), None, "{name}");
        }
        for name in ["", "/", "/a", "C:a", "a\\b", "a\0b", "a\u{202e}b", "..", "a/../b", "a//b"] {
            assert!(wrong(name).is_some(), "{name}");
        }
        assert!(wrong("./a").is_some());
        assert!(wrong(&"a".repeat(LONGEST + 1)).is_some());
    }

    #[test]
    fn names_that_mean_one_file_are_found() {
        for (one, other) in [
            ("a", "a"),
            ("a", "A"),
            ("a/", "a/"),
            ("a", "a/"),
            ("a/", "a"),
            ("a", "a/b"),
            ("a/b", "a"),
            ("é", "e\u{301}"),
            ("É", "é"),
            ("ﬁ", "fi"),
            ("a/b", "a./b"),
            ("a", "a "),
            ("K", "\u{212a}"),
        ] {
            let mut names = Names::new(64);
            assert_eq!(names.add(one), None, "{one}");
            assert!(names.add(other).is_some(), "{one} {other}");
        }
        let mut names = Names::new(64);
        for name in ["a/", "a/b", "a/c/d", "a/e/", "ab"] {
            assert_eq!(names.add(name), None, "{name}");
        }
        assert!(names.add(&"c".repeat(64)).is_some());
    }
}
