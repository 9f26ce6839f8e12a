//! Makes time stamping authorities and their tokens, byte by byte, so that any part can be wrong.

use std::collections::BTreeSet;

use der::Encode;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, SignatureAlgorithm, SigningKey, date_time_ymd,
};
use sha2::{Digest as _, Sha256};

use x509_cert::ext::pkix::SubjectKeyIdentifier;

use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::pki::{Anchor, Certificate, Crl, CrlSet, Purpose, Revocation, RevocationMode};
use crate::reason::Code;
use crate::time::UnixTime;
use crate::timestamp::{Stamped, TimestampError, TimestampTrust, TrustedTimestamp};

/// 2030-01-01T00:00:00Z, when everything that the maker makes by default is valid.
pub(crate) const NOW: UnixTime = UnixTime(1_893_456_000);
/// What is stamped.
pub(crate) const SIGNATURE: &[u8] = b"the signature of an envelope";

pub(super) const SHA_256: &str = "2.16.840.1.101.3.4.2.1";
pub(super) const ECDSA_WITH_SHA_256: &str = "1.2.840.10045.4.3.2";
pub(super) const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
pub(super) const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
pub(super) const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
pub(super) const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.12";
pub(super) const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";

/// One DER element around these parts.
pub(super) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    match content.len() {
        short @ 0..0x80 => element.push(u8::try_from(short).unwrap()),
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
            element.push(0x80 | u8::try_from(bytes.len()).unwrap());
            element.extend(bytes);
        }
    }
    element.extend(content);
    element
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, parts)
}

pub(super) fn oid(text: &str) -> Vec<u8> {
    text.parse::<const_oid::ObjectIdentifier>().unwrap().to_der().unwrap()
}

pub(super) fn integer(value: u8) -> Vec<u8> {
    der(2, &[&[value]])
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    der(4, &[bytes])
}

/// An attribute with these values.
pub(super) fn attribute(kind: &str, values: &[&[u8]]) -> Vec<u8> {
    sequence(&[&oid(kind), &der(0x31, values)])
}

pub(super) fn algorithm(kind: &str) -> Vec<u8> {
    sequence(&[&oid(kind)])
}

/// A certificate with its key and the parameters that it was made from.
pub(crate) struct Entity {
    pub(super) key: KeyPair,
    params: CertificateParams,
    pub(crate) certificate: Certificate,
}

