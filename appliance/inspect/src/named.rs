//! What a file's name promises, held against what the file is; and names that somebody acts on
//! without being asked.

use crate::Inspection;
use crate::finding::{Finding, Kind, Place};
use crate::format::{Format, Identified};
use crate::malformed::shown;

/// What is wrong with a file's name: it promises another format than `inspection` found, or somebody
/// acts on it without being asked. `path` is the file's path in the manifest.
///
/// An ending that is not known promises nothing, and no ending promises anything of an empty file.
pub fn named(path: &str, inspection: &Inspection) -> Vec<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let plain = plain(name);
    let ending = plain.rsplit_once('.').map_or("", |(_, ending)| ending);
    let mut findings = Vec::new();
    let mut add = |kind, subject: &str, detail: String| {
        findings.push(Finding { kind, subject: shown(subject), place: Place::File, detail });
    };

    if let Some(hidden) = name.chars().find(|&character| invisible(character)) {
        let number = u32::from(hidden);
        add(
            Kind::Extension,
            ending,
            format!("has the invisible character U+{number:04X} in its name"),
        );
    } else if name.ends_with(['.', ' ']) {
        add(
            Kind::Extension,
            ending,
            "has a name that ends in a dot or space, which Windows drops".into(),
        );
    }
    if let Identified::One(format) = inspection.format
        && format != Format::Empty
        && let Some((_, formats)) = ENDINGS.iter().find(|(endings, _)| endings.contains(&ending))
        && !formats.contains(&format.name())
    {
        let detail = format!("is named as {} and is {}", formats.join(" or "), format.name());
        add(Kind::Extension, ending, detail);
    }
    if let Some(what) = autorun(path, &plain, ending, &inspection.format) {
        add(Kind::Autorun, name, what.to_owned());
    }
    if let Some(what) = runs(&plain, ending) {
        add(Kind::RemoteCode, name, format!("is {what}, which a loader may run"));
    }
    if is_template(&plain, ending) {
        findings.extend(inspection.template.clone());
    }
    if matches!(ending, "yaml" | "yml") {
        findings.extend(inspection.yaml.clone());
    }
    findings
}

/// Endings, and the formats that a file of that name may have. More is promised by none.
const ENDINGS: &[(&[&str], &[&str])] = &[
    (&["safetensors"], &["safetensors"]),
    (&["gguf"], &["gguf"]),
    (&["onnx"], &["onnx"]),
    (&["tflite"], &["tflite"]),
    (&["npy"], &["numpy"]),
    (&["npz"], &["npz", "zip"]),
    (&["keras"], &["keras", "hdf5"]),
    (&["h5", "hdf5"], &["hdf5"]),
    (&["pb"], &["savedmodel", "graphdef", "onnx"]),
    (
        &["pt", "pth", "ckpt", "ptl", "pt2"],
        &["pytorch", "torchscript", "torch-legacy", "pickle", "zip"],
    ),
    (
        &["bin"],
        &[
            "pytorch",
            "torchscript",
            "torch-legacy",
            "pickle",
            "zip",
            "tokenizer",
            "gguf",
            "numpy",
            "onnx",
            "tflite",
            "json",
            "text",
        ],
    ),
    (&["pkl", "pickle"], &["pickle", "torch-legacy", "joblib"]),
    (&["joblib"], &["joblib", "pickle", "archive"]),
    (&["model", "spm"], &["tokenizer", "text"]),
    (&["json"], &["json"]),
    (&["jsonl", "ndjson"], &["json", "text"]),
    (&["ipynb"], &["notebook", "json"]),
    (&["txt", "md", "rst", "csv", "tsv", "log", "vocab", "yaml", "yml"], &["text", "json"]),
    (
        &["toml", "ini", "cfg", "jinja", "jinja2", "j2", "xml", "merges", "pbtxt", "proto"],
        &["text"],
    ),
    (&["py", "sh", "bash", "js", "rb", "pl", "r", "lua", "php"], &["text", "script"]),
    (&["html", "htm"], &["html", "text"]),
    (&["svg"], &["svg"]),
    (&["png", "jpg", "jpeg", "gif", "webp"], &["image"]),
    (&["wav", "mp3", "flac", "ogg", "opus"], &["audio"]),
    (&["pdf"], &["pdf"]),
    (
        &["doc", "docx", "docm", "xls", "xlsx", "xlsm", "ppt", "pptx", "pptm", "rtf", "msi"],
        &["document"],
    ),
    (&["zip"], &["zip", "pytorch", "torchscript", "npz", "keras"]),
    (
        &["tar", "gz", "tgz", "xz", "zst", "bz2", "lz4", "7z", "rar", "cab", "iso", "dmg"],
        &["archive"],
    ),
];

