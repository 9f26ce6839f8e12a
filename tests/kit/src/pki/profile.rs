//! What a certificate says: a good one by default, and each way to be a bad one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, SanType, SerialNumber,
};
use sha2::{Digest, Sha256};

/// A purpose of the extended key usage extension (RFC 5280, section 4.2.1.12).
pub use rcgen::ExtendedKeyUsagePurpose as ExtendedKeyUsage;
/// A purpose of the key usage extension (RFC 5280, section 4.2.1.3).
pub use rcgen::KeyUsagePurpose as KeyUsage;

/// The seconds from 1970-01-01 to the start of a day in UTC.
pub fn date(year: i32, month: u8, day: u8) -> u64 {
    u64::try_from(rcgen::date_time_ymd(year, month, day).unix_timestamp())
        .expect("a date after 1970")
}

/// The seconds from 1970-01-01 until now, for what a station's own clock will judge.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// The content of a certificate, apart from its key and its issuer.
#[derive(Clone, Debug)]
pub struct Profile {
    subject: Vec<(DnType, String)>,
    san: Vec<SanType>,
    not_before: u64,
    not_after: u64,
    ca: bool,
    path_length: Option<u8>,
    key_usages: Vec<KeyUsage>,
    extended_key_usages: Vec<ExtendedKeyUsage>,
    serial: Option<Vec<u8>>,
    extensions: Vec<CustomExtension>,
}

impl Profile {
    /// An authority: `CA:TRUE`, keyCertSign and cRLSign, valid from 2020 to 2049.
    pub fn ca(common_name: &str) -> Profile {
        Profile {
            subject: vec![(DnType::CommonName, common_name.to_owned())],
            san: Vec::new(),
            not_before: date(2020, 1, 1),
            not_after: date(2049, 12, 31),
            ca: true,
            path_length: None,
            key_usages: vec![KeyUsage::KeyCertSign, KeyUsage::CrlSign],
            extended_key_usages: Vec::new(),
            serial: None,
            extensions: Vec::new(),
        }
    }

    /// A leaf for code signing: `CA:FALSE`, digitalSignature, codeSigning, valid from 2020 to 2049.
    pub fn code_signing(common_name: &str) -> Profile {
        Profile {
            ca: false,
            key_usages: vec![KeyUsage::DigitalSignature],
            extended_key_usages: vec![ExtendedKeyUsage::CodeSigning],
            ..Profile::ca(common_name)
        }
    }

    /// A time stamping authority (RFC 3161, section 2.3): timeStamping alone, and critical; valid
    /// from 2020 to 2049.
    pub fn timestamping(common_name: &str) -> Profile {
        // extendedKeyUsage of timeStamping, which the library can only write as not critical.
        let usage = [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
        let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], usage.to_vec());
        extension.set_criticality(true);
        Profile {
            extended_key_usages: Vec::new(),
            extensions: vec![extension],
            ..Profile::code_signing(common_name)
        }
    }

    /// The same with an organization (O) in the subject.
    #[must_use]
    pub fn organization(mut self, name: &str) -> Profile {
        self.subject.insert(0, (DnType::OrganizationName, name.to_owned()));
        self
    }

    /// The same with an e-mail address as a further subject alternative name.
    #[must_use]
    pub fn email(mut self, address: &str) -> Profile {
        self.san.push(SanType::Rfc822Name(address.try_into().expect("an ASCII address")));
        self
    }

    /// The same with a DNS name as a further subject alternative name.
    #[must_use]
    pub fn dns(mut self, name: &str) -> Profile {
        self.san.push(SanType::DnsName(name.try_into().expect("an ASCII name")));
        self
    }

    /// The same with a URI as a further subject alternative name.
    #[must_use]
    pub fn uri(mut self, uri: &str) -> Profile {
        self.san.push(SanType::URI(uri.try_into().expect("an ASCII URI")));
        self
    }

    /// The same with other dates, in seconds since 1970 (see [`date`]).
    #[must_use]
    pub fn validity(mut self, not_before: u64, not_after: u64) -> Profile {
        (self.not_before, self.not_after) = (not_before, not_after);
        self
    }

    /// The same, valid in 2020 only.
    #[must_use]
    pub fn expired(self) -> Profile {
        self.validity(date(2020, 1, 1), date(2020, 12, 31))
    }

    /// The same, valid in 2049 only.
    #[must_use]
    pub fn not_yet_valid(self) -> Profile {
        self.validity(date(2049, 1, 1), date(2049, 12, 31))
    }

    /// The same with exactly these extended key usages; no extension when there are none.
    #[must_use]
    pub fn extended_key_usages(
        mut self,
        usages: impl IntoIterator<Item = ExtendedKeyUsage>,
    ) -> Profile {
        self.extended_key_usages = usages.into_iter().collect();
        self
    }

    /// The same with exactly these key usages; no extension when there are none.
    #[must_use]
    pub fn key_usages(mut self, usages: impl IntoIterator<Item = KeyUsage>) -> Profile {
        self.key_usages = usages.into_iter().collect();
        self
    }

    /// The same with another value of cA in the basic constraints, such as a leaf that is a CA.
    #[must_use]
    pub fn with_ca(mut self, ca: bool) -> Profile {
        self.ca = ca;
        self
    }

    /// The same with a path length constraint (RFC 5280, section 4.2.1.9); for authorities.
    #[must_use]
    pub fn path_length(mut self, authorities_below: u8) -> Profile {
        self.path_length = Some(authorities_below);
        self
    }

    /// The same with this serial number, big-endian; by default it follows from the content.
    #[must_use]
    pub fn serial(mut self, serial: &[u8]) -> Profile {
        self.serial = Some(serial.to_vec());
        self
    }

    /// The parameters for the library that signs, and the serial number that they hold.
    pub(super) fn into_params(self, spki: &[u8]) -> (CertificateParams, Vec<u8>) {
        let serial = self.serial.clone().unwrap_or_else(|| self.derived_serial(spki));
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (attribute, value) in self.subject {
            params.distinguished_name.push(attribute, value);
        }
        params.subject_alt_names = self.san;
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(self.not_before);
        params.not_after = epoch + Duration::from_secs(self.not_after);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = match (self.ca, self.path_length) {
            (false, _) => IsCa::ExplicitNoCa,
            (true, None) => IsCa::Ca(BasicConstraints::Unconstrained),
            (true, Some(length)) => IsCa::Ca(BasicConstraints::Constrained(length)),
        };
        params.key_usages = self.key_usages;
        params.extended_key_usages = self.extended_key_usages;
        params.custom_extensions = self.extensions;
        params.use_authority_key_identifier_extension = true;
        (params, serial)
    }

    /// 16 bytes that differ between certificates of other keys, subjects or dates. The first byte
    /// is from 64 to 127, so that the number is positive and its encoding has no leading zero.
    fn derived_serial(&self, spki: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(spki);
        hash.update(format!("{:?} {} {}", self.subject, self.not_before, self.not_after));
        let mut serial: Vec<u8> = hash.finalize().iter().copied().take(16).collect();
        if let Some(first) = serial.first_mut() {
            *first = *first & 0x3f | 0x40;
        }
        serial
    }
}
