//! ECDSA as PKCS#11 has it, turned into what certificates and signatures carry.

use der::asn1::{OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// A supported curve: its name in PKCS#11, its sizes and its hash.
pub(super) struct Curve {
    /// The value of CKA_EC_PARAMS: the curve's object identifier in DER (RFC 5480, section 2.1.1).
    params: &'static [u8],
    /// The length of a coordinate, and of each half of a signature, in bytes.
    field: usize,
    /// A SubjectPublicKeyInfo up to the point, which is its end: with an uncompressed point the
    /// lengths in it never vary (RFC 5480, section 2).
    spki_head: &'static [u8],
    /// The hash of a message that is signed on this curve.
    hash: fn(&[u8]) -> Vec<u8>,
}

const P256: Curve = Curve {
    params: b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
    field: 32,
    spki_head: b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
                 \x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
    hash: |message| Sha256::digest(message).to_vec(),
};

const P384: Curve = Curve {
    params: b"\x06\x05\x2b\x81\x04\x00\x22",
    field: 48,
    spki_head: b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
                 \x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00",
    hash: |message| Sha384::digest(message).to_vec(),
};

const P521: Curve = Curve {
    params: b"\x06\x05\x2b\x81\x04\x00\x23",
    field: 66,
    spki_head: b"\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
                 \x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00",
    hash: |message| Sha512::digest(message).to_vec(),
};

impl Curve {
    /// The curve that a CKA_EC_PARAMS names.
    pub(super) fn from_params(params: &[u8]) -> Option<&'static Curve> {
        [&P256, &P384, &P521].into_iter().find(|curve| curve.params == params)
    }

    /// The SubjectPublicKeyInfo of a CKA_EC_POINT: an uncompressed point, in an OCTET STRING as
    /// PKCS#11 wants it, or bare as some modules give it. Whether the point lies on the curve is
    /// for the reader of the SubjectPublicKeyInfo to check.
    pub(super) fn spki(&self, ec_point: &[u8]) -> Option<Vec<u8>> {
        const UNCOMPRESSED: u8 = 4;
        let length = self.field.checked_mul(2)?.checked_add(1)?;
        let point = if ec_point.len() == length {
            ec_point
        } else {
            <&OctetStringRef>::from_der(ec_point).ok()?.as_bytes()
        };
        (point.len() == length && point.first() == Some(&UNCOMPRESSED))
            .then(|| [self.spki_head, point].concat())
    }

    /// The digest of `message` that is signed on this curve.
    pub(super) fn digest(&self, message: &[u8]) -> Vec<u8> {
        (self.hash)(message)
    }

    /// Turns the signature of CKM_ECDSA, r and s of equal length one after the other (PKCS#11,
    /// section 6.3.1), into a DER ECDSA-Sig-Value (RFC 3279, section 2.2.3). None if it is not
    /// exactly as long as the curve's signatures are, or if r or s is zero.
    pub(super) fn signature_to_der(&self, raw: &[u8]) -> Option<Vec<u8>> {
        #[derive(Sequence)]
        struct EcdsaSigValue<'a> {
            r: UintRef<'a>,
            s: UintRef<'a>,
        }
        if raw.len() != self.field.checked_mul(2)? {
            return None;
        }
        let (r, s) = raw.split_at_checked(self.field)?;
        if [r, s].iter().any(|half| half.iter().all(|byte| *byte == 0)) {
            return None;
        }
        EcdsaSigValue { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    };
    use oms_verify::key::{KeyType, PublicKey};

    #[test]
    fn numbers_are_minimal_and_positive() {
        let raw = |r: &[u8], s: &[u8]| {
            let mut raw = vec![0; 64];
            raw[32 - r.len()..32].copy_from_slice(r);
            raw[64 - s.len()..].copy_from_slice(s);
            P256.signature_to_der(&raw)
        };
        assert_eq!(raw(&[1], &[0x7f]).unwrap(), [0x30, 6, 2, 1, 1, 2, 1, 0x7f]);
        // A leading one bit gets a zero byte; leading zero bytes go.
        assert_eq!(
            raw(&[0x80], &[0, 0, 0x81, 2]).unwrap(),
            [0x30, 9, 2, 2, 0, 0x80, 2, 3, 0, 0x81, 2]
        );
        assert_eq!(raw(&[], &[1]), None);
        assert_eq!(raw(&[1], &[]), None);
    }

    #[test]
    fn a_p521_signature_needs_a_long_form_length() {
        let der = P521.signature_to_der(&[0xff; 132]).unwrap();
        assert_eq!(der[..3], [0x30, 0x81, 0x8a]);
        assert_eq!(der.len(), 0x8a + 3);
    }

    #[test]
    fn signatures_of_another_length_are_refused() {
        for (curve, length) in [(&P256, 64), (&P384, 96), (&P521, 132)] {
            assert!(curve.signature_to_der(&vec![1; length]).is_some());
            for wrong in [0, length - 2, length - 1, length + 1, length + 2, 2 * length] {
                assert_eq!(curve.signature_to_der(&vec![1; wrong]), None);
            }
        }
    }

    #[test]
    fn a_point_becomes_the_public_key_it_is() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let wrapped = [&[4, 65], point.as_slice()].concat();
        let spki = P256.spki(&wrapped).unwrap();
        assert_eq!(P256.spki(&point).unwrap(), spki);

        let key = PublicKey::from_spki_der(&spki).unwrap();
        assert_eq!(key.key_type(), KeyType::P256);
        let raw = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), b"message").unwrap();
        key.verify(b"message", &P256.signature_to_der(raw.as_ref()).unwrap()).unwrap();
    }

    #[test]
    fn the_heads_fit_each_curve() {
        use aws_lc_rs::encoding::AsDer;
        use aws_lc_rs::signature::{
            ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
        };
        for (curve, algorithm) in [
            (&P256, &ECDSA_P256_SHA256_ASN1_SIGNING),
            (&P384, &ECDSA_P384_SHA384_ASN1_SIGNING),
            (&P521, &ECDSA_P521_SHA512_ASN1_SIGNING),
        ] {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let spki = curve.spki(pair.public_key().as_ref()).unwrap();
            assert_eq!(spki, pair.public_key().as_der().unwrap().as_ref());
            assert!(Curve::from_params(curve.params).is_some());
        }
    }

    #[test]
    fn points_that_are_compressed_or_of_another_length_are_refused() {
        let mut compressed = vec![2; 33];
        assert_eq!(P256.spki(&compressed), None);
        compressed.splice(0..0, [4, 33]);
        assert_eq!(P256.spki(&compressed), None);
        let mut hybrid = vec![6; 65];
        assert_eq!(P256.spki(&hybrid), None);
        hybrid[0] = 4;
        assert!(P256.spki(&hybrid).is_some());
        assert_eq!(P384.spki(&hybrid), None);
        assert_eq!(P256.spki(&[]), None);
        assert_eq!(P256.spki(&[4, 3, 4, 1, 1]), None);
        assert!(Curve::from_params(b"\x06\x05\x2b\x81\x04\x00\x0a").is_none());
    }
}