/// Whether loaders read a file of that name as a template of prompts.
fn is_template(name: &str, ending: &str) -> bool {
    matches!(ending, "jinja" | "jinja2" | "j2") || name.contains("chat_template")
}

/// What a loader, or the interpreter that it is written for, runs from a file of that name.
fn runs(name: &str, ending: &str) -> Option<&'static str> {
    // The version of a library follows its ending.
    let library = name.split('.').skip(1).any(|part| part == "so" || part == "dylib");
    let ending = if library { "so" } else { ending };
    CODE.iter().find(|(endings, _)| endings.contains(&ending)).map(|(_, what)| *what)
}

/// Endings of files that are code, in lower case.
const CODE: &[(&[&str], &str)] = &[
    (&["py", "pyw", "pyi", "pyx", "pxd", "pxi"], "Python code"),
    (&["pyc", "pyo"], "compiled Python code"),
    (&["ipynb"], "a notebook"),
    (&["so", "dylib", "dll", "pyd", "exe", "com", "o", "a", "lib", "node"], "a program or library"),
    (
        &["c", "cc", "cpp", "cxx", "h", "hpp", "cu", "cuh", "ptx", "cubin", "fatbin", "metal"],
        "code that is compiled when it is loaded",
    ),
    (&["sh", "bash", "zsh", "fish", "ksh", "csh", "command"], "a script of a shell"),
    (
        &["bat", "cmd", "ps1", "psm1", "psd1", "vbs", "vbe", "wsf", "hta", "jse"],
        "a script of Windows",
    ),
    (&["js", "mjs", "cjs", "ts", "wasm"], "code for a browser or Node"),
    (&["jar", "class", "war"], "code for Java"),
    (&["rb", "pl", "php", "lua", "r", "jl"], "a script"),
    (&["whl", "egg", "pyz", "pyzw"], "a package of Python"),
];

/// The name as systems that are generous with names see it: in lower case, without what is invisible,
/// and without dots and spaces at its end.
fn plain(name: &str) -> String {
    let visible = name.chars().filter(|&character| !invisible(character));
    let name: String = visible.flat_map(char::to_lowercase).collect();
    name.trim_end_matches(['.', ' ']).to_owned()
}

/// Characters without a width that no script needs in a name; those that turn the direction of text
/// are in no name that a manifest may have.
fn invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Who acts on a file of that name by itself, if anybody does.
fn autorun(path: &str, name: &str, ending: &str, format: &Identified) -> Option<&'static str> {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let folder =
        |known: &str| path.rsplit('/').skip(1).any(|folder| folder.eq_ignore_ascii_case(known));
    let known = |table: &[(&[&str], &'static str)], word: &str| {
        table.iter().find(|(words, _)| words.contains(&word)).map(|(_, what)| *what)
    };
    if let Some(what) = known(NAMES, name).or_else(|| known(FINAL, ending)) {
        return Some(what);
    }
    if ending == "pth" && matches!(format, Identified::One(Format::Text | Format::Empty)) {
        return Some("is a list of paths and imports that Python runs at its start");
    }
    if let Some((_, what)) = FOLDERS.iter().find(|(name, _)| folder(name)) {
        return Some(what);
    }
    let numbered = matches!(stem.get(..3), Some("com" | "lpt"))
        && matches!(stem.get(3..), Some("1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9"));
    let device = numbered || matches!(stem, "con" | "prn" | "aux" | "nul");
    device.then_some("has the name of a device of Windows")
}

