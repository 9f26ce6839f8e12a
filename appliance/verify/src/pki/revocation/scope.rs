//! Which certificates a CRL is about (RFC 5280, section 6.3.3, step b).

use x509_cert::ext::pkix::CrlDistributionPoints;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};

use crate::pki::{Certificate, Crl};

/// Whether the CRL's scope includes the certificate. A CRL that names no distribution point covers
/// certificates whatever points they name.
pub(super) fn covers(crl: &Crl, certificate: &Certificate) -> bool {
    let scope = crl.scope();
    if (scope.only_users && certificate.is_ca()) || (scope.only_cas && !certificate.is_ca()) {
        return false;
    }
    match &scope.point {
        None => true,
        Some(names) => names_point(certificate, names),
    }
}

/// Whether the certificate's cRLDistributionPoints has one of `names`, for all reasons and with
/// the CRL signed by the certificate's own issuer.
fn names_point(certificate: &Certificate, names: &[GeneralName]) -> bool {
    let Ok(Some(points)) = certificate.extension::<CrlDistributionPoints>() else { return false };
    points.0.iter().any(|point| match &point.distribution_point {
        Some(DistributionPointName::FullName(own)) => {
            point.reasons.is_none()
                && point.crl_issuer.is_none()
                && own.iter().any(|name| names.contains(name))
        }
        _ => false,
    })
}