/// An extendedKeyUsage of these purposes.
pub(super) fn extended_key_usage(purposes: &[&str], critical: bool) -> CustomExtension {
    let purposes: Vec<u8> = purposes.iter().flat_map(|purpose| oid(purpose)).collect();
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], sequence(&[&purposes]));
    extension.set_criticality(critical);
    extension
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2029, 1, 1);
    params.not_after = date_time_ymd(2031, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

/// Parameters of an authority's certificate, valid in 2029 and 2030.
pub(super) fn stamping(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions = vec![extended_key_usage(&[TIME_STAMPING], true)];
    params
}

impl Entity {
    pub(super) fn root(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self::self_signed(params)
    }

    pub(super) fn self_signed(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Entity { key, params, certificate }
    }

    /// A CA that `parent` has issued.
    pub(super) fn below(parent: &Entity, name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parent.issue_for(params, KeyPair::generate().unwrap())
    }

    pub(super) fn issue(
        &self,
        params: CertificateParams,
        kind: &'static SignatureAlgorithm,
    ) -> Self {
        let key = KeyPair::generate_for(kind).unwrap();
        self.issue_for(params, key)
    }

    pub(super) fn issue_for(&self, params: CertificateParams, key: KeyPair) -> Self {
        let made = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Entity { key, params, certificate }
    }

    /// A CRL of 2029-12-31 that lists `revoked` as superseded.
    pub(super) fn crl(&self, revoked: &Entity) -> Crl {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(revoked.serial()),
            revocation_time: date_time_ymd(2029, 12, 30),
            reason_code: Some(rcgen::RevocationReason::Superseded),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2029, 12, 31),
            next_update: date_time_ymd(2030, 1, 8),
            crl_number: SerialNumber::from(7_u64),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let made = params.signed_by(&Issuer::from_params(&self.params, &self.key)).unwrap();
        Crl::parse(made.der()).unwrap().remove(0)
    }

    pub(super) fn serial(&self) -> Vec<u8> {
        let hex = self.certificate.serial_hex();
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    /// Its subjectKeyIdentifier.
    pub(super) fn key_id(&self) -> Vec<u8> {
        let decoded: x509_cert::Certificate =
            der::Decode::from_der(self.certificate.der()).unwrap();
        let id = decoded.tbs_certificate().get_extension::<SubjectKeyIdentifier>().unwrap();
        id.unwrap().1.0.as_bytes().to_vec()
    }

    /// `IssuerAndSerialNumber` of it.
    pub(super) fn place(&self, serial: &[u8]) -> Vec<u8> {
        let decoded: x509_cert::Certificate =
            der::Decode::from_der(self.certificate.der()).unwrap();
        sequence(&[&decoded.tbs_certificate().issuer().to_der().unwrap(), &der(2, &[serial])])
    }

    /// Its subject as a `GeneralName`.
    pub(super) fn general_name(&self) -> Vec<u8> {
        let decoded: x509_cert::Certificate =
            der::Decode::from_der(self.certificate.der()).unwrap();
        der(0xa4, &[&decoded.tbs_certificate().subject().to_der().unwrap()])
    }
}

/// `TSTInfo`, each field but the version in DER.
#[derive(Clone)]
pub(super) struct InfoDraft {
    pub(super) version: u8,
    pub(super) imprint: Vec<u8>,
    pub(super) time: Vec<u8>,
    /// Everything after genTime.
    pub(super) rest: Vec<u8>,
}

impl InfoDraft {
    /// What an authority says about [`SIGNATURE`] at this time.
    pub(super) fn at(time: &str) -> Self {
        let digest = octets(&Sha256::digest(SIGNATURE));
        InfoDraft {
            version: 1,
            imprint: sequence(&[&algorithm(SHA_256), &digest]),
            time: der(0x18, &[time.as_bytes()]),
            rest: Vec::new(),
        }
    }

    pub(super) fn der(&self) -> Vec<u8> {
        let (version, serial) = (integer(self.version), integer(9));
        let policy = oid("1.3.6.1.4.1.99999.1");
        sequence(&[&version, &policy, &self.imprint, &serial, &self.time, &self.rest])
    }
}

/// A token before it is signed.
pub(super) struct Draft {
    pub(super) version: u8,
    pub(super) content_type: &'static str,
    pub(super) content: Vec<u8>,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) signer_version: u8,
    pub(super) signer: Vec<u8>,
    pub(super) hash: Vec<u8>,
    pub(super) attributes: Vec<Vec<u8>>,
    pub(super) signature_algorithm: Vec<u8>,
    /// How many times the signer stands in the token.
    pub(super) signers: usize,
}

impl Draft {
    /// A right token of `authority` about `info`.
    pub(super) fn new(authority: &Entity, info: &InfoDraft) -> Self {
        let content = info.der();
        let own = Sha256::digest(authority.certificate.der());
        let mut attributes = vec![
            attribute(CONTENT_TYPE, &[&oid(TST_INFO)]),
            attribute(MESSAGE_DIGEST, &[&octets(&Sha256::digest(&content))]),
            signing_certificate_v2(&own),
        ];
        attributes.sort();
        Draft {
            version: 3,
            content_type: TST_INFO,
            content,
            certificates: vec![authority.certificate.der().to_vec()],
            signer_version: 1,
            signer: authority.place(&authority.serial()),
            hash: algorithm(SHA_256),
            attributes,
            signature_algorithm: algorithm(ECDSA_WITH_SHA_256),
            signers: 1,
        }
    }

    /// The attribute of this kind becomes another one, or none.
    pub(super) fn replace(&mut self, kind: &str, new: Option<Vec<u8>>) {
        let start = oid(kind);
        self.attributes.retain(|attribute| !attribute.windows(start.len()).any(|w| w == start));
        self.attributes.extend(new);
        self.attributes.sort();
    }

    /// The token, signed by `key`.
    pub(super) fn sign(&self, key: &KeyPair) -> Vec<u8> {
        let attributes = self.attributes.concat();
        let signature = octets(&key.sign(&der(0x31, &[&attributes])).unwrap());
        let signer = sequence(&[
            &integer(self.signer_version),
            &self.signer,
            &self.hash,
            &der(0xa0, &[&attributes]),
            &self.signature_algorithm,
            &signature,
        ]);
        self.assemble(&vec![signer; self.signers].concat())
    }