const DESKTOP: &str =
    "is a file that a desktop acts on when it shows the folder or a user opens it";
const MEDIA: &str = "is run or asked about when the medium is put in";
const SHELL: &str = "is run when a shell or tool starts in the folder";
const PYTHON: &str = "is run by Python or its tools without being asked for";
const SERVER: &str = "is obeyed by a web server for the whole folder";

/// Whole names, in lower case.
const NAMES: &[(&[&str], &str)] = &[
    (&["autorun.inf", "autorun", ".autorun", "autorun.sh", "autoopen", ".autoopen"], MEDIA),
    (&["desktop.ini", "folder.htt", ".directory", ".xdg-volume-info", ".ds_store"], DESKTOP),
    (
        &[
            ".bashrc",
            ".bash_profile",
            ".bash_login",
            ".bash_logout",
            ".bash_aliases",
            ".profile",
            ".zshrc",
            ".zshenv",
            ".zprofile",
            ".zlogin",
            ".zlogout",
            ".kshrc",
            ".cshrc",
            ".tcshrc",
            ".login",
            ".logout",
            ".inputrc",
            ".envrc",
            ".vimrc",
            ".gvimrc",
            ".exrc",
            ".nvimrc",
            ".emacs",
            ".dir-locals.el",
            ".gdbinit",
            ".lldbinit",
            ".rprofile",
            ".irbrc",
            ".tmux.conf",
            ".screenrc",
            ".gitconfig",
            ".gitmodules",
            ".npmrc",
            ".curlrc",
            ".wgetrc",
            ".netrc",
            ".xinitrc",
            ".xprofile",
            ".xsession",
        ],
        SHELL,
    ),
    (
        &[
            "sitecustomize.py",
            "usercustomize.py",
            "conftest.py",
            ".pdbrc",
            ".pythonrc",
            ".pythonrc.py",
            ".pypirc",
            "pip.conf",
            "pip.ini",
            ".condarc",
        ],
        PYTHON,
    ),
    (&[".htaccess", "web.config", ".user.ini"], SERVER),
];

/// Endings, in lower case.
const FINAL: &[(&[&str], &str)] = &[
    (
        &[
            "lnk",
            "url",
            "scf",
            "desktop",
            "library-ms",
            "search-ms",
            "searchconnector-ms",
            "settingcontent-ms",
            "appref-ms",
            "theme",
            "themepack",
            "webloc",
            "inetloc",
            "fileloc",
            "terminal",
            "diagcab",
        ],
        DESKTOP,
    ),
    (&["egg-link"], PYTHON),
];

/// Folders whose files a tool obeys.
const FOLDERS: &[(&str, &str)] = &[
    (".vscode", "is obeyed by an editor that opens the folder"),
    (".idea", "is obeyed by an editor that opens the folder"),
    (".devcontainer", "is obeyed by an editor that opens the folder"),
    (".cargo", "is obeyed by Cargo in every folder below"),
    (".jupyter", PYTHON),
    (".ipython", PYTHON),
];

#[cfg(test)]
mod tests {
    use crate::sample::{look, png, zip};
    use crate::{Kind, named};

    fn kinds(path: &str, bytes: &[u8]) -> Vec<(Kind, String)> {
        let found = named(path, &look(bytes));
        found.into_iter().map(|finding| (finding.kind, finding.detail)).collect()
    }

    #[test]
    fn endings_are_listed_once_and_promise_formats_that_there_are() {
        let mut known = std::collections::BTreeSet::new();
        for (endings, formats) in super::ENDINGS {
            assert!(endings.iter().all(|ending| known.insert(ending)), "{endings:?}");
            for format in *formats {
                assert!(crate::Format::from_name(format).is_some(), "{format}");
            }
        }
    }

