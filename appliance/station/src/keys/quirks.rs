//! What PKCS#11 modules need beyond the standard: one table, from trials with each.

use std::path::Path;

/// What one module needs.
#[derive(Debug, PartialEq, Eq)]
pub struct Quirks {
    /// What the module is called.
    pub module: &'static str,
    /// How the name of its library file begins.
    file: &'static str,
    /// How many sessions a key opens at most. Other programs may need some of the token's too.
    pub sessions: usize,
    /// An example of the text that it is initialised with, if it works with no other.
    pub init_reserved: Option<&'static str>,
    /// The environment variables that tell it where its configuration is.
    pub environment: &'static [&'static str],
    /// What it reads, besides its library: for `[hsm.sandbox]`, at Debian's places.
    pub read: &'static [&'static str],
    /// What it writes or locks: for `[hsm.sandbox]`.
    pub write: &'static [&'static str],
    /// Whether the token tells of wrong PINs that other processes tried. If not, a wrong PIN in a
    /// file costs one try at each start.
    pub tells_wrong_pins: bool,
    /// What a person should know.
    pub note: &'static str,
}

/// What is presumed of a module that is not in the table.
static STANDARD: Quirks = Quirks {
    module: "a module by the standard",
    file: "",
    sessions: 4,
    init_reserved: None,
    environment: &[],
    read: &[],
    write: &[],
    tells_wrong_pins: true,
    note: "not tried with this program",
};

/// The modules that are known here. All of them sign a digest with CKM_ECDSA, and none is asked for
/// more: SoftHSM2 has no CKM_ECDSA_SHA384.
static TABLE: [Quirks; 4] = [
    Quirks {
        module: "SoftHSM2",
        file: "libsofthsm2",
        environment: &["SOFTHSM2_CONF"],
        read: &["/etc/softhsm"],
        write: &["/var/lib/softhsm/tokens"],
        note: "for laboratories: killed in the middle of a login it can lose its token's file; \
               finds a token that comes back only when it is initialised anew",
        ..STANDARD
    },
    Quirks {
        module: "NSS softokn",
        file: "libsoftokn3",
        init_reserved: Some("configdir='sql:/etc/oms-appliance/nss' flags=readOnly"),
        read: &["/etc/oms-appliance/nss"],
        tells_wrong_pins: false,
        note: "its token is called `NSS Certificate DB`; it locks no PIN, but waits after a wrong one",
        ..STANDARD
    },
    Quirks {
        module: "tpm2-pkcs11",
        file: "libtpm2_pkcs11",
        sessions: 1,
        environment: &["TPM2_PKCS11_STORE", "TPM2_PKCS11_TCTI"],
        read: &["/etc/tpm2_pkcs11"],
        write: &["/etc/tpm2_pkcs11", "/dev/tpmrm0"],
        tells_wrong_pins: false,
        note: "TPM2_PKCS11_TCTI must be device:/dev/tpmrm0: the signer's sandbox has no sockets, so \
               that tpm2-abrmd and swtpm serve outside of it only; answers CKR_GENERAL_ERROR to \
               signing after its broker was restarted, until it is initialised anew",
        ..STANDARD
    },
    Quirks {
        module: "Kryoptic",
        file: "libkryoptic_pkcs11",
        environment: &["KRYOPTIC_CONF"],
        read: &["/etc/kryoptic"],
        write: &["/var/lib/kryoptic"],
        tells_wrong_pins: false,
        note: "the folder of its database is to be writable, since SQLite locks it there",
        ..STANDARD
    },
];

impl Quirks {
    /// What the module in this library file needs.
    pub fn of(library: &Path) -> &'static Quirks {
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        TABLE.iter().find(|quirks| name.starts_with(quirks.file)).unwrap_or(&STANDARD)
    }
}

/// The environment variables that tell modules where their configuration is.
pub fn module_environment() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|quirks| quirks.environment).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_told_by_their_file() {
        for (library, module) in [
            ("/usr/lib/softhsm/libsofthsm2.so", "SoftHSM2"),
            ("/usr/lib/x86_64-linux-gnu/libsoftokn3.so", "NSS softokn"),
            ("/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1", "tpm2-pkcs11"),
            ("/usr/lib/libkryoptic_pkcs11.so", "Kryoptic"),
            ("/usr/lib/libsofthsm2.so/libacme.so", STANDARD.module),
            ("/", STANDARD.module),
        ] {
            assert_eq!(Quirks::of(Path::new(library)).module, module, "{library}");
        }
    }

    #[test]
    fn every_key_has_a_session() {
        assert!(TABLE.iter().all(|quirks| quirks.sessions > 0 && !quirks.file.is_empty()));
        assert!(module_environment().any(|name| name == "SOFTHSM2_CONF"));
    }
}
