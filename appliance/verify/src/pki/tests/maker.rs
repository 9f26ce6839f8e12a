//! Makes PKIs for tests: authorities, leaves, CRLs, and the question about them.

use std::collections::BTreeSet;

use der::asn1::{BitString, OctetString};
use der::{Decode, Encode};
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
pub(super) const NOW: UnixTime = UnixTime(1_893_456_000);
pub(super) const DAY: i64 = 86_400;

/// A certificate with its key and the parameters that it was made from.
pub(super) struct Entity {
    pub(super) key: KeyPair,
    pub(super) params: CertificateParams,
    pub(super) certificate: Certificate,
}

/// Parameters of a CA, valid in 2029 and 2030.
pub(super) fn ca(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Parameters of a leaf that may sign models, valid in 2029 and 2030.
pub(super) fn leaf(name: &str) -> CertificateParams {
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

pub(super) fn new_key() -> KeyPair {
    KeyPair::generate().unwrap()
}

pub(super) fn same_key(key: &KeyPair) -> KeyPair {
    KeyPair::from_pem(&key.serialize_pem()).unwrap()
}

impl Entity {
    pub(super) fn self_signed(params: CertificateParams) -> Self {
        Self::self_signed_with(params, new_key())
    }

    pub(super) fn self_signed_with(params: CertificateParams, key: KeyPair) -> Self {
        let made = params.self_signed(&key).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Entity { key, params, certificate }
    }

    pub(super) fn issue(&self, params: CertificateParams) -> Self {
        self.issue_with(params, new_key())
    }

    pub(super) fn issue_with(&self, params: CertificateParams, key: KeyPair) -> Self {
        let made = params.signed_by(&key, &self.as_issuer()).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Entity { key, params, certificate }
    }

    fn as_issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    pub(super) fn anchor(&self) -> Anchor {
        anchor(&self.certificate)
    }

    /// A CRL of 2029-12-31 to 2030-01-08 that lists `revoked`, changed by `change`.
    pub(super) fn crl(
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
    pub(super) fn odd_crl(&self, extensions: Vec<Extension>, entries: Vec<RevokedCert>) -> Vec<u8> {
        let issuer = self.certificate.tbs().subject().clone();
        let algorithm = self.certificate.signature_algorithm().unwrap().clone();
        let tbs = TbsCertList {
            version: x509_cert::Version::V2,
            signature: algorithm.clone(),
            issuer,
            this_update: utc("291231000000Z"),
            next_update: Some(utc("300108000000Z")),
            revoked_certificates: (!entries.is_empty()).then_some(entries),
            crl_extensions: (!extensions.is_empty()).then_some(extensions),
        };
        let signature = self.key.sign(&tbs.to_der().unwrap()).unwrap();
        let list = CertificateList {
            tbs_cert_list: tbs,
            signature_algorithm: algorithm,
            signature: BitString::from_bytes(&signature).unwrap(),
        };
        list.to_der().unwrap()
    }
}

pub(super) fn anchor(certificate: &Certificate) -> Anchor {
    Anchor {
        name: certificate.subject(),
        certificate: certificate.clone(),
        purposes: BTreeSet::from([Purpose::CodeSigning]),
        provenance: "made by a test".to_owned(),
        file_sha256: Sha256Digest::ZERO,
    }
}

pub(super) fn revoked_entry(entity: &Entity) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from(entity.certificate.serial().to_vec()),
        revocation_time: date_time_ymd(2029, 6, 1),
        reason_code: Some(rcgen::RevocationReason::KeyCompromise),
        invalidity_date: None,
    }
}

pub(super) fn utc(text: &str) -> Time {
    let mut der = vec![0x17, u8::try_from(text.len()).unwrap()];
    der.extend(text.as_bytes());
    Time::from_der(&der).unwrap()
}

pub(super) fn extension(oid: &str, critical: bool, value: &[u8]) -> Extension {
    let extn_value = OctetString::new(value).unwrap();
    Extension { extn_id: oid.parse().unwrap(), critical, extn_value }
}

/// Everything that `validate` is asked with.
pub(super) struct Question {
    pub(super) chain: Vec<Certificate>,
    pub(super) intermediates: Vec<Certificate>,
    pub(super) anchors: Vec<Anchor>,
    pub(super) crls: Vec<Crl>,
    pub(super) revocation: Revocation,
    pub(super) time: UnixTime,
    pub(super) budget: Budget,
    pub(super) profile: Profile,
    pub(super) proof: Option<Proof>,
    pub(super) policies: Option<InitialPolicies>,
}

impl Question {
    /// Without revocation, in the strict profile, at [`NOW`].
    pub(super) fn new(chain: &[&Entity], anchors: &[&Entity]) -> Self {
        Self::about(
            chain.iter().map(|entity| entity.certificate.clone()).collect(),
            anchors.iter().map(|entity| entity.anchor()).collect(),
        )
    }

    pub(super) fn about(chain: Vec<Certificate>, anchors: Vec<Anchor>) -> Self {
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

    pub(super) fn ask(&self) -> Result<VerifiedPath, PathError> {
        self.ask_with(&CrlSet::new(self.crls.clone()))
    }

    /// Asks with this set instead of the CRLs of the question.
    pub(super) fn ask_with(&self, crls: &CrlSet) -> Result<VerifiedPath, PathError> {
        self.explain_with(crls).into_result()
    }

    pub(super) fn explain(&self) -> Explanation {
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
    pub(super) fn refusal(&self) -> PathError {
        self.ask().expect_err("the path must be refused")
    }

    #[track_caller]
    pub(super) fn code(&self) -> Code {
        self.refusal().code()
    }
}

/// A root, an intermediate and a leaf.
pub(super) struct ThreeTiers {
    pub(super) root: Entity,
    pub(super) middle: Entity,
    pub(super) leaf: Entity,
}

impl ThreeTiers {
    pub(super) fn new() -> Self {
        Self::with(ca("Root"), ca("Middle"), leaf("Signer"))
    }

    pub(super) fn with(
        root: CertificateParams,
        middle: CertificateParams,
        leaf: CertificateParams,
    ) -> Self {
        let root = Entity::self_signed(root);
        let middle = root.issue(middle);
        let leaf = middle.issue(leaf);
        ThreeTiers { root, middle, leaf }
    }

    pub(super) fn question(&self) -> Question {
        Question::new(&[&self.leaf, &self.middle], &[&self.root])
    }
}