    #[test]
    fn an_ending_that_another_format_has_is_found() {
        let text = b"a text\n";
        for (path, bytes, says) in [
            ("model.safetensors", &text[..], "is named as safetensors and is text"),
            ("a/MODEL.SafeTensors", text, "is text"),
            ("model.safetensors.", b"{}", "drops"),
            ("model.safeten\u{200b}sors", text, "U+200B"),
            ("weights.gguf", &zip(0), "is zip"),
            ("picture.png", text, "is text"),
            ("config.json", text, "is text"),
            ("README.md", &png(), "is image"),
            ("pytorch_model.bin", b"\x7fELF\x02\x01\x01\0", "is elf"),
            ("tool.py", b"\x80\x04N.", "is pickle"),
        ] {
            let found = kinds(path, bytes);
            let expected =
                |(kind, said): &(Kind, String)| *kind == Kind::Extension && said.contains(says);
            assert!(found.iter().any(expected), "{path}: {found:?}");
        }
    }

    #[test]
    fn a_name_that_fits_or_promises_nothing_is_no_finding() {
        for (path, bytes) in [
            ("config.json", &b"{}"[..]),
            ("vocab.txt", b"[1]"),
            ("README", b"text"),
            ("model.unheard-of", b"text"),
            ("picture.jpg", &png()),
            ("LICENSE.", b""),
            ("weights.safetensors", b""),
            ("data.d/weights", b"text"),
            (".gitattributes", b"*.bin filter=lfs\n"),
            ("tokenizer.model", b"IQ== 0\nIg== 1\n"),
            ("command.txt", b"text"),
            ("com0", b"text"),
            ("nulls.txt", b"text"),
        ] {
            let found = kinds(path, bytes);
            assert!(found.iter().all(|(_, said)| said.contains("drops")), "{path}: {found:?}");
        }
    }

    #[test]
    fn code_is_found_by_its_name() {
        for path in ["a/modeling.py", "x.PY.", "lib.so.6", "k.CU", "a.ipynb", "run.sh", "x.pyd"] {
            let found = kinds(path, b"text\n");
            assert!(found.iter().any(|(kind, _)| *kind == Kind::RemoteCode), "{path}: {found:?}");
        }
        for path in ["py", "so.txt", "README.md", "config.json", "a.py.txt"] {
            let found = kinds(path, b"text\n");
            assert!(found.iter().all(|(kind, _)| *kind != Kind::RemoteCode), "{path}: {found:?}");
        }
    }

    #[test]
    fn a_text_is_a_template_by_its_name() {
        let template = b"{% for m in messages %}{{ m.__class__ }}{% endfor %}";
        for path in ["chat_template.jinja", "a/chat_template", "tool.J2"] {
            let found = kinds(path, template);
            assert!(found.iter().any(|(kind, _)| *kind == Kind::Template), "{path}: {found:?}");
        }
        assert_eq!(kinds("README.md", template), []);
        assert_eq!(kinds("chat_template.jinja", b"{{ bos_token }}"), []);
        let long = "{{ bos_token }}".repeat(20_000);
        assert_eq!(kinds("chat_template.jinja", long.as_bytes())[0].0, Kind::Template);
        assert_eq!(kinds("README.md", long.as_bytes()), []);
    }

    #[test]
    fn names_that_run_by_themselves_are_found() {
        for path in [
            "autorun.inf",
            "a/Desktop.INI",
            "tool.lnk",
            "site.desktop",
            ".bashrc",
            "hook.pth",
            "sub/conftest.py",
            ".vscode/tasks.json",
            ".vscode/deep/er.txt",
            "NUL.txt",
            "com1",
            "aux.",
        ] {
            let found = kinds(path, b"text\n");
            assert!(found.iter().any(|(kind, _)| *kind == Kind::Autorun), "{path}: {found:?}");
        }
        assert!(kinds("weights.pth", &zip(0)).is_empty());
    }
}
