//! A station whose keys are in an HSM.

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType};
use cryptoki::session::{Session, UserType};
use oms_testkit::pki::{Profile, chain, spki_of_point};
use oms_testkit::softhsm::{Curve, SoftHsm};
use oms_testkit::vectors::workspace;
use oms_testkit::{files, run};

use crate::scene::{STATION, Scene};

/// Gives the station of a scene two keys that a token made, each by its URI and its public key
/// (DER), and `more` in its configuration.
///
/// # Panics
/// When the configuration cannot be changed.
pub fn configure(scene: &Scene, verdict: (&str, &[u8]), resign: (&str, &[u8]), more: &str) {
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let mut config: toml::Table = config.parse().unwrap();
    let certificates = [
        ("verdict", verdict, Profile::code_signing("HSM").uri(STATION)),
        ("resign", resign, Profile::code_signing("ML").email("ml@corp.example")),
    ];
    for (key, (uri, spki), profile) in certificates {
        let leaf = scene.issuer.issue_for(profile, spki);
        let table = config["keys"][key].as_table_mut().unwrap();
        let file = table["certificate"].as_str().unwrap();
        let path = scene.station.config.with_file_name(file);
        files::public(path, chain([&leaf, &scene.issuer.certificate]));
        table.insert("key".to_owned(), uri.into());
    }
    files::public(&scene.station.config, config.to_string() + more);
}

/// Gives the station of a scene its keys in a SoftHSM2 token.
///
/// # Panics
/// When SoftHSM2 is not installed.
pub fn softhsm(scene: &Scene) -> SoftHsm {
    let hsm = SoftHsm::new(scene.path("hsm"));
    let verdict = hsm.generate("verdict", "01", Curve::P384);
    let resign = hsm.generate("resign", "02", Curve::P256);
    let uris = (hsm.uri("verdict"), hsm.uri("resign"));
    configure(scene, (&uris.0, &verdict), (&uris.1, &resign), &hsm.sandbox());
    hsm
}

/// NSS softokn, where Debian puts it, if it is installed.
fn softokn_module() -> Option<PathBuf> {
    let places = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let mut found = places.map(|place| Path::new("/usr/lib").join(place).join("libsoftokn3.so"));
    found.iter_mut().find(|path| path.exists()).map(std::mem::take)
}

/// Gives the station of a scene its keys in a database of NSS softokn. A process can do so once.
///
/// # Panics
/// When NSS softokn is not installed.
pub fn softokn(scene: &Scene) {
    const PIN: &str = "4711";
    let module = softokn_module().expect("NSS softokn is installed (cargo xtask setup)");
    let folder = files::folder(scene.path("nss"));
    let parameters = format!("configdir='sql:{}'", folder.display());
    let context = Pkcs11::new(&module).unwrap();
    let text = Box::leak(CString::new(parameters.clone()).unwrap().into_boxed_c_str());
    oms_sys::pkcs11::initialize(&context, Some(text)).unwrap();
    let slots = context.get_slots_with_token().unwrap();
    let label = |slot| context.get_token_info(slot).unwrap().label().to_owned();
    let slot = slots.into_iter().find(|slot| label(*slot) == "NSS Certificate DB").unwrap();
    let session = context.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&"".into())).unwrap();
    session.init_pin(&PIN.into()).unwrap();
    session.logout().unwrap();
    session.login(UserType::User, Some(&PIN.into())).unwrap();
    let made = ["verdict", "resign"].map(|name| key_pair(&session, name));
    drop(session);
    context.finalize().unwrap();

    let pin = files::secret(scene.path("nss-pin"), PIN);
    let uri = |label: &str| {
        format!(
            "pkcs11:token=NSS%20Certificate%20DB;object={label}?module-path={}&pin-source=file:{}\
             &x-init-reserved={parameters}%20flags=readOnly",
            module.display(),
            pin.display()
        )
    };
    let more = format!("\n[hsm.sandbox]\nread = [{folder:?}]\n");
    let [verdict, resign] = &made;
    configure(scene, (&uri("verdict"), verdict), (&uri("resign"), resign), &more);
}

