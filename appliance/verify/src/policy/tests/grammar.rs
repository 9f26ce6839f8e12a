//! Every error of the grammar, with its line and column.

use super::*;
use crate::reason::Code;

/// Line, column and message of the error of [`SMALLEST`] with the first `from` replaced.
#[track_caller]
pub(super) fn fault(from: &str, to: &str) -> String {
    assert!(SMALLEST.contains(from), "{from}");
    let error = parse(&SMALLEST.replacen(from, to, 1)).unwrap_err();
    assert!(
        matches!(error.code(), Code::PolicySyntax | Code::PolicyNoSigner),
        "{error} has {}",
        error.code()
    );
    error.to_string()
}

/// The error of [`SMALLEST`] with `text` added at its end; line 9 is the first added one.
#[track_caller]
pub(super) fn fault_at_end(text: &str) -> String {
    let error = parse(&format!("{SMALLEST}{text}")).unwrap_err();
    assert_eq!(error.code(), Code::PolicySyntax);
    error.to_string()
}

/// The error of [`SMALLEST`] with `line` as the seventh line, in the signer.
#[track_caller]
fn fault_in_signer(line: &str) -> String {
    fault("[content]", &format!("{line}\n[content]"))
}

#[track_caller]
pub(super) fn assert_starts(error: &str, start: &str) {
    assert!(error.starts_with(start), "\n{error}\ndoes not start with\n{start}");
}

#[test]
fn the_smallest_policy_has_the_strict_defaults() {
    let policy = resolve(SMALLEST, &[anchor("root", &[Purpose::CodeSigning])]).unwrap();
    assert_eq!((policy.id.as_str(), policy.version, policy.require), ("t", 1, 1));
    assert_eq!(policy.digest, Sha256Digest::of(SMALLEST.as_bytes()));
    assert_eq!(policy.revocation.mode, crate::pki::RevocationMode::Require);
    assert_eq!(policy.revocation.max_crl_age, None);
    assert_eq!(policy.manifest.hashes, [crate::hash::HashAlgorithm::Sha256]);
    assert_eq!(policy.manifest.unsigned_files, crate::policy::UnsignedFiles::Reject);
    assert_eq!(policy.manifest.ignored_paths, crate::policy::IgnoredPaths::LeaveBehind);
    assert!(!policy.manifest.legacy);
    assert_eq!(policy.media, crate::policy::MediaRules::default());
    assert_eq!((policy.media.retries, policy.media.stall.seconds), (0, 120));
    assert_eq!(policy.content.allow, Some(Vec::new()));
    assert_eq!(policy.content.remote_code, crate::policy::RemoteCode::Reject);
    assert_eq!(policy.resign, crate::policy::ResignRules::default());
    assert_eq!(policy.budget, crate::budget::Budget::default());
}

