//! The diode's side: takes what appears in outbound, and keeps the verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use oms_testkit::{files, run};
use oms_tests::scene::{STATION, Scene};
use oms_tests::{entry, json};

/// Of so many entries that passed, one is looked at whole.
const LOOKED_AT: u64 = 25;

/// A sender, and the receiver behind it.
#[derive(Debug)]
pub(crate) struct Sender {
    outbound: PathBuf,
    inbound: PathBuf,
    /// By number: the codes of what was refused; none of what passed.
    verdicts: BTreeMap<u64, BTreeSet<String>>,
}

impl Sender {
    /// One that has taken nothing yet.
    pub(crate) fn of(scene: &Scene) -> Sender {
        let inbound = files::folder(scene.path("inbound"));
        let outbound = scene.station.outbound.clone();
        Sender { outbound, inbound, verdicts: BTreeMap::new() }
    }

    /// Takes what there is. Gives how much that was, and what was wrong with it.
    pub(crate) fn take(&mut self, scene: &Scene) -> (usize, Vec<String>) {
        let (mut taken, mut wrong) = (0, Vec::new());
        for name in scene.station.entries() {
            let to = self.inbound.join(&name);
            if to.exists() {
                wrong.push(format!("{name} came twice"));
                continue;
            }
            fs::rename(self.outbound.join(&name), &to).expect("an entry that can be taken");
            taken += 1;
            wrong.extend(self.look_at(scene, &name, &to));
        }
        (taken, wrong)
    }

    fn look_at(&mut self, scene: &Scene, name: &str, path: &Path) -> Option<String> {
        let number = name.get(..12).and_then(|number| number.parse::<u64>().ok());
        let Some(number) = number else { return Some(format!("{name} has no number")) };
        let payload = entry::payload(path);
        let codes = json::codes(&entry::detail(&payload)["reasons"]);
        let has_passed = name.ends_with("-passed");
        if has_passed && number.is_multiple_of(LOOKED_AT) {
            let outcome = run::outcome(&mut scene.receive(path));
            if outcome.status != 0 {
                return Some(format!("{name}: {}{}", outcome.stdout, outcome.stderr));
            }
        }
        if has_passed {
            fs::remove_dir_all(path.join("model")).expect("the files of an entry");
        }
        if has_passed != codes.is_empty() || self.verdicts.contains_key(&number) {
            return Some(format!("{name} is not what it seems: {codes:?}"));
        }
        self.verdicts.insert(number, codes.into_iter().collect());
        None
    }

    /// The codes of the verdict with this number; nothing where it did not come.
    pub(crate) fn codes(&self, number: u64) -> Option<&BTreeSet<String>> {
        self.verdicts.get(&number)
    }

    /// How many came.
    pub(crate) fn count(&self) -> usize {
        self.verdicts.len()
    }

    /// What `verdict verify --ledger` says of all that came; nothing where all is well.
    pub(crate) fn ledger(&self, scene: &Scene) -> Option<String> {
        let mut command = run::command();
        command.args(["verdict", "verify", "--ledger"]).arg(&self.inbound);
        command.args(["--verifier", STATION, "--roots"]).arg(&scene.station.roots);
        let outcome = run::outcome(&mut command);
        (outcome.status != 0).then(|| format!("the ledger: {}{}", outcome.stdout, outcome.stderr))
    }
}
