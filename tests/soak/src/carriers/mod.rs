//! The carriers: what is on each kind, and what has to come of it.

mod archives;
mod good;
mod hostile;

use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::{files, run};
use oms_tests::dice::Dice;
use oms_tests::scene::Scene;

/// A kind of carriers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// What it is called; names of archives end in `.tar`.
    pub(crate) name: &'static str,
    /// How often it comes, beside the others.
    weight: usize,
    /// Puts one of them to a path.
    make: fn(&Templates, &Path),
    /// What comes of it.
    pub(crate) due: Due,
    /// Whether it takes long enough that something can be done to it meanwhile.
    pub(crate) is_long: bool,
}

/// What has to come of a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Models that pass.
    pub(crate) passed: usize,
    /// Models that are refused.
    pub(crate) refused: usize,
    /// The codes in the verdicts of those.
    pub(crate) codes: &'static [&'static str],
    /// The first reason that is no model's.
    pub(crate) own: Option<&'static str>,
}

/// Nothing passes and nothing is refused.
const NOTHING: Due = Due { passed: 0, refused: 0, codes: &[], own: None };

/// Every kind.
pub(crate) fn all() -> Vec<Kind> {
    [good::KINDS, hostile::KINDS, archives::KINDS].concat()
}

/// Those of these names, where any are named.
pub(crate) fn named(names: &[String]) -> Vec<Kind> {
    let mut kinds = all();
    if !names.is_empty() {
        kinds.retain(|kind| names.iter().any(|name| name == kind.name));
        // Also what comes at its own times.
        kinds.iter_mut().for_each(|kind| kind.weight = kind.weight.max(1));
    }
    kinds
}

/// One of them, by their weights.
pub(crate) fn any<'a>(kinds: &'a [Kind], dice: &mut Dice) -> &'a Kind {
    let mut left = dice.below(kinds.iter().map(|kind| kind.weight).sum());
    let mut found = kinds.iter();
    loop {
        let kind = found.next().expect("kinds with a weight");
        match left.checked_sub(kind.weight) {
            Some(rest) => left = rest,
            None => return kind,
        }
    }
}

impl Kind {
    /// Puts a carrier of this kind to `path`.
    pub(crate) fn make(&self, templates: &Templates, path: &Path) {
        (self.make)(templates, path);
    }
}

/// What carriers are copied from, made once.
#[derive(Debug)]
pub(crate) struct Templates(PathBuf);

impl Templates {
    /// Makes them, signed by the vendor of `scene`.
    pub(crate) fn of(scene: &Scene) -> Templates {
        let templates = Templates(files::folder(scene.path("templates")));
        good::templates(scene, &templates.0);
        hostile::templates(scene, &templates.0);
        archives::templates(&templates.0);
        templates
    }

    /// Those that were made before.
    pub(crate) fn made(scene: &Scene) -> Templates {
        Templates(scene.path("templates"))
    }

    /// A copy of one, at `to`. Never a link: what is on a carrier must not change when another one
    /// goes.
    fn copy(&self, name: &str, to: &Path) {
        let mut copy = Command::new("cp");
        let copy = copy.args(["-r", "--no-preserve=all"]).arg(self.0.join(name)).arg(to);
        let _ = run::outcome(copy).expect_status(0);
    }

    /// A carrier at `path` with the usual model on it, which passes.
    fn with_demo(&self, path: &Path) {
        self.copy("demo", &files::folder(path).join("demo"));
    }
}
