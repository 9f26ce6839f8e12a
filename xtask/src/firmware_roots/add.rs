//! `cargo xtask firmware-roots add`: takes a file into the built-in anchors.

use std::fs;
use std::path::{Path, PathBuf};

use oms_verify::pki::Purpose;
use oms_verify::pki::manifest;

use super::{firmware, manifest_of, read};
use crate::failure::Failure;
use crate::process::{read as read_text, write};

/// The folder of trusted roots.
const SIGSTORE: &str = "sigstore";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The name by which policies will refer to it
    #[arg(long)]
    name: String,
    /// What it may vouch for, repeatable: code-signing, verdict, timestamping, officer; or
    /// sigstore, for the trusted root of a Sigstore instance
    #[arg(long = "purpose", value_name = "PURPOSE", required = true)]
    purposes: Vec<String>,
    /// Where the file came from and who checked it
    #[arg(long, value_name = "TEXT")]
    provenance: String,
    /// The file: one certificate in PEM or DER, or a trusted root in JSON
    file: PathBuf,
}

/// Adds the file. Nothing is changed unless manifest and file are good together.
pub(super) fn run(arguments: &Arguments, folder: &Path) -> Result<(), Failure> {
    let refuse = |problem: String| Failure::Anchor { path: arguments.file.clone(), problem };
    let bytes = fs::read(&arguments.file)
        .map_err(|source| Failure::Read { path: arguments.file.clone(), source })?;
    let file = arguments.place().ok_or_else(|| refuse("its name is not UTF-8".to_owned()))?;
    let manifest = manifest_of(folder);
    let text = arguments.append(&read_text(&manifest)?, &file, &bytes);
    let entries = manifest::parse(&text).map_err(|error| refuse(error.fault.to_string()))?;
    let Some(entry) = entries.last() else {
        return Err(refuse("it was not added".to_owned()));
    };
    if entry.provenance.trim().is_empty() {
        return Err(refuse("say where it came from and who checked it: --provenance".to_owned()));
    }
    read(entry, &bytes).map_err(|error| refuse(error.to_string()))?;
    let to = folder.join(&file);
    if to.exists() {
        return Err(refuse(format!("{} is there already", to.display())));
    }
    let failed = |source| Failure::Write { path: to.clone(), source };
    to.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    fs::write(&to, &bytes).map_err(failed)?;
    write(&manifest, &text)?;
    println!("added {:?} as {}, sha256:{}", arguments.name, to.display(), entry.sha256);
    Ok(())
}

impl Arguments {
    /// Where the file goes: trusted roots have a folder of their own.
    fn place(&self) -> Option<String> {
        let name = self.file.file_name()?.to_str()?;
        let is_root = self.purposes.iter().any(|purpose| purpose == Purpose::Sigstore.name());
        Some(if is_root { format!("{SIGSTORE}/{name}") } else { name.to_owned() })
    }

    /// The manifest's text with one entry more; what is there stays as it is, comments included.
    fn append(&self, manifest: &str, file: &str, bytes: &[u8]) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let purposes: Vec<String> = self.purposes.iter().map(|purpose| quoted(purpose)).collect();
        format!(
            "{}\n\n[[anchor]]\nname = {}\nfile = {}\nsha256 = {}\npurpose = [{}]\nprovenance = {}\n",
            manifest.trim_end(),
            quoted(&self.name),
            quoted(file),
            quoted(&firmware::sha256_hex(bytes)),
            purposes.join(", "),
            quoted(&self.provenance),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oms_testkit::pki::{Authority, KeyType, Profile};

    const COMMENT: &str = "# Anchors.\n";

    /// A folder without anchors, and a certificate beside it.
    fn prepared() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("roots");
        fs::create_dir(&folder).unwrap();
        fs::write(manifest_of(&folder), COMMENT).unwrap();
        let root = Authority::root(Profile::ca("Root"), KeyType::P256).certificate.pem;
        fs::write(dir.path().join("root.pem"), root).unwrap();
        (dir, folder)
    }

    fn arguments(dir: &tempfile::TempDir, name: &str, purposes: &[&str]) -> Arguments {
        Arguments {
            name: name.to_owned(),
            purposes: purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
            provenance: "a \"ceremony\"".to_owned(),
            file: dir.path().join("root.pem"),
        }
    }

    #[test]
    fn what_is_added_keeps_the_rules_and_the_comments() {
        let (dir, folder) = prepared();
        run(&arguments(&dir, "root", &["verdict", "code-signing"]), &folder).unwrap();
        let [entry] = firmware::check(&folder).unwrap().try_into().unwrap();
        assert_eq!((entry.name.as_str(), entry.file.as_str()), ("root", "root.pem"));
        assert_eq!(entry.purposes, [Purpose::CodeSigning, Purpose::Verdict].into());
        assert_eq!(entry.provenance, "a \"ceremony\"");
        assert!(fs::read_to_string(manifest_of(&folder)).unwrap().starts_with(COMMENT));
    }

    #[test]
    fn what_breaks_a_rule_changes_nothing() {
        let (dir, folder) = prepared();
        run(&arguments(&dir, "root", &["verdict"]), &folder).unwrap();
        let before = fs::read_to_string(manifest_of(&folder)).unwrap();
        fs::write(dir.path().join("text.pem"), "text").unwrap();
        let arguments = |name, purpose: &[&str]| arguments(&dir, name, purpose);
        let text = dir.path().join("text.pem");
        let nowhere = String::new();
        for (wrong, words) in [
            (arguments("root", &["verdict"]), "is there twice"),
            (arguments("other", &["verdict"]), "is there already"),
            (arguments("other", &["verdicts"]), "is unknown"),
            (arguments("other", &["verdict", "sigstore"]), "goes with no other"),
            (arguments("", &["verdict"]), "is no name"),
            (Arguments { file: text, ..arguments("other", &["verdict"]) }, "no PEM block"),
            (Arguments { provenance: nowhere, ..arguments("other", &["verdict"]) }, "--provenance"),
        ] {
            let failure = run(&wrong, &folder).unwrap_err().to_string();
            assert!(failure.contains(words), "{words} in {failure}");
            assert_eq!(fs::read_to_string(manifest_of(&folder)).unwrap(), before);
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        }
    }
}
