//! The re-signed bundle of an entry: whose it is, and that it says what the verdict says.

use oms_verify::budget::Budget;
use oms_verify::bundle::{Bundle, KeyIdentifier, Material, TrustedKey, TrustedSigner};
use oms_verify::hash::Sha256Digest;
use oms_verify::key::PublicKey;
use oms_verify::pki::{self, PathInput, Profile, Purpose};
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{Legacy, Manifest, Statement};
use oms_verify::time::UnixTime;
use oms_verify::verdict::ReceivedVerdict;

use super::{REVOCATION, ReceiverTrust, with_purpose};
use crate::outbound::RESIGNED;

/// The re-signed bundle is the one that the verdict names, it is signed by the key that the
/// verdict names, and it lists the verdict's files under the verdict's name.
pub(super) fn check_resigned(
    bytes: Vec<u8>,
    verdict: &ReceivedVerdict,
    manifest: &Manifest,
    trust: &ReceiverTrust,
    time: UnixTime,
    budget: &Budget,
) -> Option<Reason> {
    let checked = open(bytes, verdict, trust, time, budget)
        .and_then(|statement| check_statement(&statement, verdict, manifest));
    checked.err().map(|detail| Reason::new(Code::VerdictResigned, detail).about(RESIGNED))
}

/// On whose word the bundle is read.
enum Word {
    /// Its signer's.
    Signer(Box<TrustedSigner>),
    /// The verdict's, which names its digest: the key is not at hand.
    Verdict,
}

fn open(
    bytes: Vec<u8>,
    verdict: &ReceivedVerdict,
    trust: &ReceiverTrust,
    time: UnixTime,
    budget: &Budget,
) -> Result<Statement, String> {
    let (digest, key) = verdict.resigned.ok_or("the verdict names none")?;
    if Sha256Digest::of(&bytes) != digest {
        return Err(format!("its SHA-256 is not {digest}"));
    }
    let bundle = Bundle::parse(&bytes, budget).map_err(|error| error.to_string())?;
    drop(bytes);
    let statement = match word(&bundle, key, trust, time, budget)? {
        Word::Signer(signer) => bundle.open(&signer, Legacy::Refuse, budget),
        Word::Verdict => bundle.statement_vouched_for(verdict, budget),
    };
    statement.map_err(|error| error.to_string())
}

fn check_statement(
    statement: &Statement,
    verdict: &ReceivedVerdict,
    manifest: &Manifest,
) -> Result<(), String> {
    let found = statement.manifest();
    if (found.hash(), found.method()) != (manifest.hash(), manifest.method())
        || found.files() != manifest.files()
    {
        return Err("it lists other files than the verdict".to_owned());
    }
    if statement.subject_name() != Some(&verdict.subject_name) {
        return Err("it gives the model another name than the verdict".to_owned());
    }
    Ok(())
}

fn word(
    bundle: &Bundle,
    fingerprint: Sha256Digest,
    trust: &ReceiverTrust,
    time: UnixTime,
    budget: &Budget,
) -> Result<Word, String> {
    let pinned = |key: &PublicKey, identifier: &KeyIdentifier| {
        let trusted = TrustedKey::new(key.clone(), identifier);
        trusted.map(TrustedSigner::Key).map_err(|error| error.to_string())
    };
    let signer = match (trust, bundle.material()) {
        (ReceiverTrust::Anchors { anchors, crls }, Material::Certificates(chain)) => {
            let anchors = with_purpose(anchors, Purpose::CodeSigning);
            let input = PathInput {
                chain,
                intermediates: &[],
                anchors: &anchors,
                crls,
                revocation: &REVOCATION,
                time,
                proof: None,
                budget,
                profile: Profile::CODE_SIGNING,
                policies: None,
            };
            let path = pki::validate(&input).map_err(|error| error.to_string())?;
            TrustedSigner::Certificate(Box::new(path))
        }
        (ReceiverTrust::Anchors { .. }, _) => {
            return Err("it carries no certificate chain, so roots cannot check it".to_owned());
        }
        // The verdict vouches for this key by its fingerprint.
        (ReceiverTrust::Key(_), Material::Certificates(chain)) => {
            let key = chain.first().and_then(|leaf| leaf.public_key().ok());
            pinned(key.ok_or("its certificate has no usable key")?, &KeyIdentifier::default())?
        }
        // One key for both: the one that was given.
        (ReceiverTrust::Key(key), Material::PublicKey(identifier))
            if key.fingerprint() == fingerprint =>
        {
            pinned(key, identifier)?
        }
        (ReceiverTrust::Key(_), Material::PublicKey(_)) => return Ok(Word::Verdict),
        (ReceiverTrust::Key(_), Material::Sigstore(_)) => {
            return Err("no station signs by the method `sigstore`".to_owned());
        }
    };
    if signer.key().fingerprint() == fingerprint {
        Ok(Word::Signer(Box::new(signer)))
    } else {
        Err("it is signed by another key than the verdict names".to_owned())
    }
}
