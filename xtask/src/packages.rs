//! The packages of the workspace and of its dependencies, as `cargo metadata` describes them.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

use crate::failure::Failure;
use crate::process::{cargo, output};

/// The platform that the appliance is built for.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// One package.
#[derive(Deserialize)]
pub(crate) struct Package {
    id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence as an SPDX expression.
    pub(crate) license: Option<String>,
    /// Where it comes from; nothing for a package of the workspace.
    pub(crate) source: Option<String>,
}

/// All packages and who depends on whom.
pub(crate) struct Packages {
    packages: BTreeMap<String, Package>,
    members: Vec<String>,
    normal: BTreeMap<String, Vec<String>>,
}

/// A package that a search came to.
pub(crate) struct Reached<'a> {
    /// The package.
    pub(crate) package: &'a Package,
    /// The names on the shortest way from where the search began to this package.
    pub(crate) way: Vec<&'a str>,
    /// The names of the packages that this one needs to run.
    pub(crate) needs: Vec<&'a str>,
}

impl Packages {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Packages, Failure> {
        let mut metadata = cargo(&[
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            PLATFORM,
        ]);
        Packages::parse(&output(&mut metadata)?).map_err(Failure::Metadata)
    }

    fn parse(text: &str) -> Result<Packages, serde_json::Error> {
        let metadata: Metadata = serde_json::from_str(text)?;
        let normal = metadata.resolve.nodes.into_iter().map(|node| {
            let is_normal = |dep: &Dependency| dep.dep_kinds.iter().any(|kind| kind.kind.is_none());
            (node.id, node.deps.into_iter().filter(is_normal).map(|dep| dep.pkg).collect())
        });
        Ok(Packages {
            normal: normal.collect(),
            members: metadata.workspace_members,
            packages: metadata
                .packages
                .into_iter()
                .map(|package| (package.id.clone(), package))
                .collect(),
        })
    }

    /// Every package that the workspace needs to run, the workspace's own ones included.
    pub(crate) fn all(&self) -> Vec<Reached<'_>> {
        self.reach(self.members.clone())
    }

    /// The package of the workspace with this name, and everything that it needs to run.
    pub(crate) fn needed_by(&self, member: &str) -> Vec<Reached<'_>> {
        let is_it =
            |id: &&String| self.packages.get(*id).is_some_and(|package| package.name == member);
        self.reach(self.members.iter().filter(is_it).cloned().collect())
    }

    fn reach(&self, start: Vec<String>) -> Vec<Reached<'_>> {
        let mut reached: BTreeMap<&str, Reached<'_>> = BTreeMap::new();
        let mut queue: VecDeque<(&str, Vec<&str>)> = VecDeque::new();
        let known = |id: &String| self.packages.get_key_value(id).map(|(id, _)| id.as_str());
        queue.extend(start.iter().filter_map(known).map(|id| (id, Vec::new())));
        while let Some((id, way)) = queue.pop_front() {
            let Some(package) = self.packages.get(id).filter(|_| !reached.contains_key(id)) else {
                continue;
            };
            let way = [way, vec![package.name.as_str()]].concat();
            let needed: Vec<&str> =
                self.normal.get(id).into_iter().flatten().map(String::as_str).collect();
            let needs = needed
                .iter()
                .filter_map(|id| self.packages.get(*id))
                .map(|package| package.name.as_str())
                .collect();
            queue.extend(needed.into_iter().map(|id| (id, way.clone())));
            reached.insert(id, Reached { package, way, needs });
        }
        reached.into_values().collect()
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

#[cfg(test)]
impl Packages {
    /// Packages made up for a test: name and normal dependencies; the first one is the workspace's.
    pub(crate) fn example(packages: &[(&str, &[&str])]) -> Packages {
        let package = |name: &str| Package {
            id: name.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: Some("MIT".to_owned()),
            source: None,
        };
        Packages {
            packages: packages
                .iter()
                .map(|(name, _)| ((*name).to_owned(), package(name)))
                .collect(),
            members: packages.iter().take(1).map(|(name, _)| (*name).to_owned()).collect(),
            normal: packages
                .iter()
                .map(|(name, needs)| {
                    ((*name).to_owned(), needs.iter().map(|need| (*need).to_owned()).collect())
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_way_is_found_and_other_kinds_are_left_out() {
        let text = r#"{
            "packages": [
                {"id": "a", "name": "a", "version": "1", "license": null, "source": null},
                {"id": "b", "name": "b", "version": "1", "license": null, "source": null},
                {"id": "c", "name": "c", "version": "1", "license": null, "source": null}
            ],
            "workspace_members": ["a"],
            "resolve": {"nodes": [
                {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}]}, {"pkg": "c", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b", "deps": []},
                {"id": "c", "deps": []}
            ]}
        }"#;
        let packages = Packages::parse(text).unwrap();
        let ways: Vec<_> = packages.needed_by("a").into_iter().map(|reached| reached.way).collect();
        assert_eq!(ways, [vec!["a"], vec!["a", "b"]]);
    }
}
