//! The matrix: what is signed on one side and verified on the other.

use oms_testkit::pki::KeyType;

/// One model and the way in which it is signed; each is tried in both directions.
pub(crate) struct Case {
    /// Unique; the table of faults refers to it.
    pub(crate) name: &'static str,
    pub(crate) credential: Credential,
    /// The model's name, and its files with their sizes; a single file when there is one without a
    /// name, which is then the model itself.
    pub(crate) model: &'static str,
    pub(crate) tree: &'static [(&'static str, usize)],
    pub(crate) hash: &'static str,
    pub(crate) shard_size: Option<u64>,
    /// What the signer leaves out, besides what both leave out on their own.
    pub(crate) ignore: &'static [&'static str],
    /// Whether the bundle lies in the model, or beside it.
    pub(crate) bundle_inside: bool,
    /// `KEY=VALUE`, which only this project writes.
    pub(crate) annotations: &'static [&'static str],
}

/// Who signs, and what the verifier trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A bare key.
    Key(KeyType),
    /// A root, an intermediate and a leaf with keys of this type; below RSA the leaf's is P-256.
    /// The signer is given the intermediate.
    Certificate(KeyType),
    /// The same; the signer is given the root, too.
    WithRoot(KeyType),
    /// A certificate that its own key signed, and that the verifier knows.
    SelfSigned(KeyType),
    /// The same; the signer is given the certificate as its chain, too.
    SelfSignedTwice(KeyType),
    /// Under an authority; the leaf was valid in 2020 only.
    Expired(KeyType),
    /// Under an authority; the leaf may sign, and does not say that it may sign code.
    WithoutCodeSigning(KeyType),
}

const PLAIN: Case = Case {
    name: "",
    credential: Credential::Key(KeyType::P256),
    model: "model",
    tree: NESTED,
    hash: "sha256",
    shard_size: None,
    ignore: &[],
    bundle_inside: false,
    annotations: &[],
};

/// Folders within folders, and a model's usual files.
const NESTED: &[(&str, usize)] = &[
    ("README.md", 300),
    ("config.json", 120),
    ("weights/layer-0.bin", 2_000),
    ("weights/layer-1.bin", 2_500),
    ("weights/deep/er/and/deeper/still/layer-2.bin", 3_000),
];

/// Sizes around multiples of the shard size 1,000, and enough shards that `10000` comes before
/// `2000` in one of the orders.
const AROUND_SHARDS: &[(&str, usize)] = &[
    ("999", 999),
    ("1000", 1_000),
    ("1001", 1_001),
    ("2000", 2_000),
    ("sub/2500", 2_500),
    ("many", 12_500),
];

const WITH_EMPTY: &[(&str, usize)] = &[("empty", 0), ("full", 2_500), ("sub/.keep", 0)];

const WITH_COLONS: &[(&str, usize)] = &[("12:30.txt", 400), ("layer:0:10", 300), ("sub:a/b", 200)];

const WITH_IGNORED: &[(&str, usize)] = &[
    ("kept", 500),
    ("notes (old).txt", 50),
    ("sub/cache/a", 60),
    ("sub/cache/b", 70),
    ("sub/cached", 80),
];

