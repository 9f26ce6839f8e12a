//! `cargo xtask conformance`: drives the adapter through the cases of the public OMS conformance
//! suite, as the suite itself does, but for those that need a live identity.
//!
//! ```text
//!  config.json ─▶ Case ─▶ model copied, modified ─▶ adapter ─▶ Outcome ◀─ compared ─ exceptions.toml
//! ```
//!
//! A case that must fail has to be refused (exit code 1): an adapter that crashes or complains
//! about its command line has shown nothing.

mod adapter;
mod bundle;
mod case;
mod exceptions;
mod model;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use oms_testkit::run::binary;
use oms_testkit::schemas::Schemas;
use oms_testkit::vectors;

use crate::failure::{Failure, Finding};
use crate::process::{cargo, run as run_command, write};
use adapter::{Adapter, Outcome};
use case::{Case, Kind};
use exceptions::Exceptions;

/// Where the cases lie in the test vectors.
const IN_VECTORS: &str = "oms-conformance";

/// Runs the cases of the suite in `suite`, or of the one in the test vectors, and sums up.
///
/// Without a suite this says so and is a success, unless `OMS_REQUIRE_VECTORS` is 1 or `CI` is
/// `true`.
pub(crate) fn run(suite: Option<&Path>) -> Result<(), Failure> {
    let Some(suite) = Suite::find(suite)? else { return Ok(()) };
    // As the tests build it: with other features, its dependencies would be built once more.
    run_command(&mut cargo(&["build", "--locked", "--workspace", "--bins"]))?;
    let bench = Bench {
        adapter: Adapter { program: binary("oms-conformance"), assets: suite.0.join("assets") },
        schemas: Schemas::load(),
    };

    let start = Instant::now();
    let cases = case::all(&suite.0.join("test-cases"))?;
    let exceptions = Exceptions::read()?;
    let mut findings = exceptions.without_case(&cases);
    let mut tally = Tally::default();
    for case in &cases {
        if case.needs_live_identity() {
            tally.skipped += 1;
            continue;
        }
        let (outcome, said) = bench.run(case)?;
        match exceptions.judge(case, &outcome) {
            Ok(None) => tally.passed += 1,
            Ok(Some(exception)) => {
                tally.excepted += 1;
                println!("known exception: {}: {outcome}: {}", case.name, exception.reason);
            }
            Err(problem) => {
                tally.failed += 1;
                let problem = format!("{problem} ({})\n{}", case.config.description, said.trim());
                findings.push(Finding::new(&case.name, problem));
            }
        }
    }
    let Tally { passed, failed, excepted, skipped } = tally;
    println!(
        "{} cases: {passed} passed, {failed} failed, {excepted} known exceptions, \
         {skipped} skipped that need a live identity ({:.1} s)",
        cases.len(),
        start.elapsed().as_secs_f32()
    );
    Finding::none_in("conformance", findings)
}

/// How many cases ended how.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    excepted: usize,
    skipped: usize,
}

/// The folder with `assets` and `test-cases`.
struct Suite(PathBuf);

impl Suite {
    /// The suite in `given`, which may also be a checkout that has it in `test`.
    fn find(given: Option<&Path>) -> Result<Option<Suite>, Failure> {
        let default = vectors::location().join(IN_VECTORS);
        let dir = given.unwrap_or(&default);
        let is_suite =
            |dir: &PathBuf| dir.join("assets").is_dir() && dir.join("test-cases").is_dir();
        if let Some(dir) = [dir.to_owned(), dir.join("test")].into_iter().find(is_suite) {
            // The adapter is given absolute paths only.
            let full = dir.canonicalize().map_err(|source| Failure::Read { path: dir, source })?;
            return Ok(Some(Suite(full)));
        }
        let is = |name, value| env::var_os(name).is_some_and(|is| is == value);
        if given.is_some() || is("OMS_REQUIRE_VECTORS", "1") || is("CI", "true") {
            return Err(Failure::NoSuite { path: dir.to_owned() });
        }
        eprintln!("SKIPPED conformance: no suite in {} (set OMS_VECTORS)", dir.display());
        Ok(None)
    }
}

/// What every case is run with.
struct Bench {
    adapter: Adapter,
    /// Absent when a suite was named and there are no test vectors.
    schemas: Option<Schemas>,
}

impl Bench {
    /// Runs one case in a folder of its own, and gives what the adapter said last.
    fn run(&self, case: &Case) -> Result<(Outcome, String), Failure> {
        let folder = tempfile::tempdir()
            .map_err(|source| Failure::Write { path: env::temp_dir(), source })?;
        let model = model::prepare(case, &self.adapter.assets, folder.path())?;
        match case.kind {
            Kind::Verify => {
                let bundle = case.folder.join("bundle.sig");
                let (mut outcome, said) = self.adapter.verify(case, &model, &bundle)?;
                if outcome == Outcome::Accepted {
                    outcome = bundle::check_listed(&bundle, case).into();
                }
                Ok((outcome, said))
            }
            Kind::Roundtrip => self.roundtrip(case, &model, folder.path()),
        }
    }

    /// Signs and verifies; what was signed is checked on the way.
    fn roundtrip(
        &self,
        case: &Case,
        model: &Path,
        folder: &Path,
    ) -> Result<(Outcome, String), Failure> {
        let inside = case.config.sig_inside_model;
        let bundle = if inside { model } else { folder }.join("bundle.sig");
        let (outcome, said) = self.adapter.sign(case, model, &bundle)?;
        if outcome != Outcome::Accepted || case.must_fail() {
            return Ok((outcome, said));
        }
        if let Err(problem) = bundle::check_signed(&bundle, case, self.schemas.as_ref()) {
            return Ok((Outcome::Wrong(problem), said));
        }
        // The suite lets these two flags meet a file that came after the signature.
        let verify = &case.config.verify;
        if verify.ignore_unsigned_files && !verify.ignore_paths.is_empty() {
            write(&model.join("injected.bin"), "injected after signing\n")?;
        }
        let (outcome, said) = self.adapter.verify(case, model, &bundle)?;
        if outcome != Outcome::Accepted || !case.is_about_determinism() {
            return Ok((outcome, said));
        }
        let again = folder.join("bundle2.sig");
        let (outcome, said) = self.adapter.sign(case, model, &again)?;
        if outcome != Outcome::Accepted {
            return Ok((outcome, said));
        }
        Ok((bundle::check_same_payload(&bundle, &again).into(), said))
    }
}
