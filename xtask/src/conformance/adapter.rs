//! Calls the adapter by the suite's protocol.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::case::Case;
use crate::failure::Failure;

/// The adapter, and where the keys of the suite lie.
pub(super) struct Adapter {
    pub(super) program: PathBuf,
    pub(super) assets: PathBuf,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Exit code 0.
    Accepted,
    /// Exit code 1.
    Refused,
    /// Exit code 2 or 3: the adapter could not decide.
    Error,
    /// The adapter succeeded, but what it did is wrong; or it crashed.
    Wrong(String),
}

impl Outcome {
    fn of(status: ExitStatus) -> Outcome {
        match status.code() {
            Some(0) => Outcome::Accepted,
            Some(1) => Outcome::Refused,
            Some(2 | 3) => Outcome::Error,
            _ => Outcome::Wrong(format!("the adapter crashed: {status}")),
        }
    }
}

impl From<Result<(), String>> for Outcome {
    fn from(checked: Result<(), String>) -> Outcome {
        checked.map_or_else(Outcome::Wrong, |()| Outcome::Accepted)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Accepted => f.write_str("accepted"),
            Outcome::Refused => f.write_str("refused"),
            Outcome::Error => f.write_str("error"),
            Outcome::Wrong(problem) => f.write_str(problem),
        }
    }
}

impl Adapter {
    /// `sign-model`: the outcome and what it said.
    pub(super) fn sign(
        &self,
        case: &Case,
        model: &Path,
        bundle: &Path,
    ) -> Result<(Outcome, String), Failure> {
        let sign = &case.config.sign;
        let mut call = self.call("sign-model", case, model);
        call.option("--output-bundle", [bundle]);
        call.option("--private-key", self.assets(&sign.private_key));
        call.option("--signing-cert", self.assets(&sign.signing_cert));
        call.option("--cert-chain", self.assets(&sign.cert_chain));
        call.flag("--use-staging", sign.use_staging);
        call.run()
    }

    /// `verify-model`: the outcome and what it said.
    pub(super) fn verify(
        &self,
        case: &Case,
        model: &Path,
        bundle: &Path,
    ) -> Result<(Outcome, String), Failure> {
        let verify = &case.config.verify;
        let mut call = self.call("verify-model", case, model);
        call.option("--bundle", [bundle]);
        call.option("--public-key", self.assets(&verify.public_key));
        call.option("--cert-chain", self.assets(&verify.cert_chain));
        call.option("--identity", &verify.identity);
        call.option("--identity-provider", &verify.identity_provider);
        call.flag("--use-staging", verify.use_staging);
        call.flag("--ignore-unsigned-files", verify.ignore_unsigned_files);
        call.run()
    }

    /// What both subcommands are given.
    fn call(&self, subcommand: &str, case: &Case, model: &Path) -> Call {
        let mut call = Call(Command::new(&self.program));
        call.0.arg(subcommand);
        call.option("--method", [&case.config.method]);
        call.option("--model-path", [model]);
        // The paths of a model that is a file stand beside it.
        let folder = if model.is_dir() { Some(model) } else { model.parent() };
        let ignored = case.config.verify.ignore_paths.iter();
        call.option("--ignore-paths", ignored.filter_map(|path| Some(folder?.join(path))));
        call
    }

    /// Paths of the suite's assets.
    fn assets<'a>(&self, files: impl IntoIterator<Item = &'a String>) -> Vec<PathBuf> {
        files.into_iter().map(|file| self.assets.join(file)).collect()
    }
}

struct Call(Command);

impl Call {
    /// An option with each of the values.
    fn option<T: Into<OsString>>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.0.arg(name).arg(value.into());
        }
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.0.arg(name);
        }
    }

    fn run(mut self) -> Result<(Outcome, String), Failure> {
        let output = self.0.stdin(Stdio::null()).output().map_err(|source| Failure::Spawn {
            command: self.0.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        let said = [output.stdout, output.stderr].concat();
        Ok((Outcome::of(output.status), String::from_utf8_lossy(&said).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exit_code_1_is_a_refusal() {
        let of = |script: &str| {
            let status = Command::new("sh").args(["-c", script]).status().unwrap();
            Outcome::of(status)
        };
        assert_eq!(of("exit 0"), Outcome::Accepted);
        assert_eq!(of("exit 1"), Outcome::Refused);
        assert_eq!(of("exit 2"), Outcome::Error);
        assert!(matches!(of("exit 101"), Outcome::Wrong(_)));
        assert!(matches!(of("kill -9 $$"), Outcome::Wrong(_)));
    }
}
