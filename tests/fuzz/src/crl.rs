//! Certificate revocation lists.

use oms_verify::pki::{Crl, CrlSet};

/// A CRL in DER or several in PEM, and look-ups in them.
pub fn crl(data: &[u8]) {
    let Ok(crls) = Crl::parse(data) else { return };
    for crl in &crls {
        let _ = (crl.issuer(), crl.number(), crl.this_update(), crl.next_update());
        let _ = (crl.sha256(), crl.unsupported());
        assert!(crl.len() <= data.len());
        let serials = data.windows(4).step_by(16).take(64);
        for serial in serials.chain([&[], &[0], &[0xff; 20], &[1; 300]] as [&[u8]; 4]) {
            assert!(crl.entry(serial).is_none() || !crl.is_empty());
        }
    }
    assert!(CrlSet::new(crls).iter().count() > 0);
}