pub(crate) const CASES: &[Case] = &[
    Case { name: "key P-256", ..PLAIN },
    Case { name: "key P-384", credential: Credential::Key(KeyType::P384), ..PLAIN },
    Case { name: "key P-521", credential: Credential::Key(KeyType::P521), ..PLAIN },
    Case { name: "certificate P-256", credential: Credential::Certificate(KeyType::P256), ..PLAIN },
    Case { name: "certificate P-384", credential: Credential::Certificate(KeyType::P384), ..PLAIN },
    Case { name: "certificate P-521", credential: Credential::Certificate(KeyType::P521), ..PLAIN },
    Case {
        name: "certificate RSA",
        credential: Credential::Certificate(KeyType::Rsa3072),
        ..PLAIN
    },
    Case {
        name: "certificate, root given",
        credential: Credential::WithRoot(KeyType::P384),
        ..PLAIN
    },
    Case { name: "self-signed P-256", credential: Credential::SelfSigned(KeyType::P256), ..PLAIN },
    Case { name: "self-signed P-384", credential: Credential::SelfSigned(KeyType::P384), ..PLAIN },
    Case {
        name: "self-signed, given twice",
        credential: Credential::SelfSignedTwice(KeyType::P256),
        ..PLAIN
    },
    Case {
        name: "certificate RSA, 2048 bits",
        credential: Credential::Certificate(KeyType::Rsa2048),
        ..PLAIN
    },
    Case { name: "expired leaf", credential: Credential::Expired(KeyType::P256), ..PLAIN },
    Case {
        name: "leaf without codeSigning",
        credential: Credential::WithoutCodeSigning(KeyType::P256),
        ..PLAIN
    },
    Case { name: "backslash", tree: &[("back\\slash", 100)], ..PLAIN },
    Case { name: "newline", tree: &[("new\nline", 100)], ..PLAIN },
    Case { name: "line separator", tree: &[("line\u{2028}separator", 270)], ..PLAIN },
    Case { name: "right to left", tree: &[("right-to-left-\u{202e}txt.bin", 280)], ..PLAIN },
    Case {
        name: "odd names",
        model: "Modèle (v1.0) – 模型",
        tree: &[
            ("with space.txt", 100),
            ("with  two spaces and a trailing one ", 110),
            ("parentheses (1) [2] {3}.txt", 120),
            ("quote's \"and\" `ticks`.txt", 130),
            ("percent%20and+plus&amp;.txt", 140),
            ("模型/权重 第一.bin", 150),
            ("日本語/パラメータ.bin", 160),
            ("composed-\u{e9}", 170),
            ("combining-e\u{301}", 180),
            ("emoji-\u{1f600}/\u{1f469}\u{200d}\u{1f52c}.bin", 190),
            ("עברית", 200),
            ("-leading-dash", 210),
            ("~tilde", 220),
            ("CON.txt", 230),
            ("  leading spaces", 240),
            ("caf\u{e9}", 250),
            ("cafe\u{301}", 260),
            ("CAF\u{c9}", 265),
        ],
        ..PLAIN
    },
    Case { name: "colons", tree: WITH_COLONS, ..PLAIN },
    Case { name: "colons, shards", tree: WITH_COLONS, shard_size: Some(1_000), ..PLAIN },
    Case {
        name: "dot files",
        tree: &[(".hidden", 100), (".config/settings", 110), ("..two", 120), ("three...", 130)],
        ..PLAIN
    },
    Case { name: "empty files", tree: WITH_EMPTY, ..PLAIN },
    Case { name: "empty files, shards", tree: WITH_EMPTY, shard_size: Some(1_000), ..PLAIN },
    Case {
        name: "git at the top",
        tree: &[
            (".git/config", 100),
            (".git/objects/ab/cd", 110),
            (".gitattributes", 120),
            (".github/workflows/ci.yml", 130),
            (".gitignore", 140),
            ("kept", 150),
        ],
        ..PLAIN
    },
    Case {
        name: "git below the top",
        tree: &[
            ("sub/.gitignore", 100),
            ("sub/.git/config", 110),
            (".gitmodules", 120),
            (".git2", 130),
        ],
        ..PLAIN
    },
    Case { name: "single file", model: "model.bin", tree: &[("", 2_500)], ..PLAIN },
    Case {
        name: "single file, shards",
        model: "model.bin",
        tree: &[("", 2_500)],
        shard_size: Some(1_000),
        ..PLAIN
    },
    Case { name: "blake2b", hash: "blake2b", ..PLAIN },
    Case { name: "blake3", hash: "blake3", ..PLAIN },
    Case { name: "shards", tree: AROUND_SHARDS, shard_size: Some(1_000), ..PLAIN },
    Case { name: "one shard a file", shard_size: Some(1_000_000_000), ..PLAIN },
    Case {
        name: "shards, certificate",
        credential: Credential::Certificate(KeyType::P384),
        shard_size: Some(1_000),
        ..PLAIN
    },
    Case {
        name: "blake2b, shards",
        tree: AROUND_SHARDS,
        hash: "blake2b",
        shard_size: Some(1_000),
        ..PLAIN
    },
    Case {
        name: "blake3, shards",
        tree: AROUND_SHARDS,
        hash: "blake3",
        shard_size: Some(1_000),
        ..PLAIN
    },
    Case {
        name: "ignored paths",
        tree: WITH_IGNORED,
        ignore: &["notes (old).txt", "sub/cache"],
        ..PLAIN
    },
    Case {
        name: "ignored paths, shards",
        tree: WITH_IGNORED,
        ignore: &["notes (old).txt", "sub/cache"],
        shard_size: Some(1_000),
        ..PLAIN
    },
    Case { name: "bundle inside", bundle_inside: true, ..PLAIN },
    Case {
        name: "bundle inside, certificate",
        credential: Credential::Certificate(KeyType::P256),
        bundle_inside: true,
        ignore: &["README.md"],
        ..PLAIN
    },
    Case {
        name: ORDER,
        tree: &[("a/b", 100), ("a.txt", 110), ("a-b", 120), ("a/B", 130)],
        ..PLAIN
    },
    Case {
        name: "annotations",
        annotations: &["com.example.station=diode-3", "com.example.note=über = 1"],
        ..PLAIN
    },
];

/// The case whose files the two sides list in different orders.
pub(crate) const ORDER: &str = "order of resources";

impl Case {
    /// Whether the model is a file and no folder.
    pub(crate) fn is_single_file(&self) -> bool {
        matches!(self.tree, [("", _)])
    }
}
