//! Any model that is signed here verifies here, and any single change to it or to its bundle makes
//! it fail. In this process, without the program: many cases in little time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oms_station::clock::system_time;
use oms_station::intake::{Reading, Settings, Source};
use oms_station::keys::SigningKey;
use oms_station::media::InPlace;
use oms_station::pipeline::{BundleFile, Terms, examine};
use oms_station::progress::Progress;
use oms_station::sign::{Plan, hash_model};
use oms_station::signer::Signer;
use oms_station::trust::{Guard, Trust, TrustPaths};
use oms_testkit::files;
use oms_testkit::pki::{Key, KeyType};
use oms_testkit::roots::{self, Anchor};
use oms_tests::scene::any_content;
use oms_verify::budget::Budget;
use oms_verify::hash::HashAlgorithm;
use oms_verify::pki::Profile;
use oms_verify::statement::Method;
use oms_verify::verdict::Verdict;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use tempfile::TempDir;

/// The largest file.
const LARGEST: usize = 200_000;

/// A model: paths and contents.
type Tree = BTreeMap<String, Vec<u8>>;

/// One change to a signed model. An [`Index`] chooses the file and the byte.
#[derive(Clone, Debug)]
enum Change {
    FlipBit(Index, Index, u8),
    Append(Index),
    Truncate(Index),
    Rename(Index),
    Remove(Index),
    Add,
    FlipPayloadBit(Index, u8),
    FlipSignatureBit(Index, u8),
}

fn component() -> impl Strategy<Value = String> {
    "[a-z0-9 :.,_é模🙂ß-]{1,12}".prop_filter("names that mean something else", |name| {
        name != "." && name != ".." && !name.starts_with(".git")
    })
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![4 => 0..64usize, 4 => 0..5_000usize, 1 => 0..LARGEST];
    // Bytes follow from a seed: 200 kB of them need not be shrunk one by one.
    (size, any::<u32>()).prop_map(|(size, seed)| {
        let mut state = seed | 1;
        let next = |_| {
            state = state.wrapping_mul(0x9e37_79b1).rotate_left(13);
            (state >> 16) as u8
        };
        (0..size).map(next).collect()
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let path = prop::collection::vec(component(), 1..4).prop_map(|parts| parts.join("/"));
    prop::collection::btree_map(path, content(), 1..8).prop_map(without_conflicts)
}

/// A path that is also the folder of another cannot be made.
fn without_conflicts(tree: Tree) -> Tree {
    let folders: Vec<String> = tree.keys().map(|path| format!("{path}/")).collect();
    let above = |path: &str| folders.iter().any(|folder| path.starts_with(folder.as_str()));
    tree.into_iter().filter(|(path, _)| !above(path)).collect()
}

fn hash() -> impl Strategy<Value = HashAlgorithm> {
    prop::sample::select(HashAlgorithm::ALL.to_vec())
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::Files), (1_000..60_000u64).prop_map(|size| Method::Shards { size })]
}

fn change() -> impl Strategy<Value = Change> {
    let place = || any::<Index>();
    let bit = || 0..8u8;
    prop_oneof![
        4 => (place(), place(), bit()).prop_map(|(file, at, bit)| Change::FlipBit(file, at, bit)),
        1 => place().prop_map(Change::Append),
        1 => place().prop_map(Change::Truncate),
        1 => place().prop_map(Change::Rename),
        1 => place().prop_map(Change::Remove),
        1 => Just(Change::Add),
        2 => (place(), bit()).prop_map(|(at, bit)| Change::FlipPayloadBit(at, bit)),
        2 => (place(), bit()).prop_map(|(at, bit)| Change::FlipSignatureBit(at, bit)),
    ]
}

/// A key, and a policy that admits it.
struct Admitted {
    signer: Signer,
    trust: Trust,
    _dir: TempDir,
}

fn admitted() -> &'static Admitted {
    static ADMITTED: OnceLock<Admitted> = OnceLock::new();
    ADMITTED.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let key = Key::generate(KeyType::P256);
        key.write_public(dir.path().join("vendor.pem"));
        let policy = files::public(dir.path().join("policy.toml"), any_content());
        let root = oms_testkit::pki::Authority::root(
            oms_testkit::pki::Profile::ca("Corp Root"),
            KeyType::P256,
        );
        let anchor = Anchor::new("corp-root", &root.certificate.pem, &["code-signing"]);
        let paths = TrustPaths {
            policy,
            roots: Some(roots::write(dir.path().join("roots"), &[anchor])),
            crls: Some(files::folder(dir.path().join("crls"))),
        };
        let trust = Trust::load(&paths, &Guard::default()).unwrap();
        let private = SigningKey::from_pem(key.private_pem().as_bytes(), Path::new("key"));
        let signer = Signer::new(private.unwrap(), Vec::new()).unwrap();
        Admitted { signer, trust, _dir: dir }
    })
}

