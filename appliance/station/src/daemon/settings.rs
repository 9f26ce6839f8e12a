//! `[run]` of `station.toml`: how the daemon tells of itself.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where the status socket is when nothing else is said.
pub const SOCKET: &str = "/run/oms-appliance/status.sock";

/// How the daemon tells of itself. Paths are absolute or relative to the current folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The status socket.
    pub socket: PathBuf,
    /// How a line of the log looks.
    pub log: Shape,
    /// The file of the log; standard error when there is none.
    pub log_file: Option<PathBuf>,
    /// The file of the metrics.
    pub metrics: Option<PathBuf>,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Text for people.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

/// The table as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawRun {
    socket: Option<PathBuf>,
    #[serde(default)]
    log: Shape,
    log_file: Option<PathBuf>,
    metrics: Option<PathBuf>,
}

impl RawRun {
    /// The settings, with paths that start at `base`.
    pub(crate) fn settings(self, base: &Path) -> Settings {
        let RawRun { socket, log, log_file, metrics } = self;
        let based = |path: PathBuf| base.join(path);
        Settings {
            socket: socket.map_or_else(|| SOCKET.into(), based),
            log,
            log_file: log_file.map(based),
            metrics: metrics.map(based),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let raw: RawRun = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        Ok(raw.settings(Path::new("/etc/oms")))
    }

    #[test]
    fn every_key_is_read_and_may_be_left_out() {
        let plain = read("").unwrap();
        assert_eq!((plain.socket.to_str(), plain.log), (Some(SOCKET), Shape::Text));
        assert_eq!((plain.log_file, plain.metrics), (None, None));
        let all =
            "socket = \"s\"\nlog = \"json\"\nlog-file = \"/var/l\"\nmetrics = \"metrics.prom\"";
        let expected = Settings {
            socket: "/etc/oms/s".into(),
            log: Shape::Json,
            log_file: Some("/var/l".into()),
            metrics: Some("/etc/oms/metrics.prom".into()),
        };
        assert_eq!(read(all).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        assert!(read("log = \"xml\"").unwrap_err().contains("unknown variant `xml`"));
        assert!(read("sockets = \"s\"").unwrap_err().contains("unknown field `sockets`"));
    }
}
