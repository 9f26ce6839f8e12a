//! Opening a station: its record and its keys, checked so that the receiving side can accept what
//! they sign.

use std::collections::BTreeSet;
use std::path::Path;

use oms_verify::budget::Budget;
use oms_verify::hash::Sha256Digest;
use oms_verify::pki::{
    self, Anchor, Certificate, CrlSet, PathInput, Profile, Revocation, RevocationMode,
};
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;

use crate::clock::Clock;
use crate::config::{Config, KeyConfig};
use crate::crl_memory::CrlMemory;
use crate::journal::Journal;
use crate::outbound::Outbound;
use crate::signer::{Signer, read_chain};
use crate::signing::RemoteSigner;

/// Opens the record and the spool of the station that the file at `path` configures, with another
/// `policy` if given, and starts its signer.
///
/// # Errors
/// When one cannot be opened, when the clock was set back, or when the signer's keys cannot be used.
pub fn open(
    config: &Config,
    path: &Path,
    policy: Option<&Path>,
    is_sandboxed: bool,
) -> Result<Outbound, Reason> {
    let journal = Journal::open(&config.state)?;
    let past = journal.past()?;
    let crl_memory = CrlMemory::open(&config.state, past)?;
    let mut clock = Clock::open(&config.state, past)?;
    let time = clock.look()?;
    let signer = RemoteSigner::start(path, policy, is_sandboxed, time)?;
    // Remembered only now: a clock that is ahead by years is found out by the certificates.
    clock.now()?;
    Outbound::open(config, journal, clock, crl_memory, signer)
}

/// Opens the keys, for verdicts and for re-signed bundles.
///
/// # Errors
/// When one cannot be opened, or nobody would accept what they sign: another key's certificate, an
/// expired one, one that is not for code signing, a verdict certificate without the station's id,
/// or one key for both.
pub(crate) fn signers(config: &Config, time: UnixTime) -> Result<(Signer, Signer), Reason> {
    let verdict = signer(&config.verdict, "keys.verdict", time)?;
    let resign = signer(&config.resign, "keys.resign", time)?;
    if verdict.public_key() == resign.public_key() {
        let detail = "keys.verdict and keys.resign are one key: whoever may sign models could make \
                      verdicts";
        return Err(Reason::new(Code::ConfigCertificate, detail));
    }
    if let Some(leaf) = verdict.leaf()
        && !leaf.san_uris().contains(&config.id)
    {
        let detail = format!(
            "keys.verdict: the certificate of {} does not carry the station's id {} as a URI",
            leaf.subject(),
            config.id
        );
        return Err(Reason::new(Code::ConfigCertificate, detail));
    }
    Ok((verdict, resign))
}

fn signer(config: &KeyConfig, table: &str, time: UnixTime) -> Result<Signer, Reason> {
    let named = |mut reason: Reason| {
        reason.detail = format!("{table}: {}", reason.detail);
        reason
    };
    let files: Vec<&Path> = config.certificate.iter().map(|file| file.as_path()).collect();
    let signer = Signer::open(&config.key, &files).map_err(named)?;
    if let Some(file) = &config.certificate {
        let chain = read_chain(file).map_err(named)?;
        check_chain(&chain, time).map_err(|detail| {
            let reason = Reason::new(Code::ConfigCertificate, detail);
            named(reason.about(file.display().to_string()))
        })?;
    }
    Ok(signer)
}

/// Checks a chain as whoever verifies will, as far as it goes: the topmost certificate stands in
/// for the anchor. A leaf alone is checked against itself for all that it says.
fn check_chain(chain: &[Certificate], time: UnixTime) -> Result<(), String> {
    let Some((leaf, top)) = chain.first().zip(chain.last()) else { return Ok(()) };
    if time < leaf.not_before() || time > leaf.not_after() {
        return Err(format!(
            "the certificate of {} is valid from {} to {}",
            leaf.subject(),
            leaf.not_before(),
            leaf.not_after()
        ));
    }
    if chain.len() == 1 && !leaf.is_self_issued() {
        return check_lone_leaf(leaf);
    }
    let anchor = Anchor {
        name: "topmost".to_owned(),
        certificate: top.clone(),
        purposes: BTreeSet::new(),
        provenance: String::new(),
        file_sha256: Sha256Digest::ZERO,
    };
    let input = PathInput {
        chain,
        intermediates: &[],
        anchors: &[anchor],
        crls: &CrlSet::default(),
        revocation: &Revocation { mode: RevocationMode::Off, max_crl_age: None },
        time,
        budget: &Budget::default(),
        proof: None,
        policies: None,
        profile: Profile::CODE_SIGNING,
    };
    pki::validate(&input).map(|_| ()).map_err(|error| error.to_string())
}

/// Without its issuer only the leaf's own word can be checked.
fn check_lone_leaf(leaf: &Certificate) -> Result<(), String> {
    /// id-kp-codeSigning (RFC 5280, section 4.2.1.12).
    const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
    let code_signing = leaf
        .extended_key_usages()
        .is_some_and(|usages| usages.iter().any(|usage| usage.to_string() == CODE_SIGNING));
    if !code_signing || leaf.is_ca() {
        return Err(format!("the certificate of {} is not for code signing", leaf.subject()));
    }
    Ok(())
}
