//! Makes PKIs for tests: authorities, leaves, CRLs, and the question about them.

use std::collections::BTreeSet;

use der::asn1::{BitString, OctetString};
use der::{Any, Decode, Encode, Tag};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, SigningKey, date_time_ymd,
};
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::time::Time;

use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::pki::{
    Anchor, Certificate, Crl, CrlSet, Explanation, InitialPolicies, PathError, PathInput, Profile,
    Proof, Purpose, Revocation, RevocationMode, VerifiedPath, explain,
};
use crate::reason::Code;
use crate::time::UnixTime;

/// 2030-01-01T00:00:00Z, when everything that the maker makes by default is valid.
pub(in crate::pki) const NOW: UnixTime = UnixTime(1_893_456_000);
pub(in crate::pki) const DAY: i64 = 86_400;

/// A certificate with its key and the parameters that it was made from.
pub(in crate::pki) struct Entity {
    pub(in crate::pki) key: KeyPair,
    pub(in crate::pki) params: CertificateParams,
    pub(in crate::pki) certificate: Certificate,
}

/// Parameters of a CA, valid in 2029 and 2030.
pub(in crate::pki) fn ca(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Parameters of a leaf that may sign models, valid in 2029 and 2030.
pub(in crate::pki) fn leaf(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2029, 1, 1);
    params.not_after = date_time_ymd(2031, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

pub(in crate::pki) fn new_key() -> KeyPair {
    KeyPair::generate().unwrap()
}

pub(in crate::pki) fn same_key(key: &KeyPair) -> KeyPair {
    KeyPair::from_pem(&key.serialize_pem()).unwrap()
}

impl Entity {
    pub(in crate::pki) fn self_signed(params: CertificateParams) -> Self {
        Self::self_signed_with(params, new_key())
    }

    pub(in crate::pki) fn self_signed_with(params: CertificateParams, key: KeyPair) -> Self {
        let made = params.self_signed(&key).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Entity { key, params, certificate }
    }

    pub(in crate::pki) fn issue(&self, params: CertificateParams) -> Self {
        self.issue_with(params, new_key())
    }

    pub(in crate::pki) fn issue_with(&self, params: CertificateParams, key: KeyPair) -> Self {
        let made = params.signed_by(&key, &self.as_issuer()).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Entity { key, params, certificate }
    }

    fn as_issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    pub(in crate::pki) fn anchor(&self) -> Anchor {
        anchor(&self.certificate)
    }

    /// A CRL of 2029-12-31 to 2030-01-08 that lists `revoked`, changed by `change`.
    pub(in crate::pki) fn crl(
        &self,
        revoked: &[&Entity],
        change: impl FnOnce(&mut CertificateRevocationListParams),
    ) -> Crl {
        let mut params = CertificateRevocationListParams {
            this_update: date_time_ymd(2029, 12, 31),
            next_update: date_time_ymd(2030, 1, 8),
            crl_number: SerialNumber::from(7_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(|entity| revoked_entry(entity)).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        change(&mut params);
        let made = params.signed_by(&self.as_issuer()).unwrap();
        Crl::parse(made.der()).unwrap().remove(0)
    }

    /// A CRL with any extensions and entries, valid in 2029 and 2030.
    ///
    /// It has CRLNumber 7 unless `extensions` say otherwise.
    pub(in crate::pki) fn odd_crl(
        &self,
        mut extensions: Vec<Extension>,
        entries: Vec<RevokedCert>,
    ) -> Vec<u8> {
        let number = extension("2.5.29.20", false, &[2, 1, 7]);
        if !extensions.iter().any(|extension| extension.extn_id == number.extn_id) {
            extensions.push(number);
        }
        self.signed_crl(|tbs| {
            tbs.revoked_certificates = (!entries.is_empty()).then_some(entries);
            tbs.crl_extensions = Some(extensions);
        })
    }

    /// A CRL of the same time and of version 1: without the field `version`, and without any
    /// extension.
    pub(in crate::pki) fn crl_of_version_1(&self, entries: Vec<RevokedCert>) -> Vec<u8> {
        let version_two = self.signed_crl(|tbs| {
            tbs.revoked_certificates = (!entries.is_empty()).then_some(entries);
        });
        let parts = Vec::<Any>::from_der(&version_two).unwrap();
        let fields = parts[0].value().strip_prefix(&[2, 1, 1]).unwrap();
        let tbs = Any::new(Tag::Sequence, fields).unwrap();
        let signature = self.key.sign(&tbs.to_der().unwrap()).unwrap();
        let signature = Any::encode_from(&BitString::from_bytes(&signature).unwrap()).unwrap();
        vec![tbs, parts[1].clone(), signature].to_der().unwrap()
    }

    /// A CRL of the same time without extensions and entries, changed by `change`.
    pub(in crate::pki) fn signed_crl(&self, change: impl FnOnce(&mut TbsCertList)) -> Vec<u8> {
        let issuer = self.certificate.tbs().subject().clone();
        let algorithm = self.certificate.signature_algorithm().unwrap().clone();
        let mut tbs = TbsCertList {
            version: x509_cert::Version::V2,
            signature: algorithm.clone(),
            issuer,
            this_update: utc("291231000000Z"),
            next_update: Some(utc("300108000000Z")),
            revoked_certificates: None,
            crl_extensions: None,
        };
        change(&mut tbs);
        let signature = self.key.sign(&tbs.to_der().unwrap()).unwrap();
        let list = CertificateList {
            tbs_cert_list: tbs,
            signature_algorithm: algorithm,
            signature: BitString::from_bytes(&signature).unwrap(),
        };
        list.to_der().unwrap()
    }
}

pub(in crate::pki) fn anchor(certificate: &Certificate) -> Anchor {
    Anchor {
        name: certificate.subject(),
        certificate: certificate.clone(),
        purposes: BTreeSet::from([Purpose::CodeSigning]),
        provenance: "made by a test".to_owned(),
        file_sha256: Sha256Digest::ZERO,
    }
}

pub(in crate::pki) fn revoked_entry(entity: &Entity) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from(entity.certificate.serial().to_vec()),
        revocation_time: date_time_ymd(2029, 6, 1),
        reason_code: Some(rcgen::RevocationReason::KeyCompromise),
        invalidity_date: None,
    }
}

pub(in crate::pki) fn utc(text: &str) -> Time {
    let mut der = vec![0x17, u8::try_from(text.len()).unwrap()];
    der.extend(text.as_bytes());
    Time::from_der(&der).unwrap()
}

pub(in crate::pki) fn extension(oid: &str, critical: bool, value: &[u8]) -> Extension {
    let extn_value = OctetString::new(value).unwrap();
    Extension { extn_id: oid.parse().unwrap(), critical, extn_value }
}

/// Everything that `validate` is asked with.
pub(in crate::pki) struct Question {
    pub(in crate::pki) chain: Vec<Certificate>,
    pub(in crate::pki) intermediates: Vec<Certificate>,
    pub(in crate::pki) anchors: Vec<Anchor>,
    pub(in crate::pki) crls: Vec<Crl>,
    pub(in crate::pki) revocation: Revocation,
    pub(in crate::pki) time: UnixTime,
    pub(in crate::pki) budget: Budget,
    pub(in crate::pki) profile: Profile,
    pub(in crate::pki) proof: Option<Proof>,
    pub(in crate::pki) policies: Option<InitialPolicies>,
}

impl Question {
    /// Without revocation, in the strict profile, at [`NOW`].
    pub(in crate::pki) fn new(chain: &[&Entity], anchors: &[&Entity]) -> Self {
        Self::about(
            chain.iter().map(|entity| entity.certificate.clone()).collect(),
            anchors.iter().map(|entity| entity.anchor()).collect(),
        )
    }

    pub(in crate::pki) fn about(chain: Vec<Certificate>, anchors: Vec<Anchor>) -> Self {
        Question {
            chain,
            intermediates: Vec::new(),
            anchors,
            crls: Vec::new(),
            revocation: Revocation { mode: RevocationMode::Off, max_crl_age: None },
            time: NOW,
            budget: Budget::default(),
            profile: Profile::CODE_SIGNING,
            proof: None,
            policies: None,
        }
    }

    pub(in crate::pki) fn ask(&self) -> Result<VerifiedPath, PathError> {
        self.ask_with(&CrlSet::new(self.crls.clone()))
    }

    /// Asks with this set instead of the CRLs of the question.
    pub(in crate::pki) fn ask_with(&self, crls: &CrlSet) -> Result<VerifiedPath, PathError> {
        self.explain_with(crls).into_result()
    }

    pub(in crate::pki) fn explain(&self) -> Explanation {
        self.explain_with(&CrlSet::new(self.crls.clone()))
    }

    fn explain_with(&self, crls: &CrlSet) -> Explanation {
        explain(&PathInput {
            chain: &self.chain,
            intermediates: &self.intermediates,
            anchors: &self.anchors,
            crls,
            revocation: &self.revocation,
            time: self.time,
            proof: self.proof,
            budget: &self.budget,
            profile: self.profile,
            policies: self.policies.as_ref(),
        })
    }

    /// The error; a path that validates is a failure of the test.
    #[track_caller]
    pub(in crate::pki) fn refusal(&self) -> PathError {
        self.ask().expect_err("the path must be refused")
    }

    #[track_caller]
    pub(in crate::pki) fn code(&self) -> Code {
        self.refusal().code()
    }
}

/// A root, an intermediate and a leaf.
pub(in crate::pki) struct ThreeTiers {
    pub(in crate::pki) root: Entity,
    pub(in crate::pki) middle: Entity,
    pub(in crate::pki) leaf: Entity,
}

impl ThreeTiers {
    pub(in crate::pki) fn new() -> Self {
        Self::with(ca("Root"), ca("Middle"), leaf("Signer"))
    }

    pub(in crate::pki) fn with(
        root: CertificateParams,
        middle: CertificateParams,
        leaf: CertificateParams,
    ) -> Self {
        let root = Entity::self_signed(root);
        let middle = root.issue(middle);
        let leaf = middle.issue(leaf);
        ThreeTiers { root, middle, leaf }
    }

    pub(in crate::pki) fn question(&self) -> Question {
        Question::new(&[&self.leaf, &self.middle], &[&self.root])
    }
}
