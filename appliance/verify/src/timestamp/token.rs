//! The outer structure of a time stamp: the response, the CMS envelope, its content and signer.

use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{SignedData, SignerInfo};
use const_oid::db::rfc3161::ID_CT_TST_INFO;
use const_oid::db::rfc5911::ID_SIGNED_DATA;
use der::asn1::{BitString, OctetStringRef};
use der::{Decode, Encode, Sequence};

use super::info::Info;
use super::{Part, TimestampError};
use crate::pki::{Anchor, Certificate};

/// `TimeStampResp` (RFC 3161, section 2.4.2).
#[derive(Sequence)]
struct Response {
    status: StatusInfo,
    #[asn1(optional = "true")]
    token: Option<ContentInfo>,
}

/// `PKIStatusInfo`.
#[derive(Sequence)]
struct StatusInfo {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    failure: Option<BitString>,
}

/// A token that has the right structure and that nobody has verified.
pub(super) struct Token {
    data: SignedData,
    content: Vec<u8>,
}

impl Token {
    /// Reads a TimeStampToken or a TimeStampResp with one, in DER. BER, which RFC 5652 allows for
    /// the envelope, is refused: authorities write DER.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, TimestampError> {
        let envelope = match Response::from_der(bytes) {
            Ok(response) => response.granted()?,
            Err(_) => ContentInfo::from_der(bytes).or(Err(malformed(Part::Token)))?,
        };
        if envelope.content_type != ID_SIGNED_DATA {
            return Err(TimestampError::ContentType(envelope.content_type));
        }
        let data: SignedData = envelope.content.decode_as().or(Err(malformed(Part::SignedData)))?;
        let inner = &data.encap_content_info;
        if inner.econtent_type != ID_CT_TST_INFO {
            return Err(TimestampError::ContentType(inner.econtent_type));
        }
        // RFC 5652, section 5.1: 3 for content that is not plain data.
        if data.version != CmsVersion::V3 {
            return Err(malformed(Part::SignedData));
        }
        let content = inner.econtent.as_ref().ok_or(malformed(Part::SignedData))?;
        let content: &OctetStringRef = content.decode_as().or(Err(malformed(Part::SignedData)))?;
        let content = content.as_bytes().to_vec();
        Ok(Token { data, content })
    }

    /// What is signed: TSTInfo in DER.
    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    /// What the token says.
    pub(super) fn info(&self) -> Result<Info<'_>, TimestampError> {
        Info::parse(&self.content)
    }

    /// The one signer.
    pub(super) fn signer(&self) -> Result<&SignerInfo, TimestampError> {
        let signers = &self.data.signer_infos.0;
        match (signers.get(0), signers.len()) {
            (Some(signer), 1) => Ok(signer),
            (_, count) => Err(TimestampError::SignerCount(count)),
        }
    }

    /// The certificates inside, and those of `anchors`, which an authority may leave out. One that
    /// is no certificate as this project reads them cannot be part of a path and is passed over.
    pub(super) fn certificates(&self, anchors: &[Anchor]) -> Vec<Certificate> {
        let inside = self.data.certificates.iter().flat_map(|set| set.0.iter());
        let inside = inside.filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => {
                Certificate::from_der(&certificate.to_der().ok()?).ok()
            }
            CertificateChoices::Other(_) => None,
        });
        inside.chain(anchors.iter().map(|anchor| anchor.certificate.clone())).collect()
    }
}

impl Response {
    /// The token of a response whose status is granted (0) or grantedWithMods (1).
    fn granted(self) -> Result<ContentInfo, TimestampError> {
        let status = self.status.status;
        self.token.filter(|_| status <= 1).ok_or(TimestampError::NotGranted(status))
    }
}

fn malformed(part: Part) -> TimestampError {
    TimestampError::Malformed(part)
}
