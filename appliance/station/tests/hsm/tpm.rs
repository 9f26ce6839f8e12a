//! A TPM behind tpm2-pkcs11: swtpm, the broker tpm2-abrmd, and a bus between.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use oms_station::keys::{self, KeyError, KeyRef, SigningKey};

use crate::case;
use crate::fixture::{Hsm, PIN, library};

fn module() -> PathBuf {
    library("libtpm2_pkcs11.so.1", "libtpm2-pkcs11-1")
}

fn reference(hsm: &Hsm) -> KeyRef {
    let query = format!("module-path={}&pin-source=file:pin", module().display());
    hsm.key_ref_with("token=corp;object=oms", &query)
}

/// What runs beside the test. It ends with this.
struct Tpm<'a> {
    hsm: &'a Hsm,
    port: u16,
    bus: Child,
    chip: Child,
    broker: Child,
}

impl<'a> Tpm<'a> {
    /// Starts it all and makes a token with one key.
    fn start(hsm: &'a Hsm) -> Self {
        std::fs::create_dir_all(hsm.path("tpm")).unwrap();
        std::fs::create_dir_all(hsm.path("store")).unwrap();
        let port = two_free_ports();
        let address = format!("--address={}", hsm.bus());
        let bus = run(hsm, "dbus-daemon", &["--session", "--nofork", "--nopidfile", &address]);
        until(|| hsm.path("bus").exists());
        let (chip, broker) = (chip(hsm, port), broker(hsm, port));
        let ptool = |args: &[&str]| {
            let store = hsm.path("store");
            hsm.run("tpm2_ptool", &[args, &["--path", store.to_str().unwrap()]].concat());
        };
        ptool(&["init"]);
        let token = ["addtoken", "--pid", "1", "--label", "corp", "--sopin", "12345678"];
        ptool(&[&token[..], &["--userpin", PIN]].concat());
        let key = ["addkey", "--label", "corp", "--key-label", "oms", "--algorithm", "ecc256"];
        ptool(&[&key[..], &["--userpin", PIN]].concat());
        Tpm { hsm, port, bus, chip, broker }
    }

    fn kill_broker(&mut self) {
        end(&mut self.broker);
    }

    fn start_broker(&mut self) {
        self.broker = broker(self.hsm, self.port);
    }

    fn restart_chip(&mut self) {
        end(&mut self.chip);
        end(&mut self.broker);
        self.chip = chip(self.hsm, self.port);
        self.start_broker();
    }
}

impl Drop for Tpm<'_> {
    fn drop(&mut self) {
        end(&mut self.broker);
        end(&mut self.chip);
        end(&mut self.bus);
    }
}

fn end(child: &mut Child) {
    // It may be gone already.
    let _ = child.kill();
    child.wait().unwrap();
}

fn run(hsm: &Hsm, program: &str, args: &[&str]) -> Child {
    let mut command = hsm.command(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{program}: {error}: run `cargo xtask setup`"))
}

fn chip(hsm: &Hsm, port: u16) -> Child {
    let state = format!("dir={}", hsm.path("tpm").display());
    let server = format!("type=tcp,port={port},bindaddr=127.0.0.1");
    let control = format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1);
    let args = ["socket", "--tpm2", "--tpmstate", &state, "--server", &server, "--ctrl", &control];
    let child =
        run(hsm, "swtpm", &[&args[..], &["--flags", "not-need-init,startup-clear"]].concat());
    until(|| TcpStream::connect(("127.0.0.1", port + 1)).is_ok());
    child
}

fn broker(hsm: &Hsm, port: u16) -> Child {
    let tcti = format!("--tcti=swtpm:host=127.0.0.1,port={port}");
    // A broker that was killed leaves what it had loaded in the chip, which has three places.
    let args = ["--session", "--allow-root", "--flush-all", &tcti];
    let child = run(hsm, "/usr/sbin/tpm2-abrmd", &args);
    until(|| {
        let asked = ["--session", "--dest=org.freedesktop.DBus", "--print-reply", "/"];
        let owner = ["org.freedesktop.DBus.NameHasOwner", "string:com.intel.tss2.Tabrmd"];
        let said = hsm.command("dbus-send").args(asked).args(owner).output().unwrap();
        String::from_utf8_lossy(&said.stdout).contains("boolean true")
    });
    child
}

fn until(there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come up");
        sleep(Duration::from_millis(20));
    }
}

fn two_free_ports() -> u16 {
    (0..100)
        .find_map(|_| {
            let first = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            TcpListener::bind(("127.0.0.1", first.checked_add(1)?)).ok()?;
            Some(first)
        })
        .unwrap()
}

fn nothing(_: &Hsm) {}

case!(a_broker_that_was_restarted_serves_again, nothing, |hsm| {
    let mut tpm = Tpm::start(hsm);
    let check = keys::check(&reference(hsm)).unwrap();
    assert_eq!(check.quirks.unwrap().module, "tpm2-pkcs11");
    let key = SigningKey::open(&reference(hsm)).unwrap();
    key.probe().unwrap();

    tpm.kill_broker();
    let error = key.probe().unwrap_err();
    assert!(["hsm.operation", "hsm.token", "hsm.module"].contains(&error.code().id()), "{error}");
    tpm.start_broker();
    works_again(&key);

    // The same without a call in between.
    tpm.kill_broker();
    tpm.start_broker();
    works_again(&key);
    tpm.restart_chip();
    works_again(&key);
});

/// Broker and chip find each other when they do.
fn works_again(key: &SigningKey) {
    let works = |_: &u32| {
        let works = key.probe().is_ok();
        if !works {
            sleep(Duration::from_millis(250));
        }
        works
    };
    assert!((0..60).find(works).is_some(), "{:?}", key.probe());
}

case!(a_wrong_pin_is_tried_once, nothing, |hsm| {
    let _tpm = Tpm::start(hsm);
    hsm.secret("pin", "9999", 0o600);
    let refused = || SigningKey::open(&reference(hsm)).unwrap_err();
    let error = refused();
    assert!(matches!(error, KeyError::PinWrong { .. }), "{error}");
    hsm.secret("pin", PIN, 0o600);
    for _ in 0..3 {
        assert!(matches!(refused(), KeyError::PinWrongBefore { .. }));
    }
    // The chip counts what it was asked: one.
    let said = hsm.command("tpm2_getcap").arg("properties-variable").output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    let counter = said.lines().find(|line| line.contains("LOCKOUT_COUNTER")).unwrap();
    assert!(counter.trim_end().ends_with(": 0x1"), "{said}");
});
