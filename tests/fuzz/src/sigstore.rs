//! Sigstore bundles under the trusted root of the public-good instance, and trusted roots.

use std::sync::LazyLock;

use oms_verify::budget::Budget;
use oms_verify::bundle::Bundle;
use oms_verify::sigstore::{TrustedRoot, verify};
use oms_verify::time::UnixTime;

/// A bundle, or a trusted root.
///
/// The signature in a bundle is over its payload alone, so that all other parts can be changed and
/// what judges them is still reached.
pub fn sigstore(data: &[u8]) {
    let budget = Budget::default();
    if let Err(error) = TrustedRoot::parse("root", data) {
        assert!(!error.to_string().is_empty());
    }
    let (Ok(bundle), Some(root)) = (Bundle::parse(data, &budget), PUBLIC_GOOD.as_ref()) else {
        return;
    };
    match verify(&bundle, root, UnixTime(1_893_456_000), &budget) {
        Ok(signer) => assert!(!signer.times().is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The root that is built into the appliance.
pub(crate) static PUBLIC_GOOD: LazyLock<Option<TrustedRoot>> = LazyLock::new(|| {
    let bytes = include_bytes!("../../../firmware-roots/sigstore/public-good.json");
    TrustedRoot::parse("sigstore-public-good", bytes).ok()
});
