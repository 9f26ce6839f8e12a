//! The world around the demo: a corporate PKI, an HSM, a vendor, and a station.

use std::path::{Path, PathBuf};

use oms_testkit::files;
use oms_testkit::pki::{Authority, Crl, CrlProfile, KeyType, Profile, chain};
use oms_testkit::roots::Anchor;
use oms_testkit::softhsm::{Curve, SoftHsm};
use oms_testkit::station::{Station, StationKey};

/// The station's URI: the verifier that its verdicts name.
pub(crate) const STATION_ID: &str = "https://corp.example/stations/demo";

/// The signer whom the policy admits.
pub(crate) const VENDOR_EMAIL: &str = "release@vendor.example";

/// What the vendor signs with.
pub(crate) struct Vendor {
    pub(crate) key: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) chain: PathBuf,
}

/// Everything that is there before the first model arrives.
pub(crate) struct Site {
    pub(crate) vendor: Vendor,
    pub(crate) hsm: SoftHsm,
    pub(crate) station: Station,
}

impl Site {
    /// Makes it all in the folder `dir`.
    pub(crate) fn new(dir: &Path) -> Site {
        let root = Authority::root(Profile::ca("Corp Root").organization("Corp"), KeyType::P384);
        let signing = root.intermediate(
            Profile::ca("Corp Signing CA").organization("Corp").path_length(0),
            KeyType::P384,
        );
        let vendor = Vendor::new(&files::folder(dir.join("vendor")), &signing);

        let hsm = SoftHsm::new(dir.join("hsm"));
        let station_key = |label: &str, id: &str, profile: Profile| {
            let certificate = signing
                .issue_for(profile.organization("Corp"), &hsm.generate(label, id, Curve::P384));
            chain([&certificate, &signing.certificate])
        };
        let verdict =
            station_key("verdict", "01", Profile::code_signing("Demo station").uri(STATION_ID));
        let resign = station_key(
            "oms-signing",
            "02",
            Profile::code_signing("Corp models").email("models@corp.example"),
        );

        let station = Station::write(
            dir.join("station"),
            STATION_ID,
            include_str!("policy.toml"),
            &[Anchor::new("corp-root", &root.certificate.pem, &["code-signing", "verdict"])],
            StationKey { key: hsm.uri("verdict"), chain: &verdict },
            StationKey { key: hsm.uri("oms-signing"), chain: &resign },
        );
        station.configure(&hsm.sandbox());
        for (name, Crl { pem, .. }) in [
            ("corp-root", root.crl(CrlProfile::new(1))),
            ("corp-signing", signing.crl(CrlProfile::new(1))),
        ] {
            station.install_crl(name, &pem);
        }
        Site { vendor, hsm, station }
    }
}

impl Vendor {
    fn new(dir: &Path, issuer: &Authority) -> Vendor {
        let leaf = issuer.issue(
            Profile::code_signing("Vendor release").organization("Vendor").email(VENDOR_EMAIL),
            KeyType::P256,
        );
        Vendor {
            key: leaf.key.write_private(dir.join("vendor.key.pem")),
            certificate: files::public(dir.join("vendor.cert.pem"), &leaf.certificate.pem),
            chain: files::public(dir.join("chain.pem"), &issuer.certificate.pem),
        }
    }
}
