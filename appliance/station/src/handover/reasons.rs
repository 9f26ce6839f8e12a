//! A reason on its way between processes.

use oms_verify::reason::{Code, Reason};
use serde::{Deserialize, Serialize};

use super::HandoverError;

/// A reason, by the identifier of its code. What it says is shortened when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonNote {
    code: String,
    file: Option<String>,
    rule: Option<String>,
    detail: String,
}

impl From<&Reason> for ReasonNote {
    fn from(reason: &Reason) -> Self {
        ReasonNote {
            code: reason.code.id().to_owned(),
            file: reason.file.clone(),
            rule: reason.rule.clone(),
            detail: reason.detail.clone(),
        }
    }
}

impl ReasonNote {
    /// The reason.
    ///
    /// # Errors
    /// When its code is in no table.
    pub fn read(self) -> Result<Reason, HandoverError> {
        let Some(code) = Code::from_id(&self.code) else {
            return Err(HandoverError::Code(self.code.chars().take(64).collect()));
        };
        let mut reason = Reason::new(code, self.detail);
        if let Some(file) = self.file {
            reason = reason.about(file);
        }
        if let Some(rule) = self.rule {
            reason = reason.by_rule(rule);
        }
        Ok(reason)
    }
}
