//! Policies: their text, their names, and what is told about them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use oms_inspect::Format;
use oms_verify::pki::{Anchor, Certificate, Purpose};
use oms_verify::policy::{Inputs, Policy, PolicyError, RawPolicy, Vocabulary, explain};

use crate::sigstore::PUBLIC_GOOD;

/// The text of a policy. What the policies of the repository name is installed.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match resolve(text, KEY) {
        Ok(policy) => assert!(!explain(&policy).is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The policy, when every key file that it names holds `key`, in PEM.
pub(crate) fn resolve(text: &str, key: &[u8]) -> Result<Policy, PolicyError> {
    let raw = RawPolicy::parse(text, &Vocabulary { formats: &FORMATS })?;
    let keys: BTreeMap<_, _> =
        raw.key_files().map(|name| (name.to_owned(), key.to_vec())).collect();
    let trusted_roots = PUBLIC_GOOD.as_ref().map(std::slice::from_ref).unwrap_or_default();
    raw.resolve(&Inputs { anchors: &ANCHORS, keys: &keys, trusted_roots })
}

static FORMATS: LazyLock<Vec<&str>> =
    LazyLock::new(|| Format::ALL.iter().map(|format| format.name()).collect());

/// An anchor for each purpose.
static ANCHORS: LazyLock<Vec<Anchor>> = LazyLock::new(|| {
    let certificate = Certificate::many_from_pem(ANCHOR).ok().and_then(|mut all| all.pop());
    let purposes = [("corp-root", Purpose::CodeSigning), ("corp-tsa", Purpose::Timestamping)];
    let anchor = |(name, purpose): (&str, Purpose)| {
        let certificate = certificate.clone()?;
        Some(Anchor {
            name: name.to_owned(),
            file_sha256: certificate.fingerprint(),
            certificate,
            purposes: [purpose].into(),
            provenance: String::new(),
        })
    };
    purposes.into_iter().filter_map(anchor).collect()
});

/// A public key: of P-256.
pub(crate) const KEY: &[u8] = b"-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
";

/// A certificate that signed itself: of P-256.
const ANCHOR: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUExMnlTnYr7d55VOsZK/O1aI//IIwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGQW5jaG9yMCAXDTI2MTEyMjAxMjgyMloYDzIwNTEwNzE0MDEy
ODIyWjARMQ8wDQYDVQQDDAZBbmNob3IwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARKCc+RJD+B4BO+dwZOjy2RLORWxZavQvYz76w/6/ju/hoqHv7J+sOB/FViihdy
2oXEnAwH4zvi9WfEKTtRxJ0oo1MwUTAdBgNVHQ4EFgQUtKqdj8xikgcCuKRC8znm
fYILshcwHwYDVR0jBBgwFoAUtKqdj8xikgcCuKRC8znmfYILshcwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiApyg89pAU2YEcKePbabjS9ERbLRzlt
xSoGnrNyOXah7wIgYYw46Tck0/Cea6DOi2hDGLQYpESOCKtipQXFdd+V/Ps=
-----END CERTIFICATE-----
";