/// Makes a key pair on P-256 in a session that is logged in. Gives its public key (DER).
fn key_pair(session: &Session, label: &str) -> Vec<u8> {
    let label = label.as_bytes();
    let name =
        [Attribute::Token(true), Attribute::Label(label.to_vec()), Attribute::Id(label.to_vec())];
    let p256 = Attribute::EcParams(b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07".into());
    let public = [&name[..], &[p256, Attribute::Verify(true)]].concat();
    let private = [Attribute::Sign(true), Attribute::Sensitive(true), Attribute::Private(true)];
    let private = [&name[..], &private, &[Attribute::Extractable(false)]].concat();
    let made = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap();
    let found = session.get_attributes(made.0, &[AttributeType::EcPoint]).unwrap();
    let [Attribute::EcPoint(point)] = found.as_slice() else { panic!("no point: {found:?}") };
    // In an OCTET STRING as the standard wants it, or bare.
    let bare = if point.len() == 67 { &point[2..] } else { point };
    spki_of_point(bare).expect("a point on a known curve")
}

/// Kryoptic, where Fedora puts it, or at the path in `OMS_KRYOPTIC`, if it is installed.
fn kryoptic_module() -> Option<PathBuf> {
    let named = std::env::var_os("OMS_KRYOPTIC").map(PathBuf::from);
    let usual = PathBuf::from("/usr/lib64/pkcs11/libkryoptic_pkcs11.so");
    named.into_iter().chain([usual]).find(|path| path.exists())
}

/// Gives the station of a scene its keys in a token of Kryoptic. Gives the variable by which that
/// is found; nothing where Kryoptic is not installed.
///
/// # Panics
/// When Kryoptic fails.
pub fn kryoptic(scene: &Scene) -> Option<(&'static str, PathBuf)> {
    const PIN: &str = "4711";
    let module = kryoptic_module()?;
    let folder = files::folder(scene.path("kryoptic"));
    let token = folder.join("token.sql");
    let text = format!("[[slots]]\nslot = 42\ndbtype = \"sqlite\"\ndbargs = {token:?}\n");
    let variable = ("KRYOPTIC_CONF", files::public(scene.path("kryoptic.conf"), text));
    let tool = |args: &[&str]| {
        let mut command = Command::new("pkcs11-tool");
        command.env(variable.0, &variable.1).arg("--module").arg(&module).args(args);
        let _ = run::outcome(&mut command).expect_status(0);
    };
    let officer = ["--so-pin", "12345678"];
    tool(&[&["--init-token", "--slot", "42", "--label", "corp"], &officer[..]].concat());
    let login = ["--init-pin", "--token-label", "corp", "--login", "--login-type", "so"];
    tool(&[&login[..], &officer, &["--new-pin", PIN]].concat());
    let made = [("verdict", "01"), ("resign", "02")].map(|(label, id)| {
        let of = ["--token-label", "corp", "--login", "--pin", PIN, "--label", label, "--id", id];
        let key = ["--keypairgen", "--key-type", "EC:secp256r1", "--usage-sign"];
        tool(&[&key[..], &of].concat());
        let file = folder.join(label);
        let read = ["--read-object", "--type", "pubkey", "-o", file.to_str().unwrap()];
        tool(&[&read[..], &of].concat());
        fs::read(file).unwrap()
    });
    let pin = files::secret(scene.path("kryoptic-pin"), PIN);
    let uri = |label: &str| {
        format!(
            "pkcs11:token=corp;object={label}?module-path={}&pin-source=file:{}",
            module.display(),
            pin.display()
        )
    };
    let conf = &variable.1;
    let more = format!("\n[hsm.sandbox]\nread = [{conf:?}]\nwrite = [{folder:?}]\n");
    let [verdict, resign] = &made;
    configure(scene, (&uri("verdict"), verdict), (&uri("resign"), resign), &more);
    Some(variable)
}

/// A module before a token's own that fails as it is told to, and counts what it is called for.
#[derive(Debug)]
pub struct Faulty {
    folder: PathBuf,
}

impl Faulty {
    /// Puts it between the station of a scene and its token.
    ///
    /// # Panics
    /// When there is no compiler for C++.
    pub fn between(scene: &Scene, hsm: &SoftHsm) -> Faulty {
        let folder = files::folder(scene.path("faulty"));
        let source = workspace().join("appliance/station/tests/hsm/faulty.cpp");
        let module = folder.join("faulty.so");
        let mut compiler = Command::new("g++");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&module).arg(source);
        let _ = run::outcome(&mut compiler).expect_status(0);
        let pipe = Command::new("mkfifo").arg(folder.join("never")).status();
        assert!(pipe.unwrap().success());
        files::public(folder.join("module"), hsm.module().to_str().unwrap());
        for key in ["verdict", "resign"] {
            scene.configure(&hsm.uri(key), &hsm.uri_by(key, &module));
        }
        scene.configure("]\nwrite = [", &format!("]\nwrite = [{folder:?}, "));
        Faulty { folder }
    }

    /// Says how it fails from now on: a word of `faulty.cpp`, or none.
    ///
    /// # Panics
    /// When its folder is gone.
    pub fn fault(&self, word: &str) {
        // By a rename: it may read at any moment.
        let new = files::public(self.folder.join("fault.new"), word);
        fs::rename(new, self.folder.join("fault")).unwrap();
    }

    /// How often it was called so.
    pub fn calls(&self, name: &str) -> usize {
        let calls = fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        calls.lines().filter(|call| *call == name).count()
    }
}

/// The command with the variable by which the token is found.
#[must_use]
pub fn with(mut command: Command, hsm: &SoftHsm) -> Command {
    let (name, value): (_, &Path) = hsm.env();
    command.env(name, value);
    command
}
