//! A reason as it crosses between processes.

use oms_verify::reason::{Code, DETAIL_CHARS, NAME_CHARS, Reason};
use serde::{Deserialize, Serialize};

/// A [`Reason`] in a message. Coming back, its code must be known and its texts no longer than a
/// reason's are, so that nothing gets around what the constructors of a reason see to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct WireReason(pub Reason);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    code: String,
    file: Option<String>,
    place: Option<String>,
    rule: Option<String>,
    detail: String,
}

/// Why a reason was not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// no such code
    #[error("there is no such reason code")]
    Code,
    /// a text is longer than a reason's
    #[error("the {0} of a reason is too long")]
    Long(&'static str),
}

impl From<WireReason> for Raw {
    fn from(WireReason(reason): WireReason) -> Self {
        let Reason { code, file, place, rule, detail } = reason;
        Raw { code: code.id().to_owned(), file, place, rule, detail }
    }
}

impl TryFrom<Raw> for WireReason {
    type Error = Refused;

    fn try_from(raw: Raw) -> Result<Self, Refused> {
        let Raw { code, file, place, rule, detail } = raw;
        let code = Code::from_id(&code).ok_or(Refused::Code)?;
        // A text that was cut has one more, which marks the cut.
        let within = |text: &str, most| text.chars().nth(most + 1).is_none();
        if !file.as_deref().is_none_or(|text| within(text, NAME_CHARS)) {
            return Err(Refused::Long("file"));
        }
        if !place.as_deref().is_none_or(|text| within(text, NAME_CHARS)) {
            return Err(Refused::Long("place"));
        }
        if !rule.as_deref().is_none_or(|text| within(text, NAME_CHARS)) {
            return Err(Refused::Long("rule"));
        }
        if !within(&detail, DETAIL_CHARS) {
            return Err(Refused::Long("detail"));
        }
        Ok(WireReason(Reason { code, file, place, rule, detail }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Reason, String> {
        serde_json::from_str::<WireReason>(text).map(|r| r.0).map_err(|e| e.to_string())
    }

    #[test]
    fn every_reason_crosses_as_it_is() {
        let long = "模".repeat(2_000);
        for code in Code::ALL {
            let plain = Reason::new(*code, "particulars");
            let full = Reason::new(*code, long.clone()).about(long.clone());
            let full = full.at(long.clone()).by_rule("a.b");
            for reason in [plain, full] {
                let text = serde_json::to_string(&WireReason(reason.clone())).unwrap();
                assert_eq!(read(&text).unwrap(), reason);
            }
        }
    }

    #[test]
    fn what_is_no_reason_is_not_taken() {
        let refused = |text: &str, why: &str| {
            let told = read(text).unwrap_err();
            assert!(told.contains(why), "{told}");
        };
        refused(
            r#"{"code":"no.such","file":null,"place":null,"rule":null,"detail":"x"}"#,
            "no such",
        );
        refused(
            r#"{"code":"bundle.json","file":null,"place":null,"rule":null,"detail":"x","a":1}"#,
            "unknown",
        );
        refused(r#"{"code":"bundle.json","file":null,"place":null,"rule":null}"#, "missing");
        for (field, most) in [
            ("file", NAME_CHARS),
            ("place", NAME_CHARS),
            ("rule", NAME_CHARS),
            ("detail", DETAIL_CHARS),
        ] {
            let with = |length: usize| {
                let mut raw = serde_json::json!(
                    { "code": "bundle.json", "file": null, "place": null, "rule": null, "detail": "x" }
                );
                raw[field] = "x".repeat(length).into();
                raw.to_string()
            };
            assert!(read(&with(most + 1)).is_ok());
            refused(&with(most + 2), field);
        }
    }
}
