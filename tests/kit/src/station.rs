//! A station's folders and its `station.toml`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::files;
use crate::roots::{self, Anchor};

/// One of the station's two keys: where the private key is, and the chain of its certificate.
#[derive(Clone, Debug)]
pub struct StationKey<'a> {
    /// A PKCS#11 URI or the path of a PEM file.
    pub key: String,
    /// The certificates in PEM, leaf first (see [`crate::pki::chain`]).
    pub chain: &'a str,
}

/// Where everything of a station lies that was written for a test.
#[derive(Clone, Debug)]
pub struct Station {
    /// The station's URI, which its verdict certificate has as SAN.
    pub id: String,
    /// `station.toml`.
    pub config: PathBuf,
    /// The policy's file.
    pub policy: PathBuf,
    /// The roots folder.
    pub roots: PathBuf,
    /// The folder of the CRLs; empty until [`Station::install_crl`].
    pub crls: PathBuf,
    /// Journal, archive and clock guard.
    pub state: PathBuf,
    /// Quarantine and staging.
    pub spool: PathBuf,
    /// What the data diode empties.
    pub outbound: PathBuf,
}

impl Station {
    /// Writes a station into the folder `dir`: policy, roots, chains, `station.toml`, and the
    /// empty folders that it works in.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn write(
        dir: impl AsRef<Path>,
        id: &str,
        policy: &str,
        anchors: &[Anchor],
        verdict: StationKey<'_>,
        resign: StationKey<'_>,
    ) -> Station {
        let dir = files::folder(dir.as_ref()).canonicalize().expect("a folder that was just made");
        let station = Station {
            id: id.to_owned(),
            config: dir.join("station.toml"),
            policy: files::public(files::folder(dir.join("policies")).join("policy.toml"), policy),
            roots: roots::write(dir.join("roots"), anchors),
            crls: files::folder(dir.join("crls")),
            state: files::folder(dir.join("state")),
            spool: files::folder(dir.join("spool")),
            outbound: files::folder(dir.join("outbound")),
        };
        files::public(dir.join("verdict-chain.pem"), verdict.chain);
        files::public(dir.join("signing-chain.pem"), resign.chain);
        let config = Config {
            station: Paths {
                id,
                state: &station.state,
                policy: &station.policy,
                roots: &station.roots,
                crls: &station.crls,
                spool: &station.spool,
                outbound: &station.outbound,
            },
            keys: Keys {
                verdict: KeyPaths { key: &verdict.key, certificate: "verdict-chain.pem" },
                resign: KeyPaths { key: &resign.key, certificate: "signing-chain.pem" },
            },
            outbound: Outbound { profile: "tree" },
        };
        files::public(&station.config, toml::to_string(&config).expect("a configuration as TOML"));
        station
    }

    /// Adds tables to `station.toml`.
    ///
    /// # Panics
    /// When it cannot be read or written.
    pub fn configure(&self, text: &str) {
        let before = std::fs::read_to_string(&self.config).expect("the configuration is there");
        files::public(&self.config, before + text);
    }

    /// Puts a CRL in PEM into the station's folder.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn install_crl(&self, name: &str, pem: &str) -> PathBuf {
        files::public(self.crls.join(format!("{name}.pem")), pem)
    }

    /// The names in outbound, in order.
    ///
    /// # Panics
    /// When outbound cannot be read.
    pub fn entries(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.outbound)
            .expect("a readable outbound")
            .map(|entry| {
                entry.expect("a readable outbound").file_name().to_string_lossy().into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

/// `station.toml` as the design of the file has it.
#[derive(Serialize)]
struct Config<'a> {
    station: Paths<'a>,
    keys: Keys<'a>,
    outbound: Outbound<'a>,
}

#[derive(Serialize)]
struct Paths<'a> {
    id: &'a str,
    state: &'a Path,
    policy: &'a Path,
    roots: &'a Path,
    crls: &'a Path,
    spool: &'a Path,
    outbound: &'a Path,
}

#[derive(Serialize)]
struct Keys<'a> {
    verdict: KeyPaths<'a>,
    resign: KeyPaths<'a>,
}

#[derive(Serialize)]
struct KeyPaths<'a> {
    key: &'a str,
    certificate: &'a str,
}

#[derive(Serialize)]
struct Outbound<'a> {
    profile: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_folders_that_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let key = || StationKey { key: "key \"quoted\".pem".to_owned(), chain: "CHAIN" };
        let anchors = [Anchor::new("corp-root", "PEM", &["verdict"])];
        let station = Station::write(
            dir.path(),
            "https://corp.example/s",
            "[policy]\n",
            &anchors,
            key(),
            key(),
        );
        let config: toml::Table =
            std::fs::read_to_string(&station.config).unwrap().parse().unwrap();
        for folder in ["state", "roots", "crls", "spool", "outbound"] {
            assert!(Path::new(config["station"][folder].as_str().unwrap()).is_dir(), "{folder}");
        }
        assert_eq!(config["keys"]["resign"]["key"].as_str(), Some("key \"quoted\".pem"));
        assert!(
            dir.path().join(config["keys"]["verdict"]["certificate"].as_str().unwrap()).is_file()
        );
        assert!(station.entries().is_empty());
    }
}
