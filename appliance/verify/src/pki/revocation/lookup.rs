//! What the CRLs say about one certificate.

use std::cell::RefCell;

use super::RevocationMode;
use super::scope::covers;
use crate::pki::comparisons::Comparisons;
use crate::pki::crl::Series;
use crate::pki::error::{PathError, WhyUnknown};
use crate::pki::issued::Issued;
use crate::pki::path::{PathInput, Proof};
use crate::pki::{Certificate, Crl, RevocationReason, RevokedEntry};
use crate::time::UnixTime;

/// A certificate and the one whose key signed it.
#[derive(Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) issuer: &'a Certificate,
}

/// What the look-up depends on.
pub(super) struct Lookup<'a> {
    pub(super) input: &'a PathInput<'a>,
    /// The certificate's path from its issuer to the anchor.
    pub(super) above: &'a [&'a Certificate],
    /// A time of the signature at which the whole path was valid.
    pub(super) proof: Option<Proof>,
    pub(super) issued: &'a Issued,
    /// What the whole search may still cost.
    pub(super) comparisons: RefCell<&'a mut Comparisons>,
}

/// What was found.
pub(super) enum Found<'a> {
    /// It is revoked, and nothing excuses that.
    Revoked { date: UnixTime, reason: RevocationReason },
    /// It was revoked since the proven time of the signature.
    Excused { crl: &'a Crl, date: UnixTime, reason: RevocationReason },
    /// This CRL is fresh and does not list it.
    Good(&'a Crl),
    /// This is the newest CRL. It is too old and does not list it.
    Stale(&'a Crl),
    /// The CRLs that there are are older than one that was verified before.
    RolledBack { this_update: UnixTime },
    /// There is no CRL that tells.
    Unknown(WhyUnknown),
}

/// What a CRL is worth for a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Fresh,
    Stale,
    /// The certificate has expired; the CRL is from after the signature and from before it did.
    FromItsLifetime,
    /// The certificate has expired, and the CRL need not list it any more.
    Nothing,
}

/// Whether a CRL that another key of the issuer signed is followed to the anchor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherKeys {
    Follow,
    /// The certificate is on such a way itself.
    Ignore,
}

impl<'a> Lookup<'a> {
    /// Looks into the CRLs of the certificate's issuer, the newest first.
    ///
    /// The newest CRL of each series counts, and one that lists the certificate is enough: where a
    /// CA that renewed its key signs CRLs with both, either may be the one that knows.
    ///
    /// # Errors
    /// The budget of signature checks, or a disagreement about a signature.
    pub(super) fn find(&self, link: Link<'_>) -> Result<Found<'a>, PathError> {
        self.find_with(link, OtherKeys::Follow)
    }

    pub(super) fn find_with(
        &self,
        link: Link<'_>,
        other_keys: OtherKeys,
    ) -> Result<Found<'a>, PathError> {
        let certificate = link.certificate;
        let mut series_seen: Vec<Series> = Vec::new();
        let (mut good, mut stale, mut excused) = (None, None, None);
        let (mut rolled_back, mut why) = (None, None);
        for crl in self.input.crls.of_issuer(certificate.issuer_name()) {
            let entry = crl.entry(certificate.serial());
            if good.is_some() && entry.is_none() {
                continue;
            }
            if let Some(problem) = self.unusable(crl, certificate, entry) {
                why = why.or(Some(problem));
                continue;
            }
            let key = match self.signer_of(crl, link, other_keys)? {
                Ok(key) => key,
                Err(problem) => {
                    why = why.or(Some(problem));
                    continue;
                }
            };
            let series = Series::of(crl, key);
            let is_complete = crl.unsupported().is_none();
            let worth = self.worth(crl, certificate, entry.is_some());
            if is_complete {
                self.input.crls.raise(series, crl);
                if series_seen.contains(&series) {
                    continue;
                }
                // A CRL from the lifetime of an expired certificate is old by nature: only a newer
                // one from that lifetime would have to be here instead.
                let lifetime = (worth == Worth::FromItsLifetime).then(|| certificate.not_after());
                if self.input.crls.has_fallen_behind(&series, crl, lifetime) {
                    rolled_back = rolled_back.or(Some(crl.this_update()));
                    continue;
                }
            }
            if let Some(entry) = entry {
                if !self.excuses(entry) {
                    let (date, reason) = (entry.date, entry.reason);
                    return Ok(Found::Revoked { date, reason });
                }
                excused = excused.or(Some((crl, entry)));
            }
            if !is_complete {
                continue;
            }
            match worth {
                Worth::Fresh | Worth::FromItsLifetime => good = good.or(Some(crl)),
                Worth::Stale => stale = stale.or(Some(crl)),
                Worth::Nothing => {
                    why = why.or(Some(WhyUnknown::Dropped));
                    continue;
                }
            }
            series_seen.push(series);
        }
        if let (None, Some(this_update)) = (good, rolled_back) {
            return Ok(Found::RolledBack { this_update });
        }
        let suffices = good.is_some() || self.input.revocation.mode == RevocationMode::IfAvailable;
        Ok(match (excused, good, stale) {
            (Some((crl, RevokedEntry { date, reason, .. })), ..) if suffices => {
                Found::Excused { crl, date, reason }
            }
            (_, Some(crl), _) => Found::Good(crl),
            (_, None, Some(crl)) => Found::Stale(crl),
            (_, None, None) => Found::Unknown(why.unwrap_or(WhyUnknown::NoCrl)),
        })
    }

    /// Why the CRL is none for the certificate, before its signature is looked at.
    fn unusable(
        &self,
        crl: &Crl,
        certificate: &Certificate,
        entry: Option<RevokedEntry>,
    ) -> Option<WhyUnknown> {
        if let Some(unsupported) = crl.unsupported() {
            // removeFromCRL in a delta CRL ends a hold: whether it does is for a complete one.
            let lists = entry.is_some_and(|entry| entry.reason != RevocationReason::RemoveFromCrl);
            if !(unsupported.is_partial() && lists) {
                return Some(WhyUnknown::Unsupported(unsupported));
            }
        }
        if !covers(crl, certificate) {
            return Some(WhyUnknown::Scope);
        }
        (crl.this_update() > self.input.time).then_some(WhyUnknown::NotYetValid)
    }

    fn worth(&self, crl: &Crl, certificate: &Certificate, is_listed: bool) -> Worth {
        let not_after = certificate.not_after();
        let is_dropped = self.input.time > not_after && !crl.keeps_what_expired_at(not_after);
        if is_dropped && !is_listed {
            // A revocation stays listed at least until the first CRL after the expiry (RFC 5280,
            // section 3.3): what this CRL does not list was not revoked when it was made.
            let lifetime = self.proof.map(|proof| proof.time..=not_after);
            return match lifetime {
                Some(lifetime) if lifetime.contains(&crl.this_update()) => Worth::FromItsLifetime,
                _ => Worth::Nothing,
            };
        }
        let time = self.input.time;
        let in_time = crl.next_update().is_none_or(|next| next >= time);
        let max_age = self.input.revocation.max_crl_age;
        let young = max_age.is_none_or(|age| time.since(crl.this_update()) <= age.seconds);
        if in_time && young { Worth::Fresh } else { Worth::Stale }
    }

    /// Whether the signature is proven to be from before the revocation, and of a sound key.
    fn excuses(&self, entry: RevokedEntry) -> bool {
        self.proof.is_some_and(|proof| {
            proof.excuses_revocation
                && entry.reason.leaves_key_sound()
                && entry.date > proof.time
                && entry.invalidity_date.is_none_or(|date| date > proof.time)
        })
    }
}