#[test]
fn text_that_is_not_toml_is_named_by_place() {
    assert_starts(&fault("version = 1", "version 1"), "line 3, column 9: ");
    assert_starts(&fault("id = \"t\"", "id = \"t"), "line 2, column 8: ");
    assert_starts(
        &fault("id = \"t\"", "id = \"t\"\nid = \"u\""),
        "line 3, column 1: duplicate key",
    );
    assert_starts(&fault_at_end("[policy]\n"), "line 9, column 2: duplicate key");
    assert_starts(
        &fault_at_end("[resign]\nannotations = { a = \"1\", a = \"2\" }\n"),
        "line 10, column 26: duplicate key",
    );
    let nested = format!("x = {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_starts(&fault_at_end(&nested), "line 9, column ");
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let error = fault_at_end("[resign]\nannotations = { \"ééé\" = 1 }\n");
    assert_starts(&error, "line 10, column 25: resign.annotations.ééé: found 1, expected");
}

#[test]
fn unknown_keys_are_errors_wherever_they_stand() {
    assert_eq!(
        fault("[policy]", "name = 1\n[policy]"),
        "line 1, column 1: unknown key `name`, expected one of: policy, signer, signatures, \
         revocation, time, attestation, manifest, media, content, resign"
    );
    assert_eq!(
        fault("version = 1", "version = 1\n  Version = 2"),
        "line 4, column 3: policy: unknown key `Version`, expected one of: id, version"
    );
    assert_starts(
        &fault_in_signer("model = 1"),
        "line 7, column 1: signer[0]: unknown key `model`, expected one of: method, anchors,",
    );
    assert_starts(&fault_at_end("remotecode = 1"), "line 9, column 1: content: unknown key");
    assert_starts(
        &fault_at_end("[signatures]\nrequired = 1"),
        "line 10, column 1: signatures: unknown key",
    );
    assert_starts(
        &fault_at_end("[revocation]\nmod = 1"),
        "line 10, column 1: revocation: unknown key",
    );
    assert_starts(
        &fault_at_end("[manifest]\nmax_files = 1"),
        "line 10, column 1: manifest: unknown key",
    );
    assert_starts(
        &fault_at_end("[resign]\nannotation = 1"),
        "line 10, column 1: resign: unknown key",
    );
    assert_starts(
        &fault_at_end("[manifest.deep]\nx = 1"),
        "line 9, column 11: manifest: unknown key `deep`",
    );
}

#[test]
fn media_rules_have_bounds() {
    let media = |text: &str| {
        let text = format!("{SMALLEST}[media]\n{text}");
        resolve(&text, &[anchor("root", &[Purpose::CodeSigning])]).unwrap().media
    };
    assert_eq!(media(""), crate::policy::MediaRules::default());
    assert_eq!((media("retries = 1000").retries, media("retries = 0").retries), (1000, 0));
    assert_eq!((media("stall = \"1s\"").stall.seconds), 1);
    assert_eq!((media("stall = \"1h\"").stall.seconds), 3600);
    for (line, expected) in [
        ("retry = 1", "line 10, column 1: media: unknown key `retry`, expected one of: retries"),
        (
            "retries = 1001",
            "line 10, column 11: media.retries: found 1001, expected a whole number",
        ),
        ("retries = -1", "line 10, column 11: media.retries: found -1, expected a whole number"),
        ("retries = \"3\"", "line 10, column 11: media.retries: found \"3\""),
        ("stall = \"0s\"", "line 10, column 9: media.stall: found \"0s\", expected a span from"),
        ("stall = \"3601s\"", "line 10, column 9: media.stall: found \"3601s\""),
        ("stall = \"2h\"", "line 10, column 9: media.stall: found \"2h\""),
        ("stall = 120", "line 10, column 9: media.stall: found 120, expected a span from"),
    ] {
        assert_starts(&fault_at_end(&format!("[media]\n{line}")), expected);
    }
    assert_starts(&fault("[policy]", "media = 3\n[policy]"), "line 1, column 9: media: found 3");
}

#[test]
fn the_first_unknown_key_of_the_text_is_named() {
    assert_starts(
        &fault_at_end("[manifest]\nzzz = 1\naaa = 1"),
        "line 10, column 1: manifest: unknown key `zzz`",
    );
}

#[test]
fn keys_of_another_method_are_errors() {
    assert_eq!(
        fault_in_signer("  key = \"a.pem\""),
        "line 7, column 3: signer[0].key: the key `key` does not belong to the method \
         \"certificate\", expected only: method, anchors, san-email, san-uri, san-dns, subject, \
         issuer, fingerprint, key-fingerprint, certificate-policies, extended-key-usage, keys, \
         models, max-signature-age"
    );
    let key = "method = \"key\"\nkey = \"a.pem\"\n";
    for foreign in [
        "anchors = [\"root\"]",
        "san-email = [\"a@b\"]",
        "fingerprint = []",
        "issuer = \"CN=a\"",
        "identity = \"x\"",
        "trusted-root = \"x\"",
        "certificate-policies = \"1.2.3\"",
        "extended-key-usage = \"1.2.3\"",
        "key-fingerprint = \"ab\"",
    ] {
        let signer = format!("{key}{foreign}\n");
        let error = fault("method = \"certificate\"\nanchors = [\"root\"]\n", &signer);
        assert_starts(&error, "line 7, column 1: signer[0].");
        assert!(error.contains("does not belong to the method \"key\""), "{error}");
    }
    let sigstore =
        "method = \"sigstore\"\ntrusted-root = \"r\"\nidentity = \"i\"\nissuer = \"u:u\"\n";
    for foreign in
        ["anchors = [\"root\"]", "san-email = \"a@b\"", "key = \"a\"", "subject = \"CN=a\""]
    {
        let signer = format!("{sigstore}{foreign}\n");
        let error = fault("method = \"certificate\"\nanchors = [\"root\"]\n", &signer);
        assert_starts(&error, "line 9, column 1: signer[0].");
        assert!(error.contains("does not belong to the method \"sigstore\""), "{error}");
    }
}

#[test]
fn missing_keys_are_named_at_the_header_of_their_table() {
    assert_starts(
        &fault("id = \"t\"\n", ""),
        "line 1, column 1: policy: the key `id` is missing, expected 1 to 64",
    );
    assert_starts(
        &fault("version = 1\n", ""),
        "line 1, column 1: policy: the key `version` is missing",
    );
    assert_starts(
        &fault("method = \"certificate\"\n", ""),
        "line 4, column 1: signer[0]: the key `method` is missing",
    );
    assert_starts(
        &fault("anchors = [\"root\"]\n", ""),
        "line 4, column 1: signer[0]: the key `anchors` is missing",
    );
    assert_starts(
        &fault("allow = []\n", ""),
        "line 7, column 1: content: the key `allow` is missing",
    );
    assert_starts(
        &fault("[policy]\nid = \"t\"\nversion = 1\n", ""),
        "line 1, column 1: the key `policy` is missing",
    );
    assert_eq!(
        fault("[content]\nallow = []\n", ""),
        "line 1, column 1: the key `content` is missing, expected a table [content] with allow = \
         [...], or allow = \"any\" to say that content is not restricted"
    );
    let second = "[[signer]]\nmethod = \"key\"\n";
    assert_starts(
        &fault("[content]", &format!("\n{second}[content]")),
        "line 8, column 1: signer[1]: the key `key` is missing",
    );
    for (given, missing) in [
        ("identity = \"i\"\nissuer = \"u:u\"", "trusted-root"),
        ("trusted-root = \"r\"\nissuer = \"u:u\"", "identity"),
        ("trusted-root = \"r\"\nidentity = \"i\"", "issuer"),
    ] {
        let signer = format!("method = \"sigstore\"\n{given}\n");
        let error = fault("method = \"certificate\"\nanchors = [\"root\"]\n", &signer);
        assert_starts(
            &error,
            &format!("line 4, column 1: signer[0]: the key `{missing}` is missing"),
        );
    }
}

#[test]
fn a_policy_without_a_signer_is_an_error_of_its_own() {
    let none = SMALLEST.replace("[[signer]]\nmethod = \"certificate\"\nanchors = [\"root\"]\n", "");
    let error = parse(&none).unwrap_err();
    assert_eq!((error.code(), error.line, error.column), (Code::PolicyNoSigner, 1, 1));
    let error = parse(&format!("signer = []\n{none}")).unwrap_err();
    assert_eq!((error.code(), error.line, error.column), (Code::PolicyNoSigner, 1, 10));
    assert!(error.to_string().contains("expected at least one [[signer]]"));
    let error = parse(&format!("signer = [3]\n{none}")).unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 11: signer[0]: found 3, expected a table");
}

#[test]
fn the_head_has_an_id_and_a_version() {
    for bad in ["\"\"", "\"A\"", "\"a b\"", "\"a/b\"", "7", "[\"a\"]", "\"é\""] {
        let error = fault("\"t\"", bad);
        assert_starts(&error, "line 2, column 6: policy.id: found ");
    }
    fault("\"t\"", &format!("\"{}\"", "a".repeat(65)));
    assert!(parse(&SMALLEST.replace("\"t\"", &format!("\"{}\"", "a".repeat(64)))).is_ok());
    for bad in ["0", "-1", "\"1\"", "1.0", "true", "2026-01-01", "0x8000000000000000"] {
        let error = fault("version = 1", &format!("version = {bad}"));
        assert_starts(&error, "line 3, column 11: policy.version: found ");
    }
    assert_eq!(
        fault("version = 1", "version = 0"),
        "line 3, column 11: policy.version: found 0, expected a whole number from 1 to \
         9223372036854775807"
    );
}

#[test]
fn tables_are_tables() {
    assert_starts(&fault("[content]\nallow = []", "")[..], "line 1, column 1: the key `content`");
    assert_eq!(
        parse(
            &SMALLEST
                .replace("[content]\nallow = []\n", "")
                .replace("[policy]", "content = 1\n[policy]")
        )
        .unwrap_err()
        .to_string(),
        "line 1, column 11: content: found 1, expected a table"
    );
    assert_starts(
        &fault("[[signer]]", "[signer]"),
        "line 4, column 1: signer: found a table, expected tables [[signer]]",
    );
    for table in ["signatures", "revocation", "manifest", "resign"] {
        let error = fault("[policy]", &format!("{table} = []\n[policy]"));
        assert_starts(
            &error,
            &format!(
                "line 1, column {}: {table}: found an empty list, expected a table",
                table.len() + 4
            ),
        );
    }
}

#[test]
fn the_method_is_one_of_three() {
    assert_eq!(
        fault("\"certificate\"", "\"x509\""),
        "line 5, column 10: signer[0].method: found \"x509\", expected \"certificate\" or \"key\" \
         or \"sigstore\""
    );
    assert_starts(&fault("\"certificate\"", "1"), "line 5, column 10: signer[0].method: found 1,");
}

#[test]
fn anchors_are_a_list_of_different_names() {
    assert_starts(
        &fault("[\"root\"]", "[]"),
        "line 6, column 11: signer[0].anchors: found an empty list",
    );
    assert_starts(
        &fault("[\"root\"]", "[\"root\", 1]"),
        "line 6, column 20: signer[0].anchors[1]: found 1",
    );
    assert_starts(
        &fault("[\"root\"]", "{}"),
        "line 6, column 11: signer[0].anchors: found a table",
    );
    assert_eq!(
        fault("[\"root\"]", "[\"root\",\n  \"root\"]"),
        "line 7, column 3: signer[0].anchors[1]: \"root\" stands here twice, expected each once"
    );
    assert!(parse(&SMALLEST.replace("[\"root\"]", "\"root\"")).is_ok(), "one name may stand alone");
}

#[test]
fn identities_are_read_when_the_policy_is() {
    for (line, column) in [
        ("san-email = [\"a@b\", \"*\"]", 21),
        ("san-email = \"x*@corp.example\"", 13),
        ("san-email = []", 13),
        ("san-email = 1", 13),
        ("san-dns = [\"*.*.example\"]", 12),
        ("san-uri = [\"https://a.*.example\"]", 12),
        ("key-fingerprint = \"abcd\"", 19),
        ("certificate-policies = [\"1.3.6.1\", \"1\"]", 36),
        ("certificate-policies = \"2.5.29.32.0\"", 24),
        ("certificate-policies = []", 24),
        ("extended-key-usage = [\"codeSigning\"]", 23),
        ("extended-key-usage = \"2.5.29.37.0\"", 22),
        ("extended-key-usage = 1", 22),
        ("subject = [\"Corp\"]", 12),
        ("subject = \"CN=a,\"", 11),
        ("issuer = [\"CN=a\", \"CN=\"]", 19),
        ("fingerprint = [\"abcd\"]", 16),
        ("models = [\"\"]", 11),
        ("models = []", 10),
        ("keys = [\"P256\"]", 9),
        ("keys = [\"P-256\", \"P-256\"]", 18),
        ("keys = []", 8),
        ("max-signature-age = \"1w\"", 21),
        ("max-signature-age = \"0d\"", 21),
        ("max-signature-age = 400", 21),
    ] {
        let error = fault_in_signer(line);
        assert_starts(&error, &format!("line 7, column {column}: signer[0]."));
        assert!(error.contains("expected"), "{error}");
    }
}

#[test]
fn a_key_file_lies_beside_the_policy_or_below() {
    let with = |file: &str| {
        SMALLEST.replace(
            "method = \"certificate\"\nanchors = [\"root\"]\n",
            &format!("method = \"key\"\nkey = \"{file}\"\n"),
        )
    };
    for bad in
        ["", "/etc/a.pem", "../a.pem", "a/../b.pem", "a//b.pem", "./a.pem", "a/", "a\\u0000b"]
    {
        let error = parse(&with(bad)).unwrap_err().to_string();
        assert_starts(&error, "line 6, column 7: signer[0].key: found ");
    }
    let raw = parse(&with("keys/vendor.pem")).unwrap();
    assert_eq!(raw.key_files().collect::<Vec<_>>(), ["keys/vendor.pem"]);
}

#[test]
fn signatures_and_revocation_have_their_ranges() {
    for bad in ["0", "17", "-1", "\"1\"", "1.5"] {
        let error = fault_at_end(&format!("[signatures]\nrequire = {bad}"));
        assert_starts(&error, "line 10, column 11: signatures.require: found ");
        assert!(error.ends_with("expected a whole number from 1 to 16"), "{error}");
    }
    assert_eq!(
        fault_at_end("[revocation]\nmode = \"on\""),
        "line 10, column 8: revocation.mode: found \"on\", expected \"require\" or \
         \"if-available\" or \"off\""
    );
    assert_starts(
        &fault_at_end("[revocation]\nmax-crl-age = \"7\""),
        "line 10, column 15: revocation.max-crl-age: found \"7\", expected a span",
    );
}

#[test]
fn the_manifest_section_has_its_words_and_ranges() {
    for (line, column, rule) in [
        ("hashes = []", 10, "hashes"),
        ("hashes = [\"sha1\"]", 11, "hashes[0]"),
        ("hashes = [\"sha256\", \"sha256\"]", 21, "hashes[1]"),
        ("unsigned-files = \"allow\"", 18, "unsigned-files"),
        ("ignored-paths = \"copy\"", 17, "ignored-paths"),
        ("symlinks = \"follow\"", 12, "symlinks"),
        ("symlinks = false", 12, "symlinks"),
        ("legacy = \"yes\"", 10, "legacy"),
        ("max-files = 0", 13, "max-files"),
        ("max-files = 10000001", 13, "max-files"),
        ("max-files = \"1\"", 13, "max-files"),
        ("max-file-bytes = \"1MB\"", 18, "max-file-bytes"),
        ("max-file-bytes = 0", 18, "max-file-bytes"),
        ("max-total-bytes = -1", 19, "max-total-bytes"),
        ("max-total-bytes = \"8388608TiB\"", 19, "max-total-bytes"),
        ("max-bundle-bytes = true", 20, "max-bundle-bytes"),
    ] {
        let error = fault_at_end(&format!("[manifest]\n{line}"));
        assert_starts(&error, &format!("line 10, column {column}: manifest.{rule}: "));
        assert!(error.contains("expected"), "{error}");
    }
}

#[test]
fn limits_go_into_the_budget() {
    let text = format!(
        "{SMALLEST}[manifest]\nmax-files = 10_000_000\nmax-file-bytes = \"3GiB\"\n\
         max-total-bytes = 5\nmax-bundle-bytes = \"100KiB\"\n"
    );
    let budget = resolve(&text, &[anchor("root", &[Purpose::CodeSigning])]).unwrap().budget;
    assert_eq!(budget.resources, 10_000_000);
    assert_eq!(budget.file_bytes, 3 << 30);
    assert_eq!(budget.total_bytes, 5);
    assert_eq!(budget.bundle_bytes, 102_400);
    assert_eq!(budget.json_depth, crate::budget::Budget::default().json_depth);
}

#[test]
fn annotations_are_short_strings() {
    let with = |annotations: &str| format!("[resign]\nannotations = {annotations}\n");
    assert_starts(
        &fault_at_end(&with("[]")),
        "line 10, column 15: resign.annotations: found an empty list, expected a table",
    );
    assert_starts(
        &fault_at_end(&with("{ a = 1 }")),
        "line 10, column 21: resign.annotations.a: found 1, expected a string",
    );
    assert_starts(
        &fault_at_end(&with("{ \"\" = \"x\" }")),
        "line 10, column 17: resign.annotations",
    );
    assert_starts(
        &fault_at_end(&with("{ a = \"b\\n\" }")),
        "line 10, column 21: resign.annotations.a",
    );
    let long = |key: usize, value: usize| {
        with(&format!("{{ {} = \"{}\" }}", "k".repeat(key), "v".repeat(value)))
    };
    fault_at_end(&long(129, 1));
    fault_at_end(&long(1, 1025));
    assert!(parse(&format!("{SMALLEST}{}", long(128, 1024))).is_ok());
    let many = |count: usize| {
        (0..count)
            .fold("[resign.annotations]\n".to_owned(), |text, i| text + &format!("k{i} = \"v\"\n"))
    };
    assert!(parse(&format!("{SMALLEST}{}", many(64))).is_ok());
    assert_starts(
        &fault_at_end(&many(65)),
        "line 9, column 1: resign.annotations: found 65 entries, expected at most 64",
    );
}

#[test]
fn long_texts_lists_and_strings_are_bounded() {
    let padded = |bytes: usize| format!("{SMALLEST}{}", "#".repeat(bytes - SMALLEST.len()));
    assert!(parse(&padded(1 << 20)).is_ok());
    assert_starts(
        &parse(&padded((1 << 20) + 1)).unwrap_err().to_string(),
        "line 1, column 1: the text has 1048577 bytes",
    );

    let list = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("\"a{i}\"")).collect();
        SMALLEST.replace("[\"root\"]", &format!("[{}]", names.join(",")))
    };
    assert!(parse(&list(256)).is_ok());
    assert_starts(
        &parse(&list(257)).unwrap_err().to_string(),
        "line 6, column 11: signer[0].anchors: found 257 entries, expected at most 256",
    );

    let signers = |count: usize| {
        SMALLEST.replace(
            "[content]",
            &format!(
                "{}[content]",
                "[[signer]]\nmethod = \"key\"\nkey = \"k\"\n".repeat(count - 1)
            ),
        )
    };
    assert!(parse(&signers(64)).is_ok());
    assert_starts(
        &parse(&signers(65)).unwrap_err().to_string(),
        "line 4, column 1: signer: found 65 entries, expected at most 64",
    );

    assert_starts(
        &fault("\"root\"", &format!("\"{}\"", "r".repeat(1025))),
        "line 6, column 12: signer[0].anchors[0]: found \"rrrr",
    );
    assert!(
        fault("\"root\"", &format!("\"{}\"", "r".repeat(1025))).len() < 200,
        "errors are short"
    );
}

#[test]
fn an_error_cannot_carry_terminal_escapes() {
    let error = fault("\"certificate\"", "\"\\u001b[2J\\u202e\"");
    assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
    let error = fault_at_end("\"\\u001b[2J\" = 1");
    assert!(!error.contains('\u{1b}'), "{error:?}");
    let error = fault_at_end("[resign]\nannotations = { \"\\u202e\" = 1 }");
    assert!(!error.contains('\u{202e}'), "{error:?}");
}

#[test]
fn damage_anywhere_in_a_policy_is_an_error_or_a_policy_and_never_a_panic() {
    let text = include_str!("../../../../../policies/prod.toml");
    for (at, _) in text.char_indices() {
        let (before, after) = text.split_at(at);
        let _ = parse(before);
        for other in ["", "[", "=", "\"", "\n", "{"] {
            let _ = parse(&format!("{before}{other}{}", after.get(1..).unwrap_or_default()));
        }
    }
}