/// A model on the disk with its bundle beside it.
struct Model {
    folder: PathBuf,
    tree: Tree,
    bundle: Vec<u8>,
    _dir: TempDir,
}

impl Model {
    fn signed(tree: Tree, hash: HashAlgorithm, method: Method) -> Model {
        let dir = tempfile::tempdir().unwrap();
        let folder = files::folder(dir.path().join("model"));
        for (path, bytes) in &tree {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let plan = Plan { hash, method, ignore: Vec::new() };
        let progress = Progress::hidden();
        let hashed =
            hash_model(&folder, &plan, &Budget::default(), &Reading::plain(&progress)).unwrap();
        let signer = &admitted().signer;
        let bundle =
            signer.sign_model(&hashed.name, &BTreeMap::new(), &hashed.manifest).unwrap().to_vec();
        Model { folder, tree, bundle, _dir: dir }
    }

    fn examined(&self) -> Verdict {
        let bundle = BundleFile {
            name: "model.sig".to_owned(),
            in_model: None,
            content: Ok(self.bundle.clone()),
        };
        let location = Source::at(&self.folder).unwrap().into();
        let trust = &admitted().trust;
        let terms = Terms {
            scanner: None,
            trust,
            time: system_time(),
            profile: Profile::CODE_SIGNING,
            ignored: &[],
            intake: Settings::default(),
        };
        examine("model", &location, [Ok(bundle)], &InPlace::default(), terms, &Progress::hidden())
            .unwrap()
    }

    fn change(&mut self, change: &Change) {
        let paths: Vec<PathBuf> = self.tree.keys().map(|path| self.folder.join(path)).collect();
        let edit = |file: &Index, edit: &dyn Fn(&mut Vec<u8>)| {
            let path = &paths[file.index(paths.len())];
            let mut bytes = fs::read(path).unwrap();
            edit(&mut bytes);
            fs::write(path, bytes).unwrap();
        };
        match change {
            Change::FlipBit(file, byte, bit) => edit(file, &|bytes| match bytes.len() {
                0 => bytes.push(1 << bit),
                length => bytes[byte.index(length)] ^= 1 << bit,
            }),
            Change::Append(file) => edit(file, &|bytes| bytes.push(0)),
            Change::Truncate(file) => edit(file, &|bytes| {
                if bytes.pop().is_none() {
                    bytes.push(0);
                }
            }),
            Change::Rename(file) => {
                let path = &paths[file.index(paths.len())];
                fs::rename(path, path.with_file_name("RENAMED")).unwrap();
            }
            Change::Remove(file) => fs::remove_file(&paths[file.index(paths.len())]).unwrap(),
            Change::Add => fs::write(self.folder.join("ADDED"), "x").unwrap(),
            Change::FlipPayloadBit(byte, bit) => {
                self.flip("/dsseEnvelope/payload", *byte, *bit);
            }
            Change::FlipSignatureBit(byte, bit) => {
                self.flip("/dsseEnvelope/signatures/0/sig", *byte, *bit);
            }
        }
    }

    fn flip(&mut self, pointer: &str, byte: Index, bit: u8) {
        let mut bundle: Value = serde_json::from_slice(&self.bundle).unwrap();
        let field = bundle.pointer_mut(pointer).unwrap();
        let mut bytes = BASE64_STANDARD.decode(field.as_str().unwrap()).unwrap();
        let at = byte.index(bytes.len());
        bytes[at] ^= 1 << bit;
        *field = BASE64_STANDARD.encode(bytes).into();
        self.bundle = bundle.to_string().into_bytes();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_here_verifies_here_until_it_is_changed(
        mut tree in tree(), hash in hash(), method in method(), change in change(),
    ) {
        if matches!(method, Method::Shards { .. }) {
            // A file without bytes has no shard: it is unsigned, and refused for that.
            tree.values_mut().filter(|bytes| bytes.is_empty()).for_each(|bytes| bytes.push(0));
        }
        let mut model = Model::signed(tree, hash, method);
        let verdict = model.examined();
        prop_assert!(verdict.passed(), "{:?}", verdict.reasons());
        prop_assert_eq!(verdict.files().len(), model.tree.len());
        for (file, size) in verdict.files() {
            prop_assert_eq!(*size, model.tree[file.path.as_str()].len() as u64);
        }
        model.change(&change);
        prop_assert!(!model.examined().passed(), "it passes after {:?}", change);
    }
}
