//! Whose signature is on a CRL (RFC 5280, section 6.3.3, steps f and g).
//!
//! Mostly the key that signed the certificate. A CA that renewed its key may sign its CRLs with
//! the other one: then a certificate of the same name must lead to the same anchor through CAs of
//! the same names, by a path that is valid and not revoked. Another CA below that anchor could
//! give anybody the name. The anchor of the same name that an officer installed for the other key
//! is as good as the anchor itself.

use super::RevocationMode;
use super::lookup::{Found, Link, Lookup, OtherKeys};
use crate::hash::Sha256Digest;
use crate::pki::canonical::CanonicalName;
use crate::pki::error::{Limit, PathError, WhyUnknown};
use crate::pki::explain::Record;
use crate::pki::moment::{Moment, check_validity};
use crate::pki::signature::SignatureError;
use crate::pki::usage::check_issuer_key;
use crate::pki::{Certificate, Crl, rfc5280};

impl Lookup<'_> {
    /// The fingerprint of the key that signed `crl`, or why there is none that counts.
    ///
    /// # Errors
    /// The budget of signature checks, or a disagreement about a signature.
    pub(super) fn signer_of(
        &self,
        crl: &Crl,
        link: Link<'_>,
        other_keys: OtherKeys,
    ) -> Result<Result<Sha256Digest, WhyUnknown>, PathError> {
        let mut why = None;
        if let Some(hint) = crl.issuer_key_id()
            && other_keys == OtherKeys::Follow
            && link.issuer.subject_key_id().is_some_and(|id| id != hint)
        {
            // The CRL names another key: look there first.
            if let Some(key) = self.other_signer(crl, link, Some(hint))? {
                return Ok(Ok(key));
            }
        }
        match self.signed_by(crl, link.issuer)? {
            Ok(key) => return Ok(Ok(key)),
            Err(problem) => why = why.or(Some(problem)),
        }
        if other_keys == OtherKeys::Follow
            && let Some(key) = self.other_signer(crl, link, None)?
        {
            return Ok(Ok(key));
        }
        Ok(Err(why.unwrap_or(WhyUnknown::BadSignature)))
    }

    /// Whether `signer` may sign CRLs and signed this one; gives the fingerprint of its key.
    fn signed_by(
        &self,
        crl: &Crl,
        signer: &Certificate,
    ) -> Result<Result<Sha256Digest, WhyUnknown>, PathError> {
        if signer.key_usage().is_some_and(|usage| !usage.crl_sign()) {
            return Ok(Err(WhyUnknown::IssuerMayNotSignCrls));
        }
        if crl.this_update() > signer.not_after() {
            return Ok(Err(WhyUnknown::IssuerExpired));
        }
        let (tbs, signature) = (crl.tbs_der(), crl.signature());
        match self.issued.checks().check_once(tbs, signature, crl.algorithm(), signer.spki()) {
            Ok(()) => {}
            Err(SignatureError::Budget) => return Err(PathError::Budget(Limit::SignatureChecks)),
            Err(SignatureError::Disagreement) => {
                let what = format!("the signature on the CRL of {}", crl.issuer());
                return Err(PathError::Disagreement { what });
            }
            Err(_) => return Ok(Err(WhyUnknown::BadSignature)),
        }
        Ok(signer.public_key().map(|key| key.fingerprint()).map_err(|_| WhyUnknown::BadSignature))
    }

    /// Another key of the issuer that signed the CRL: the one with this identifier, or any.
    fn other_signer(
        &self,
        crl: &Crl,
        link: Link<'_>,
        key_id: Option<&[u8]>,
    ) -> Result<Option<Sha256Digest>, PathError> {
        for signer in self.certificates() {
            if signer.subject_name() != crl.issuer_name()
                || signer.spki() == link.issuer.spki()
                || !may_speak_for_ca(signer)
                || key_id.is_some_and(|id| signer.subject_key_id() != Some(id))
            {
                continue;
            }
            // The way to the anchor first: it is cheap beside a long CRL, and whoever sends
            // certificates cannot fake it.
            let mut ways = self.input.budget.path_candidates;
            if self.leads_to_anchor(crl, &mut vec![signer], &mut ways)?
                && let Ok(key) = self.signed_by(crl, signer)?
            {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Every certificate at hand.
    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        let anchors = self.input.anchors.iter().map(|anchor| &anchor.certificate);
        anchors.chain(self.input.chain).chain(self.input.intermediates)
    }

    /// Whether a valid path leads from the last certificate of `path` to the anchor.
    fn leads_to_anchor<'c>(
        &'c self,
        crl: &Crl,
        path: &mut Vec<&'c Certificate>,
        ways: &mut usize,
    ) -> Result<bool, PathError> {
        let Some(&last) = path.last() else { return Ok(false) };
        if self.is_anchor(last) {
            return Ok(self.has_same_names(path) && self.is_valid(crl, path)?);
        }
        if path.len() >= self.input.budget.path_depth || *ways == 0 {
            return Ok(false);
        }
        for issuer in self.certificates() {
            let follows = issuer.subject_name() == last.issuer_name()
                && !path.iter().any(|earlier| {
                    earlier.spki() == issuer.spki()
                        && earlier.subject_name() == issuer.subject_name()
                });
            if !follows || !self.is_issued_by(last, issuer)? {
                continue;
            }
            *ways = ways.saturating_sub(1);
            path.push(issuer);
            let found = self.leads_to_anchor(crl, path, ways)?;
            path.pop();
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it is the path's anchor, or that of another key of the same CA.
    fn is_anchor(&self, certificate: &Certificate) -> bool {
        let anchor = self.above.last();
        anchor.is_some_and(|anchor| certificate.subject_name() == anchor.subject_name())
            && self.input.anchors.iter().any(|anchor| anchor.certificate == *certificate)
    }

    /// Whether the same CAs stand in `path` as above the certificate, each with any number of its
    /// keys.
    fn has_same_names(&self, path: &[&Certificate]) -> bool {
        names_of(path) == names_of(self.above)
    }

    fn is_issued_by(&self, subject: &Certificate, issuer: &Certificate) -> Result<bool, PathError> {
        match self.issued.check(subject, issuer) {
            Ok(()) => Ok(true),
            Err(SignatureError::Budget) => Err(PathError::Budget(Limit::SignatureChecks)),
            Err(SignatureError::Disagreement) => {
                let what = format!("the signature on {}", subject.subject());
                Err(PathError::Disagreement { what })
            }
            Err(_) => Ok(false),
        }
    }

    /// Whether the path, from the signer to an anchor, is valid and nothing of it is revoked.
    fn is_valid(&self, crl: &Crl, path: &[&Certificate]) -> Result<bool, PathError> {
        let (moment, usage) = (Moment::of(self.input, path), self.input.profile.usage);
        let is_fit = |certificate: &&Certificate| {
            check_validity(certificate, moment.effective).is_ok()
                && check_issuer_key(certificate, usage).is_ok()
        };
        if !path.iter().all(is_fit) {
            return Ok(false);
        }
        let mut comparisons = self.comparisons.borrow_mut();
        match rfc5280::check(path, None, true, &mut comparisons, &mut Record::of(path)) {
            Ok(()) => {}
            Err(exhausted @ PathError::Budget(_)) => return Err(exhausted),
            Err(_) => return Ok(false),
        }
        drop(comparisons);
        for (certificate, issuer) in path.iter().zip(path.iter().skip(1)) {
            if !self.is_not_revoked(crl, Link { certificate, issuer })? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether nothing is against a certificate on the way, by CRLs of its issuer's own key. The
    /// certificate by which a CA signs its new key with its old one (RFC 4210, section 4.4) has
    /// no other CRL, once the new key signs them, than the one in question.
    fn is_not_revoked(&self, crl: &Crl, link: Link<'_>) -> Result<bool, PathError> {
        let required = self.input.revocation.mode == RevocationMode::Require;
        Ok(match self.find_with(link, OtherKeys::Ignore)? {
            Found::Good(_) => true,
            Found::Stale(_) => !required,
            Found::Unknown(_) if link.certificate.is_self_issued() => {
                crl.entry(link.certificate.serial()).is_none()
            }
            Found::Unknown(_) => !required,
            Found::Revoked { .. } | Found::Excused { .. } | Found::RolledBack { .. } => false,
        })
    }
}

/// The names of the CAs in `path`, one after the other.
fn names_of<'c>(path: &[&'c Certificate]) -> Vec<&'c CanonicalName> {
    let mut names: Vec<_> = path.iter().map(|certificate| certificate.subject_name()).collect();
    names.dedup();
    names
}

/// Whether a certificate with the name of a CA may be that of its CRLs: a CA's, or one that says
/// so. A leaf that was given the name is neither.
fn may_speak_for_ca(signer: &Certificate) -> bool {
    signer.is_ca() || signer.key_usage().is_some_and(|usage| usage.crl_sign())
}