    /// The token with these SignerInfos.
    pub(super) fn assemble(&self, signers: &[u8]) -> Vec<u8> {
        let content = der(0xa0, &[&octets(&self.content)]);
        let certificates = der(0xa0, &[&self.certificates.concat()]);
        let data = sequence(&[
            &integer(self.version),
            &der(0x31, &[&self.hash]),
            &sequence(&[&oid(self.content_type), &content]),
            &certificates,
            &der(0x31, &[signers]),
        ]);
        sequence(&[&oid(SIGNED_DATA), &der(0xa0, &[&data])])
    }
}

/// SigningCertificateV2 with this SHA-256 digest.
pub(super) fn signing_certificate_v2(digest: &[u8]) -> Vec<u8> {
    let id = sequence(&[&octets(digest)]);
    attribute(SIGNING_CERTIFICATE_V2, &[&sequence(&[&sequence(&[&id])])])
}

/// SigningCertificate with this SHA-1 digest.
pub(super) fn signing_certificate_v1(digest: &[u8]) -> Vec<u8> {
    let id = sequence(&[&octets(digest)]);
    attribute(SIGNING_CERTIFICATE, &[&sequence(&[&sequence(&[&id])])])
}

/// A root and the authority that it has issued, and the question about tokens.
pub(crate) struct Scene {
    pub(super) root: Entity,
    pub(crate) authority: Entity,
    pub(super) anchors: Vec<Anchor>,
    pub(super) crls: Vec<Crl>,
    pub(super) revocation: RevocationMode,
    pub(super) time: UnixTime,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(stamping("Stamper"))
    }

    /// The same with other parameters of the authority.
    pub(super) fn with(params: CertificateParams) -> Self {
        let root = Entity::root("Stamping Root");
        let authority = root.issue(params, &rcgen::PKCS_ECDSA_P256_SHA256);
        let anchors = vec![anchor("corp-tsa", &root.certificate)];
        let (crls, revocation) = (Vec::new(), RevocationMode::Off);
        Scene { root, authority, anchors, crls, revocation, time: NOW }
    }

    /// A right token of this time over [`SIGNATURE`].
    pub(crate) fn token(&self, time: &str) -> Vec<u8> {
        self.draft(time).sign(&self.authority.key)
    }

    pub(super) fn draft(&self, time: &str) -> Draft {
        Draft::new(&self.authority, &InfoDraft::at(time))
    }

    /// A right token of the day before with a change before it is signed.
    pub(super) fn changed(&self, change: impl FnOnce(&mut Draft)) -> Vec<u8> {
        let mut draft = self.draft("20291231000000Z");
        change(&mut draft);
        draft.sign(&self.authority.key)
    }

    /// A right token about a changed TSTInfo.
    pub(super) fn about(&self, change: impl FnOnce(&mut InfoDraft)) -> Vec<u8> {
        let mut info = InfoDraft::at("20291231000000Z");
        change(&mut info);
        Draft::new(&self.authority, &info).sign(&self.authority.key)
    }

    pub(super) fn verify(&self, token: &[u8]) -> Result<TrustedTimestamp, TimestampError> {
        self.ask(|trust| crate::timestamp::verify(token, SIGNATURE, trust))
    }

    pub(super) fn earliest(&self, tokens: &[Vec<u8>]) -> Stamped {
        self.ask(|trust| crate::timestamp::earliest(tokens, SIGNATURE, trust))
    }

    fn ask<T>(&self, question: impl FnOnce(&TimestampTrust<'_>) -> T) -> T {
        question(&TimestampTrust {
            anchors: &self.anchors,
            crls: &CrlSet::new(self.crls.clone()),
            revocation: &Revocation { mode: self.revocation, max_crl_age: None },
            time: self.time,
            budget: &Budget::default(),
        })
    }

    /// The error; a token that is trusted is a failure of the test.
    #[track_caller]
    pub(super) fn refusal(&self, token: &[u8]) -> TimestampError {
        self.verify(token).expect_err("the token must be refused")
    }

    #[track_caller]
    pub(super) fn code(&self, token: &[u8]) -> Code {
        self.refusal(token).code()
    }
}

pub(super) fn anchor(name: &str, certificate: &Certificate) -> Anchor {
    Anchor {
        name: name.to_owned(),
        certificate: certificate.clone(),
        purposes: BTreeSet::from([Purpose::Timestamping]),
        provenance: "made by a test".to_owned(),
        file_sha256: Sha256Digest::ZERO,
    }
}
