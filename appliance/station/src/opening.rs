//! Opening a station: its record and its keys, checked so that the receiving side can accept what
//! they sign.

use std::path::PathBuf;

use oms_verify::pki::Certificate;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;

use crate::config::{Config, KeyConfig};
use crate::ledger::Ledger;
use crate::outbound::Outbound;
use crate::pipeline::now;
use crate::signer::Signer;

/// id-kp-codeSigning (RFC 5280, section 4.2.1.12).
const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";

/// Opens the keys and the record, and checks that the receiving side can accept what they sign.
pub fn open(config: &Config) -> Result<Outbound, Reason> {
    let ledger = Ledger::open(&config.state)?;
    let verdict = signer(&config.verdict)?;
    let resign = signer(&config.resign)?;
    if let Some(leaf) = verdict.leaf()
        && !leaf.san_uris().contains(&config.id)
    {
        let detail = format!(
            "the certificate of {} does not carry the station's id {} as a URI",
            leaf.subject(),
            config.id
        );
        return Err(Reason::new(Code::ConfigCertificate, detail));
    }
    Ok(Outbound {
        id: config.id.clone(),
        spool: config.spool.clone(),
        outbound: config.outbound.clone(),
        verdict,
        resign,
        ledger,
    })
}

fn signer(config: &KeyConfig) -> Result<Signer, Reason> {
    let chain: Vec<_> = config.certificate.iter().map(PathBuf::as_path).collect();
    let signer = Signer::open(&config.key, &chain)?;
    match signer.leaf().and_then(|leaf| unfit(leaf, now())) {
        Some(detail) => Err(Reason::new(Code::ConfigCertificate, detail)),
        None => Ok(signer),
    }
}

/// Why nobody would accept what is signed under this certificate today.
fn unfit(leaf: &Certificate, now: UnixTime) -> Option<String> {
    let subject = leaf.subject();
    if now < leaf.not_before() {
        return Some(format!("the certificate of {subject} is valid from {}", leaf.not_before()));
    }
    if now > leaf.not_after() {
        return Some(format!("the certificate of {subject} expired at {}", leaf.not_after()));
    }
    let code_signing = leaf
        .extended_key_usages()
        .is_some_and(|usages| usages.iter().any(|usage| usage.to_string() == CODE_SIGNING));
    (!code_signing).then(|| format!("the certificate of {subject} is not for code signing"))
}
